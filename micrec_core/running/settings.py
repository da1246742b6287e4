"""From single settings to those of a run, each value checked once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from micrec_core.config import ModelSettings, RunSettings, TrainSettings, make_settings
from micrec_core.errors import ConfigError
from micrec_core.modalities.registry import MODALITIES


def run_settings(values: Mapping[str, Any], changes: Iterable[tuple[str, Any]]) -> RunSettings:
    """The settings of a run.

    Parameters
    ----------
    values : nested as in ``RunSettings``
    changes : (key, value); a key of the training, the model or the run, with or without its
        section (``learning_rate``, ``training.learning_rate``), or ``options.NAME`` of a baseline

    Raises
    ------
    ConfigError
        A key is unknown (the nearest is named) or a value cannot be used.
    """
    merged: dict[str, Any] = {k: dict(v) if isinstance(v, dict) else v for k, v in values.items()}
    for key, value in changes:
        section, _, name = key.rpartition(".")
        section = section or _section(name)
        if section in ("options", "model.options"):
            model = merged.setdefault("model", {})
            model["options"] = {**model.get("options", {}), name: value}
            continue
        if section and section not in ("model", "training"):
            raise ConfigError(f"there is no section '{section}' of settings; use model or training")
        target = merged.setdefault(section, {}) if section else merged
        target[name] = value
    return make_settings(RunSettings, merged)


def _section(name: str) -> str:
    """Where a key without a section belongs; an unknown one: training, whose error helps most."""
    if name in ModelSettings.model_fields:
        return "model"
    own = {*RunSettings.model_fields, *MODALITIES}
    if name in own and name not in TrainSettings.model_fields:
        return ""
    return "training"
