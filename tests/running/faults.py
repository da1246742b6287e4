"""Every write, fsync, rename and open of a small command fails once, in every way.

``python -m tests.running.faults`` tries all of them (``make faults``); with scenarios and a number
it tries those, every so many-th, and with ``small`` what the suite does. Each try is a process
forked off one that has everything loaded; a try is judged by what it left, and by what a user gets
who then goes on.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.choosing import first_choices
from tests.running.fault_scenarios import (
    Scenario,
    amend,
    compare,
    export,
    journey,
    prepare,
    train,
    write_raw,
)
from tests.running.fault_shim import KINDS, Shim, installed

NAMES = ("train", "amend", "prepare", "export", "journey", "compare")
# Every so many-th fault of each, and of trainings, which are dear, of two ways alone.
SMALL = {"train": 150, "amend": 7, "prepare": 5, "export": 3, "journey": 17, "compare": 190}
DEAR, FEW = ("train", "compare"), ("ENOSPC", "SIGKILL")


@dataclass(frozen=True)
class Try:
    """What came of one fault.

    Attributes
    ----------
    outcome : ``done`` in spite of it, ``refused`` in a sentence, ``killed``, or what was wrong
    """

    scenario: str
    kind: str
    at: int
    what: str
    outcome: str
    said: str = ""

    @property
    def is_right(self) -> bool:
        return self.outcome in ("done", "refused", "killed")


def scenarios(place: Path, names: Sequence[str] = NAMES) -> dict[str, Scenario]:
    """Those that are named, what they start from made below ``place``."""
    from micrec_core.sample.generate import generate_sample

    generate_sample(place / "data", users=60, items=(30, 24), seed=3, pictures=False)
    whole = place / "whole"
    whole.mkdir()
    training = train(place / "data", whole)
    training.act(whole)
    write_raw(place / "raw")
    made = {"train": training, "amend": amend(whole), "prepare": prepare(place / "raw")}
    made |= {"export": export(whole), "journey": journey(whole)}
    if "compare" in names:
        made["compare"] = compare(place / "data", whole)
        made["compare"].act(whole)
    return {name: made[name] for name in names}


def tries(
    place: Path, name: str, scenario: Scenario, kinds: Sequence[str] = KINDS, step: int = 1
) -> Iterator[Try]:
    """Let every ``step``-th thing that a scenario does fail, in each way."""
    root = _fresh(place, scenario)
    with installed(Shim(root)) as shim:
        scenario.act(root)
    scenario.look(root)
    for kind in kinds:
        for at in range(1 + (step > 1) * (len(kind) % step), shim.done + 1, step):
            what = shim.trace[at - 1]
            if kind == "short write" and what != "write":
                continue
            root = _fresh(place, scenario)
            outcome, said = _in_a_child(scenario, root, kind, at, place / "told.json")
            try:
                scenario.look(root)
                scenario.go_on(root)
            except Exception:
                outcome, said = "went wrong after it", traceback.format_exc()[-1500:]
            yield Try(name, kind, at, what, outcome, said)


def _fresh(place: Path, scenario: Scenario) -> Path:
    root = place / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    scenario.begin(root)
    return root


def _in_a_child(scenario: Scenario, root: Path, kind: str, at: int, told: Path) -> tuple[str, str]:
    """Do it where it fails; how that ended."""
    told.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        try:
            told.write_text(json.dumps(_act(scenario, root, kind, at)))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        by = os.WTERMSIG(status)
        return ("killed", "") if kind == "SIGKILL" and by == 9 else (f"ended by signal {by}", "")
    outcome, said = json.loads(told.read_text())
    return str(outcome), str(said)


def _act(scenario: Scenario, root: Path, kind: str, at: int) -> tuple[str, str]:
    from micrec_core.errors import MicrecError

    try:
        with installed(Shim(root, kind, at)):
            scenario.act(root)
    except MicrecError as error:
        sentence = str(error)
        fits = "\n" not in sentence and len(sentence) < 600
        return ("refused" if fits else "refused at length"), sentence
    except BaseException:
        return "unexpected failure", traceback.format_exc()[-1500:]
    return "done", ""


def table(found: Sequence[Try]) -> list[str]:
    """Markdown: a row for each scenario and way to fail."""
    kinds = Counter((t.scenario, t.kind, t.outcome if t.is_right else "wrong") for t in found)
    columns = ("refused", "done", "killed", "wrong")
    lines = ["| command | fault | tried | " + " | ".join(columns) + " |", "|---" * 7 + "|"]
    for scenario, kind in dict.fromkeys((t.scenario, t.kind) for t in found):
        counts = [kinds[scenario, kind, column] for column in columns]
        cells = [scenario, kind, str(sum(counts)), *map(str, counts)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main(arguments: Sequence[str]) -> int:
    """``[SCENARIO ...] [STEP]``, or ``small``."""
    names = [word for word in arguments if word in NAMES] or NAMES
    small = "small" in arguments
    step = next((int(word) for word in arguments if word.isdecimal()), 1)
    begin, found = time.monotonic(), []
    # The threads of OpenMP do not live on in a fork, and numba ends the process over it.
    os.environ["NUMBA_THREADING_LAYER"] = "workqueue"
    with tempfile.TemporaryDirectory(prefix="micrec-faults-") as folder, first_choices():
        made = scenarios(Path(folder), names)
        # What is loaded is no garbage: a training's collections went through it, a third of a try.
        gc.freeze()
        for name, scenario in made.items():
            kinds = FEW if small and name in DEAR else KINDS
            every = SMALL[name] if small else step
            for one in tries(Path(folder), name, scenario, kinds, every):
                found.append(one)
                if not one.is_right:
                    sys.stdout.write(f"{one}\n{one.said}\n")
                    sys.stdout.flush()
    sys.stdout.write("\n".join(table(found)) + f"\n{time.monotonic() - begin:.0f} s\n")
    return int(any(not one.is_right for one in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
