"""Figures say what the table says: marks, colours by role, no mark on top of another."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from micrec_core.figures import (
    ablations,
    alignment,
    data,
    item_map,
    low_degree,
    modalities,
    recommendations,
    retrain,
    theme,
    verdicts,
)
from micrec_core.figures.picking import own_seed, pick
from micrec_core.modalities.registry import MODALITIES
from micrec_core.names import POOLED
from micrec_core.protocols import CURVES
from micrec_core.report.html import html_report
from tests import ui_run

RNG = np.random.default_rng(0)
LABELS = ui_run.LABELS


def traces(figure, kind):
    return [t for t in figure.data if t.type == kind]


def test_colours_have_one_role():
    domains = set(theme.DOMAIN_COLOURS)
    sources = {theme.source_colour(source) for source in (*theme.SOURCES, *MODALITIES, "audio")}
    greys = {*theme.BASELINE_GREYS, theme.NEUTRAL}
    assert not domains & sources and not domains & greys and not sources & greys
    assert theme.DOMAIN_COLOURS[:2] == ("#0072B2", "#D55E00")
    assert len({theme.domain_colour(i) for i in range(6)}) == 6
    assert len({theme.domain_symbol(i) for i in range(6)}) == 6
    assert theme.model_colours(["micrec", "inmo"], 1)["micrec"] == "#D55E00"


@pytest.mark.parametrize("kind", ["light", "dark"])
def test_templates(kind):
    figure = theme.themed(ablations.cost_bars(pd.DataFrame({"row": ["a"], "seconds": [2.0]})), kind)
    assert figure.layout.template.layout.paper_bgcolor == theme.TEMPLATES[kind].layout.paper_bgcolor


def test_rows_of_a_comparison_are_in_order_and_named():
    rows = ablations.labelled(ui_run._variants(RNG))
    names = list(dict.fromkeys(rows["row"]))
    assert names[0] == "Full model"
    assert names[-3:] == ["INMO", "LightGCN", "Popularity"]
    assert names[1] == "without text" and "without memory" in names


def test_seeds_of_one_row_do_not_hide_each_other():
    frame = pick(ui_run._variants(RNG), metric="ndcg@20")
    figure = ablations.scores(ablations.labelled(frame), LABELS)
    places = [y for t in traces(figure, "scatter") if t.xaxis == "x" for y in t.y]
    assert len(places) == len(set(places)) == 22
    assert next(iter(figure.layout.yaxis.ticktext)) == "Full model"


def test_pooled_seeds_are_the_large_marks():
    frame = pick(ui_run._variants(RNG), metric="ndcg@20", seed=0)
    frame = pd.concat([frame, frame.assign(seed=POOLED, mean=0.5)])
    figure = ablations.scores(ablations.labelled(frame), LABELS)
    large = [t for t in figure.data if t.marker.size == 11]
    small = [t for t in figure.data if t.marker.size == 6]
    assert large and small
    assert all(t.error_x.array is None for t in small)
    assert {x for t in large for x in t.x} == {0.5}
    assert ablations.seeds_said(frame).startswith("Large: mean over 1 seeds")
    only = ablations.differences(ablations.labelled(frame), LABELS)
    assert sum(len(t.x) for t in only.data) == 18, "all but popularity and the full model"


@pytest.mark.parametrize("diff", [0.02, -0.01])
def test_popularity_is_drawn_where_it_is_not_the_last(diff):
    frame = ablations.labelled(pick(ui_run._variants(RNG), metric="ndcg@20", seed=0))
    assert "only in the table" in ablations.left_to_table(frame)
    near = (frame["model"] == "popularity") & (frame["domain"] == "kitchen")
    frame.loc[near, ["diff", "diff_low", "diff_high"]] = diff, diff - 0.01, diff + 0.01
    assert ablations.left_to_table(frame) == ""
    assert "Popularity" in ablations.differences(frame, LABELS).layout.yaxis.ticktext
    alone = frame[frame["model"] == "popularity"]
    assert "Popularity" in ablations.differences(alone, LABELS).layout.yaxis.ticktext


def test_how_many_items_have_few_interactions_is_counted():
    said = data.few_said({"Food": np.array([0, 5, 6, 40]), "Kitchen": np.array([90, 7])})
    assert said == "Items with at most 5 interactions: 50% in Food and 0% in Kitchen"


def test_differences_are_hollow_where_not_significant():
    frame = pick(ui_run._variants(RNG), metric="ndcg@20", seed=0)
    figure = ablations.differences(ablations.labelled(frame), LABELS)
    shapes = {str(c[3]): s for t in figure.data for c, s in zip(t.customdata, t.marker.symbol)}
    assert shapes["without text"].endswith("-open")
    assert not shapes["without contrast"].endswith("-open")
    assert "Full model" not in shapes


def test_bins_under_thirty_items_are_hatched():
    figure = low_degree.recall_by_bin(ui_run._degree(RNG), LABELS)
    for bar in traces(figure, "bar"):
        few = [n < theme.FEW for n in bar.y]
        assert [bool(s) for s in bar.marker.pattern.shape] == few
        assert sum(few) == 1
        ticks = figure.layout[bar.yaxis.replace("y", "yaxis")].showticklabels
        assert ticks is False, "they would touch the number of the next domain's bar on a phone"
    dots = [t for t in traces(figure, "scatter") if t.xaxis == "x"]
    places = [round(x, 3) for t in dots for x in t.x]
    assert len(places) == len(set(places)), "models of one bin hide each other"


def test_a_described_dataset_is_said_in_words():
    domain = {"name": "a", "label": "", "n_users": 1200, "density": 0.0262,
              "missing": {"title": 3}, "user_degree": {"p50": 2.0}}  # fmt: skip
    table = data.described_table([domain, domain | {"name": "b", "label": "Bees"}])
    assert list(table.columns) == ["", "a", "Bees"]
    said = dict(zip(table[""], table["Bees"], strict=True))
    assert said == {
        "Users": "1,200",
        "Share of all pairs that interact": "2.62%",
        "Interactions per user, median": "2",
        "Items without a title": "3",
    }


def test_two_runs_are_set_beside_each_other_where_both_answer():
    ours = pick(ui_run._summary(np.random.default_rng(0)), model="micrec")
    theirs = pick(ours.assign(seed=4, mean=ours["mean"] + 0.1), protocol=["known"])
    table = retrain.beside(ours, pd.concat([theirs, theirs.assign(seed=5, mean=9)]), LABELS, 4)
    assert list(table["Question"].unique()) == ["Known users"]
    assert list(table["Domain"]) == ["Food", "Kitchen"]
    row = pick(ours, protocol="known", domain="food", metric="ndcg@20").iloc[0]
    assert table["This training"][0].startswith(f"{row['mean']:.3f} [")
    assert table["Opened run"][0].startswith(f"{row['mean'] + 0.1:.3f} [")
    few = retrain.beside(ours.assign(n=19), theirs, LABELS, 4)
    assert set(few["This training"]) == {"fewer than 20 users"}


def test_a_missing_modality_gives_no_weight_row():
    weights = ui_run._weights(np.random.default_rng(2), ("text", "image"))
    long = modalities.long_weights(weights)
    assert len(long) == weights["has_text"].sum() + weights["has_image"].sum()
    assert set(long.loc[long["have"] == "text only", "modality"]) == {"text"}
    having = modalities.by_having(long)
    alone = having[having["have"] == "image only"]
    assert set(alone["modality"]) == {"image"} and (alone["mean"] == 1.0).all()
    users = pick(having, entity="user")
    figure = modalities.group_means(users, "have", LABELS, "What it has")
    assert len(figure.data) == 4
    assert any("text<br>and<br>image<br>" in words for words in figure.layout.xaxis.ticktext)


def test_tenths_of_the_degree_hold_everyone_once():
    weights = ui_run._weights(np.random.default_rng(2), ("text", "image"))
    weights.loc[weights["entity"] == "item", "degree"] = 3
    long = modalities.long_weights(weights)
    table = modalities.by_decile(long)
    both = long[(long["have"] == "text and image") & (long["modality"] == "text")]
    counts = pick(table, modality="text").groupby(["entity", "domain"])["n"].sum()
    assert (counts == both.groupby(["entity", "domain"]).size()).all()
    assert set(pick(table, entity="item")["degree"]) == {"3"}
    users = pick(table, entity="user", domain="food", modality="text")
    first = [int(name.split("-")[0]) for name in users["degree"]]
    assert first == sorted(first) and 3 < len(first) <= 10
    figure = modalities.group_means(pick(table, entity="user"), "degree", LABELS, "Interactions")
    assert len(figure.layout.xaxis.ticktext) == len(first)


def test_the_ternary_plot_leaves_out_entities_without_a_share():
    weights = ui_run._weights(np.random.default_rng(2), ("text", "image"))
    weights.loc[:9, ["share_id", "share_text", "share_image"]] = 0.0
    figure = modalities.ternary(weights, LABELS, ("text", "image"))
    assert sum(len(t.a) for t in figure.data) == len(weights) - 10


def test_parts_of_a_score_are_found_in_palette_order():
    items = pd.DataFrame(
        {"item_id": ["a"], "title": ["t"], "score": [1.0], "image": [0.2], "id": [0.5],
         "bridge": [0.1], "text": [0.1], "memory": [0.1], "audio": [0.0]}
    )  # fmt: skip
    assert recommendations.sources(items) == ["id", "text", "image", "bridge", "memory"]
    figure = recommendations.reasons(items)
    parts = sum(t.x[0] for t in figure.data if t.type == "bar")
    assert parts == pytest.approx(1.0)


def explanation():
    table = pd.DataFrame(
        {"source": ["id", "text"] * 20, "via": ["your item", "neighbour"] * 20,
         "title": ["same title", ""] * 20, "contribution": np.linspace(-1, 2, 40),
         "contributor_id": [f"i{n // 4}" if n % 5 else "" for n in range(40)],
         "side": ["user", "item"] * 20}
    )  # fmt: skip
    return table


def test_the_paths_of_an_explanation_add_up_to_its_score():
    table = explanation()
    paths = recommendations.by_path(table)
    assert paths["path"].tolist() == ["user: your item", "item: neighbour"]
    assert paths["n"].sum() == 40
    drawn = sum(x for t in recommendations.paths(paths).data for x in t.x)
    assert drawn == pytest.approx(table["contribution"].sum())


def test_the_smallest_of_many_paths_are_one_bar():
    table = pd.DataFrame(
        {"path": [f"path {n}" for n in range(20)] * 2, "source": ["id"] * 20 + ["text"] * 20,
         "contribution": np.linspace(1, 40, 40), "n": 1}
    )  # fmt: skip
    bars = recommendations.paths(table)
    assert sum(sum(t.x) for t in bars.data) == pytest.approx(table["contribution"].sum())
    order = list(bars.layout.yaxis.categoryarray)
    assert len(order) == 15
    assert order[0] == "path 19"
    assert order[-1] == "the other 6 paths together"
    assert {y for t in bars.data for y in t.y} == set(order)


def test_a_memory_is_one_path_and_one_cell():
    table = pd.DataFrame(
        {"source": "memory", "via": ["14 took both", "1 took both", "taken with items alike"],
         "side": "user", "contribution": [0.3, 0.2, 0.1]}
    )  # fmt: skip
    paths = recommendations.by_path(table)
    assert paths["path"].tolist() == ["user: people who took both", "user: taken with items alike"]
    assert paths["contribution"].tolist() == pytest.approx([0.5, 0.1])
    names = ["id", "bridge", "memory"]
    cells = pd.DataFrame(np.diag([0.4, 0.0, 0.6]), names, names).rename_axis("user_source")
    long = cells.melt(ignore_index=False, var_name="item_source", value_name="contribution")
    drawn = recommendations.meeting(long.reset_index()).data[0]
    assert list(drawn.y) == ["user: Interactions", "user: Memory"]
    np.testing.assert_array_equal(drawn.z, [[0.4, 0.0], [0.0, 0.6]])
    np.testing.assert_array_equal(drawn.text, [["+0.400", ""], ["", "+0.600"]])


def test_contributors_of_one_title_keep_lines_of_their_own():
    single = recommendations.contributors(explanation(), limit=3)
    assert single["contributor_id"].nunique() == 3
    assert set(single["name"]) <= {"same title", *single["contributor_id"]}
    whole = explanation().query("contributor_id != ''").groupby("contributor_id")["contribution"]
    best = whole.sum().abs().idxmax()
    assert single["contributor_id"].iloc[0] == best
    figure = recommendations.contributor_bars(single)
    assert len({y for t in figure.data for y in t.y}) >= 3


def test_the_cells_are_drawn_with_zero_in_the_middle():
    cells = pd.DataFrame(
        {"user_source": ["id", "id", "text", "text"], "item_source": ["id", "text"] * 2,
         "contribution": [1.0, -0.5, 0.25, 0.0]}
    )  # fmt: skip
    grid = recommendations.meeting(cells).data[0]
    np.testing.assert_allclose(grid.z, [[1.0, -0.5], [0.25, 0.0]])
    assert grid.zmid == 0


def test_rank_moves():
    assert recommendations.rank_moves(["a", "b", "c"], ["b", "x", "c"]) == ["+1", "new", ""]
    assert recommendations.rank_moves(["a", "b"], ["b", "a"]) == ["+1", "-1"]


def test_two_lists_compared():
    ours = pd.DataFrame({"item_id": ["a", "b"], "title": ["A", "B"]})
    theirs = pd.DataFrame({"item_id": ["b", "c"], "title": ["B", "C"]})
    table = recommendations.compared(ours, theirs)
    assert table["item_id"].tolist() == ["a", "b", "c"]
    assert table.loc[1, ["rank_a", "rank_b", "difference"]].tolist() == [2.0, 1.0, -1.0]
    assert table["title"].tolist() == ["A", "B", "C"]
    assert len(recommendations.slopes(table, ("x", "y"), 0).data) == 3


def test_degree_curve_is_the_share_with_at_least_so_many():
    curve = data.degree_curves({"Food": np.array([1, 1, 2, 5, 0])}, "n").data[0]
    assert dict(zip(curve.x, curve.y)) == {5: 0.2, 2: 0.4, 1: 0.8}, (
        "shares are of all, as few_said has them"
    )


def test_training_curves_skip_epochs_without_validation():
    history = pd.DataFrame(
        {"epoch": [1, 2, 3], "loss.total": [3.0, 2, 1], "valid.food.ndcg@20": [np.nan, 0.1, np.nan]}
    )
    figure = retrain.valid_curves(history, {"food": "Food"}, best_epoch=2)
    assert list(figure.data[0].x) == [2]
    assert list(retrain.loss_curves(history).data[0].y) == [3.0, 2, 1]
    assert len(retrain.alignment_curve(history).data) == 0
    once = history[:1].assign(**{"alignment.paired_cosine": 0.5})
    drawn = [*retrain.loss_curves(once).data, *retrain.alignment_curve(once, once).data]
    assert drawn and all("markers" in line.mode for line in drawn), "one epoch is seen as well"


def test_pooled_rows_are_quoted_where_there_are_any():
    frame = pd.DataFrame({"seed": [0, 1, 2], "mean": [1, 2, 3]})
    assert own_seed(frame, 2)["mean"].tolist() == [3]
    assert own_seed(frame, 9)["mean"].tolist() == [1]
    pooled = pd.concat([frame, pd.DataFrame({"seed": [-1], "mean": [9]})])
    assert own_seed(pooled, 2)["mean"].tolist() == [9]


def report_of(**changed):
    rng = np.random.default_rng(0)
    frames = {
        "metrics/summary.parquet": ui_run._summary(rng),
        "metrics/variants.parquet": ui_run._variants(rng),
        "metrics/degree.parquet": ui_run._degree(rng),
        "metrics/cutoff.parquet": ui_run._cutoff(rng),
        "metrics/alignment.parquet": ui_run._alignment(),
        "metrics/beyond.parquet": ui_run._beyond(rng),
        "metrics/sparsity.parquet": ui_run._stress(rng, (1.0, 0.5)),
        "snapshots/users.parquet": ui_run._snapshot_users(rng, 30),
        "snapshots/layouts.parquet": ui_run._layouts(rng, 30),
        "weights.parquet": ui_run._weights(rng, ("text", "image")),
    }
    frames.update(changed)
    info = {
        **ui_run._info(("text",)), "name": "tiny", "without": ["<script>"], "created": "now",
        "finished": "now", "best_epoch": 2, "n_parameters": 5,
    }  # fmt: skip
    history = pd.json_normalize([ui_run._epoch(e) for e in (1, 2)])
    return html_report(info, frames.get, history, lambda e: ui_run._vectors(rng, 30, e))


def test_the_report_is_one_file_that_needs_no_network():
    html = report_of()
    assert html.count("Plotly.newPlot(") == 12
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", html)
    assert "sample data (synthetic)" in html
    assert "&lt;script&gt;" in html and "(switched off: <script>" not in html
    assert "For known users, MICRec beats INMO" in html


def test_the_report_of_a_run_that_lacks_tables():
    html = report_of(**dict.fromkeys(["metrics/variants.parquet", "weights.parquet"]))
    assert "Variants and baselines" not in html
    assert "By how known the item is" in html


def test_a_run_on_its_own_is_shown_without_differences():
    own = verdicts.tested(None, None, pick(ui_run._summary(RNG), metric="ndcg@20"))
    assert own["diff"].isna().all()
    rows = ablations.labelled(pick(own, protocol="cold-domain"))
    assert rows["row"].unique().tolist() == ["Full model", "Popularity", "Ridge map"]
    assert len(ablations.scores(rows, LABELS).data) == 6


def test_shares_of_distances_are_counted_beforehand():
    rng = np.random.default_rng(0)
    pairs = {"A": (rng.uniform(0, 2, 1000), np.array([0.0, 2.0, 2.1, -1e-9]))}
    shares = alignment.distance_shares(pairs)
    assert shares.groupby("pair")["share"].sum().round(9).tolist() == [1.0, 1.0]
    first = shares[(shares["pair"] == alignment.SAME) & (shares["low"] == 0)]
    assert first["share"].item() == pytest.approx((pairs["A"][0] < 0.05).mean())
    assert len(alignment.distance_histogram(shares).data) == 2


def test_boxes_hold_quantiles_and_not_every_value():
    weights = ui_run._weights(np.random.default_rng(2), ("text", "image"))
    table = modalities.quantiles(modalities.long_weights(weights))
    both = weights[weights["has_text"] & weights["has_image"]]
    users = both[(both["entity"] == "user") & (both["domain"] == "food")]["w_text"]
    row = pick(table, entity="user", domain="food", modality="text").iloc[0]
    assert row["n"] == len(users)
    assert row["q25"] == pytest.approx(users.quantile(0.25))
    figure = modalities.distributions(table, LABELS)
    assert all(len(t.q1) == 2 for t in figure.data)


def test_a_variant_beside_the_full_model_has_a_dash_of_its_own():
    cutoff = ui_run._cutoff(RNG)
    both = pd.concat([cutoff, pick(cutoff, model="micrec").assign(variant="text")])
    figure = ablations.cutoff_curves(pick(both, metric="ndcg"), LABELS)
    dashes = {t.name: t.line.dash for t in figure.data}
    assert dashes["Full model"] == "solid"
    assert dashes["without text"] == "longdash"
    assert len(set(dashes.values())) == len(dashes)


def test_maps_stand_beside_the_variants_of_cold_users():
    variants = ui_run._variants(RNG).assign(protocol="cold-domain")
    variants = pd.concat([variants, pick(variants, seed=0).assign(seed=-1)])
    cold = pick(variants, model="popularity", seed=0)
    maps = pd.concat([cold, cold.assign(model="ridge")])
    both = verdicts.tested(variants, maps, cold.assign(model="lightgcn"))
    assert len(both) == len(variants) + len(cold), "what the variants have is not taken twice"
    rows = ablations.labelled(pick(both, metric="ndcg@20"))
    large = [t for t in ablations.scores(rows, LABELS).data if t.marker.size == 11]
    assert "Ridge map" in {row[3] for t in large for row in t.customdata}
    assert "Without small marks: one training." in ablations.seeds_said(rows)
    drawn = ablations.differences(rows, LABELS)
    assert "Ridge map" in drawn.layout.yaxis.ticktext
    pd.testing.assert_frame_equal(
        verdicts.tested(variants, None, None), variants.reset_index(drop=True)
    )


@pytest.mark.parametrize("stress", CURVES)
def test_stress_curves_go_through_their_shares_in_order(stress):
    frame = ui_run._stress(RNG, (1.0, 0.25, 0.5))
    rows = pick(frame, protocol="known", variant="full")
    figure = ablations.stress_curves(rows, stress, LABELS)
    assert len(figure.data) == 4
    assert all(list(line.x) == [0.25, 0.5, 1.0] for line in figure.data)
    assert figure.layout.xaxis.type == ("log" if stress == "sparsity" else None)


def test_curves_of_too_few_users_are_not_drawn():
    frame = pick(ui_run._stress(RNG, (1.0, 0.5)), protocol="known", variant="full")
    few = frame.assign(n=np.where(frame["domain"] == "food", 19, 20))
    drawn = ablations.stress_curves(few, "sparsity", LABELS).data
    assert {line.xaxis for line in drawn} == {"x2"}


def test_differences_by_bin_are_of_the_other_models():
    figure = low_degree.differences_by_bin(ui_run._degree(RNG), LABELS)
    assert {t.name for t in figure.data} == {"INMO", "LightGCN", "Popularity"}


def test_items_of_a_bin_are_counted():
    items = pd.DataFrame(
        {"domain": ["food"] * 4, "bin": ["0", "0", "0", "1-2"], "n_positives": [3, 0, 1, 9],
         "hits": [1, 0, 1, 9], "item_id": list("abcd")}
    )  # fmt: skip
    found = low_degree.found_in_bin(items, "food", "0")
    assert (len(found.items), found.held_out, found.hits, found.share) == (2, 4, 2, 0.5)
    assert low_degree.found_in_bin(items, "kitchen", "0").share == 0


def test_degrees_are_counted_per_domain():
    counts = data.degree_counts({"Food": np.array([1, 1, 4]), "Kitchen": np.array([1])}, "items")
    assert counts.values.tolist() == [["Food", 1, 2], ["Food", 4, 1], ["Kitchen", 1, 1]]


def test_models_that_a_claim_names_are_drawn_though_others_find_more() -> None:
    found = {"micrec": 0.5, "a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1}
    rows = pd.DataFrame({"model": list(found), "recall": found.values(), "n_positives": 10.0})
    drawn, said = low_degree.foremost(rows, None)
    assert drawn["model"].tolist() == ["micrec", "a", "b", "c"]
    assert said == "Drawn are the 3 strongest of 4 other models; the table has all."
    claim = SimpleNamespace(compared=[SimpleNamespace(model="d"), SimpleNamespace(model="d")])
    drawn, said = low_degree.foremost(rows, claim)  # type: ignore[arg-type]
    assert drawn["model"].tolist() == ["micrec", "a", "b", "d"]
    assert "3 of 4 other models: those the claim names" in said


def test_no_share_is_drawn_above_all_of_them():
    from micrec_core.figures.data import degree_curves

    for degrees in (np.full(8, 3), np.arange(1, 200)):
        low, high = degree_curves({"Food": degrees}, "Interactions").layout.yaxis.range
        assert low < np.log10(min(1.0, 1 / 2)) and 0 < high < np.log10(2)


@pytest.mark.parametrize("paper", ["#FFFFFF", "#14181F"])
def test_domains_stand_out_from_the_page(paper):
    def light(colour):  # WCAG 2.2, relative luminance
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for colour in theme.DOMAIN_COLOURS:
        low, high = sorted((light(colour), light(paper)))
        assert (high + 0.05) / (low + 0.05) >= 3, colour


def test_intervals_of_bars_are_seen_in_the_dark_too():
    table = pd.DataFrame({"known in": ["Food"], "took": ["1 to 2"], "asked": [9], "get it": [3],
                          "share": [1 / 3], "low": [0.1], "high": [0.6]})  # fmt: skip
    (bar,) = item_map.reach(table).data
    assert bar.error_y.color == theme.NEUTRAL


def test_numbers_of_a_small_log_axis_are_written_out():
    figure = data.degree_curves({"Food": np.array([5, 10, 20, 50])}, "Interactions")
    assert figure.layout.xaxis.dtick == "D2" and figure.layout.xaxis.tickformat
