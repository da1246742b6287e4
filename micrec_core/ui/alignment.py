"""What the Alignment page needs beside its layout: the lasso's callback, stages, key numbers."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from micrec_core.evaluation.alignment import pair_distances
from micrec_core.figures import alignment as figures
from micrec_core.figures.tables import pick
from micrec_core.ui import library
from micrec_core.ui.library import Opened
from micrec_core.ui.state import session
from micrec_core.ui.widgets import cells, chart, metric, plain
from micrec_core.ui.words import word

_PEOPLE = 100
METRICS = {
    "paired_cosine": ("Cosine of true pairs", word("paired cosine")),
    "mrr": ("Partner found (MRR)", word("MRR")),
    "recall@10": ("Partner in top 10", word("Recall")),
    "uniformity": (
        "Uniformity",
        "How evenly the vectors cover the sphere; lower is more even, 0 is one point.",
    ),
    "cka": ("Likeness (CKA)", "Linear CKA of the two spaces; 1 means alike up to rotation."),
}


def light() -> None:
    """Keep the users that were selected in the map; an empty selection keeps the old one."""
    points = st.session_state["al_map"].selection.points
    ids = [str(p["customdata"][0]) for p in points if p.get("customdata")]
    if ids:
        session().lit = tuple(dict.fromkeys(ids))


@st.cache_data(max_entries=24, show_spinner=False)
def _stage(
    key: str, pair: tuple[str, str], method: str, epoch: int, _opened: Opened
) -> pd.DataFrame:
    users = library.snapshot_users(_opened)
    layouts = library.layouts(_opened)
    vectors = library.snapshot(_opened, epoch)
    layout = pick(layouts, epoch=epoch, method=method)
    points = figures.points(users, layout, vectors["a"], vectors["b"], pair)
    return figures.sample_rows(points)


def stage(opened: Opened, method: str, epoch: int) -> pd.DataFrame:
    """The points of one map, at most 50,000."""
    return _stage(opened.run.key, opened.pair, method, epoch, opened)


def key_numbers(metrics: pd.DataFrame) -> None:
    """The last epoch's metrics with interval and the random baseline."""
    last = metrics[metrics["epoch"] == metrics["epoch"].max()]
    rows = [(m, pick(last, metric=m)) for m in METRICS]
    rows = [(m, r.iloc[0]) for m, r in rows if len(r)]
    for column, (name, row) in zip(cells(len(rows), 150, gap="small"), rows, strict=True):
        label, explain = METRICS[name]
        with column:
            note = f"random {row['random']:.2f}" if pd.notna(row["random"]) else ""
            metric(
                label,
                row["value"],
                row["low"],
                row["high"],
                n=int(row["n"]) if "n" in row and pd.notna(row["n"]) else None,
                note=note,
                digits=2,
                explain=explain,
            )


def show_distances(opened: Opened, first: int, final: int) -> None:
    """Distances of true pairs against random pairs at two epochs."""
    st.subheader("How far apart the two vectors of one person are", anchor=False)
    both = {}
    for name, epoch in (("Before", first), ("After", final)):
        vectors = library.snapshot(opened, epoch)
        both[f"{name} (epoch {epoch})"] = pair_distances(vectors["a"], vectors["b"])
    shares = figures.distance_shares(both)
    chart(
        figures.distance_histogram(shares),
        shares,
        "al_distances",
        alt="Distribution of the distance of true pairs beside random pairs, before and after",
        caption="After training, the coloured hump should lie left of the grey, hatched one.",
    )


def show_nearest(opened: Opened, users: pd.DataFrame, epoch: int) -> None:
    """One person's nearest neighbours in the other domain, in all dimensions."""
    a, b = opened.pair_labels.values()
    st.subheader(f"Who in {plain(b)} is nearest to one person of {plain(a)}", anchor=False)
    ids = users["user_id"]
    chosen = [st.session_state.get("user"), *session().lit]
    some = dict.fromkeys([*(u for u in chosen if u in set(ids)), *ids.iloc[:_PEOPLE]])
    person = st.selectbox(
        "Person",
        list(some)[:_PEOPLE],
        help="The user of the sidebar, those selected in the map, and the first of the rest. "
        + word("overlapping user"),
    )
    vectors = library.snapshot(opened, epoch)
    table = figures.neighbours(users, vectors["a"], vectors["b"], person)
    own = int(table.loc[table["same"], "place"].iloc[0])
    st.markdown(f"The person's own vector in {plain(b)} is at place **{own:,}** of {len(ids):,}.")
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        height="content",
        column_config={
            "place": st.column_config.NumberColumn("Place"),
            "user_id": st.column_config.TextColumn(f"User in {b}"),
            "cosine": st.column_config.NumberColumn("Cosine", format="%.3f"),
            "same": st.column_config.CheckboxColumn("The same person"),
        },
    )
