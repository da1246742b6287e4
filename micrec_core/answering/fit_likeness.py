"""How much likeness in content adds to a memory: what ranks validation interactions best.

For the items in training by known users' validation interactions; for items that nobody took by the
same, of items asked as if nobody had taken them, for of such items there is no validation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from micrec_core.answering.fit_memory import Cold, solved
from micrec_core.answering.scored import (
    AS_IF_ON,
    Asked,
    as_good,
    each_ndcg,
    least_as_good,
    matching,
)
from micrec_core.evaluation.questions import Question
from micrec_core.graphs.neighbours import Neighbours
from micrec_core.method.likeness import Likeness, likeness_of
from micrec_core.method.memory import Memory, blend
from micrec_core.method.remembered import Remembered
from micrec_core.method.taken import Taken
from micrec_core.subset import some_of
from micrec_core.training.prepare import Prepared

# How far its part of a user's scores spreads, over all the rest; of equal ones the first is taken.
SHARES = (0.25, 0.125, 0.5, 0.0, 1.0, 2.0, 4.0)
# The same for who took nothing here, of likeness to what they took elsewhere.
SHARES_ELSEWHERE = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
# So much less of what known users find is no loss, however sure: two such items of 500 in anyone's
# list are a small one beyond doubt.
_SPARED = 0.005
# Parts that a catalogue is cut into, one of which at a time is as if new.
_FOLDS = 5


def choose_likeness(prepared: Prepared, asked: Asked, chosen: Remembered) -> Remembered:
    """A domain's memory with likeness in content beside it, for the items in training.

    The first of ``SHARES`` that is as good as the best: even thousands of users do not tell small
    gains from none, and what they take of items that many know is where content says least.
    """
    d = asked.question.place
    likeness = _likeness(prepared, d)

    def alike(taken: Taken) -> NDArray[np.floating]:
        return _scaled(likeness, chosen, taken)

    unit, (found,) = asked.found(alike, SHARES, chosen)
    share = least_as_good(SHARES, found)
    return _beside(prepared, d, chosen, likeness, share * unit)


def choose_for_new_items(
    prepared: Prepared,
    asked: Asked,
    users: NDArray[np.floating],
    chosen: Remembered,
    new: NDArray[np.floating],
    taken_of: Callable[[Question], list[csr_matrix]],
) -> Remembered:
    """The same for items that nobody took: asked of items in training as if they were such.

    A fifth of the catalogue at a time is left out of what is counted, foretold and taken and of who
    may be a neighbour, and is ranked among itself, until 1,000 users were asked. Its embeddings are
    its neighbours' mean: what the model makes of the content itself was trained on these very
    items, and ranks them far better than it will any new one; it says how far scores spread, alone.
    Where known users' lists have items in them that nobody took, they must be as good as with any
    weight too, or worse by less than half a percent.

    Parameters
    ----------
    users : final embeddings of the domain's users, [n_users, dim]
    new : those of its items as if each were brand-new, [n_items, dim]
    taken_of : what a question's users took in each domain
    """
    d, items = asked.question.place, asked.items
    likeness = chosen.likeness or _likeness(prepared, d)
    # No less than of the others, among which they are found too.
    least = chosen.weight * chosen.constants.similar
    found: list[list[NDArray[np.float64]]] = []
    weights = np.full(len(SHARES), least)
    for question in _folds(prepared, d):
        if sum(len(of_fold[0]) for of_fold in found) >= AS_IF_ON:
            break
        held, here = question.candidates, taken_of(question)
        here[d] = csr_matrix(here[d] @ diags((~held).astype(np.float32)))
        left = Taken.of(here, d)
        near = _neighbours_without(prepared, d, held)
        memory = _without(prepared, d, chosen, held, near)
        without = replace(chosen, memory=memory, likeness=None)
        counted, asking = without.scores(left), users[question.users]
        before = asking @ _borrowed(prepared, near, items).T + counted
        added = _scaled(likeness, chosen, left)
        if not found:
            unit = matching(added[:, held], (asking @ new.T + counted)[:, held])
            weights = np.maximum(np.array(SHARES) * unit, least)
            # Means of neighbours lie closer together.
            closer = matching(added[:, held], before[:, held]) / unit if unit else 1.0
        found.append(each_ndcg(question, before, added, weights * closer))
    good = np.ones(len(SHARES), bool)
    if likeness.new.any():
        good = _spares_known(asked, chosen, likeness, weights)
    if found:
        every = [np.concatenate(of_share) for of_share in zip(*found, strict=True)]
        kept = np.flatnonzero(good)
        good[kept] = as_good([every[i] for i in kept])
    weight = float(weights[int(np.argmax(good))])
    return _beside(prepared, d, chosen, likeness, weight, ("similar_new",))


def _spares_known(
    asked: Asked, chosen: Remembered, likeness: Likeness, weights: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which weights of items that nobody took leave known users' lists as good as any."""
    without = replace(chosen, constants=replace(chosen.constants, similar_new=0.0))

    def of_new(taken: Taken) -> NDArray[np.floating]:
        found: NDArray[np.floating] = _scaled(likeness, chosen, taken) * likeness.new
        return found

    _, (known,) = asked.found(of_new, list(weights), without, unit=1.0)
    means = np.array([values.mean() for values in known])
    found: NDArray[np.bool_] = np.array(as_good(known)) | (means >= (1 - _SPARED) * means.max())
    return found


