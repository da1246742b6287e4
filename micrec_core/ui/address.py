"""Small selections in the address that no widget is bound to: the lasso's users, a made-up user.

What the address says is read once, when it differs from what was last written there, and is checked
by whoever reads it: an address is anyone's to write.
"""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

MOST = 50
_WRITTEN = "micrec_address"


def _written() -> dict[str, list[str]]:
    if _WRITTEN not in st.session_state:
        st.session_state[_WRITTEN] = {}
    written: dict[str, list[str]] = st.session_state[_WRITTEN]
    return written


def news(*names: str) -> dict[str, list[str]] | None:
    """What the address says of these parameters, at most ``MOST`` values each.

    None where the page wrote all of it itself, and where there is nothing.
    """
    said = {name: st.query_params.get_all(name)[:MOST] for name in names}
    if not any(said.values()) or all(said[n] == _written().get(n, []) for n in names):
        return None
    _written().update(said)
    return said


def say(name: str, values: Iterable[str]) -> None:
    """Put values into the address, or take them out where there are none or too many."""
    wanted = list(values)
    wanted = wanted if len(wanted) <= MOST else []
    _written()[name] = wanted
    if st.query_params.get_all(name) == wanted:
        return
    if wanted:
        st.query_params[name] = wanted
    else:
        del st.query_params[name]
