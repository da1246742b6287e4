"""Why an item is where it is: a score taken apart without remainder (docs/method.md, section 8).

With the gate weights given, both embeddings are sums of vectors, u = sum_c v_c and i = sum_e w_e,
so score = u . i is a sum over pairs. The credit of a pair is shared evenly between the two sides
(which is its Shapley value): a contributor c of the user gets v_c . i / 2, a contributor e of the
item gets u . w_e / 2. Together they are the score, and summed by source they are the parts that a
list of recommendations shows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from micrec_core.method.foldin import Block, Folded, Vectors


def split_by_source(user: Vectors, items: NDArray[np.floating]) -> Vectors:
    """Parts of the scores of some items, float64 [n, S], adding up to the scores.

    Parameters
    ----------
    user : float64 [S, dim]
    items : [n, S, dim]
    """
    items = items.astype(np.float64)
    u, whole = user.sum(axis=0), items.sum(axis=1)
    # Sums of products rather than a matrix product: equal items get equal parts to the last bit.
    by_user: Vectors = (whole[:, None, :] * user[None, :, :]).sum(axis=2)
    by_item: Vectors = (items * u).sum(axis=2)
    return 0.5 * (by_user + by_item)


def contributions(user: Folded, item: Folded) -> list[tuple[str, Block, NDArray[np.float64]]]:
    """Each block of the ``user`` and the ``item`` with what its contributors [n] bring to the
    score; all of them add up to it."""
    u, i = user.vector(), item.vector()
    of_user = [("user", block, 0.5 * (block.vectors @ i)) for block in user.blocks]
    return of_user + [("item", block, 0.5 * (block.vectors @ u)) for block in item.blocks]


def cells(user: Folded, item: Folded, sources: tuple[str, ...]) -> Vectors:
    """Which source of the user (rows) met which of the item (columns), float64 [S, S].

    They add up to the score; half the sums over rows and over columns are its parts by source.
    """
    return user.by_source(sources) @ item.by_source(sources).T
