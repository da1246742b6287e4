"""``compare``: models and variants x seeds on one split, an equal budget each, paired tests.

The output is a run directory (without what serves it), so that the pages which read metrics open
it. Each training is stored in it as it ends; a second start redoes none, and several processes
may work on one comparison at once. For each model the points of its grid are trained with the
first seed and the best on validation is taken; only that is asked about test interactions. What is
solved and not trained is solved once: a seed changes nothing of it. With ``protocols`` each is also
trained at its chosen point under every stress of ``evaluation.stress``.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from micrec_core.baselines import families
from micrec_core.baselines import models as all_models
from micrec_core.comparing.comparison import write_comparison
from micrec_core.comparing.curves import curve_frames
from micrec_core.comparing.plan import BUDGET, Contender, Plan, changes
from micrec_core.comparing.trainings import Bench, Training, answer, train
from micrec_core.config import RunSettings
from micrec_core.data import Dataset
from micrec_core.data.progress import Progress, silent
from micrec_core.errors import ConfigError, RunError
from micrec_core.evaluation.leaks import require_disjoint
from micrec_core.evaluation.parallel import sharing_cores
from micrec_core.evaluation.stress import check_stresses, plan_stresses
from micrec_core.mechanisms import mechanisms
from micrec_core.modalities.registry import nouns
from micrec_core.running.ending import stop_on_sigterm
from micrec_core.running.record import first_info, require_same
from micrec_core.runs import RunWriter
from micrec_core.runs.files import read_json
from micrec_core.runs.schema import COMPARISON
from micrec_core.training.prepare import (
    choose_device,
    encode_material,
    load_dataset,
    require_acting,
)

TRAININGS = "trainings"
_WAIT = 1.0


def compare(
    dataset_path: Path | str,
    out: Path | str,
    *,
    models: Sequence[str] = (),
    without: Sequence[str] = (),
    seeds: Sequence[int] = (0, 1, 2),
    budget: int = BUDGET,
    protocols: Sequence[str] = (),
    shares: Sequence[float] = (),
    base: RunSettings | None = None,
    device: str = "auto",
    workers: int = 1,
    helper: bool = False,
    helpers: Callable[[], Sequence[subprocess.Popen[bytes]]] = list,
    progress: Progress = silent,
    cache: Path | None = None,
) -> dict[str, Any]:
    """Train what is not trained yet, and write the comparison.

    Parameters
    ----------
    dataset_path : a folder of tables
    out : the comparison's directory: new, empty, or one to go on with
    models : names, micrec first of all; by default all there are, without those across domains
        where nobody is in two
    without : mechanisms each of which micrec is also trained without
    seeds : of the trainings; the split has its own in ``base``
    budget : how many points of its grid each model may try
    protocols : of ``protocols.CURVES``, for which everything is trained on less as well
    shares : the points of their curves; each protocol has its own by default
    base : what all trainings share
    workers : processes that train at once, this one among them; each keeps to its share of cores
    helper : help another process with the trainings and leave the writing to it
    helpers : starts such processes, once features are encoded

    Returns
    -------
    what ``compare.json`` holds: results, tests, tuning, seeds, cost

    Raises
    ------
    ConfigError, DataError
        A name or share is unknown, or the tables are not usable.
    RunError
        ``out`` is a comparison of other settings or data.
    """
    base = base or RunSettings()
    contenders = contenders_of(models, without, base.features)
    check_stresses(protocols, shares)
    if not seeds or budget < 1:
        raise ConfigError("a comparison needs a seed and a budget of one point a model at least")
    device, out = choose_device(device), Path(out)
    dataset, split = load_dataset(dataset_path, base, progress)
    require_disjoint(dataset, split)
    require_acting(without, dataset, split)
    if not models and not split.overlaps(dataset):
        contenders = tuple(c for c in contenders if c.name not in families()["cross-domain"])
    base = base.suited(split.per_user)
    writer = None if helper else _writer(out, base, first_info(dataset, base, device), dataset)
    if helper:
        require_same(out, base, dataset)
    with _cancelled_at_an_error(writer):
        progress(f"encoding {nouns()}", 0, 0)
        material = encode_material(dataset, split, base, device, cache)
        modalities = material.features.modalities
        plan = Plan(
            contenders, tuple(dict.fromkeys(seeds)), budget, base, out / TRAININGS,
            dataset.fingerprint,
            tuple(plan_stresses(dataset, split, modalities, protocols, shares)), modalities,
        )  # fmt: skip
        return _run(plan, Bench(material, device), writer, workers, helpers, progress)


@contextmanager
def _cancelled_at_an_error(writer: RunWriter | None) -> Iterator[None]:
    """Mark the comparison cancelled where it does not come to its end: it is gone on with.

    Raises
    ------
    RunError
        A training cannot be written.
    """
    try:
        yield
    except OSError as error:
        if writer is not None:
            writer.cancel()
        raise RunError(
            f"The comparison cannot be written ({error.strerror}): make room for it or mend its "
            "folder, then give the same command again."
        ) from error
    except BaseException:
        if writer is not None:
            writer.cancel()
        raise


def _run(
    plan: Plan,
    bench: Bench,
    writer: RunWriter | None,
    workers: int,
    helpers: Callable[[], Sequence[subprocess.Popen[bytes]]],
    progress: Progress,
) -> dict[str, Any]:
    """Train beside helpers, and write where there is a writer."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        with stop_on_sigterm():
            started += helpers()
            with sharing_cores(workers):
                work(plan, bench, progress)
            return {} if writer is None else _finish(writer, plan, bench, progress)
    finally:
        for process in started:
            process.terminate()
            process.wait()


