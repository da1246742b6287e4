"""Two processes of the app behind the proxy that docs/deploy.md shows, over one runs folder."""

import grp
import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from micrec_core.jobs.manager import JobManager
from micrec_core.ui.viewer import View, Viewer, viewer
from micrec_core.ui.widgets import plain
from tests.journeys.app import ROOT, Server, free_port, healthy, start

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
pytestmark = [
    pytest.mark.skipif(NGINX is None, reason="no nginx on this machine: no proxy is tried"),
    pytest.mark.timeout(600),
]
PAGE = ROOT / "docs" / "deploy.md"
_AROUND = """
daemon off;
user {user} {group};
pid {place}/nginx.pid;
error_log {place}/error.log;
events {{}}
http {{
access_log off;
client_body_temp_path {place}/body;
proxy_temp_path {place}/proxied;
fastcgi_temp_path {place}/f;
uwsgi_temp_path {place}/u;
scgi_temp_path {place}/s;
{told}
}}
"""


def configuration(place: Path, port: int, ports: list[int]) -> str:
    """What the page shows, but for addresses, TLS, and a header that says who answered."""
    told = PAGE.read_text(encoding="utf-8").split("within `http`:\n\n")[1].split("\n\n")[0]
    changed = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port};",
        "server_name recs.example.org;": "add_header X-Process $upstream_addr always;",
        "127.0.0.1:8501": f"127.0.0.1:{ports[0]}",
        "127.0.0.1:8502": f"127.0.0.1:{ports[1]}",
        "wss://recs.example.org": f"ws://127.0.0.1:{port}",
        "proxy_set_header Host $host;": "proxy_set_header Host $http_host;",
    }
    for was, now in changed.items():
        assert told.count(was) == 1, was
        told = told.replace(was, now)
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    return _AROUND.format(place=place, told=told, user=user, group=group)


@dataclass(frozen=True)
class Behind:
    """The proxy and the processes behind it."""

    url: str
    servers: tuple[Server, Server]


@contextmanager
def proxied(place: Path, ports: list[int]) -> Iterator[str]:
    """The proxy before two processes; its address."""
    port = free_port()
    (place / "nginx.conf").write_text(configuration(place, port, ports))
    assert NGINX is not None
    proxy = subprocess.Popen(
        [NGINX, "-c", str(place / "nginx.conf"), "-e", str(place / "error.log")]
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            if healthy(url):
                break
            assert proxy.poll() is None, (place / "error.log").read_text()
            time.sleep(0.05)
        yield url
    finally:
        proxy.terminate()
        proxy.wait()


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    place = tmp_path_factory.mktemp("proxy")
    first = start(place / "first", MICREC_COMPILE="no")
    second = start(place / "second", first.runs, MICREC_COMPILE="no")
    ports = [int(server.url.rpartition(":")[2]) for server in (first, second)]
    with proxied(place, ports) as url:
        yield Behind(url, (first, second))
        first.cancel_training()
        for server in (first, second):
            server.stop()


@dataclass
class Reader(Viewer):
    """A viewer who also keeps what the page says, and may upload."""

    said: list[str] = field(default_factory=list)
    answers: list[ForwardMsg] = field(default_factory=list)

    def _take(self, message: ForwardMsg, view: View, now: float) -> None:
        self.answers.append(message)
        if message.delta.new_element.WhichOneof("type") == "markdown":
            self.said.append(message.delta.new_element.markdown.body)
        super()._take(message, view, now)


@dataclass(frozen=True)
class Visitor:
    """A browser that keeps its cookies, and the process that the proxy keeps it with."""

    behind: Behind
    cookies: dict[str, str]
    process: str

    @staticmethod
    def come(behind: Behind) -> "Visitor":
        """One who was never here."""
        cookies: dict[str, str] = {}
        for _ in range(2):
            told = "; ".join(f"{name}={value}" for name, value in cookies.items())
            found = httpx.get(f"{behind.url}/_stcore/health", headers={"Cookie": told})
            for line in found.headers.get_list("set-cookie"):
                name, _, rest = line.partition("=")
                cookies[name] = rest.partition(";")[0]
        return Visitor(behind, cookies, found.headers["x-process"])

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """A session of theirs."""
        with viewer(self.behind.url, cookies=self.cookies) as one:
            yield Reader(one.socket, one.patience)

    def put(self, address: str, name: str, content: bytes) -> int:
        """Send a file to where the app asked for it; the status of the answer."""
        told = "; ".join(f"{key}={value}" for key, value in self.cookies.items())
        headers = {"Cookie": told, "X-Xsrftoken": self.cookies["_streamlit_xsrf"]}
        files = {"file": (name, content)}
        return httpx.put(f"{self.behind.url}{address}", headers=headers, files=files).status_code


@pytest.fixture(scope="module")
def two(behind: Behind) -> tuple[Visitor, Visitor]:
    """A visitor of each process."""
    found: dict[str, Visitor] = {}
    for _ in range(100):
        one = Visitor.come(behind)
        found.setdefault(one.process, one)
        if len(found) == 2:
            break
    first, second = found.values()
    return first, second


def test_a_visitor_stays_with_one_process(behind: Behind, two: tuple[Visitor, Visitor]) -> None:
    ports = {server.url.removeprefix("http://") for server in behind.servers}
    assert {one.process for one in two} == ports
    for one in two:
        told = "; ".join(f"{name}={value}" for name, value in one.cookies.items())
        for path in ("/", "/_stcore/health", "/retrain") * 3:
            found = httpx.get(f"{behind.url}{path}", headers={"Cookie": told})
            assert found.headers["x-process"] == one.process
        assert "Content-Security-Policy" in found.headers


def test_an_upload_reaches_the_process_of_its_session(two: tuple[Visitor, Visitor]) -> None:
    for one, other in (two, two[::-1]):
        with one.reading() as reader:
            assert not reader.see("data").error
            address = asked_where(reader, "items.csv")
            content = b"item_id,title\n" * 100_000
            assert other.put(address, "items.csv", content) >= 400
            assert one.put(address, "items.csv", content) == 204


def asked_where(reader: Reader, name: str) -> str:
    """Where the app wants a file."""
    message = BackMsg()
    message.file_urls_request.request_id = uuid4().hex
    message.file_urls_request.file_names.append(name)
    reader.socket.send(message.SerializeToString())
    while True:
        raw = reader.socket.recv(timeout=60)
        assert isinstance(raw, bytes)
        found = ForwardMsg.FromString(raw)
        if found.WhichOneof("type") == "file_urls_response":
            (one,) = found.file_urls_response.file_urls
            return re.sub("^/?", "/", one.upload_url)


def test_a_training_of_one_process_is_seen_in_the_other(
    behind: Behind, two: tuple[Visitor, Visitor]
) -> None:
    one, other = two
    runs = behind.servers[0].runs
    with one.reading() as starting, other.reading() as watching:
        assert not starting.see("retrain").error
        assert not starting.click("retrain", "Start training").error
        job = JobManager(runs).current()
        assert job is not None and job.running
        assert not watching.see("retrain").error
        said = f"**{plain(job.name)}** is being trained, by another visitor"
        assert said in watching.said, watching.said
        assert "Cancel" not in watching.buttons
        # Who started it is told from others in every process, and may end it.
        assert not starting.see("retrain").error and "Cancel" in starting.buttons
        assert not starting.click("retrain", "Cancel").error
    for server in behind.servers:
        assert "Traceback" not in server.said()
    ended = JobManager(runs).current()
    assert ended is not None and ended.state == "cancelled"
