"""The last state of a training: parameters, optimiser, random state, best so far. No pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from micrec_core.errors import RunError

if TYPE_CHECKING:
    from micrec_core.training.trainer import Trainer

STATE, TENSORS = "state.json", "tensors-{}.safetensors"


def save_checkpoint(folder: Path, trainer: Trainer) -> None:
    """Write the state so that a crash at any moment leaves the previous one usable.

    Tensors go to a new file first; replacing ``state.json``, which names it, is the commit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = trainer.state
    name = TENSORS.format(state.epoch)
    tensors = {f"model.{k}": v for k, v in trainer.model.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in state.best.items()}
    tensors |= {f"average.{k}": v for k, v in trainer.average.mean.items()}
    for index, slots in trainer.optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{slot}": value for slot, value in slots.items()}
    tensors |= {name: generator.get_state() for name, generator in _generators(trainer).items()}
    temporary = folder / (name + ".part")
    save_file(_apart(tensors), temporary)
    os.replace(temporary, folder / name)
    record = {
        "tensors": name,
        "epoch": state.epoch,
        "best_epoch": state.best_epoch,
        "best_score": state.best_score if state.best else None,
        "stale": state.stale,
        "steps": trainer.average.steps,
    }
    part = folder / (STATE + ".part")
    part.write_text(json.dumps(record), encoding="utf-8")
    os.replace(part, folder / STATE)
    for old in folder.glob(TENSORS.format("*")):
        if old.name != name:
            old.unlink()


def load_checkpoint(folder: Path, trainer: Trainer) -> None:
    """Put a saved state into ``trainer``; does nothing where none has been saved yet.

    Raises
    ------
    RunError
        The checkpoint is damaged or belongs to a model of another shape.
    """
    path = folder / STATE
    if not path.exists():
        return
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        tensors = load_file(folder / Path(record["tensors"]).name)
        for name, generator in _generators(trainer).items():
            generator.set_state(tensors.pop(name))
        trainer.model.load_state_dict(_under(tensors, "model."))
        _restore(trainer.optimiser, _adam_slots(tensors))
        trainer.average.restore(_under(tensors, "average."), int(record["steps"]))
        state = trainer.state
        state.epoch, state.stale = int(record["epoch"]), int(record["stale"])
        state.best_epoch, state.best = int(record["best_epoch"]), _under(tensors, "best.")
        if state.best:
            state.best_score = float(record["best_score"])
    except (OSError, ValueError, LookupError, RuntimeError, TypeError, SafetensorError) as error:
        first = str(error).splitlines()[0][:200]
        raise RunError(
            f"{folder}: the checkpoint cannot be resumed from ({first}); "
            "train anew without --resume"
        ) from error


def _apart(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors on the host; those that share memory, which safetensors refuses, are copied."""
    out: dict[str, torch.Tensor] = {}
    taken: set[int] = set()
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        place = value.untyped_storage().data_ptr()
        out[name] = value.clone() if place in taken else value
        taken.add(place)
    return out


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
    for key, value in _under(tensors, "adam.").items():
        index, slot = key.split(".", 1)
        slots.setdefault(int(index), {})[slot] = value
    return slots
