"""Every stage on two workers of Ray gives what it gives in this process, one killed or not."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from scipy import sparse

from micrec_core.bundled import SAMPLE_DATA, SAMPLE_RUN
from micrec_core.cli import main
from micrec_core.data import read_dataset
from micrec_core.data.raw import Source, prepare
from micrec_core.engines import HERE, Cluster, Engine, on_ray, opened
from micrec_core.errors import ConfigError, DataError, RunError
from micrec_core.graphs.neighbours import nearest as searching
from micrec_core.graphs.neighbours import normalise_rows
from micrec_core.graphs.neighbours.nearest import nearest
from micrec_core.modalities import base
from micrec_core.modalities.dataset import encode_dataset
from micrec_core.names import PARAMETERS
from micrec_core.runs import live_history, open_run
from micrec_core.runs.writer import RunWriter
from micrec_core.sample.generate import generate_sample
from micrec_core.serving import Recommender, lists
from micrec_core.training.workers.team import gathered
from tests.engines.working import count, dying, end, spoil
from tests.training.sharing import FULL, Case, train, work

ray = pytest.importorskip("ray", reason="Ray is not installed (extra scale)")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
]
TWO = {0, 1}


class Dying:
    """An engine whose worker is killed over a shard of each stage, once."""

    def __init__(self, engine: Engine, folder: Path):
        self.engine, self.folder = engine, folder

    def map(self, function: Callable, common: Any, shards: Iterable[Any]) -> Iterator[Any]:
        mark = self.folder / f"killed-{len(list(self.folder.glob('killed-*')))}"
        yield from self.engine.map(dying, (str(mark), function, common), shards)
        assert mark.is_file(), "nobody was killed"


def processes(word: str) -> list[int]:
    """Those whose command line holds a word, such as the folder of a cluster."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_bytes()
        except OSError:
            continue
        if word.encode() in line and int(place.name) != os.getpid():
            found.append(int(place.name))
    return found


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two workers, which leave nothing behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sched_getaffinity", lambda pid: TWO)
        there = on_ray.joined("")
        engine = there.__enter__()
    folder = Path(ray._private.worker._global_node.get_temp_dir_path())
    assert folder.is_dir() and processes(str(folder))
    yield engine
    there.__exit__(None, None, None)
    assert not folder.exists() and not processes(str(folder))


@pytest.fixture
def engine(cluster: Cluster, tmp_path: Path) -> Dying:
    return Dying(cluster, tmp_path)


def test_order_is_kept_and_an_error_is_its_own_sentence(cluster: Cluster) -> None:
    assert isinstance(cluster, Cluster)
    with opened("ray") as again:
        assert list(again.map(spoil, "", range(3, 40))) == [-k for k in range(3, 40)]
        found = again.map(spoil, "a sentence", range(5))
        assert [next(found), next(found)] == [0, -1]
        with pytest.raises(DataError, match="^a sentence$"):
            next(found)
    assert ray.is_initialized(), "it was there before"


def test_a_worker_opens_what_shards_share_once(cluster: Cluster) -> None:
    assert max(cluster.map(count, [], range(12))) >= 6


def test_a_shard_that_kills_every_worker_is_given_up(cluster: Cluster, monkeypatch) -> None:
    monkeypatch.setattr(on_ray, "_RETRIES", 1)
    with pytest.raises(RunError, match=r"ended 2 times over one part of the work"):
        list(cluster.map(end, None, [0]))


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kept:
        def hex(self) -> str:
            return "kept"

    monkeypatch.setenv("NUMBA_NUM_THREADS", str(numba.config.NUMBA_NUM_THREADS))
    monkeypatch.setattr(on_ray, "_latest", {"kept": ("0.0", spoil, "")})
    with pytest.raises(RunError, match=r"the command 0\.0; install the same on all machines"):
        on_ray._work([Kept()], [1])


def test_it_listens_to_this_machine_alone(cluster: Cluster) -> None:
    folder = Path(ray._private.worker._global_node.get_temp_dir_path())
    ours = set()
    for process in processes(str(folder)):
        for link in Path(f"/proc/{process}/fd").glob("*"):
            try:
                ours.add(os.readlink(link))
            except OSError:
                continue
    listening = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in ours:
                listening[local] = table
    assert listening
    # 127.0.0.1, or the same written as of version 6.
    assert [at for at in listening if "0100007F" not in at.partition(":")[0]] == []


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("most", [None, 0], ids=["all pairs", "cells or lists"])
def test_neighbours(cluster, engine: Dying, kind: str, most: int | None, monkeypatch) -> None:
    monkeypatch.setattr(searching, "SHARD", 100)
    rng = np.random.default_rng(0)
    if kind == "dense":
        rows = normalise_rows(rng.standard_normal((500, 16)).astype(np.float32))
    else:
        some = sparse.random(500, 80, 0.1, "csr", np.float32, random_state=rng)
        rows = normalise_rows(some)
    given: dict[str, Any] = {"same": np.arange(500), "exact_pairs": most}
    wanted = nearest(rows, rows, 7, **given)
    killed = kind == "sparse" and most is None
    found = nearest(rows, rows, 7, **given, engine=engine if killed else cluster)
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.similarity, wanted.similarity)
    assert found.recall == wanted.recall


