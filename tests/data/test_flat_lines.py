"""The quick reader of JSON Lines gives what the strict one does, or steps aside for it."""

from __future__ import annotations

import gzip
import json
import math
from itertools import count
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from micrec_core.data import sources
from micrec_core.data.budget import Budget
from micrec_core.data.dialect import PLAIN, Dialect
from micrec_core.data.flat_lines import read_flat
from micrec_core.data.schema import INTERACTIONS, ITEMS, Schema
from micrec_core.data.table_files import read_jsonl, read_tables
from micrec_core.errors import DataError
from tests.data.quick import both_read, in_small_pieces, said

ROW = '{"user_id": "u1", "item_id": "i1", "domain": "d", "rating": 4.5, "timestamp": 5}'
number = count()


def both(root: Path, data: bytes, schema: Schema = INTERACTIONS, dialect: Dialect = PLAIN) -> bool:
    """Whether the quick reader took it; that it was right to if so."""
    path = root / f"interactions{next(number)}.jsonl"
    path.write_bytes(data)
    found = both_read(
        lambda budget: read_flat(path, schema, dialect, budget),
        lambda: read_jsonl(sources.read_bytes(path), path.name, schema, dialect),
    )
    if found is None:
        return False
    quick, _ = found
    assert [quick.place(k) for k in range(3)] == [f"{path.name}, line {k + 1}" for k in range(3)]
    return True


@pytest.mark.parametrize("end", ["", "\n"])
def test_plain_lines_are_taken(tmp_path: Path, end: str) -> None:
    more = ROW.replace("4.5", "3").replace("u1", "caf\u00e9 \\ud83d\\ude00 \\u0041 \\/")
    assert both(tmp_path, f"{ROW}\n{more}{end}".encode())
    numbered = '{"timestamp": 7, "user_id": 12, "item_id": -3, "domain": "d", "more": null}'
    assert both(tmp_path, "\n".join([numbered] * 3).encode())
    mapped = Dialect(columns={"user_id": ("who",)})
    assert both(tmp_path, ROW.replace("user_id", "who").encode(), dialect=mapped)
    item = '{"item_id": "i", "domain": "d", "title": "A \\"b\\"", "description": "2014-05-31"}'
    assert both(tmp_path, item.encode(), ITEMS)


ODD = {
    "a key twice": ROW.replace('"rating"', '"user_id"'),
    "a key twice, escaped": ROW.replace('"rating"', '"user\\u005fid"'),
    "a key twice, of no column": ROW.replace("}", ', "x": 1, "x": 2}'),
    "a key twice, within": ROW.replace("}", ', "x": {"y": 1, "y": 2}}'),
    "not a number": ROW.replace("4.5", "NaN"),
    "not finite": ROW.replace("4.5", "1e999"),
    "not finite, of no column": ROW.replace("}", ', "x": Inf}'),
    "a large number": ROW.replace('"u1"', "123456789012345678901234567890"),
    "a number as text": ROW.replace("4.5", '"4.5"'),
    "a fraction": ROW.replace("5}", "5.5}"),
    "a fraction as an id": ROW.replace('"u1"', "1.0"),
    "true": ROW.replace("4.5", "true"),
    "null": ROW.replace('"u1"', "null"),
    "absent": ROW.replace('"user_id": "u1", ', ""),
    "one more": ROW.replace("}", ', "x": 1}'),
    "nested": ROW.replace("}", ', "x": [1]}'),
    "half a character": ROW.replace("u1", "\\ud800"),
    "a tab": ROW.replace("u1", "u\t1"),
    "two on a line": f"{ROW} {ROW}",
    "two on a line, together": ROW + ROW,
    "over two lines": ROW.replace(", ", ",\n", 1),
    "over two lines and beside another": f"{ROW}{ROW.replace(', ', ',' + chr(10), 1)}",
    "a comma": f"{ROW},",
    "brackets": f"[\n{ROW}\n]",
    "a blank line": "",
    "white space": f"  {ROW}",
    "carriage return": f"{ROW}\r",
    "no object": "7",
    "text after it": f"{ROW} x",
    "single quotes": ROW.replace('"', "'"),
    "NUL": ROW.replace("u1", "u\0"),
    "NUL after it": f"{ROW}\0",
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("before", [0, 1])
def test_what_is_odd_is_never_taken_for_something_else(tmp_path, odd: str, before: int) -> None:
    lines = [ROW] * before + [odd] + [ROW] * 2
    both(tmp_path, "\n".join(lines).encode())


def test_bytes_that_are_no_text_are_left_to_the_strict_one(tmp_path: Path) -> None:
    for data in (b"\xef\xbb\xbf" + ROW.encode(), ROW.encode().replace(b"u1", b"\xff"), b"", b"\n"):
        assert not both(tmp_path, data)


def test_the_strict_one_names_line_and_fault_wherever_it_is(tmp_path: Path, monkeypatch) -> None:
    lines = [ROW] * 400
    lines[377] = ODD["a key twice"]
    path = tmp_path / "interactions.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    with pytest.raises(DataError, match=r"line 378: the key 'user_id' is there twice; remove one"):
        read_tables([path], INTERACTIONS)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="is a damaged gzip file"):
        read_tables([path], INTERACTIONS)


def test_lines_and_characters_may_lie_on_the_ends_of_pieces(tmp_path: Path, monkeypatch) -> None:
    rows = [ROW.replace("u1", f"\u00fc{k}").replace("4.5", f"{k / 4}") for k in range(50)]
    path = tmp_path / "interactions.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8")
    strict = read_jsonl(path.read_bytes(), path.name, INTERACTIONS)
    in_small_pieces(monkeypatch)
    quick = read_flat(path, INTERACTIONS, PLAIN, Budget())
    assert quick is not None and said(quick) == said(strict)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
ids = st.one_of(texts, st.integers(-(10**19), 10**19))
numbers = st.one_of(
    st.integers(-(10**20), 10**20), st.floats(allow_nan=True), st.just(""), st.just("4,5")
)
anything = st.one_of(st.none(), st.booleans(), ids, numbers, st.lists(ids, max_size=2),
                     st.dictionaries(texts, ids, max_size=2))  # fmt: skip
one = st.fixed_dictionaries({"user_id": ids, "item_id": ids, "domain": texts},
                            optional={"rating": numbers, "timestamp": anything, "x": anything,
                                      "split": texts})  # fmt: skip
alike = st.tuples(st.sampled_from([texts, ids]), st.sampled_from([st.floats(), st.integers()]))
uniform = alike.flatmap(
    lambda kinds: st.lists(
        st.fixed_dictionaries({"user_id": kinds[0], "item_id": texts, "domain": texts,
                               "rating": kinds[1], "timestamp": kinds[1], "x": ids}),
        min_size=1, max_size=4)
)  # fmt: skip


@given(st.one_of(uniform, st.lists(one, min_size=1, max_size=3)), st.booleans())
@example([{"user_id": 1, "item_id": "", "domain": "", "rating": math.nan}], True)
@settings(max_examples=300, deadline=None)
def test_any_lines_read_alike_or_are_left_to_the_strict_one(tmp_path_factory, rows, plain) -> None:
    data = "\n".join(json.dumps(row, ensure_ascii=plain) for row in rows).encode()
    both(tmp_path_factory.getbasetemp(), data)
