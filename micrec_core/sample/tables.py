"""The tables of a sample, as CSV or Parquet, in blocks so that millions of rows fit in memory."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from micrec_core.sample.choices import Choices
from micrec_core.sample.world import World, WorldDomain

FORMATS = ("csv", "parquet")
_BLOCK = 1 << 18
_COLUMNS = ("user_id", "item_id", "domain", "timestamp")


def user_ids(world: World) -> list[str]:
    """The ids of the world's users, u0000 on."""
    width = max(4, len(str(world.n_users - 1)))
    return [f"u{row:0{width}d}" for row in range(world.n_users)]


def item_ids(part: WorldDomain) -> list[str]:
    """The ids of a domain's items, food-0000 on."""
    width = max(4, len(str(part.n_items - 1)))
    return [f"{part.name}-{row:0{width}d}" for row in range(part.n_items)]


def write_items(
    root: Path,
    world: World,
    texts: Sequence[tuple[list[str], list[str]]],
    images: Sequence[list[str]],
    format: str,
) -> None:
    """Write the item table; a missing text or image is an empty field."""
    columns: dict[str, list[str]] = {
        name: [] for name in ("item_id", "domain", "title", "description", "image")
    }
    for part, (titles, descriptions), paths in zip(world.domains, texts, images, strict=True):
        columns["item_id"] += item_ids(part)
        columns["domain"] += [part.name] * part.n_items
        columns["title"] += titles
        columns["description"] += descriptions
        columns["image"] += paths
    if format == "parquet":
        pq.write_table(pa.table(columns), root / "items.parquet", compression="zstd")
        return
    with (root / "items.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def write_interactions(
    root: Path,
    world: World,
    choices: Sequence[Choices],
    format: str,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Write the interactions, domain by domain, by user and time."""
    names = np.array(user_ids(world), dtype=object)
    total, done = sum(len(c) for c in choices), 0
    sink = _Parquet(root) if format == "parquet" else _Csv(root)
    with sink:
        for part, chosen in zip(world.domains, choices, strict=True):
            items = np.array(item_ids(part), dtype=object)
            for start in range(0, len(chosen), _BLOCK):
                rows = slice(start, start + _BLOCK)
                users = names[part.users[chosen.user[rows]]]
                sink.add(users, items[chosen.item[rows]], part.name, chosen.timestamp[rows])
                done += len(users)
                if progress:
                    progress("writing interactions", done, total)


class _Csv:
    def __init__(self, root: Path) -> None:
        self.file = (root / "interactions.csv").open("w", encoding="utf-8", newline="")
        self.file.write(",".join(_COLUMNS) + "\n")

    def __enter__(self) -> _Csv:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def add(
        self,
        users: NDArray[np.object_],
        items: NDArray[np.object_],
        domain: str,
        times: NDArray[np.int64],
    ) -> None:
        # The ids are our own and need no quoting.
        rows = zip(users.tolist(), items.tolist(), times.tolist(), strict=True)
        self.file.write("".join(f"{user},{item},{domain},{at}\n" for user, item, at in rows))


class _Parquet:
    schema = pa.schema([(c, pa.int64() if c == "timestamp" else pa.string()) for c in _COLUMNS])

    def __init__(self, root: Path) -> None:
        self.writer = pq.ParquetWriter(
            root / "interactions.parquet", self.schema, compression="zstd"
        )

    def __enter__(self) -> _Parquet:
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def add(
        self,
        users: NDArray[np.object_],
        items: NDArray[np.object_],
        domain: str,
        times: NDArray[np.int64],
    ) -> None:
        columns = [users, items, np.full(len(users), domain, dtype=object), times]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, self.schema, strict=True)]
        self.writer.write_table(pa.Table.from_arrays(arrays, schema=self.schema))
