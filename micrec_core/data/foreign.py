"""Files that are no tables, or of another kind than their names say: what each is, and what to do.

Told by their first bytes, and of those that have another ending by that.
"""

from __future__ import annotations

from micrec_core.errors import DataError

# So many bytes tell what a file is.
HEAD = 512
_SHEET = "save its sheet as CSV (UTF-8)"
_UNPACK = "unpack it, and pack it by gzip if it is large"
_EXPORT = "write its table as CSV or parquet"
GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
_SIGNS = (
    (GZIP, "gzip-compressed", "give its name the ending .gz"),
    (PARQUET, "a parquet file", "give its name the ending .parquet"),
    (b"ARROW1", "an Arrow file", "give its name the ending .arrow"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet", f"unpack it, or {_SHEET}"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a spreadsheet of an older kind", _SHEET),
    (b"BZh", "bzip2-compressed", _UNPACK),
    (b"\xfd7zXZ", "xz-compressed", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed", _UNPACK),
    (b"7z\xbc\xaf", "an archive of 7-Zip", "unpack it"),
    (b"SQLite format 3\0", "an SQLite database", _EXPORT),
    (b"\x89HDF", "an HDF5 file", _EXPORT),
    (b"\x89PNG", "a picture", "give the table itself"),
    (b"%PDF", "a PDF", "give the table itself"),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS to the file",
        "fetch the file by git lfs pull",
    ),
)
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body", b"<table")
# Pickles of Python 2 to 5 begin so.
_PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
# Ending -> what such a file is, and what to do with it; {} is what the table is called.
_ENDINGS = {
    (".xlsx", ".xls", ".ods", ".numbers"): ("a spreadsheet", "save its sheet as {}.csv (UTF-8)"),
    (".zip", ".7z", ".rar", ".tar", ".tar.gz", ".tgz"): ("an archive", "unpack it"),
    (".bz2", ".xz", ".zst", ".lz4"): ("compressed in a way that is not read", _UNPACK),
    (".json", ".json.gz", ".ndjson", ".ndjson.gz"): (
        "read only where it has an object on each line",
        "write it so, as jq -c .[] does with an array, and call it {}.jsonl",
    ),
    (".txt", ".dat", ".data", ".tab", ".txt.gz", ".dat.gz"): (
        "read by another ending only",
        "call it {}.csv, or {}.tsv where tabs are between its columns",
    ),
    (".pkl", ".pickle", ".npz", ".npy", ".h5", ".hdf5", ".rds", ".rdata", ".sav", ".dta", ".db",
     ".sqlite", ".orc", ".avro"): ("no table that is read", "write it as {}.csv or {}.parquet"),
}  # fmt: skip


def sign(head: bytes) -> tuple[str, str] | None:
    """What content is by its first ``HEAD`` bytes, and the mend; None where it may be a text."""
    for magic, what, mend in _SIGNS:
        if head.startswith(magic):
            return what, mend
    if head[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        return "a web page", "give the table itself: a download may have led to a page"
    if head[257:262] == b"ustar":
        return "a tar archive", "unpack it"
    return ("a pickle of Python", _EXPORT) if head.startswith(_PICKLES) else None


def refuse_foreign(head: bytes, name: str, own: bytes = b"") -> None:
    """Refuse content that its first bytes tell to be of another kind than ``name`` says.

    Parameters
    ----------
    own : what it begins with where it is what its name says

    Raises
    ------
    DataError
        Names both, and the mend.
    """
    found = None if own and head.startswith(own) else sign(head)
    if found is None:
        return
    what, mend = found
    if what == "gzip-compressed" and name.endswith(".gz"):
        what, mend = "gzip-compressed twice", "unpack it once"
    raise DataError(f"{name}: the content is {what}, not what its name says; {mend}")


def wide_encoding(head: bytes) -> str:
    """The encoding of text in two bytes a character that has no mark of it; empty of other text."""
    even, odd = head[:64:2], head[1:64:2]
    if len(odd) < 4:
        return ""
    if not any(odd) and all(even):
        return "utf-16-le"
    return "utf-16-be" if not any(even) and all(odd) else ""


def by_ending(name: str, stem: str) -> tuple[str, str] | None:
    """What a file is that is called so and is to be the table ``stem``, and the mend."""
    endings = ((ending, told) for some, told in _ENDINGS.items() for ending in some)
    found = [told for ending, told in endings if name.lower().endswith(ending)]
    return (found[-1][0], found[-1][1].replace("{}", stem)) if found else None
