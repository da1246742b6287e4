"""A small complete run to read, break and copy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from micrec_core.names import SUMMARY, SUMMARY_COLUMNS
from micrec_core.runs import RunWriter
from micrec_core.runs.tables import COUNTS, TEXT

INFO = {
    "model": "micrec",
    "variant": "full",
    "seed": 3,
    "split": "known",
    "dataset": {
        "name": "tiny",
        "fingerprint": "0" * 16,
        "synthetic": True,
        "domains": [{"name": "food", "label": "Food", "n_users": 4}],
    },
    "encoders": {"text": "TF-IDF"},
}


def table(columns: Sequence[str], **values: Sequence[Any]) -> pd.DataFrame:
    """A table of these columns, with nothing but the values given."""
    nothing = {**dict.fromkeys(TEXT, ""), **dict.fromkeys(COUNTS, 0)}
    given = pd.DataFrame(values)
    empty = {name: nothing.get(name, np.nan) for name in columns if name not in given}
    return given.assign(**empty)[list(columns)]


def write_run(path: Path) -> RunWriter:
    """Write everything of a run but its end."""
    writer = RunWriter(path, INFO)
    generator = np.random.default_rng(0)
    writer.write_tensors("model.safetensors", {"t": generator.normal(size=(5, 4)).astype("f4")})
    summary = table(SUMMARY_COLUMNS, metric=["ndcg@20", "recall@20"], mean=[0.1, np.nan])
    writer.write_parquet(SUMMARY, summary)
    writer.write_json("serving.json", {"domains": ["food", "kitchen"], "bad": float("nan")})
    for epoch in range(3):
        writer.append_history({"epoch": epoch, "loss": {"bpr": 1 / (epoch + 1)}})
    return writer


@pytest.fixture
def run_path(tmp_path: Path) -> Path:
    path = tmp_path / "runs" / "tiny"
    write_run(path).finish(best_epoch=2)
    return path
