"""``update``: a run of the same parameters that knows of more users, items and interactions.

Nothing is trained: what is new is folded in to what was trained (docs/method.md, section 13), the
memory's counts and the popularity go by everything. The run that is made is one as any other, with
its parent named; the parent stays as it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.data.additions import Additions, read_additions
from micrec_core.data.items import Catalogue
from micrec_core.data.progress import Progress, silent
from micrec_core.data.types import Dataset
from micrec_core.errors import RunError
from micrec_core.features import FeatureMatrix, centre
from micrec_core.method.growing import (
    grow,
    with_items_folded_in,
    with_room_in_memory,
    with_users_folded_in,
)
from micrec_core.method.profiles import Links
from micrec_core.modalities.dataset import encode_more
from micrec_core.modalities.encoders import load_encoder
from micrec_core.modalities.image import item_images
from micrec_core.names import CATALOGUE, FURTHER_COLUMNS, GENERATED_COLUMNS
from micrec_core.running.catalogue import thumbnails
from micrec_core.running.drift import advice, drift
from micrec_core.running.ending import marked_at_its_end
from micrec_core.runs import Run, RunWriter
from micrec_core.serving.bundle import (
    ABOUT,
    EMBEDDED,
    IDS,
    TENSORS,
    pack_updated,
    read_bundle,
)
from micrec_core.serving.contents import Bundle, DomainPart
from micrec_core.serving.tensors import UPDATED

_REPLACED = ("run.json", "manifest.json", TENSORS, IDS, ABOUT, CATALOGUE)
Table: TypeAlias = Path | pd.DataFrame


@dataclass(frozen=True)
class Updated:
    """What an update made.

    Attributes
    ----------
    run : the new run's directory
    added : domain -> users, items, interactions
    drift : domain -> figures, see ``running.drift``
    advice : a sentence where it is time to train anew, else empty
    notes : sentences on what was left out
    """

    run: Path
    added: dict[str, dict[str, int]]
    drift: dict[str, dict[str, float]]
    advice: str
    notes: tuple[str, ...]
    seconds: float


def update_run(
    run: Run,
    out: Path | str,
    interactions: Table | None = None,
    items: Table | None = None,
    *,
    images: Path | None = None,
    progress: Progress = silent,
) -> Updated:
    """Write a run that knows of new interactions and new items.

    Parameters
    ----------
    run : the parent, of a model that owns templates; it may be an updated one itself
    out : the new run's directory, new or empty
    interactions : user_id, item_id, domain; those that are known already are left out
    items : item_id, domain, title and, optional, description, image; those that are known stay
    images : where the paths of pictures begin; the folder of the item table by default

    Raises
    ------
    DataError
        A table is not usable; nothing has been written.
    RunError
        The parent's model cannot take anyone in without training.
    ConfigError
        There is nothing to add, or the directory has something in it.
    """
    started = time.perf_counter()
    bundle, config = _parent(run), run.info.config
    root = images or (items.parent if isinstance(items, Path) else Path())
    additions = read_additions(
        interactions, items, catalogues(bundle), images=root,
        drop_unknown_items=config.get("unknown_items") == "drop",
        rating_threshold=config.get("rating_threshold"),
    )  # fmt: skip
    progress("folding in", 0, 0)
    grown, notes = extended(bundle, additions)
    added = {a.name: _counts(a, b) for a, b in zip(bundle.domains, grown.domains, strict=True)}
    parent = {"name": run.name, "key": run.key}
    first = run.info.update.get("trained") or {"name": run.name, "at": run.info.finished}
    writer = RunWriter(Path(out), _inherited(run) | {"parent": parent})
    with marked_at_its_end(writer):
        found = drift(grown, datetime.fromisoformat(first["at"]), datetime.now(UTC))
        _write(writer, run, grown, additions.items, progress)
        notes = (*additions.notes, *notes)
        told = advice(found)
        times = 1 + int(run.info.update.get("times", 0))
        record = {
            "times": times, "trained": first, "added": added, "drift": found,
            "advice": told, "notes": notes,
        }  # fmt: skip
        seconds = time.perf_counter() - started
        writer.finish(update=record, timings=run.info.timings | {"update": round(seconds, 3)})
    return Updated(writer.path, added, found, told, notes, seconds)


def extended(
    bundle: Bundle, additions: Additions, everyone: bool = True
) -> tuple[Bundle, tuple[str, ...]]:
    """A bundle with what is new folded in, and sentences on what could not be encoded.

    ``everyone``: keep the embeddings of users too, by which lists of all at once are made; whoever
    is asked for alone is folded in then.
    """
    encoders = {m: load_encoder(*bundle.encoders[m]) for m in bundle.modalities}
    made, notes = encode_more(additions.items, encoders)
    ids: list[NDArray[np.object_]] = []
    domains = []
    for d, part in enumerate(bundle.domains):
        new = additions.items.domains[d]
        features = {m: centre(made[m][d], bundle.means[m][d]) for m in bundle.modalities}
        users, rows, fresh = _pairs(additions, part, d)
        ids.append(np.unique(users))
        domains.append(_grown(part, new.item_ids, new.titles, features, users, rows, fresh))
    grown = replace(bundle, domains=tuple(domains))
    grown = replace(grown, links_by_now=_links(grown))
    grown = with_room_in_memory(grown, [len(part.item_ids) for part in bundle.domains])
    grown = with_items_folded_in(grown)
    if everyone:
        grown = with_users_folded_in(grown, _people(grown, np.unique(np.concatenate(ids))))
    return grown, notes


def _parent(run: Run) -> Bundle:
    """The bundle of a run that can be updated."""
    bundle = read_bundle(run)
    if run.json(ABOUT)["version"] < EMBEDDED:
        raise RunError(f"Run '{run.name}' is of an earlier version: train it anew to update it.")
    if not bundle.templates:
        raise RunError(
            f"Run '{run.name}' is of a model with a vector per user, which only training gives: "
            "train it anew, or update a run of micrec or inmo."
        )
    return bundle


def catalogues(bundle: Bundle) -> tuple[Catalogue, ...]:
    """The items of a run, domain by domain; their descriptions and pictures are not kept."""
    out = []
    for part in bundle.domains:
        nothing = np.full(len(part.item_ids), "", object)
        out.append(Catalogue(part.name, part.label, part.item_ids, part.titles, *[nothing] * 3))
    return tuple(out)


def _pairs(
    additions: Additions, part: DomainPart, d: int
) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.object_]]:
    """User ids and item rows of the new interactions of a domain, and ids of users new to it."""
    log = additions.log
    if log is None:
        nobody = np.zeros(0, object)
        return nobody, np.zeros(0, np.int64), nobody
    here = log.domain == d
    users = log.users[log.user[here]]
    known = set(part.user_ids.tolist())
    fresh = np.array(sorted({u for u in users.tolist() if u not in known}), object)
    return users, log.item[here].astype(np.int64), fresh


def _grown(
    part: DomainPart,
    item_ids: NDArray[np.object_],
    titles: NDArray[np.object_],
    features: dict[str, FeatureMatrix],
    users: NDArray[np.object_],
    items: NDArray[np.int64],
    fresh: NDArray[np.object_],
) -> DomainPart:
    user_ids = np.concatenate([part.user_ids, fresh])
    place = {user: row for row, user in enumerate(user_ids.tolist())}
    rows = np.array([place[user] for user in users.tolist()], np.int64)
    return replace(
        grow(part, len(fresh), len(item_ids), features, rows, items),
        user_ids=user_ids,
        item_ids=np.concatenate([part.item_ids, item_ids]),
        titles=np.concatenate([part.titles, titles]),
    )


def _links(bundle: Bundle) -> Links:
    """Rows of the users with interactions in both of two domains by now, sorted by their ids."""
    out = {}
    for (a, there), (b, here) in permutations(enumerate(_places(bundle)), 2):
        both = [user for user in there if user in here]
        rows = [np.array([place[user] for user in both], np.int64) for place in (there, here)]
        out[a, b] = (rows[0], rows[1])
    return out


def _places(bundle: Bundle) -> list[dict[str, int]]:
    """Of each domain, user id -> row of who took anything there by now."""
    return [
        {str(part.user_ids[row]): int(row) for row in part.known_users} for part in bundle.domains
    ]


def _people(bundle: Bundle, ids: NDArray[np.object_]) -> list[tuple[int, ...]]:
    """Rows of some users in every domain, -1 where they took nothing."""
    places = _places(bundle)
    return [tuple(place.get(str(user), -1) for place in places) for user in ids]


def _counts(before: DomainPart, now: DomainPart) -> dict[str, int]:
    return {
        "users": len(now.user_ids) - len(before.user_ids),
        "items": len(now.item_ids) - len(before.item_ids),
        "interactions": int(now.taken.nnz - before.taken.nnz),
    }


# Writing -----------------------------------------------------------------------------------------


def _inherited(run: Run) -> dict[str, Any]:
    """What ``run.json`` of the parent says of the model."""
    own = ("schema_version", "name", "status", "created", "finished", "error", "parent", "update")
    return {key: value for key, value in run.info.model_dump().items() if key not in own}


def _write(writer: RunWriter, run: Run, grown: Bundle, new: Dataset, progress: Progress) -> None:
    for relative in run.files:
        if relative not in _REPLACED:
            writer.copy(run.path, relative)
    tensors, counts, ids = pack_updated(grown)
    writer.write_tensors(TENSORS, run.tensors(TENSORS) | tensors)
    writer.write_parquet(IDS, ids)
    about = run.json(ABOUT)
    domains = [old | count for old, count in zip(about["domains"], counts, strict=True)]
    writer.write_json(ABOUT, about | {"version": UPDATED, "domains": domains})
    writer.write_parquet(CATALOGUE, _catalogue(run, grown, new, progress))


def _catalogue(run: Run, grown: Bundle, new: Dataset, progress: Progress) -> pd.DataFrame:
    """The parent's items with today's degrees, then the new ones, domain by domain."""
    known, parts, start = run.frame(CATALOGUE), [], 0
    pictures = thumbnails(item_images(new), progress)
    for part, domain in zip(grown.domains, new.domains, strict=True):
        here = known[known["domain"] == part.name]
        rows = slice(len(here), len(part.item_ids))
        flags: dict[str, Any] = {c: False for c in known.columns if c.startswith("has_")}
        flags |= {c: "" for c in GENERATED_COLUMNS if c in known.columns}
        if FURTHER_COLUMNS in known.columns:
            said = domain.attributes
            flags[FURTHER_COLUMNS] = "" if said is None else said.astype(str)
        flags |= {f"has_{m}": x.features.present[rows] for m, x in part.modalities.items()}
        more = pd.DataFrame(
            {
                "domain": part.name,
                "row": np.arange(rows.start, rows.stop, dtype=np.int32),
                "item_id": domain.item_ids.astype(str),
                "title": domain.titles.astype(str),
                "description": domain.descriptions.astype(str),
                "thumbnail": pd.Series(pictures[start : start + domain.n_items], dtype=object),
                **flags,
            }
        )
        start += domain.n_items
        both = pd.concat([here, more], ignore_index=True) if len(more) else here
        parts.append(both.assign(degree=part.item_count.astype(np.int32)))
    return pd.concat(parts, ignore_index=True)[list(known.columns)]
