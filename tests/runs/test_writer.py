"""Writing: whole or seen to be unfinished, resumable, amended at one stroke."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from micrec_core.errors import ConfigError, RunError
from micrec_core.names import SUMMARY_COLUMNS
from micrec_core.runs import RunWriter, open_run
from micrec_core.runs.files import write_tensors
from micrec_core.runs.writer import read_history
from tests.runs.conftest import INFO, table, write_run

ROOT = Path(__file__).resolve().parents[2]


def names(path: Path) -> set[str]:
    return {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}


def test_begins_as_running_and_ends_complete(tmp_path: Path) -> None:
    writer = write_run(tmp_path / "a")
    content = json.loads((tmp_path / "a" / "run.json").read_text())
    assert content["status"] == "running" and content["name"] == "a" and content["finished"] is None
    writer.finish(timings={"train": 1.5})
    content = json.loads((tmp_path / "a" / "run.json").read_text())
    assert content["status"] == "complete" and content["finished"] >= content["created"]
    assert content["timings"] == {"train": 1.5} and content["schema_version"] == 1


def test_the_name_is_the_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot name a run"):
        RunWriter(tmp_path / "My Run", INFO)
    with pytest.raises(ConfigError, match="cannot name a run"):
        RunWriter(tmp_path / "x" / ".." / "Y", INFO)
    assert not (tmp_path / "My Run").exists()
    assert RunWriter(tmp_path / "b", INFO | {"name": "other"}).info.name == "b"


def test_does_not_write_over_a_run(run_path: Path) -> None:
    before = (run_path / "run.json").read_bytes()
    with pytest.raises(ConfigError, match="exists already"):
        RunWriter(run_path, INFO)
    with pytest.raises(RunError, match="nothing to resume"):
        RunWriter(run_path, INFO, resume=True)
    assert (run_path / "run.json").read_bytes() == before


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run\.json"):
        RunWriter(tmp_path / "none", INFO, resume=True)
    assert not (tmp_path / "none").exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made"):
        RunWriter(tmp_path / "file" / "run", INFO)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype="f4").reshape(3, 4).T,
        np.arange(12, dtype="f4")[::2],
        np.arange(3, dtype=">i8"),
        np.float32(2.5),
        np.zeros((0, 4), "f2"),
        np.array([True, False]),
    ],
    ids=["transposed", "strided", "big-endian", "scalar", "empty", "bool"],
)
def test_arrays_of_any_layout_survive(tmp_path: Path, array: np.ndarray) -> None:
    writer = RunWriter(tmp_path / "a", INFO)
    writer.write_tensors("checkpoint/x.safetensors", {"x": array})
    tensors = writer.read_tensors("checkpoint/x.safetensors")
    assert tensors["x"].shape == np.shape(array)
    np.testing.assert_array_equal(tensors["x"], array)


def test_files_of_tensors_are_the_librarys_to_the_byte(tmp_path: Path) -> None:
    kinds = ["u1", "f2", "i4", "b1", "f8", "i8", "i1", "u2", "f4", "u8", "i2", "u4"]
    arrays = {f"{'é' * (i % 2)}{i}.{k}": np.arange(i).astype(k) for i, k in enumerate(kinds)}
    arrays["wide"] = np.arange(6, dtype="f4").reshape(2, 3)
    for some in (arrays, {}, dict(list(arrays.items())[:3])):
        write_tensors(tmp_path / "x.safetensors", some)
        assert (tmp_path / "x.safetensors").read_bytes() == save(some)


def test_objects_are_not_tensors(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "a", INFO)
    with pytest.raises(TypeError):
        writer.write_tensors("x.safetensors", {"x": np.array([object()])})
    assert names(tmp_path / "a") == {"run.json"}


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "a", INFO)
    writer.write_json("x.json", {"n": 1})
    with pytest.raises(TypeError):
        writer.write_json("x.json", {"n": object()})
    assert json.loads((writer.path / "x.json").read_text()) == {"n": 1}
    assert names(tmp_path / "a") == {"run.json", "x.json"}


@pytest.mark.parametrize("relative", ["../x.json", "/x.json", "a/../../x.json", ".x.json"])
def test_never_writes_outside(tmp_path: Path, relative: str) -> None:
    writer = RunWriter(tmp_path / "a", INFO)
    with pytest.raises(RunError, match="outside"):
        writer.write_json(relative, {})
    assert names(tmp_path) == {"a/run.json"}


def test_a_link_is_not_sealed(tmp_path: Path) -> None:
    writer = write_run(tmp_path / "a")
    (tmp_path / "a" / "log").symlink_to("/etc/hostname")
    with pytest.raises(RunError, match="link"):
        writer.finish()


def test_resume_keeps_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    created = write_run(path).info.created
    (path / f".serving.json.1.2{'.partial'}").write_text("half")
    with open(path / "history.jsonl", "a") as stream:
        stream.write('{"epoch": 3, "loss"')
    writer = RunWriter(path, {"device": "cpu"}, resume=True)
    assert writer.has("model.safetensors") and writer.info.created == created
    assert writer.info.device == "cpu" and writer.info.seed == 3
    writer.keep_history(last_epoch=1)
    writer.append_history({"epoch": 2, "loss": {"bpr": float("inf")}})
    rows = read_history(path / "history.jsonl")
    assert [row["epoch"] for row in rows] == [0, 1, 2] and rows[2]["loss"]["bpr"] is None
    writer.finish()
    assert not any(name.endswith(".partial") for name in open_run(path).files)
    assert not any(name.endswith(".partial") for name in names(path))


def test_failed_and_cancelled_runs_can_be_resumed(tmp_path: Path) -> None:
    writer = write_run(tmp_path / "a")
    writer.fail("The disk is full.")
    assert writer.info.status == "failed" and writer.info.error == "The disk is full."
    writer = RunWriter(tmp_path / "a", {}, resume=True)
    assert writer.info.status == "running" and writer.info.error is None
    writer.cancel()
    assert writer.info.status == "cancelled"


def test_amending_shows_nothing_before_it_is_finished(run_path: Path) -> None:
    key = open_run(run_path).key
    writer = RunWriter.amend(run_path)
    frame = table(SUMMARY_COLUMNS, n=[1, 2])
    writer.write_parquet("metrics/cutoff.parquet", frame)
    writer.write_parquet("metrics/summary.parquet", frame)
    run = open_run(run_path)
    assert run.key == key and not run.frame("metrics/summary.parquet")["n"].any()
    writer.finish(timings={"evaluate": 2.0})
    run = open_run(run_path)
    assert run.key != key and run.info.timings == {"evaluate": 2.0} and run.info.best_epoch == 2
    assert list(run.frame("metrics/summary.parquet")["n"]) == [1, 2]
    assert run.has("metrics/cutoff.parquet") and run.has("model.safetensors")


def test_an_abandoned_amendment_leaves_the_run_as_it_was(run_path: Path) -> None:
    key = open_run(run_path).key
    for end in (lambda w: w.fail("No."), lambda w: w.cancel(), lambda w: w.release()):
        writer = RunWriter.amend(run_path)
        writer.write_json("metrics/extra.json", {})
        end(writer)
        assert open_run(run_path).key == key
    RunWriter.amend(run_path).finish()  # also sweeps up what the abandoned one left
    assert open_run(run_path).key == key
    assert not any(name.endswith(".partial") for name in names(run_path))


def test_only_a_complete_run_is_amended(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    with pytest.raises(RunError, match="not complete"):
        RunWriter.amend(tmp_path / "a")


_LOOP = """
import sys
from pathlib import Path
import numpy as np
from micrec_core.names import SUMMARY_COLUMNS
from micrec_core.runs import RunWriter
writer = RunWriter(Path(sys.argv[1]), {"seed": 1})
for epoch in range(10**6):
    writer.append_history({"epoch": epoch})
    writer.write_tensors("checkpoint/s.safetensors", {"x": np.full(50_000, epoch)})
