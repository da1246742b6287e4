"""What the Alignment page needs beside its layout: the lasso's callback, stages, key numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from micrec_core.evaluation.alignment import pair_distances
from micrec_core.figures import alignment as figures
from micrec_core.figures.picking import pick
from micrec_core.figures.placing import Density, place
from micrec_core.subset import some_of
from micrec_core.ui import library, serve
from micrec_core.ui.address import news, say
from micrec_core.ui.glossary import word
from micrec_core.ui.library import Opened
from micrec_core.ui.once import drawn, once
from micrec_core.ui.state import choose, session
from micrec_core.ui.widgets import (
    chart,
    choose_one,
    filled,
    metric,
    plain,
    show_table,
    table_and_csv,
    unknown,
)

_PEOPLE, _MOVED = 100, 1_000
# People behind the fold-in's map.
_BACKGROUND = 150
METRICS = {
    "paired_cosine": ("Paired cosine", word("paired cosine")),
    "mrr": ("Partner MRR", word("MRR")),
    "recall@10": ("In top 10", "Share of people whose own second vector is among the 10 nearest."),
    "uniformity": (
        "Uniformity",
        "How evenly the vectors cover the sphere; lower is more even, 0 is one point.",
    ),
    "cka": (
        "CKA",
        "Linear centred kernel alignment: how alike the two spaces are; 1 is alike up to rotation.",
    ),
}


@dataclass(frozen=True)
class Chosen:
    """What the visitor wants to see: epochs before and after, layout, colour, worst pairs."""

    epochs: tuple[int, int]
    method: str
    colour: str
    worst: int


def choose_view(opened: Opened, epochs: list[int]) -> Chosen:
    """The widgets above the maps, all in the address."""
    with st.container(horizontal=True, gap="medium"):
        first, final = st.select_slider(
            "Epochs compared",
            epochs,
            value=(epochs[0], epochs[-1]),
            key="al_epochs",
            bind="query-params",
            width=150,
        )
        methods = sorted(library.layouts(opened)["method"].unique(), reverse=True)
        method = choose_one(
            "Layout", methods, "al_layout", methods[0], str.upper,
            help="How many dimensions become two. UMAP keeps neighbours near; PCA keeps the "
            "directions in which people differ most.",
        )  # fmt: skip
        said = figures.COLOUR_BY
        colour = choose_one("Colour by", said, "al_colour", "domain", said.__getitem__)
        worst = st.number_input(
            "Worst pairs joined",
            0,
            figures.MAX_WORST,
            10,
            key="al_worst",
            bind="query-params",
            width=130,
        )
    worst = min(max(int(worst), 0), figures.MAX_WORST)
    return Chosen((int(first), int(final)), method, colour, worst)


def how_many(opened: Opened, marks: int, kept: int, dense: bool, lit: int) -> str:
    """How many of all people the maps show, and who is not among them."""
    grey = f" The grey density has all {kept:,}." if dense else ""
    # Of more than two domains a run counts who is in any two, not who is in these.
    people = max(opened.info["dataset"]["n_overlap"], kept) if len(opened.labels) < 3 else kept
    where = " and ".join(map(plain, opened.pair_labels.values()))
    return (
        f"Showing {marks:,} of {people:,} people with interactions in {where} (kept while "
        f"training: {kept:,}; none whose interactions were withheld).{grey} {lit:,} selected."
    )


def light(ids: list[str]) -> None:
    """Keep the users that were selected in a map, and open one who is alone."""
    session().lit = tuple(dict.fromkeys(ids))
    if len(session().lit) == 1:
        choose("user", session().lit[0])


def clear() -> None:
    """Forget the selected users."""
    session().lit = ()


def selection(users: pd.DataFrame) -> tuple[str, ...]:
    """The users selected: by the address where it has new ones that exist, else by the lasso."""
    asked = news("sel")
    if asked is not None:
        known = set(users["user_id"])
        session().lit = tuple(u for u in dict.fromkeys(asked["sel"]) if u in known)
    say("sel", session().lit, "selected users")
    return session().lit


@dataclass(frozen=True)
class Stage:
    """One map: its marks, and the density of everyone where the marks are a sample."""

    marks: pd.DataFrame
    density: Density | None


@st.cache_resource(max_entries=12, show_spinner=False)
def _stage(key: str, pair: tuple[str, str], method: str, epoch: int, _opened: Opened) -> Stage:
    return Stage(*figures.shown(_points(_opened, library.snapshot_users(_opened), method, epoch)))


@st.cache_resource(max_entries=24, show_spinner=False)
def _all_points(
    key: str, pair: tuple[str, str], method: str, epoch: int, _opened: Opened
) -> pd.DataFrame:
    return _points(_opened, library.snapshot_users(_opened), method, epoch)


def points_at(opened: Opened, method: str, epoch: int) -> pd.DataFrame:
    """All kept users at an epoch, those of the pair's first domain first; shared, as it is."""
    return _all_points(opened.run.key, opened.pair, method, epoch, opened)


