"""The quick reader of separated text gives what the other does, or steps aside for it."""

from __future__ import annotations

import csv
import gzip
import io
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrec_core.data import gathered, sources
from micrec_core.data.delimited import read_delimited
from micrec_core.data.dialect import PLAIN, Dialect
from micrec_core.data.plain_text import read_plain
from micrec_core.data.schema import INTERACTIONS
from micrec_core.data.table_files import read_tables
from micrec_core.errors import DataError
from tests.data.quick import both_read, in_small_pieces

HEADER = "user_id,item_id,domain,rating,timestamp"
ROW = "u1,i1,d,4.5,5"
number = count()


def both(root: Path, data: bytes, dialect: Dialect = PLAIN, name: str = "csv") -> bool:
    """Whether the quick reader took it; that it was right to if so."""
    path = root / f"interactions{next(number)}.{name}"
    path.write_bytes(data)
    found = both_read(
        lambda budget: read_plain(path, INTERACTIONS, dialect, budget),
        lambda: read_delimited(
            sources.read_bytes(path),
            path.name,
            INTERACTIONS,
            sources.delimiter_of(path),
            dialect=dialect,
        ),
    )
    if found is None:
        return False
    quick, strict = found
    for row in range(quick.n_rows):
        assert quick.place(row) == strict.place(row)
    return True


PLAINLY = {
    "rows": f"{HEADER}\n{ROW}\n{ROW}",
    "a mark": f"\ufeff{HEADER}\n{ROW}\n",
    "Windows": f"{HEADER}\r\n{ROW}\r\n{ROW}\r\n",
    "quotes": '"user_id","item_id",domain\n"u,1","i1",d\n',
    "blank lines": f"{HEADER}\n\n{ROW}\n\n\n{ROW}\n",
    "nothing in a field": f"{HEADER}\nu1,,,,\n",
    "words for nothing": f"{HEADER}\nNA,null,NaN,,\n",
    "white space": "user_id , item_id,domain\n u1 ,i1,d\n",
    "columns of no name": f"{HEADER},,\n{ROW},,x\n",
    "letters": f"{HEADER}\nü,\U0001f600,d,1,1\n",
}


@pytest.mark.parametrize("kind", PLAINLY)
def test_plain_text_is_taken(tmp_path: Path, kind: str) -> None:
    text = PLAINLY[kind]
    assert both(tmp_path, text.encode())
    assert both(tmp_path, gzip.compress(text.encode()), name="csv.gz")
    if kind != "quotes":
        assert both(tmp_path, text.replace(",", "\t").encode(), name="tsv")
        marked = Dialect(columns={"user_id": ("who",)}, separator=";")
        assert both(tmp_path, text.replace(",", ";").replace("user_id", "who").encode(), marked)


ODD = {
    "the header again": f"{ROW}\n{HEADER}\n{ROW}",
    "the header at once again": f"{HEADER}\n{ROW}",
    "a mark within": f"{ROW}\n\ufeff{ROW}",
    "NUL": f"{ROW}\nu\0,i,d,1,1",
    "a field more": f"{ROW}\n{ROW},x",
    "a field less": f"{ROW}\nu1,i1",
    "a word alone": f"{ROW}\n(1 row)",
    "an open quote": f'{ROW}\n"u1,i1,d,1,1',
    "a quote within": f'{ROW}\nu"1,i1,d,1,1',
    "text after a quote": f'{ROW}\n"u"1,i1,d,1,1',
    "doubled quotes": f'{ROW}\n"u""1",i1,d,1,1',
    "a field over lines": f'{ROW}\n"u\n1",i1,d,1,1',
    "carriage returns": f"{ROW}\r{ROW}\r",
    "two carriage returns": f"{ROW}\r\r\n{ROW}\r\r\n",
    "spaces in a line": f"{ROW}\n   \n{ROW}",
    "no row": "",
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_odd_is_never_taken_for_something_else(tmp_path: Path, kind: str) -> None:
    for end in ("", "\n"):
        both(tmp_path, f"{HEADER}\n{ODD[kind]}{end}".encode())


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n", f"\n{HEADER}\n{ROW}".encode(), f"sep=,\n{HEADER}\n{ROW}".encode(),
        f"{HEADER}\r{ROW}\r".encode(), f"{HEADER}\n{ROW}".encode("utf-16"),
        f"{HEADER}\n\xfc,i,d,1,1".encode("latin-1"), HEADER.replace(",", ";").encode(),
        f"user_id,user_id,domain\n{ROW}".encode(), b"PK\x03\x04", f"{HEADER}\n".encode(),
        f'{HEADER},"a\nb"\n{ROW},c\n'.encode(),
    ],
)  # fmt: skip
def test_what_needs_another_look_is_left(tmp_path: Path, data: bytes) -> None:
    assert not both(tmp_path, data)


def test_rows_may_lie_on_the_ends_of_pieces_and_be_coded_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f'ü{k},"i{k % 7}",d,{k / 4},{k}' for k in range(50)]
    data = "\n".join([HEADER, *rows]).encode()
    in_small_pieces(monkeypatch)
    monkeypatch.setattr(gathered, "_ROWS", 8)
    assert both(tmp_path, data)


def test_a_line_far_below_is_named(tmp_path: Path) -> None:
    path = tmp_path / "interactions.csv.gz"
    rows = [ROW] * 400
    rows[377] += ",x"
    path.write_bytes(gzip.compress("\n".join([HEADER, *rows]).encode()))
    with pytest.raises(DataError, match="csv.gz, line 379: there are 6 fields where the header"):
        read_tables([path], INTERACTIONS)


fields = st.text(st.sampled_from('ab,;"\n\r \t\ufeff\0é0'), max_size=4)


@given(
    rows=st.lists(st.lists(fields, min_size=3, max_size=4), min_size=1, max_size=4),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    raw=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_any_text_reads_alike_or_is_left(tmp_path_factory, rows, quoting, end, raw) -> None:
    out = io.StringIO()
    writer = csv.writer(out, quoting=quoting, lineterminator=end)
    written = [["user_id", "item_id", "domain"], *rows]
    text = (
        end.join(map(",".join, written)) if raw else (writer.writerows(written), out)[1].getvalue()
    )
    both(tmp_path_factory.getbasetemp(), text.encode())
