"""The map of items: who is lit, joined, ringed and named."""

import base64
import json
import re

import numpy as np
import pandas as pd
import pytest

from micrec_core.figures import alignment, linked
from micrec_core.figures import item_places as items
from tests import ui_run


def catalogue(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    group = np.arange(n) % 3
    words = np.array(["Thai tea", "Copper pan", "Oat bread"])[group]
    return pd.DataFrame(
        {
            "domain": np.where(np.arange(n) < n // 2, "food", "kitchen"),
            "item_id": [f"i{i}" for i in range(n)],
            "title": [f"{w} {i}" for i, w in enumerate(words)],
            "degree": np.arange(n),
            "x": group + rng.normal(scale=0.1, size=n),
            "y": rng.normal(size=n),
            "group": group,
        }
    ).assign(key=lambda f: f["domain"] + "~" + f["item_id"])


@pytest.mark.parametrize("colour_by", list(items.COLOUR_BY))
def test_selected_items_are_lit_and_joined(colour_by):
    frame = catalogue()
    figure = items.map_of_items(
        frame, ui_run.LABELS, colour_by=colour_by, selected=("food~i3", "kitchen~i40"),
        lines=[("food~i3", "kitchen~i40"), ("food~i3", "gone~x")], mine="food~i5",
    )  # fmt: skip
    clouds = [t for t in figure.data if t.mode == "markers" and t.customdata is not None]
    lit = {c.customdata[i][0] for c in clouds for i in c.selectedpoints}
    assert lit == {"food~i3", "kitchen~i40"}
    line = next(t for t in figure.data if t.mode == "lines")
    assert len(line.x) == 3 and line.x[0] == frame["x"][3] and line.x[1] == frame["x"][40]
    ring = next(t for t in figure.data if t.name == "the item of the sidebar")
    assert list(ring.x) == [frame["x"][5]]


def test_groups_are_named_by_the_words_that_are_theirs():
    found = items.names(catalogue()).set_index("group")["name"]
    assert dict(found) == {0: "tea, thai", 1: "copper, pan", 2: "bread, oat"}
    assert items.names(catalogue().assign(group=0)).empty
    twins = pd.concat([catalogue(), catalogue().assign(group=lambda f: f["group"] + 3, x=99.0)])
    told = [w for name in items.names(twins.reset_index())["name"] for w in name.split(", ")]
    assert told and len(set(told)) == len(told), "no word names two groups"
    assert items.names(catalogue().assign(title="")).empty
    written = items.map_of_items(
        catalogue(), ui_run.LABELS, named=items.names(catalogue()), dense=True
    )
    assert [a.text for a in written.layout.annotations] == list(found)
    assert written.data[0].type == "contour"


def test_of_too_many_items_those_asked_for_are_drawn_too():
    many = pd.concat([catalogue()] * 200, ignore_index=True)
    many = many.assign(key=[str(i) for i in range(len(many))])
    some = items.shown(many, ["11999", "3"])
    assert items.MOST <= len(some) <= items.MOST + 2
    assert {"11999", "3"} <= set(some["key"])


def test_who_moved_most_is_told_by_distances_in_all_dimensions():
    rng = np.random.default_rng(1)
    users = ui_run._snapshot_users(rng, 30)
    first, final = (tuple(rng.normal(size=(30, 4)) for _ in "ab") for _ in range(2))
    table = alignment.moved(users, first, final)
    assert table["closer"].is_monotonic_decreasing and len(table) == 30
    row = table.iloc[0]
    at = int(users.loc[users["user_id"] == row["user_id"], "row"].iloc[0])
    for name, (a, b) in (("before", first), ("after", final)):
        cosine = a[at] @ b[at] / np.linalg.norm(a[at]) / np.linalg.norm(b[at])
        assert row[name] == pytest.approx(1 - cosine, abs=1e-5)


def test_the_person_of_the_sidebar_is_ringed_in_every_map():
    rng = np.random.default_rng(1)
    users, vectors = ui_run._snapshot_users(rng, 20), ui_run._vectors(rng, 20, 12)
    layout = ui_run._layouts(rng, 20).query("epoch == 12 and method == 'pca'")
    points = alignment.points(users, layout, vectors["a"], vectors["b"], ui_run.DOMAINS)
    figure = alignment.before_after({"A": points, "B": points}, ui_run.LABELS, mine="u4")
    rings = [t for t in figure.data if t.name == "the user of the sidebar"]
    assert [len(r.x) for r in rings] == [2, 2]
    assert [r.showlegend for r in rings] == [True, False]
    assert not any(t.name == "the user of the sidebar" for t in alignment.before_after(
        {"A": points}, ui_run.LABELS, mine="nobody").data)  # fmt: skip


def unpacked(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def test_linked_maps_are_told_in_numbers_that_a_browser_reads():
    frame = catalogue(6)
    colour, colours, legend = linked.by_domain(frame["domain"], ui_run.LABELS)
    marks = linked.Marks(
        np.arange(6), np.full(6, -1), colour, colours, legend, list(frame["title"])
    )
    places = {f"epoch {e}": frame[["x", "y"]].to_numpy() * (e + 1) for e in (0, 1)}
    view = linked.View(
        "Items", places, names=items.names(catalogue()), stars=[("you", 0, 0, "red")]
    )
    data = linked.linked(marks, [view], alt="Items", mine=2)
    json.dumps(data)
    assert list(unpacked(data["marks"]["colour"], "<i4")) == list(colour) == [0, 0, 0, 1, 1, 1]
    first, last = (
        np.stack([unpacked(f[a], "<f4") for a in "xy"], axis=1) for f in data["views"][0]["frames"]
    )
    reach = np.abs(np.concatenate([first, last])).max()
    assert 0.9 < reach < 1, "all moments lie within the view, on one scale"
    shift = last - 2 * first
    np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-6)
    assert data["signature"] != linked.linked(marks, [view], alt="Items", mine=1)["signature"]
    values, scale, _ = linked.by_number(frame["degree"], "Interactions")
    assert (values.min(), values.max()) == (0, 1) and all(re.fullmatch("#.{6}", c) for c in scale)
