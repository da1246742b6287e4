"""The last state of a training: parameters, optimiser, random state, best so far. No pickle."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from micrec_core.errors import RunError
from micrec_core.runs.files import file_digest, replacing, write_json, write_tensors

if TYPE_CHECKING:
    from micrec_core.training.trainer import Trainer

logger = logging.getLogger(__name__)
STATE, TENSORS = "state-{}.json", "tensors-{}.safetensors"
# So that a damaged one costs an epoch and not the training.
KEPT = 2
ADAM = "adam."
_SUM = "sha256"
_DAMAGED = (OSError, ValueError, LookupError, RuntimeError, TypeError, SafetensorError)


def save_checkpoint(folder: Path, trainer: Trainer) -> None:
    """Write the state so that a crash or a power cut at any moment leaves an earlier one usable.

    Tensors go to a new file first; the record that names it, and both checksums, is the commit. The
    last ``KEPT`` stay.

    Raises
    ------
    RunError
        It cannot be written.
    """
    state = trainer.state
    name = TENSORS.format(state.epoch)
    tensors = {f"model.{k}": v for k, v in trainer.model.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in state.best.items()}
    tensors |= {f"average.{k}": v for k, v in trainer.average.mean.items()}
    for index, slots in trainer.optimiser.state_dict()["state"].items():
        tensors |= {f"{ADAM}{index}.{slot}": value for slot, value in slots.items()}
    tensors = trainer.whole(tensors)
    if not tensors:
        return
    tensors |= {name: generator.get_state() for name, generator in _generators(trainer).items()}
    record = {
        "tensors": name,
        "epoch": state.epoch,
        "best_epoch": state.best_epoch,
        "best_score": state.best_score if state.best else None,
        "stale": state.stale,
        "steps": trainer.average.steps,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / name) as temporary:
            write_tensors(temporary, {k: v.detach().cpu().numpy() for k, v in tensors.items()})
        record["content"] = file_digest(folder / name)
        with replacing(folder / STATE.format(state.epoch)) as temporary:
            write_json(temporary, record | {_SUM: _sum(record)})
    except OSError as error:
        raise RunError(
            f"the checkpoint of epoch {state.epoch} cannot be written to {folder} "
            f"({getattr(error, 'strerror', None) or error}); make room for it, then go on with "
            "--resume"
        ) from error
    for old in _records(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    kept = {path.stem.rpartition("-")[2] for path in _records(folder)}
    for path in folder.glob(TENSORS.format("*")):
        if path.stem.rpartition("-")[2] not in kept:
            path.unlink(missing_ok=True)


def load_checkpoint(folder: Path, trainer: Trainer) -> None:
    """Put the last saved state that is whole into ``trainer``; does nothing where there is none.

    A damaged one is told of, and the one before it taken.

    Raises
    ------
    RunError
        All of them are damaged, or are of a model of another shape.
    """
    problem: Exception | None = None
    for path in _records(folder):
        try:
            _restore_from(path, trainer)
        except _DAMAGED as error:
            logger.warning(
                "The checkpoint %s cannot be used (%s); the one before is taken if there is one.",
                path.name, _first_line(error),
            )  # fmt: skip
            problem = problem or error
        else:
            return
    if problem is not None:
        raise RunError(
            f"{folder}: the checkpoint cannot be resumed from ({_first_line(problem)}); "
            "train anew without --resume"
        ) from problem


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _records(folder: Path) -> list[Path]:
    """Those there are, the last epoch first; the only one of earlier versions has no number."""
    numbered = sorted(
        (p for p in folder.glob(STATE.format("*")) if p.stem.rpartition("-")[2].isdecimal()),
        key=lambda path: -int(path.stem.rpartition("-")[2]),
    )
    return [*numbered, *folder.glob("state.json")]


def _sum(record: Mapping[str, Any]) -> str:
    """Of a record without its checksum."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _restore_from(path: Path, trainer: Trainer) -> None:
    """Put one saved state into ``trainer``."""
    record = json.loads(path.read_text(encoding="utf-8"))
    file = path.with_name(Path(record["tensors"]).name)
    # Earlier versions wrote none.
    checked = path.name == "state.json" or (
        record.pop(_SUM) == _sum(record) and file_digest(file) == record["content"]
    )
    if not checked:
        raise ValueError("its checksum is of other content")
    tensors = trainer.part(load_file(file))
    generators = {name: tensors.pop(name) for name in _generators(trainer)}
    model = _under(tensors, "model.")
    trainer.model.load_state_dict(model)
    _restore(trainer.optimiser, _adam_slots(tensors))
    for name, generator in _generators(trainer).items():
        generator.set_state(generators[name])
    trainer.average.restore(_under(tensors, "average."), int(record["steps"]))
    state = trainer.state
    state.epoch, state.stale = int(record["epoch"]), int(record["stale"])
    state.best_epoch, state.best = int(record["best_epoch"]), _under(tensors, "best.")
    state.best_score = float(record["best_score"]) if state.best else float("-inf")


def _generators(trainer: Trainer) -> dict[str, torch.Generator]:
    """Those that a training draws from, each once."""
    own = {"generator": trainer.generator}
    return own if trainer.drawing is trainer.generator else own | {"drawing": trainer.drawing}


def _under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _restore(optimiser: torch.optim.Optimizer, slots: dict[int, dict[str, torch.Tensor]]) -> None:
    """Steps and moments back into Adam; KeyError or ValueError where they are not its own."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for place, own in slots.items():
        shapes = [own[name].shape for name in ("step", "exp_avg", "exp_avg_sq")]
        if shapes != [torch.Size(()), *2 * [parameters[place].shape]]:
            raise ValueError(f"the moments of parameter {place} are of another shape")
    optimiser.load_state_dict(optimiser.state_dict() | {"state": slots})


def _adam_slots(tensors: dict[str, torch.Tensor]) -> dict[int, dict[str, torch.Tensor]]:
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in _under(tensors, ADAM).items():
        index, slot = key.split(".", 1)
        slots.setdefault(int(index), {})[slot] = value
    return slots
