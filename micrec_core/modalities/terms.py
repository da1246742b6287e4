"""What is said in terms that items share: sparse rows by rarity, and a truncated SVD of them.

For an item with weights c of terms and a catalogue of n items of which n_w have term w::

    v_w = c_w * (1 + ln((1 + n) / (1 + n_w)))       sparse row, then L2-normalised
    x   = v C^T,   C [dim, terms] the leading right singular vectors, then L2-normalised

A term that one training item has alone is left out: no other is like it by that. Up to ``DIM``
terms C is the identity, so that a dense row is the sparse one. All of it is linear in c, so that
scores can be taken apart exactly.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.errors import DataError
from micrec_core.features import FeatureMatrix, l2_normalise, l2_normalise_sparse
from micrec_core.modalities.base import Encoder, OnUnreadable, State

DIM = 128
_SEED = 0


class Terms(Encoder):
    """An encoder of weighted terms, fitted on the training catalogue of all domains jointly.

    A child says by ``weigh`` which terms a text has, and by ``in_words`` what a term says of two
    items that share it.
    """

    needs_fit: ClassVar[bool] = True

    def __init__(self) -> None:
        self._set([], np.zeros(0, np.float32), np.zeros((0, 1), np.float16))

    @abstractmethod
    def weigh(self, text: str) -> dict[str, float]:
        """The terms of what an item says, each with its weight."""

    @abstractmethod
    def in_words(self, terms: Sequence[str]) -> str:
        """What two items have in common that share these terms, the weightiest first."""

    @property
    def dim(self) -> int:
        return self._by_term.shape[1]

    @property
    def terms(self) -> list[str]:
        """The terms in the order of the sparse columns."""
        return self._terms

    def in_common(self, a: sparse.csr_matrix, b: sparse.csr_matrix) -> str:
        """Why two rows [1, terms] are alike, in words; empty where they share nothing."""
        both = a.multiply(b).tocoo()
        order = np.argsort(-both.data, kind="stable")
        return self.in_words([self._terms[k] for k in both.col[order]]) if both.nnz else ""

    def fit(self, inputs: Sequence[str | None]) -> Terms:
        """Learn which terms there are, how rare each is, and the SVD."""
        rows = [self.weigh(text) for text in inputs if text]
        counts = Counter(term.casefold() for row in rows for term in row)
        spelt = {term.casefold(): term for row in reversed(rows) for term in row}
        terms = sorted(spelt[key] for key, n in counts.items() if n > 1)
        frequency = np.array([counts[term.casefold()] for term in terms], dtype=np.float64)
        rarity = (1.0 + np.log((1.0 + len(rows)) / (1.0 + frequency))).astype(np.float32)
        if len(terms) <= DIM:
            self._set(terms, rarity, np.eye(len(terms), max(len(terms), 1), dtype=np.float16))
        else:
            self._set(terms, rarity, np.zeros((len(terms), 1), np.float16))
            from sklearn.decomposition import TruncatedSVD  # which serving does without

            svd = TruncatedSVD(DIM, random_state=_SEED).fit(self._rows(rows))
            self._set(terms, rarity, svd.components_.T.astype(np.float16))
        return self

    def encode(
        self, inputs: Sequence[str | None], *, on_unreadable: OnUnreadable | None = None
    ) -> FeatureMatrix:
        """``dense`` [n, dim] and ``sparse`` [n, terms]; missing where no term is known."""
        rows = self._rows([self.weigh(text) if text else {} for text in inputs])
        present = np.diff(rows.indptr) > 0
        return FeatureMatrix(l2_normalise(rows @ self._by_term), rows, present)

    def state(self) -> State:
        meta = {"kind": self.kind, "version": self.version, "terms": self._terms}
        return meta, {"rarity": self._rarity, "by_term": self._half}

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, device: str = "cpu"
    ) -> Terms:
        out, terms = cls(), [str(term) for term in meta["terms"]]
        rarity = np.asarray(arrays["rarity"], dtype=np.float32)
        by_term = np.asarray(arrays["by_term"], dtype=np.float16)
        n = len(set(terms))
        if len(terms) != n or rarity.shape != (n,) or by_term.ndim != 2 or len(by_term) != n:
            raise DataError(
                f"the saved encoder of {cls.modality} does not fit together; encode the dataset "
                "again"
            )
        out._set(terms, rarity, by_term)
        return out

    def _set(
        self, terms: list[str], rarity: NDArray[np.float32], by_term: NDArray[np.float16]
    ) -> None:
        self._terms, self._rarity, self._half = terms, rarity, by_term
        self._by_term = by_term.astype(np.float32)
        self._place = {term.casefold(): column for column, term in enumerate(terms)}

    def _rows(self, weighed: Sequence[Mapping[str, float]]) -> sparse.csr_matrix:
        """Rows of known terms [n, terms], by rarity, of length 1."""
        found = [
            (row, self._place[term.casefold()], weight)
            for row, terms in enumerate(weighed)
            for term, weight in terms.items()
            if term.casefold() in self._place and weight
        ]
        at, columns, weights = np.array(found, np.float64).reshape(-1, 3).T
        places = (at.astype(np.int64), columns.astype(np.int64))
        data = weights.astype(np.float32) * self._rarity[places[1]]
        rows = sparse.csr_matrix((data, places), (len(weighed), len(self._terms)))
        out = l2_normalise_sparse(rows)
        out.sort_indices()
        return out
