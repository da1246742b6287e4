"""Items that are not in the catalogue, and items like another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from micrec_core.errors import RunError
from micrec_core.features import FeatureMatrix, centre
from micrec_core.method.foldin import Folded, FoldIn
from micrec_core.method.search import Query, top_rows
from micrec_core.modalities.registry import given
from micrec_core.serving.users import Directory, Encode

Found = tuple[NDArray[np.int64], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class NewItem:
    """An item that is not in the catalogue, folded in.

    Attributes
    ----------
    vector : float64 [dim]
    weights : modality -> gate weight
    folded : where the vector came from
    queries : modality -> what it says or shows, as it is compared with others' features
    """

    domain: str
    vector: NDArray[np.float64]
    weights: Mapping[str, float]
    folded: Folded
    queries: Mapping[str, Query]


def fold_new_item(
    fold: FoldIn,
    directory: Directory,
    d: int,
    said: Mapping[str, object],
    users: Sequence[str],
    encode: Encode,
) -> NewItem:
    """Fold an item in from what it says in each modality and the users who took it first.

    Raises
    ------
    RunError
        A user is not known, or there is nothing that this run's model can go by.
    """
    bundle = directory.bundle
    rows = [directory.known_row(d, user) for user in users]
    # Who came after training is folded in too, and passes nothing on.
    rows = [row for row in rows if bundle.domains[d].user_degree[row] > 0]
    documents = {}
    for m, value in given(said).items():
        matrix = encode(m, value) if m in bundle.modalities else None
        if matrix is not None:
            documents[m] = matrix
    if not documents and not (rows and bundle.can_fold_in):
        takes = [*bundle.modalities, *(["first users"] if bundle.can_fold_in else [])]
        raise RunError(
            "there is nothing this run's model can go by for the new item; it takes "
            + (" or ".join(takes) or "no new items at all")
        )
    folded = fold.new_item(d, documents, np.unique(np.asarray(rows, np.int64)))
    weights = dict(zip(bundle.modalities, map(float, folded.weights), strict=True))
    queries = {
        m: Query.of(centre(document, bundle.means[m][d])).normalised()
        for m, document in documents.items()
    }
    return NewItem(bundle.domains[d].name, folded.vector(), weights, folded, queries)


def similar_by_embedding(
    fold: FoldIn, d: int, item: Folded, row: int, allowed: NDArray[np.bool_], k: int
) -> Found:
    """Rows and cosines of the items whose embeddings are nearest; ``row`` is its own or -1."""
    vectors, vector = fold.model.domains[d].items, item.vector().astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
    cosines = vectors @ vector / np.maximum(lengths, 1e-12)
    cosines[~allowed] = -np.inf
    if row >= 0:
        cosines[row] = -np.inf
    rows = top_rows(cosines, k)
    return rows, cosines[rows]


def similar_by_content(fold: FoldIn, d: int, m: str, row: int, k: int) -> Found:
    """Rows and cosines of the catalogue's items nearest to one by the features of a modality."""
    features = fold.model.domains[d].modalities[m].features
    one = FeatureMatrix(
        features.dense[[row]],
        None if features.sparse is None else features.sparse[[row]],
        features.present[[row]],
    )
    return fold.item_index(d, m).nearest(Query.of(one), k, without=row)
