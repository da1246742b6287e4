"""Runs that are whole are read; damaged, unfinished and hostile ones are refused in a sentence."""

import hashlib
import json
import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from micrec_core.errors import RunError
from micrec_core.names import CURVE_COLUMNS, SUMMARY, SUMMARY_COLUMNS, TABLES, curve_file
from micrec_core.protocols import CURVES
from micrec_core.runs import files as run_files
from micrec_core.runs import list_runs, live_history, open_run
from tests.runs.conftest import write_run

BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "runs" / "sample"


def refused(path: Path, words: str, verify: bool = True) -> None:
    with pytest.raises(RunError, match=words) as caught:
        open_run(path, verify=verify)
    message = str(caught.value)
    assert "\n" not in message and message.endswith(".") and "Traceback" not in message


def reseal(path: Path) -> None:
    """Write a manifest that fits whatever the directory holds, as an attacker would."""
    digests = {
        file.relative_to(path).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in path.rglob("*")
        if file.is_file() and file.name != "manifest.json"
    }
    (path / "manifest.json").write_text(json.dumps({"files": digests}))


def test_reads_what_was_written(run_path: Path) -> None:
    run = open_run(run_path)
    assert run.name == "tiny" and run.info.status == "complete" and run.info["best_epoch"] == 2
    assert run.info.dataset is not None and run.info.dataset["domains"][0].label == "Food"
    assert run.tensors("model.safetensors")["t"].shape == (5, 4)
    frame = run.frame("metrics/summary.parquet")
    assert list(frame["metric"]) == ["ndcg@20", "recall@20"] and np.isnan(frame["mean"][1])
    assert list(run.frame("metrics/summary.parquet", columns=["mean"]).columns) == ["mean"]
    assert run.json("serving.json") == {"domains": ["food", "kitchen"], "bad": None}
    history = run.history()
    assert list(history["epoch"]) == [0, 1, 2] and history["loss.bpr"][1] == 0.5
    assert run.has("serving.json") and not run.has("serving.safetensors")
    assert set(run.files) == {
        "run.json",
        "history.jsonl",
        "model.safetensors",
        "serving.json",
        "metrics/summary.parquet",
    }
    assert run.key == hashlib.sha256((run_path / "manifest.json").read_bytes()).hexdigest()


def test_a_copy_has_the_same_key_and_its_own_name(run_path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "copied"
    shutil.copytree(run_path, copy)
    assert open_run(copy).key == open_run(run_path).key
    assert open_run(copy).name == open_run(copy).info.name == "copied"


@pytest.mark.parametrize("relative", ["model.safetensors", "metrics/summary.parquet", "run.json"])
def test_truncated_file(run_path: Path, relative: str) -> None:
    file = run_path / relative
    file.write_bytes(file.read_bytes()[:-20])
    refused(run_path, "copy the run again")


def test_truncated_run_without_its_last_files(run_path: Path) -> None:
    (run_path / "manifest.json").unlink()
    refused(run_path, "no manifest.json")


def test_changed_byte_in_a_tensor_file(run_path: Path) -> None:
    open_run(run_path)  # remember the digests: a change must be seen all the same
    file = run_path / "model.safetensors"
    before = file.stat()
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # even with its old time put back
    refused(run_path, "'model.safetensors' that is not what was written")


def test_missing_file_is_seen_even_unverified(run_path: Path) -> None:
    (run_path / "model.safetensors").unlink()
    refused(run_path, "lacks its file 'model.safetensors'", verify=False)


@pytest.mark.parametrize("relative", ["model.safetensors", "metrics/summary.parquet"])
def test_damaged_file_of_an_unverified_run(run_path: Path, relative: str) -> None:
    (run_path / relative).write_bytes((run_path / relative).read_bytes()[:30])
    run = open_run(run_path, verify=False)
    with pytest.raises(RunError, match="damaged"):
        run.tensors(relative) if relative.endswith("tensors") else run.frame(relative)


def test_half_written(tmp_path: Path) -> None:
    writer = write_run(tmp_path / "half")
    refused(tmp_path / "half", "unfinished")
    writer.fail("The loss is NaN in epoch 3.")
    refused(tmp_path / "half", "failed in training")
    writer.cancel()
    refused(tmp_path / "half", "was cancelled")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 2}, "update MICRec Explorer"),
        ({"schema_version": "1"}, "without a schema version"),
        ({"schema_version": None}, "without a schema version"),
        ({"status": "done"}, "'status' is wrong"),
        ({"created": "yesterday"}, "'created' is wrong"),
        ({"dataset": {"synthetic": "perhaps", "name": "x"}}, "'dataset.synthetic' is wrong"),
    ],
)
def test_wrong_schema(run_path: Path, change: dict[str, object], words: str) -> None:
    content = json.loads((run_path / "run.json").read_text())
    (run_path / "run.json").write_text(json.dumps(content | change))
    refused(run_path, words)


