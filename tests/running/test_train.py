"""Runs made end to end on a tiny sample: whole, resumable, and trained on nothing but train."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from micrec_core.answering.answers import answerer_of
from micrec_core.cli import main
from micrec_core.comparing.variants import train_variants
from micrec_core.config import RunSettings, TrainSettings
from micrec_core.data import TEST, read_dataset
from micrec_core.data.progress import silent
from micrec_core.errors import ConfigError, RunError
from micrec_core.method.inductive import BySource, encode, encode_by_source
from micrec_core.method.inputs import ModelInputs
from micrec_core.method.micrec import Encoded, MICRec
from micrec_core.report.export import export_run
from micrec_core.running import beside
from micrec_core.running.beside import CHEAP
from micrec_core.running.evaluate import evaluate_run, load_model, reopen
from micrec_core.running.film import due
from micrec_core.running.frames import comparison_frames
from micrec_core.running.train import TrainResult, train_run
from micrec_core.runs import Run, live_history, open_run
from micrec_core.sample.generate import generate_sample
from micrec_core.serving import Recommender
from micrec_core.serving.by_likes import ByLikes, goes_by_likes, pack_by_likes

pytestmark = pytest.mark.usefixtures("one_thread")
# What a run writes does not hang on how many steps an epoch has.
SHORT = {"batch_size": 256, "validate_every": 1, "steps": 3}
# Of a gradient that is next to nothing Adam makes a whole step, so that its rounding, which is
# another by two processes and on each kind of processor, shows in proportion to the rate.
SLOW = {"learning_rate": 1e-3}
# Long enough that a process is stopped amid them.
LONG = 8
ROOT = Path(__file__).resolve().parents[2]
EPOCHS = 2
ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def settings(split: str = "known", epochs: int = EPOCHS, **training: object) -> RunSettings:
    return RunSettings(
        split=split,  # type: ignore[arg-type]
        training=TrainSettings(epochs=epochs, **SHORT | training),  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    generate_sample(folder / "tiny", users=120, items=(60, 50), seed=3, picture_size=32)
    return folder


@pytest.fixture(scope="module")
def known(place: Path) -> TrainResult:
    return train_run(
        place / "tiny", place / "known", settings(**SLOW), device="cpu", cache=place / "cache",
        umap=False, baselines=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def inductive(place: Path) -> TrainResult:
    return train_run(
        place / "tiny", place / "inductive", settings("inductive"), device="cpu",
        cache=place / "cache", umap=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(inductive: TrainResult) -> Run:
    return open_run(inductive.run)


def test_two_processes_make_the_run_of_one(place, known, monkeypatch) -> None:
    words = [
        "train", str(place / "tiny"), "--out", str(place / "two"), "--epochs", str(EPOCHS),
        *(word for key, value in (SHORT | SLOW).items() for word in ("--set", f"{key}={value}")),
        "--device", "cpu", "--cache", str(place / "cache"), "--no-umap", "--no-baselines",
        "--workers", "2",
    ]  # fmt: skip
    # The helper is started with the words of this command line.
    monkeypatch.setattr(sys, "argv", ["micrec", *words])
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "")
    for name, value in ONE_THREAD.items():
        monkeypatch.setenv(name, value)
    assert main(words) == 0
    one, two = open_run(known.run), open_run(place / "two")
    assert two.info.get("workers") == 2 and one.info.get("workers") is None
    parameters, found = (run.tensors("model.safetensors") for run in (one, two))
    for name, value in parameters.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-5, err_msg=name)


def test_a_run_has_every_file_of_the_contract(run: Run) -> None:
    wanted = {
        *("model.safetensors", "catalogue.parquet", "weights.parquet", "history.jsonl"),
        *("serving.safetensors", "serving.json", "snapshots/users.parquet"),
        *("snapshots/layouts.parquet", "snapshots/epoch_0000.safetensors"),
        *(f"metrics/{n}.parquet" for n in ("summary", "degree", "degree_items", "cutoff")),
        *(f"metrics/{n}.parquet" for n in ("alignment", "beyond", "users_known")),
        *(f"metrics/users_{n}.parquet" for n in ("new-users", "new-items", "cold-domain")),
    }
    assert wanted <= set(run.files)
    assert not any(name.startswith("checkpoint") for name in run.files)
    info = run.info
    assert (info.status, info.model, info.variant, info.split) == (
        "complete", "micrec", "full", "inductive",
    )  # fmt: skip
    assert RunSettings.model_validate(info.config) == settings("inductive").suited(0.0)
    assert info.dataset and info.dataset.synthetic and len(info.dataset.domains) == 2
    assert set(info.encoders) == {"text", "image"}
    assert info.n_parameters and info.best_epoch and 1 <= info.best_epoch <= EPOCHS
    assert {"train", "evaluate", "serving"} <= set(info.timings)


def test_every_protocol_is_answered_with_references(
    run: Run, inductive: TrainResult, known: TrainResult
) -> None:
    summary = run.frame("metrics/summary.parquet")
    models = summary.groupby("protocol")["model"].agg(set)
    for protocol in ("known", "new-users", "new-items", "cold-domain"):
        assert {"micrec", "popularity"} <= models[protocol]
    assert "ridge" in models["cold-domain"]
    assert {"all", "full list"} == set(summary[summary["protocol"] == "new-items"]["cohort"])
    assert {"all", "overlap", "single"} == set(summary[summary["protocol"] == "known"]["cohort"])
    assert (summary["low"] <= summary["mean"] + 1e-9).all()
    assert (summary["mean"] <= summary["high"] + 1e-9).all()
    users = run.frame("metrics/users_known.parquet")
    food = users[users["domain"] == "food"]
    assert inductive.metrics["known"]["food"]["ndcg@20"]["mean"] == pytest.approx(
        food["ndcg@20"].mean()
    )
    assert inductive.metrics["known"]["food"]["ndcg@20"]["n"] == len(food)
    assert set(known.metrics) == {"known"}


def test_cheap_baselines_stand_beside_a_run(run: Run, known: TrainResult) -> None:
    """Each asked what it answers, and tested against the run's own model over the same users."""
    table = run.frame("metrics/variants.parquet")
    rows = table[(table["metric"] == "ndcg@20") & (table["cohort"] == "all")]
    asked = rows.groupby("protocol")["model"].agg(set)
    assert set(CHEAP) | {"micrec", "popularity"} == asked["known"]
    assert {"content-profile", "memory-alone"} <= asked["new-items"]
    assert {"als-joint", "ridge", "nearest"} <= asked["cold-domain"]
    own = rows[rows["model"] == "micrec"].set_index(["protocol", "domain"])["mean"]
    for row in rows[rows["model"] != "micrec"].itertuples():
        assert row.diff == pytest.approx(row.mean - own[row.protocol, row.domain], abs=1e-12)
        assert 0 < row.p_holm <= 1
    low = run.frame("metrics/low_degree.parquet")
    assert set(low["model"]) == set(CHEAP) | {"micrec", "popularity"}
    assert low.loc[low["model"] != "micrec", "p_holm"].notna().all()
    assert set(run.info.baselines) == set(CHEAP) and run.info.left_out == {}
    assert all(cost["solving"] >= 0 for cost in run.info.baselines.values())
    alone = open_run(known.run)
    assert alone.info.baselines == {} and not alone.has("metrics/variants.parquet")


