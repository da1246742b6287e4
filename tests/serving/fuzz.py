"""Whatever stands in the files that somebody brings, it is refused in a sentence or used rightly.

``python -m tests.serving.fuzz run 2500`` spoils the bundled run that many times, each time one
file, its manifest sealed anew, and prints the table of what came of it; so it does with a dataset's
``tables`` and with ``zips`` of runs (``make fuzz``). Everything is tried in a worker process, so
that a crash, a hang or an explosion is one more line of the table and not the end of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import resource
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
import unittest.mock
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "assets" / "runs" / "sample"
OUTCOMES = (
    "clean refusal", "accepted rightly", "unexpected failure", "hang", "blow-up", "crash",
)  # fmt: skip
SUBJECTS = {
    "run": "tests.serving.fuzz", "tables": "tests.data.spoilt", "zips": "tests.runs.spoilt",
    "pages": "tests.pages.spoilt", "visits": "tests.pages.visits",
}  # fmt: skip
SECONDS = 60.0
# And so many times longer of the clock, for one that waits for what never comes.
_ASLEEP = 10
# What a worker may ask for beyond what it has when it begins.
BYTES = 1536 * 2**20
# Each mutation draws a file by these weights: what is indexed with and what code reads first.
WEIGHTS = {"serving.safetensors": 40, "model.safetensors": 8, "serving.json": 12, "run.json": 8}


@dataclass(frozen=True)
class Outcome:
    """What came of one spoilt run."""

    seed: int
    file: str
    how: str
    outcome: str
    said: str = ""


def lay_out(run: Path) -> None:
    """The bundled run, to be spoilt."""
    shutil.copytree(RUN, run, dirs_exist_ok=True)


def mend(run: Path, name: str) -> None:
    """The file as it was."""
    for file in (name, "manifest.json"):
        shutil.copyfile(RUN / file, run / file)


def subject(name: str) -> Any:
    """What is spoilt: ``lay_out``, ``spoil``, ``use`` and ``mend`` of it."""
    return importlib.import_module(SUBJECTS[name])


def spoil(run: Path, seed: int) -> tuple[str, str]:
    """Change one file of a run and seal it again; the file's name and what was done."""
    rng = np.random.default_rng(seed)
    manifest = json.loads((run / "manifest.json").read_bytes())
    names = sorted([*manifest["files"], "manifest.json"])
    weights = np.array([WEIGHTS.get(name, 2) for name in names], float)
    return sealed(run, str(rng.choice(names, p=weights / weights.sum())), rng)


def sealed(run: Path, name: str, rng: np.random.Generator) -> tuple[str, str]:
    """Change a file of a run in some way and seal it again; its name and what was done."""
    from tests.serving.mutations import ways

    manifest = json.loads((run / "manifest.json").read_bytes())
    choices = ways(name)
    how, content = choices[int(rng.integers(len(choices)))]((run / name).read_bytes(), rng)
    (run / name).write_bytes(content)
    if name != "manifest.json":
        manifest["files"][name] = hashlib.sha256(content).hexdigest()
        (run / "manifest.json").write_text(json.dumps(manifest))
    return name, how


# In a worker --------------------------------------------------------------------------------------


def use(run: Path, name: str) -> None:
    """All that the app and the command line do with a run that concerns a file of it.

    Raises
    ------
    MicrecError
        A refusal.
    AssertionError
        An answer that cannot be right.
    """
    from micrec_core.report.export import item_vectors
    from micrec_core.runs import list_runs, open_run
    from micrec_core.runs.served import served

    list_runs(run.parent)
    opened = open_run(run)
    if name.startswith(("serving", "beside/")) or name == "model.safetensors":
        served(opened)
        _serve(opened)
        _, vectors = item_vectors(opened)
        assert np.isfinite(vectors).all()
        return
    for relative in (file for file in opened.files if file == name):
        if relative.endswith(".parquet"):
            opened.frame(relative)
        elif relative.endswith(".safetensors"):
            opened.tensors(relative)
    _report(opened, name)


