"""A run for other programs: an HTML report, item vectors as one table or for the projector."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.data.spreadsheets import without_formulas
from micrec_core.errors import ConfigError, RunError
from micrec_core.names import LAYOUTS
from micrec_core.runs import Run, open_run
from micrec_core.runs.files import write_out

FORMATS = ("html", "tsv", "projector")
_VECTORS, _METADATA = "vectors.tsv", "metadata.tsv"
# A tab or a line break in a title would shift the table.
_BLANKS = re.compile(r"\s+")


def export_run(path: Path | str, kind: str, out: Path | str, *, exact: bool = False) -> list[Path]:
    """Write a run in another format.

    Parameters
    ----------
    kind : html (a self-contained report), tsv (a row per item: domain, id, title, its vector) or
        projector (a folder with the item vectors and their metadata, as the Embedding Projector
        takes them)
    out : the file, or for projector the folder
    exact : leave texts of a table as they are, though a spreadsheet might run them as formulas

    Returns
    -------
    the files written

    Raises
    ------
    ConfigError
        The format is unknown.
    RunError
        The run is damaged or lacks what is asked for.
    DataError
        ``out`` cannot be written.
    """
    if kind not in FORMATS:
        raise ConfigError(f"there is no format '{kind}'; use {', '.join(FORMATS)}")
    run, target = open_run(path), Path(out)
    texts: dict[Path, str]
    if kind == "html":
        texts = {target: report(run)}
    else:
        items, vectors = item_vectors(run)
        items = items if exact else without_formulas(items)
        rows = pd.DataFrame(vectors).map(lambda value: f"{value:.6g}")
        if kind == "tsv":
            table = pd.concat([items, rows.add_prefix("v")], axis=1)
            texts = {target: _tsv(table, header=True)}
        else:
            texts = {
                target / _VECTORS: _tsv(rows, header=False),
                target / _METADATA: _tsv(items, header=True),
            }
    for file, text in texts.items():
        write_out(file, text)
    return list(texts)


def report(run: Run) -> str:
    """The self-contained HTML report of a run.

    Raises
    ------
    RunError
        A table is damaged, or tables do not fit each other.
    """
    from micrec_core.report.html import html_report

    def frame(relative: str) -> pd.DataFrame | None:
        return run.frame(relative) if run.has(relative) else None

    def vectors(epoch: int) -> Mapping[str, NDArray[Any]]:
        return run.tensors(f"snapshots/epoch_{epoch:04d}.safetensors")

    has_map = run.has(LAYOUTS)
    try:
        return html_report(
            run.info.model_dump(), frame, run.history(), vectors if has_map else None
        )
    except (LookupError, ValueError, TypeError, ArithmeticError) as error:
        raise RunError(
            f"Run '{run.name}' has tables that do not fit together ({_first_line(error)}): "
            "train it anew."
        ) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:200] or type(error).__name__


def item_vectors(run: Run) -> tuple[pd.DataFrame, NDArray[np.float32]]:
    """What every item is scored by.

    Returns
    -------
    items : domain, item_id, title, degree
    vectors : float32 [n, dim], in step
    """
    from micrec_core.serving.bundle import read_bundle

    parts, vectors = [], []
    for part in read_bundle(run).domains:
        items = {"item_id": part.item_ids, "title": part.titles}
        degree = part.item_count.astype(np.int64)
        parts.append(pd.DataFrame({"domain": part.name, **items, "degree": degree}))
        vectors.append(part.items)
    return pd.concat(parts, ignore_index=True), np.concatenate(vectors)


def _tsv(table: pd.DataFrame, header: bool) -> str:
    plain = table.astype(str).map(lambda value: _BLANKS.sub(" ", value).strip())
    lines = ["\t".join(row) for row in plain.itertuples(index=False, name=None)]
    head = ["\t".join(map(str, plain.columns))] if header else []
    return "\n".join([*head, *lines]) + "\n"
