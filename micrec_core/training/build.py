"""From settings to a model: which mechanisms a name and its ``without`` leave switched on."""

from __future__ import annotations

from typing import Any

import torch

from micrec_core.baselines import REGISTRY, Baseline, BaselineSettings, ClosedForm
from micrec_core.baselines.contract import EDGE_DROP
from micrec_core.config import ModelSettings, TrainSettings
from micrec_core.errors import ConfigError
from micrec_core.mechanisms import Mechanism, mechanisms
from micrec_core.method.configurations import CONFIGURATIONS
from micrec_core.method.inputs import ModelInputs
from micrec_core.method.micrec import MICRec, Settings
from micrec_core.modalities.registry import nouns


def used_modalities(settings: ModelSettings, available: tuple[str, ...]) -> tuple[str, ...]:
    """The modalities that the model takes, of those that the dataset has."""
    if settings.is_baseline:
        return available if REGISTRY[settings.name].uses_features else ()
    lost = {m for mechanism in _switched_off(settings) for m in mechanism.lost(available)}
    return tuple(m for m in available if m not in lost)


def model_settings(settings: ModelSettings, modalities: tuple[str, ...]) -> Settings:
    """The model's own settings for a configuration and what it goes without."""
    values: dict[str, Any] = {
        "layers": settings.layers,
        "own_template": settings.echo,
        "memory": settings.memory,
        "refined": settings.refined,
        "transferred": settings.transfer,
        "bridged": settings.bridge,
    }
    for mechanism in _switched_off(settings):
        values |= mechanism.model
    values |= CONFIGURATIONS[settings.name].model
    return Settings(dim=settings.dim, init=settings.init, modalities=modalities, **values)


def effective_training(settings: ModelSettings, training: TrainSettings) -> TrainSettings:
    """The training settings with the terms of switched-off mechanisms at zero."""
    off: dict[str, Any] = {}
    if settings.is_baseline:
        # Baselines are as published; on real data they were no better with weights of users.
        drop = _options(settings).get(EDGE_DROP.name, 0.0)
        off = {"leave_out": False, "dropout": drop, "contrast": 0.0, "user_weight": 0.0}
    else:
        for mechanism in _switched_off(settings):
            off |= mechanism.training
        off |= CONFIGURATIONS[settings.name].training
    return training.model_copy(update=off)


def _switched_off(settings: ModelSettings) -> list[Mechanism]:
    """What a configuration never has, and what this one is to go without."""
    names = (*CONFIGURATIONS[settings.name].without, *settings.without)
    known = mechanisms(names)
    return [known[name] for name in names]


def _options(settings: ModelSettings) -> dict[str, float]:
    """A baseline's options, as set or by default."""
    defaults = {option.name: option.default for option in REGISTRY[settings.name].options}
    return defaults | settings.options


def build_any(
    settings: ModelSettings, inputs: ModelInputs, seed: int
) -> MICRec | Baseline | ClosedForm:
    """The model of any name, freshly initialised and deterministic under ``seed``.

    Raises
    ------
    ConfigError
        The baseline goes by what items say, and they say nothing.
    """
    kind = REGISTRY.get(settings.name)
    if kind is None:
        return build_model(settings, inputs, seed)
    told = BaselineSettings(
        settings.dim, settings.layers, settings.neighbours, settings.init, _options(settings)
    )
    if kind.uses_features and not inputs.modalities:
        raise ConfigError(
            f"{settings.name} goes by {nouns('or')}, and no item of the dataset has any; "
            "choose a model without"
        )
    if issubclass(kind, ClosedForm):
        return kind(told)
    model = kind(inputs, told)
    model.reset_parameters(torch.Generator().manual_seed(seed))
    model = model.to(inputs.device)
    model.clear_untrained(inputs)
    return model


def build_model(settings: ModelSettings, inputs: ModelInputs, seed: int) -> MICRec:
    """A freshly initialised model for these inputs, deterministic under ``seed``."""
    sizes = [(d.graph.n_users, d.graph.n_items) for d in inputs.domains]
    dims = inputs.content_dims() if inputs.domains else {}
    model = MICRec(sizes, dims, model_settings(settings, inputs.modalities))
    model.reset_parameters(torch.Generator().manual_seed(seed))
    clear_untrained(model, inputs)
    return model.to(inputs.device)


def clear_untrained(model: MICRec, inputs: ModelInputs) -> None:
    """Zero the vectors that entities without train interactions would take in themselves.

    They would stay at their random start, as noise in every new entity's embedding: free vectors,
    and the own templates of items. Users' templates need no such care, for without interactions
    they reach nobody.
    """
    settings = model.settings
    kinds = (not settings.templates, not settings.templates or settings.own_template)
    with torch.no_grad():
        for d, domain in enumerate(inputs.domains):
            own, degrees = model.domain(d), domain.graph.degrees()
            for name, taken, degree in zip(("users", "items"), kinds, degrees, strict=True):
                if taken:
                    own.get_parameter(name)[degree == 0] = 0.0
