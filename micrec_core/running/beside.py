"""Cheap baselines that stand beside every run, so that none compares itself with popularity alone.

They are solved in seconds at the defaults of their grids, asked every question of the run and
tested against its model like any variant. Their time is a share of the training's; what does not
fit into it, or would be too large, is left out and the run says so.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from micrec_core.answering.answers import Answerer, answerer_of
from micrec_core.baselines import REGISTRY, ClosedForm
from micrec_core.data.progress import Progress
from micrec_core.evaluation.questions import Outcome, Question
from micrec_core.names import model_label
from micrec_core.running.fit import solve
from micrec_core.training.build import build_any
from micrec_core.training.prepare import Prepared, prepare

# In this order: what is strong for its seconds first.
CHEAP = (
    *("bm25", "content-profile", "rp3beta", "ease", "memory-alone"),
    *("als", "als-joint", "ease-joint"),
)
# Of the training's seconds, what all of them together may take; so many seconds in any case.
SHARE, LEAST_SECONDS = 0.5, 10.0
# What is solved no more at such a size, for it would take more than seconds: EASE inverts a matrix
# of all items of a domain, or of all domains; ALS goes over all train interactions again and again.
MOST_ITEMS = {"ease": 5_000, "ease-joint": 5_000}
MOST_INTERACTIONS = {"als": 200_000, "als-joint": 200_000}
# Users of a question that baselines are asked about, drawn where there are more.
MOST_USERS = 2_000
# Users by whom the time of asking all is told beforehand.
_PROBE = 50


@dataclass(frozen=True)
class Beside:
    """What was set beside a run's model.

    Attributes
    ----------
    outcomes : one a baseline
    seconds : by baseline, its CPU seconds: solving, and answering
    left_out : by baseline, a sentence
    """

    outcomes: list[Outcome]
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def few_of(question: Question) -> Question:
    """The question, of at most MOST_USERS users, always the same."""
    return question.at_most(MOST_USERS)


def few_answers(outcome: Outcome) -> Outcome:
    """The answers to those few, so that all that stands beside a run is asked of the same users."""
    return replace(outcome, answers=tuple(a.of(few_of(a.question)) for a in outcome.answers))


def solved_beside(
    prepared: Prepared,
    seconds: float,
    progress: Progress,
    skip: Sequence[str] = (),
) -> Beside:
    """Solve the cheap baselines and ask them.

    Parameters
    ----------
    prepared : of the run's model; baselines take all modalities and know who is who
    seconds : that the training took, a share of which they may take
    skip : names of those that are there already
    """
    settings = prepared.settings
    ready = prepared if not settings.model.without else _whole(prepared)
    asked = [few_of(question) for question in prepared.material.questions]
    found, spent, allowed = Beside([]), 0.0, max(SHARE * seconds, LEAST_SECONDS)
    for name in CHEAP:
        if name in skip or not _applies(name, ready):
            continue
        if why := _too_large(name, ready):
            found.left_out[name] = why
            continue
        if spent > allowed:
            found.left_out[name] = f"the {allowed:.0f} s that baselines may take were spent"
            continue
        progress(f"solving {model_label(name)}", 0, 0)
        started = time.perf_counter()
        outcome, cost = _asked(name, ready, asked, allowed - spent)
        spent += time.perf_counter() - started
        if outcome is None:
            found.left_out[name] = f"asking it would take more than was left of {allowed:.0f} s"
            continue
        found.outcomes.append(outcome)
        found.seconds[name] = cost
    return found


def _asked(
    name: str, prepared: Prepared, asked: Sequence[Question], left: float
) -> tuple[Outcome | None, dict[str, float]]:
    """What it answers and what that cost; no answers where they would take longer than is left."""
    own = prepared.settings
    like = own.model.model_copy(update={"name": name, "without": (), "options": {}})
    ready = replace(prepared, settings=own.of(like, own.seed))
    model = build_any(like, ready.inputs, own.seed)
    assert isinstance(model, ClosedForm)
    begun = time.process_time()
    seconds = solve(model, ready)
    solved = time.process_time()
    answerer = answerer_of(ready, model)
    if seconds + _expected(answerer, [q for q in asked if q.protocol in model.answers]) > left:
        return None, {}
    outcome = answerer.outcome(asked, seconds)
    cost = {"solving": solved - begun, "answering": time.process_time() - solved}
    return outcome, {part: round(value, 3) for part, value in cost.items()}


def _expected(answerer: Answerer, asked: Sequence[Question]) -> float:
    """Seconds that all answers will take, by those to a few users."""
    if not asked:
        return 0.0
    largest = max(asked, key=len)
    few = largest.of(np.arange(min(_PROBE, len(largest))))
    # What is compiled when first used is not to be timed.
    answerer.answer(few.of(np.arange(1)))
    started = time.perf_counter()
    answerer.answer(few)
    return (time.perf_counter() - started) / len(few) * sum(map(len, asked))


def _whole(prepared: Prepared) -> Prepared:
    """As of the full model, where the run's goes without something."""
    model = prepared.settings.model.model_copy(update={"without": ()})
    settings = prepared.settings.of(model, prepared.settings.seed)
    return prepare(prepared.material, settings, prepared.device)


def _applies(name: str, prepared: Prepared) -> bool:
    """Whether it has anything to go by that a cheaper one has not."""
    kind = REGISTRY[name]
    if kind.uses_features and not prepared.inputs.modalities:
        return False
    return kind.family != "cross-domain" or len(prepared.dataset.domains) > 1


def _too_large(name: str, prepared: Prepared) -> str:
    """Why it is not solved at this size, in a sentence; nothing where it is."""
    domains = prepared.knowledge.domains
    items = [int(np.count_nonzero(d.item_degree)) for d in domains]
    joint = REGISTRY[name].family == "cross-domain"
    solved, where = (sum(items), "all domains") if joint else (max(items), "one domain")
    if solved > (most := MOST_ITEMS.get(name, solved)):
        return f"{solved:,} items in {where} are more than the {most:,} that it takes here"
    told = sum(d.train.nnz for d in domains)
    if told > (most := MOST_INTERACTIONS.get(name, told)):
        return f"{told:,} train interactions are more than the {most:,} that it takes here"
    return ""
