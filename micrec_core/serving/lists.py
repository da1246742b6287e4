"""What a list of recommendations is, and what it says where it is not a personal one."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

NOBODY = "Nothing is known about this user here, so these are the most popular items."
PER_USER = (
    "This model owns a vector per user and has none for someone new, so these are the most "
    "popular items."
)


@dataclass(frozen=True)
class Recommendation:
    """A ranked list.

    Attributes
    ----------
    items : item_id, title, score and a column per source; the sources add up to the score
    milliseconds : from user to list
    kind : ``hot``, ``warm`` or ``cold``
    note : sentences on what could not be used or why the list is not personal; often empty
    """

    domain: str
    items: pd.DataFrame
    milliseconds: float
    kind: str
    note: str = ""
