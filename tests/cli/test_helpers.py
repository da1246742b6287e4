"""Helpers of a comparison: as many as asked for, each with its share of the cores."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from micrec_core.cli import main
from micrec_core.cli.helpers import _going_on, starter, team, train_together
from micrec_core.config import RunSettings
from micrec_core.errors import ConfigError, DataError
from micrec_core.evaluation import parallel
from micrec_core.evaluation.parallel import VARIABLES
from micrec_core.training.workers.team import WorkerLost


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The environment of each process that would have been started, on six cores."""
    found: list[dict[str, str]] = []

    def start(words: list[str], *, env: dict[str, str], **rest: Any) -> None:
        assert words[-1] == "--helper"
        found.append(env)

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(parallel, "n_cores", lambda: 6)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return found


@pytest.mark.parametrize(("workers", "threads"), [(2, "3"), (4, "1"), (9, "1")])
def test_helpers_get_their_share_of_the_cores(started, workers, threads) -> None:
    starter(workers, helper=False)()
    assert len(started) == workers - 1
    for environment in started:
        assert [environment[name] for name in VARIABLES] == [threads] * len(VARIABLES)
        assert environment["PATH"] == os.environ["PATH"], "and everything else"


def test_who_set_the_threads_is_heard(started, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    starter(2, helper=False)()
    assert started[0]["OMP_NUM_THREADS"] == "2" and started[0]["NUMBA_NUM_THREADS"] == "3"


def test_one_worker_and_helpers_start_none(started) -> None:
    starter(1, helper=False)()
    starter(2, helper=True)()
    assert started == []
    with pytest.raises(ConfigError, match="--workers is 1 or more, and not 0"):
        starter(0, helper=False)


def test_one_process_trains_alone_and_none_or_another_number_than_there_is_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with team(1) as alone:
        assert alone is None
    with pytest.raises(ConfigError, match="--workers is 1 or more, and not 0"):
        team(0).__enter__()
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ConfigError, match="--workers is 2 where WORLD_SIZE is 3"):
        team(2).__enter__()


def test_several_do_not_search_for_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--tune trains again and again with one process"):
        train_together(2, tmp_path, tmp_path, RunSettings(), 5, device="cpu", cache=None)


def test_a_training_on_a_cluster_goes_on_or_says_what_else_ended_a_worker() -> None:
    asked: list[bool] = []

    def train(team: Any, resume: bool = False) -> str:
        asked.append(resume)
        if len(asked) < 3:
            raise WorkerLost("another worker ended")
        return "done"

    assert _going_on(train, lambda told: None, 2, "127.0.0.1") == "done"
    assert asked == [False, True, True]

    class Refused:
        def poll(self) -> int:
            raise DataError("its tables are others")

    def lose(team: Any, resume: bool = False) -> str:
        team.args[1]({})  # starts a helper
        raise WorkerLost("another worker ended")

    with pytest.raises(DataError, match="its tables are others"):
        _going_on(lose, lambda told: Refused(), 2, "127.0.0.1")


def test_who_only_helps_reads_no_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    helped: list[Path] = []
    monkeypatch.setattr(
        "micrec_core.running.train.help_train", lambda out, settings, **told: helped.append(out)
    )
    words = ["train", str(tmp_path / "nothing"), "--out", str(tmp_path / "run"), "--separator", ";"]
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert main(words) == 0 and helped == [tmp_path / "run"]
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert main(words) == 2 and "nothing" in capsys.readouterr().err
