"""What a run and what serves it come to as plain data that JSON holds; both the recorder and the
tests make it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numba
import pandas as pd
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from tests.golden.adapter import Refused, command, ranked_lists, recommender
from tests.golden.plan import TRAINING, TRAININGS

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).resolve().parents[2]
# The run that came with the app when these numbers were recorded, as far as they are of it.
BUNDLED = DATA / "bundled"
REAL_DATA = ROOT.parent / "shared" / "data" / "food_kitchen"
LENGTH, EXPLAINED = 20, (0, 9)
# Of every user; the first model's run is recorded with all that its tables hold.
METRICS = ("ndcg@10", "ndcg@20", "recall@20", "mrr@20")
WHOLE = "micrec"
_NO_NUMBERS = ("seconds", "milliseconds")
_PACKAGES = ("torch", "numpy", "scipy", "numba", "scikit-learn", "pillow")


# Files -------------------------------------------------------------------------------------------


def write(name: str, value: Any) -> Path:
    """Write plain data, the same bytes for the same data."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    made = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=made, mode="wb", mtime=0) as stream:
        stream.write(text.encode())
    path = DATA / f"{name}.json.gz"
    path.write_bytes(made.getvalue())
    return path


def read(name: str) -> Any:
    """What was recorded."""
    return json.loads(gzip.decompress((DATA / f"{name}.json.gz").read_bytes()))


def unpack(name: str, out: Path) -> Path:
    """A stored folder, unpacked."""
    with zipfile.ZipFile(DATA / f"{name}.zip") as archive:
        archive.extractall(out)
    return out


