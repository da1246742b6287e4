"""What a list of recommendations is, and what it says where it is not a personal one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from micrec_core.errors import ConfigError
from micrec_core.method.arrays import Floats
from micrec_core.runs.files import replacing
from micrec_core.serving.contents import DomainPart

if TYPE_CHECKING:
    from micrec_core.evaluation.by_columns import Added

NOBODY = "Nothing is known about this user here, so these are the most popular items."
PER_USER = (
    "This model owns a vector per user, none for someone new and no graph, so these are the most "
    "popular items."
)
# Users whose lists are held at a time where they are written to a file.
_USERS = 2**16


@dataclass(frozen=True)
class Recommendation:
    """A ranked list.

    Attributes
    ----------
    ids, titles : str objects [n], best first
    parts : source -> its part of the scores, float64 [n]; they add up to the scores
    score : float64 [n]
    milliseconds : from user to list
    kind : ``hot``, ``warm`` or ``cold``
    note : sentences on what could not be used or why the list is not personal; often empty
    """

    domain: str
    ids: NDArray[np.object_]
    titles: NDArray[np.object_]
    parts: Mapping[str, NDArray[np.float64]]
    score: NDArray[np.float64]
    milliseconds: float
    kind: str
    note: str = ""

    @cached_property
    def items(self) -> pd.DataFrame:
        """item_id, title, score and a column per source."""
        # All at once: a column put in later costs as much as a search among ten thousand items.
        told = {"item_id": self.ids, "title": self.titles, "score": self.score}
        return pd.DataFrame(told | dict(self.parts))


@dataclass(frozen=True)
class _Checked:
    """What is added to scores, each block of it checked."""

    added: Added
    check: Callable[[Floats], None]

    @property
    def by_columns(self) -> bool:
        return self.added.by_columns

    def rows(self, users: NDArray[np.int64]) -> NDArray[np.floating]:
        found = self.added.rows(users)
        self.check(found)
        return found

    def columns(self, items: NDArray[np.int64]) -> Callable[[slice], Floats]:
        unchecked = self.added.columns(items)

        def added(users: slice) -> Floats:
            found = unchecked(users)
            # What is no number is none in their sum, which takes less than to look at each.
            self.check(found.sum(axis=1))
            return found

        return added


@dataclass(frozen=True)
class Ranking:
    """How everyone's lists of a domain are made.

    Attributes
    ----------
    allowed : bool [n_items], what may be recommended
    k : length of the lists
    memory : what it adds to the scores of some users, by their rows; None where there is none
    check : raises where scores are no numbers
    """

    part: DomainPart
    allowed: NDArray[np.bool_]
    k: int
    memory: Callable[[NDArray[np.int64]], Added] | None
    check: Callable[[Floats], None]

    def lists(self, users: NDArray[np.int64]) -> pa.Table:
        """The ``k`` best items of each of some users in training, without those they took.

        Returns
        -------
        user_id, rank (from 1), item_id, title, score; users in their order, best first
        """
        # Its kernels take a while to load, and nobody needs them for one list.
        from micrec_core.evaluation.ranking import rank_embeddings

        part, scores = self.part, np.empty((len(users), self.k), np.float32)
        add = None if self.memory is None else _Checked(self.memory(users), self.check)
        best = rank_embeddings(
            part.users[users], part.items, None, part.taken[users], self.allowed, self.k,
            add=add, scores=scores,
        )  # fmt: skip
        place, rank = np.nonzero(best >= 0)
        users_of, items_of, titles_of = self._names
        item = pa.array(best[place, rank])
        columns = {
            "user_id": users_of.take(pa.array(users[place])),
            "rank": pa.array(rank + 1),
            "item_id": items_of.take(item),
            "title": titles_of.take(item),
            "score": pa.array(scores[place, rank]),
        }
        return pa.table(columns)

    @cached_property
    def _names(self) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Ids of users and items and titles; large, for titles of many may pass 2 GB."""
        part = self.part
        named = (part.user_ids, part.item_ids, part.titles)
        first, second, third = (pa.array(names, pa.large_string()) for names in named)
        return first, second, third


def shards(users: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Users whose lists are held at a time where they are written to a file; one part at least."""
    return (users[at : at + _USERS] for at in range(0, max(len(users), 1), _USERS))


def write_lists(tables: Iterator[pa.Table], path: Path) -> None:
    """Write lists to a Parquet file, a table after the other; whole or not at all.

    Raises
    ------
    ConfigError
        Nothing can be written there.
    """
    if not path.parent.is_dir() or path.is_dir():
        raise ConfigError(f"{path} cannot be written: give a file in a folder that there is")
    with replacing(path) as temporary:
        first = next(tables)
        with pq.ParquetWriter(temporary, first.schema, compression="zstd") as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)


def cost_of_rules(free: pd.DataFrame, ruled: pd.DataFrame) -> float:
    """What a list loses by rules in the model's own eyes, a share from 0 to 1.

    One minus the NDCG of the ruled list, with the model's own scores as the gains: there is no
    other truth about somebody made up.

    Parameters
    ----------
    free, ruled : score, best first, of the same length wherever there are items enough
    """
    gains = [np.maximum(items["score"].to_numpy(float), 0.0) for items in (free, ruled)]
    best, found = (float((g / np.log2(np.arange(2, len(g) + 2))).sum()) for g in gains)
    return 1.0 - found / best if best > 0 else 0.0
