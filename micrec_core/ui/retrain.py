"""The Retrain page's dealings with the background job: settings, caps, estimate, live view."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pandas as pd
import streamlit as st

from micrec_core.bundled import SAMPLE_DATA
from micrec_core.data.schema import counted
from micrec_core.errors import MicrecError
from micrec_core.figures import retrain as figures
from micrec_core.figures.picking import pick
from micrec_core.figures.theme import source_label
from micrec_core.jobs.manager import Job, JobManager
from micrec_core.mechanisms import MECHANISMS
from micrec_core.method.configurations import SPARSE
from micrec_core.modalities.registry import MODALITIES, USUAL
from micrec_core.names import ONE_DOMAIN, SUMMARY
from micrec_core.runs import RunInfo, live_history, live_info, open_run
from micrec_core.ui import uploads
from micrec_core.ui.access import require
from micrec_core.ui.glossary import words
from micrec_core.ui.library import Opened, runs_folder
from micrec_core.ui.state import Checked, Size, one_click, session
from micrec_core.ui.uploads import KEEP_DAYS
from micrec_core.ui.widgets import cells, chart, plain, problem, show_table

MAX_EPOCHS = int(os.environ.get("MICREC_MAX_EPOCHS", "200"))
MAX_INTERACTIONS = int(os.environ.get("MICREC_MAX_INTERACTIONS", "1000000"))
MAX_MINUTES = float(os.environ.get("MICREC_MAX_MINUTES", "60"))
MAX_GIGABYTES = float(os.environ.get("MICREC_MAX_GIGABYTES", "8"))
MAX_WAITING = int(os.environ.get("MICREC_MAX_WAITING", "8"))
_TEND_SECONDS = 5
# Seconds allowed for Python, the package and its kernels, before anything is read.
BEGIN = 15
_ROLES = {
    "start": ("train",), "cancel": ("train",), "accept": ("accept",), "discard": ("accept",),
    "compare": ("train", "accept"),
}  # fmt: skip
SPLITS = {
    "inductive": "Withhold new users, new items and cold users",
    "known": "Train on every training interaction",
}
_ALSO = "What this dataset says beside texts and pictures, which a training goes by on request."
_EPOCHS = (
    "The learning rate falls to nothing over these epochs, so a short training is a whole one too."
)


@dataclass(frozen=True)
class Settings:
    """What a visitor asks to train."""

    dataset: Path
    name: str
    without: tuple[str, ...]
    epochs: int
    seed: int
    split: str = "inductive"
    umap: bool = False
    drop: bool = False
    also: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """The words after ``python -m micrec_core train``."""
        words = [str(self.dataset), "--epochs", str(self.epochs), "--seed", str(self.seed)]
        words += ["--split", self.split, "--umap" if self.umap else "--no-umap"]
        words += ["--unknown-items", "drop"] if self.drop else []
        for name in self.also:
            words += [f"--{name}", next(iter(MODALITIES[name].choices))]
        return words + (["--without", ",".join(self.without)] if self.without else [])


@st.cache_resource(max_entries=4)
def _manager(folder: str) -> JobManager:
    made = JobManager(
        Path(folder), minutes=MAX_MINUTES, gigabytes=MAX_GIGABYTES, waiting=MAX_WAITING,
        keep_days=KEEP_DAYS,
    )  # fmt: skip
    # Whoever waits gets their turn though nobody looks.
    Thread(target=_tend, args=(made,), daemon=True).start()
    return made


def _tend(tended: JobManager) -> None:
    while True:
        time.sleep(_TEND_SECONDS)
        with suppress(MicrecError, OSError):
            tended.jobs()


def manager() -> JobManager:
    """The one manager of the runs folder, shared by all sessions."""
    return _manager(str(runs_folder()))


@one_click
def act(action: str, *arguments: object) -> None:
    """Run one action of the manager; what it refuses is shown above the settings.

    A candidate that is accepted is opened.
    """
    try:
        for role in _ROLES[action]:
            require(role)
        made = getattr(manager(), action)(*arguments)
        if action == "accept":
            st.session_state["run"] = made.name
            st.session_state["retrain_said"] = f"Run '{made.name}' is open on every page."
    except MicrecError as error:
        st.session_state["rt_refusal"] = str(error)


def waiting(job: Job) -> str:
    """How long the queue before a job is."""
    return f"waits for its turn, behind {counted(manager().ahead(job), 'training')}"


def dataset_choices() -> dict[Path, str]:
    """Datasets one can train on, and what they are called: the one checked on the Data page, those
    that are kept, the bundled sample.
    """
    checked = session().dataset
    found = {}
    if checked and checked.folder.is_dir():
        upload = uploads.is_upload(checked.folder)
        found[checked.folder] = "what you uploaded" if upload else checked.folder.name
    for folder in [one.folder for one in uploads.kept()] + [SAMPLE_DATA]:
        if folder.is_dir():
            found.setdefault(folder, folder.name)
    return found


def _checked(dataset: Path) -> Checked | None:
    """What is known of somebody's own tables since they were checked: this process reads none."""
    checked = session().dataset
    if checked is not None and checked.folder == dataset:
        return checked
    one = next((one for one in uploads.kept() if one.folder == dataset), None)
    if one is None:
        return None
    return Checked(one.folder, Size(one.domains, one.interactions, one.says), one.drop)


