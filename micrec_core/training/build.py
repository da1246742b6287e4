"""From settings to a model: which mechanisms a name and its ``without`` leave switched on."""

from __future__ import annotations

import torch

from micrec_core.baselines import REGISTRY, Baseline, ClosedForm
from micrec_core.config import BASELINES, ModelSettings, TrainSettings
from micrec_core.errors import ConfigError
from micrec_core.method.inputs import ModelInputs
from micrec_core.method.micrec import MICRec, Settings


def used_modalities(settings: ModelSettings, available: tuple[str, ...]) -> tuple[str, ...]:
    """The modalities that the model takes, of those that the dataset has."""
    if settings.name in BASELINES:
        return available if REGISTRY[settings.name].uses_features else ()
    if settings.name != "micrec" or "modality" in settings.without:
        return ()
    return tuple(m for m in available if m not in settings.without)


def model_settings(settings: ModelSettings, modalities: tuple[str, ...]) -> Settings:
    """The model's own settings for a name and what it goes without."""
    full = settings.name == "micrec"
    return Settings(
        dim=settings.dim,
        layers=0 if settings.name == "inmo-mf" else settings.layers,
        templates=settings.name in ("inmo", "inmo-mf")
        or (full and "templates" not in settings.without),
        modalities=modalities,
        transfer=full and "cross-domain" not in settings.without,
        own_template=full and settings.echo,
        init=settings.init,
    )


def effective_training(settings: ModelSettings, training: TrainSettings) -> TrainSettings:
    """The training settings with the terms of switched-off mechanisms at zero."""
    off: dict[str, float] = {}
    if settings.name in BASELINES:
        off["leave_out"] = False
        has = "edge_drop" in BASELINES[settings.name]
        off["dropout"] = settings.option("edge_drop") if has else 0.0
    if settings.name != "micrec" or {"contrast", "cross-domain"} & set(settings.without):
        off["contrast"] = 0.0
    if settings.name != "micrec":
        # Baselines are as published; on real data they were no better with it.
        off["user_weight"] = 0.0
    if "self-enhanced" in settings.without:
        off["self_enhanced"] = 0.0
    return training.model_copy(update=off)


def build_any(
    settings: ModelSettings, inputs: ModelInputs, seed: int
) -> MICRec | Baseline | ClosedForm:
    """The model of any name, freshly initialised and deterministic under ``seed``.

    Raises
    ------
    ConfigError
        The baseline goes by texts or pictures, and there are none.
    """
    kind = REGISTRY.get(settings.name)
    if kind is None:
        return build_model(settings, inputs, seed)
    if issubclass(kind, ClosedForm):
        return kind(settings)
    if kind.uses_features and not inputs.modalities:
        raise ConfigError(
            f"{settings.name} goes by texts or pictures, and no item of the dataset has any; "
            "choose a model without"
        )
    model = kind(inputs, settings)
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
