"""Viewers of the app by the dozen: ``make load``, or ``python -m tests.journeys.load --help``.

``load`` lets N viewers click through all pages for minutes, with a training running if asked, and
``cost`` takes one viewer through each page many times; both count the server's processor time. The
tables go into ``docs/benchmarks.md``, in the place of those before them.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import numpy as np

from micrec_core.jobs.manager import JobManager
from micrec_core.ui.viewer import View, Viewer, viewer
from tests.journeys.app import PAGES, ROOT, Server, start

TARGET = ROOT / "docs" / "benchmarks.md"
COST, LOAD = "page cost", "page load"
_ABOUT = {
    COST: """## What a page costs the server

Processor seconds of the server's process a view, whole sessions of one viewer by Streamlit's own
protocol, all pages seen before; `before` is another checkout. Charts and tables that are the same
for every visitor are made once (`micrec_core/ui/once.py`), pictures are sent as they are, and
garbage is not looked for among libraries after every script.""",
    LOAD: """## The pages under load

Viewers by Streamlit's own protocol, each clicking through the pages and taking likes back; times
are from the click to the page's heading and to the end of its script, memory and processor time of
the server's process alone.""",
}
# So many pages, then the viewer leaves and another comes.
STAY = 8
_EPOCHS = 200


@dataclass(frozen=True)
class Used:
    """What a process has used: processor seconds of its own, bytes of memory now."""

    seconds: float
    memory: int

    @staticmethod
    def by(pid: int) -> "Used":
        """Of a process of this machine."""
        folder = Path("/proc") / str(pid)
        spent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
        pages = int((folder / "statm").read_text().split()[1])
        seconds = sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")
        return Used(seconds, pages * os.sysconf("SC_PAGE_SIZE"))


@dataclass(frozen=True)
class Load:
    """What so many viewers saw, and what it cost the server."""

    viewers: int
    seconds: float
    trained: bool
    views: list[View]
    before: Used
    after: Used

    @property
    def errors(self) -> list[str]:
        """What went wrong, a sentence a view."""
        return [f"{view.page}: {view.error}" for view in self.views if view.error]


def warmed(server: Server, patience: float) -> None:
    """See every page once, so that what is made once is there."""
    for _ in range(2):
        with viewer(server.url, patience) as one:
            for page in PAGES:
                if error := one.see(page).error:
                    raise SystemExit(f"{page}: {error}\n{server.said()}")
    # Libraries are imported and kernels looked for behind the first page.
    time.sleep(3)


def cost(server: Server, times: int, patience: float = 120) -> dict[str, float]:
    """Processor seconds of the server a view of each page, after one that is not counted."""
    out = {}
    for page in PAGES:
        with viewer(server.url, patience) as one:
            one.see(page)
        begun = Used.by(server.process.pid)
        for _ in range(times):
            with viewer(server.url, patience) as one:
                if error := one.see(page).error:
                    raise SystemExit(f"{page}: {error}\n{server.said()}")
        out[page] = (Used.by(server.process.pid).seconds - begun.seconds) / times
    return out


def visit(url: str, until: float, wait: float, seed: int, views: list[View]) -> None:
    """One viewer after another in the same chair, until the time is over."""
    chance = random.Random(seed)
    # They do not all come in the same moment.
    time.sleep(chance.uniform(0, wait))
    while time.monotonic() < until:
        try:
            with viewer(url) as one:
                _stay(one, until, wait, chance, views)
        except OSError as error:
            views.append(View("", error=f"no connection ({type(error).__name__})"))
            time.sleep(wait)


def _stay(one: Viewer, until: float, wait: float, chance: random.Random, views: list[View]) -> None:
    for page in chance.sample(list(PAGES), STAY):
        if time.monotonic() >= until:
            return
        views.append(one.see(page))
        likes = [key for key in one.buttons if key.startswith("cold_remove_")]
        time.sleep(chance.uniform(0.5, 1.5) * wait)
        if likes and time.monotonic() < until:
            views.append(one.click(page, chance.choice(likes)))
            time.sleep(chance.uniform(0.5, 1.5) * wait)


def load(server: Server, viewers: int, seconds: float, wait: float, retrain: bool) -> Load:
    """Let so many viewers click through the pages, with ``wait`` seconds between clicks."""
    jobs = JobManager(server.runs)
    before, views = Used.by(server.process.pid), list[View]()
    if retrain:
        jobs.start(
            [str(ROOT / "sample_data"), "--epochs", str(_EPOCHS), "--set", f"patience={_EPOCHS}"],
            "load", "while-loaded",
        )  # fmt: skip
    until = time.monotonic() + seconds
    chairs = [
        Thread(target=visit, args=(server.url, until, wait, seed, views)) for seed in range(viewers)
    ]
    for chair in chairs:
        chair.start()
    for chair in chairs:
        chair.join()
    after = Used.by(server.process.pid)
    job = jobs.current("load")
    trained = job is not None and job.running
    if retrain and not trained:
        raise SystemExit("the training ended before the viewers did: give it more epochs")
    if trained:
        jobs.cancel("load")
    return Load(viewers, seconds, trained, views, before, after)


