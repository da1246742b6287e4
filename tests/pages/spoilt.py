"""Pages over a run that is spoilt: each says what is the matter, or shows what there is."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tests.serving.fuzz import sealed
from tests.ui_run import write_run

# Which pages read a file, by the beginning of its name; Overview reads most of them.
READ_BY = {
    "snapshots/": ("alignment",),
    "metrics/alignment": ("alignment", "overview"),
    "metrics/": ("overview", "ablations", "low_degree", "modalities"),
    "weights": ("modalities", "recommendations"),
    "catalogue": ("recommendations", "cold_start", "new_item", "low_degree"),
    "history": ("retrain", "overview"),
    "run.json": ("overview", "runs", "retrain", "cold_start", "alignment", "recommendations"),
    "manifest": ("overview", "runs"),
    "": ("overview", "cold_start"),
}
# What is named more often: what pages read as it is, without a list or a score between.
WEIGHTS = {"run.json": 8, "catalogue.parquet": 6, "weights.parquet": 4}
_RUNS, _RUN = "runs", "runs/tiny"


def lay_out(folder: Path) -> None:
    """A made-up run, and beside it the same to mend it by."""
    write_run(folder / "runs", "tiny", columns=True)
    shutil.copytree(folder / _RUN, folder / "whole")


def spoil(folder: Path, seed: int) -> tuple[str, str]:
    """Change one file and seal the run again."""
    rng = np.random.default_rng(seed)
    names = sorted(p.relative_to(folder / _RUN).as_posix() for p in _files(folder / _RUN))
    weights = np.array(
        [WEIGHTS.get(n, 3 if n.startswith("snapshots/") else 2) for n in names], float
    )
    return sealed(folder / _RUN, str(rng.choice(names, p=weights / weights.sum())), rng)


def use(folder: Path, name: str) -> None:
    """Open the pages that read the file; RunError with what the first of them refuses.

    Raises
    ------
    RunError
        A page says what is the matter.
    AssertionError
        A page broke off.
    """
    import logging
    from unittest.mock import patch

    os.environ["STREAMLIT_CLIENT_SHOW_ERROR_DETAILS"] = "full"
    from micrec_core.errors import RunError
    from micrec_core.ui import serve
    from tests.pages.conftest import at_address
    from tests.ui_stub import StubRecommender

    def stub(key: str, run: Any) -> tuple[Any, str]:
        model = StubRecommender(run)
        return model, model.parameter_hash()

    there = {"MICREC_RUNS": str(folder / _RUNS), "MICREC_BUNDLED": str(folder / "none"),
             "MICREC_DATA": str(folder / "data")}  # fmt: skip
    refused = ""
    logging.disable()  # a page that breaks off is told below
    with patch.dict(os.environ, there), patch.object(serve, "_recommender", stub):
        for page in next(pages for start, pages in READ_BY.items() if name.startswith(start)):
            test = at_address(page)
            broken = [f"{page}: {e.message} {[*e.stack_trace][-2:]}" for e in test.exception]
            assert not broken, broken[0]
            refused = refused or next((str(e.value) for e in test.error), "")
    if refused:
        raise RunError(re.sub(r"\\(.)", r"\1", refused.split("\n")[0]))


def mend(folder: Path, name: str) -> None:
    """The run as it was."""
    shutil.rmtree(folder / _RUN)
    shutil.copytree(folder / "whole", folder / _RUN)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
