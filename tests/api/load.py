"""The API under load: ``make load-api``, or ``python -m tests.api.load --help``.

``wrk`` (Debian's package of that name) asks at a steady rate for lists of people who were never
seen, ten likes each, over a made-up catalogue; the table goes into ``docs/benchmarks.md``. What
serves is what ``micrec serve --workers`` starts, but for the run, which is in no folder.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from micrec_core.api.shelf import Served, Shelf
from micrec_core.benchmarks.serving import DOMAIN, LIKES, LIST, make_bundle
from micrec_core.evaluation.parallel import VARIABLES
from micrec_core.serving import Recommender
from tests.journeys.app import ROOT, free_port
from tests.journeys.load import TARGET, Used, written

if TYPE_CHECKING:
    from fastapi import FastAPI

SECTION = "api load"
_ITEMS, _WHO = "MICREC_LOAD_ITEMS", "/who"
CONNECTIONS = 20
# Each connection waits between requests so that all together come to the rate, unevenly as people.
_SCRIPT = """
local chance = {seed}
function setup(thread) thread:set("chance", chance); chance = chance + 1 end
function init(args) math.randomseed(chance) end
function delay() return math.random({least}, {most}) end
function request()
  local likes = {{}}
  for i = 1, {likes} do likes[i] = string.format('"i%d"', math.random(0, {items} - 1)) end
  local body = '{{"domain": "{domain}", "k": {k}, "likes": {{"{domain}": [' ..
    table.concat(likes, ",") .. ']}}}}'
  local kind = {{["Content-Type"] = "application/json"}}
  return wrk.format("POST", "/runs/made-up/recommend", kind, body)
end
"""


class MadeUp(Shelf):
    """A shelf with one run that was never trained: what it answers costs as much."""

    def __init__(self, users: int, items: int) -> None:
        recommender = Recommender(None, make_bundle(users, items))
        # As ``Recommender.warm``, but its encoders encode nothing.
        import micrec_core.graphs.walk  # noqa: F401

        popular = [str(recommender.bundle.domains[0].item_ids[0])]
        recommender.recommend(recommender.user(likes={DOMAIN: popular}), DOMAIN)
        self._served = {"made-up": Served(None, recommender)}  # type: ignore[arg-type]
        self._swapping = Lock()


@dataclass(frozen=True)
class Asked:
    """What ``wrk`` says: milliseconds, requests a second, answers that were no list."""

    p50: float
    p99: float
    rate: float
    requests: int
    bad: int


def asked(url: str, rate: float, seconds: float, items: int, place: Path) -> Asked:
    """Ask for lists at a rate."""
    gap = 1000 * CONNECTIONS / rate
    script = place / "ask.lua"
    script.write_text(
        _SCRIPT.format(
            seed=7, least=int(gap / 2), most=int(gap * 1.5), likes=LIKES, items=items,
            domain=DOMAIN, k=LIST,
        )
    )  # fmt: skip
    words = ["wrk", "--latency", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "-s", str(script)]
    return read(subprocess.run([*words, url], capture_output=True, text=True, check=True).stdout)


def read(said: str) -> Asked:
    """From what ``wrk`` prints."""
    quantiles = {
        int(q): _milliseconds(t) for q, t in re.findall(r"^ +(\d+)% +(\S+) *$", said, re.M)
    }
    requests = int(re.findall(r"(\d+) requests in", said)[0])
    bad = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", said)))
    bad += sum(map(int, re.findall(r"\d+", "".join(re.findall(r"Socket errors: (.+)", said)))))
    rate = float(re.findall(r"Requests/sec: +(\S+)", said)[0])
    return Asked(quantiles[50], quantiles[99], rate, requests, bad)


def _milliseconds(said: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", said).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[unit]


def service() -> "FastAPI":
    """The application of one process, which also says which it is."""
    from micrec_core.api.service import make_service

    items = int(os.environ[_ITEMS])
    made = make_service(MadeUp(items, items))
    made.get(_WHO)(os.getpid)
    return made


@dataclass(frozen=True)
class Running:
    """The server: the process that was started, and those that answer."""

    url: str
    process: subprocess.Popen
    answering: frozenset[int]

    def used(self) -> Used:
        """By all that answer."""
        each = [Used.by(pid) for pid in self.answering]
        return Used(sum(one.seconds for one in each), sum(one.memory for one in each))

    def stop(self) -> None:
        """End them."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()


def started(items: int, workers: int) -> Running:
    """A server, once each of its processes answers."""
    port = free_port()
    words = f"-m uvicorn tests.api.load:service --factory --port {port} --workers {workers}"
    more = "--log-level warning --no-access-log --limit-concurrency 64 --timeout-keep-alive 30"
    more += " --timeout-worker-healthcheck 60"
    threads = dict.fromkeys(VARIABLES, "1")
    process = subprocess.Popen(
        [sys.executable, *words.split(), *more.split()],
        cwd=ROOT,
        env=threads | os.environ | {_ITEMS: str(items)},
    )
    url, answering = f"http://127.0.0.1:{port}", set()
    for _ in range(3000):
        try:
            with urllib.request.urlopen(f"{url}{_WHO}", timeout=2) as said:
                answering.add(int(said.read()))
        except OSError:
            if process.poll() is not None:
                break
        if len(answering) == workers:
            return Running(url, process, frozenset(answering))
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    raise SystemExit("the server did not start")


def table(found: Asked, before: Used, after: Used, items: int, workers: int) -> str:
    """What was found, as Markdown."""
    mega = 1 << 20
    rows = {
        "processes": f"{workers}",
        "requests a second": f"{found.rate:.0f}",
        "p50 and p99": f"{found.p50:.1f} ms, {found.p99:.1f} ms",
        "answers that were no list": f"{found.bad:,}",
        "processor milliseconds a request": (
            f"{1000 * (after.seconds - before.seconds) / found.requests:.2f}"
        ),
        "memory before and after": f"{before.memory // mega:,} and {after.memory // mega:,} MiB",
    }
    head = f"| {items:,} items, {found.requests:,} requests of {LIST} items for {LIKES} likes | |"
    return "\n".join([head, "|---|---|", *(f"| {what} | {said} |" for what, said in rows.items())])


def main() -> int:
    """Serve, or measure, say it and write it if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=30_000)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=2, help="processes that answer")
    parser.add_argument("--note", default="", help="what else ran on the machine, in words")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    wanted = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not here: apt-get install wrk")
    server = started(wanted.items, wanted.workers)
    place = Path(os.environ.get("TMPDIR", "/tmp"))
    try:
        asked(server.url, wanted.rate, 3, wanted.items, place)
        before = server.used()
        found = asked(server.url, wanted.rate, wanted.seconds, wanted.items, place)
        said = table(found, before, server.used(), wanted.items, wanted.workers)
    finally:
        server.stop()
    note = f", {wanted.note}" if wanted.note else ""
    section = (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores{note}, by "
        f"`python -m tests.api.load --rate {wanted.rate:g} --seconds {wanted.seconds:g} "
        f"--workers {wanted.workers}`.\n\n{said}"
    )
    if wanted.write:
        TARGET.write_text(written(TARGET.read_text("utf-8"), SECTION, section), encoding="utf-8")
    sys.stdout.write(f"{section}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
