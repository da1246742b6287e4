"""What is done on a failing machine, what may be left of it, and how it is gone on with."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from micrec_core.errors import MicrecError
from micrec_core.names import FILM


@dataclass(frozen=True)
class Scenario:
    """One thing to do below a folder.

    Attributes
    ----------
    begin : puts there what is there before; given the folder
    act : does it
    look : AssertionError where what is there now is neither what was nor what is to be
    go_on : does it again as a user would; what it was stopped in is then done as if it never was
    """

    begin: Callable[[Path], None]
    act: Callable[[Path], None]
    look: Callable[[Path], None]
    go_on: Callable[[Path], None]


def below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its content."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and "cache" not in p.parts)
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


# A training ---------------------------------------------------------------------------------------


def train(data: Path, whole: Path) -> Scenario:
    """A training of two epochs with a cache; ``whole`` holds one that nothing disturbed."""
    from micrec_core.config import RunSettings, TrainSettings
    from micrec_core.running.train import train_run
    from micrec_core.runs import open_run

    brief = TrainSettings(epochs=2, batch_size=256, validate_every=1, steps=2)
    settings = RunSettings(training=brief)

    def act(root: Path, resume: bool = False) -> None:
        train_run(
            data, root / "run", settings, device="cpu", resume=resume, cache=root / "cache",
            umap=False, baselines=False,
        )  # fmt: skip

    def same(root: Path) -> None:
        found, wanted = open_run(root / "run"), open_run(whole / "run")
        # What was resumed has no film: moments of before are nowhere kept.
        assert set(found.files) | {FILM} == set(wanted.files)
        for name in ("model.safetensors", "serving.safetensors", "metrics/summary.parquet"):
            assert found.digests[name] == wanted.digests[name], name

    def look(root: Path) -> None:
        try:
            open_run(root / "run")
        except MicrecError:
            return
        same(root)

    def go_on(root: Path) -> None:
        try:
            open_run(root / "run")
        except MicrecError:
            act(root, resume=(root / "run").exists())
        same(root)
        hidden = [name for name in below(root) if "/." in f"/{name}" or "checkpoint" in name]
        assert not hidden

    return Scenario(lambda root: None, act, look, go_on)


# Tables for a complete run ------------------------------------------------------------------------


def amend(whole: Path) -> Scenario:
    """Two tables are written into a complete run."""
    from micrec_core.comparing.variants import add_frames
    from micrec_core.runs import open_run

    names = ("metrics/summary.parquet", "metrics/more.parquet")
    before = open_run(whole / "run").frame(names[0])
    after = before.assign(n=before["n"] + 1)

    def begin(root: Path) -> None:
        shutil.copytree(whole / "run", root / "run")

    def act(root: Path) -> None:
        add_frames(open_run(root / "run"), dict.fromkeys(names, after))

    def look(root: Path) -> None:
        run = open_run(root / "run")
        new = run.has(names[1])
        assert run.frame(names[0]).equals(after if new else before)
        assert not new or run.frame(names[1]).equals(after)

    def go_on(root: Path) -> None:
        act(root)
        assert open_run(root / "run").frame(names[0]).equals(after)
        assert set(below(root)) == {
            f"run/{name}" for name in (*open_run(root / "run").files, "manifest.json")
        }

    return Scenario(begin, act, look, go_on)


# A dataset and a file for a user ------------------------------------------------------------------


def prepare(raw: Path) -> Scenario:
    """A dataset is made of RecBole's atomic files at ``raw``."""
    from micrec_core.data import read_dataset
    from micrec_core.data.raw import Options, Source
    from micrec_core.data.raw import prepare as run

    def act(root: Path) -> None:
        sources = [Source(d, raw / f"{d}.inter", raw / f"{d}.item", None) for d in RAW]
        run("recbole", sources, root / "data", Options(tables="csv"))

    def look(root: Path) -> None:
        if (root / "data").exists() and any((root / "data").iterdir()):
            dataset = read_dataset(root / "data")
            assert [d.n_items for d in dataset.domains] == [N_ITEMS, N_ITEMS]

    def go_on(root: Path) -> None:
        if not (root / "data").exists():
            act(root)
        look(root)
        assert os.listdir(root) == ["data"]

    return Scenario(lambda root: None, act, look, go_on)


# A visitor's journey ------------------------------------------------------------------------------

_COPY = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[-1])"
_TABLES = {"items.csv": b"item_id,domain,title\na,food,Tea\n",
           "interactions.csv": b"user_id,item_id,domain\nu,a,food\n"}  # fmt: skip
_DESCRIBED = {"domains": [{"missing": {}}], "n_users": 1, "n_items": 1, "n_interactions": 1}


@dataclass(frozen=True)
class _File:
    name: str

    def getvalue(self) -> bytes:
        return _TABLES[self.name]