def _points(opened: Opened, users: pd.DataFrame, method: str, epoch: int) -> pd.DataFrame:
    vectors = library.snapshot(opened, epoch)
    layout = pick(library.layouts(opened), epoch=epoch, method=method)
    return figures.points(users, layout, vectors["a"], vectors["b"], opened.pair)


def stage(opened: Opened, method: str, epoch: int, lit: tuple[str, ...] = ()) -> Stage:
    """One map, with marks for the selected users even where the others are a sample."""
    found = _stage(opened.run.key, opened.pair, method, epoch, opened)
    absent = set(lit) - set(found.marks["user_id"])
    if not absent:
        return found
    users = library.snapshot_users(opened)
    more = _points(opened, users[users["user_id"].isin(absent)], method, epoch)
    return Stage(pd.concat([found.marks, more], ignore_index=True), found.density)


def made_up_place(opened: Opened, method: str, epoch: int) -> pd.DataFrame | None:
    """Where the visitor's made-up user belongs in a map of the model's last state, per domain.

    None without such a user, or where the vectors of that epoch are not the served model's.
    """
    made = session().made
    if made.is_empty or not opened.run.has("serving.json"):
        return None
    model = serve.recommender(opened)
    user = serve.made_up_user(model, made)
    vectors = library.snapshot(opened, epoch)
    layouts = pick(library.layouts(opened), epoch=epoch, method=method)
    rows = []
    for domain, side in zip(opened.pair, "ab", strict=True):
        embedding = model.embedding(user, domain)
        layout = layouts[layouts["domain"].isin([domain, side])]
        if len(embedding) == vectors[side].shape[1]:
            found = place(layout, vectors[side], embedding)
            rows += [{"domain": domain, **found}] if found else []
    return pd.DataFrame(rows) if rows else None


def placed_in(
    opened: Opened, domain: str, moments: Sequence[NDArray[np.floating]]
) -> dict[str, Any] | None:
    """Where a vector belongs among a domain's people, moment by moment, as flow.js draws it.

    Some of the people, and the place at each moment, all within 0 and 1; the first is of nobody
    yet. None where the run kept no map of the domain's people.
    """
    epochs = library.snapshot_epochs(opened)
    if domain not in opened.pair or not has_map(opened):
        return None
    side = "ab"[opened.pair.index(domain)]
    vectors = library.snapshot(opened, epochs[-1])[side]
    if vectors.shape[1] != len(moments[-1]):
        return None
    layouts = library.layouts(opened)
    layout = pick(layouts, epoch=epochs[-1], method=max(layouts["method"].unique()))
    layout = layout[layout["domain"].isin([domain, side])]
    low, high = layout[["x", "y"]].min(), layout[["x", "y"]].max()
    people = layout[["x", "y"]].iloc[some_of(len(layout), _BACKGROUND)]
    reach = (high - low).clip(lower=1e-12)
    path = []
    for vector in moments:
        at = place(layout, vectors, vector)
        path.append(at and [float((at[c] - low[c]) / reach[c]) for c in ("x", "y")])
    points = ((people - low) / reach).astype(float).round(3).to_numpy().tolist()
    return {"points": points, "path": [None, *path]}


def has_map(opened: Opened) -> bool:
    """Whether the run kept a map of people for the pair of domains looked at."""
    return len(opened.pair_labels) > 1 and bool(library.snapshot_epochs(opened))


