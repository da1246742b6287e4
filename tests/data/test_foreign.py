"""What is no table is called what it is, by its first bytes and by its ending."""

from __future__ import annotations

import bz2
import gzip
import lzma
import pickle

import pyarrow as pa
import pytest

from micrec_core.data.foreign import by_ending, refuse_foreign, sign, wide_encoding
from micrec_core.errors import DataError

TEXT = b"user_id,item_id,domain\nu0,f0,food\n"
KINDS = {
    "gzip-compressed": gzip.compress(TEXT),
    "bzip2-compressed": bz2.compress(TEXT),
    "xz-compressed": lzma.compress(TEXT),
    "zstd-compressed": pa.compress(TEXT, "zstd", asbytes=True),
    "an archive of 7-Zip": b"7z\xbc\xaf\x27\x1c",
    "an HDF5 file": b"\x89HDF\r\n\x1a\n",
    "a web page": b"\xef\xbb\xbf\r\n<HTML>",
    "a pickle of Python": pickle.dumps([1], 2),
}


@pytest.mark.parametrize("kind", KINDS)
def test_first_bytes(kind: str, one_sentence) -> None:
    with pytest.raises(DataError, match=f"a.csv: the content is {kind}, not what") as refused:
        refuse_foreign(KINDS[kind], "a.csv")
    one_sentence(str(refused.value))


@pytest.mark.parametrize("text", [b"", b"a", TEXT, b"<3,item", b"BZ,a", "\u00e9,b".encode()])
def test_what_may_be_a_table(text: bytes) -> None:
    assert sign(text) is None and wide_encoding(text) == ""


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("items.XLSX", "a spreadsheet"), ("items.tar.gz", "an archive"),
        ("items.csv.zst", "compressed"), ("items.ndjson.gz", "read only where"),
        ("items.txt.gz", "read by another ending"), ("items.sqlite", "no table that is read"),
    ],
)  # fmt: skip
def test_endings(name: str, what: str) -> None:
    found = by_ending(name, "items")
    assert found is not None and found[0].startswith(what) and "{" not in found[1]
    assert by_ending("items.csv", "items") is None
