"""What a command says: one JSON object or a few lines on standard output, progress beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from micrec_core.names import FEWEST

if TYPE_CHECKING:
    from micrec_core.data.progress import Bars


class Progress:
    """A bar on a terminal; elsewhere (a log) a line for each stage, step of training and tenth that
    is read.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self._stage, self._tenth = "", 0
        self._bars: Bars | None = None

    def __call__(self, what: str, done: int, total: int) -> None:
        if self.stream.isatty():
            from micrec_core.data.progress import Bars

            self._bars = self._bars or Bars(self.stream)
            self._bars(what, done, total)
        elif what != self._stage or (total and self._steps(what, done, total)):
            counted = f" {done} of {total}" if total else ""
            self.stream.write(f"{what}{counted}\n")
            self.stream.flush()
        self._stage = what
        self._tenth = self._tenths(done, total)

    def _steps(self, what: str, done: int, total: int) -> bool:
        """Whether there is a line to write for what was written of before."""
        if what.startswith("reading"):
            return self._tenths(done, total) > self._tenth
        return what.startswith(("training", "micrec", "inmo"))

    @staticmethod
    def _tenths(done: int, total: int) -> int:
        return 10 * done // total if total else 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        """End the bar that is being drawn."""
        if self._bars is not None:
            self._bars.close()


def answer(as_json: bool, value: Any, lines: Sequence[str]) -> None:
    """What came of a command, on standard output: one JSON object, NaN as null, or lines."""
    from micrec_core.runs.files import without_nan

    if as_json:
        # Escapes of JSON where the terminal or file cannot take more than ASCII.
        plain = "utf" not in (sys.stdout.encoding or "utf").lower()
        lines = [json.dumps(without_nan(value), ensure_ascii=plain, allow_nan=False)]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def aligned(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Rows as lines with columns under each other; numbers to the right."""
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(row[c]) for row in texts) for c in range(len(texts[0]))] if texts else []
    out = []
    for row, cells in zip(rows, texts, strict=True):
        padded = [
            text.rjust(width) if isinstance(cell, int | float) else text.ljust(width)
            for cell, text, width in zip(row, cells, widths, strict=True)
        ]
        out.append("  ".join(padded).rstrip())
    return out


def metric_lines(metrics: dict[str, Any], shown: Sequence[str] = ("ndcg@20", "recall@20")) -> list:
    """Metrics with intervals, a line for each protocol and domain; none of too few users."""
    rows: list[list[Any]] = [["protocol", "domain", *shown, "users"]]
    for protocol, domains in metrics.items():
        for domain, values in domains.items():
            cells = [
                f"{v['mean']:.4f} [{v['low']:.4f}, {v['high']:.4f}]"
                if v["n"] >= FEWEST
                else f"fewer than {FEWEST} users"
                for v in (values[m] for m in shown)
            ]
            rows.append([protocol, domain, *cells, values[shown[0]]["n"]])
    return aligned(rows)


def _text(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:.4g}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
