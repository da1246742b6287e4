"""``benchmark``: measure, say, keep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from micrec_core.cli.commands import Json
from micrec_core.cli.live import app  # with the commands that are there so far
from micrec_core.cli.output import Progress, aligned, answer

__all__ = ["app"]


@app.command()
def benchmark(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="One of them; else all quick ones.")
    ] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Tiny sizes, to try it out.")] = False,
    repeats: Annotated[int | None, typer.Option(help="Rounds that are timed.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Tables whose first domain is trained on.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="The run that is opened.")] = None,
    out: Annotated[Path | None, typer.Option(help="A JSON file to keep the reports in.")] = None,
    table: Annotated[
        Path | None, typer.Option(help="A Markdown page to put the kept reports into.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure speed and memory against plain implementations run in turn."""
    from micrec_core.benchmarks import Options, run_benchmarks, write_reports, write_table

    options = Options(quick=quick, repeats=repeats, data=data, run=run)
    with Progress() as progress:
        reports = list(run_benchmarks((name,) if name else (), options, progress))
    kept = {report["benchmark"]: report for report in reports}
    if out is not None:
        kept = write_reports(out, reports)
    if table is not None:
        write_table(table, kept)
    told = reports[0] if name else {"benchmarks": reports}
    answer(as_json, told, [line for report in reports for line in _lines(report)])


def _lines(report: dict[str, Any]) -> list[str]:
    about = report["machine"]
    sizes = ", ".join(f"{key} {value}" for key, value in report["sizes"].items())
    rows: list[list[Any]] = [["", "median", "unit", "from", "to", "times"]]
    for what, timing in report["timings"].items():
        low, high = timing["quartiles"]
        rows.append([what, timing["median"], timing["unit"], low, high, timing["n"]])
    aims = []
    for target in report["targets"]:
        sign, met = "<" if target["below"] else ">=", "met" if target["met"] else "missed"
        said = f"{target['found']:.4g} {target['unit']}, aim {sign} {target['aim']:g}"
        aims.append(f"{met}: {target['what']}: {said}")
    return [
        f"{report['benchmark']}: {sizes}",
        f"{about['cores']} cores, {about['architecture']}, {about['memory_gb']} GB, "
        f"load {about['load']} to {about['load_after']}",
        *aligned(rows),
        *aims,
        "",
    ]
