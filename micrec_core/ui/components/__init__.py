"""What Streamlit has no widget for: small pieces of plain JavaScript beside this file, no network.

Each is a ``NAME.js`` and, where it has looks of its own, a ``NAME.css``; what it shows comes as
JSON. The linked maps draw with a library that ``make maps`` fetches and binds to their own code in
``maps/built.js``; without that file pages draw their maps with Plotly.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent


_BUILT = _HERE / "maps" / "built.js"


def _component(name: str, file: Path | None = None) -> Any:
    css = _HERE / f"{name}.css"
    return st.components.v2.component(
        f"micrec.{name}",
        js=(file or _HERE / f"{name}.js").read_text(encoding="utf-8"),
        css=css.read_text(encoding="utf-8") if css.is_file() else None,
        isolate_styles=False,
    )


_announce, _ranks, _flow = map(_component, ("announce", "ranks", "flow"))
_maps = _component("maps", _BUILT) if _BUILT.is_file() else None
_FAILED = "micrec_maps_failed"


def announce(say: str, focus: str = "") -> None:
    """Say something to who cannot see that it changed.

    ``focus`` is a CSS selector: its first element takes the focus where what had it is gone.
    """
    _announce(data={"say": say, "focus": focus}, key="micrec_announce")


def ranks(rows: Sequence[dict[str, Any]], key: str) -> None:
    """A list in compact rows that move to their new places when it changes."""
    _ranks(data={"rows": list(rows)}, key=key)


def flow(data: dict[str, Any], key: str) -> None:
    """The fold-in, drawn, step by step or played; ``data`` as flow.js says."""
    _flow(data=data, key=key)


def has_maps() -> bool:
    """Whether linked maps are drawn: they are built, and neither this server nor browser refuses.

    ``MICREC_MAPS=plotly`` has Plotly draw them all the same.
    """
    refused = os.environ.get("MICREC_MAPS") == "plotly" or st.session_state.get(_FAILED)
    return _maps is not None and not refused


def maps(data: dict[str, Any], key: str, lit: Sequence[int], on_lit: Callable[[], None]) -> None:
    """Linked maps of ``figures.linked``; ``lit`` are the entities that the page wants lit.

    ``on_lit`` is called once a gesture; ``lit_in`` then has the entities chosen.
    """
    asked = st.session_state.setdefault(f"{key}_asked", {"n": 0, "lit": [], "told": [], "now": []})
    told, wanted = lit_in(key), sorted(lit)
    if told != asked["told"]:
        asked["told"] = asked["now"] = told
    if wanted != asked["now"]:
        asked |= {"n": asked["n"] + 1, "lit": wanted, "now": wanted}
    assert _maps is not None

    def failed() -> None:
        st.session_state[_FAILED] = True

    _maps(
        data=data | {"asked": {"n": asked["n"], "lit": asked["lit"]}},
        key=key,
        on_lit_change=on_lit,
        on_failed_change=failed,
    )


def lit_in(key: str, n: int = sys.maxsize) -> list[int]:
    """The entities that the visitor lit last in the maps with this key, sorted.

    ``n`` : how many there are; whatever a browser says, only these are lit
    """
    state = st.session_state.get(key)
    lit = state.get("lit") if isinstance(state, Mapping) else None
    said = lit if isinstance(lit, list) else []
    return sorted({i for i in said if isinstance(i, int) and 0 <= i < n})
