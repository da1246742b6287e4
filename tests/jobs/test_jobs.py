"""Background jobs, with small programs in the place of a training."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from micrec_core.errors import ConfigError, RunError
from micrec_core.jobs.manager import Job, JobManager
from micrec_core.runs import RunWriter, list_runs, live_history, open_run
from tests.running.fault_shim import Shim, installed

ROOT = Path(__file__).resolve().parents[2]

# Every fake is called as the command line is: ARGUMENTS --out CANDIDATE. This one writes a run as a
# training does; the others copy one that was written before, for to import what writes costs each
# process most of a second.
WRITE = """
import sys
from pathlib import Path
from micrec_core.runs import RunWriter
writer = RunWriter(Path(sys.argv[-1]), {"seed": 5})
for epoch in range(3):
    writer.append_history({"epoch": epoch, "loss": {"total": 1.0}})
print("done", *sys.argv[1:-2])
writer.finish()
"""
TRAIN = """
import os, shutil, sys
shutil.copytree(os.environ["WRITTEN"] + "/complete", sys.argv[-1])
print("done", *sys.argv[1:-2])
"""
SLEEP = """
import os, shutil, sys, time
shutil.copytree(os.environ["WRITTEN"] + "/begun", sys.argv[-1])
print("epoch 0", flush=True)
time.sleep(60)
"""
DEAF = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
worker = subprocess.Popen([sys.executable, "-c", "import signal, time; "
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"])
print("worker", worker.pid, flush=True)
time.sleep(60)
"""
FAIL = r"""
import sys
sys.stdout.write("epoch 1\repoch 2\repoch 3\n\x1b[31mThe dataset has no domain 'fod'\x1b[0m.\n\n")
sys.exit(2)
"""

Make = Callable[[str], JobManager]