def pack(folder: Path, name: str) -> Path:
    """Store a folder, the same bytes for the same files."""
    path = DATA / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(f for f in folder.rglob("*") if f.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return path


# The machine -------------------------------------------------------------------------------------


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread in every library: sums over threads depend on how many there are."""
    before = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before[0])
    numba.set_num_threads(before[1])


def environment() -> dict[str, str]:
    """What decides the last bits of a sum: libraries, and the instructions they choose."""
    from llvmlite import binding

    blas = {
        f"{lib['internal_api']} kernels": str(lib["architecture"])
        for lib in threadpool_info()
        if lib.get("architecture")
    }
    return {
        **{name: metadata.version(name) for name in _PACKAGES},
        "torch kernels": torch.backends.cpu.get_cpu_capability(),
        "numba cpu": binding.get_host_cpu_name(),
        **blas,
    }


# Runs --------------------------------------------------------------------------------------------


def train(name: str, dataset: Path, out: Path, cache: Path) -> Path:
    """Train one of ``TRAININGS``; the run."""
    fixed = ("--device", "cpu", "--no-umap", "--cache", cache)
    command("train", dataset, "--out", out, *TRAINING, *TRAININGS[name], *fixed)
    return out


def trained(name: str, run: Path, dataset: Path) -> dict[str, Any]:
    """Metrics, history and lists of a run."""
    info = json.loads((run / "run.json").read_text())
    return {
        "fingerprint": info["dataset"]["fingerprint"],
        "best_epoch": info["best_epoch"],
        "n_parameters": info["n_parameters"],
        "frames": frames(run, own=None if name == WHOLE else info["model"]),
        "history": history(run),
        "lists": [_short(found) for found in ranked_lists(run, dataset)],
    }


def _short(found: dict[str, Any]) -> dict[str, Any]:
    """Lists by what their item ids end in, cut."""
    lists = [" ".join(i.rsplit("-", 1)[1] for i in items[:LENGTH]) for items in found["items"]]
    return found | {"items": lists}


def history(run: Path) -> list[dict[str, float]]:
    """One flat dict an epoch, without times."""
    rows = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    table = pd.json_normalize(rows)
    return [
        {str(k): digits(v) for k, v in row.items() if k not in _NO_NUMBERS and v == v}
        for row in table.to_dict("records")
    ]


def frames(run: Path, own: str | None) -> dict[str, dict[str, list[Any]]]:
    """The tables of a run's metrics, by name.

    Parameters
    ----------
    own : keep a few metrics of each user, and of the summary the rows of this model; None keeps all
    """
    out = {}
    for path in sorted((run / "metrics").glob("*.parquet")):
        table = pd.read_parquet(path)
        if own is not None and path.stem.startswith("users_"):
            keys = [c for c in table.columns if "@" not in c]
            table = table[[*keys, *METRICS]]
            if "model" in keys:
                continue
        elif own is not None and path.stem == "summary":
            table = table[(table["model"] == own) & table["metric"].isin(METRICS)]
        elif own is not None:
            continue
        out[path.stem] = plain(table)
    return out


def plain(table: pd.DataFrame) -> dict[str, list[Any]]:
    """A table's columns, times left out; floats with ten digits, None for no number."""
    out: dict[str, list[Any]] = {}
    for name, column in table.items():
        if name in _NO_NUMBERS:
            continue
        if column.dtype.kind in "iub":
            out[str(name)] = column.tolist()
        elif column.dtype.kind == "f":
            out[str(name)] = [digits(v) for v in column]
        else:
            out[str(name)] = [None if pd.isna(v) else str(v) for v in column]
    return out


def digits(value: float) -> float | None:
    """Ten significant digits; None for NaN."""
    return None if math.isnan(value) else float(f"{value:.10g}")


# Serving -----------------------------------------------------------------------------------------


def served(run: Path, asked: Mapping[str, Any], images: Path) -> dict[str, Any]:
    """Lists and explanations of everyone who is asked for, and of new items for them."""
    model = recommender(run)
    people = {p["name"]: model.user(**_given(p, images)) for p in asked["people"]}
    found: dict[str, Any] = {"people": {}, "items": {}}
    for name, user in people.items():
        found["people"][name] = {d: _recommended(model, user, d) for d in model.domains}
    for item in asked["items"]:
        found["items"][item["name"]] = _new_item(model, item, people, images)
    return found


def _given(asked: Mapping[str, Any], images: Path) -> dict[str, Any]:
    given = {key: value for key, value in asked.items() if key != "name"}
    if "image" in given:
        given["image"] = images / given["image"]
    return given


def _recommended(model: Any, user: Any, domain: str) -> dict[str, Any]:
    found = model.recommend(user, domain, k=LENGTH)
    table = found.items
    parts = [c for c in table.columns if c not in ("item_id", "title", "score")]
    ids = table["item_id"].tolist()
    reasons = [ids[place] for place in EXPLAINED if place < len(ids)]
    return {
        "kind": found.kind,
        "personal": not found.note,
        "items": ids,
        "scores": [digits(v) for v in table["score"]],
        "parts": {c: [digits(v) for v in table[c]] for c in parts},
        "weights": {m: digits(w) for m, w in model.weights(user, domain).items()},
        "explained": {i: explanation(model.explain(user, domain, i)) for i in reasons},
    }


def _new_item(
    model: Any, asked: Mapping[str, Any], people: Mapping[str, Any], images: Path
) -> dict[str, Any]:
    given = _given(asked, images)
    domain = given.pop("domain")
    try:
        item = model.new_item(domain, **given)
    except Refused:  # by a model of likes alone, where there is none
        return {"refused": True}
    like = model.similar(domain, item, k=LENGTH)
    out: dict[str, Any] = {
        "weights": {m: digits(w) for m, w in item.weights.items()},
        "items": like["item_id"].tolist(),
        "scores": [digits(v) for v in like["similarity"]],
        "explained": {},
        "ranks": {},
    }
    for name, user in people.items():
        place, score, among = model.rank(user, domain, item)
        out["ranks"][name] = [place, digits(score), among]
        out["explained"][name] = explanation(model.explain(user, domain, item))
    return out


def explanation(found: Any) -> dict[str, Any]:
    """A score taken apart: by source, by pair of sources, by contributor."""
    rows = found.table[["source", "side", "domain", "contributor_id", "via"]]
    return {
        "score": digits(found.score),
        "parts": {source: digits(v) for source, v in found.parts.items()},
        "cells": [digits(v) for v in found.cells["contribution"]],
        "rows": ["|".join(map(str, row)) for row in rows.itertuples(index=False, name=None)],
        "contributions": [digits(v) for v in found.table["contribution"]],
    }


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