def load_table(found: Load) -> str:
    """The table of a load."""
    seen = [view for view in found.views if not view.error]
    first = [view.first for view in seen if view.first is not None]
    settled = [view.settled for view in seen if view.settled is not None]
    mega = 1 << 20
    rows = {
        "pages seen": f"{len(seen):,}",
        "first content, p50 and p95": _quantiles(first),
        "settled, p50 and p95": _quantiles(settled),
        "errors": f"{len(found.errors):,}",
        "processor seconds a page": f"{_spent(found) / max(len(found.views), 1):.3f}",
        "server's share of one core": f"{_spent(found) / found.seconds:.0%}",
        "server's memory before": f"{found.before.memory // mega:,} MiB",
        "server's memory after": f"{found.after.memory // mega:,} MiB",
    }
    training = ", a training running" if found.trained else ""
    head = f"{found.viewers} viewers, {found.seconds / 60:.2g} minutes{training}"
    lines = [f"| {head} | |", "|---|---|", *(f"| {what} | {said} |" for what, said in rows.items())]
    return "\n".join(lines)


def _spent(found: Load) -> float:
    return found.after.seconds - found.before.seconds


def _quantiles(values: list[float]) -> str:
    if not values:
        return "none came"
    half, most = np.quantile(values, [0.5, 0.95])
    return f"{half:.2f} s, {most:.2f} s"


def cost_table(found: dict[str, dict[str, float]]) -> str:
    """Processor seconds a page, a column a checkout; ``found`` by the column's head."""
    heads = list(found)
    rows = {PAGES[page]: [found[head][page] for head in heads] for page in PAGES}
    rows["mean"] = [float(np.mean(list(found[head].values()))) for head in heads]
    return "\n".join(
        [
            f"| page | {' | '.join(heads)} |",
            f"|---|{'---|' * len(heads)}",
            *(f"| {page} | {' | '.join(f'{v:.3f}' for v in vs)} |" for page, vs in rows.items()),
        ]
    )


def written(text: str, name: str, section: str) -> str:
    """The benchmarks with a section in the place of the one before, or at the end."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    block = f"{begin}\n{section}\n{end}"
    if begin in text and end in text:
        return text.split(begin)[0] + block + text.split(end, 1)[1]
    return f"{text.rstrip()}\n\n{block}\n"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("cost", "load"))
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--wait", type=float, default=10, help="seconds between clicks")
    parser.add_argument("--retrain", action="store_true", help="while a training runs")
    parser.add_argument("--times", type=int, default=10, help="views of each page, for its cost")
    parser.add_argument("--before", type=Path, help="another checkout, measured first")
    parser.add_argument("--note", default="", help="what else ran on the machine, in words")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    return parser.parse_args()


def main() -> int:
    """Measure, say it, and write it if asked."""
    wanted = _arguments()
    checkouts = {"before": wanted.before} if wanted.before else {}
    checkouts["now"] = ROOT
    tables: dict[str, str] = {}
    costs: dict[str, dict[str, float]] = {}
    for head, root in checkouts.items():
        with tempfile.TemporaryDirectory() as folder:
            server = start(Path(folder), root=root, MICREC_COMPILE="no")
            try:
                warmed(server, 600)
                if wanted.what == "cost":
                    costs[head] = cost(server, wanted.times, 600)
                else:
                    seconds = 60 * wanted.minutes
                    found = load(server, wanted.viewers, seconds, wanted.wait, wanted.retrain)
                    tables[head] = load_table(found)
                    sys.stderr.writelines(f"{said}\n" for said in sorted(set(found.errors)))
            finally:
                server.cancel_training()
                server.stop()
    when = (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores{wanted.note and ', '}{wanted.note}"
    )
    if costs:
        tables = {"": cost_table(costs)}
    said = "\n\n".join(f"{head.capitalize()}:\n\n{t}" if head else t for head, t in tables.items())
    section = f"Measured on {when}, by `python -m tests.journeys.load {wanted.what}`.\n\n{said}"
    if wanted.write:
        name = COST if costs else LOAD
        text = written(TARGET.read_text("utf-8"), name, f"{_ABOUT[name]}\n\n{section}")
        TARGET.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{section}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