"""


def test_killed_while_writing(tmp_path: Path) -> None:
    """Whatever the moment of a SIGKILL, the last checkpoint is whole and the run unfinished."""
    path = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", _LOOP, str(path)], cwd=ROOT)
    try:
        deadline = time.monotonic() + 60
        while len(read_history(path / "history.jsonl")) < 10:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with pytest.raises(RunError, match="unfinished"):
        open_run(path)
    writer = RunWriter(path, {}, resume=True)
    epochs = writer.read_tensors("checkpoint/s.safetensors")["x"]
    assert epochs.min() == epochs.max() >= 8
    writer.finish()
    assert open_run(path).info.status == "complete"


# One writer, and what a killed one leaves -----------------------------------------------------


def test_a_run_has_one_writer(tmp_path: Path) -> None:
    writer = write_run(tmp_path / "a")
    for start in (False, True):
        with pytest.raises(RunError, match="being written by another process"):
            RunWriter(tmp_path / "a", INFO, resume=start)
    writer.cancel()
    RunWriter(tmp_path / "a", {}, resume=True).finish()
    writer = RunWriter.amend(tmp_path / "a")
    with pytest.raises(RunError, match="being written by another process"):
        RunWriter.amend(tmp_path / "a")
    assert open_run(tmp_path / "a")  # readers wait for nobody
    writer.finish()
    RunWriter.amend(tmp_path / "a").finish()


@pytest.mark.parametrize("resume", [False, True], ids=["start", "resume"])
def test_killed_before_it_said_anything(tmp_path: Path, resume: bool) -> None:
    """Both go on from there: a plain start, and --resume, of which each once advised the other."""
    path = tmp_path / "a"
    path.mkdir()
    (path / ".run.json.1.2.partial").write_text('{"sta')
    RunWriter(path, INFO, resume).finish()
    assert names(path) == {"run.json", "manifest.json"}


def test_checkpoints_are_kept_until_the_run_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = write_run(tmp_path / "a")
    writer.write_json("checkpoint/state-1.json", {})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(RunError, match=r"cannot be written .*No space left.* --resume"):
            writer.finish()
        writer.fail("No space left.")
    assert writer.has("checkpoint/state-1.json")
    writer = RunWriter(tmp_path / "a", {}, resume=True)
    writer.finish()
    assert not any(name.startswith("checkpoint") for name in names(tmp_path / "a"))
    assert not any(name.startswith("checkpoint") for name in open_run(tmp_path / "a").files)


def test_checkpoints_of_a_writer_that_was_stopped_at_its_end_go_when_the_run_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = write_run(tmp_path / "a")
    writer.write_json("checkpoint/state-1.json", {})
    with monkeypatch.context() as patched:  # it was stopped just before
        patched.setattr("micrec_core.runs.writer.shutil.rmtree", lambda *_, **__: None)
        patched.setattr(writer, "release", lambda: None)
        writer.finish()
    open_run(tmp_path / "a")
    assert (tmp_path / "a" / "checkpoint").is_dir(), "whose writer is still at it"
    writer.release()
    open_run(tmp_path / "a")
    assert not (tmp_path / "a" / "checkpoint").exists()
    (tmp_path / "a" / "checkpoint").symlink_to(tmp_path / "b")
    (tmp_path / "b").mkdir()
    open_run(tmp_path / "a")
    assert (tmp_path / "b").is_dir(), "what it leads to is none of the run's"


@pytest.mark.parametrize("moved", [0, 1, 2, 3], ids=str)
def test_an_amendment_that_was_decided_is_carried_out(
    run_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    """Killed after the decision, at whichever of the files: the run is the new one, whole."""
    writer = RunWriter.amend(run_path)
    writer.write_parquet("metrics/summary.parquet", table(SUMMARY_COLUMNS, n=[7]))
    writer.write_json("serving.json", {"new": True})
    real, done = Path.replace, []

    def killed(path: Path, target: Path) -> Path:
        if len(done) == moved:
            raise KeyboardInterrupt
        done.append(path)
        return real(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        if moved < 2:
            with pytest.raises(KeyboardInterrupt):
                writer.finish(timings={"evaluate": 2.0})
        else:
            writer.finish(timings={"evaluate": 2.0})
    writer.release()
    run = open_run(run_path)
    assert list(run.frame("metrics/summary.parquet")["n"]) == [7]
    assert run.json("serving.json") == {"new": True} and run.info.timings == {"evaluate": 2.0}
    assert not any("amending" in name or name.endswith(".partial") for name in names(run_path))


@pytest.mark.parametrize(
    "said",
    [
        '{"moves": {"../x": ".x.partial"}}', '{"moves": {"x": "../../x.partial"}}', "[]", "{}",
        '{"moves": {"x": "history.jsonl"}, "manifest": {"files": {}}, "info": {}}',
    ],
)  # fmt: skip
def test_a_decision_that_is_no_writers(run_path: Path, said: str) -> None:
    (run_path / "amending.json").write_text(said)
    before = names(run_path.parent)
    with pytest.raises(RunError):
        open_run(run_path)
    assert names(run_path.parent) == before
