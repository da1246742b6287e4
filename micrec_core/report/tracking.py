"""A finished run in MLflow: settings, figures with intervals, epochs, report, the run itself."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from micrec_core.errors import ConfigError
from micrec_core.names import SUMMARY
from micrec_core.report.export import report
from micrec_core.runs import Run
from micrec_core.runs.files import flat

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow takes letters, digits and these in a name, so many characters of a setting, and so many
# settings or numbers at once.
_OTHER = re.compile(r"[^\w./ -]")
_LONGEST, _SETTINGS, _NUMBERS = 500, 100, 1000
_STORE = "mlruns"


def log_run(run: Run, store: str = "", experiment: str = "micrec") -> str:
    """Log a run as one of an experiment, which is made where it is not there.

    Parameters
    ----------
    store : where MLflow keeps its runs, by default the folder ``mlruns`` here

    Returns
    -------
    MLflow's id of the run

    Raises
    ------
    ConfigError
        MLflow is not installed, or does not take the run.
    RunError
        A table of the run is damaged.
    """
    page = report(run)
    try:
        client = _client(store or Path(_STORE).absolute().as_uri())
        found = client.get_experiment_by_name(experiment)
        where = client.create_experiment(experiment) if found is None else found.experiment_id
        made = client.create_run(where, run_name=run.name, tags=_tags(run)).info.run_id
        _log_numbers(client, made, run)
        client.log_text(made, page, "report.html")
        client.log_artifacts(made, str(run.path), "run")
        client.set_terminated(made)
    except OSError as error:
        raise ConfigError(f"MLflow cannot write its runs ({error.strerror}); free some") from None
    except Exception as error:
        if not type(error).__module__.startswith("mlflow"):
            raise
        said = str(error).splitlines()[0]
        raise ConfigError(f"MLflow does not take the run ({said[:200]}); mend that") from None
    return str(made)


def _client(store: str) -> MlflowClient:
    try:
        from mlflow import MlflowClient
    except ImportError:
        raise ConfigError(
            "logging to MLflow needs the package mlflow; install it: "
            "pip install 'micrec-explorer[mlflow]'"
        ) from None
    # Newer versions write into a folder only where that is asked for; databases need more packages.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    return MlflowClient(tracking_uri=store)


def _tags(run: Run) -> dict[str, str]:
    info = run.info
    named = {
        "micrec.run": run.name,
        "micrec.key": run.key,
        "micrec.model": info.model,
        "micrec.variant": info.variant,
        "micrec.dataset": info.dataset.name if info.dataset else "",
        "micrec.fingerprint": info.dataset.fingerprint if info.dataset else "",
        "micrec.mask": info.mask,
    }
    return {key: str(value) for key, value in named.items() if value}


def _log_numbers(client: MlflowClient, made: str, run: Run) -> None:
    from mlflow.entities import Metric, Param

    named = {key: str(value)[:_LONGEST] for key, value in flat(run.info.config).items()}
    settings = [Param(_OTHER.sub("_", key), value) for key, value in named.items()]
    for first in range(0, len(settings), _SETTINGS):
        client.log_batch(made, params=settings[first : first + _SETTINGS])
    now = int(time.time() * 1000)
    numbers = [Metric(name, value, now, step) for name, value, step in figures(run)]
    for first in range(0, len(numbers), _NUMBERS):
        client.log_batch(made, metrics=numbers[first : first + _NUMBERS])


def figures(run: Run) -> Iterator[tuple[str, float, int]]:
    """Name, value and epoch of what a run measured of itself.

    ``known/food/all/ndcg_at_20/mean`` is over users, ``.../low`` and ``.../high`` its interval,
    of epoch 0; ``epochs/loss`` and its like are of each epoch.
    """
    if run.has(SUMMARY):
        summary = run.frame(SUMMARY)
        own = summary[
            (summary["model"] == run.info.model) & (summary["variant"] == run.info.variant)
        ]
        for row in own.to_dict("records"):
            parts = (row["protocol"], row["domain"], row["cohort"], row["metric"])
            name = _OTHER.sub("_", "/".join(map(str, parts)).replace("@", "_at_"))
            yield from _finite({f"{name}/mean": row["mean"], f"{name}/low": row["low"],
                                f"{name}/high": row["high"], f"{name}/n": row["n"]}, 0)  # fmt: skip
    history = run.history()
    numbers = history.select_dtypes("number") if len(history) else pd.DataFrame()
    for row in numbers.to_dict("records"):
        named = {str(k): v for k, v in row.items() if k != "epoch"}
        told = {f"epochs/{_OTHER.sub('_', k.replace('@', '_at_'))}": v for k, v in named.items()}
        yield from _finite(told, int(row.get("epoch", 0)))


def _finite(named: dict[str, Any], step: int) -> Iterator[tuple[str, float, int]]:
    for name, value in named.items():
        if value is not None and np.isfinite(value):
            yield name, float(value), step