def test_unknown_fields_are_kept(run_path: Path) -> None:
    content = json.loads((run_path / "run.json").read_text()) | {"site": "Berlin"}
    (run_path / "run.json").write_text(json.dumps(content))
    reseal(run_path)
    assert open_run(run_path).info.get("site") == "Berlin"


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[" * 100_000, '{"files": []}', '{"files": {"a": 1}}']
)
def test_damaged_manifest(run_path: Path, text: str) -> None:
    (run_path / "manifest.json").write_text(text)
    refused(run_path, "damaged manifest.json")


def test_manifest_that_leaves_out_run_json(run_path: Path) -> None:
    (run_path / "manifest.json").write_text('{"files": {}}')
    refused(run_path, "does not cover run.json")


@pytest.mark.parametrize(
    "relative", ["../secret.json", "/etc/passwd", "a/../../secret.json", "", "a//b", "a\\b", "./a"]
)
def test_paths_that_lead_outside(run_path: Path, relative: str) -> None:
    (run_path.parent / "secret.json").write_text("{}")
    run = open_run(run_path)
    with pytest.raises(RunError, match="outside"):
        run.json(relative)
    manifest = json.loads((run_path / "manifest.json").read_text())
    manifest["files"][relative] = "0" * 64
    (run_path / "manifest.json").write_text(json.dumps(manifest))
    refused(run_path, "outside")


def test_links_are_not_followed(run_path: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"password": 1}')
    (run_path / "serving.json").unlink()
    (run_path / "serving.json").symlink_to(secret)
    refused(run_path, "link")


def test_linked_folder_inside_a_run(run_path: Path, tmp_path: Path) -> None:
    shutil.move(run_path / "metrics", tmp_path / "metrics")
    (run_path / "metrics").symlink_to(tmp_path / "metrics")
    refused(run_path, "link")


