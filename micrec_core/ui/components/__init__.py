"""What Streamlit has no widget for: small pieces of plain JavaScript beside this file, no network.

Each is a ``NAME.js`` and, where it has looks of its own, a ``NAME.css``; what it shows comes as
JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent


def _component(name: str) -> Any:
    css = _HERE / f"{name}.css"
    return st.components.v2.component(
        f"micrec.{name}",
        js=(_HERE / f"{name}.js").read_text(encoding="utf-8"),
        css=css.read_text(encoding="utf-8") if css.is_file() else None,
        isolate_styles=False,
    )


_announce, _ranks, _flow = map(_component, ("announce", "ranks", "flow"))


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