def contenders_of(
    models: Sequence[str], without: Sequence[str], modalities: Iterable[str] = ()
) -> tuple[Contender, ...]:
    """What is compared; micrec first, whose variants need it, then in the order given.

    ``modalities`` : that there are encoders of
    """
    switches = mechanisms(modalities)
    known = all_models()
    for name in models:
        if name not in known:
            raise ConfigError(f"there is no model '{name}'; there are: {', '.join(known)}")
    for name in without:
        if name not in switches:
            raise ConfigError(
                f"there is no mechanism '{name}' to do without; there are: {', '.join(switches)}"
            )
    names = dict.fromkeys(models or known)
    first = ["micrec"] if without or "micrec" in names else []
    plain = [Contender(name) for name in dict.fromkeys([*first, *names])]
    return (*plain, *(Contender("micrec", (name,)) for name in dict.fromkeys(without)))


def work(plan: Plan, bench: Bench, progress: Progress) -> None:
    """Do what is left until nothing is, beside whoever else is at it."""
    spent: list[float] = []
    while not plan.is_done:
        moved = False
        for training, final in plan.open_tasks():
            with training.claimed() as mine:
                if mine:
                    moved |= _do(plan, bench, training, final, spent, progress)
        if not moved and not plan.is_done:
            time.sleep(_WAIT)


def _do(
    plan: Plan,
    bench: Bench,
    training: Training,
    final: bool,
    spent: list[float],
    progress: Progress,
) -> bool:
    """Do one training, or take over that of its twin; whether it could be."""
    twin = plan.twin(training)
    if twin is not None:
        if twin.is_answered:
            training.adopt(twin)
        return twin.is_answered
    if not training.is_trained:
        started = time.perf_counter()
        label = f"{training.label}, seed {training.settings.seed}{_left(plan, spent)}"
        train(bench, training, progress, label)
        spent.append(time.perf_counter() - started)
    if final and not training.is_answered:
        progress(f"{training.label}: answering", 0, 0)
        answer(bench, training)
    return True


def _left(plan: Plan, spent: Sequence[float]) -> str:
    """`` (12 of 40, about 5 min left)``, by the seconds of this process's trainings so far."""
    done = sum(1 for _ in plan.folder.glob("*/trained.json")) if plan.folder.exists() else 0
    said = f"{min(done + 1, plan.n_tasks)} of {plan.n_tasks}"
    if not spent:
        return f" ({said})"
    seconds = sum(spent) / len(spent) * max(plan.n_tasks - done, 0)
    return f" ({said}, about {seconds / 60:.0f} min left)"


def _writer(out: Path, base: RunSettings, info: dict[str, Any], dataset: Dataset) -> RunWriter:
    """A writer of a new comparison, of one that was stopped, or of a complete one to add to."""
    about = {**info, "kind": COMPARISON}
    stored = out / "run.json"
    if not stored.is_file():
        return RunWriter(out, about)
    before = read_json(stored, f"Run '{out.name}'")
    if before.get("kind") != COMPARISON:
        raise RunError(f"{out} is a run and not a comparison; choose another --out")
    require_same(out, base, dataset)
    if before.get("status") == "complete":
        return RunWriter.amend(out)
    return RunWriter(out, about, resume=True)


def _finish(writer: RunWriter, plan: Plan, bench: Bench, progress: Progress) -> dict[str, Any]:
    """Tables, tests and the run."""
    progress("comparing", 0, 0)
    finals = {c: plan.final(c) or [] for c in plan.contenders}
    tuning = pd.DataFrame(
        [
            {
                "model": name,
                "point": number,
                "change": changes(point) or "defaults",
                "score": training.about()["score"],
                "best_epoch": training.about()["best_epoch"],
                "seconds": training.about()["seconds"],
                "chosen": point == plan.chosen(name),
            }
            for name in plan.names()
            for number, (point, training) in enumerate(plan.tuning(name))
        ]
    )
    about = {
        "models": plan.names(),
        "without": [c.without[0] for c in plan.contenders if c.without],
        "seeds": list(plan.seeds),
        "budget": plan.budget,
        "protocols": list(dict.fromkeys(s.protocol for s in plan.stresses)),
        "selection": "validation NDCG@20 added up over domains, with the first seed",
    }
    trainings = list(finals.values())
    spare = [training for name in plan.names() for _, training in plan.tuning(name)]
    prepared = bench.prepared(trainings[0][0].settings)
    curves = curve_frames(plan, bench.material)
    return write_comparison(writer, prepared, trainings, spare, tuning, curves, about, progress)
