"""Searching for the settings of a training by validation: ``train --tune N``.

Optuna's tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011) proposes; a trial that
is below the median of the others at the same epoch is stopped. The defaults are the first trial, so
that what is found is nowhere worse on validation. Test is not looked at. Every trial is written
down when it ends, so that a search that was stopped goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from micrec_core.config import RunSettings, TrainSettings, make_settings
from micrec_core.data import Dataset
from micrec_core.data.progress import Progress, silent
from micrec_core.errors import ConfigError
from micrec_core.names import HEADLINE, MICREC
from micrec_core.running.fit import fit
from micrec_core.running.kernels import wait_for_kernels
from micrec_core.running.train import TrainResult, train_run
from micrec_core.training.prepare import choose_device, encode_material, load_dataset, prepare

if TYPE_CHECKING:
    import optuna

# Setting -> lowest, highest, and whether by ratio. All are of the full model and its variants.
SPACE: dict[str, tuple[float, float, bool]] = {
    "learning_rate": (1e-3, 3e-2, True),
    "weight_decay": (0.0, 1.5, False),
    "dropout": (0.0, 0.7, False),
    "contrast": (0.0, 0.6, False),
    "views": (0.0, 0.6, False),
    "user_weight": (0.0, 1.0, False),
}
LAYERS, NEIGHBOURS = (0, 3), (3, 30)
# Stands beside a run until it is trained.
_JOURNAL = ".tuning.jsonl"


def train_tuned(
    data: Dataset | Path | str,
    out: Path | str,
    settings: RunSettings,
    trials: int,
    *,
    device: str = "auto",
    cache: Path | None = None,
    progress: Progress = silent,
    **given: Any,
) -> TrainResult:
    """``train_run`` with the settings found in so many trials; with the given ones in 0.

    What is raised and taken is as in ``tuned`` and ``train_run``.
    """
    wait_for_kernels(progress)
    told: dict[str, Any] = {"device": device, "cache": cache, "progress": progress}
    if not trials:
        return train_run(data, out, settings, **told, **given)
    dataset, _ = load_dataset(data, settings, progress)  # once, for all trials and the run
    settings, tried = tuned(dataset, out, settings, trials, **told)
    done = train_run(dataset, out, settings, tuning=tried, **told, **given)
    forget(out)
    return done


def tuned(
    data: Dataset | Path | str,
    out: Path | str,
    settings: RunSettings,
    trials: int,
    *,
    device: str = "auto",
    cache: Path | None = None,
    progress: Progress = silent,
) -> tuple[RunSettings, pd.DataFrame]:
    """The settings that validate best, and all that were tried.

    Parameters
    ----------
    data, settings, device, cache : as in ``train_run``
    out : of the run that is to be trained; what was tried is beside it until ``forget``
    trials : how many, those of a stopped search included

    Returns
    -------
    settings : the given ones with what was found in their place
    tried : a trial each: trial, state (complete or pruned), score (validation NDCG@20, domains
        added up, of the best epoch), epochs, seconds, and the settings tried

    Raises
    ------
    ConfigError
        Optuna is not installed, the model has nothing to search for, or the search that stands
        beside ``out`` is of other settings or data.
    """
    if settings.model.name != MICREC or trials < 1:
        raise ConfigError(
            "--tune takes a number of trials, 1 at least, and searches for micrec alone"
        )
    optuna = _optuna()
    device = choose_device(device)
    dataset, split = load_dataset(data, settings, progress)
    settings = settings.suited(split.per_user)
    study = _study(optuna, Path(out), settings, dataset.fingerprint)
    material = encode_material(dataset, split, settings, device, cache)

    def objective(trial: Any) -> float:
        prepared = prepare(material, _at(settings, _proposed(trial)), device)
        told = _pruned(optuna, trial)
        label = f"trial {trial.number + 1} of {trials}"
        fitted = fit(prepared, progress, label, on_epoch=told)
        trial.set_user_attr("seconds", fitted.seconds)
        return fitted.score

    left = trials - len(_ended(study))
    if left > 0:
        study.optimize(objective, n_trials=left)
    return _at(settings, study.best_params), _table(study)


def forget(out: Path | str) -> None:
    """Remove what a search wrote beside its run."""
    _journal(Path(out)).unlink(missing_ok=True)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise ConfigError(
            "--tune needs the package optuna; install it: pip install 'micrec-explorer[tune]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _study(optuna: Any, out: Path, settings: RunSettings, fingerprint: str) -> optuna.Study:
    """The search beside ``out``, new or as far as it got."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    path = _journal(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = JournalFileOpenLock(str(path))
    storage = JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
    study = optuna.create_study(
        storage=storage,
        study_name=out.name,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
    )
    about = {"settings": settings.model_dump(mode="json"), "fingerprint": fingerprint}
    if study.user_attrs.get("about", about) != about:
        raise ConfigError(
            f"{path} is a search for other settings or on other data; remove it, or choose "
            "another --out"
        )
    study.set_user_attr("about", about)
    for trial in study.trials:
        if not trial.state.is_finished():
            # It was stopped: what it would have been is not known.
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    ended = len(_ended(study))
    if not ended:
        study.enqueue_trial(_given(settings))
    # Not the seed alone: a search that goes on would propose again what it began with.
    study.sampler = optuna.samplers.TPESampler(seed=settings.seed + ended, n_startup_trials=5)
    return study


def _given(settings: RunSettings) -> dict[str, float]:
    """The given settings as a trial, moved into the space where they lie outside."""
    now = settings.training.model_dump()
    out = {name: min(max(now[name], low), high) for name, (low, high, _) in SPACE.items()}
    return out | {"layers": settings.model.layers, "neighbours": settings.model.neighbours}


def _proposed(trial: optuna.Trial) -> dict[str, float]:
    found: dict[str, float] = {
        name: trial.suggest_float(name, low, high, log=log)
        for name, (low, high, log) in SPACE.items()
    }
    found["layers"] = trial.suggest_int("layers", *LAYERS)
    found["neighbours"] = trial.suggest_int("neighbours", *NEIGHBOURS)
    return found


def _at(settings: RunSettings, point: dict[str, float]) -> RunSettings:
    """The settings with a trial's in place of theirs."""
    values = settings.model_dump()
    for name, value in point.items():
        room = "training" if name in TrainSettings.model_fields else "model"
        values[room][name] = value
    return make_settings(RunSettings, values)


def _pruned(optuna: Any, trial: optuna.Trial) -> Callable[[dict[str, Any]], None]:
    """Tells the search of each validated epoch, and stops a trial that is behind."""
    seconds = 0.0

    def told(record: dict[str, Any]) -> None:
        nonlocal seconds
        seconds += record["seconds"]
        if not record.get("valid"):
            return
        score = sum(values[HEADLINE] for values in record["valid"].values())
        trial.report(score, record["epoch"])
        trial.set_user_attr("seconds", seconds)
        if trial.should_prune():
            raise optuna.TrialPruned

    return told


def _ended(study: optuna.Study) -> list[Any]:
    return [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]


def _table(study: optuna.Study) -> pd.DataFrame:
    rows = []
    for trial in _ended(study):
        reported = trial.intermediate_values
        about = {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "score": max(reported.values(), default=trial.value),
            "epochs": max(reported, default=0),
            "seconds": float(trial.user_attrs.get("seconds", 0.0)),
        }
        rows.append(about | trial.params)
    return pd.DataFrame(rows)


def _journal(out: Path) -> Path:
    return out.with_name(out.name + _JOURNAL)
