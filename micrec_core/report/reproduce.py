"""The command that makes a stored run anew, read from its settings: what a figure is traced by."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from micrec_core.comparing.plan import BUDGET
from micrec_core.config import ModelSettings, RunSettings
from micrec_core.modalities.registry import MODALITIES
from micrec_core.running.record import settings_of
from micrec_core.runs import Run

# The folder of tables, which a run does not know.
TABLES = "TABLES"
# Settings that are options of their own.
_OPTIONS = (*MODALITIES, "split", "mask", "seed", "unknown_items")
_COMPARE_SEEDS = [0, 1, 2]


def train_command(run: Run) -> str:
    """``python -m micrec_core train`` with all that differs from the defaults."""
    config = settings_of(run.info).model_dump(mode="json")
    model = config["model"]
    words = ["train", TABLES, "--out", run.name]
    if model["name"] != "micrec":
        words += ["--model", model["name"]]
    if model["without"]:
        words += ["--without", ",".join(model["without"])]
    base = RunSettings(model=ModelSettings(name=model["name"]), recipe=config["recipe"])
    return _line(words + _changed(config, base.model_dump(mode="json")))


def compare_command(run: Run, about: Mapping[str, Any]) -> str:
    """``python -m micrec_core compare``; ``about`` is the comparison's ``compare.json``."""
    config = settings_of(run.info).model_dump(mode="json")
    base = RunSettings(recipe=config["recipe"]).model_dump(mode="json")
    words = ["compare", TABLES, "--out", run.name, "--models", ",".join(about["models"])]
    for name, default in (("without", []), ("seeds", _COMPARE_SEEDS), ("protocols", [])):
        if about.get(name, []) != default:
            words += [f"--{name}", ",".join(map(str, about[name]))]
    if about["budget"] != BUDGET:
        words += ["--budget", str(about["budget"])]
    # Every training of a comparison has a seed of its own.
    return _line(words + _changed(config | {"seed": base["seed"]}, base))


def _changed(config: Mapping[str, Any], base: Mapping[str, Any]) -> list[str]:
    """Options and ``--set`` words for what differs."""
    words = ["--preset", config["recipe"]] if config["recipe"] != "auto" else []
    for key in _OPTIONS:
        if config.get(key) != base.get(key):
            words += [f"--{key.replace('_', '-')}", str(config[key])]
    for name, spec in config.get("features", {}).items():
        words += ["--features", f"{name}={spec}"]
    apart = (*_OPTIONS, "features", "model", "training")
    plain = {k: v for k, v in config.items() if k not in apart}
    model = {k: v for k, v in config["model"].items() if k not in ("name", "without", "options")}
    options = {f"options.{k}": v for k, v in config["model"]["options"].items()}
    before = {**base, **base["model"], **base["training"]}
    for key, value in {**plain, **model, **config["training"], **options}.items():
        if key not in before or before[key] != value:
            shown = value if isinstance(value, str) else json.dumps(value)
            words += ["--set", f"{key}={shown}"]
    return words


def _line(words: list[str]) -> str:
    return "python -m micrec_core " + shlex.join(words)
