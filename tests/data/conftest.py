"""A small dataset as text, and a way to write it in any format."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from PIL import Image

Row = dict[str, str]

ITEMS: list[Row] = [
    {
        "item_id": f"{domain[0]}{k}",
        "domain": domain,
        "title": f"{domain} no. {k}",
        "description": f'Made of "{k}", tin\nand salt' if k == 1 else "",
        "image": f"images/{domain}{k}.png" if k == 0 else "",
    }
    for domain in ("food", "kitchen")
    for k in range(5)
]
# Users u0..u3 are in both domains; v in food and w in kitchen only. Each line its own timestamp.
INTERACTIONS: list[Row] = [
    {
        "user_id": user,
        "item_id": f"{domain[0]}{k}",
        "domain": domain,
        "timestamp": str(1000 + 7 * k),
    }
    for domain, users in (("food", "u0 u1 u2 u3 v4 v5"), ("kitchen", "u0 u1 u2 u3 w4 w5"))
    for number, user in enumerate(users.split())
    for k in range(5)
    if (k + number) % 5 < 4
]


def delimited(rows: Sequence[Row], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def jsonl(rows: Sequence[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def write_table(path: Path, rows: Sequence[Row]) -> None:
    if path.name.endswith(".parquet"):
        pq.write_table(pa.table({c: [r[c] for r in rows] for c in rows[0]}), path)
        return
    if path.suffix in (".arrow", ".feather"):
        feather.write_feather(pa.table({c: [r[c] for r in rows] for c in rows[0]}), str(path))
        return
    if ".jsonl" in path.name:
        data = jsonl(rows)
    else:
        data = delimited(rows, "\t" if ".tsv" in path.name else ",")
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)


def write_dataset(
    root: Path,
    suffix: str = ".csv",
    *,
    items: Sequence[Row] = ITEMS,
    interactions: Sequence[Row] = INTERACTIONS,
    toml: str | None = None,
) -> Path:
    (root / "images").mkdir(parents=True, exist_ok=True)
    for k, domain in enumerate(("food", "kitchen")):
        Image.new("RGB", (8, 8), (90 * k, 60, 30)).save(root / "images" / f"{domain}0.png")
    write_table(root / f"items{suffix}", items)
    write_table(root / f"interactions{suffix}", interactions)
    if toml is not None:
        (root / "dataset.toml").write_text(toml, encoding="utf-8")
    return root


@pytest.fixture
def rows() -> tuple[list[Row], list[Row]]:
    """Fresh copies of the item and the interaction rows, to change at will."""
    return [dict(r) for r in ITEMS], [dict(r) for r in INTERACTIONS]


@pytest.fixture(scope="session")
def good_rows() -> tuple[list[Row], list[Row]]:
    """The item and the interaction rows, not to be changed."""
    return ITEMS, INTERACTIONS


@pytest.fixture(scope="session")
def write() -> Callable[..., Path]:
    """`write_dataset(root, suffix, items=, interactions=, toml=)`."""
    return write_dataset


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A good dataset as csv; its description on line 3 of the items goes over two lines."""
    return write_dataset(tmp_path / "shop")


def assert_one_sentence(message: str) -> None:
    """One line, no second sentence, a mend after the semicolon or in an 'only ... ; keep one'."""
    assert "\n" not in message
    assert message.isprintable()
    assert not message.endswith(".")
    assert not re.search(r"[.!?] +[A-Z]", message), message
    assert ";" in message or " must be " in message, f"no mend in: {message}"
    assert len(message) < 420


@pytest.fixture(scope="session")
def one_sentence() -> Callable[[str], None]:
    """`assert_one_sentence(message)`."""
    return assert_one_sentence
