"""What a container is made of, and that the page on deploying it tells of what there is."""

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from micrec_core.jobs.checking import Limits
from micrec_core.ui import retrain, uploads
from micrec_core.ui.access import ROLES, read_rules

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


# The page, block by block ------------------------------------------------------------------------

BLOCKS = ["\n".join(textwrap.dedent(found).splitlines()) for found in
          re.findall(r"(?:(?<=\n\n)|\A)((?: {4}.*\n|\n(?= {4}))+)", PAGE)]  # fmt: skip
# What `docker run` is told on the page, and whether a value follows.
FLAGS = {
    "--rm": False, "-d": False, "--init": False, "--read-only": False, "--restart": True,
    "--tmpfs": True, "--cap-drop": True, "--security-opt": True, "--memory": True, "--cpus": True,
    "--pids-limit": True, "-p": True, "-v": True, "-e": True,
}  # fmt: skip
# Instructions, each with its continued lines.
STEPS = [
    re.sub(r"\\\n\s*", "", step).strip().split(" ", 1)
    for step in re.split(r"\n(?=[A-Z]+ )", re.sub(r"(?m)^#.*\n", "", DOCKERFILE).strip())
]


def told(kind: str) -> list[str]:
    return [rest for name, rest in STEPS if name == kind]


def docker_runs() -> list[tuple[dict[str, list[str]], list[str]]]:
    """Of each `docker run` of the page its options and what follows the image's name."""
    out = []
    for block in BLOCKS:
        for command in re.sub(r"\\\n\s*", " ", block).splitlines():
            words = shlex.split(command.replace(" ... ", " "))
            if words[:2] != ["docker", "run"]:
                continue
            options: dict[str, list[str]] = {}
            rest = words[2:]
            while rest[0].startswith("-"):
                name, rest = rest[0], rest[1:]
                options.setdefault(name, []).append(rest.pop(0) if FLAGS[name] else "")
            assert rest[0] == "micrec-explorer"
            out.append((options, rest[1:]))
    return out


def test_each_block_of_the_page_is_of_a_kind_that_is_tried() -> None:
    """A block of another kind needs a test of its own."""
    kinds = {
        "docker": lambda b: b.startswith(("docker build", "docker run")),
        "roles": lambda b: b.startswith("visitors ="),
        "login": lambda b: b.startswith("[auth]"),  # tests/journeys/test_login.py
        "nginx": lambda b: b.startswith("map $cookie"),  # tests/journeys/test_proxy.py
    }
    found = [[kind for kind, fits in kinds.items() if fits(block)] for block in BLOCKS]
    assert [kind for (kind,) in found].count("docker") == 4
    assert {kind for (kind,) in found} == set(kinds)


def test_the_commands_fit_the_container() -> None:
    """Options that there are, and folders, ports and variables that the image or the app knows."""
    volumes, workdir = json.loads(told("VOLUME")[0]), told("WORKDIR")[0]
    code = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "micrec_core").rglob("*.py"))
    runs = docker_runs()
    assert len(runs) == 4
    for options, after in runs:
        for port in options["-p"]:
            address, outside, inside = port.split(":")
            # To this computer alone: a proxy has the rest.
            assert address == "127.0.0.1" and outside == inside
            # More than one is of processes that are started in its place, on ports of their own.
            assert inside in told("EXPOSE") or f" {inside};" in after[-1]
        for volume in options.get("-v", []):
            assert volume.split(":")[1].startswith((*volumes, f"{workdir}/data"))
        for setting in options.get("-e", []):
            name = setting.split("=")[0]
            assert name in code or name.startswith("STREAMLIT_SERVER_"), name
        if "--read-only" in options:
            # Where it writes beside its volume: the kernels' cache and the home.
            assert options["--tmpfs"] == ["/tmp", "/home/micrec:uid=10001"]
            assert options["--cap-drop"] == ["ALL"]
            assert options["--security-opt"] == ["no-new-privileges"]
        for word in after[2:]:
            subprocess.run(["sh", "-n", "-c", word], check=True)
    assert sum("--read-only" in options for options, _ in runs) == 2


def test_roles_and_the_login_of_the_page_can_be_read(tmp_path: Path) -> None:
    (roles,) = (block for block in BLOCKS if block.startswith("visitors ="))
    (tmp_path / "roles.toml").write_text(roles)
    rules = read_rules(tmp_path / "roles.toml")
    assert rules.of(None) == {"see"} and rules.of("anyone") == set(ROLES)
    (login,) = (block for block in BLOCKS if block.startswith("[auth]"))
    assert set(tomllib.loads(login)) == {"auth"}


def test_limits_of_the_page_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (`MICREC[^|]*) \|([^|]*)\|", PAGE, re.M)
    defaults = {
        name: said.strip(" `")
        for names, values in rows
        for name, said in zip(re.findall(r"\w+", names), values.split(", "), strict=True)
    }
    limits = Limits()
    assert defaults == {
        "MICREC_DATA": "data:sample_data", "MICREC_MAPS": "",
        "MICREC_CHECK_SECONDS": f"{limits.seconds:g}",
        "MICREC_CHECK_GIGABYTES": f"{limits.gigabytes:g}",
        "MICREC_MAX_INTERACTIONS": str(retrain.MAX_INTERACTIONS),
        "MICREC_MAX_EPOCHS": str(retrain.MAX_EPOCHS),
        "MICREC_MAX_MINUTES": f"{retrain.MAX_MINUTES:g}",
        "MICREC_MAX_GIGABYTES": f"{retrain.MAX_GIGABYTES:g}",
        "MICREC_MAX_WAITING": str(retrain.MAX_WAITING),
        "MICREC_UPLOAD_MB": f"{uploads.QUOTA_MB:g}", "MICREC_KEEP_DAYS": f"{uploads.KEEP_DAYS:g}",
    }  # fmt: skip


def test_the_steps_of_the_container_can_be_taken() -> None:
    """Each instruction is one; shells can read their commands, and what is copied is there."""
    known = {"ARG", "FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE",
             "HEALTHCHECK", "CMD"}  # fmt: skip
    assert {name for name, _ in STEPS} == known
    for command in told("RUN"):
        subprocess.run(["sh", "-n", "-c", command], check=True)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for sources in told("COPY"):
        for source in sources.split()[:-1]:
            assert (ROOT / source).exists() and source not in ignored
    (health,) = told("HEALTHCHECK")
    start = json.loads(told("CMD")[0])
    assert json.loads(health.split(" CMD ")[1]) == ["python", "-m", "micrec_core.ui.viewer"]
    assert start[:4] == ["python", "-m", "streamlit", "run"] and (ROOT / start[4]).is_file()
    # All that it writes lies in what the page makes writable.
    written = re.findall(r"(?:MICREC_CACHE|NUMBA_CACHE_DIR)=(\S+)", " ".join(told("ENV")))
    assert [path.startswith(("/app/runs/", "/tmp/")) for path in written] == [True, True]
