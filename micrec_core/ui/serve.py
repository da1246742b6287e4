"""The only place where the pages meet the recommender: opened once per run, shared by all."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any

import streamlit as st

from micrec_core.bundled import home
from micrec_core.modalities.attributes import ATTRIBUTES
from micrec_core.modalities.image import IMAGE
from micrec_core.modalities.text import TEXT
from micrec_core.runs import Run
from micrec_core.runs.served import served
from micrec_core.ui.library import Opened
from micrec_core.ui.state import MadeUp

if TYPE_CHECKING:
    from micrec_core.serving import Recommender


@st.cache_resource(max_entries=3, show_spinner="Loading the model")
def _recommender(key: str, _run: Run) -> tuple[Recommender, str]:
    # Brings torch with it, which the pages without a recommender need not wait for.
    from micrec_core.serving import Recommender

    model = Recommender.open(_run)
    return model, model.parameter_hash()


def recommender(opened: Opened) -> Recommender:
    """The run's recommender; RunError where the run lacks what it needs."""
    return _recommender(opened.run.key, opened.run)[0]


@st.cache_resource(show_spinner=False)
def warm_up() -> Thread:
    """Import the recommender's libraries and compile kernels in the background, once per server.

    That takes seconds, or half a minute; whoever reads the first page does not wait for it, and the
    next page does not either.
    """
    thread = Thread(target=_prepare, daemon=True)
    thread.start()
    return thread


def _prepare() -> None:
    import_module("micrec_core.serving")
    # Streamlit collects garbage after every script, and would look each time at the hundred
    # thousand objects that libraries are made of: more than many a page costs.
    gc.collect()
    gc.freeze()
    if os.environ.get("MICREC_COMPILE") != "no":
        # By the time that somebody trains, the kernels are there.
        words = [sys.executable, "-m", "micrec_core", "compile"]
        quiet = subprocess.DEVNULL
        subprocess.run(words, cwd=home(), stdin=quiet, stdout=quiet, stderr=quiet, check=False)


def remembers(opened: Opened) -> bool:
    """Whether scores of the run have a memory beside the embeddings, in any domain."""
    about = served(opened.run)
    told = (about.memory or ()) if about is not None else ()
    return any(m and (m.weight or m.newcomers or m.everybody) for m in told)


def sees(opened: Opened) -> bool:
    """Whether the run's model goes by pictures, of which its items have some."""
    return IMAGE.name in recommender(opened).modalities and opened.catalogue.pictured


def reads(opened: Opened) -> bool:
    """Whether the run's model goes by words."""
    return TEXT.name in recommender(opened).modalities


def hash_at_opening(opened: Opened) -> str:
    """Hash of the parameters when the run was opened, before anyone was served."""
    return _recommender(opened.run.key, opened.run)[1]


def made_up_user(model: Recommender, made: MadeUp) -> Any:
    """The recommender's view of the made-up user."""
    likes = {d: tuple(ids) for d, ids in made.likes.items() if ids}
    said = {ATTRIBUTES.name: made.values} if made.values else {}
    return model.user(
        likes=likes, text=made.text.strip() or None, image=made.image, counts_as=made.counts_as,
        **said,
    )  # fmt: skip


@st.cache_resource(max_entries=6, show_spinner=False)
def _user_ids(key: str, domain: str, _model: Recommender) -> tuple[list[str], frozenset[str]]:
    ids = [str(u) for u in _model.user_ids(domain)]
    return ids, frozenset(ids)


def user_ids(opened: Opened, domain: str) -> list[str]:
    """Ids of the users that were trained on in a domain."""
    return _user_ids(opened.run.key, domain, recommender(opened))[0]


def user_id_set(opened: Opened, domain: str) -> frozenset[str]:
    """The ids of ``user_ids`` for membership tests."""
    return _user_ids(opened.run.key, domain, recommender(opened))[1]


@st.cache_resource(max_entries=4, show_spinner="Looking for people to start from")
def _starters(key: str, _model: Recommender) -> list[dict[str, Any]]:
    return _model.starters()


def personas(opened: Opened) -> list[dict[str, Any]]:
    """Made-up users to start from: name, sentence, likes {domain: [ids]}.

    Those that come with the dataset; groups of a taste found in the data where none do.
    """
    about = served(opened.run)
    if about is None:
        return []
    told = [person.model_dump() for person in about.personas if person.name]
    return told or _starters(opened.run.key, recommender(opened))


@st.cache_resource(max_entries=4, show_spinner="Drawing the items")
def _item_map(key: str, domains: tuple[str, ...], _model: Recommender) -> Any:
    return _model.item_map(*domains)


def item_map(opened: Opened, *domains: str) -> Any:
    """The map of the items of some domains."""
    return _item_map(opened.run.key, domains, recommender(opened))


def known_in(opened: Opened, user_id: str) -> list[str]:
    """The domains in which a user was trained on."""
    return [d for d in opened.labels if user_id in user_id_set(opened, d)]
