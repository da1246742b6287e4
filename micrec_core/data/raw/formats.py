"""The raw formats there are, by the name that the command line takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from micrec_core.data.raw import mind
from micrec_core.data.raw.amazon import AMAZON_2014, AMAZON_2018, AMAZON_2023
from micrec_core.data.raw.lines import Interaction, Item, Lines
from micrec_core.data.raw.mmrec import MMREC
from micrec_core.data.raw.public import GOODREADS, HM, MOVIELENS, MOVIELENS_1M, STEAM, TABLES, YELP
from micrec_core.data.raw.recbole import RECBOLE


class Format(Protocol):
    """How lines become rows; each function may first take a header from the lines.

    What they return raises ``BadLine``.
    """

    @property
    def label(self) -> str:
        """What the format is called in sentences."""

    def interactions(self, lines: Lines) -> Callable[[bytes], Interaction | list[Interaction]]:
        """What turns a line into (user id, item id, rating, time), the last two NaN where the file
        has none, and perhaps a number of ``types.SPLIT_NAMES``; or into several or none.
        """

    def items(self, lines: Lines) -> Callable[[bytes], Item | list[Item]]:
        """What turns a line into (item id, title, description) and a text for each column that it
        names in ``lines.further``, texts clean; or into none.
        """


FORMATS: dict[str, Format] = {
    "amazon2023": AMAZON_2023,
    "amazon2018": AMAZON_2018,
    "amazon2014": AMAZON_2014,
    "recbole": RECBOLE,
    "mmrec": MMREC,
    "movielens": MOVIELENS,
    "movielens1m": MOVIELENS_1M,
    "goodreads": GOODREADS,
    "yelp": YELP,
    "hm": HM,
    "steam": STEAM,
    "mind": mind,
    "csv": TABLES,
}
