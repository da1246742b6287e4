"""The run of the last release, and what the releases before it would have written in its place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

from tests.golden.adapter import command
from tests.golden.plan import ASKED_TINY
from tests.golden.recording import digest, digits, frames, served

# Serving bundles by version, and what each lacks of the learned arrays of the last.
LACKING: dict[int, tuple[str, ...]] = {3: (), 2: ("echo",), 1: ("echo", "refine")}
_NEWER = ("schedule", "weight_decay", "views", "leave_out", "steps")


def as_version(run: Path, version: int, out: Path) -> Path:
    """The same run with a serving bundle of an older version, its manifest made anew.

    Version 1 had no refined templates and 2 no own templates of items; neither knew some of today's
    settings of the training.
    """
    shutil.copytree(run, out)
    if not LACKING[version]:
        return out
    for name in ("serving.safetensors", "model.safetensors"):
        tensors = load_file(out / name)
        kept = {k: v for k, v in tensors.items() if k.rsplit(".", 1)[-1] not in LACKING[version]}
        assert len(kept) == len(tensors) - 2 * len(LACKING[version])
        save_file(kept, out / name)
    _change(out / "serving.json", lambda about: about.update(version=version))
    _change(out / "run.json", _older_settings)
    _seal(out)
    return out


def _older_settings(info: dict[str, Any]) -> None:
    del info["config"]["model"]["echo"]
    for key in _NEWER:
        del info["config"]["training"][key]


def _change(path: Path, change: Any) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def _seal(run: Path) -> None:
    def change(manifest: dict[str, Any]) -> None:
        manifest["files"] = {name: digest(run / name) for name in manifest["files"]}

    _change(run / "manifest.json", change)


def told(run: Path, dataset: Path, images: Path, anew: bool, folder: Path) -> dict[str, Any]:
    """What a run says: lists, explanations, metrics it holds and, ``anew``, measured again."""
    out = {
        "served": served(run, ASKED_TINY, images),
        "metrics": command("evaluate", run, "--json")["metrics"],
        "vectors": item_vectors(run, folder / f"{run.name}.tsv"),
    }
    if anew:
        words = ("--dataset", dataset, "--device", "cpu", "--json")
        out["measured"] = command("evaluate", run, *words)["metrics"]
        out["frames"] = frames(run, own="micrec")
    return out


def item_vectors(run: Path, out: Path) -> dict[str, list[float | None]]:
    """What every item is scored by, as ``export`` writes it."""
    command("export", run, "--format", "tsv", "--out", out)
    lines = [line.split("\t") for line in out.read_text().splitlines()[1:]]
    width = sum(name.startswith("v") for name in out.read_text().split("\n", 1)[0].split("\t"))
    return {f"{row[0]} {row[1]}": [digits(float(v)) for v in row[-width:]] for row in lines}
