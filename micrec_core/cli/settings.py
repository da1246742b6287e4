"""From the words of ``train`` to its settings, each value checked once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from micrec_core.config import ModelSettings, RunSettings, TrainSettings, make_settings
from micrec_core.errors import ConfigError
from micrec_core.modalities.registry import MODALITIES


def run_settings(values: Mapping[str, Any], changes: Sequence[str]) -> RunSettings:
    """The settings of a run.

    Parameters
    ----------
    values : nested as in ``RunSettings``
    changes : ``KEY=VALUE``; a key of the training, the model or the run, with or without its
        section (``learning_rate``, ``training.learning_rate``), or ``options.NAME`` of a baseline

    Raises
    ------
    ConfigError
        A key is unknown (the nearest is named) or a value cannot be used.
    """
    merged: dict[str, Any] = {k: dict(v) if isinstance(v, dict) else v for k, v in values.items()}
    for change in changes:
        key, equals, text = change.partition("=")
        key = key.strip()
        if not equals or not key:
            raise ConfigError(f"--set takes KEY=VALUE, and '{change}' is not of that form")
        section, _, name = key.rpartition(".")
        section = section or _section(name)
        if section in ("options", "model.options"):
            model = merged.setdefault("model", {})
            model["options"] = {**model.get("options", {}), name: _value(text)}
            continue
        if section and section not in ("model", "training"):
            raise ConfigError(f"there is no section '{section}' of settings; use model or training")
        target = merged.setdefault(section, {}) if section else merged
        target[name] = _value(text)
    return make_settings(RunSettings, merged)


def _section(name: str) -> str:
    """Where a key without a section belongs; an unknown one: training, whose error helps most."""
    if name in ModelSettings.model_fields:
        return "model"
    own = {*RunSettings.model_fields, *MODALITIES}
    if name in own and name not in TrainSettings.model_fields:
        return ""
    return "training"


def _value(text: str) -> Any:
    """A number, true, false or null as JSON has them; anything else is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()
