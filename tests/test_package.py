"""What an installed package must have, seen by building one and using it from an empty folder."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from micrec_core import __version__, bundled, cli
from micrec_core.cli import commands

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Headings of requirements.txt and where pyproject.toml has the same packages.
HEADINGS = {
    "the app": PROJECT["optional-dependencies"]["app"],
    "the API": PROJECT["optional-dependencies"]["api"],
    "searching for settings": PROJECT["optional-dependencies"]["tune"],
    "texts written by a model": PROJECT["optional-dependencies"]["enrich"],
    "model, features, evaluation": PROJECT["dependencies"],
    "tests and checks": PROJECT["optional-dependencies"]["dev"],
    "the documentation as a site": PROJECT["optional-dependencies"]["docs"],
}
USE = """
import sys
from pathlib import Path
import micrec_core
from micrec_core import bundled
from micrec_core.cli import main
from micrec_core.runs import open_run
place = Path(sys.argv[1])
assert Path(micrec_core.__file__).is_relative_to(place), micrec_core.__file__
assert bundled.home() == Path.cwd()
for path in (bundled.APP, bundled.PAGES / "overview.py", bundled.SAMPLE_DATA / "items.csv"):
    assert path.is_file() and path.is_relative_to(place), path
assert (bundled.APP.parent / ".streamlit" / "config.toml").is_file()
assert (bundled.PACKAGE / "py.typed").is_file()
assert open_run(bundled.SAMPLE_RUN).name == "sample"
assert main(["check", str(bundled.SAMPLE_DATA), "--no-pictures"]) == 0
assert main(["results", str(bundled.SAMPLE_RUN), "--out", "results.md"]) == 0
"""


def sections(text: str) -> dict[str, list[str]]:
    """The requirements under each one-line heading."""
    found: dict[str, list[str]] = {}
    for block in re.split(r"\n\s*\n", text):
        head, *lines = block.strip().splitlines()
        if lines and not lines[0].startswith("#"):
            found[head.lstrip("# ")] = lines
    return found


def test_requirements_and_project_name_the_same_packages() -> None:
    assert sections((ROOT / "requirements.txt").read_text()) == HEADINGS


def test_the_package_is_whole(tmp_path: Path) -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel")
    (made,) = wheel.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    place, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(made) as archive:
        archive.extractall(place)
    assert place.joinpath(f"micrec_explorer-{__version__}.dist-info").is_dir()
    done = subprocess.run(
        [sys.executable, "-c", USE, str(place)],
        cwd=empty, env=os.environ | {"PYTHONPATH": str(place)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("told", "threads"), [({}, "1 1"), ({"NUMBA_NUM_THREADS": "2"}, "2 2")], ids=["openmp", "both"]
)
def test_torch_keeps_the_threads_that_were_asked_for(told: dict[str, str], threads: str) -> None:
    """A kernel of numba's leaves torch with as many threads as numba has."""
    done = """
import micrec_core, numba, numpy, torch
total = numba.njit(parallel=True)(lambda x: x.sum())
total(numpy.ones(9))
print(numba.get_num_threads(), torch.get_num_threads())
"""
    rest = {k: v for k, v in os.environ.items() if k != "NUMBA_NUM_THREADS"}
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", done], cwd=ROOT, capture_output=True, text=True,
        check=True, env=rest | {"OMP_NUM_THREADS": "1"} | told,
    )  # fmt: skip
    assert found.stdout.strip() == threads


def test_app_runs_the_packaged_script(monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[list[str]] = []
    monkeypatch.setattr(commands.os, "execve", lambda _, words, env: began.append(words))
    assert cli.main(["app", "--port", "8600"]) == 0
    assert began == [
        [sys.executable, "-m", "streamlit", "run", str(bundled.APP), "--server.port", "8600"]
    ]


def test_app_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "find_spec", lambda name: None)
    assert cli.main(["app"]) == 2
    assert "pip install 'micrec-explorer[app]'" in capsys.readouterr().err
