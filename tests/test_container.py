"""The image itself, started as docs/deploy.md says, line by line.

It needs a Docker daemon and minutes to build, so it is asked for: ``MICREC_IMAGE=micrec-explorer``
names an image that was built of this checkout (``docker build -t micrec-explorer .``).
"""

import os
import re
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from micrec_core.ui.viewer import viewer
from tests.journeys import test_login, test_proxy
from tests.journeys.app import free_port, healthy
from tests.test_deploy import PAGE, docker_runs

IMAGE = os.environ.get("MICREC_IMAGE", "")
pytestmark = [
    pytest.mark.skipif(not IMAGE, reason="set MICREC_IMAGE to the name of an image built here"),
    pytest.mark.timeout(900),
]
TOKEN = "a token of the tests' own"
ON_A_LAPTOP, READ_ONLY, WITH_A_TOKEN, TWO_PROCESSES = range(4)


def docker(*words: str, check: bool = True) -> str:
    """What a command of Docker's prints, errors too."""
    done = subprocess.run(
        ["docker", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert not check or done.returncode == 0, done.stdout
    return done.stdout


@dataclass(frozen=True)
class Container:
    """A running one, and its ports on this computer."""

    name: str
    ports: tuple[int, ...]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    def does(self, command: str) -> bool:
        """Whether its user is able to do that."""
        return subprocess.run(["docker", "exec", self.name, "sh", "-c", command]).returncode == 0

    def says(self, command: str) -> str:
        return docker("exec", self.name, "sh", "-c", command).strip()


@contextmanager
def started(run: int, place: Path, *more: str) -> Iterator[Container]:
    """A `docker run` of the page, but for names and ports; ``more`` are further options."""
    options, after = docker_runs()[run]
    name = f"micrec-{uuid4().hex[:8]}"
    (place / "data").mkdir(exist_ok=True)
    ports = {told.split(":")[1]: free_port() for told in options["-p"]}
    words, volumes = ["run", "-d", "--name", name], []
    for option, values in options.items():
        for told in values:
            value = told.replace("$PWD", str(place)).replace("$(cat token.txt)", TOKEN)
            if option == "-p":
                _, outside, inside = told.split(":")
                value = f"127.0.0.1:{ports[outside]}:{inside}"
            elif option == "-v" and not value.startswith("/"):
                value = f"{name}-{value}"
                volumes.append(value.split(":")[0])
            if option not in ("-d", "--rm"):
                words += [option, value] if value else [option]
    try:
        docker(*words, *more, IMAGE, *after)
        one = Container(name, tuple(ports.values()))
        for port in one.ports:
            wait_for(f"http://127.0.0.1:{port}", name)
        yield one
        assert "Traceback" not in docker("logs", name)
    finally:
        docker("rm", "-f", name, check=False)
        docker("volume", "rm", "-f", *volumes, name, check=False)


def wait_for(url: str, name: str) -> None:
    """Until the container of this name answers there."""
    for _ in range(600):
        if healthy(url):
            return
        time.sleep(0.2)
    raise AssertionError(docker("logs", name))


def asked_for(host: str, port: int) -> None:
    """Connect as a browser does that was sent to this host."""
    with (
        socket.create_connection(("127.0.0.1", port)) as sock,
        connect(f"ws://{host}/_stcore/stream", sock=sock, origin=Origin(f"http://{host}"),
                subprotocols=[Subprotocol("streamlit")], proxy=None),
    ):  # fmt: skip
        pass


@pytest.mark.parametrize("run", range(4))
def test_each_command_of_the_page_starts_an_app_that_draws_pages(run: int, tmp_path: Path) -> None:
    with started(run, tmp_path) as one:
        assert one.says("id -u") == "10001"
        # What the container's own check does, and then as a browser from outside.
        assert one.does("python -m micrec_core.ui.viewer")
        for port in one.ports:
            with viewer(f"http://127.0.0.1:{port}") as visitor:
                for page in ("overview", "cold-start"):
                    seen = visitor.see(page)
                    assert not seen.error and seen.settled
                    assert (seen.first is None) == (run == WITH_A_TOKEN)
        if run in (READ_ONLY, WITH_A_TOKEN):
            assert not one.does("touch /app/x") and not one.does("touch data/x")
            assert one.does("touch runs/x /tmp/x ~/x")
            assert "CapEff:\t0000000000000000" in one.says("cat /proc/self/status")
            assert "NoNewPrivs:\t1" in one.says("cat /proc/self/status")


def test_hosts_and_health(tmp_path: Path) -> None:
    with started(WITH_A_TOKEN, tmp_path) as one:
        for host in ("recs.example.org", "127.0.0.1"):
            asked_for(host, one.ports[0])
        with pytest.raises(InvalidStatus, match="403"):
            asked_for("a.example", one.ports[0])
        for _ in range(150):
            state = docker("inspect", one.name, "--format", "{{.State.Health.Status}}").strip()
            if state != "starting":
                break
            time.sleep(1)
        assert state == "healthy"


def test_what_is_kept_can_be_written_where_the_page_says(tmp_path: Path) -> None:
    (told,) = re.findall(r"`(-v micrec-brought[^`]*)`", PAGE)
    volume = f"micrec-brought-{uuid4().hex[:8]}"
    more = shlex.split(told.replace("\n", " ").replace("micrec-brought", volume, 1))
    try:
        with started(READ_ONLY, tmp_path, *more) as one:
            script = "from micrec_core.ui.places import data_folders; print(data_folders()[0])"
            first = one.says(f'python -c "{script}"').splitlines()[-1]
            assert one.does(f"touch {first}/x") and "brought" in first
    finally:
        docker("volume", "rm", "-f", volume, check=False)


def test_a_training_ends_well_in_it(tmp_path: Path) -> None:
    script = "from pathlib import Path; from micrec_core.jobs.manager import JobManager; " \
             "print(JobManager(Path('runs')).current().state)"  # fmt: skip
    with started(READ_ONLY, tmp_path) as one:
        with viewer(one.url) as visitor:
            assert not visitor.see("retrain").error
            assert not visitor.click("retrain", "Start training").error
        for _ in range(120):
            state = one.says(f'python -c "{script}"').splitlines()[-1]
            if state not in ("waiting", "running"):
                break
            time.sleep(5)
        assert state == "complete", one.says("cat runs/.jobs/*/log* | tail -50")


def test_someone_logs_in(tmp_path: Path) -> None:
    """Against a provider on this computer, at the address that containers know it by."""
    named = ("--add-host", "provider:host-gateway")
    hosts = docker("run", "--rm", *named, IMAGE, "cat", "/etc/hosts")
    here = next(line.split()[0] for line in hosts.splitlines() if line.endswith("provider"))
    provider = ThreadingHTTPServer((here, 0), test_login.Provider)
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    secrets = tmp_path / "secrets.toml"
    at = f"http://{here}:{provider.server_port}"
    mounted = f"{secrets}:/app/.streamlit/secrets.toml:ro"
    # Its own port is known once it runs; the file is read when somebody comes.
    secrets.write_text(test_login.SECRETS.format(app="http://127.0.0.1", provider=at))
    try:
        with started(READ_ONLY, tmp_path, "-v", mounted) as one:
            secrets.write_text(test_login.SECRETS.format(app=one.url, provider=at))
            docker("restart", "-t", "3", one.name)
            wait_for(one.url, one.name)
            with viewer(one.url, cookies=test_login.log_in(one.url)) as visitor:
                assert visitor.see("overview").first is not None
                assert any("ada" in label for label in visitor.buttons)
    finally:
        provider.shutdown()


@pytest.mark.skipif(test_proxy.NGINX is None, reason="no nginx on this machine")
def test_two_processes_of_one_container_behind_the_proxy(tmp_path: Path) -> None:
    with (
        started(TWO_PROCESSES, tmp_path) as one,
        test_proxy.proxied(tmp_path, list(one.ports)) as url,
    ):
        answered = set()
        for _ in range(20):
            found = httpx.get(f"{url}/_stcore/health")
            answered.add(found.headers["x-process"])
            cookies = {"micrec": found.cookies["micrec"]}
            again = httpx.get(f"{url}/", cookies=cookies)
            assert again.headers["x-process"] == found.headers["x-process"]
            if len(answered) == 2:
                break
        assert answered == {f"127.0.0.1:{number}" for number in one.ports}
        with viewer(url, cookies=cookies) as visitor:
            assert visitor.see("overview").first is not None
