"""The report on stored runs says what the runs say."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from micrec_core.baselines import families, models
from micrec_core.cli import main as command_line
from micrec_core.cli.output import metric_lines
from micrec_core.config import RunSettings
from micrec_core.errors import ConfigError
from micrec_core.report import results
from micrec_core.report.render import difference, gain, interval
from micrec_core.report.reproduce import train_command
from micrec_core.report.results import write_results
from micrec_core.report.stored_runs import Group
from micrec_core.report.summary import findings
from micrec_core.runs import open_run

RUN = Path(__file__).resolve().parents[2] / "assets" / "runs" / "sample"


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


def test_what_people_wrote_into_the_page_stays(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    write_results([RUN], page)
    plain = page.read_text()
    top, end = (
        f"<!-- {name} -->\n{name} {{{{ x }}}}\n<!-- end of {name} -->" for name in results.KEPT
    )
    page.write_text(f"{top}\n{plain}\n{end}\n")
    for _ in range(2):
        write_results([RUN], page)
        text = page.read_text()
        assert text.count(top) == text.count(end) == 1
        assert text.index(top) < text.index("## In short") < text.index(end)
    assert text.replace(f"{top}\n\n", "").replace(f"\n{end}\n", "") == plain


def test_figures_under_two_masks_stand_apart_and_say_so(tmp_path: Path, monkeypatch) -> None:
    run = open_run(RUN)
    public = replace(run, info=run.info.model_copy(update={"mask": "train"}))
    stored = {"ours": run, "public": public}
    monkeypatch.setattr(results, "open_run", lambda path: stored[path.name])
    out = tmp_path / "results.md"
    write_results([Path("ours"), Path("public")], out)
    headings = [line for line in out.read_text().splitlines() if line.startswith("## ")]
    assert sum(line.endswith(", train items alone masked") for line in headings) == 1
    assert len(headings) == 3, "in short, and a section for each mask"
    assert len([p for p in (tmp_path / "results").iterdir() if "mask-train" in p.name]) >= 1


def test_head_tells_who_is_best_and_what_each_mechanism_earns(tmp_path: Path) -> None:
    out = tmp_path / "results.md"
    write_results([RUN], out)
    head = out.read_text(encoding="utf-8").partition("## In short")[2].partition("\n## ")[0]
    rows = open_run(RUN).frame("metrics/variants.parquet")
    rows = rows[(rows["metric"] == "ndcg@20") & (rows["cohort"] == "all") & (rows["seed"] == -1)]
    asked = rows[(rows["protocol"] == "new-users") & (rows["domain"] == "food")]
    full = asked[(asked["model"] == "micrec") & (asked["variant"] == "full")]["mean"].iloc[0]
    best = asked[asked["model"] != "micrec"].sort_values("mean").iloc[-1]
    line = next(line for line in head.splitlines() if "| new-users | food |" in line)
    assert f"| {full:.4f} |" in line and f"{best['mean']:.4f}" in line
    assert f"{full / best['mean'] - 1:+.1%}" in line
    # Models that give all new items one score are nothing to be compared with: content alone is.
    line = next(line for line in head.splitlines() if "| new-items | food |" in line)
    assert "| content-profile " in line
    for variant in ("text", "image", "modality", "contrast", "self-enhanced", "templates"):
        own = rows[(rows["model"] == "micrec") & (rows["variant"] == variant)]
        n_open = int((own["p_holm"] >= 0.05).sum())
        line = next(line for line in head.splitlines() if line.startswith(f"| {variant} |"))
        assert line.endswith(f"| {n_open} of {len(own)} |")
        told = own[own["p_holm"] < 0.05]
        better, worse = line.split(" | ")[1:3]
        assert better.count("(1,960 items)") == int((told["diff"] < 0).sum())
        assert worse.count("(1,960 items)") == int((told["diff"] > 0).sum())


def test_doing_without_the_only_modality_counts_for_it() -> None:
    run = open_run(RUN)
    alone = replace(run, info=run.info.model_copy(update={"encoders": {"text": "TF-IDF"}}))
    before, after = findings(Group([run])), findings(Group([alone]))
    added = [finding.full - finding.other for finding in after[len(before) :]]
    modality = [f.full - f.other for f in before if f.name == "micrec without modality"]
    assert added == modality != []
    assert {finding.name for finding in after[len(before) :]} == {"micrec without text"}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--model", "inmo", "--seed", "3", "--set", "epochs=7", "--split", "inductive"],
        ["--without", "text,contrast", "--set", "learning_rate=0.005", "--image", "none"],
        ["--model", "ease", "--set", "options.penalty=20", "--set", "rating_threshold=3.5"],
        ["--preset", "dense", "--set", "dropout=0.25"],
        ["--preset", "paper", "--without", "contrast"],
    ],
)
def test_the_command_of_a_run_gives_its_settings(words: list[str], monkeypatch) -> None:
    asked: list[RunSettings] = []

    def train_run(path: Path, out: Path, settings: RunSettings, **rest: object) -> None:
        asked.append(settings)
        raise ConfigError("only the settings are looked at")

    monkeypatch.setattr("micrec_core.running.tune.train_run", train_run)
    command_line(["train", "TABLES", "--out", "again", *words])
    config = asked[0].model_dump(mode="json")
    run = open_run(RUN)
    told = train_command(replace(run, info=run.info.model_copy(update={"config": config})))
    command_line(shlex.split(told)[3:])
    assert asked[0] == asked[1]


def test_too_few_users_are_no_figure_in_documents_and_on_the_command_line() -> None:
    row = {"mean": 0.1, "low": 0.05, "high": 0.2, "diff": -0.1, "diff_low": -0.2, "diff_high": 0.0,
           "p_holm": 0.01}  # fmt: skip
    assert interval(row | {"n": 20}) == "0.1000 [0.0500, 0.2000]"
    assert interval(row | {"n": 19}) == "fewer than 20 users"
    assert difference(row | {"n": 19}) == gain(row | {"n": 19}) == ""
    few = {"new-users": {"food": {"ndcg@20": row | {"n": 2}, "recall@20": row | {"n": 2}}}}
    assert metric_lines(few)[1].split() == [
        "new-users", "food", *["fewer", "than", "20", "users"] * 2, "2",
    ]  # fmt: skip


def test_families_cover_the_baselines_once() -> None:
    named = [model for family in families().values() for model in family]
    assert sorted(named) == sorted(set(models()) - {"micrec"})
