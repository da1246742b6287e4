"""What ``run.json`` says of a training, and whether a resumed one is the same training."""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from micrec_core.answering.answers import variant_name
from micrec_core.config import RunSettings, TrainSettings
from micrec_core.data import Dataset, describe
from micrec_core.errors import RunError
from micrec_core.method.knowledge import Knowledge
from micrec_core.modalities.modality import NO_ENCODER
from micrec_core.modalities.registry import MODALITIES
from micrec_core.runs import RunInfo
from micrec_core.runs.files import flat, read_json
from micrec_core.version import __version__

logger = logging.getLogger(__name__)
_PACKAGES = ("torch", "numpy", "scipy", "numba", "pandas", "scikit-learn", "umap-learn")


def first_info(dataset: Dataset, settings: RunSettings, device: str) -> dict[str, Any]:
    """The fields that are known before training."""
    return {
        "model": settings.model.name,
        "variant": variant_name(settings.model.without),
        "without": settings.model.without,
        "seed": settings.seed,
        "split": settings.split,
        "mask": settings.mask,
        "dataset": dataset_info(dataset),
        "config": settings.model_dump(mode="json"),
        "device": device_name(device),
        "versions": versions(),
        "threads": threads(),
    }


def threads() -> dict[str, int]:
    """Among how many threads sums are shared, which decides how they are rounded."""
    import numba
    import torch

    return {"torch": torch.get_num_threads(), "numba": numba.get_num_threads()}


def dataset_info(dataset: Dataset) -> dict[str, Any]:
    """Name, source and counts of a dataset, before anything is withheld."""
    about = describe(dataset)
    counts = ("name", "label", "n_users", "n_items", "n_train", "n_valid", "n_test")
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "synthetic": dataset.synthetic,
        "source": dataset.source,
        "licence": dataset.licence,
        "domains": [{key: domain[key] for key in counts} for domain in about["domains"]],
        "n_overlap": about["n_overlap"],
        "notes": dataset.notes,
    }


def neighbour_recall(
    domains: Sequence[str], knowledge: Knowledge
) -> dict[str, dict[str, dict[str, float]]]:
    """Share of the true neighbours that were found, where the search was not exact.

    Returns
    -------
    domain -> modality -> users or items -> share
    """
    out: dict[str, dict[str, dict[str, float]]] = {}
    for name, part in zip(domains, knowledge.domains, strict=True):
        for modality in part.item_neighbours:
            shares = {
                "users": part.user_neighbours[modality].recall,
                "items": part.item_neighbours[modality].recall,
            }
            missed = {side: share for side, share in shares.items() if share < 1}
            if missed:
                out.setdefault(name, {})[modality] = missed
    return out


def device_name(device: str) -> str:
    """The device in words."""
    if device != "cuda":
        return device
    import torch

    return f"cuda ({torch.cuda.get_device_name()})"


def versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    out = {"micrec": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            out[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return out


def settings_of(info: RunInfo) -> RunSettings:
    """The settings a run was trained with.

    Raises
    ------
    RunError
        They are not those of this version.
    """
    try:
        # What an older version did not know, it went without.
        training = TrainSettings().model_dump() | info.config["training"]
        model = {"echo": False, "memory": False} | info.config["model"]
        config = dict.fromkeys(MODALITIES, NO_ENCODER) | info.config
        told = {"training": training, "model": model}
        return RunSettings.model_validate({"recipe": "sparse"} | config | told)
    except (ValueError, KeyError, TypeError):
        raise RunError(
            f"run '{info.name}' was trained with settings that this version does not know; "
            "train it anew"
        ) from None


def require_same(path: Path, settings: RunSettings, dataset: Dataset, device: str = "") -> None:
    """Refuse to resume a run with other settings or other data than it was started with.

    On the CPU another number of threads is told of: sums are then rounded in another order.

    Raises
    ------
    RunError
        There is no run, or the first setting that differs is named.
    """
    where = f"Run '{path.name}'"
    if not (path / "run.json").is_file():
        raise RunError(f"there is no run at {path} to resume; leave --resume out to start it")
    info = RunInfo.parse(read_json(path / "run.json", where), where)
    # Before there was a choice of them, there were these.
    before = {"mask": "all", "descriptions": "original", "impute": False} | flat(info.config)
    now = flat(settings.model_dump(mode="json"))
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            raise RunError(
                f"run '{path.name}' was started with {key} = {before.get(key)} and not "
                f"{now.get(key)}; resume it with the same settings, or choose another --out"
            )
    if info.dataset is None or info.dataset.fingerprint != dataset.fingerprint:
        raise RunError(
            f"run '{path.name}' was started on other data than dataset '{dataset.name}' holds now; "
            "resume it with the same tables, or choose another --out"
        )
    before_threads, now_threads = info.get("threads"), threads()
    if device == "cpu" and before_threads is not None and before_threads != now_threads:
        logger.warning(
            "Run '%s' was started with %s threads and goes on with %s: sums are rounded in another "
            "order, so it may end in slightly other parameters than without the stop. "
            "Set OMP_NUM_THREADS and NUMBA_NUM_THREADS as they were to avoid it.",
            path.name, _counts(before_threads), _counts(now_threads),
        )  # fmt: skip


def _counts(threads: Mapping[str, int]) -> str:
    return " and ".join(f"{n} {library}" for library, n in sorted(threads.items()))
