"""What a training ends in, in short, and the seconds that its parts took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


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
    """Seconds spent on each part, by name."""

    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - started

    @property
    def total(self) -> float:
        return sum(self.timings.values())
