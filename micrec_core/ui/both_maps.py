"""People beside items: who is pointed at lights what they took, and an item those who took it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from scipy.sparse import coo_matrix

from micrec_core.figures.linked import Marks, View, by_domain, linked
from micrec_core.subset import some_of
from micrec_core.ui import alignment, components, item_maps, library, people_maps, serve
from micrec_core.ui.library import Opened

_KEY = "al_both"
_ALT = "A map of people, one mark each in either domain, beside one of the items"
# More pairs of a person and an item than these are a sample: each costs a browser memory.
_MOST = 400_000


def show_both(opened: Opened, users: pd.DataFrame, epoch: int) -> None:
    """The two maps, what is selected in either, and what that has in common."""
    domains = tuple(opened.pair_labels)
    items, _ = item_maps.places(opened.run.key, domains, opened)
    method = max(library.layouts(opened)["method"].unique())
    people = alignment.points_at(opened, method, epoch)
    lit_people, lit_items = alignment.selection(users), item_maps.selection(items)
    n = len(people) // 2
    ids, keys = list(people["user_id"][:n]), list(items["key"])
    data, left_out = _data(opened.run.key, domains, method, epoch, opened)
    wanted = set(lit_people) | set(lit_items)

    def chosen() -> None:
        """One gesture is in one map: what was selected in the other makes way."""
        lit = components.lit_in(_KEY, n + len(keys))
        _clear()
        if any(i < n for i in lit):
            alignment.light([ids[i] for i in lit if i < n])
        else:
            item_maps.light([keys[i - n] for i in lit])

    places = [i for i, name in enumerate([*ids, *keys]) if name in wanted]
    components.maps(data, _KEY, places, chosen)
    st.caption(
        f"People by {method.upper()} of their vectors at epoch {epoch}, items by PCA of theirs: "
        "where a mark stands in one map says nothing of the other. Point at a person, and the "
        "items they took in training light up; point at an item, and those who took it do. A lasso "
        f"keeps them lit; a click opens one.{left_out}"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Selected: {len(lit_people):,} of the people, {len(lit_items):,} of the items.")
        st.button("Clear selection", disabled=not wanted, icon=":material/close:",
                  on_click=_clear,
                  key="al_both_clear")  # fmt: skip
    if lit_people:
        people_maps.show_selected(opened, users, people, epoch, lit_people)
    if lit_items:
        item_maps.show_selected(opened, items, lit_items)


def _clear() -> None:
    alignment.clear()
    item_maps.clear()


@st.cache_resource(max_entries=4, show_spinner="Reading who took what")
def _data(
    key: str, domains: tuple[str, ...], method: str, epoch: int, _opened: Opened
) -> tuple[dict[str, Any], str]:
    items, _ = item_maps.places(key, domains, _opened)
    people = alignment.points_at(_opened, method, epoch)
    n, m = len(people) // 2, len(items)
    ids = list(people["user_id"][:n])
    links, of = _links(_opened, items, ids)
    took = np.bincount(links[0], minlength=n)
    place = {user: row for row, user in enumerate(ids)}
    colours, palette, legend = by_domain(
        pd.concat([people["domain"], items["domain"]], ignore_index=True), _opened.pair_labels
    )
    marks = Marks(
        entity=np.r_[people["user_id"].map(place).to_numpy(), np.arange(n, n + m)],
        partner=np.full(2 * n + m, -1),
        colour=colours,
        colours=palette,
        legend=legend,
        labels=[f"{user}\n{took[row]:,} items taken" for row, user in enumerate(ids)]
        + item_maps.words(_opened, items),
        pictures={n + row: url for row, url in item_maps.pictures(_opened, items).items()},
    )
    views = [
        View("People", {"": np.r_[people[["x", "y"]], np.zeros((m, 2))]}, shown=np.arange(2 * n)),
        View("Items", {"": np.r_[np.zeros((2 * n, 2)), items[["x", "y"]]]},
             shown=np.arange(2 * n, 2 * n + m)),
    ]  # fmt: skip
    links[1] += n
    said = f" Of {of:,} pairs {links.shape[1]:,} drawn at random are linked." * (
        of > links.shape[1]
    )
    return linked(marks, views, alt=_ALT, links=links), said


def _links(opened: Opened, items: pd.DataFrame, ids: list[str]) -> tuple[NDArray[np.int64], int]:
    """Who took which item in training, [2, pairs] rows of ``ids`` and ``items``; of how many."""
    model = serve.recommender(opened)
    row_of = {key: row for row, key in enumerate(items["key"])}
    found = []
    for domain in opened.pair:
        columns = [f"{domain}~{i}" for i in model.item_ids(domain)]
        pairs = coo_matrix(model.taken(domain, ids))
        rows = np.array([row_of.get(key, -1) for key in columns])[pairs.col]
        found.append(np.stack([pairs.row, rows])[:, rows >= 0])
    links = np.concatenate(found, axis=1).astype(np.int64)
    of = links.shape[1]
    return (links if of <= _MOST else links[:, some_of(of, _MOST)]), of
