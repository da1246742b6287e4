"""The report on stored runs says what the runs say."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from micrec_core.pipeline.results import write_results
from micrec_core.runs import open_run

RUN = Path(__file__).resolve().parents[1] / "assets" / "runs" / "sample"


def test_every_figure_comes_from_the_run(tmp_path: Path) -> None:
    out = tmp_path / "results.md"
    run = open_run(RUN)
    assert run.info.dataset is not None
    write_results([RUN], out, {run.info.dataset.name: "Synthetic, as said above."})
    text = out.read_text(encoding="utf-8")
    assert "Synthetic, as said above." in text and run.info.dataset.fingerprint in text
    summary = run.frame("metrics/summary.parquet")
    wanted = summary[
        (summary["model"] == "micrec")
        & (summary["protocol"] == "cold-domain")
        & (summary["metric"] == "ndcg@20")
        & (summary["cohort"] == "all")
    ]
    for row in wanted.itertuples():
        assert f"{row.mean:.4f} [{row.low:.4f}, {row.high:.4f}]" in text
    table = pd.read_csv(next((tmp_path / "results").glob("*.csv")))
    assert set(table["protocol"]) >= {"new-items", "cold-domain", "new-users"}
