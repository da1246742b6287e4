"""What ``compare`` tries of each model: the same number of points for everyone, defaults first.

The points stand beside each model (``baselines.models``). One changes settings of the training
(``learning_rate``), of the model (``layers``) or an option of a baseline. The best by validation
NDCG@20, domains added up, is taken for all seeds; variants of micrec take micrec's. After the
defaults comes what validation chose on the sample, for micrec what it chose on MovieLens
(docs/notes/training.md), and then the full model's recipe for the others, so that a small budget is
well spent. The points tried, and the one chosen, are in ``compare.json``.
"""

from __future__ import annotations

from typing import Any

from micrec_core.baselines import REGISTRY, models
from micrec_core.config import ModelSettings, RunSettings, TrainSettings, make_settings, recipe
from micrec_core.method.configurations import Point

BUDGET = 4
# Epochs at most of a model whose rate stays, where nothing else is said: slow learners need many,
# and validation ends the training long before.
CONVERGED = 200


def changes(point: Point) -> str:
    """A point in words: ``l2=0.1, dropout=0.3``; nothing of the defaults."""
    return ", ".join(f"{k}={v if isinstance(v, str) else format(v, 'g')}" for k, v in point.items())


def points(name: str, budget: int) -> tuple[Point, ...]:
    """The first ``budget`` points of a model; a model with nothing to choose has one."""
    return models()[name].grid[:budget]


def at_point(
    base: RunSettings, name: str, without: tuple[str, ...], point: Point, seed: int
) -> RunSettings:
    """The settings of one training: those that all share, with the model's and the point's."""
    own = base.model.model_copy(update={"name": name, "without": without, "options": {}})
    values = base.of(own, seed).model_dump()
    model: dict[str, Any] = dict(values["model"])
    training: dict[str, Any] = dict(values["training"])
    if training["schedule"] == "constant" and training["epochs"] == TrainSettings().epochs:
        training["epochs"] = CONVERGED
    options = {option.name for option in REGISTRY[name].options} if own.is_baseline else set()
    for key, value in point.items():
        if key in options:
            model["options"][key] = value
        elif key in TrainSettings.model_fields:
            training[key] = value
        else:
            assert key in ModelSettings.model_fields, key
            model[key] = value
    # Epochs that were asked for of all are the most of a point too.
    if base.training.epochs != recipe(base.model.name)["epochs"]:
        training["epochs"] = min(training["epochs"], base.training.epochs)
    return make_settings(RunSettings, values | {"model": model, "training": training})
