"""Small selections in the address that no widget is bound to: the lasso's users, a made-up user.

What the address says is read once, when it differs from what was last written there, and is checked
by whoever reads it: an address is anyone's to write.
"""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

MOST = 50
_WRITTEN = "micrec_address"
_LEFT_OUT = "micrec_address_left_out"


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


def left_out() -> list[str]:
    """What was too much for the address since this was asked last: "61 selected users"."""
    found: dict[str, str] = st.session_state.pop(_LEFT_OUT, {})
    return list(found.values())


def say(name: str, values: Iterable[str], what: str) -> None:
    """Put values into the address, or take them out where there are none or too many.

    ``what`` they are, for ``left_out``
    """
    wanted = list(values)
    more: dict[str, str] = st.session_state.setdefault(_LEFT_OUT, {})
    more.pop(name, None)
    if len(wanted) > MOST:
        more[name] = f"{len(wanted):,} {what}"
        wanted = []
    _written()[name] = wanted
    if st.query_params.get_all(name) == wanted:
        return
    if wanted:
        st.query_params[name] = wanted
    else:
        del st.query_params[name]
