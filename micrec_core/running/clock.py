"""What a training ends in, in short, and the seconds that its parts took."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from micrec_core.evaluation.questions import Outcome
from micrec_core.running.frames import headline
from micrec_core.running.memory import peak_memory
from micrec_core.runs import RunWriter
from micrec_core.training.prepare import Prepared

CHECKPOINT = "checkpoint"
PARAMETERS = "model.safetensors"


@dataclass(frozen=True)
class TrainResult:
    """A finished run in short; ``metrics`` as ``headline`` gives them."""

    run: Path
    model: str
    variant: str
    metrics: dict[str, Any]
    seconds: float
    best_epoch: int


@dataclass
class Clock:
    """Seconds spent on each part, by name; peak memory of training, MiB above its start."""

    timings: dict[str, float] = field(default_factory=dict)
    peak_mb: float | None = None

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - started

    @contextmanager
    def training(self, device: str) -> Iterator[None]:
        """The part ``train``, of which memory is measured too."""
        with self.part("train"), peak_memory(device) as peak:
            yield
        self.peak_mb = peak.mb

    @property
    def total(self) -> float:
        return sum(self.timings.values())


def end_run(
    writer: RunWriter,
    prepared: Prepared,
    own: Outcome,
    summary: pd.DataFrame,
    best_epoch: int,
    clock: Clock,
) -> TrainResult:
    """Complete a run of which everything else is written; there is nothing to resume any more."""
    shutil.rmtree(writer.path / CHECKPOINT, ignore_errors=True)
    writer.finish(
        best_epoch=best_epoch,
        n_parameters=int(own.n_parameters),
        peak_mb=clock.peak_mb,
        timings={name: round(seconds, 3) for name, seconds in clock.timings.items()},
        unreadable_images=len(prepared.features.unreadable),
    )
    metrics = headline(summary, own.model, own.variant)
    return TrainResult(writer.path, own.model, own.variant, metrics, clock.total, best_epoch)
