"""Reading interactions from files, beside DuckDB's own reader, each in a process of its own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from micrec_core.benchmarks.measure import Options, Report, Target, Timing, in_python, times_longer

FORMS = ("csv.gz", "jsonl.gz", "parquet")
_INTERACTIONS, _FEW, _BATCH = 10_000_000, 5_000, 1 << 20
# Of both: processor seconds and, on Linux, how far the peak of memory rose above what was imported.
_CODE = """
import json, sys, time
kind, root, form = sys.argv[1:]
def held(word):
    try:
        with open("/proc/self/status") as status:
            return next(int(l.split()[1]) / 1024 for l in status if l.startswith(word))
    except OSError:
        return None
if kind == "duckdb":
    import duckdb, pyarrow
    duckdb.sql("SET threads TO 1; SET enable_progress_bar = false")
    reader = {"parquet": "read_parquet", "jsonl.gz": "read_json"}.get(form, "read_csv")
    read = lambda: duckdb.sql(f"SELECT * FROM {reader}('{root}/interactions.{form}')").arrow()
else:
    from pathlib import Path
    from micrec_core.data import read_dataset
    from micrec_core.data.dialect import PLAIN
    from micrec_core.data.readers import read_both
    read = (lambda: read_both(Path(root), PLAIN)) if kind == "tables" else (
        lambda: read_dataset(root))
before, began = held("VmRSS"), time.process_time()
kept = read()
if hasattr(kept, "read_all"):
    kept = kept.read_all()
spent = time.process_time() - began
peak = held("VmHWM")
print(json.dumps([spent, None if peak is None else peak - before]))
"""


def measure(options: Options) -> Report:
    """Ours to columns in memory, and to a checked and split dataset; DuckDB's to an Arrow table."""
    n = _FEW if options.quick else _INTERACTIONS
    kinds = ["tables", "dataset", *(["duckdb"] if find_spec("duckdb") else [])]
    timings: dict[str, Timing] = {}
    ratios: dict[str, float] = {}
    targets: list[Target] = []
    for form in FORMS:
        with tempfile.TemporaryDirectory() as place:
            write(Path(place), n, form)
            again = range(options.rounds(1))
            rounds = [[_read(kind, place, form) for kind in kinds] for _ in again]
        for which, unit, of in ((0, "s", "processor time"), (1, "MiB", "memory")):
            found = _timings(kinds, rounds, which, unit)
            timings |= {f"{form}, {kind}, {of}": t for kind, t in found.items()}
            if "duckdb" not in found:
                continue
            for kind, times in times_longer(found, "duckdb").items():
                ratios[f"{form}, {kind}, {of}"] = times
                if kind == "tables":
                    what = f"{of} of reading {form}, DuckDB's reader being 1"
                    targets.append(Target(what, times, 1.3, "x", below=True))
    return Report(
        "reading",
        "Interactions read from one file: ours to columns in memory (tables), and to a dataset "
        "that was checked against its items, merged, sorted and split; DuckDB's reader to an Arrow "
        "table, with one thread. Processor time and the rise of the peak of memory, in "
        "processes of their own.",
        {"interactions": n, "users": n // 10, "items": n // 100},
        timings,
        ratios,
        tuple(targets),
    )


def write(root: Path, n: int, form: str) -> None:
    """A dataset of ``n`` interactions in two domains: ids as shops have them, ratings, times."""
    rng = np.random.default_rng(0)
    n_users, n_items = max(n // 10, 1), max(n // 100, 1)
    domains = np.array(["food", "kitchen"])
    of_item = np.arange(n_items) % 2
    item = rng.integers(0, n_items, n)
    table = pa.table(
        {
            "user_id": _names("A", rng.integers(0, n_users, n)),
            "item_id": _names("B", item),
            "domain": pa.array(domains[of_item[item]]),
            "rating": pa.array(rng.integers(1, 6, n).astype(np.float64)),
            "timestamp": pa.array(rng.integers(1_400_000_000, 1_700_000_000, n)),
        }
    )
    every = np.arange(n_items)
    titles = pa.array([f"Thing no. {i}" for i in range(n_items)])
    shelf = pa.table(
        {"item_id": _names("B", every), "domain": pa.array(domains[of_item]), "title": titles}
    )
    pa.csv.write_csv(shelf, root / "items.csv")
    if form == "parquet":
        pq.write_table(table, root / "interactions.parquet", compression="zstd")
        return
    with pa.CompressedOutputStream(str(root / f"interactions.{form}"), "gzip") as stream:
        if form == "csv.gz":
            pa.csv.write_csv(table, stream)
        else:
            for batch in table.to_batches(_BATCH):
                stream.write(_lines(batch))


def _lines(batch: pa.RecordBatch) -> pa.Buffer:
    """Rows as flat objects of JSON, a line each."""
    texts: list[pa.Array | str] = ["{"]
    for place, (name, column) in enumerate(zip(batch.schema.names, batch.columns, strict=True)):
        mark = '"' if pa.types.is_string(column.type) else ""
        texts += [f'{", " if place else ""}"{name}": {mark}', column.cast(pa.string()), mark]
    return pc.binary_join_element_wise(*texts, "}\n", "").buffers()[2]


def _names(letter: str, rows: np.ndarray) -> pa.Array:
    """Ids of ten characters."""
    return pa.array(np.char.add(letter, np.char.zfill(rows.astype(str), 9)))


def _read(kind: str, place: str, form: str) -> list[float | None]:
    words = ["-W", "ignore", "-c", _CODE, kind, place, form]
    found: list[float | None] = json.loads(in_python(words, f"{form} could not be read by {kind}"))
    return found


def _timings(
    kinds: Sequence[str], rounds: Sequence[Sequence[list[float | None]]], which: int, unit: str
) -> dict[str, Timing]:
    """Kind -> its values; none where the system does not tell them."""
    out = {}
    for place, kind in enumerate(kinds):
        values = [one[place][which] for one in rounds]
        if all(value is not None for value in values):
            # Even a file of nothing takes a page of memory.
            out[kind] = Timing(tuple(max(float(value or 0), 1 / 256) for value in values), unit)
    return out
