"""What is the same for every visitor, made once for all: tables and charts, by what they are of.

A result is found again by the function that made it and by the *content* of its arguments, so that
a page cannot be shown what another run, choice or theme would have given. It is shared between
visitors and never changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from hashlib import blake2b
from typing import Any, ParamSpec, TypeVar, cast
from weakref import ref

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io
import streamlit as st

from micrec_core.figures.theme import themed

_KEPT, _CHARTS = 512, 256
_HEIGHT = 380
P = ParamSpec("P")
T = TypeVar("T")
# Tables and arrays whose content is known by a name, by their address while they live.
_known: dict[int, tuple[ref[Any], bytes]] = {}


def once(make: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """What ``make`` gives for these arguments; ``make`` depends on nothing else.

    Raises
    ------
    TypeError
        An argument is of a kind whose content cannot be told here.
    """
    return cast(T, _kept(_key(make, args, options), partial(make, *args, **options)))


@dataclass(frozen=True)
class Drawn:
    """A figure that is made when it is asked for, if it was not made before."""

    key: str
    make: Callable[[], go.Figure]


def drawn(make: Callable[P, go.Figure], *args: P.args, **options: P.kwargs) -> Drawn:
    """The figure that ``make`` draws of these arguments, for ``chart``; see ``once``."""
    return Drawn(_key(make, args, options), partial(make, *args, **options))


class Chart(go.Figure):
    """A figure that was drawn before: its JSON, and nothing of what Plotly keeps beside it."""

    def __init__(self, text: str, height: int) -> None:
        self._text, self._height = text, height

    @property
    def height(self) -> int:
        """Pixels."""
        return self._height

    def to_dict(self) -> dict[str, Any]:
        """What Streamlit sends to the browser."""
        return dict(json.loads(self._text))


def charted(figure: go.Figure | Drawn, kind: str) -> Chart:
    """The figure in the ``light`` or ``dark`` theme; drawn once for all where it is ``Drawn``."""
    if isinstance(figure, Drawn):
        return Chart(*_drawn(figure.key, kind, figure.make))
    return Chart(*_text(figure, kind))


def known(made: T, name: str) -> T:
    """The same; the content of its tables and arrays is told by ``name``, which is theirs alone."""
    if isinstance(made, pd.DataFrame | np.ndarray):
        address = id(made)
        if address not in _known:
            gone = partial(_known.pop, address, None)
            _known[address] = (ref(made, lambda _: gone()), name.encode())
    elif isinstance(made, Mapping):
        for key, part in made.items():
            known(part, f"{name} {key!r}")
    elif isinstance(made, list | tuple):
        for place, part in enumerate(made):
            known(part, f"{name} {place}")
    elif is_dataclass(made):
        for one in fields(made):
            known(getattr(made, one.name), f"{name} {one.name}")
    return made


@st.cache_resource(max_entries=_KEPT, show_spinner=False)
def _kept(key: str, _make: Callable[[], Any]) -> Any:
    return known(_make(), key)


@st.cache_resource(max_entries=_CHARTS, show_spinner=False)
def _drawn(key: str, kind: str, _make: Callable[[], go.Figure]) -> tuple[str, int]:
    return _text(_make(), kind)


def _text(figure: go.Figure, kind: str) -> tuple[str, int]:
    themed(figure, kind)
    return plotly.io.to_json(figure, validate=False), int(figure.layout.height or _HEIGHT)


def _key(make: Callable[..., Any], args: Any, options: Any) -> str:
    told = blake2b(digest_size=20)
    for part in (make, args, options):
        for piece in _told(part):
            told.update(len(piece).to_bytes(8, "little") + piece)
    return told.hexdigest()


def _told(value: Any) -> list[bytes]:
    """The content of an argument as bytes, of another length or other bytes if it is another."""
    if value is None or isinstance(value, bool | int | float | str | bytes | np.generic):
        return [type(value).__name__.encode(), repr(value).encode()]
    told = _known.get(id(value))
    if told is not None and told[0]() is value:
        return [b"known", told[1]]
    if isinstance(value, pd.DataFrame | pd.Series):
        return _table(value)
    if isinstance(value, np.ndarray):
        # Of objects there are only addresses.
        values = repr(value.tolist()).encode() if value.dtype.hasobject else value.tobytes()
        return [f"array {value.dtype} {value.shape}".encode(), values]
    if isinstance(value, set | frozenset):
        return [b"set", *sorted(b"".join(_told(v)) for v in value)]
    if isinstance(value, Mapping):
        return [f"map {len(value)}".encode(), *_all(p for pair in value.items() for p in pair)]
    if isinstance(value, list | tuple):
        return [f"list {len(value)}".encode(), *_all(value)]
    if is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, one.name) for one in fields(value)]
        return [type(value).__qualname__.encode(), *_all(parts)]
    # Pages are all called __main__, and what is made inside a function may hold anything.
    name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '<locals>')}"
    if not ("<locals>" in name or name.startswith("__main__")):
        return [name.encode()]
    raise TypeError(f"{type(value).__name__} has no content that can be told; give its parts")


def _all(values: Any) -> list[bytes]:
    return [piece for value in values for piece in _told(value)]


def _table(value: pd.DataFrame | pd.Series) -> list[bytes]:
    frame = value.to_frame() if isinstance(value, pd.Series) else value
    about = [f"{column!r} {dtype}" for column, dtype in frame.dtypes.items()]
    columns = [frame.index, *(frame.iloc[:, i] for i in range(frame.shape[1]))]
    hashes = [pd.util.hash_pandas_object(column, index=False) for column in columns]
    return [f"table {len(frame)} {about}".encode(), *(h.to_numpy().tobytes() for h in hashes)]
