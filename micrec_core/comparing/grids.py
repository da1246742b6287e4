"""What ``compare`` tries of each model: the same number of points for everyone, defaults first.

A point changes settings of the training (``learning_rate``), of the model (``layers``) or an option
of a baseline. The best by validation NDCG@20, domains added up, is taken for all seeds; variants of
micrec take micrec's. After the defaults comes what validation chose on the sample, for micrec what
it chose on MovieLens (docs/notes/training.md), and then the full model's recipe for the others, so
that a small budget is well spent. The points tried, and the one chosen, are in ``compare.json``.
"""

from __future__ import annotations

from typing import Any

from micrec_core.config import (
    BASELINES,
    RECIPE,
    ModelSettings,
    RunSettings,
    TrainSettings,
    make_settings,
    recipe,
)

Point = dict[str, float | str]

BUDGET = 4
# Epochs at most of a model whose rate stays, where nothing else is said: slow learners need many,
# and validation ends the training long before.
CONVERGED = 200
# Where users have many interactions there is less to overfit, and more to be learned: what
# validation chose on MovieLens, and nothing of the recipe (docs/notes/training.md).
_DENSE: Point = {
    "echo": 0,
    "leave_out": 0,
    "views": 0,
    "weight_decay": 0,
    "user_weight": 0,
    "schedule": "constant",
    "learning_rate": 5e-3,
    "epochs": 60,
    "batch_size": 8192,
    "steps": 20,
    "validate_every": 2,
    "patience": 3,
}
# What of the full model's recipe others can have, with the epochs that MGCN needs of it.
_SHARED = ("learning_rate", "schedule", "weight_decay", "batch_size", "steps")
_FALLING: Point = {key: RECIPE[key] for key in _SHARED} | {"epochs": 10, "patience": 10}
_FACTORS: tuple[Point, ...] = ({}, {"l2": 1e-1}, _FALLING, {"learning_rate": 5e-3})
_TEMPLATES: tuple[Point, ...] = ({}, {"l2": 1e-3}, _FALLING, {"dropout": 0.3})
GRIDS: dict[str, tuple[Point, ...]] = {
    "micrec": ({}, _DENSE, {"dropout": 0.3}, {"contrast": 0.1}),
    "inmo": _TEMPLATES,
    "inmo-mf": _TEMPLATES,
    "lightgcn": ({}, {"learning_rate": 5e-3}, _FALLING, {"l2": 1e-3}),
    "popularity": ({},),
    "itemknn": ({}, {"shrink": 10}, {"nearest": 500}, {"nearest": 20}),
    "ease": ({}, {"penalty": 100}, {"penalty": 1000}, {"penalty": 20}),
    "bpr-mf": _FACTORS,
    "imc-gae": ({}, {"drop": 0}, _FALLING, {"edge_drop": 0.3}),
    "vbpr": _FACTORS,
    "lattice": ({}, {"raw": 0.5}, _FALLING, {"edge_drop": 0.3}),
    "bm3": ({}, {"learning_rate": 5e-3}, _FALLING, {"weight": 0.5}),
    "freedom": ({}, {"drop": 0.5}, _FALLING, {"weight": 0.1}),
    "mgcn": ({}, {"edge_drop": 0.3}, _FALLING, {"weight": 1e-2}),
    "cmf": _FACTORS,
    "emcdr": _FACTORS,
    "bitgcf": ({}, {"own": 0.5}, _FALLING, {"edge_drop": 0.3}),
    "ptupcdr": _FACTORS,
}


def changes(point: Point) -> str:
    """A point in words: ``l2=0.1, dropout=0.3``; nothing of the defaults."""
    return ", ".join(f"{k}={v if isinstance(v, str) else format(v, 'g')}" for k, v in point.items())


def points(name: str, budget: int) -> tuple[Point, ...]:
    """The first ``budget`` points of a model; a model with nothing to choose has one."""
    return GRIDS[name][:budget]


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
    for key, value in point.items():
        if key in BASELINES.get(name, {}):
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