def show_map_of_made_up(opened: Opened, height: int = 0, bare: bool = False) -> None:
    """The last map alone, with the made-up user in it; or why there is none.

    ``height`` in pixels where it is not the figure's own; ``bare``: without the table below.
    """
    epochs = library.snapshot_epochs(opened)
    if not has_map(opened):
        st.caption("This run kept no map of users who are known in two domains.")
        return
    method = max(library.layouts(opened)["method"].unique())
    last = stage(opened, method, epochs[-1])
    placed = made_up_place(opened, method, epochs[-1])
    figure = figures.before_after(
        {"": last.marks}, opened.pair_labels, densities=[last.density], placed=placed
    )
    # Everybody else is the background here.
    figure.update_traces(marker_opacity=0.35, selector={"mode": "markers"})
    if height:
        figure.update_layout(height=height, margin={"t": 8, "b": 44})
        figure.update_yaxes(autorangeoptions_include=_room_above(last.marks["y"]))
    chart(
        figure,
        last.marks if placed is None else placed,
        "cold_map",
        bare=bare,
        alt="Map of the users known in both domains, with the made-up user as a star per domain",
        caption="One star per domain. Placed by the five known users whose vectors are most like "
        "the made-up user's, so approximate; 2-D distances are illustrative.",
    )


def _room_above(y: pd.Series) -> list[float]:
    """Values that keep room for the words beside a star at the edge."""
    room = 0.2 * float(y.max() - y.min())
    return [float(y.min()) - room, float(y.max()) + room]


def key_numbers(metrics: pd.DataFrame) -> None:
    """The last epoch's metrics with interval and the random baseline."""
    last = metrics[metrics["epoch"] == metrics["epoch"].max()]
    rows = [(m, pick(last, metric=m)) for m in METRICS]
    rows = [(m, r.iloc[0]) for m, r in rows if len(r)]
    for column, (name, row) in zip(filled(len(rows), 160, "al_numbers"), rows, strict=True):
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
    st.header("How far apart the two vectors of one person are", anchor=False)
    both = {}
    for name, epoch in (("Before", first), ("After", final)):
        vectors = library.snapshot(opened, epoch)
        both[f"{name} (epoch {epoch})"] = once(pair_distances, vectors["a"], vectors["b"])
    shares = once(figures.distance_shares, both)
    chart(
        drawn(figures.distance_histogram, shares),
        shares,
        "al_distances",
        alt="Distribution of the distance of true pairs beside random pairs, before and after",
        caption="In all dimensions. After training, the solid hump should lie left of the hatched.",
    )


def _pairs(opened: Opened, epoch: int) -> tuple[Any, Any]:
    vectors = library.snapshot(opened, epoch)
    return vectors["a"], vectors["b"]


def show_moved(opened: Opened, users: pd.DataFrame, first: int, final: int) -> None:
    """Who came closest, or went furthest apart, between two epochs; one row a person."""
    st.header("Who moved most", anchor=False)
    table = once(figures.moved, users, _pairs(opened, first), _pairs(opened, final))
    a, b = opened.pair_labels.values()
    number = st.column_config.NumberColumn
    columns = {
        "user_id": st.column_config.TextColumn("User"),
        "degree_a": number(f"In {a}", help="Interactions"),
        "degree_b": number(f"In {b}", help="Interactions"),
        "before": number(f"At epoch {first}", format="%.3f", help="Cosine distance"),
        "after": number(f"At epoch {final}", format="%.3f", help="Cosine distance"),
        "closer": number("Came closer by", format="%.3f"),
    }
    apart = int((table["closer"] < 0).sum())
    last = (
        f"{apart:,} went further apart, and stand at the end of the CSV"
        if apart
        else "Nobody went further apart"
    )
    n = len(table)
    shown = f"The first {_MOVED:,} of {n:,}" if n > _MOVED else f"All {n:,}"
    st.dataframe(table.head(_MOVED), hide_index=True, height=320, column_config=columns)
    st.caption(
        f"Cosine distance between a person's two vectors, in all dimensions. {shown}; a click on a "
        f"heading sorts them. {last}."
    )
    table_and_csv(table, "al_moved", columns, about="who moved most")


def show_nearest(opened: Opened, users: pd.DataFrame, epoch: int) -> None:
    """One person's nearest neighbours in the other domain, in all dimensions."""
    a, b = opened.pair_labels.values()
    st.header(f"Who in {plain(b)} is nearest to one person of {plain(a)}", anchor=False)
    ids = users["user_id"]
    user = st.session_state.get("user")
    if user and user not in set(ids):
        unknown(f"User {user}", "is not among these people", "another one is shown")
    chosen = [user, *session().lit]
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
    columns = {
        "place": st.column_config.NumberColumn("Place"),
        "user_id": st.column_config.TextColumn(f"User in {b}"),
        "cosine": st.column_config.NumberColumn("Cosine", format="%.3f"),
        "same": st.column_config.CheckboxColumn("The same person"),
    }
    show_table(table, columns)
