"""Reports as a JSON file and as a section of a Markdown page; no figure is typed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from micrec_core.errors import DataError
from micrec_core.runs.files import write_out

BEGIN, END = "<!-- benchmarks -->", "<!-- end of benchmarks -->"
Stored = dict[str, dict[str, Any]]


def read_reports(path: Path) -> Stored:
    """Reports by benchmark; none where there is no file.

    Raises
    ------
    DataError
        The file is not what ``write_reports`` writes.
    """
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
        return {str(report["benchmark"]): report for report in found}
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"{path} does not hold benchmarks; give --out a new file, or one that it wrote"
        ) from None


def write_reports(path: Path, reports: Iterable[dict[str, Any]]) -> Stored:
    """Put reports into a file, in the place of those of the same name; all that it holds now."""
    kept = read_reports(path)
    kept |= {report["benchmark"]: report for report in reports}
    text = json.dumps({"benchmarks": list(kept.values())}, indent=1, allow_nan=False)
    write_out(path, text + "\n")
    return kept


def write_table(path: Path, reports: Mapping[str, dict[str, Any]]) -> None:
    """Put the section into a page, in the place of the one before, or at its end."""
    section = f"{BEGIN}\n{section_of(reports)}{END}"
    text = path.read_text(encoding="utf-8") if path.exists() else "# Benchmarks\n"
    if BEGIN in text and END in text:
        text = text.split(BEGIN)[0] + section + text.split(END, 1)[1]
    else:
        text = f"{text.rstrip()}\n\n{section}\n"
    path.write_text(text, encoding="utf-8")


def section_of(reports: Mapping[str, dict[str, Any]]) -> str:
    """The section: what is aimed at, then every figure with its spread and its machine."""
    lines = [
        "## The library",
        "",
        "Made by `python -m micrec_core benchmark`. Peers ran in turn with ours, in the same "
        "process and with the same threads; ratios are of medians. Load is the machine's, "
        "the mean of the minute before and after: on two cores, above 1 means that others ran.",
        "",
        "| benchmark | target | aim | found | |",
        "|---|---|---|---|---|",
    ]
    for name, report in reports.items():
        for target in report["targets"]:
            sign = "below" if target["below"] else "at least"
            lines.append(
                f"| {name} | {target['what']} | {sign} {target['aim']:g} {target['unit']} | "
                f"{_number(target['found'])} {target['unit']} | "
                f"{'met' if target['met'] else '**missed**'} |"
            )
    for name, report in reports.items():
        lines += ["", *_one(name, report)]
    return "\n".join(lines) + "\n"


def _one(name: str, report: Mapping[str, Any]) -> list[str]:
    sizes = ", ".join(
        f"{what} {value:,}" if isinstance(value, int) else f"{what} {value}"
        for what, value in report["sizes"].items()
    )
    lines = [
        f"### {name}",
        "",
        f"{report['about']} Sizes: {sizes}. {_machine(report['machine'])}"
        + (" **A quick run: its figures mean nothing.**" if report.get("quick") else ""),
        "",
        "| what | median | quartiles | least | most | times |",
        "|---|---|---|---|---|---|",
    ]
    for what, timing in report["timings"].items():
        low, high = (_number(value) for value in timing["quartiles"])
        median, least, most = (_number(timing[key]) for key in ("median", "least", "most"))
        unit = timing["unit"]
        lines.append(
            f"| {what} | {median} {unit} | {low} to {high} | {least} | {most} | {timing['n']} |"
        )
    if report["ratios"]:
        said = ", ".join(f"{what} {value:.2f}" for what, value in report["ratios"].items())
        lines += ["", f"Ratios: {said}."]
    return lines


def _machine(about: Mapping[str, Any]) -> str:
    memory = f", {about['memory_gb']} GB" if about["memory_gb"] else ""
    gpu = f", {about['gpu']}" if about["gpu"] else ""
    threads = ", ".join(f"{name} {count}" for name, count in about["threads"].items())
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (
        f"{about['cores']} cores, {about['architecture']}{memory}{gpu}; threads: {threads}; load "
        f"{about['load']} before and {about['load_after']} after; {about['measured']}; {versions}."
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
