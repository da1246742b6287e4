"""The two maps: the same users lit in both, honest samples, people put among the others."""

import numpy as np
import pandas as pd
import pytest

from micrec_core.figures import alignment, modalities, placing, theme
from micrec_core.figures.picking import pick
from tests import ui_run

LABELS = ui_run.LABELS


def stage(n=50, epoch=12):
    rng = np.random.default_rng(1)
    users = ui_run._snapshot_users(rng, n)
    vectors = ui_run._vectors(rng, n, epoch)
    layout = pick(ui_run._layouts(rng, n), epoch=epoch, method="pca")
    return (
        users,
        vectors,
        alignment.points(users, layout, vectors["a"], vectors["b"], ui_run.DOMAINS),
    )


def test_points_carry_the_distance_in_all_dimensions():
    users, vectors, points = stage()
    a = vectors["a"][7].astype(float)
    b = vectors["b"][7].astype(float)
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    mine = points[points["user_id"] == "u7"]
    assert list(mine["domain"]) == ["food", "kitchen"]
    np.testing.assert_allclose(mine["distance"], 1 - cosine, atol=1e-5)
    assert list(mine["degree"]) == list(users.loc[7, ["degree_a", "degree_b"]])


@pytest.mark.parametrize("colour_by", list(alignment.COLOUR_BY))
def test_a_selection_lights_the_same_users_in_both_maps_and_domains(colour_by):
    points = stage()[2]
    chosen = ("u3", "u9")
    figure = alignment.before_after(
        {"Before": points, "After": points}, LABELS, colour_by=colour_by, selected=chosen
    )
    clouds = [t for t in figure.data if t.mode == "markers"]
    assert len(clouds) == 4
    for cloud in clouds:
        assert {cloud.customdata[i][0] for i in cloud.selectedpoints} == set(chosen)
    lines = [t for t in figure.data if t.mode == "lines"]
    assert all(np.isnan(t.x).sum() == len(chosen) for t in lines)


def test_without_a_selection_only_the_worst_pairs_are_joined():
    points = stage()[2]
    figure = alignment.before_after({"A": points}, LABELS, worst=4)
    line = next(t for t in figure.data if t.mode == "lines")
    assert np.isnan(line.x).sum() == 4
    assert all(t.selectedpoints is None for t in figure.data if t.mode == "markers")


def test_many_users_are_sampled_evenly_over_the_distances():
    points = stage(n=400)[2]
    assert alignment.sample_rows(points, limit=400) is points
    some = alignment.sample_rows(points, limit=399, sample=40)
    apart = points.drop_duplicates("user_id")
    worst = apart.nlargest(alignment.MAX_WORST, "distance")["user_id"]
    assert set(worst) <= set(some["user_id"])
    assert 80 <= some["user_id"].nunique() < 100
    assert len(some) == 2 * some["user_id"].nunique()
    assert some["distance"].min() == points["distance"].min()
    assert some["distance"].max() == points["distance"].max()


def test_a_density_counts_every_mark():
    points = stage(n=400)[2]
    found = placing.density(points, cells=20)
    assert found.counts.shape == (20, 20)
    assert found.counts.sum() == len(points)
    x, y = points["x"].to_numpy(), points["y"].to_numpy()
    column = int((x[0] - x.min()) / (np.ptp(x) / 20))
    row = int((y[0] - y.min()) / (np.ptp(y) / 20))
    assert found.counts[min(row, 19), min(column, 19)] >= 1
    assert alignment.shown(points)[1] is None


def test_a_new_vector_is_placed_where_those_like_it_are():
    layout = pd.DataFrame({"row": [2, 0, 1], "x": [9.0, 0.0, 4.0], "y": [9.0, 0.0, 2.0]})
    vectors = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]], np.float16)
    found = placing.place(layout, vectors, np.array([0.0, 3.0]), k=1)
    assert (found["x"], found["y"]) == (4.0, 2.0)
    assert found["likeness"] == pytest.approx(1.0)
    between = placing.place(layout, vectors, np.array([1.0, 1.0]), k=2)
    assert (between["x"], between["y"]) == (pytest.approx(2.0), pytest.approx(1.0))
    assert placing.place(layout, vectors, np.array([0.0, -1.0]), k=1) is None
    assert placing.place(layout, vectors[:, :1] * 0, np.array([1.0])) is None


def test_someone_placed_is_a_star_in_the_last_map_only():
    points = stage()[2]
    who = pd.DataFrame([{"domain": "kitchen", "x": 1.0, "y": 2.0, "likeness": 0.5}])
    labels = {"food": "Food", "kitchen": "Kitchen"}
    figure = alignment.before_after({"a": points, "b": points}, labels, placed=who)
    stars = [t for t in figure.data if t.marker.symbol == "star"]
    assert [(s.xaxis, s.x[0], s.y[0]) for s in stars] == [("x2", 1.0, 2.0)]
    assert stars[0].marker.color == theme.domain_colour(1)


def test_an_even_sample_keeps_both_domains_and_says_nothing_false():
    frame = pd.DataFrame({"domain": ["food"] * 900 + ["kitchen"] * 100, "share_id": 1.0})
    assert len(modalities.every(frame, 2, limit=2000)) == 1000
    some = modalities.every(frame, 2, limit=200)
    assert some["domain"].value_counts().to_dict() == {"food": 100, "kitchen": 100}


def test_neighbours_agree_with_sorting_all_cosines():
    users, vectors, _ = stage()
    table = alignment.neighbours(users, vectors["a"], vectors["b"], "u5", k=3)
    a, b = (placing.unit(vectors[k]) for k in "ab")
    order = np.argsort(-(b @ a[5]))
    assert list(table["user_id"][:3]) == [f"u{i}" for i in order[:3]]
    own = table[table["same"]]
    assert len(own) == 1
    assert own["place"].item() == int(np.flatnonzero(order == 5)[0]) + 1