@pytest.fixture(scope="module", autouse=True)
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs that fakes copy: one that is complete and one that was begun."""
    folder = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WRITTEN", str(folder))
        command = [sys.executable, "-c", WRITE, "--out", str(folder / "complete")]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        RunWriter(folder / "begun", {}).release()
        yield


def fake(program: str) -> list[str]:
    return [sys.executable, "-c", program]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[JobManager] = []

    def manager(program: str) -> JobManager:
        made.append(JobManager(tmp_path / "runs", command=fake(program)))
        return made[-1]

    yield manager
    for one in made:
        for job in reversed(one.jobs()):  # those that wait first, lest they start
            one.cancel(job.owner)


def until_ended(manager: JobManager, seconds: float = 60) -> Job:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        job = manager.current()
        assert job is not None
        if not job.running:
            return job
        time.sleep(0.02)
    pytest.fail("the job did not end")


def until_said(manager: JobManager, words: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while words not in manager.log_tail():
        assert time.monotonic() < deadline, manager.log_tail()
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_trains_and_is_accepted(make: Make, tmp_path: Path) -> None:
    manager = make(WRITE)
    assert manager.current() is None and manager.log_tail() == ""
    job = manager.start(["data", "--epochs", "3"], owner="ada")
    assert job.running and job.owner == "ada"
    job = until_ended(manager)
    assert job.state == "complete" and job.error is None and job.finished is not None
    assert manager.log_tail() == "done data --epochs 3"
    assert len(live_history(job.candidate)) == 3
    assert list_runs(tmp_path / "runs") == [], "a candidate is no run of the list yet"

    path = manager.accept("ada")
    assert path == tmp_path / "runs" / job.name
    assert open_run(path).info.seed == 5
    assert [listing.status for listing in list_runs(tmp_path / "runs")] == ["complete"]
    assert manager.current() is None and not job.log.parent.exists()


@pytest.mark.parametrize(
    ("told", "said"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")]
)
def test_threads_of_a_training_leave_cores_to_visitors_where_nobody_says_otherwise(
    make: Make, monkeypatch: pytest.MonkeyPatch, told: dict[str, str], said: str
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    manager = make('import os; print("waits", os.environ["OMP_WAIT_POLICY"])')
    manager.start([], owner="ada")
    until_said(manager, f"waits {said}")


def test_accepted_under_another_name(make: Make, tmp_path: Path) -> None:
    manager = make(TRAIN)
    manager.start([], owner="ada", name="mine")
    until_ended(manager)
    (tmp_path / "runs" / "mine").mkdir()
    with pytest.raises(ConfigError, match="already"):
        manager.accept("ada")
    with pytest.raises(ConfigError, match="cannot name a run"):
        manager.accept("ada", name="../mine")
    assert manager.accept("ada", name="mine-2").name == "mine-2"
    with pytest.raises(ConfigError, match="no background training"):
        manager.accept("ada")


def test_a_damaged_candidate_is_not_accepted(make: Make, tmp_path: Path) -> None:
    manager = make(TRAIN)
    manager.start([], owner="ada", name="mine")
    job = until_ended(manager)
    (job.candidate / "history.jsonl").write_text("{}\n")
    with pytest.raises(RunError, match=r"history\.jsonl"):
        manager.accept("ada")
    assert not (tmp_path / "runs" / "mine").exists()


def test_one_at_a_time(make: Make) -> None:
    first, second = make(SLEEP), make(TRAIN)
    job = first.start([], owner="ada")
    with pytest.raises(ConfigError, match="A training of yours is running"):
        second.start([], owner="ada")
    assert second.start([], owner="bob", name="his").waiting
    assert second.current() == job
    assert second.current("ada") == second.current("eve") == job
    found = second.current("bob")
    assert found is not None and found.waiting and second.ahead(found) == 1


def test_many_sessions_start_at_once(make: Make) -> None:
    managers = [make(SLEEP) for _ in range(8)]

    def start(manager: JobManager) -> bool:
        try:
            manager.start([], owner="ada")
        except ConfigError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(start, managers)) == 1


def test_only_the_owner_may(make: Make) -> None:
    manager = make(SLEEP)
    job = manager.start([], owner="ada")
    for forbidden in (manager.cancel, manager.accept, manager.discard):
        with pytest.raises(ConfigError, match="another session"):
            forbidden("bob")
    with pytest.raises(ConfigError, match="still running"):
        manager.discard("ada")
    with pytest.raises(ConfigError, match="no finished candidate"):
        manager.accept("ada")
    assert manager.current() == job


def test_cancel(make: Make) -> None:
    manager = make(SLEEP)
    job = manager.start([], owner="ada")
    until_said(manager, "epoch 0")
    job = manager.cancel("ada")
    assert job.state == "cancelled" and job.error is None and gone(job.pid)
    assert not job.candidate.exists() and manager.current() == job
    assert manager.cancel("ada") == job, "a second click does no harm"
    manager.discard("ada")
    assert manager.current() is None


def test_cancel_stops_what_ignores_being_asked(make: Make) -> None:
    manager = make(DEAF)
    job = manager.start([], owner="ada")
    until_said(manager, "deaf")
    until_said(manager, "worker")
    worker = int(manager.log_tail().split("worker ")[1].split()[0])
    begin = time.monotonic()
    ended = manager.cancel("ada")
    assert time.monotonic() - begin < 5
    assert ended.state == "cancelled" and gone(job.pid) and gone(worker)


def test_others_see_the_job_while_it_is_being_cancelled(make: Make) -> None:
    manager, other = make(DEAF), make(DEAF)
    manager.start([], owner="ada")
    until_said(manager, "deaf")
    with ThreadPoolExecutor(1) as pool:
        cancelled = pool.submit(manager.cancel, "ada")
        time.sleep(0.5)
        begin = time.monotonic()
        seen = other.current()
        assert time.monotonic() - begin < 1 and seen and seen.running and seen.cancelling
        assert cancelled.result().state == "cancelled"
    seen = other.current()
    assert seen is not None and seen.state == "cancelled"


_APP = """
import sys
from pathlib import Path
from micrec_core.jobs.manager import JobManager
manager = JobManager(Path(sys.argv[1]), command=[sys.executable, "-c", sys.argv[2]])
print(manager.start(["data"], owner="ada").pid)
"""


def test_survives_a_restart_of_the_app(make: Make, tmp_path: Path) -> None:
    """The process that started the job has ended; a new one sees it, and can stop it."""
    app = subprocess.run(
        [sys.executable, "-c", _APP, str(tmp_path / "runs"), SLEEP],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    manager = make(TRAIN)
    job = manager.current()
    assert job is not None and job.running and job.pid == int(app.stdout)
    assert job.arguments == ("data",) and job.owner == "ada"
    until_said(manager, "epoch 0")
    assert manager.cancel("ada").state == "cancelled"
    assert gone(job.pid)


def test_another_manager_sees_the_end(make: Make) -> None:
    first, second = make(TRAIN), make(TRAIN)
    first.start([], owner="ada")
    assert until_ended(second).state == "complete"
    assert first.current() == second.current()


def test_failure_is_told_in_a_sentence(make: Make) -> None:
    manager = make(FAIL)
    manager.start([], owner="ada")
    job = until_ended(manager)
    assert job.state == "failed"
    assert job.error == ("The training stopped before its end: The dataset has no domain 'fod'.")
    assert manager.log_tail().splitlines() == ["epoch 3", "The dataset has no domain 'fod'."]
    with pytest.raises(ConfigError, match="no finished candidate"):
        manager.accept("ada")


def test_a_killed_process_is_noticed(make: Make) -> None:
    manager = make(SLEEP)
    job = manager.start([], owner="ada")
    until_said(manager, "epoch 0")
    os.kill(job.pid, signal.SIGKILL)
    job = until_ended(manager, 5)
    assert job.state == "failed" and job.error is not None and "epoch 0" in job.error
    assert manager.start([], owner="bob").running, "and a new one may start"


def test_two_who_start_within_a_second_have_names_of_their_own(make: Make) -> None:
    manager = make(SLEEP)
    names = {manager.start([], owner=owner).name for owner in ("ada", "bob", "cy")}
    assert len(names) == 3


def test_a_silent_end(make: Make) -> None:
    manager = make("pass")
    manager.start([], owner="ada")
    error = until_ended(manager).error
    assert error == "The training stopped before its end: it printed nothing."


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    manager = JobManager(tmp_path / "runs", command=["/nowhere/python"])
    with pytest.raises(ConfigError, match="could not be started"):
        manager.start([], owner="ada")
    assert manager.current() is None


def test_a_recycled_process_id_is_not_the_job(make: Make, tmp_path: Path) -> None:
    """After a reboot the id may belong to anything: it is neither shown as running nor killed."""
    manager = make(SLEEP)
    manager.start([], owner="ada")
    until_said(manager, "epoch 0")
    manager.cancel("ada")
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (status,) = (tmp_path / "runs" / ".jobs").glob("*/job.json")
        stored = json.loads(status.read_text())
        stored |= {"state": "running", "cancelling": False, "pid": bystander.pid}
        status.write_text(json.dumps(stored))
        later = make(SLEEP)
        assert later.current().state == "failed"  # type: ignore[union-attr]
        later.cancel("ada")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../../precious"},
        {"id": "0" * 31 + "/"},
        {"id": "0" * 32},
        {"name": "../x"},
        {"pid": 0},
        {"pid": 1},
        {"state": "running", "pid": None},
        {"queued": None},
    ],
)
def test_a_forged_status_aims_at_nothing(
    make: Make, tmp_path: Path, change: dict[str, object]
) -> None:
    (tmp_path / "precious").mkdir()
    manager = make(TRAIN)
    manager.start([], owner="ada")
    until_ended(manager)
    (status,) = (tmp_path / "runs" / ".jobs").glob("*/job.json")
    status.write_text(json.dumps(json.loads(status.read_text()) | change))
    assert manager.current() is None
    with pytest.raises(ConfigError, match="no background training"):
        manager.discard("ada")
    manager.start([], owner="bob")
    assert (tmp_path / "precious").is_dir()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"'])
def test_a_damaged_status_is_no_job(make: Make, tmp_path: Path, text: str) -> None:
    job = tmp_path / "runs" / ".jobs" / ("0" * 32)
    job.mkdir(parents=True)
    (job / "job.json").write_text(text)
    assert make(TRAIN).current() is None


@pytest.mark.parametrize("word", ["--out", "--out=/tmp/x"])
def test_the_place_is_not_for_the_caller_to_choose(make: Make, word: str) -> None:
    with pytest.raises(ConfigError, match="--out"):
        make(TRAIN).start(["data", word], owner="ada")


@pytest.mark.parametrize("name", ["../x", "X", ".jobs"])
def test_names_are_checked_first(make: Make, name: str) -> None:
    manager = make(TRAIN)
    with pytest.raises(ConfigError, match="cannot name a run"):
        manager.start([], owner="ada", name=name)
    assert manager.current() is None


def test_a_runs_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="MICREC_RUNS"):
        JobManager(tmp_path / "file", command=fake(TRAIN)).start([], owner="ada")


def test_importing_it_loads_neither_torch_nor_streamlit() -> None:
    code = (
        "import sys, micrec_core.jobs.manager; "
        "print([m for m in ('torch', 'streamlit') if m in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"


def capped(tmp_path: Path, program: str, **limits: float) -> tuple[JobManager, Job]:
    manager = JobManager(tmp_path / "runs", command=fake(program), **limits)
    manager.start(["x"], owner="ada")
    return manager, until_ended(manager)


def test_a_job_that_takes_too_long_is_ended_and_says_so(tmp_path: Path) -> None:
    _, job = capped(tmp_path, SLEEP, minutes=0.02)
    assert job.state == "failed"
    assert job.error is not None and "longer than the 0.02 minutes" in job.error


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what a process writes to")
def test_a_job_that_asks_for_too_much_memory_fails(tmp_path: Path) -> None:
    _, job = capped(tmp_path, "x = bytearray(10**9)", minutes=1, gigabytes=0.25)
    assert job.state == "failed" and job.error is not None and "MemoryError" in job.error


def test_a_job_within_its_limits_goes_on_as_without(make: Make, tmp_path: Path) -> None:
    manager, job = capped(tmp_path, TRAIN, minutes=10, gigabytes=4)
    assert job.state == "complete" and manager.log_tail() == "done x"


def test_a_limited_job_is_cancelled_with_all_its_processes(tmp_path: Path) -> None:
    manager = JobManager(tmp_path / "runs", command=fake(DEAF), minutes=10)
    job = manager.start([], owner="ada")
    until_said(manager, "deaf")
    worker = int(manager.log_tail().split("worker ")[1].split()[0])
    begun = time.monotonic()
    assert manager.cancel("ada").state == "cancelled"
    assert time.monotonic() - begun < 30
    assert gone(worker) and gone(job.pid)


def test_first_come_first_served(make: Make, tmp_path: Path) -> None:
    slow, quick = make(SLEEP), make(TRAIN)
    slow.start([], owner="ada", name="hers")
    for owner in ("bob", "cy"):
        assert quick.start([], owner=owner, name=f"of-{owner}").waiting
    with pytest.raises(ConfigError, match="of yours is running or waiting"):
        quick.start([], owner="bob")
    with pytest.raises(ConfigError, match="'hers' already"):
        quick.start([], owner="dee", name="hers")
    assert [job.owner for job in quick.jobs()] == ["ada", "bob", "cy"]
    assert [quick.ahead(job) for job in quick.jobs()[1:]] == [1, 2]

    quick.cancel("ada")
    deadline = time.monotonic() + 60
    while [job.state for job in quick.jobs()] != ["cancelled", "complete", "complete"]:
        assert time.monotonic() < deadline, quick.jobs()
        time.sleep(0.02)
    bob, cy = quick.jobs()[1:]
    assert bob.finished is not None and cy.started is not None and bob.finished <= cy.started


def test_a_start_deletes_nobody_elses_candidate(make: Make, tmp_path: Path) -> None:
    manager = make(TRAIN)
    manager.start([], owner="ada", name="hers")
    until_ended(manager)
    manager.start([], owner="bob", name="his")
    with pytest.raises(ConfigError, match="'hers' already"):
        make(TRAIN).start([], owner="cy", name="hers")
    deadline = time.monotonic() + 60
    while not all(job.ended for job in manager.jobs()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert manager.accept("ada").name == "hers" and manager.accept("bob").name == "his"


def test_who_waits_may_go_and_only_so_many_wait(make: Make, tmp_path: Path) -> None:
    make(SLEEP).start([], owner="ada")
    manager = JobManager(tmp_path / "runs", command=fake(TRAIN), waiting=1)
    manager.start([], owner="bob", name="his")
    with pytest.raises(ConfigError, match="1 trainings wait"):
        manager.start([], owner="cy")
    assert manager.cancel("bob").state == "cancelled"
    assert manager.start([], owner="cy", name="cys").waiting
    manager.cancel("cy")


def test_an_old_candidate_goes_and_a_young_one_stays(make: Make, tmp_path: Path) -> None:
    manager = make(TRAIN)
    manager.start([], owner="ada", name="hers")
    job = until_ended(manager)
    for days, left in ((1.0, 1), (0.0, 1), (1e-9, 0)):
        looking = JobManager(tmp_path / "runs", command=fake(TRAIN), keep_days=days)
        assert len(looking.jobs()) == left
    assert not job.log.parent.exists()


def test_what_cannot_be_started_lets_the_next_one_start(make: Make, tmp_path: Path) -> None:
    make(SLEEP).start([], owner="ada")
    broken = JobManager(tmp_path / "runs", command=["/nowhere/python"])
    broken.start([], owner="bob", name="his")
    broken.cancel("ada")
    found = broken.current("bob")
    assert found is not None and found.state == "failed"
    assert found.error is not None and "could not be started" in found.error


def test_a_full_disk_is_a_sentence_and_loses_no_candidate(make: Make, tmp_path: Path) -> None:
    manager = make(TRAIN)
    manager.start([], owner="ada", name="hers")
    until_ended(manager)
    with installed(Shim(tmp_path, "ENOSPC", 4)), pytest.raises(ConfigError, match="No space left"):
        manager.start([], owner="bob", name="his")
    with installed(Shim(tmp_path, "EIO", 3)), pytest.raises(ConfigError, match="cannot be changed"):
        manager.accept("ada")
    assert manager.accept("ada").name == "hers" and not manager.jobs()
    left = os.listdir(tmp_path / "runs" / ".jobs")
    assert left == ["lock"], "what was begun and never written is gone"


# ---- Comparisons, which add to a run that is there

ADD = """
import sys
from pathlib import Path
from micrec_core.runs import RunWriter
writer = RunWriter.amend(Path(sys.argv[1]))
writer.write_json("compared.json", sys.argv[2:]) if "{stop}" != "yes" else sys.exit("stop")
writer.finish()
"""


def comparing(tmp_path: Path, stop: str = "") -> JobManager:
    program = ADD.replace("{stop}", stop)
    return JobManager(tmp_path / "runs", command=fake(TRAIN), comparing=fake(program))


def test_a_comparison_is_added_to_a_run(make: Make, tmp_path: Path) -> None:
    manager = comparing(tmp_path)
    manager.start([], owner="ada", name="mine")
    until_ended(manager)
    run = manager.accept("ada")
    job = manager.compare("mine", ["--names", "text"], owner="ada")
    assert job.kind == "compare" and until_ended(manager).state == "complete"
    assert json.loads((run / "compared.json").read_text()) == ["--names", "text"]
    assert open_run(run).name == "mine"
    with pytest.raises(ConfigError, match="no finished candidate"):
        manager.accept("ada")
    manager.discard("ada")
    assert manager.current() is None and open_run(run).name == "mine", "the run stays"
    for name in ("none", "../mine"):
        with pytest.raises(ConfigError):
            manager.compare(name, [], owner="ada")

    failing = comparing(tmp_path, "yes")
    failing.compare("mine", [], owner="ada")
    failed = until_ended(failing)
    assert failed.state == "failed" and "stop" in str(failed.error)
    assert open_run(run).name == "mine"
