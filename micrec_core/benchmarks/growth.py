"""How the cost of every stage grows with the data: processor seconds by size, and exponents.

Samples without pictures of so many users and a fifth as many items, by default settings: what
``train`` does from tables to a run, but for the evaluation of all users, and everyone's lists.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from micrec_core.answering.answers import MicrecAnswerer
from micrec_core.benchmarks.measure import Options, Report, Target, Timing, in_python
from micrec_core.benchmarks.scale import staged, write_run
from micrec_core.config import RunSettings
from micrec_core.modalities.modality import NO_ENCODER
from micrec_core.modalities.registry import MODALITIES
from micrec_core.modalities.text import TEXT
from micrec_core.running.fit import make_trainer
from micrec_core.runs import open_run
from micrec_core.serving import Recommender
from micrec_core.training.build import build_model
from micrec_core.training.trainer import epoch_steps

SIZES, QUICK_SIZES = (30_000, 100_000, 300_000), (240, 480)
MOST = 1.15
LIST = 10


@dataclass
class Spent:
    """Processor seconds of all threads, by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        self.seconds[stage] = time.process_time() - begun


def measure(options: Options) -> Report:
    """Every stage at every size; the slope of log seconds by log users."""
    sizes = QUICK_SIZES if options.quick else SIZES
    training = {"epochs": 1} | ({"steps": 2} if options.quick else {})
    by_size = {n: _seconds(n, training) for n in sizes}
    stages = list(by_size[sizes[0]].seconds)
    exponents = {
        s: _exponent({n: spent.seconds[s] for n, spent in by_size.items()}) for s in stages
    }
    return Report(
        "growth",
        "Processor seconds of every stage from tables to lists with the full model and text, by "
        "default settings, and the exponent with which they grow with the users.",
        {"users": ", ".join(f"{n:,}" for n in sizes), "items": "a fifth of the users"},
        {
            f"{stage}, {n:,} users": Timing((spent.seconds[stage],), "s")
            for stage in stages
            for n, spent in by_size.items()
        },
        {f"exponent, {stage}": found for stage, found in exponents.items()},
        tuple(
            Target(f"{stage} grows with", found, MOST, "as exponent", below=True)
            for stage, found in exponents.items()
        ),
    )


def _exponent(seconds: dict[int, float]) -> float:
    """The slope of a line through the logarithms."""
    sizes, values = np.log(list(seconds)), np.log(list(seconds.values()))
    return float(np.polyfit(sizes, values, 1)[0])


def _seconds(n_users: int, training: dict[str, int]) -> Spent:
    features = dict.fromkeys(MODALITIES, NO_ENCODER) | {TEXT.name: TEXT.encoder}
    settings = RunSettings(training=training, features=features)
    spent = Spent()
    with tempfile.TemporaryDirectory() as folder:
        data, run = Path(folder) / "tables", Path(folder) / "run"
        words = ["--users", str(n_users), "--items", f"{n_users // 10},{n_users // 10}"]
        sample = ["-m", "micrec_core", "sample", "--out", str(data), "--no-pictures", *words]
        in_python([*sample, "--format", "parquet"], "the tables could not be generated")
        prepared = staged(data, settings, spent)
        model = build_model(settings.model, prepared.inputs, settings.seed)
        trainer = make_trainer(prepared, model, _unasked)
        with spent("epoch"):
            trainer.fit()
        answerer = MicrecAnswerer(prepared, model)
        with spent("bridges"):
            bridges = answerer.bridges
        with spent("memory"):
            answerer.memories  # noqa: B018
        with spent("write the run"):
            write_run(run, answerer, 1, bridges)
        with spent("open the run"):
            recommender = Recommender.open(open_run(run))
        with spent("everyone's lists"):
            for domain in recommender.domains:
                recommender.write_all(Path(folder) / "lists", domain, LIST)
    steps = epoch_steps(max(len(part.train) for part in prepared.split.domains), prepared.training)
    spent.seconds["step"] = spent.seconds["epoch"] / steps
    return spent


def _unasked(model: Any) -> dict[str, Any]:
    """A validation that costs nothing."""
    return {"score": 0.0}
