"""Cold users of several draws of a split put together: who was withheld is chance, so average it.

One split withholds a tenth of the overlapping users, too few to tell a lead of a few per cent from
chance. A user who was cold in several draws, or of several seeds, counts once, with their mean.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pandas as pd

from micrec_core.data.spreadsheets import CsvFolder
from micrec_core.evaluation.significance import compare_table
from micrec_core.names import MICREC, users_file
from micrec_core.report.stored_runs import MAIN, dataset_of, label, size, slug, split_seed
from micrec_core.running.frames import COLD_REFERENCES
from micrec_core.runs import Run

OWN_USERS = users_file("cold-domain")


def cold_users_together(runs: Sequence[Run], folder: CsvFolder) -> list[dict[str, Any]]:
    """The full model against the maps, a table a dataset that was drawn several times."""
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in poolable([run for run in runs if label(run) == MICREC]):
        groups[dataset_of(run).name, dataset_of(run).fingerprint].append(run)
    found = []
    for (name, fingerprint), members in groups.items():
        if len({(split_seed(run), run.info.seed) for run in members}) < 2:
            continue
        table = pooled_cold(members)
        folder.write(f"{slug(members[0])}-cold-users-pooled", table)
        about = {"name": name, "size": size(members[0]), "fingerprint": fingerprint}
        seeds = sorted({split_seed(run) for run in members})
        found.append({**about, "seeds": seeds, "rows": table.to_dict("records")})
    return found


def poolable(runs: Sequence[Run]) -> list[Run]:
    """Those with the values of each cold user, of the model and of the references."""
    return [run for run in runs if run.has(OWN_USERS) and run.has(COLD_REFERENCES)]


def pooled_cold(runs: Sequence[Run], metric: str = MAIN) -> pd.DataFrame:
    """The references against the model over the cold users of all runs, as ``compare_table`` does.

    Parameters
    ----------
    runs : of one model on one dataset, differing in the draw of the split or in the seed

    Returns
    -------
    DataFrame
        of ``compare_table``; ``reference`` is the runs' model, ``diff`` the map's mean minus its
    """
    own = _per_user([run.frame(OWN_USERS) for run in runs], metric)
    references = pd.concat([run.frame(COLD_REFERENCES) for run in runs], ignore_index=True)
    frames = {
        str(name): _per_user([rows], metric)
        for name, rows in references.groupby("model", sort=False)
    }
    model = runs[0].info.model
    return compare_table({model: own, **frames}, model, [metric])


def _per_user(frames: Sequence[pd.DataFrame], metric: str) -> pd.DataFrame:
    together = pd.concat(frames, ignore_index=True)
    means = together.groupby(["domain", "user_id"], sort=True, observed=True)[metric].mean()
    return means.reset_index()
