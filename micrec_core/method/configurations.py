"""The models that the class ``MICRec`` can be: the full one, and published ones as parts of it.

INMO (Wu et al., SIGIR 2022) is the templates alone, LightGCN (He et al., SIGIR 2020) the
propagation of free vectors; docs/method.md has both. Nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# What a grid of tuning tries beside the defaults: settings of training or model, or options.
Point = Mapping[str, float | str]

# How the full model and its variants are trained where users have few interactions each.
SPARSE: dict[str, Any] = {
    "epochs": 5,
    "batch_size": 4096,
    "steps": 60,
    "learning_rate": 1e-2,
    "rate_by_batch": True,
    "schedule": "cosine",
    "weight_decay": 0.6,
    "user_weight": 0.5,
    "views": 0.3,
    "leave_out": True,
    "validate_every": 1,
    "patience": 5,
}
# And where they have many: there is less to overfit, and more to be learned. It is what validation
# chose on MovieLens, and nothing of the other recipe (docs/notes/2026-11-21-training.md).
DENSE: dict[str, Any] = {
    "learning_rate": 5e-3,
    "epochs": 60,
    "user_weight": 0.0,
}
# The model as its description has it (arXiv:2510.21812): templates, aggregation, contrast and the
# self-enhanced loss under BPR at a rate that stays; and what of ours it goes without.
PAPER: dict[str, Any] = {"loss": "bpr", "user_weight": 0.0, "new_items": 0.0}
OURS = ("echo", "memory", "refined", "transfer", "bridge")
# Mean train interactions a user from which on the second is taken where neither is asked for.
DENSE_FROM = 20.0
# The same as a point of a grid, whatever it is set against.
_DENSE_POINT: Point = DENSE | {
    "echo": 0,
    "leave_out": 0,
    "views": 0,
    "weight_decay": 0,
    "rate_by_batch": 0,
    "schedule": "constant",
    "batch_size": 8192,
    "steps": 20,
    "validate_every": 2,
    "patience": 3,
}
# What of the full model's recipe others can have, with the epochs that MGCN needs of it.
_SHARED = ("learning_rate", "rate_by_batch", "schedule", "weight_decay", "batch_size", "steps")
FALLING: Point = {key: SPARSE[key] for key in _SHARED} | {"epochs": 10, "patience": 10}
_TEMPLATES: tuple[Point, ...] = ({}, {"l2": 1e-3}, FALLING, {"dropout": 0.3})


@dataclass(frozen=True)
class Configuration:
    """One of these models.

    Attributes
    ----------
    family : one of ``baselines.FAMILIES``; none of the full model
    without : the mechanisms that it never has
    model : settings of ``method.micrec.Settings`` that it always has
    training : settings of ``config.TrainSettings`` that it always has
    recipe : its defaults of the others, over those of every model
    others : kind -> what stands in place of ``recipe`` by ``config.RunSettings.recipe``
    grid : what ``compare`` tries, the defaults first
    """

    family: str | None
    grid: tuple[Point, ...]
    without: tuple[str, ...] = ()
    model: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


# As published: no content, domains apart, items that do not take their own template in.
_BARE = ("modality", "contrast", "cross-domain", "memory")
_PLAIN: Mapping[str, Any] = {"own_template": False}
# Weights of users are MICRec's own; on real data baselines were no better with them.
_EVEN = {"user_weight": 0.0}

CONFIGURATIONS: dict[str, Configuration] = {
    "micrec": Configuration(
        family=None,
        grid=({}, _DENSE_POINT, {"dropout": 0.3}, {"contrast": 0.1}),
        recipe=SPARSE,
        others={"dense": DENSE, "paper": PAPER},
    ),
    "inmo": Configuration("inductive", _TEMPLATES, _BARE, _PLAIN, _EVEN),
    "inmo-mf": Configuration("inductive", _TEMPLATES, _BARE, {**_PLAIN, "layers": 0}, _EVEN),
    "lightgcn": Configuration(
        "plain",
        ({}, {"learning_rate": 5e-3}, FALLING, {"l2": 1e-3}),
        (*_BARE, "templates"),
        _PLAIN,
        _EVEN,
    ),
}