def journey(whole: Path) -> Scenario:
    """Tables are uploaded, kept, trained on and the run is accepted; the training copies ``whole``.

    Faults are of the app's own process: those of a training are tried above.
    """
    from micrec_core.jobs.manager import JobManager
    from micrec_core.runs import open_run
    from micrec_core.ui import uploads

    def bring(root: Path) -> None:
        if not any(one.folder.name == "mine" for one in uploads.kept()):
            folder = uploads.keep_upload([_File(name) for name in _TABLES], "ada")
            uploads.keep(folder, "mine", "ada", _DESCRIBED)

    def make(root: Path) -> None:
        manager = JobManager(
            root / "runs", command=[sys.executable, "-c", _COPY, str(whole / "run")]
        )
        job = manager.current("ada")
        if job is None or (job.ended and job.state != "complete"):
            manager.start([], "ada", "new")
        while not manager.jobs()[-1].ended:
            time.sleep(0.02)
        manager.accept("ada")

    def here(root: Path) -> Any:
        folders = {"MICREC_RUNS": str(root / "runs"), "MICREC_DATA": str(root / "data")}
        return mock.patch.dict(os.environ, folders)

    def act(root: Path) -> None:
        with here(root):
            bring(root)
            make(root)

    def look(root: Path) -> None:
        if (root / "runs" / "new").exists():
            assert open_run(root / "runs" / "new").digests == open_run(whole / "run").digests
        if (root / "data" / "mine").exists():
            with here(root):
                assert [one.owner for one in uploads.kept()] == ["ada"]
            assert _TABLES.items() <= below(root / "data" / "mine").items()

    def go_on(root: Path) -> None:
        with here(root):
            bring(root)
            if not (root / "runs" / "new").exists():
                make(root)
        look(root)
        assert (root / "runs" / "new").exists() and (root / "data" / "mine").exists()
        assert not JobManager(root / "runs").jobs()
        assert os.listdir(root / "runs" / ".jobs") == ["lock"]

    return Scenario(lambda root: None, act, look, go_on)


# A comparison -------------------------------------------------------------------------------------


def compare(data: Path, whole: Path) -> Scenario:
    """A small model beside a baseline; ``whole`` holds one that nothing disturbed."""
    from micrec_core.comparing.compare import compare as run
    from micrec_core.config import RunSettings, TrainSettings
    from micrec_core.names import SUMMARY
    from micrec_core.runs import open_run

    brief = TrainSettings(epochs=1, batch_size=512, validate_every=1, steps=1)

    def act(root: Path) -> None:
        run(
            data, root / "compared", models=("micrec", "popularity"), seeds=(0,), budget=1,
            base=RunSettings(training=brief), device="cpu", cache=root / "cache",
        )  # fmt: skip

    def same(root: Path) -> None:
        found, wanted = (open_run(place / "compared") for place in (root, whole))
        assert set(found.files) == set(wanted.files)
        assert found.frame(SUMMARY).equals(wanted.frame(SUMMARY))

    def look(root: Path) -> None:
        try:
            open_run(root / "compared")
        except MicrecError:
            return
        same(root)

    def go_on(root: Path) -> None:
        act(root)
        same(root)
        assert not [name for name in below(root) if name.endswith(".partial")]

    return Scenario(lambda root: None, act, look, go_on)


N_ITEMS, N_USERS, RAW = 12, 30, ("food", "kitchen")


def write_raw(folder: Path) -> None:
    """RecBole files of a few users and items."""
    folder.mkdir()
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    for domain in RAW:
        pairs = [(u, (u * 5 + step * 7) % N_ITEMS) for u in range(N_USERS) for step in range(6)]
        rows = (f"u{u}\t{domain}{i}\t5\t{1000 + n}\n" for n, (u, i) in enumerate(pairs))
        (folder / f"{domain}.inter").write_text(head + "".join(rows))
        titles = (f"{domain}{i}\tNumber {i} of {domain}\n" for i in range(N_ITEMS))
        (folder / f"{domain}.item").write_text("item_id:token\ttitle:token_seq\n" + "".join(titles))


def export(whole: Path) -> Scenario:
    """A table of item vectors takes the place of an older one."""
    from micrec_core.report.export import export_run

    def begin(root: Path) -> None:
        (root / "items.tsv").write_text("old")

    def act(root: Path) -> None:
        export_run(whole / "run", "tsv", root / "items.tsv")

    wanted: dict[str, Any] = {}

    def look(root: Path) -> None:
        if not wanted:
            act(whole)
            wanted["new"] = (whole / "items.tsv").read_text()
        assert (root / "items.tsv").read_text() in ("old", wanted["new"])

    def go_on(root: Path) -> None:
        act(root)
        assert (root / "items.tsv").read_text() == wanted["new"]
        assert os.listdir(root) == ["items.tsv"]

    return Scenario(begin, act, look, go_on)
