"""Several processes answer as one: a swap reaches all of them or none, and counts are of all."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from micrec_core.api import workers
from micrec_core.api.door import ADMIN_KEYS
from micrec_core.api.shelf import Served, opened
from micrec_core.api.workers import SharedShelf, sharing
from micrec_core.bundled import SAMPLE_RUN
from micrec_core.errors import ConfigError, RunError
from tests.journeys.app import ROOT, free_port

ADMIN = "an administrator's key"
LIKES = {"food": ["food-0001", "food-0206"]}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs, and a damaged one."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("old", "new", "damaged"):
        shutil.copytree(SAMPLE_RUN, folder / name)
    (folder / "damaged" / "serving.json").write_text("{}")
    return folder


@pytest.fixture
def folder(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What processes share, as ``micrec serve --workers`` makes it."""
    monkeypatch.setattr(workers, "_GLANCE", 0.01)
    kept: dict[Path, Served] = {}

    def once(path: Path) -> Served:
        return kept.get(path) or kept.setdefault(path, opened(path))

    monkeypatch.setattr(workers, "opened", once)
    monkeypatch.setattr("micrec_core.api.shelf.opened", once)
    with sharing({"shop": runs / "old"}, {"rate": 0, "max_megabytes": 1}):
        yield Path(workers.json.loads(os.environ[workers.TOLD])["folder"])
    assert workers.TOLD not in os.environ


def behind(*shelves: SharedShelf) -> list[str]:
    return [shelf.get("shop").run.name for shelf in shelves]  # type: ignore[union-attr]


def test_a_swap_is_in_all_processes_when_it_is_told(folder: Path) -> None:
    first, second = SharedShelf(folder), SharedShelf(folder)
    assert behind(first, second) == ["old", "old"]
    first.swap("shop", "new")
    assert behind(first, second) == ["new", "new"]
    # One that starts anew serves what counts now; any of them may swap.
    third = SharedShelf(folder)
    assert behind(third) == ["new"]
    third.swap("shop", "old")
    assert behind(first, second, third) == ["old"] * 3


def test_a_run_that_one_cannot_open_is_served_by_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = SharedShelf(folder), SharedShelf(folder)
    for wrong in ("damaged", "nothing"):
        with pytest.raises(RunError):
            first.swap("shop", wrong)
    with pytest.raises(ConfigError):
        first.swap("shop", "../old")

    def full(_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(second, "_prepare", full)
        with pytest.raises(RunError, match="another process could not open it: .*memory"):
            first.swap("shop", "new")
        assert behind(first, second) == ["old", "old"]
        # One that is not heard of holds a swap up for so long and no longer.
        patch.setattr(second, "_look", lambda: None)
        patch.setattr(workers, "_PATIENCE", 0.05)
        with pytest.raises(RunError, match="has not opened it in"):
            first.swap("shop", "new")
    assert behind(first, second) == ["old", "old"]
    second.swap("shop", "new")
    assert behind(first, second) == ["new", "new"]


def test_nobody_waits_for_a_process_that_ended(folder: Path) -> None:
    first, gone = SharedShelf(folder), SharedShelf(folder)
    gone._look = lambda: None  # type: ignore[method-assign]
    gone._alive.release()  # as the system does when a process ends
    first.swap("shop", "new")
    assert behind(first, gone) == ["new", "old"]
    assert len(list((folder / "processes").iterdir())) == 1


def test_it_says_at_once_what_cannot_be_served(runs: Path) -> None:
    with pytest.raises(RunError), sharing({"shop": runs / "damaged"}, {}):
        raise AssertionError


# The server itself -------------------------------------------------------------------------------


@pytest.fixture
def server(runs: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    port = free_port()
    words = ["serve", f"shop={runs / 'old'}", "--workers", "2", "--port", str(port)]
    with open(tmp_path / "log.txt", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "micrec_core", *words],
            cwd=ROOT, env=os.environ | {ADMIN_KEYS: ADMIN}, stdout=log, stderr=log,
        )  # fmt: skip
    headers = {"Authorization": f"Bearer {ADMIN}", "Connection": "close"}
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60)
    try:
        yield client
    finally:
        client.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, (tmp_path / "log.txt").read_text()
    assert (tmp_path / "log.txt").read_text() == ""


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_two_processes_count_and_swap_as_one(server: httpx.Client) -> None:
    client = server

    def answers() -> bool:
        try:
            return client.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    until(answers)
    asked = {"domain": "food", "likes": LIKES, "k": 3}
    statuses = [client.post("/runs/shop/recommend", json=asked).status_code for _ in range(10)]
    assert statuses == [200] * 10
    counted = r'micrec_requests_total{route="/runs/{run}/recommend",status="200"} (\S+)'
    (found,) = re.findall(counted, client.get("/metrics").text)
    assert float(found) == 10
    assert client.put("/runs/shop", json={"run": "damaged"}).status_code == 422
    assert client.put("/runs/shop", json={"run": "new"}).status_code == 200
    assert {client.get("/runs/shop").json()["run"] for _ in range(10)} == {"new"}
    assert 'micrec_swaps_total{name="shop"} 1.0' in client.get("/metrics").text