def _report(opened: Any, name: str) -> None:
    """The report with the charts of one table; those that stand beside each other together."""
    from micrec_core.report import export

    beside = ("snapshots/", "metrics/alignment", "run.json")

    def has(relative: str) -> bool:
        shown = relative == name or all(x.startswith(beside) for x in (relative, name))
        return shown and relative in opened.digests

    with unittest.mock.patch.object(type(opened), "has", lambda self, relative: has(relative)):
        page = export.report(opened)
    assert page.startswith("<!doctype html>") and "<script>alert" not in page


def _serve(opened: Any) -> None:
    from micrec_core.serving import Recommender
    from micrec_core.serving.by_likes import by_likes_file

    rec = Recommender.open(opened)
    for d, domain in enumerate(rec.domains):
        part = rec.bundle.domains[d]
        known = rec.user_ids(domain)
        people = [rec.user(likes={domain: list(part.item_ids[:3])})]
        people += [rec.user(id=str(known[place])) for place in (0, len(known) // 2) if len(known)]
        people += [rec.user(text=str(part.titles[2]))] if "text" in rec.modalities else []
        for user in people:
            _answer(rec, user, domain)
        if opened.has(by_likes_file("lightgcn")):
            listed = rec.baselines.by_likes("lightgcn", people[0], domain, k=5)
            assert np.isfinite(listed["score"]).all() and listed["item_id"].is_unique
        rec.neighbours(domain, user=people[0])
        rec.steps(people[0], domain)
        for modality in (None, *rec.modalities):
            alike = rec.similar(domain, str(part.item_ids[0]), modality=modality)
            assert alike["item_id"].is_unique
        assert np.isfinite(rec.recommend_all(domain, k=3)["score"]).all()
        new = rec.new_item(domain, text=str(part.titles[1]))
        _, score, of = rec.rank(people[0], domain, new)
        assert np.isfinite(score) and of > 0


def _answer(rec: Any, user: Any, domain: str) -> None:
    """A list whose scores are numbers, in order, of items that there are, and add up."""
    d = rec.domains.index(domain)
    items = rec.recommend(user, domain, k=5).items
    scores = items["score"].to_numpy()
    scale = 1e-3 * np.abs(items[list(rec.sources)].to_numpy()).max(initial=1.0)
    assert np.isfinite(scores).all() and (np.diff(scores) <= scale).all()
    assert items["item_id"].is_unique
    assert set(items["item_id"]) <= set(rec.bundle.domains[d].item_ids)
    assert not set(items["item_id"]) & set(user.likes[domain])
    for item in items["item_id"][:1]:
        told = rec.explain(user, domain, str(item))
        assert abs(told.score - scores[0]) <= scale


def work(what: str, place: str, seeds: Sequence[str]) -> None:
    """Try seeds, a line of JSON before and one after each on standard output."""
    from micrec_core.errors import MicrecError

    tried, folder = subject(what), Path(place)
    # Loads what loads once.
    if what == "run":
        use(folder, "serving.json")
    else:
        tried.spoil(folder, 0)
        with contextlib.suppress(MicrecError):
            tried.use(folder, "")
        tried.mend(folder, "")
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + BYTES, used + BYTES))
    for seed in map(int, seeds):
        name, how = tried.spoil(folder, seed)
        told = {"seed": seed, "file": name, "how": how}
        _say(json.dumps(told))
        outcome, said = "accepted rightly", ""
        try:
            tried.use(folder, name)
        except MicrecError as error:
            said = str(error)
            outcome = "clean refusal" if _is_sentence(said) else "unexpected failure"
        except MemoryError:
            outcome = "blow-up"
        except Exception as error:
            import traceback

            place = traceback.extract_tb(error.__traceback__)[-1]
            outcome = "unexpected failure"
            said = f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"
        _say(json.dumps({"outcome": outcome, "said": said[:400]}))
        tried.mend(folder, name)


def _say(line: str) -> None:
    assert sys.__stdout__ is not None
    sys.__stdout__.write(line + "\n")
    sys.__stdout__.flush()


def _is_sentence(said: str) -> bool:
    return bool(said) and "\n" not in said and "Traceback" not in said and len(said) < 600


