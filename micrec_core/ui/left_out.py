"""Switches on the parts of the model: the same lists with some left out, at once."""

from __future__ import annotations

import streamlit as st

from micrec_core.figures.theme import SOURCES
from micrec_core.modalities.registry import MODALITIES
from micrec_core.ui import serve
from micrec_core.ui.library import Opened
from micrec_core.ui.navigation import link

_SAID = (
    "Left out of this trained model's sums, at inference: exact, and no retraining. What a model "
    "loses that never had it is another question, which Ablations answers."
)


def label(name: str) -> str:
    """The word on a switch."""
    if name in SOURCES:
        return SOURCES[name][1]
    return MODALITIES[name].label if name in MODALITIES else name.capitalize()


def choose_left_out(opened: Opened, key: str) -> tuple[str, ...]:
    """The switches, in the address; what is left out of the lists."""
    model = serve.recommender(opened)
    names = dict.fromkeys(name for d in opened.labels for name in model.switches(d))
    off = st.pills(
        "What if the model did without",
        list(names),
        selection_mode="multi",
        key=key,
        bind="query-params",
        format_func=label,
        help=_SAID,
    )
    if off:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(":material/science: **At inference**: the same trained model without "
                       f"{' and '.join(label(name).lower() for name in off)}. Places are compared "
                       "with the whole model's.", width="stretch")  # fmt: skip
            link("ablations", "Trained without it")
    return tuple(off)


def without(opened: Opened, domain: str, off: tuple[str, ...]) -> tuple[str, ...]:
    """What of the switches a domain has."""
    return tuple(name for name in off if name in serve.recommender(opened).switches(domain))
