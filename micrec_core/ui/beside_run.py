"""The Retrain page's other training: variants and baselines, added to the run that is open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from micrec_core.data.schema import counted
from micrec_core.mechanisms import mechanisms, variant_label
from micrec_core.modalities.registry import USUAL
from micrec_core.names import FULL_MODEL, MICREC, model_label
from micrec_core.ui import retrain
from micrec_core.ui.glossary import words
from micrec_core.ui.library import Opened, runs_folder
from micrec_core.ui.widgets import cells, plain

MAX_SEEDS = 3
# What is there before anybody chooses: the content, what is carried across, and two that are near.
_FIRST = (*USUAL, "cross-domain", "inmo", "lightgcn")
# A mechanism that one domain has too, where nothing is carried across.
_ALONE = "templates"


@dataclass(frozen=True)
class Wanted:
    """What a visitor asks to train beside a run."""

    dataset: Path
    names: tuple[str, ...]
    seeds: int

    def arguments(self, first_seed: int) -> list[str]:
        """The words after ``python -m micrec_core variants RUN``."""
        seeds = ",".join(str(first_seed + k) for k in range(self.seeds))
        return ["--dataset", str(self.dataset), "--names", ",".join(self.names), "--seeds", seeds]

    @property
    def trainings(self) -> int:
        """How many models are trained; the full one too with every further seed."""
        return len(self.names) * self.seeds + self.seeds - 1


def refusal(opened: Opened | None) -> str | None:
    """Why nothing can be added to the open run; None where it can."""
    if opened is None:
        return "Open a run first."
    if opened.run.path.parent != runs_folder():
        return "The open run comes with the app and stays as it is: train one of your own above."
    if (opened.info["model"], opened.info["variant"]) != FULL_MODEL:
        return "The open run is not of the full model, which variants are compared with."
    return None


def choose(opened: Opened, choices: dict[Path, str]) -> Wanted:
    """The widgets of a comparison."""
    from micrec_core.baselines import families, models

    encoders = opened.info["encoders"]
    families_there = families()
    absent = {*families_there["cross-domain"]} if opened.one_domain else set()
    absent |= {*families_there["multimodal"]} if not encoders else set()
    switches = {
        name: m
        for name, m in mechanisms(encoders).items()
        if not (m.overlap and opened.one_domain) and (not m.modality or m.lost(encoders))
    }
    known = [n for n in models() if n not in (MICREC, "popularity") and n not in absent]
    first = {*_FIRST, *([_ALONE] if opened.one_domain else [])}
    called = opened.info["dataset"]["name"]
    guess = next((k for k, name in enumerate(choices.values()) if name == called), 0)
    left, right = cells(2, 300)
    with left:
        dataset = st.selectbox("Its dataset", list(choices), index=guess, key="rt_beside_data",
                               format_func=choices.__getitem__)  # fmt: skip
        without = st.multiselect(
            "MICRec without", list(switches), [n for n in switches if n in first],
            key="rt_beside_without", help=words("variant"),
            format_func=lambda name: variant_label(name).removeprefix("without "),
        )  # fmt: skip
    with right:
        seeds = st.selectbox("Trainings of each", range(1, MAX_SEEDS + 1), key="rt_beside_seeds",
                             help="Each with a seed of its own, the full model too.")  # fmt: skip
        beside = st.multiselect("Baselines", known, [n for n in _FIRST if n in known],
                                key="rt_beside_models", format_func=model_label)  # fmt: skip
    return Wanted(dataset, (*without, *beside), int(seeds))


def estimate(opened: Opened, wanted: Wanted) -> tuple[str, float]:
    """Words on how long it may take, and the seconds, by what the run itself took."""
    took = opened.info["timings"]
    each = took.get("train", 0.0) + took.get("evaluate", 0.0)
    begin = sum(took.get(stage, 0.0) for stage in ("read", "encode", "neighbours")) + retrain.BEGIN
    # Beside them the cheap baselines, in half of a training's time.
    seconds = begin + each * (wanted.trainings + 0.5)
    said = (
        f"{counted(wanted.trainings, 'training')}, one after another: about "
        f"{retrain.duration(seconds)} at most on a machine as free as it was when run "
        f"'{opened.run.name}' took {each:.0f} s to be trained and measured, and longer on a busy "
        "one. What is solved and not trained takes seconds."
    )
    return said, seconds


def settings(opened: Opened | None, choices: dict[Path, str], owner: str) -> None:
    """The section of the page."""
    st.header("Compare", anchor=False)
    why = refusal(opened)
    if opened is None or why or not choices:
        st.caption(why or "There is no dataset to train on.")
        return
    name = opened.run.name
    box = st.expander(plain(f"Variants and baselines beside run '{name}'"),
                      icon=":material/balance:", on_change="rerun", key="rt_beside")  # fmt: skip
    if not box.open:
        return
    with box:
        wanted = choose(opened, choices)
        said, seconds = estimate(opened, wanted)
        st.caption(plain(said) + " Ablations and Low degree of this run show them then.")
        if retrain.MAX_MINUTES and seconds > 60 * retrain.MAX_MINUTES:
            st.warning(
                f"This server ends a job after {retrain.MAX_MINUTES:g} minutes: choose fewer."
            )
        too_many = retrain.say_too_many(wanted.dataset)
        st.button(
            "Train and compare", type="primary", icon=":material/play_arrow:",
            disabled=too_many or not wanted.names, on_click=retrain.act,
            args=("compare", name, wanted.arguments(int(opened.info["seed"])), owner),
        )  # fmt: skip