# Beside it ----------------------------------------------------------------------------------------


def campaign(seeds: Sequence[int], what: str = "run") -> Iterator[Outcome]:
    """What came of each seed, whatever came of the process that tried it."""
    left = list(seeds)
    while left:
        with tempfile.TemporaryDirectory(prefix="micrec-fuzz-") as folder:
            copy = Path(folder) / "spoilt"
            copy.mkdir()
            subject(what).lay_out(copy)
            for outcome in _one_worker(what, copy, left):
                left.remove(outcome.seed)
                yield outcome


def _one_worker(what: str, copy: Path, seeds: Sequence[int]) -> Iterator[Outcome]:
    """Until it ends, for whatever reason; what it was at then counts as that."""
    command = [sys.executable, "-m", "tests.serving.fuzz", "--worker", what, str(copy)]
    said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
    child = subprocess.Popen(
        [*command, *map(str, seeds)], cwd=ROOT, stdout=subprocess.PIPE, stderr=said
    )
    assert child.stdout is not None
    begun: dict[str, Any] | None = None
    try:
        for line in _lines(child):
            if line is None:
                child.kill()
                if begun:
                    yield Outcome(**begun, outcome="hang")
                return
            told = json.loads(line)
            if "outcome" not in told:
                begun = told
            elif begun:
                yield Outcome(**begun, **told)
                begun = None
        child.wait()
        if begun:
            yield Outcome(**begun, outcome="crash", said=f"exit status {child.returncode}")
        elif child.returncode:
            said.seek(0)
            raise RuntimeError(said.read().decode())
    finally:
        child.kill()
        child.communicate()
        said.close()


def _lines(child: subprocess.Popen[bytes]) -> Iterator[bytes | None]:
    """Its lines; None where it says nothing for too long.

    Seconds are of its processor: a machine that does much else is no hang.
    """
    assert child.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        spent, since = _cpu_seconds(child.pid), time.monotonic()
        while True:
            if selector.select(1):
                line = child.stdout.readline()
                if not line:
                    return
                yield line
                spent, since = _cpu_seconds(child.pid), time.monotonic()
            elif (
                _cpu_seconds(child.pid) - spent > SECONDS
                or time.monotonic() - since > _ASLEEP * SECONDS
            ):
                yield None
                return


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Markdown: a row for each sort of file, with how often each outcome was."""
    sorts = Counter((_sort(o.file), o.outcome) for o in outcomes)
    lines = [" | ".join(["| file", "tried", *OUTCOMES]) + " |", "|---" * 8 + "|"]
    for sort in [*sorted({sort for sort, _ in sorts}), None]:
        counts = [
            sum(n for (s, o), n in sorts.items() if o == outcome and sort in (s, None))
            for outcome in OUTCOMES
        ]
        name = "all" if sort is None else sort
        lines.append("| " + " | ".join([name, *map(str, (sum(counts), *counts))]) + " |")
    return lines


def _sort(file: str) -> str:
    path = Path(file)
    many = path.suffix == ".parquet" or path.parent.name == "snapshots"
    return f"`*{path.suffix}`" if many and path.name != "serving_ids.parquet" else f"`{file}`"


def main(arguments: Sequence[str]) -> int:
    """``WHAT N [FIRST]``, or ``--worker`` as ``campaign`` calls it."""
    if arguments[0] == "--worker":
        # What libraries print is no outcome.
        with contextlib.redirect_stdout(sys.stderr):
            work(arguments[1], arguments[2], arguments[3:])
        return 0
    first = int(arguments[2]) if len(arguments) > 2 else 0
    begin, found = time.monotonic(), []
    with contextlib.suppress(KeyboardInterrupt):  # what was tried so far is told
        for outcome in campaign(range(first, first + int(arguments[1])), arguments[0]):
            found.append(outcome)
            if outcome.outcome not in OUTCOMES[:2]:
                _say(json.dumps(vars(outcome)))
    _say("\n".join(table(found)))
    _say(f"{time.monotonic() - begin:.0f} s")
    return int(any(o.outcome not in OUTCOMES[:2] for o in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