def test_a_run_that_is_a_link(run_path: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(run_path)
    refused(tmp_path / "linked", "is a link")


@pytest.mark.parametrize("name", ["tiny copy", "tiny (1)", "Tiny", "täglich", "a" * 90, "-x", "a..b"])
def test_a_copy_opens_under_whatever_name_a_file_manager_gives(run_path: Path, name: str) -> None:
    shutil.copytree(run_path, run_path.with_name(name))
    assert open_run(run_path.with_name(name)).info.name == name
    listed = {listing.name: listing.problem for listing in list_runs(run_path.parent)}
    assert listed == {"tiny": None, name: None}


def test_a_name_that_would_break_a_line_is_refused(run_path: Path) -> None:
    run_path.rename(run_path.with_name("tiny\nrun"))
    refused(run_path.with_name("tiny\nrun"), "control character")
    refused(run_path, "There is no run at")


def test_runs_that_are_links_are_listed_with_the_reason(run_path: Path, tmp_path: Path) -> None:
    folder = run_path.parent
    (folder / "linked").symlink_to(run_path)
    (folder / "dangling").symlink_to(tmp_path / "nowhere")
    problems = {listing.name: listing.problem for listing in list_runs(folder)}
    assert problems.pop("tiny") is None
    assert problems.keys() == {"linked", "dangling"}
    assert all("is a link" in str(said) and "copy the run here" in str(said)
               for said in problems.values())


class Trap:
    """Unpickling an instance writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_nothing_is_unpickled(run_path: Path, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    trap = pickle.dumps(Trap(sprung))
    for name in ("model.safetensors", "metrics/summary.parquet", "serving.json", "history.jsonl"):
        (run_path / name).write_bytes(trap)
    reseal(run_path)
    run = open_run(run_path)
    for read in (
        lambda: run.tensors("model.safetensors"),
        lambda: run.frame("metrics/summary.parquet"),
        lambda: run.json("serving.json"),
    ):
        with pytest.raises(RunError, match="damaged"):
            read()
    assert run.history().empty
    assert not sprung.exists()
    pickle.loads(trap)
    assert sprung.exists(), "the trap itself must work"


def test_a_file_the_manifest_does_not_list(run_path: Path) -> None:
    (run_path / "extra.json").write_text("{}")
    run = open_run(run_path)
    assert not run.has("extra.json")
    with pytest.raises(RunError, match="no file 'extra.json'"):
        run.json("extra.json")


def test_a_missing_column_is_named(run_path: Path) -> None:
    with pytest.raises(RunError, match="without the column 'k'"):
        open_run(run_path).frame("metrics/summary.parquet", columns=["mean", "k"])


def test_a_table_without_a_column_that_pages_need(tmp_path: Path) -> None:
    writer = write_run(tmp_path / "lacking")
    writer.write_parquet(SUMMARY, pd.DataFrame(columns=SUMMARY_COLUMNS).drop(columns="cohort"))
    writer.finish()
    with pytest.raises(RunError) as caught:
        open_run(tmp_path / "lacking").frame(SUMMARY)
    assert str(caught.value) == (
        "Run 'lacking' has a summary.parquet without the column 'cohort': copy the run again or "
        "train it anew."
    )


@pytest.mark.parametrize("relative", [*TABLES, *map(curve_file, CURVES)])
def test_the_bundled_run_has_the_columns_that_are_asked_for(relative: str) -> None:
    frame = open_run(BUNDLED, verify=False).frame(relative)
    assert set(TABLES.get(relative, CURVE_COLUMNS)) <= set(frame.columns)


def test_concurrent_reading(run_path: Path) -> None:
    expected = open_run(run_path).tensors("model.safetensors")["t"]

    def read(_: int) -> bool:
        run = open_run(run_path)
        frame = run.frame("metrics/summary.parquet")
        return len(frame) == 2 and np.array_equal(run.tensors("model.safetensors")["t"], expected)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(64)))


def test_an_unchanged_file_is_hashed_once(run_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_run(run_path)
    monkeypatch.setattr(run_files.hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    open_run(run_path)


def test_listing_never_raises(run_path: Path, tmp_path: Path) -> None:
    folder = run_path.parent
    write_run(folder / "training")
    (folder / "empty").mkdir()
    (folder / "not a name").mkdir()
    (folder / ".hidden").mkdir()
    (folder / "file").write_text("")
    shutil.copytree(run_path, folder / "torn")
    (folder / "torn" / "serving.json").unlink()
    (folder / "binary").mkdir()
    (folder / "binary" / "run.json").write_bytes(b"\xff\xfe\x00")
    bundled = tmp_path / "bundled"
    shutil.copytree(run_path, bundled / "tiny")
    shutil.copytree(run_path, bundled / "sample")

    listings = {listing.name: listing for listing in list_runs(folder, bundled, tmp_path / "none")}
    assert {name: listing.status for name, listing in listings.items()} == {
        "binary": "damaged",
        "empty": "damaged",
        "not a name": "damaged",
        "sample": "complete",
        "tiny": "complete",
        "torn": "damaged",
        "training": "running",
    }
    assert listings["tiny"].path == run_path and listings["tiny"].problem is None
    assert listings["tiny"].info is not None and listings["tiny"].info.seed == 3
    problems = [listing.problem for listing in listings.values() if listing.status != "complete"]
    assert all(problem and problem.endswith(".") for problem in problems)


def test_live_history_while_a_line_is_being_written(tmp_path: Path) -> None:
    write_run(tmp_path / "live")
    with open(tmp_path / "live" / "history.jsonl", "a") as stream:
        stream.write('{"epoch": 3, "lo')
    assert list(live_history(tmp_path / "live")["epoch"]) == [0, 1, 2]
    assert live_history(tmp_path / "nothing").empty
    assert isinstance(live_history(tmp_path / "nothing"), pd.DataFrame)


@pytest.mark.slow
def test_a_large_run_opens_quickly(tmp_path: Path) -> None:
    import time

    writer = write_run(tmp_path / "large")
    writer.write_tensors("serving.safetensors", {"x": np.ones((25_000_000,), "f4")})
    writer.finish()
    run_files._digests.clear()
    begin = time.perf_counter()
    open_run(tmp_path / "large")
    assert time.perf_counter() - begin < 5  # 0.1 to 0.3 s alone; the machine may be shared


def test_large_tables_may_stay_in_the_file_and_indices_never_do(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    written = {
        "table": rng.random((2**12, 80), dtype=np.float32),
        "small": rng.random(3, dtype=np.float32),
        "rows": rng.integers(0, 9, 2**19).astype(np.int32),
        "there": rng.random(2**20) < 0.5,
    }
    path = tmp_path / "t.safetensors"
    run_files.write_tensors(path, written)
    plain, mapped = (run_files.read_tensors(path, "here", mapped=m) for m in (False, True))
    for name, wanted in written.items():
        for found in (plain, mapped):
            np.testing.assert_array_equal(found[name], wanted)
            assert found[name].dtype == wanted.dtype and found[name].flags.aligned
    if os.name == "posix":
        assert not mapped["table"].flags.writeable
    # Written over in place, as a careless copy would, only what is no index can change.
    with open(path, "r+b") as stream:
        stream.seek(path.stat().st_size // 2)
        stream.write(b"\xff" * 1000)
    for name in ("small", "rows", "there"):
        np.testing.assert_array_equal(mapped[name], written[name])
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(path.read_bytes()[: 2**19])
    with pytest.raises(RunError, match="damaged"):
        run_files.read_tensors(cut, "here", mapped=True)
