"""A run from anyone is only data: what is wrong in one is refused before anything is indexed."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import unittest.mock
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load, save

from micrec_core.errors import RunError
from micrec_core.runs import live_history, open_run
from micrec_core.runs.files import read_json, read_parquet
from micrec_core.runs.schema import RunInfo
from micrec_core.runs.writer import read_history
from micrec_core.serving import Recommender
from micrec_core.serving.bundle import read_bundle
from micrec_core.serving.by_likes import by_likes_file
from tests.serving import fuzz
from tests.serving.packing import stored_spaces

Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "spoilt"
    shutil.copytree(fuzz.RUN, folder)
    return folder


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    """Of a run of more users."""
    return stored_spaces(read_bundle(open_run(fuzz.RUN)))


@pytest.fixture
def rewrite(copied: Path):
    """Put other bytes in a file of the copied run, sealed again; undone at the end."""
    changed = ["manifest.json"]

    def rewrite(name: str, content: bytes) -> Path:
        changed.append(name)
        (copied / name).write_bytes(content)
        manifest = json.loads((copied / "manifest.json").read_bytes())
        manifest["files"][name] = hashlib.sha256(content).hexdigest()
        (copied / "manifest.json").write_text(json.dumps(manifest))
        return copied

    yield rewrite
    for name in changed:
        shutil.copyfile(fuzz.RUN / name, copied / name)


def put(value: Any, place: int = 3) -> Change:
    def change(array: np.ndarray) -> np.ndarray:
        array.reshape(-1)[place] = value
        return array

    return change


def byte_of_no_truth(array: np.ndarray) -> np.ndarray:
    array.view(np.uint8)[0] = 7
    return array


CASES: list[tuple[str, Change, str]] = [
    # The four of which one wrong index ended the process.
    ("0.text.user_space.indices", put(65000), "no number in its range"),
    ("0.text.sparse.indices", put(65000), "no number in its range"),
    ("0.text.item_neighbours.rows", put(2**14), "no number in its range"),
    ("0.train.indices", put(60000), "no number in its range"),
    ("0.text.item_neighbours.rows", put(-2), "no number in its range"),
    ("0.train.indptr", put(2**30), "non-decreasing"),
    ("0.train.indptr", put(-5, -1), "no number in its range"),
    ("0.train.indptr", put(4000, -1), "non-decreasing"),
    ("0.train.indices", lambda a: a[::-1].copy(), "not in order"),
    ("1.text.user_space.width", put(2**40, 0), "no number in its range"),
    ("0.text.sparse.width", put(2**40, 0), "too many columns"),
    ("links.0-1.target", put(2957), "no number in its range"),
    ("links.1-0.source", lambda a: a[:-1], "fits nothing else"),
    ("0.users", put(np.nan), "no number in its range"),
    ("0.item_layers", put(-np.inf), "no number in its range"),
    ("0.initial_users", put(1e30), "no number in its range"),
    ("0.item_layers", lambda a: a[:, :2], "fits nothing else"),
    ("0.image.present", byte_of_no_truth, "damaged"),
    ("0.text.dense", lambda a: a.astype(np.float16), "is of float16"),
    ("bridge.0-1.source", lambda a: a[:, :-1], "fits nothing else"),
    ("means.text", lambda a: a[:1], "fits nothing else"),
    ("0.user_scaling.std", lambda a: a * 0, "no number in its range"),
]


@pytest.mark.parametrize(("name", "change", "words"), CASES)
def test_a_tensor_that_is_another(
    rewrite, stored: dict[str, np.ndarray], name: str, change: Change, words: str
) -> None:
    tensors = load((fuzz.RUN / "serving.safetensors").read_bytes())
    if "user_space" in name:
        tensors |= stored
    tensors[name] = np.ascontiguousarray(change(tensors[name].copy()))
    with pytest.raises(RunError, match=words) as caught:
        read_bundle(open_run(rewrite("serving.safetensors", save(tensors))))
    assert "\n" not in str(caught.value) and "Traceback" not in str(caught.value)


@pytest.mark.parametrize("there", [False, True], ids=["missing", "unknown"])
def test_exactly_the_tensors_of_the_schema(rewrite, there: bool) -> None:
    tensors = load((fuzz.RUN / "serving.safetensors").read_bytes())
    if there:
        tensors["2.users"] = tensors["0.users"]
    else:
        del tensors["0.users"]
    words = "no bundle has the tensor '2.users'" if there else "lacks the tensor '0.users'"
    with pytest.raises(RunError, match=words):
        read_bundle(open_run(rewrite("serving.safetensors", save(tensors))))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("layers",), 3), (("layers",), -1), (("layers",), "2"), (("domains", 0, "n_users"), 657),
        (("domains",), []), (("domains", 1, "name"), "food"), (("modalities",), ["text"]),
        (("modalities",), ["text", "text"]), (("neighbours", "temperature"), 0),
        (("memory", 0, "popular"), -1e9), (("memory",), [None]), (("personas",), [{"name": 3}]),
        (("templates",), "no"), (("version",), [5]), (("n_parameters",), None),
    ],
)  # fmt: skip
def test_what_serving_json_says_must_be_so(rewrite, place: tuple, value: Any) -> None:
    about = json.loads((fuzz.RUN / "serving.json").read_bytes())
    holder = about
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    with pytest.raises(RunError, match=r"train it anew"):
        read_bundle(open_run(rewrite("serving.json", json.dumps(about).encode())))


@pytest.mark.parametrize(
    "text",
    ["[" * 40 + "]" * 40, "[" * 100_000, '{"a": NaN}', "[1," * 10, "[" + "0," * 5_000_000 + "0]"],
    ids=["deep", "deepest", "nan", "torn", "many"],
)
def test_json_within_limits(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(RunError, match=r"damaged x\.json"):
        read_json(tmp_path / "x.json", "Run 'x'")


def test_a_small_table_that_is_large_unpacked(tmp_path: Path) -> None:
    """One text of a megabyte, meant 20,000 times: 20 GB from a few hundred bytes."""
    file = tmp_path / "x.parquet"
    one = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), ["x" * 1_000_000])
    pq.write_table(pa.table({"title": one}), file, compression="zstd")
    assert file.stat().st_size < 5000
    with pytest.raises(RunError, match=r"damaged x\.parquet"):
        read_parquet(file, "Run 'x'")


def test_a_value_that_comes_again_and_again_takes_no_memory(tmp_path: Path) -> None:
    """Hardly a byte a row: 20 columns of 2 million ones were 320 MB from a few kilobytes."""
    file, part = tmp_path / "x.parquet", np.ones(100_000)
    ones = pa.table({f"w_{k}": part for k in range(20)})
    with pq.ParquetWriter(file, ones.schema, compression="zstd") as writer:
        for _ in range(20):
            writer.write_table(ones)
    assert file.stat().st_size < 300_000
    refused_in_little_memory(file)
    pq.write_table(pa.table({"w_x": [np.zeros(10_000_000)]}), file, compression="zstd")
    assert file.stat().st_size < 20_000
    refused_in_little_memory(file)


def refused_in_little_memory(file: Path) -> None:
    begun = time.process_time()
    with (
        unittest.mock.patch.object(pq.ParquetFile, "read", side_effect=AssertionError),
        pytest.raises(RunError, match=r"damaged x\.parquet"),
    ):
        read_parquet(file, "Run 'x'")
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "column",
    [
        {"mean": ["0.1"]}, {"mean": [np.inf]}, {"mean": [1e300]}, {"n": [0.5]}, {"n": [None]},
        {"n": [-2]}, {"domain": [1]}, {"domain": [None]}, {"title": [["a"]]}, {"has_text": [1]},
        {"thumbnail": ["a"]}, {"ndcg@20": ["a"]}, {"unheard_of": [{"a": 1}]},
    ],
    ids=str,
)  # fmt: skip
def test_a_column_holds_what_its_name_says(tmp_path: Path, column: dict[str, Any]) -> None:
    pq.write_table(pa.table(column), tmp_path / "x.parquet")
    with pytest.raises(RunError, match=r"damaged x\.parquet"):
        read_parquet(tmp_path / "x.parquet", "Run 'x'")


@pytest.mark.parametrize(
    "line", ["[" * 5000, '{"epoch": 2, "loss": "high"}', '{"epoch": true}', '{"epoch": 1e99}']
)
def test_a_history_ends_where_it_is_damaged(tmp_path: Path, line: str) -> None:
    text = '{"epoch": 1, "loss": {"bpr": null}}\n' + line + '\n{"epoch": 3}\n'
    (tmp_path / "history.jsonl").write_text(text)
    assert live_history(tmp_path)["epoch"].tolist() == [1]


def test_no_spoilt_run_is_answered_from_wrongly() -> None:
    """The small form of ``make fuzz``: the first seeds, in a process of their own."""
    outcomes = list(fuzz.campaign(range(20)))
    assert len(outcomes) == 20
    wrong = [o for o in outcomes if o.outcome not in fuzz.OUTCOMES[:2]]
    assert not wrong
    assert {o.outcome for o in outcomes} == set(fuzz.OUTCOMES[:2])


def test_what_every_list_of_runs_reads_is_small(rewrite) -> None:
    """A run.json of 20 MB took six seconds of every page of everybody."""
    about = json.loads((fuzz.RUN / "run.json").read_bytes())
    about["config"] = {f"a{k}": k for k in range(200_000)}
    folder = rewrite("run.json", json.dumps(about).encode())
    with pytest.raises(RunError, match="too large to be one"):
        open_run(folder)
    with pytest.raises(RunError, match="too large to be one"):
        RunInfo.parse(about, "a run").to_bytes()


def test_a_history_of_millions_of_epochs_is_cut_off(tmp_path: Path) -> None:
    """It kept a page for minutes, and two gigabytes."""
    (tmp_path / "history.jsonl").write_bytes(b'{"epoch":1}\n' * 1_500_000)
    begun = time.process_time()
    assert 100_000 < len(read_history(tmp_path / "history.jsonl")) < 1_000_000
    assert time.process_time() - begun < 20


def test_domains_without_links_are_refused_before_they_are_paired(rewrite) -> None:
    """A thousand domains are a million pairs, each with nine tensors to look for."""
    about = json.loads((fuzz.RUN / "serving.json").read_bytes())
    more = about["domains"][0] | {"n_users": 0, "n_items": 0}
    about["domains"] += [more | {"name": f"d{k}"} for k in range(998)]
    about["memory"] = None
    begun = time.process_time()
    with pytest.raises(RunError, match="does not link its 1000 domains"):
        read_bundle(open_run(rewrite("serving.json", json.dumps(about).encode())))
    assert time.process_time() - begun < 10


BESIDE: list[tuple[str, Change]] = [
    ("0.liked", lambda a: a.astype(np.int64)),
    ("0.items", lambda a: a.astype(bool)),
    ("0.items", put(3e38)),
    ("0.liked", put(np.nan)),
    ("1.items", lambda a: a[:-1]),
    ("1.liked", lambda a: a[:, :-1]),
    ("1.items", lambda a: a[..., None]),
]


@pytest.mark.parametrize(("name", "change"), BESIDE)
def test_a_model_beside_the_runs_is_of_its_items(rewrite, name: str, change: Change) -> None:
    file = by_likes_file("lightgcn")
    tensors = load((fuzz.RUN / file).read_bytes())
    tensors[name] = np.ascontiguousarray(change(tensors[name].copy()))
    model = Recommender.open(open_run(rewrite(file, save(tensors))))
    user = model.user(likes={"food": model.item_ids("food")[:3]})
    with pytest.raises(RunError, match="damaged|not of the run's items"):
        model.baselines.by_likes("lightgcn", user, "food")


@pytest.mark.parametrize("what", ["tables", "zips"])
def test_what_else_somebody_brings_is_refused_or_used_rightly(what: str) -> None:
    """The small form of ``make fuzz`` for tables and for zips of runs."""
    outcomes = list(fuzz.campaign(range(20), what))
    assert len(outcomes) == 20
    assert not [o for o in outcomes if o.outcome not in fuzz.OUTCOMES[:2]]
    assert {o.outcome for o in outcomes} == set(fuzz.OUTCOMES[:2])
