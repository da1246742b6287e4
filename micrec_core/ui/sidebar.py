"""The sidebar that all pages share: which run, two domains, user, item."""

from __future__ import annotations

from contextlib import suppress
from itertools import combinations
from urllib.parse import urlencode

import streamlit as st

from micrec_core.errors import MicrecError
from micrec_core.modalities.registry import listed
from micrec_core.runs import RunListing
from micrec_core.ui.address import MOST, left_out
from micrec_core.ui.glossary import word, words
from micrec_core.ui.library import Opened, is_comparison, listings, open_listed, runs_folder
from micrec_core.ui.navigation import entry, link
from micrec_core.ui.retrain import manager
from micrec_core.ui.state import session
from micrec_core.ui.widgets import empty, plain, problem, unknown

_OPENED = "micrec_opened"
_PROBLEM = "micrec_problem"
_UNKNOWN = "micrec_unknown_run"


def sidebar() -> None:
    """Draw the sidebar and open what is chosen; ``opened()`` then gives it to the page."""
    st.session_state[_OPENED] = st.session_state[_PROBLEM] = None
    found = listings()
    # Read before the picker is drawn, which takes what it does not know out of the address.
    asked = st.query_params.get("run")
    with st.sidebar:
        _badge_of_training()
        if not found:
            st.caption("No run found yet.")
            return
        names = sorted(found, key=lambda n: _place(found[n]))

        def label(name: str) -> str:
            return f"{name} ({why})" if (why := _why(found[name])) else name

        if asked is not None and asked not in {*names, *map(label, names)}:
            st.session_state[_UNKNOWN] = asked
        name = st.selectbox(
            "Run",
            names,
            key="run",
            bind="query-params",
            format_func=label,
            help=word("run"),
            on_change=lambda: st.session_state.pop(_UNKNOWN, None),
        )
        try:
            chosen = _pick_pair(open_listed(found[name]))
        except MicrecError as error:
            st.session_state[_PROBLEM] = str(error)
            return
        session().belongs_to(chosen.run.key)
        st.session_state[_OPENED] = chosen
        _facts(chosen)
        _identity("User id", "user", "A user of the training data; the pages that show one user")
        _identity("Item id", "item", "An item of the catalogue; the pages that look at one item")
        _copy_link(label(name))


def _identity(label: str, key: str, follow_it: str) -> None:
    st.text_input(
        label, key=key, bind="query-params", placeholder="none chosen", max_chars=200,
        help=f"{follow_it} follow it.",
    )  # fmt: skip


def _place(listing: RunListing) -> int:
    """Models first, then comparisons, then what cannot be opened."""
    if listing.problem or listing.status != "complete":
        return 2
    return 1 if is_comparison(listing) else 0


def _why(listing: RunListing) -> str:
    """What sets a run apart from one that can be opened and asked; nothing where nothing does."""
    return ("", "comparison", listing.status)[_place(listing)]


def _pick_pair(chosen: Opened) -> Opened:
    names = list(chosen.labels)
    if len(names) < 3:
        return chosen
    pairs = {f"{a}~{b}": (a, b) for a, b in combinations(names, 2)}
    picked = st.selectbox(
        "Domain pair",
        list(pairs),
        key="pair",
        bind="query-params",
        format_func=lambda p: " and ".join(chosen.labels[d] for d in pairs[p]),
        help=words("domain", "overlapping user"),
    )
    return Opened(chosen.run, chosen.info, chosen.labels, pairs[picked])


def _facts(chosen: Opened) -> None:
    info = chosen.info
    if chosen.synthetic:
        st.badge("sample data (synthetic)", icon=":material/science:", color="orange")
    if chosen.is_comparison:
        st.badge("comparison: tables, no model", icon=":material/table_chart:", color="gray")
    encoders = info.get("encoders") or {}
    seen = ", ".join(plain(f"{m}: {e}") for m, e in encoders.items()) or "none"
    split = plain(info.get("split", "known"))
    st.caption(f"Encoders: {seen}. Split: {split}. Seed {info.get('seed')}. {chosen.masked}")
    if update := info.get("update"):
        late = max(found["interactions"] for found in update["drift"].values())
        st.caption(
            f"Updated without training, from {plain(info['parent']['name'])}: {late:.1%} of "
            f"interactions came after it. {plain(update['advice'])}"
        )


def _badge_of_training() -> None:
    """Whatever run is open, and where there is none yet."""
    job = None
    with suppress(MicrecError):  # the runs folder cannot be written: the Retrain page says so
        job = manager().current()
    if job is not None and job.running:
        st.badge(f"training: {plain(job.name)}", icon=":material/model_training:", color="blue")


def _copy_link(run: str) -> None:
    box = st.popover(
        "Link to this view", icon=":material/link:", type="tertiary", on_change="rerun"
    )
    # Of the run of the page before this one, which opening the box began anew.
    missing = left_out()
    if box.open:
        address = (st.context.url or "").split("?")[0]
        # The opened run is named even where it is the default, which may be another one tomorrow.
        query = {"run": run, **st.query_params.to_dict()}
        box.code(f"{address}?{urlencode(query, doseq=True)}", language=None, wrap_lines=True)
        if missing:
            box.caption(f"Without {listed(missing)}: a link holds {MOST} at most.")


def say_unknown_run() -> None:
    """Say, until another run is chosen, that the address asked for one that is not here."""
    asked = st.session_state.get(_UNKNOWN)
    if asked is None:
        return
    shown = st.session_state.get("run")
    instead = f"this is {shown}" if shown else "there is none yet"
    unknown(f"Run {asked}", "is not in this app", instead)


def opened_or_none() -> Opened | None:
    """The run that is open, for pages that are of use without one."""
    return st.session_state.get(_OPENED)


def opened(*, needs_model: bool = True) -> Opened:
    """The run this page shows; without one, the page shows why and how to get one, and ends.

    A comparison of several trainings holds no model: a page that needs one says so and ends.
    """
    chosen: Opened | None = st.session_state.get(_OPENED)
    if chosen is not None and not (needs_model and chosen.is_comparison):
        return chosen
    if chosen is not None:
        empty(
            "This is a comparison",
            "It holds the tables of several trainings and no model to look into: choose a run in "
            "the sidebar, or see what was compared.",
        )
        for page in ("ablations", "low-degree"):
            link(page, f"Go to {entry(page).title}")
        st.stop()
    sentence = st.session_state.get(_PROBLEM)
    if sentence:
        problem(sentence, "Choose another run in the sidebar, or copy or train this one again.")
    else:
        empty(
            "No run yet",
            f"The app shows trained runs; none was found in `{runs_folder()}`. "
            "Make sample data and train on it (a few minutes), or train on your own tables:",
            "python -m micrec_core sample --out sample_data\n"
            "python -m micrec_core train sample_data --out runs/first",
            see="data",
        )
    st.stop()
