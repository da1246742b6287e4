"""The cards of a run's encoders: what reads its texts and pictures, and whose work that is."""

from __future__ import annotations

import streamlit as st

from micrec_core.modalities.encoders import cards
from micrec_core.modalities.registry import in_order, modality
from micrec_core.ui.library import Opened
from micrec_core.ui.widgets import plain


def show_encoders(opened: Opened) -> None:
    """A card for each encoder of the run; nothing where it has none."""
    encoders = opened.info.get("encoders") or {}
    if not encoders:
        return
    st.header("What reads them", anchor=False)
    config = opened.info.get("config") or {}
    specs = {**(config.get("features") or {}), **config}
    for name in in_order(encoders):
        st.markdown(f"**{plain(modality(name).label)}**: {plain(encoders[name])}")
        for form, card in cards(str(specs.get(name, "")), name).items():
            st.caption(
                f"`{form}`: {plain(card.what)}. Made by {plain(card.maker)}. "
                f"Licence: {plain(card.licence)}. Installation: {plain(card.size)}."
            )
