"""Widgets that every page shares: charts with their table, numbers with intervals, states."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from micrec_core.bundled import home
from micrec_core.data.spreadsheets import csv_text
from micrec_core.errors import MicrecError
from micrec_core.figures.theme import metric_label
from micrec_core.names import CATALOGUE
from micrec_core.runs import Run
from micrec_core.ui.looks import BROKEN, Least
from micrec_core.ui.navigation import entry, link
from micrec_core.ui.once import Drawn, charted

_CHART_CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["zoomIn2d", "zoomOut2d", "autoScale2d"],
    "scrollZoom": False,
}
_ROWS = 5_000
# What a table ends in that is of its kind, column by column, and of another shape in all. Where a
# run is whole they are faults of ours: the icon tells tests and the check of a container's health.
_UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_log = logging.getLogger(__name__)
# Characters shown of what an address asks for.
_LONGEST = 60
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~:$])")
# Addresses, e-mail addresses and :names: become links and icons after escapes are gone, so that
# only something in between helps: a word joiner, which has no width.
_LINKS = re.compile(r"(?<=:)(?=[^\s\d])|(?<=www)(?=\.)|(?<=\S)(?=@)", re.IGNORECASE)
_JOINER = "\u2060"


def plain(text: object) -> str:
    """Text of a dataset made safe inside Markdown: it shows as it is written."""
    return _MARKDOWN.sub(r"\\\1", _LINKS.sub(_JOINER, str(text))).replace("\n", " ")


def named(label: str, what: str) -> str:
    """A label that says to a screen reader what it is about too, where many look the same."""
    return f"{label} *{plain(what)}*".strip()


def dark() -> bool:
    """Whether the visitor sees the dark theme."""
    return st.context.theme.type == "dark"


def page_head(url_path: str, say: str) -> None:
    """Title of a page, the question it answers and one sentence on what to look at."""
    here = entry(url_path)
    st.title(here.title, anchor=False)
    st.markdown(f"**{here.question}** {say}")


def cells(
    n: int,
    least: int,
    gap: Literal["small", "medium", "large"] = "medium",
    most: int | None = None,
) -> list[Any]:
    """``n`` equal cells side by side, fewer a row where each would have less than ``least`` pixels.

    ``most`` : so many a row, however wide it is

    Unlike ``st.columns`` this looks at the width there is, so an open sidebar on a tablet counts.
    """
    grid = st.grid(most or max(n, 1), min_column_width=least, gap=gap)
    return [grid.cell() for _ in range(n)]


def filled(n: int, least: Least, key: str, *, border: bool = False) -> list[Any]:
    """``n`` cells like ``cells``, but those of a row that is not full share its width.

    Parameters
    ----------
    least : pixels below which there are fewer a row
    key : another for each row of a page
    """
    row = st.container(horizontal=True, vertical_alignment="distribute", key=f"filled{least}-{key}")
    return [row.container(border=border) for _ in range(n)]


def beside(key: str) -> tuple[Any, Any]:
    """Where something is made at the left, and what comes of it at the right, in twice the width.

    Below each other, each as wide as the page, where that leaves too little.
    """
    row = st.container(horizontal=True, gap="medium", key=f"beside-{key}")
    return row.container(), row.container()


def chart(
    figure: go.Figure | Drawn,
    table: pd.DataFrame,
    key: str,
    *,
    alt: str,
    caption: str | None = None,
    on_select: Callable[[], None] | None = None,
    column_config: Mapping[str, Any] | None = None,
    bare: bool = False,
) -> None:
    """A figure with what it shows in words, and the same numbers as a table and as CSV.

    ``on_select`` is called when the visitor selects points; the selection is then in the session
    state under ``key``. ``bare``: the figure alone.
    """
    options: dict[str, Any] = {}
    if on_select is not None:
        options = {"on_select": on_select, "selection_mode": ("lasso", "box", "points")}
    shown = charted(figure, "dark" if dark() else "light")
    st.plotly_chart(
        shown,
        key=key,
        width="stretch",
        height=shown.height,
        theme="streamlit",
        alt=alt,
        config=_CHART_CONFIG,
        **options,
    )
    if bare:
        return
    if caption:
        st.caption(caption)
    table_and_csv(table, key, column_config, about=alt)


def marks_chosen(key: str) -> list[list[Any]]:
    """What a chart keeps with each mark that is selected in it (``customdata``).

    Of whatever a browser says was selected; marks that keep nothing are left out.
    """
    try:
        points = st.session_state[key]["selection"]["points"]
    except (LookupError, TypeError):
        return []
    some = points if isinstance(points, list) else []
    told = [point.get("customdata") for point in some if isinstance(point, Mapping)]
    return [list(kept) for kept in told if isinstance(kept, list) and kept]


@st.fragment
def table_and_csv(
    table: pd.DataFrame,
    key: str,
    column_config: Mapping[str, Any] | None = None,
    label: str = "Table and CSV",
    about: str = "",
) -> None:
    """The numbers behind a chart; drawn only when opened."""
    label = named(label, about) if about else label
    box = st.expander(label, icon=":material/table:", key=f"{key}-table", on_change="rerun")
    if not box.open:
        return
    with box:
        if len(table) > _ROWS:
            st.caption(f"Showing {_ROWS:,} of {len(table):,} rows; the CSV has all of them.")
        st.dataframe(
            table.head(_ROWS),
            hide_index=True,
            width="stretch",
            height=min(420, 38 + 35 * max(len(table), 1)),
            column_config=dict(column_config or {}),
        )
        exact = st.checkbox(
            "For programs: texts exactly as they are",
            key=f"{key}-exact",
            help="Otherwise a text that a spreadsheet would take for a formula gets a ' before it.",
        )
        st.download_button(
            f"Download CSV ({len(table):,} rows)",
            lambda: csv_text(table, exact=exact).encode(),
            file_name=f"{key}.csv",
            mime="text/csv",
            icon=":material/download:",
            key=f"{key}-csv",
            on_click="ignore",
        )


def later(title: str, key: str, asked: str = "") -> Any:
    """A section of a page that is drawn once it is opened; within a fragment it is that alone.

    ``asked`` : how names of its choices begin; it is open from the first where the address has one
    """
    opened = bool(asked) and any(name.startswith(asked) for name in st.query_params)
    return st.expander(title, opened, icon=":material/insights:", key=key, on_change="rerun")


def show_table(table: pd.DataFrame, columns: Mapping[str, Any] | None = None) -> None:
    """A table in full, its columns set up as ``columns`` says."""
    st.dataframe(table, hide_index=True, width="stretch", height="content", column_config=columns)


def metric(
    label: str,
    mean: float,
    low: float = math.nan,
    high: float = math.nan,
    *,
    n: int | None = None,
    note: str = "",
    digits: int = 3,
    explain: str | None = None,
) -> None:
    """One number with its interval, n and, where there is one, what it is compared with."""
    with st.container(border=True, height="stretch"):
        st.metric(label, f"{mean:.{digits}f}", help=explain)
        words = []
        if not (math.isnan(low) or math.isnan(high)):
            words.append(f"95 % interval {low:.{digits}f} to {high:.{digits}f}")
        if note:
            words.append(note)
        if n is not None:
            words.append(f"n\u00a0=\u00a0{n:,}")
        st.caption(" · ".join(words))


def empty(title: str, why: str, command: str | None = None, see: str | None = None) -> None:
    """What is missing here, in words, and how to get it."""
    with st.container(border=True):
        st.markdown(f"## :material/inbox: {title}")
        st.markdown(why)
        if command:
            st.code(command, language="bash", wrap_lines=True)
        if see:
            link(see, f"Go to {entry(see).title}")


def problem(sentence: str, mend: str | None = None) -> None:
    """A refusal or a damaged file, in one sentence."""
    first = sentence.split(" ", 1)[0]
    # A sentence may begin with the name of a file, which stays as it is written.
    said = sentence[:1].upper() + sentence[1:] if first.isalpha() else sentence
    st.error(plain(said), icon=":material/error:")
    if mend:
        st.markdown(mend)


def fragment(draw: Callable[..., None], run_every: str | None = None) -> Callable[..., None]:
    """A part of a page that is drawn anew by itself; what it refuses is said in its place.

    An error within a fragment never reaches the page around it. ``run_every`` : as Streamlit has it
    """

    @st.fragment(run_every=run_every)
    @wraps(draw)
    def drawn(*given: Any, **named_: Any) -> None:
        with told():
            draw(*given, **named_)

    return drawn


@contextmanager
def told() -> Iterator[None]:
    """Say in a sentence what is refused within, and where a run is not what a page draws from."""
    try:
        yield
    except MicrecError as error:
        problem(str(error))
    except OSError as error:
        _log.warning("a page cannot read or write", exc_info=True)
        problem(f"This server's disk did not do what was asked ({error.strerror}): try again.")
    except _UNFIT as error:
        _log.exception("a page cannot be drawn")
        st.error(
            f"This cannot be drawn from what is stored ({type(error).__name__}): copy the run "
            "again, or choose another. The server's log says more.",
            icon=BROKEN,
        )


def say(page: str) -> None:
    """What the last action on a page came to: its session keys ``PAGE_said`` and ``PAGE_wrong``."""
    done = st.session_state.pop(f"{page}_said", "")
    wrong = st.session_state.pop(f"{page}_wrong", "")
    if done:
        st.success(plain(done), icon=":material/check:")
    if wrong:
        problem(wrong)


def unknown(asked: str, missing: str, instead: str) -> None:
    """That the address, or the sidebar, asks for what is not here, in one sentence.

    ``unknown("User u9", "is not in this run", "another one is shown")``
    """
    said = asked if len(asked) <= _LONGEST else f"{asked[:_LONGEST]}…"
    st.warning(f"{plain(said)} {missing}: {plain(instead)}.", icon=":material/help:")


def needs_recommender(run: Run) -> None:
    """End a page that asks a recommender, and say so, where the run does not have one."""
    if run.has("serving.json") and run.has(CATALOGUE):
        return
    empty(
        "This run cannot be asked",
        "It lacks `serving.json` or `catalogue.parquet`, which are written when a model is trained "
        "with this app's command line.",
        "python -m micrec_core train DATASET --out runs/NAME",
    )
    st.stop()


def missing(path: Path, what: str, needs: str, *, compared: bool = False) -> None:
    """The state of a chart for which the run at ``path`` does not hold what it needs.

    ``compared`` says that it comes from training variants and baselines as well.
    """
    run = path.relative_to(home()) if path.is_relative_to(home()) else Path("runs") / path.name
    do = f"variants {run}" if compared else f"evaluate {run} --protocol all"
    how = (
        f"Rows of `{needs}` that this run does not hold come from training variants and baselines "
        "on the same data:"
        if compared
        else f"This is drawn from `{needs}`, which is written when a run is evaluated:"
    )
    empty(
        f"No {what} in this run",
        how,
        f"python -m micrec_core {do} --dataset DATASET",
        see="retrain" if compared else None,
    )


def choose_one(
    label: str,
    options: Iterable[str],
    key: str,
    first: str,
    said: Callable[[str], str] = str,
    *,
    bind: bool = True,
    help: str | None = None,
) -> str:
    """One of a few, each called what ``said`` calls it; with ``bind`` part of the address.

    What they are called is Markdown here, and so is never a dataset's own word.
    """
    chosen: str | None = st.segmented_control(
        label,
        list(options),
        default=first,
        required=True,
        key=key,
        bind="query-params" if bind else None,
        format_func=said,
        help=help,
    )
    # A browser of its own may say that none is chosen all the same.
    return first if chosen is None else chosen


def choose_domain(
    labels: Mapping[str, str], key: str, first: str, *, label: str = "Domain", bind: bool = False
) -> str:
    """One of the run's domains, asked for where there are several.

    With ``bind`` the choice is part of the address.
    """
    if len(labels) == 1:
        return first
    return choose_one(label, labels, key, first, lambda d: plain(labels[d]), bind=bind)


def choose_value(
    label: str, key: str, values: pd.Series, first: str, labels: Mapping[str, str]
) -> str:
    """One of the values a column has, ``first`` first where it is there; part of the address."""
    return st.selectbox(
        label,
        sorted(values.unique(), key=lambda v: (v != first, v)),
        key=key,
        bind="query-params",
        format_func=lambda v: labels.get(v) or metric_label(v),
    )
