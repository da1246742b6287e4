"""The raw formats there are, by the name that the command line takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from micrec_core.data.raw import recbole
from micrec_core.data.raw.amazon import AMAZON_2014, AMAZON_2018, AMAZON_2023, Keys
from micrec_core.data.raw.lines import Interaction, Item, Lines


@dataclass(frozen=True)
class Format:
    """How lines become rows; each function may first take a header from the lines.

    Attributes
    ----------
    interactions : lines -> what turns one into (user id, item id, rating, time); the last two NaN
        where the file has none
    items : lines -> what turns one into (item id, title, description); texts are clean

    What they return raises ``BadLine``.
    """

    label: str
    interactions: Callable[[Lines], Callable[[bytes], Interaction]]
    items: Callable[[Lines], Callable[[bytes], Item]]


def _amazon(keys: Keys) -> Format:
    return Format(keys.label, keys.interactions, keys.items)


FORMATS = {
    "amazon2023": _amazon(AMAZON_2023),
    "amazon2018": _amazon(AMAZON_2018),
    "amazon2014": _amazon(AMAZON_2014),
    "recbole": Format("RecBole atomic files", recbole.interactions, recbole.items),
}
