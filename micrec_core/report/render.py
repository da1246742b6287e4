"""Documents from the templates beside this file, and how they write names and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from micrec_core.modalities.registry import listed
from micrec_core.names import FEWEST
from micrec_core.report.stored_runs import name_of


def render(template: str, **values: Any) -> str:
    """The document of a template; what goes into an HTML one is escaped."""
    return _templates().get_template(template).render(values)


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("micrec_core.report"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"interval": interval, "difference": difference, "gain": gain, "p": p_value}
    made.filters |= {"number": number, "name_of": lambda r: name_of(r["model"], r["variant"])}
    made.filters["listed"] = listed
    return made


def interval(row: Mapping[Any, Any], of: str = "mean") -> str:
    """A value with its 95 % bounds; of too few users that there are too few."""
    if _too_few(row):
        return f"fewer than {FEWEST} users"
    return f"{row[of]:.4f} [{row['low']:.4f}, {row['high']:.4f}]"


def difference(row: Mapping[Any, Any]) -> str:
    """How far a row is from its reference, with bounds; nothing of too few users."""
    if _too_few(row):
        return ""
    return f"{row['diff']:+.4f} [{row['diff_low']:+.4f}, {row['diff_high']:+.4f}]"


def gain(row: Mapping[Any, Any] | None) -> str:
    """How much better the full model is than a row's, with bounds and p; nothing without a row."""
    if row is None or _too_few(row):
        return ""
    gained = -row["diff"] / row["mean"] if row["mean"] else float("nan")
    bounds = f"{-row['diff_high']:+.4f} to {-row['diff_low']:+.4f}"
    p = p_value(row["p_holm"])
    return f"full is {100 * gained:+.1f} % ({bounds}), p {p if p[0] == '<' else f'= {p}'}"


def _too_few(row: Mapping[Any, Any]) -> bool:
    return bool(row.get("n", FEWEST) < FEWEST)


def p_value(p: float) -> str:
    """To three places."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def number(value: float) -> str:
    """A cell of an HTML table: whole numbers in full, others to four digits, NaN as nothing."""
    if value != value:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