def choose_elsewhere(
    prepared: Prepared, d: int, chosen: Remembered, asked: Sequence[Cold]
) -> Remembered:
    """The same for who took nothing in a domain: likeness to what they took in others.

    The least that is not worse than the best by more than a standard error, for what common users
    took tells most where there are enough of them. None where items of two domains cannot be
    compared.

    Parameters
    ----------
    d : the domain
    chosen : its memory, with popularity
    asked : users as if cold in it
    """
    likeness = _likeness(prepared, d, bool(asked))
    if not likeness.elsewhere:
        return chosen
    added = [_scaled(likeness, chosen, one.taken, elsewhere=True) for one in asked]
    before = [one.scores + chosen.to_newcomers for one in asked]
    unit = matching(chain.from_iterable(added), chain.from_iterable(before))
    shares = [share * unit for share in SHARES_ELSEWHERE]
    each = [
        each_ndcg(one.question, rest, more, shares)
        for one, rest, more in zip(asked, before, added, strict=True)
    ]
    found = [np.concatenate(of_share) for of_share in zip(*each, strict=True)]
    share = least_as_good(SHARES_ELSEWHERE, found, within=1.0)
    return _beside(prepared, d, chosen, likeness, share * unit, ("similar_elsewhere",))


def _likeness(prepared: Prepared, d: int, elsewhere: bool = False) -> Likeness:
    known = prepared.knowledge
    spaces = [[part.features[m].space for m in known.modalities] for part in known.domains]
    return likeness_of(spaces, d, known.domains[d].item_degree == 0, elsewhere)


def _scaled(
    likeness: Likeness, chosen: Remembered, taken: Taken, elsewhere: bool = False
) -> NDArray[np.floating]:
    """What it adds with a weight of 1, by what was taken here or elsewhere."""
    scale = replace(chosen, weight=1.0).scale(taken).astype(np.float32)
    rows = taken.elsewhere if elsewhere else taken.here
    found: NDArray[np.floating] = scale * likeness.scores(rows, elsewhere)
    return found


def _beside(
    prepared: Prepared,
    d: int,
    chosen: Remembered,
    likeness: Likeness,
    weight: float,
    which: Sequence[str] = ("similar", "similar_new"),
) -> Remembered:
    """A memory with likeness of a weight on the scale of scores."""
    if weight == 0 and chosen.likeness is None:
        return chosen
    if chosen.weight == 0:
        silent = replace(chosen.constants, counts=0.0, regress=0.0)
        memory = solved(prepared.knowledge, d, silent)
        chosen = replace(chosen, memory=memory, constants=silent, weight=1.0, regression=None)
    told = dict.fromkeys(which, weight / chosen.weight)
    return replace(chosen, constants=replace(chosen.constants, **told), likeness=likeness)


def _folds(prepared: Prepared, d: int) -> Iterator[Question]:
    """Who took items of a fifth of the catalogue in validation, and these among themselves."""
    domain, train = prepared.dataset.domains[d], prepared.knowledge.domains[d].train
    wanted = prepared.split.domains[d].valid.matrix(domain.n_users, domain.n_items)
    drawn = np.random.default_rng(0)
    fold = drawn.integers(_FOLDS, size=domain.n_items)
    known = prepared.material.catalogues[d] & (train.getnnz(axis=0) > 0)
    for one in range(_FOLDS):
        held = known & (fold == one)
        hits = csr_matrix(wanted @ diags(held.astype(wanted.dtype)))
        hits.eliminate_zeros()
        users = some_of(np.flatnonzero(hits.getnnz(axis=1)), AS_IF_ON, drawn)
        if len(users):
            yield Question(
                "valid", domain.name, d, users, domain.user_ids[users], hits[users], None, held
            )


def _without(
    prepared: Prepared,
    d: int,
    chosen: Remembered,
    held: NDArray[np.bool_],
    near: dict[str, Neighbours],
) -> Memory:
    """The memory as it would be if nobody had taken some items; ``near`` are neighbours then."""
    known, kept = prepared.knowledge, diags((~held).astype(np.float32))
    part = known.domains[d]
    train = csr_matrix(part.train @ kept)
    train.eliminate_zeros()
    domains = list(known.domains)
    domains[d] = replace(part, train=train, item_neighbours=near)
    regression = chosen.regression
    if regression is not None:
        rows = np.append(~held, np.ones(regression.shape[0] - len(held), bool))
        regression = csr_matrix(diags(rows.astype(np.float64)) @ regression @ kept)
    return solved(replace(known, domains=tuple(domains)), d, chosen.constants, regression)


def _borrowed(
    prepared: Prepared, near: dict[str, Neighbours], items: NDArray[np.floating]
) -> NDArray[np.floating]:
    """The mean of the embeddings of each item's neighbours."""
    temperature = prepared.knowledge.settings.temperature
    weighed = [(x.rows, x.weights(temperature)) for x in near.values()]
    found: NDArray[np.floating] = blend(weighed) @ items
    return found.astype(items.dtype)


def _neighbours_without(
    prepared: Prepared, d: int, held: NDArray[np.bool_]
) -> dict[str, Neighbours]:
    """Of the domain's items in each modality, none of those that are held."""
    near = prepared.knowledge.domains[d].item_neighbours
    return {m: _fewer(found, held) for m, found in near.items()}


def _fewer(found: Neighbours, held: NDArray[np.bool_]) -> Neighbours:
    """Without those that are held."""
    gone = (found.rows >= 0) & held[found.rows]
    rows = np.where(gone, np.int32(-1), found.rows)
    return Neighbours(rows, np.where(gone, np.float32(0), found.similarity))
