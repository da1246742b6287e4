"""The two tables of a prepared dataset, in blocks, as ``.csv.gz`` or ``.parquet``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from micrec_core.data.progress import Progress
from micrec_core.data.raw.filters import Part
from micrec_core.data.types import SPLIT_NAMES
from micrec_core.data.write import TEXT, constant, table_writer

_BLOCK = 1 << 18
SUFFIXES = {"csv": ".csv.gz", "parquet": ".parquet"}


def write_interactions(
    root: Path, parts: Sequence[Part], tables: str, progress: Progress
) -> tuple[str, ...]:
    """Write ``interactions``, domain by domain, by user and time.

    Returns
    -------
    Columns that some domain has and others have not, which are left out.
    """
    numbers: dict[str, list[NDArray[np.float64] | None]] = {
        "timestamp": [p.time for p in parts],
        "rating": [p.rating for p in parts],
    }
    complete = {c: [v for v in values if v is not None] for c, values in numbers.items()}
    complete = {c: values for c, values in complete.items() if len(values) == len(parts)}
    kinds = {c: _kind(values) for c, values in complete.items()}
    with_split = all(p.split is not None for p in parts)
    columns = dict.fromkeys(("user_id", "item_id", "domain"), TEXT) | kinds
    columns |= {"split": TEXT} if with_split else {}
    words = pa.array(SPLIT_NAMES, TEXT)
    total, done = sum(len(p) for p in parts), 0
    with table_writer(root / "interactions", columns, SUFFIXES[tables]) as add:
        for k, part in enumerate(parts):
            for start in range(0, len(part), _BLOCK):
                rows = slice(start, start + _BLOCK)
                domain = constant(part.name, len(part.user.codes[rows]))
                arrays = [part.user.rows(rows), part.item.rows(rows), domain]
                arrays += [pa.array(complete[c][k][rows]).cast(kinds[c]) for c in kinds]
                if with_split:
                    assert part.split is not None
                    arrays.append(words.take(pa.array(part.split[rows])))
                add(arrays)
                done += len(domain)
                progress("writing interactions", done, total)
    left = [c for c in numbers if c not in kinds and any(v is not None for v in numbers[c])]
    some = any(p.split is not None for p in parts) and not with_split
    return (*left, *(["split"] if some else []))


def write_items(
    root: Path, parts: Sequence[Part], pictures: Sequence[Sequence[str] | None], tables: str
) -> list[dict[str, int]]:
    """Write ``items``: a domain's known ones in the order of their file, then those without
    metadata, whose title is their id.

    Parameters
    ----------
    pictures : per domain paths [n_items], or None; no column where all are None

    Returns
    -------
    Per domain, how many items are without title, description and picture, and how many have their
    id for a title.
    """
    with_images = any(p is not None for p in pictures)
    further = list(dict.fromkeys(name for part in parts for name in part.shelf.further))
    names = ["item_id", "domain", "title", "description", *(["image"] if with_images else [])]
    names += further
    counts = []
    with table_writer(root / "items", dict.fromkeys(names, TEXT), SUFFIXES[tables]) as add:
        for part, paths in zip(parts, pictures, strict=True):
            images = pa.array([""] * len(part.item.values) if paths is None else paths, TEXT)
            blank = {"title": 0, "description": 0, "image": 0}
            for codes, texts in _texts(part):
                nothing = constant("", len(codes))
                arrays = {
                    "item_id": part.item.values.take(codes),
                    "domain": constant(part.name, len(codes)),
                    "image": images.take(codes),
                    **{name: texts.get(name, nothing) for name in ("description", *further)},
                    "title": texts["title"],
                }
                for column in blank:
                    blank[column] += arrays[column].to_pylist().count("")
                add([arrays[n] for n in names])
            unknown = {"titled_by_id": int((part.rows < 0).sum())}
            counts.append({f"without_{c}": n for c, n in blank.items()} | unknown)
    return counts


def _texts(part: Part) -> Iterator[tuple[pa.Array, dict[str, pa.Array]]]:
    """Codes of items, and what their file says of them by column, a block at a time."""
    code_at = np.full(len(part.shelf.ids), -1, np.int64)
    known = np.flatnonzero(part.rows >= 0)
    code_at[part.rows[known]] = known
    start = 0
    for batch in part.shelf.batches():
        codes = code_at[start : start + len(batch)]
        start += len(batch)
        rows = np.flatnonzero(codes >= 0)
        if len(rows):
            picked = batch.take(pa.array(rows))
            yield pa.array(codes[rows]), dict(zip(batch.schema.names, picked.columns, strict=True))
    unknown = np.flatnonzero(part.rows < 0)
    for start in range(0, len(unknown), _BLOCK):
        codes = pa.array(unknown[start : start + _BLOCK])
        yield codes, {"title": part.item.values.take(codes)}


def _kind(columns: Sequence[NDArray[np.float64]]) -> pa.DataType:
    """Whole numbers where all are: Amazon's stars and times, which JSON has as 5.0."""
    whole = all(((c == np.floor(c)) & (np.abs(c) < 2**53)).all() for c in columns)
    return pa.int64() if whole else pa.float64()
