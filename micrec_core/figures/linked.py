"""What the linked maps draw (``ui/components/maps/maps.js``): numbers packed, words as they are."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from plotly.colors import sequential

from micrec_core.figures import theme

# Of each mark a place in the colours or a number along them; the colours; what they mean.
Colouring = tuple[NDArray[Any], list[str], list[tuple[str, str]]]


@dataclass(frozen=True)
class Marks:
    """The marks of all views, in one order.

    Attributes
    ----------
    entity : whom each mark is of, a row of ``labels``
    partner : the mark that it is joined to when it is lit, -1 for none
    colour : a place in ``colours``, or a number from 0 to 1 where they are a scale
    """

    entity: NDArray[np.integer]
    partner: NDArray[np.integer]
    colour: NDArray[Any]
    colours: Sequence[str]
    legend: Sequence[tuple[str, str]]
    labels: Sequence[str]
    pictures: Mapping[int, str] = field(default_factory=dict)

    @property
    def continuous(self) -> bool:
        """Whether the colours are a scale."""
        return bool(np.issubdtype(self.colour.dtype, np.floating))


@dataclass(frozen=True)
class View:
    """One map: places [n, 2] of all marks at one moment or several, words and stars over it.

    ``shown`` : the marks that it shows, where these are not all
    """

    title: str
    frames: Mapping[str, NDArray[np.floating]]
    names: pd.DataFrame | None = None
    stars: Sequence[tuple[str, float, float, str]] = ()
    shown: NDArray[np.integer] | None = None


def by_domain(domains: pd.Series, labels: Mapping[str, str]) -> Colouring:
    """Colours by domain: places, colours and their legend."""
    order = list(labels)
    colours = [theme.domain_colour(i) for i in range(len(order))]
    places = domains.map({d: i for i, d in enumerate(order)}).to_numpy(np.int64)
    return places, colours, list(zip(colours, labels.values(), strict=True))


def by_number(values: ArrayLike, words: str) -> Colouring:
    """Colours along a scale, from the least to the largest value, and their legend."""
    numbers = np.asarray(values, dtype=float)
    low, high = float(numbers.min(initial=0)), float(numbers.max(initial=1))
    scale = list(getattr(sequential, theme.CONTINUOUS))
    ends = [(scale[0], f"{words}: few or low"), (scale[-1], "many or high")]
    return (numbers - low) / max(high - low, 1e-12), scale, ends


def linked(
    marks: Marks,
    views: Sequence[View],
    *,
    alt: str,
    mine: int = -1,
    joined: Sequence[int] = (),
    links: NDArray[np.integer] | None = None,
) -> dict[str, Any]:
    """The data of the component, with a signature of all of it.

    ``mine`` is the entity that all pages look at, which is ringed; ``joined`` are entities whose
    marks are joined while none is lit. ``links`` [2, n] are entities that light each other.
    """
    colour = marks.colour.astype(np.float32 if marks.continuous else np.int32)
    data: dict[str, Any] = {
        "alt": alt,
        "mine": mine,
        "joined": list(joined),
        "colours": list(marks.colours),
        "legend": [{"colour": c, "word": w} for c, w in marks.legend],
        "continuous": marks.continuous,
        "marks": {
            "colour": _packed(colour),
            "entity": _packed(marks.entity.astype(np.int32)),
            "partner": _packed(marks.partner.astype(np.int32)),
        },
        "entities": {
            "labels": list(marks.labels),
            "pictures": {str(k): v for k, v in marks.pictures.items()},
        },
        "links": {
            end: _packed(side)
            for end, side in zip(
                ("from", "to"),
                np.zeros((2, 0), np.int32) if links is None else links.astype(np.int32),
                strict=True,
            )
        },
        "views": [_view(view) for view in views],
    }
    whole = json.dumps(data, sort_keys=True).encode()
    return data | {"signature": hashlib.sha256(whole).hexdigest()[:16]}


def _view(view: View) -> dict[str, Any]:
    """All moments on one scale, so that what grows is seen to grow."""
    shown = slice(None) if view.shown is None else view.shown
    places = np.concatenate([np.asarray(xy)[shown] for xy in view.frames.values()])
    middle = (places.max(axis=0) + places.min(axis=0)) / 2
    reach = float(np.abs(places - middle).max()) / 0.95 or 1.0

    def put(xy: ArrayLike) -> NDArray[np.float32]:
        return ((np.asarray(xy, dtype=float) - middle) / reach).astype(np.float32)

    frames = [
        {"title": title, "x": _packed(put(xy)[:, 0]), "y": _packed(put(xy)[:, 1])}
        for title, xy in view.frames.items()
    ]
    names = [] if view.names is None else view.names.to_dict("records")
    return {
        "title": view.title,
        "frames": frames,
        "shown": "" if view.shown is None else _packed(view.shown.astype(np.int32)),
        "names": [
            {"name": n["name"], **_at(put((n["x"], n["y"])))} for n in names
        ],
        "stars": [
            {"label": label, "colour": colour, **_at(put((x, y)))}
            for label, x, y, colour in view.stars
        ],
    }  # fmt: skip


def _at(xy: NDArray[np.float32]) -> dict[str, float]:
    return {"x": float(xy[0]), "y": float(xy[1])}


def _packed(values: NDArray[Any]) -> str:
    little = values.astype(values.dtype.newbyteorder("<"))
    return base64.b64encode(np.ascontiguousarray(little).tobytes()).decode()