def test_what_does_not_fit_is_left_out_and_says_why(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = reopen(run, place / "tiny", "cpu", silent, place / "cache")
    monkeypatch.setattr(beside, "MOST_ITEMS", {"bm25": 20})
    monkeypatch.setattr(beside, "MOST_INTERACTIONS", {"als-joint": 100})
    monkeypatch.setattr(beside, "MOST_USERS", 30)
    found = beside.solved_beside(prepared, 0.0, silent, skip=["als"])
    assert "items in one domain are more than the 20 that it takes" in found.left_out["bm25"]
    assert "interactions are more than the 100 that it takes" in found.left_out["als-joint"]
    assert set(found.seconds) == {*CHEAP} - {"bm25", "als", "als-joint"}
    monkeypatch.setattr(beside, "LEAST_SECONDS", 1e-9)
    late = beside.solved_beside(prepared, 0.0, silent)
    assert late.outcomes == [] and set(late.left_out) == set(CHEAP)
    assert late.left_out["content-profile"] == "asking it would take more than was left of 0 s"
    assert late.left_out["ease"] == "the 0 s that baselines may take were spent"
    # So many users are enough, the same of every model, and are compared with themselves.
    own = answerer_of(prepared, load_model(run, prepared)).outcome(prepared.material.questions)
    few = beside.few_answers(own)
    for answer, other in zip(few.of("known"), found.outcomes[0].of("known"), strict=True):
        assert len(answer.question) == 30
        assert answer.question.user_ids.tolist() == other.question.user_ids.tolist()
    frames = comparison_frames(prepared, [own, replace(few, model="few")])
    degree = frames["metrics/degree.parquet"]
    twins = degree[(degree["model"] == "few") & (degree["n_items"] > 0)]
    assert len(twins) and (twins["diff"] == 0).all()


def test_history_snapshots_and_alignment_tell_the_same_epochs(run: Run) -> None:
    history = run.history()
    assert history["epoch"].tolist() == list(range(1, EPOCHS + 1))
    validated = history.dropna(subset=["valid.food.ndcg@20"])
    assert {"loss.total", "alignment.paired_cosine", "alignment.mrr"} <= set(history.columns)
    assert validated["alignment.mrr"].between(0, 1).all()
    best = run.info.best_epoch
    vectors = sorted(f for f in run.files if f.startswith("snapshots/epoch_"))
    epochs = [int(f[-16:-12]) for f in vectors]
    assert epochs[0] == 0 and epochs[-1] == best
    layouts = run.frame("snapshots/layouts.parquet")
    alignment = run.frame("metrics/alignment.parquet")
    assert sorted(layouts["epoch"].unique()) == sorted(alignment["epoch"].unique()) == epochs
    users = run.frame("snapshots/users.parquet")
    tensors = run.tensors(vectors[-1])
    assert tensors["a"].shape == tensors["b"].shape == (len(users), 64)
    assert tensors["a"].dtype == np.float16
    assert (users[["degree_a", "degree_b"]] > 0).all(axis=None)
    assert len(layouts) == len(epochs) * 2 * len(users)
    assert np.isfinite(layouts[["x", "y"]].to_numpy()).all()


def test_a_film_tells_where_people_lay_from_the_start_to_the_best_epoch(run: Run) -> None:
    film, layouts = run.frame("snapshots/film.parquet"), run.frame("snapshots/layouts.parquet")
    moments = sorted(film["moment"].unique())
    best = run.info.best_epoch
    assert moments[0] == 0 and moments[-1] == best and 2 < len(moments) <= 10
    assert any(m != int(m) for m in moments), "moments amid an epoch too"
    people = len(run.frame("snapshots/users.parquet"))
    assert len(film) == len(moments) * 2 * people

    def spread(frame: pd.DataFrame) -> float:
        return float(np.linalg.norm(frame[["x", "y"]].to_numpy()))

    # PCA of the same vectors: the same places, but for how the plane is turned.
    for moment in (0, best):
        here = film[film["moment"] == moment]
        assert spread(here) == pytest.approx(spread(layouts[layouts["epoch"] == moment]), rel=1e-3)


@pytest.mark.parametrize(
    ("before", "now", "kept"),
    [(0, 0.2, False), (0.2, 0.3, True), (1.9, 2, True), (2, 2.5, False), (2.5, 3, True),
     (4, 5, False), (5, 6, True), (8, 11, False), (11, 12, True), (12, 16, True)],
)  # fmt: skip
def test_moments_of_a_film_are_dense_at_the_start(before: float, now: float, kept: bool) -> None:
    assert due(before, now) == kept


@pytest.mark.parametrize("epochs", [2, 3])
def test_snapshots_hold_what_was_validated(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    """Whether or not the last epoch was kept while training; each forward pass made once."""
    made: list[list[Encoded]] = []
    apart: list[list[BySource]] = []

    def counted(model: MICRec, inputs: ModelInputs) -> list[Encoded]:
        made.append(encode(model, inputs))
        return made[-1]

    def kept_apart(model: MICRec, inputs: ModelInputs) -> list[BySource]:
        apart.append(encode_by_source(model, inputs))
        return apart[-1]

    for place_used in ("answering.answers.embed", "running.fit.embed"):
        monkeypatch.setattr(f"micrec_core.{place_used}", counted)
    monkeypatch.setattr("micrec_core.running.train.encode_by_source", kept_apart)
    done = train_run(
        place / "tiny", tmp_path / "run", settings(epochs=epochs), device="cpu",
        cache=place / "cache", umap=False, baselines=False,
    )  # fmt: skip
    best, run = done.best_epoch, open_run(done.run)
    assert len(made) == 1 + epochs + (best < epochs)
    assert len(apart) == 1  # what the weights are read from
    ids = pd.Index(read_dataset(place / "tiny").domains[0].user_ids)
    rows = ids.get_indexer(run.frame("snapshots/users.parquet")["user_id"])
    kept = [0, *(e for e in (1, 2) if e <= best), *([3] if best == 3 else [])]
    for epoch in kept:
        vectors = run.tensors(f"snapshots/epoch_{epoch:04d}.safetensors")["a"]
        expected = made[epoch][0].users[rows].numpy().astype(np.float16)
        np.testing.assert_array_equal(vectors, expected)
    assert run.frame("metrics/alignment.parquet")["epoch"].unique().tolist() == kept


def test_the_catalogue_shows_all_items_with_small_pictures(run: Run, place: Path) -> None:
    from micrec_core.data.picture_files import load_image

    catalogue = run.frame("catalogue.parquet")
    dataset = read_dataset(place / "tiny")
    for domain in dataset.domains:
        rows = catalogue[catalogue["domain"] == domain.name]
        assert rows["item_id"].tolist() == domain.item_ids.tolist()
        assert rows["row"].tolist() == list(range(domain.n_items))
        assert [bool(x) for x in rows["has_image"]] == [bool(x) for x in domain.images]
        assert [t is not None for t in rows["thumbnail"]] == [bool(x) for x in domain.images]
    pictures = [t for t in catalogue["thumbnail"] if t is not None]
    assert max(load_image(p).size for p in pictures[:5]) <= (96, 96)


def test_weights_are_shares_of_what_is_there(run: Run) -> None:
    weights = run.frame("weights.parquet")
    assert set(weights["entity"]) == {"user", "item"}
    for m in ("text", "image"):
        assert (weights.loc[~weights[f"has_{m}"], f"w_{m}"] == 0).all()
    some = weights[weights["has_text"] | weights["has_image"]]
    np.testing.assert_allclose(some["w_text"] + some["w_image"], 1, atol=1e-5)
    shares = weights[["share_id", "share_text", "share_image"]].sum(axis=1)
    np.testing.assert_allclose(shares, 1, atol=1e-5)
    assert (weights.loc[weights["entity"] == "user", "degree"] > 0).all()


def test_evaluating_anew_gives_what_the_run_holds(run: Run, place: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in run.path.rglob("*")}
    stored = evaluate_run(run.path)
    anew = evaluate_run(run.path, place / "tiny", device="cpu", cache=place / "cache")
    # What stands beside the model is not solved anew.
    asked = stored.summary["model"].isin(anew.summary["model"].unique())
    held = stored.summary[asked].reset_index(drop=True)
    pd.testing.assert_frame_equal(held, anew.summary, rtol=1e-6)
    assert stored.metrics == evaluate_run(run.path, protocol="all").metrics
    assert set(evaluate_run(run.path, protocol="new-items").metrics) == {"new-items"}
    assert {p: p.stat().st_mtime_ns for p in run.path.rglob("*")} == before


def test_evaluation_refuses_what_it_cannot_answer(
    known: TrainResult, run: Run, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no protocol 'knwon'"):
        evaluate_run(run.path, protocol="knwon")
    with pytest.raises(ConfigError, match="withholds nothing for 'new-items'"):
        evaluate_run(known.run, protocol="new-items")
    generate_sample(tmp_path / "other", users=100, items=(40, 40), seed=4, pictures=False)
    with pytest.raises(RunError, match="trained on other data"):
        evaluate_run(run.path, tmp_path / "other", device="cpu")


def test_variants_are_added_to_the_run(known: TrainResult, place: Path) -> None:
    key = open_run(known.run).key
    table = train_variants(
        known.run, place / "tiny", names=["image", "lightgcn"], seeds=[0, 1], device="cpu",
        cache=place / "cache",
    )  # fmt: skip
    run = open_run(known.run)
    assert run.key != key
    pd.testing.assert_frame_equal(run.frame("metrics/variants.parquet"), table)
    trained = set(table[["model", "variant", "seed"]].itertuples(index=False, name=None))
    assert {("micrec", "full", 0), ("micrec", "full", 1), ("lightgcn", "full", 1)} <= trained
    assert {("micrec", "image", -1), ("popularity", "full", 0)} <= trained
    # What is solved knows no seed: it stands beside the models of each, and beside their mean.
    assert {(name, "full", seed) for name in CHEAP for seed in (0, 1, -1)} <= trained
    assert set(run.info.baselines) == set(CHEAP)
    bm25 = table[(table["model"] == "bm25") & (table["cohort"] == "all")]
    assert bm25.groupby(["domain", "metric"])["mean"].std().lt(1e-12).all()
    assert bm25[bm25["metric"] == "ndcg@20"].groupby("domain")["diff"].nunique().gt(1).all()
    others = {"lightgcn", "popularity", *CHEAP}
    full = table[(table["model"] == "micrec") & (table["variant"] == "full")]
    assert full["diff"].isna().all() and table["diff"].notna().any()
    degree = run.frame("metrics/degree.parquet")
    assert {"micrec", *others} == set(degree["model"])
    plain = degree[degree["variant"] == "full"]
    by_bin = plain.set_index(["model", "domain", "bin"]).sort_index()
    assert by_bin.loc["micrec", "diff"].isna().all()
    less = by_bin.loc["lightgcn", "recall"] - by_bin.loc["micrec", "recall"]
    np.testing.assert_allclose(by_bin.loc["lightgcn", "diff"], less, atol=1e-12)
    assert {"micrec", *others} == set(run.frame("metrics/summary.parquet")["model"])
    low = run.frame("metrics/low_degree.parquet")
    assert {"micrec", *others} == set(low["model"]) and set(low["variant"]) == {"full", "image"}
    model = Recommender.open(run)
    likes = {"food": [str(i) for i in model.item_ids("food")[:3]]}
    listed = model.baselines.by_likes("lightgcn", model.user(likes=likes), "food", k=5)
    assert len(listed) == 5 and not set(listed["item_id"]) & set(likes["food"])
    with pytest.raises(RunError, match="LightGCN goes by likes within one domain"):
        model.baselines.by_likes("lightgcn", model.user(likes=likes), "kitchen")
    with pytest.raises(ConfigError, match="no variant or baseline 'imgae'"):
        train_variants(known.run, place / "tiny", names=["imgae"], device="cpu")


@pytest.mark.parametrize("name", ["inmo", "lightgcn"])
def test_baselines_make_whole_runs_too(name: str, place: Path) -> None:
    given = settings("inductive", epochs=1).model_dump()
    given["model"]["name"] = name
    wanted = RunSettings.model_validate(given)
    made = train_run(
        place / "tiny", place / f"run-{name}", wanted, device="cpu", cache=place / "cache",
        umap=False,
    )  # fmt: skip
    run = open_run(made.run)
    assert ("cold-domain" in made.metrics) == (name == "inmo")
    weights = run.frame("weights.parquet")
    assert (weights.loc[weights["degree"] > 0, "share_id"].round(5) == 1).all()
    if name == "lightgcn":
        assert_kept_is_what_it_lists(run, place)


def assert_kept_is_what_it_lists(run: Run, place: Path) -> None:
    """What other runs keep of it gives someone new the list of its own run."""
    full = reopen(run, place / "tiny", "cpu", silent, place / "cache")
    model = load_model(run, full)
    assert isinstance(model, MICRec) and goes_by_likes(model.settings)
    kept, own = ByLikes(pack_by_likes(model, full)), Recommender.open(run)
    for d, domain in enumerate(own.domains):
        ids = own.item_ids(domain)
        rows = np.flatnonzero(full.knowledge.domains[d].item_degree > 0)[[3, 0, 7]]
        user = own.user(likes={domain: [ids[i] for i in rows]})
        whole = own.recommend(user, domain, k=20).items
        scores = kept.scores(d, rows)[[ids.index(i) for i in whole["item_id"]]]
        factor = scores[0] / whole["score"][0]
        np.testing.assert_allclose(scores, factor * whole["score"], rtol=1e-4, atol=1e-7)
        assert factor > 0


def test_exports(run: Run, tmp_path: Path) -> None:
    html = export_run(run.path, "html", tmp_path / "report.html")[0].read_text()
    assert html.startswith("<!doctype html>") and "<script src=" not in html
    table = export_run(run.path, "tsv", tmp_path / "items.tsv")[0]
    rows = list(csv.reader(table.open(encoding="utf-8"), delimiter="\t"))
    assert len(rows) == 111 and {len(r) for r in rows} == {4 + 64}
    vectors, metadata = export_run(run.path, "projector", tmp_path / "projector")
    assert len(vectors.read_text().splitlines()) == 110
    assert len(metadata.read_text().splitlines()) == 111
    with pytest.raises(ConfigError, match="no format 'pdf'"):
        export_run(run.path, "pdf", tmp_path / "x.pdf")


def as_table(dataset_path: Path, out: Path, change: Callable | None = None) -> Path:
    """The same dataset with its split written down, and perhaps its test interactions changed."""
    dataset = read_dataset(dataset_path)
    out.mkdir()
    shutil.copy(dataset_path / "items.csv", out)
    shutil.copytree(dataset_path / "images", out / "images")
    with (out / "interactions.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["user_id", "item_id", "domain", "split"])
        for d in dataset.domains:
            taken = d.edges.matrix(d.n_users, d.n_items).toarray() > 0
            for user, item, part in zip(d.edges.user, d.edges.item, d.split, strict=True):
                if part == TEST and change is not None:
                    item = change(taken[user])
                    taken[user, item] = True
                name = ("train", "valid", "test")[part]
                writer.writerow([d.user_ids[user], d.item_ids[item], d.name, name])
    return out


def test_corrupting_every_test_interaction_changes_no_parameter(
    place: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    clean = as_table(place / "tiny", tmp_path / "clean")
    spoilt = as_table(
        place / "tiny", tmp_path / "spoilt", lambda taken: rng.choice(np.flatnonzero(~taken))
    )
    without: dict[str, Any] = {"device": "cpu", "umap": False, "baselines": False}
    runs = [
        train_run(data, tmp_path / f"run-{data.name}", settings(), **without)
        for data in (clean, spoilt)
    ]
    first, second = ((r.run / "model.safetensors").read_bytes() for r in runs)
    assert first == second
    assert runs[0].metrics != runs[1].metrics


def command(data: Path, out: Path, *words: str) -> list[str]:
    return [
        sys.executable, "-m", "micrec_core", "train", str(data), "--out", str(out), "--device",
        "cpu", "--no-umap", "--set", "patience=100", "--set", "batch_size=256", "--set",
        "validate_every=1", "--set", f"steps={LONG}", *words,
    ]  # fmt: skip


def started(words: list[str], out: Path, epochs: int, cache: Path) -> subprocess.Popen:
    """A training as a process of its own, once it has come so far."""
    child = subprocess.Popen(
        words, cwd=ROOT, env=os.environ | ONE_THREAD | {"MICREC_CACHE": str(cache)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 250
    told = out / "history.jsonl"
    # Lines, not tables, are counted: to look is not to take the time that the training needs.
    while not told.exists() or told.read_bytes().count(b"\n") < epochs:
        assert child.poll() is None, child.stderr and child.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(live_history(out)) >= epochs
    return child


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_and_resumed_ends_in_the_same_parameters(place: Path, tmp_path: Path) -> None:
    long = 8
    wanted = settings(epochs=long, patience=100, steps=LONG)
    whole = train_run(
        place / "tiny", tmp_path / "whole", wanted, device="cpu", cache=place / "cache",
        umap=False, baselines=False,
    )  # fmt: skip
    out = tmp_path / "killed"
    words = command(place / "tiny", out, "--epochs", str(long))
    child = started(words, out, 3, place / "cache")
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    with pytest.raises(RunError, match="unfinished"):
        open_run(out)
    assert len(live_history(out)) < long
    resumed = train_run(
        place / "tiny", out, wanted, device="cpu", resume=True, cache=place / "cache",
        umap=False, baselines=False,
    )  # fmt: skip
    assert resumed.best_epoch == whole.best_epoch and resumed.metrics == whole.metrics
    files = ["model.safetensors", "serving.safetensors", "metrics/alignment.parquet"]
    for name in files:
        assert (out / name).read_bytes() == (whole.run / name).read_bytes(), name
    ours, theirs = live_history(out), live_history(whole.run)
    seconds = ["seconds"]
    pd.testing.assert_frame_equal(ours.drop(columns=seconds), theirs.drop(columns=seconds))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sigterm_marks_the_run_cancelled(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    child = started(command(place / "tiny", out, "--epochs", "500"), out, 2, place / "cache")
    child.terminate()
    _, said = child.communicate(timeout=60)
    assert child.returncode == 143
    assert said.splitlines()[-1] == "stopped before its end; go on with --resume"
    with pytest.raises(RunError, match="was cancelled"):
        open_run(out)


def test_a_failed_training_says_why_and_other_settings_are_not_resumed(
    place: Path, tmp_path: Path
) -> None:
    out = tmp_path / "fails"
    wild = settings(learning_rate=1e30)
    with pytest.raises(RunError, match="training stopped: the loss term"):
        train_run(place / "tiny", out, wild, device="cpu", umap=False)
    with pytest.raises(RunError, match="failed in training"):
        open_run(out)
    with pytest.raises(RunError, match=r"training.learning_rate = 1e\+30 and not 0.01"):
        train_run(place / "tiny", out, settings(), device="cpu", resume=True)
    with pytest.raises(RunError, match="there is no run at"):
        train_run(place / "tiny", tmp_path / "none", settings(), device="cpu", resume=True)
    with pytest.raises(ConfigError, match="exists already"):
        train_run(place / "tiny", out, settings(), device="cpu")
