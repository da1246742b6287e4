"""The computation one step at a time, in words and small tables, for those who teach it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from micrec_core.method.foldin import TEMPLATE, Folded
from micrec_core.method.profiles import SIGNALS
from micrec_core.modalities.registry import in_order, modality
from micrec_core.names import MEMORY
from micrec_core.serving.contents import Bundle
from micrec_core.serving.reasons import EVERYBODY, Explanation
from micrec_core.serving.users import User

_ROWS = 10


@dataclass(frozen=True)
class Step:
    """One step: a heading, what happens, and the numbers."""

    title: str
    text: str
    table: pd.DataFrame | None = None


def make_steps(
    bundle: Bundle,
    user: User,
    folded: Folded,
    top: tuple[str, Explanation] | None,
    vocabularies: Mapping[str, Sequence[str]],
    memory: tuple[float, float] | None,
) -> list[Step]:
    """The steps from what is known about a user to the score of the best item.

    Parameters
    ----------
    top : title and explanation of the best item
    vocabularies : modality -> words of its sparse features, where its encoder has them
    memory : its weight and what the user's is multiplied with; None where the domain has none
    """
    steps = [_evidence(bundle, user)]
    if folded.empty:
        words = "Nothing here can be folded in, so the list is by number of interactions."
        return [*steps, Step("Fall back to popularity", words)]
    steps += _templates(bundle, folded)
    steps += _crossing(folded)
    steps += _profiles(folded, vocabularies)
    steps += _neighbours(bundle, folded)
    steps += _weights(bundle, folded)
    steps += _propagation(bundle, folded)
    if top is not None:
        steps += [] if memory is None else [_memory(*top, *memory, folded.degree > 0)]
        steps.append(_score(*top, ", and what the memory adds" if memory else ""))
    return steps


def _evidence(bundle: Bundle, user: User) -> Step:
    rows = [
        {"domain": part.label, "kind": user.kind[part.name], "likes": len(user.items[d])}
        for d, part in enumerate(bundle.domains)
    ]
    given = [
        asked.nouns if asked.asks == "values" else f"a {asked.asks or asked.noun}"
        for asked in map(modality, in_order(user.documents))
    ]
    more = f" Beside that they gave {' and '.join(given)}." if given else ""
    words = "Everything that follows is computed from this; no parameter is changed."
    return Step("What is known", words + more, pd.DataFrame(rows))


def _templates(bundle: Bundle, folded: Folded) -> list[Step]:
    if not bundle.templates:
        words = "This model owns a vector per user instead of deriving one from what they took."
        return [Step("No templates", words)]
    blocks = [b for b in folded.blocks if b.source == "id" and b.via == TEMPLATE]
    if not blocks:
        words = (
            "With no interaction here there is no item whose vector could stand for the user: only "
            "the vector that all users share is left."
        )
        return [Step("Templates: none", words)]
    part, block = bundle.domains[folded.domain], blocks[0]
    count = len(block.rows)
    weight = (count + 1.0) ** -bundle.alpha
    table = pd.DataFrame(
        {
            "item": part.titles[block.rows],
            "weight": weight,
            "length of its vector": np.linalg.norm(part.item_templates[block.rows], axis=1),
        }
    ).head(_ROWS)
    words = (
        f"Each of the {count} liked items owns a trained vector. Their sum and the vector that all "
        f"users share, times ({count} + 1)^-{bundle.alpha:.2f} = {weight:.3f}, is the user's "
        "template embedding: a user is nothing but what they took, so anyone new has one too."
    )
    if bundle.modalities:
        names = " and ".join(bundle.modalities)
        words += f" To each vector, those of items alike by {names} have been added in part."
    return [Step("Templates", words, table)]


def _crossing(folded: Folded) -> list[Step]:
    blocks = [b for b in folded.blocks if b.source == "bridge" and b.via != "through your item"]
    if not blocks:
        return []
    total = pd.DataFrame(
        {
            "path": [b.via for b in blocks],
            "contributors": [len(b.vectors) for b in blocks],
            "length": [float(np.linalg.norm(b.vectors.sum(axis=0))) for b in blocks],
        }
    ).head(_ROWS)
    words = (
        "The user's template embedding of another domain is added through a learned linear map."
        if folded.degree
        else "Nothing was taken here, so the user comes over a bridge that was fitted on users "
        "known here and there: a linear map of the embedding there, and what those nearest there "
        "are here."
    )
    return [Step("From another domain", words, total)]


def _profiles(folded: Folded, vocabularies: Mapping[str, Sequence[str]]) -> list[Step]:
    rows = [
        {
            "modality": m,
            "items and documents counted": sum(e.count for e in profile.evidence),
            "coherence": profile.coherence,
        }
        for m, profile in folded.profiles.items()
        if profile.has
    ]
    if not rows:
        return []
    words = (
        "The features of the items taken are added up and scaled to length 1, with items of "
        "another domain at half weight beside likes here. Coherence is the mean likeness of the "
        "items."
    )
    for m, vocabulary in vocabularies.items():
        query = folded.profiles[m].query.as_profile()
        if vocabulary and query.terms is not None and query.values is not None:
            best = query.terms[np.argsort(-query.values, kind="stable")[:8]]
            words += f" Strongest words: {', '.join(vocabulary[t] for t in best)}."
    return [Step("Profile", words, pd.DataFrame(rows))]


def _neighbours(bundle: Bundle, folded: Folded) -> list[Step]:
    part = bundle.domains[folded.domain]
    frames = [
        pd.DataFrame(
            {
                "modality": m,
                "user": part.user_ids[near.rows],
                "similarity": near.similarity,
                "weight": near.weights,
            }
        )
        for m, near in folded.near.items()
        if len(near.rows)
    ]
    if not frames:
        return []
    words = (
        f"By each modality the {bundle.k} training users with the most similar profiles lend their "
        f"embeddings, weighed by softmax(similarity / {bundle.temperature:g})."
    )
    return [Step("Neighbours", words, pd.concat(frames, ignore_index=True))]


def _weights(bundle: Bundle, folded: Folded) -> list[Step]:
    if not folded.near:
        return []
    table = pd.DataFrame(
        {
            "modality": list(bundle.modalities),
            **{f"{name} (standardised)": folded.signals[:, at] for at, name in enumerate(SIGNALS)},
            "weight": folded.weights,
        }
    )
    words = (
        "A gate with a handful of learned numbers turns these signals into a weight per modality; "
        "one that the user has nothing of gets 0."
    )
    return [Step("Weights of the modalities", words, table)]


def _propagation(bundle: Bundle, folded: Folded) -> list[Step]:
    if not folded.degree:
        words = "Without an edge in this domain there is nothing to propagate along."
        return [Step("Propagation: none", words)]
    part = bundle.domains[folded.domain]
    blocks = [b for b in folded.blocks if b.via == "through your item"]
    received = np.sum([b.vectors for b in blocks], axis=0)
    table = pd.DataFrame(
        {
            "item": part.titles[blocks[0].rows],
            "length of what it hands on": np.linalg.norm(received, axis=1),
        }
    )
    words = (
        f"Along each edge the {bundle.layers} layers of the liked items are added with "
        f"1 / sqrt(degree of both ends) and averaged over {bundle.layers + 1} layers: what other "
        "people who took these items took comes in here."
    )
    return [Step("Propagation", words, table.head(_ROWS))]


def _memory(
    title: str, explanation: Explanation, weight: float, scale: float, at_home: bool
) -> Step:
    everybody = ""
    if (explanation.table["via"] == EVERYBODY).any():
        everybody = " What everybody takes here counts beside it."
        if not at_home:
            everybody = " Nothing was taken here, so what everybody takes here counts beside it."
    words = (
        "Beside the vectors, training interactions are remembered as they are. For the best item, "
        f"“{title}”, each item taken brings how many took both, active people and popular items "
        "counting less, what was taken with items alike, how alike its own content is, and what a "
        "regression on all that was taken says, where the model has them; all of it times "
        f"{weight:.3f} n^-1/2 = {scale:.3f}, for n items taken.{everybody} Together they add "
        f"{explanation.parts[MEMORY]:.3f} to the score."
    )
    return Step("Memory", words, explanation.remembered.head(_ROWS))


def _score(title: str, explanation: Explanation, more: str) -> Step:
    cells = explanation.cells.pivot(
        index="user_source", columns="item_source", values="contribution"
    ).reset_index()
    words = (
        f"The score is the inner product of the user's and the item's embedding{more}. For the "
        f"best item, “{title}”, it is {explanation.score:.3f}: rows are where the user's side came "
        "from, columns the item's; the cells add up to the score."
    )
    return Step("Score", words, cells)