def test_features(engine: Dying, monkeypatch) -> None:
    monkeypatch.setattr(base, "SHARD", 250)
    data = read_dataset(SAMPLE_DATA)
    wanted = encode_dataset(data)
    found = encode_dataset(data, engine=engine)
    assert {"text", "image"} <= set(found.modalities)
    assert found.fingerprint == wanted.fingerprint


def test_prepare(engine: Dying, tmp_path: Path) -> None:
    sources = []
    for name in ("books", "films"):
        pairs = [(f"u{u}", f"{name}{i}") for u in range(30) for i in range(12) if (u + i) % 3]
        lines = [{"user_id": u, "parent_asin": i, "rating": 5.0, "timestamp": 1} for u, i in pairs]
        items = [{"parent_asin": f"{name}{i}", "title": f"{name} {i}"} for i in range(12)]
        for file, rows in ((f"{name}.jsonl", lines), (f"{name}.meta.jsonl", items)):
            (tmp_path / file).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        sources.append(Source(name, tmp_path / f"{name}.jsonl", tmp_path / f"{name}.meta.jsonl"))
    made = {}
    for place, where in (("here", HERE), ("there", engine)):
        made[place] = prepare("amazon2023", sources, tmp_path / place, engine=where)
    told = [{k: v for k, v in m.items() if k not in ("out", "seconds")} for m in made.values()]
    assert told[0] == told[1]
    here, there = (read_dataset(tmp_path / place).fingerprint for place in made)
    assert here == there


def test_a_file_s_error_is_said_as_it_is_here(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("no record\n")
    said = []
    for where in (HERE, cluster):
        with pytest.raises(DataError) as refused:
            prepare("amazon2023", [Source("a", tmp_path / "r.jsonl")], tmp_path / "o", engine=where)
        said.append(str(refused.value))
    assert said[0] == said[1] and "r.jsonl, line 1" in said[0]


def test_lists(engine: Dying, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(lists, "_USERS", 150)
    rec = Recommender.open(open_run(SAMPLE_RUN))
    for domain in rec.domains:
        n = rec.write_all(tmp_path / "here.parquet", domain, 5)
        assert rec.write_all(tmp_path / "there.parquet", domain, 5, engine) == n
        frames = [pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("here", "there")]
        pd.testing.assert_frame_equal(*frames)


def test_a_worker_takes_the_steps_of_a_training(cluster: Cluster, tmp_path: Path) -> None:
    case = Case("full", {"dim": 64}, FULL)
    state, _ = train(case, None)

    def start(told: dict[str, str]) -> Any:
        return cluster.start(work, told, [case], str(tmp_path))

    with gathered(2, start, cluster.host) as team:
        found, _ = train(case, team)
    for name, value in state.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=1e-5, msg=name)


WORDS = [
    "--epochs", "3", "--set", "batch_size=256", "--set", "validate_every=1", "--set", "steps=3",
    "--device", "cpu", "--no-umap", "--no-baselines",
]  # fmt: skip


def test_a_training_goes_on_from_its_last_epoch_where_a_worker_was_killed(
    cluster: Cluster, tmp_path: Path, monkeypatch, capsys
) -> None:
    generate_sample(tmp_path / "tiny", users=120, items=(60, 50), seed=3, pictures=False)
    words = ["train", str(tmp_path / "tiny"), *WORDS, "--cache", str(tmp_path / "cache")]
    assert main([*words, "--out", str(tmp_path / "here")]) == 0
    append, killed = RunWriter.append_history, list[int]()

    def append_and_kill(writer: RunWriter, record: dict[str, Any]) -> None:
        append(writer, record)
        if record["epoch"] == 2 and not killed:
            killed.extend(processes("ray::help_train"))
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(RunWriter, "append_history", append_and_kill)
    capsys.readouterr()
    there = ["--engine", "ray", "--workers", "2", "--json", "--out", str(tmp_path / "there")]
    assert main([*words, *there]) == 0
    assert json.loads(capsys.readouterr().out)["best_epoch"] > 0
    assert len(killed) == 1
    one, two = (live_history(tmp_path / name) for name in ("here", "there"))
    assert list(two["epoch"]) == [1, 2, 3]
    for column in one.filter(like="loss"):
        np.testing.assert_allclose(two[column], one[column], rtol=0, atol=1e-5)
    # Of a gradient that is rounding alone Adam makes a step, which is all that differs.
    wanted, found = (load_file(tmp_path / name / PARAMETERS) for name in ("here", "there"))
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=1e-4, msg=name)


def test_no_cluster_at_an_address_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        @staticmethod
        def is_initialized() -> bool:
            return False

        _private = SimpleNamespace(worker=SimpleNamespace())

        @staticmethod
        def init(address: str, **quiet: Any) -> None:
            raise ConnectionError(address)

        @staticmethod
        def shutdown() -> None:
            return None

    monkeypatch.setattr(on_ray, "_ray", lambda: Nothing)
    with pytest.raises(ConfigError, match="there is no Ray cluster at 127.0.0.1:1; give the"):
        opened("ray://127.0.0.1:1").__enter__()
