"""A background training as it is stored: ``job.json`` beside its log and its candidate run."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from micrec_core.errors import ConfigError, RunError
from micrec_core.runs import check_run_name
from micrec_core.runs.files import read_json, replacing

FILE = "job.json"


class Job(BaseModel):
    """A background training as last seen.

    Attributes
    ----------
    id : unique
    owner : who asked for it; only they may cancel, accept or discard it
    kind : ``train`` makes a run; ``compare`` trains variants and baselines into a run that is there
    name : name of the run it makes, or adds to
    arguments : what follows ``train``, without ``--out``; or ``variants RUN``
    before : of a comparison, what the run's manifest was (a hash) when it started
    pid, process : the process and its start, which together are unique; None until it starts
    state : ``complete`` means that there is a whole candidate run to look at, or that the run that
        was added to has changed
    cancelling : its owner has asked it to stop
    queued, started, finished : ISO 8601, UTC
    candidate, log : the run being written (``live_history`` reads it meanwhile) and what was
        printed
    error : one sentence, where it failed
    """

    model_config = ConfigDict(frozen=True)

    # Whoever could write job.json must not be able to aim a deletion or a signal elsewhere.
    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    owner: str
    kind: Literal["train", "compare"] = "train"
    before: str = ""
    name: Annotated[str, AfterValidator(check_run_name)]
    arguments: tuple[str, ...]
    pid: int | None = Field(default=None, gt=1)
    process: str | None = None
    state: Literal["waiting", "running", "complete", "failed", "cancelled"] = "waiting"
    cancelling: bool = False
    queued: str
    started: str | None = None
    finished: str | None = None
    candidate: Path
    log: Path
    error: str | None = None

    @property
    def waiting(self) -> bool:
        """Whether its turn has not come."""
        return self.state == "waiting"

    @property
    def running(self) -> bool:
        """Whether the process is still at it."""
        return self.state == "running"

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return not (self.waiting or self.running)


def paths_of(place: Path, name: str) -> dict[str, Path]:
    """Where a job at ``place`` writes; not stored, so that a runs folder can be moved."""
    return {"candidate": place / name, "log": place / "log.txt"}


def read_job(place: Path) -> Job | None:
    """The job stored in a folder; None where none is, or a damaged one."""
    try:
        stored = read_json(place / FILE, "The jobs folder")
        job = Job.model_validate(stored | paths_of(place, str(stored["name"])))
    except (RunError, ConfigError, ValidationError, KeyError, TypeError):
        return None
    runs = job.pid is not None and job.process is not None and job.started is not None
    return job if job.id == place.name and (runs or job.waiting or job.ended) else None


def write_job(job: Job) -> None:
    """Store a job in its folder, atomically."""
    with replacing(job.log.parent / FILE) as temporary:
        stored = job.model_dump_json(indent=1, exclude={"candidate", "log"})
        temporary.write_text(stored, encoding="utf-8")
