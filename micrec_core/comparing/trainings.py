"""One training of a comparison, stored as it ends so that a second start does not redo it.

``<folder>/<slug>/`` holds ``trained.json`` and the parameters, and once it was chosen by validation
``answered.json`` and its test values. A slug names model, seed and a hash of settings and data, so
other settings are another training. Test interactions of what was not chosen are never looked at.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from micrec_core.answering.answers import answerer_of, n_parameters, variant_name
from micrec_core.config import RunSettings
from micrec_core.data.progress import Progress
from micrec_core.evaluation.leaks import require_disjoint
from micrec_core.evaluation.questions import SCOPES, Outcome
from micrec_core.evaluation.stress import Stress
from micrec_core.names import EVERYONE, PARAMETERS, described
from micrec_core.protocols import CURVES, PROTOCOLS
from micrec_core.running.cost import peak_memory
from micrec_core.running.fit import fit, parameters, restore
from micrec_core.running.frames import comparison_frames
from micrec_core.runs import files
from micrec_core.training.build import effective_training, used_modalities
from micrec_core.training.prepare import Material, Prepared, prepare

# What is tested, and drawn as a curve.
METRICS = ("ndcg@20", "recall@20")
TRAINED, ANSWERED = "trained.json", "answered.json"
FRAMES = ("degree", "cutoff", "beyond")
_KEPT = (".json", ".parquet")


@dataclass(frozen=True)
class Training:
    """What to train, on all of the material or under a stress, and where its results are kept."""

    settings: RunSettings
    folder: Path
    fingerprint: str
    stress: Stress | None = None

    @property
    def label(self) -> str:
        """``ease``, ``micrec without text``, ``ease, overlap at 25 %``."""
        own = described(self.settings.model.name, self.settings.model.without)
        return own + (f", {self.stress.label}" if self.stress else "")

    @property
    def where(self) -> str:
        """What errors call it."""
        return f"training '{self.path.name}'"

    @property
    def path(self) -> Path:
        """The training's own folder."""
        parts: list[Any] = [self.settings.model_dump(mode="json"), self.fingerprint]
        if self.stress is not None:
            parts.append(asdict(self.stress))
        text = json.dumps(parts, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        name = "-".join((self.settings.model.name, *self.settings.model.without))
        return self.folder / f"{name}-s{self.settings.seed}-{digest}"

    @property
    def is_trained(self) -> bool:
        return (self.path / TRAINED).is_file()

    @property
    def is_answered(self) -> bool:
        return (self.path / ANSWERED).is_file()

    def about(self) -> dict[str, Any]:
        """Score, best epoch, seconds, threads, peak memory and number of parameters.

        Raises
        ------
        RunError
            It is damaged.
        """
        found: dict[str, Any] = files.read_json(self.path / TRAINED, self.where)
        return found

    def adopt(self, twin: Training) -> None:
        """Take over what a training with the same outcome left, its answers too."""
        self.path.mkdir(parents=True, exist_ok=True)
        last = (TRAINED, ANSWERED)
        found = [p for p in twin.path.iterdir() if p.suffix in _KEPT and p.name not in last]
        for path in [*found, *(twin.path / name for name in last)]:
            with files.replacing(self.path / path.name) as temporary:
                shutil.copyfile(path, temporary)

    @contextmanager
    def claimed(self) -> Iterator[bool]:
        """Whether no other process is at it; the claim ends with the process, however it ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{self.path.name}.lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True


@dataclass
class Bench:
    """Prepares settings on one material; what two models share is derived once."""

    material: Material
    device: str
    _ready: dict[tuple[Any, ...], Prepared] = field(default_factory=dict)
    _under: tuple[Stress, Bench] | None = None

    def under(self, stress: Stress | None) -> Bench:
        """The bench of what is left under a stress; that of the latest one is kept.

        Raises
        ------
        DataError
            Training would see what it is tested on.
        """
        if stress is None:
            return self
        if self._under is None or self._under[0] != stress:
            whole = self.material
            left = Material(*stress.apply(whole.dataset, whole.split, whole.features), whole.mask)
            require_disjoint(left.dataset, left.split)
            self._under = stress, Bench(left, self.device)
        return self._under[1]

    def prepared(self, settings: RunSettings) -> Prepared:
        """As ``prepare`` gives it."""
        model = settings.model
        modalities = used_modalities(model, self.material.features.modalities)
        cross = "cross-domain" not in model.without
        key = (modalities, model.neighbours, model.neighbour_temperature, cross, settings.impute)
        if key not in self._ready:
            self._ready[key] = prepare(self.material, settings, self.device)
        training = effective_training(model, settings.training)
        return replace(self._ready[key], settings=settings, training=training)


def train(bench: Bench, training: Training, progress: Progress, label: str) -> None:
    """Train and keep parameters, validation score, seconds and peak memory."""
    prepared = bench.under(training.stress).prepared(training.settings)
    with peak_memory(prepared.device) as peak:
        fitted = fit(prepared, progress, label)
    about = {
        "score": fitted.score,
        "best_epoch": fitted.best_epoch,
        "seconds": fitted.seconds,
        "threads": torch.get_num_threads(),
        "peak_mb": peak.mb,
        "n_parameters": n_parameters(fitted.model),
    }
    training.path.mkdir(parents=True, exist_ok=True)
    if state := parameters(fitted.model):
        files.write_tensors(training.path / PARAMETERS, state)
    _commit(training.path / TRAINED, about)


def answer(bench: Bench, training: Training) -> None:
    """Ask a trained model everything and keep values per user and the tables made from lists.

    What is asked is the same under every stress; where one domain is thinned, only of that.
    """
    stress, about = training.stress, training.about()
    prepared = bench.under(stress).prepared(training.settings)
    asked = bench.material.questions
    if stress is not None and CURVES[stress.protocol].each == "domain":
        asked = [question for question in asked if question.domain == stress.what]
    where, stored_at = training.where, training.path / PARAMETERS
    model = restore(prepared, lambda: files.read_tensors(stored_at, where), where)
    # What is compiled when first used is not to be timed.
    answerer_of(prepared, model).outcome(asked[:1])
    started = time.perf_counter()
    outcome = answerer_of(prepared, model).outcome(asked, about["seconds"])
    seconds = time.perf_counter() - started
    parts = [
        outcome.users(protocol, scope).assign(protocol=protocol, scope=scope)
        for protocol in PROTOCOLS
        for scope in SCOPES
        if outcome.of(protocol, scope)
    ]
    _write(training.path / "users.parquet", pd.concat(parts, ignore_index=True))
    if stress is None:
        for relative, frame in comparison_frames(prepared, [outcome]).items():
            _write(training.path / Path(relative).name, frame)
    else:
        forget_parameters(training)
    lists = sum(len(a.question) for a in outcome.answers)
    _commit(training.path / ANSWERED, {"questions": len(asked), "lists": lists, "seconds": seconds})


@dataclass(frozen=True)
class StoredOutcome(Outcome):
    """An outcome of which values per user were kept and lists were not."""

    frame: pd.DataFrame = field(default_factory=pd.DataFrame)

    def users(self, protocol: str, scope: str = EVERYONE) -> pd.DataFrame:
        """As of ``Outcome``."""
        wanted = (self.frame["protocol"] == protocol) & (self.frame["scope"] == scope)
        found = self.frame[wanted].drop(columns=["protocol", "scope"]).reset_index(drop=True)
        if "cohort" in found and found["cohort"].isna().any():
            found = found.drop(columns="cohort")
        return found


def stored(training: Training) -> StoredOutcome:
    """What a training answered."""
    settings, about = training.settings, training.about()
    return StoredOutcome(
        settings.model.name,
        variant_name(settings.model.without),
        settings.seed,
        (),
        about["seconds"],
        about["n_parameters"],
        files.read_parquet(training.path / "users.parquet", training.where),
    )


def stored_frames(training: Training) -> dict[str, pd.DataFrame]:
    """``degree``, ``cutoff`` and ``beyond`` of a training."""
    paths = {name: training.path / f"{name}.parquet" for name in FRAMES}
    return {name: files.read_parquet(path, training.where) for name, path in paths.items()}


def cost(training: Training) -> dict[str, float | None]:
    """Seconds, peak memory and size of a training, and how long a list took; None if not measured.

    ``peak_mb``: MiB above what the process held before it. ``milliseconds`` a list: of answering
    everything at once, the embeddings of everyone included. ``threads``: that it trained with.
    """
    about = training.about()
    told = files.read_json(training.path / ANSWERED, training.where)
    timed = told.get("lists") and "seconds" in told
    return {
        **{key: about[key] for key in ("seconds", "n_parameters", "best_epoch")},
        "peak_mb": about.get("peak_mb"),
        "threads": about.get("threads"),
        "milliseconds": 1000 * told["seconds"] / told["lists"] if timed else None,
    }


def forget_parameters(training: Training) -> None:
    """Drop what is needed no more once everything was answered."""
    (training.path / PARAMETERS).unlink(missing_ok=True)


def _write(path: Path, frame: pd.DataFrame) -> None:
    with files.replacing(path) as temporary:
        files.write_parquet(temporary, frame)


def _commit(path: Path, value: dict[str, Any]) -> None:
    with files.replacing(path) as temporary:
        files.write_json(temporary, value)
