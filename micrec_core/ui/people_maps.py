"""The maps of people before and after training: linked in the browser, or drawn by Plotly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from micrec_core.evaluation.alignment import pair_distances
from micrec_core.figures import alignment as figures
from micrec_core.figures import theme
from micrec_core.figures.linked import Marks, View, by_domain, by_number, linked
from micrec_core.ui import commons, components, library
from micrec_core.ui.alignment import (
    Chosen,
    choose_view,
    clear,
    how_many,
    light,
    made_up_place,
    points_at,
    selection,
    stage,
)
from micrec_core.ui.library import Opened
from micrec_core.ui.once import drawn, once
from micrec_core.ui.state import session
from micrec_core.ui.widgets import chart, marks_chosen, table_and_csv

_KEY = "al_people"
_ALT = "Two maps of the same users, before and after training, one mark per user and domain"
_SAID = (
    "2-D distances are illustrative: every number on this page is of all dimensions. Draw a lasso "
    "in either map; the same people light up in both. Click one to open that person."
)
_STARS = " Stars: the user you made up, placed approximately."


def show_people(opened: Opened, users: pd.DataFrame, epochs: list[int]) -> Chosen:
    """The maps, who is selected in them, and what these have in common."""
    view = choose_view(opened, epochs)
    lit = selection(users)
    at_end = session().made.touched and view.epochs[1] == epochs[-1]
    placed = made_up_place(opened, view.method, epochs[-1]) if at_end else None
    moments = dict(zip((f"Before (epoch {view.epochs[0]})", f"After (epoch {view.epochs[1]})"),
                       view.epochs, strict=True))  # fmt: skip
    if components.has_maps():
        tables = _linked(opened, users, view, moments, [e for e in epochs if e <= view.epochs[1]],
                         lit, placed)  # fmt: skip
        said = how_many(opened, len(users), len(users), False, len(lit))
    else:
        tables = _plotted(opened, view, moments, lit, placed)
        first = next(iter(moments))
        shown = stage(opened, view.method, moments[first], lit)
        said = how_many(opened, shown.marks["user_id"].nunique(), len(users),
                        shown.density is not None, len(lit))  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(said)
        st.button("Clear selection", disabled=not lit, icon=":material/close:", on_click=clear)
    if lit:
        table = pd.concat([frame.assign(stage=title) for title, frame in tables.items()])
        show_selected(opened, users, table, view.epochs[1], lit)
    return view


def show_selected(
    opened: Opened, users: pd.DataFrame, table: pd.DataFrame, epoch: int, lit: tuple[str, ...]
) -> None:
    """The rows of the selected people, and what they have in common at an epoch."""
    table_and_csv(table[table["user_id"].isin(lit)], "al_selected", label="Selected users")
    vectors = library.snapshot(opened, epoch)
    apart = once(pair_distances, vectors["a"], vectors["b"])[0][users["row"].to_numpy()]
    commons.of_people(opened, users.assign(distance=apart), lit)


def _plotted(
    opened: Opened,
    view: Chosen,
    moments: dict[str, int],
    lit: tuple[str, ...],
    placed: pd.DataFrame | None,
) -> dict[str, pd.DataFrame]:
    stages = {title: stage(opened, view.method, epoch, lit) for title, epoch in moments.items()}
    marks = {title: found.marks for title, found in stages.items()}
    chart(
        drawn(
            figures.before_after,
            marks,
            opened.pair_labels,
            colour_by=view.colour,
            selected=lit,
            worst=view.worst,
            densities=[found.density for found in stages.values()],
            placed=placed,
            mine=st.session_state.get("user"),
        ),
        pd.concat([f.assign(stage=name) for name, f in marks.items()]),
        "al_map",
        alt=_ALT,
        caption=_SAID + ("" if placed is None else _STARS),
        on_select=_light_plotted,
    )
    return marks


def _light_plotted() -> None:
    """An empty selection of Plotly's keeps the old one: drawing anew brings it about too."""
    if ids := [str(kept[0]) for kept in marks_chosen("al_map")]:
        light(ids)


def _linked(
    opened: Opened,
    users: pd.DataFrame,
    view: Chosen,
    moments: dict[str, int],
    epochs: list[int],
    lit: tuple[str, ...],
    placed: pd.DataFrame | None,
) -> dict[str, pd.DataFrame]:
    """The maps in the browser: the left one before, the right one at every epoch until after."""
    at = {epoch: points_at(opened, view.method, epoch) for epoch in {*epochs, view.epochs[0]}}
    last = at[view.epochs[1]]
    n = len(last) // 2
    place = {user: row for row, user in enumerate(last["user_id"][:n])}
    if view.colour == "domain":
        colour, colours, legend = by_domain(last["domain"], opened.pair_labels)
    else:
        values = np.log2(last["degree"] + 1) if view.colour == "degree" else last[view.colour]
        colour, colours, legend = by_number(values, figures.COLOUR_BY[view.colour])
    marks = Marks(
        entity=last["user_id"].map(place).to_numpy(),
        partner=np.r_[np.arange(n, 2 * n), np.arange(n)],
        colour=colour,
        colours=colours,
        legend=legend,
        labels=list(last["user_id"][:n]),
    )
    stars = [
        (f"you, {label}", row.x, row.y, theme.domain_colour(opened.place(domain)))
        for domain, label in opened.pair_labels.items()
        for row in (() if placed is None else placed[placed["domain"] == domain].itertuples())
    ]
    frames = _played(opened, users, view) or {
        f"epoch {e}": at[e][["x", "y"]].to_numpy() for e in epochs
    }
    (before, first), (_, final) = moments.items()
    views = [
        View(before, {before: at[first][["x", "y"]].to_numpy()}),
        View("After" if len(frames) > 1 else f"After (epoch {final})", frames, stars=stars),
    ]
    mine = place.get(st.session_state.get("user"), -1)
    worst = last.drop_duplicates("user_id").nlargest(view.worst, "distance")["user_id"]
    data = once(linked, marks, views, alt=_ALT, mine=mine, joined=[place[u] for u in worst])

    def chosen() -> None:
        light([marks.labels[i] for i in components.lit_in(_KEY, n)])

    components.maps(data, _KEY, [place[u] for u in lit if u in place], chosen)
    st.caption(_SAID + ("" if placed is None else _STARS))
    tables = {title: at[epoch] for title, epoch in moments.items()}
    table = pd.concat([frame.assign(stage=title) for title, frame in tables.items()])
    table_and_csv(table, "al_map", about=_ALT)
    return tables


def _played(opened: Opened, users: pd.DataFrame, view: Chosen) -> dict[str, np.ndarray]:
    """Places at every moment kept between two epochs, in the order of ``points_at``."""
    film = library.film(opened, view.method)
    if film is None:
        return {}
    film = film[film["moment"].between(*view.epochs)]
    found = {}
    for moment, layout in film.groupby("moment"):
        sides = [layout[layout["domain"] == d].set_index("row") for d in opened.pair]
        places = [side.loc[users["row"], ["x", "y"]].to_numpy() for side in sides]
        found[f"epoch {moment:g}"] = np.concatenate(places)
    return found
