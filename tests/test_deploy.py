"""What a container is made of, and that the page on deploying it tells of what there is."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def test_the_container_is_pinned_and_has_no_rights_and_no_test_tools() -> None:
    assert re.search(r"^ARG BASE=python:3\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.M)
    assert "-c constraints.txt" in DOCKERFILE and re.search(r"^USER micrec$", DOCKERFILE, re.M)
    assert "allowedHosts" not in DOCKERFILE and '"*"' not in DOCKERFILE
    (command,) = re.findall(r"sed '[^']*' requirements.txt", DOCKERFILE)
    kept = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    names = {re.split(r"[>=<]", line)[0] for line in kept.stdout.splitlines() if line[:1].isalpha()}
    assert {"streamlit", "authlib", "torch"} <= names
    assert not names & {"pytest", "playwright", "ruff", "mypy", "hypothesis", "mkdocs"}


def test_variables_that_the_page_tells_of_are_read() -> None:
    told = set(re.findall(r"MICREC_[A-Z_]+", PAGE))
    code = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "micrec_core").rglob("*.py"))
    assert told and all(name in code or name.removeprefix("MICREC_CHECK_") in code for name in told)


@pytest.mark.parametrize(
    ("said", "hosts"),
    [(None, ["localhost", "127.0.0.1"]), ("127.0.0.1 a.example", ["127.0.0.1", "a.example"])],
)
def test_hosts_are_named_by_a_variable_and_never_all(said: str | None, hosts: list[str]) -> None:
    given = {} if said is None else {"STREAMLIT_SERVER_ALLOWED_HOSTS": said}
    shown = subprocess.run(
        [sys.executable, "-m", "streamlit", "config", "show"],
        cwd=ROOT, env=os.environ | given, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    (found,) = re.findall(r"^allowedHosts = \[(.*?)\]", shown, re.M | re.S)
    assert re.findall(r'"(.*?)"', found) == hosts
