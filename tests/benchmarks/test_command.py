"""``benchmark --quick`` from end to end, and what is kept of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from micrec_core.benchmarks import BENCHMARKS, Options, read_reports, write_reports, write_table
from micrec_core.benchmarks.measure import Report, Target, Timing, in_turn
from micrec_core.benchmarks.table import BEGIN, END
from micrec_core.cli import main
from micrec_core.errors import ConfigError, DataError
from micrec_core.running.cost import peak_memory

MACHINE = {
    "cores": 2, "architecture": "x86_64", "memory_gb": 8, "gpu": None, "threads": {"torch": 2},
    "load": 0.1, "load_after": 0.2, "measured": "2026-01-01", "versions": {"numpy": "2.0"},
}  # fmt: skip


def report(name: str, *values: float) -> dict:
    made = Report(
        name, "What it is.", {"items": 1000}, {"ours": Timing(values)}, {"peer": 2.5},
        (Target("speed", 2.5, 3, "x"), Target("time", 4, 5, "ms", below=True)),
    )  # fmt: skip
    return made.as_json(MACHINE)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_runs(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out, table = tmp_path / "kept.json", tmp_path / "page.md"
    words = ["benchmark", name, "--quick", "--out", str(out), "--table", str(table), "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["benchmark"] == name and found["quick"]
    assert {"machine", "sizes", "medians", "timings", "ratios", "targets"} <= set(found)
    assert all(value > 0 for value in found["medians"].values())
    assert set(read_reports(out)) == {name}
    assert f"### {name}" in table.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "there is no benchmark 'nothing'; known are: propagation"),
        (["propagation", "--repeats", "0"], "--repeats is 1 or more, and not 0"),
        (["starting", "--quick", "--run", "nowhere"], "nowhere"),
        pytest.param(
            ["gpu"],
            "the benchmark 'gpu' needs a CUDA device",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device"),
        ),
    ],
)
def test_bad_words_are_one_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", *words, "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err.splitlines()[-1]


def test_work_is_timed_in_turn_and_the_first_round_is_not_counted() -> None:
    seen: list[str] = []
    works = {name: lambda name=name: seen.append(name) for name in "ab"}
    timings = in_turn(works, 3)
    assert [len(t.values) for t in timings.values()] == [3, 3]
    assert "".join(seen) == "abbaabba"


def test_work_is_timed_by_the_clock_that_is_given() -> None:
    ticks = iter(range(8))
    timings = in_turn({"a": lambda: None}, 2, clock=lambda: float(next(ticks)))
    assert timings["a"].values == (1000.0, 1000.0)


def test_memory_of_a_piece_of_work_is_seen() -> None:
    def work() -> None:
        block = bytearray(64 * 2**20)
        block[::4096] = b"x" * len(block[::4096])

    with peak_memory("cpu") as peak:
        work()
    assert peak.mb is None or 50 < peak.mb < 100


def test_a_new_report_takes_the_place_of_its_elder(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    write_reports(path, [report("one", 1.0), report("two", 2.0)])
    kept = write_reports(path, [report("one", 3.0, 4.0)])
    assert kept == read_reports(path)
    assert [kept[name]["medians"]["ours"] for name in ("one", "two")] == [3.5, 2.0]


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(DataError, match="does not hold benchmarks"):
        write_reports(path, [report("one", 1.0)])
    assert path.read_text(encoding="utf-8") == "[1]"


def test_the_section_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Benchmarks\n\nabove\n", encoding="utf-8")
    write_table(page, {"one": report("one", 1.0)})
    page.write_text(page.read_text(encoding="utf-8") + "\nbelow\n", encoding="utf-8")
    write_table(page, {"two": report("two", 2000.0)})
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Benchmarks\n\nabove\n") and text.endswith("\nbelow\n")
    assert text.count(BEGIN) == text.count(END) == 1
    assert "### two" in text and "### one" not in text
    assert "| two | speed | at least 3 x | 2.5 x | **missed** |" in text
    assert "| two | time | below 5 ms | 4 ms | met |" in text
    assert "| ours | 2,000 ms |" in text


def test_repeats_below_one_are_refused() -> None:
    assert Options(quick=True).rounds(9) == 2 and Options(quick=True).rounds(1) == 1
    assert Options(repeats=4).rounds(9) == 4
    with pytest.raises(ConfigError):
        Options(repeats=0).rounds(9)