def choose_settings(choices: dict[Path, str]) -> Settings:
    """The widgets of a new training."""
    left, right = cells(2, 300)
    with left:
        dataset = st.selectbox("Dataset", list(choices), format_func=choices.__getitem__,
                               key="rt_dataset")  # fmt: skip
        name = st.text_input("Name of the run", placeholder="chosen for you", key="rt_name",
                             max_chars=64, help=words("run"))  # fmt: skip
        # What acts on users in two domains is off already where there is one.
        there = [m for m, how in MECHANISMS.items() if size(dataset).domains > 1 or not how.overlap]
        without = st.multiselect("Switch off", there, key="rt_without", help=words("variant"))
        more = [name for name in size(dataset).says if name not in USUAL]
        also = st.multiselect("Go by more", more, key="rt_also", help=_ALSO,
                              format_func=source_label) if more else []  # fmt: skip
    with right:
        epochs = st.slider("Epochs", 1, MAX_EPOCHS, min(SPARSE["epochs"], MAX_EPOCHS),
                           key="rt_epochs", help=_EPOCHS)  # fmt: skip
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="rt_seed")
        split = st.selectbox(
            "What it may see",
            list(SPLITS),
            format_func=lambda s: SPLITS[s],
            key="rt_split",
            help="Only a run that withheld them can say how new users and items fare.",
        )
        umap = st.checkbox("UMAP maps too (a minute more; PCA is always there)", key="rt_umap")
    checked = _checked(dataset)
    drop = checked is not None and checked.drop
    return Settings(
        dataset,
        name.strip(),
        tuple(without),
        int(epochs),
        int(seed),
        split,
        umap,
        drop,
        tuple(also),
    )


@st.cache_data(max_entries=8, show_spinner="Reading the dataset")
def _size(path: str, stamp: float) -> Size:
    from micrec_core.data import read_dataset
    from micrec_core.modalities.dataset import items_saying

    dataset = read_dataset(path)
    edges = sum(len(d.edges) for d in dataset.domains)
    return Size(len(dataset.domains), edges, tuple(items_saying(dataset)))


def size(dataset: Path) -> Size:
    """Domains and interactions of a dataset; DataError where it cannot be read."""
    if checked := _checked(dataset):
        return checked.size
    newest = max((f.stat().st_mtime for f in dataset.iterdir()), default=0.0)
    return _size(str(dataset), newest)


def say_too_many(dataset: Path) -> bool:
    """Whether a dataset is larger than what may be trained here; if so it is said."""
    interactions = size(dataset).interactions
    if interactions > MAX_INTERACTIONS:
        problem(
            f"{dataset.name} has {interactions:,} interactions and this server allows "
            f"{MAX_INTERACTIONS:,}; train it on the command line instead."
        )
    return interactions > MAX_INTERACTIONS


def estimate(opened: Opened | None, interactions: int, epochs: int) -> tuple[str, float]:
    """Words on how long it may take and the seconds, scaled from the opened run's epochs.

    Without a run to go by the seconds are 0.
    """
    history = opened.history() if opened else pd.DataFrame()
    if opened is None or history.empty or "seconds" not in history:
        return "There is no run to estimate the time from.", 0.0
    trained = sum(d["n_train"] for d in opened.info["dataset"]["domains"]) or 1
    each = float(history["seconds"].median())
    # All that is not an epoch: kernels before the first, reading, encoding, measuring, writing.
    took = sum(v for k, v in opened.info["timings"].items() if k != "layouts")
    rest = max(took, float(history["seconds"].sum())) - each * len(history)
    total = BEGIN + (rest + each * epochs) * interactions / (trained * 1.25)
    said = (
        f"About {duration(total)} at most on a machine as free as it was when run "
        f"'{opened.run.name}' took {each:.1f} s an epoch for {trained:,} training interactions "
        f"({opened.info['device'] or 'device unknown'}) and {rest:.0f} s for all else; longer on a "
        "busy one. Training ends earlier where validation has not improved for long."
    )
    return said, total


def caps() -> str:
    """The limits of a training on this server, in words."""
    limits = [f"{MAX_INTERACTIONS:,} interactions", f"{MAX_EPOCHS:,} epochs"]
    limits += [f"{MAX_MINUTES:g} minutes"] if MAX_MINUTES else []
    limits += [f"{MAX_GIGABYTES:g} GB of memory"] if MAX_GIGABYTES else []
    return f"This server allows {', '.join(limits[:-1])} and {limits[-1]} a training."


