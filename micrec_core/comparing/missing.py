"""What a missing modality costs, and whether filling gaps in from neighbours gives it back.

A share of the items of every domain loses a modality, or a whole domain has none of it, in training
and when asked. Each is trained masked (the item goes without) and imputed
(``modalities.imputing``), on the same items and by the same seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from micrec_core.comparing.plan import can_train
from micrec_core.comparing.trainings import Bench, Training, answer, stored, train
from micrec_core.config import RunSettings
from micrec_core.data.progress import Progress, silent
from micrec_core.errors import ConfigError
from micrec_core.evaluation.significance import compare_paired, holm
from micrec_core.evaluation.stress import ALL, Stress, check_stresses
from micrec_core.protocols import CURVES
from micrec_core.training.prepare import (
    Material,
    choose_device,
    encode_material,
    load_dataset,
)

METRIC = "ndcg@20"
WAYS = {"masked": False, "imputed": True}


def study(
    data: Path,
    out: Path,
    settings: RunSettings,
    *,
    shares: Sequence[float] = (),
    seeds: Sequence[int] = (0,),
    device: str = "auto",
    progress: Progress = silent,
    cache: Path | None = None,
) -> pd.DataFrame:
    """Train at every point and measure; what was trained stays in ``out`` and is not redone.

    Parameters
    ----------
    shares : of the items; those of the curve by default

    Returns
    -------
    One row for each ``what`` (a modality, or all), ``within`` (a domain, or empty for all of them),
    ``share``, ``protocol``, ``scope`` and ``domain``: NDCG@20 ``masked`` and ``imputed``, their
    paired difference ``gain`` over ``n`` users with its interval and Holm's ``p_holm``.

    Raises
    ------
    DataError, ConfigError
        The data or the settings are not usable, or there is nothing that could be missing.
    """
    check_stresses(("missing",), shares)
    device = choose_device(device)
    dataset, split = load_dataset(data, settings, progress)
    settings = settings.suited(split.per_user)
    material = encode_material(dataset, split, settings, device, cache)
    bench = Bench(material, device)
    found, model = material.features.modalities, settings.model
    points = [s for s in _points(material, shares) if s is None or can_train(s, model, found)]
    parts = []
    for done, stress in enumerate(points):
        name = stress.label if stress else "nothing missing"
        for way, impute in WAYS.items():
            for seed in seeds:
                own = settings.model_copy(update={"impute": impute, "seed": seed})
                training = Training(own, out, dataset.fingerprint, stress)
                progress(f"{name}, {way}", done, len(points))
                if not training.is_trained:
                    train(bench, training, silent, training.label)
                if not training.is_answered:
                    answer(bench, training)
                point = stress or Stress("missing", 0.0)
                about = {"what": point.what, "within": point.within, "share": point.share}
                about |= {"way": way, "seed": seed}
                parts.append(stored(training).frame.assign(**about))
    return _table(pd.concat(parts, ignore_index=True))


def _points(material: Material, shares: Sequence[float]) -> Iterator[Stress | None]:
    """Nothing missing; then modality by modality, and all of them, shares and whole domains."""
    found = material.features.modalities
    if not found:
        raise ConfigError(f"no item of '{material.dataset.name}' has a modality that could be lost")
    yield None
    wanted = sorted(set(shares or CURVES["missing"].shares) - {CURVES["missing"].whole})
    for what in (*found, ALL) if len(found) > 1 else found:
        for share in wanted:
            yield Stress("missing", share, what)
        for domain in material.dataset.domains if len(material.dataset.domains) > 1 else ():
            yield Stress("missing", 1.0, what, domain.name)


def _table(users: pd.DataFrame) -> pd.DataFrame:
    keys = ["what", "within", "share", "protocol", "scope", "domain"]
    # Over seeds first: the unit of the test is a user.
    each = users.groupby([*keys, "user_id", "way"])[METRIC].mean().unstack("way")
    rows: list[dict[str, Any]] = []
    for place, group in each.groupby(level=keys, sort=False):
        masked, imputed = (group[[way]].to_numpy() for way in WAYS)
        (found,) = compare_paired(imputed, masked)
        about = dict(zip(keys, place, strict=True))
        rows.append(about | {"n": found.n, "masked": found.reference_mean, "imputed": found.mean,
                             "gain": found.diff, "low": found.low, "high": found.high,
                             "p": found.p})  # fmt: skip
    table = pd.DataFrame(rows)
    return table.assign(p_holm=holm(table["p"].to_numpy()))