def duration(seconds: float) -> str:
    """``40 s``, ``3 minutes``."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"


def elapsed(job: Job) -> float:
    """Seconds from the job's start to its end, or to now."""
    end = datetime.fromisoformat(job.finished) if job.finished else datetime.now(UTC)
    return (end - datetime.fromisoformat(job.started or job.queued)).total_seconds()


def epochs_of(job: Job) -> int:
    """How many epochs the job was asked for."""
    words = list(job.arguments)
    return int(words[words.index("--epochs") + 1]) if "--epochs" in words else 0


def progress(job: Job) -> None:
    """How far a running job is and how long it may take, from what it has written so far."""
    if job.kind == "compare":
        if job.running:
            said = manager().log_tail(1, job.owner)
            st.caption(plain(f"{duration(elapsed(job))} so far. {said}"))
        return
    history = live_history(job.candidate)
    wanted, done = epochs_of(job), 0 if history.empty else int(history["epoch"].max())
    if job.running and wanted:
        left = ""
        if done:
            rest = elapsed(job) / done * max(wanted - done, 0)
            left = f", at most {duration(rest)} left"
        st.progress(
            min(done / wanted, 1.0), f"Epoch {done} of {wanted}, {duration(elapsed(job))}{left}"
        )


def curves(job: Job, opened: Opened | None) -> None:
    """Loss, validation and alignment of a job over its epochs so far.

    Beside the opened run's where that is of the same data, asked in the same way.
    """
    history = live_history(job.candidate)
    if history.empty:
        st.caption(
            "Reading the data and building neighbours; curves follow after the first epoch."
            if job.running
            else "It ended before its first epoch."
        )
        return
    told = live_info(job.candidate)
    labels = {d.name: d.label or d.name for d in told.dataset.domains} if told.dataset else {}
    reference = opened.history() if opened and _comparable(told, opened) else None
    beside = "" if reference is None else " beside the opened run"
    left_, middle, right = cells(3, 340)
    with left_:
        chart(figures.loss_curves(history), history, "rt_loss", alt="Loss over the epochs")
    with middle:
        chart(
            figures.valid_curves(history, labels, reference=reference),
            history,
            "rt_valid",
            alt=f"Validation NDCG@20 over the epochs{beside}",
        )
    with right:
        if any(c.startswith("alignment.") for c in history):
            chart(
                figures.alignment_curve(history, reference),
                history,
                "rt_alignment",
                alt="Cosine of the same person's two vectors over the epochs",
            )
        elif len(labels) < 2:
            st.caption(ONE_DOMAIN)


def compare(job: Job, opened: Opened | None) -> None:
    """Test metrics of a finished candidate beside the opened run's, if they can be compared."""
    summary = opened.frame(SUMMARY) if opened else None
    if opened is None or summary is None:
        return
    run = open_run(job.candidate, verify=False)
    told = run.info.model_dump()
    if not _comparable(run.info, opened):
        st.caption(
            "Trained on other data or another split than the opened run, or asked under another "
            "mask: not comparable."
        )
    elif run.has(SUMMARY):
        st.markdown(f"**NDCG@20 on the test data, beside run {plain(opened.run.name)}**",
                    help=words("NDCG", "interval"))  # fmt: skip
        theirs, ours = (
            pick(frame, model=of["model"], variant=of["variant"])
            for frame, of in ((run.frame(SUMMARY), told), (summary, opened.info))
        )
        table = figures.beside(theirs, ours, opened.labels, opened.seed)
        show_table(table)


def _comparable(told: RunInfo, opened: Opened) -> bool:
    """Whether a training is of the opened run's data, split and masked as that is."""
    theirs = opened.run.info
    return told.dataset is not None and theirs.dataset is not None and (
        (told.dataset.fingerprint, told.split, told.mask)
        == (theirs.dataset.fingerprint, theirs.split, theirs.mask)
    )  # fmt: skip


def outcome(job: Job) -> None:
    """How a job ended, in one sentence."""
    name = plain(job.name)
    if job.state == "complete" and job.kind == "compare":
        st.success(
            f"Run **{name}** has its comparison, after {duration(elapsed(job))}: see Ablations and "
            "Low degree.",
            icon=":material/check_circle:",
        )
    elif job.state == "complete":
        st.success(
            f"Training of **{name}** is done after {duration(elapsed(job))}. It is a candidate "
            f"until it is used{f', for {KEEP_DAYS:g} days' if KEEP_DAYS else ''}.",
            icon=":material/check_circle:",
        )
    elif job.state == "cancelled":
        st.warning(f"Training of **{name}** was cancelled.", icon=":material/cancel:")
    elif job.state == "failed":
        st.error(plain(job.error or "The training failed."), icon=":material/error:")
