"""Text without a download: TF-IDF of words and word pairs, and a truncated SVD of it.

For a text with term counts c and a catalogue of n texts in which term w occurs in n_w of them::

    v_w = (1 + ln c_w) * b_w * (1 + ln((1 + n) / (1 + n_w)))    sparse row, then L2-normalised
    x   = v C^T,   C [dim, vocabulary] the leading right singular vectors, then L2-normalised

with b_w = 1 for a word and 1/2 for a pair of words.

Neighbours are searched with the full sparse row: a narrow SVD loses what tells two items of one
shelf apart. The dense row is for where a model needs a vector.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

from micrec_core.errors import DataError
from micrec_core.features import FeatureMatrix, l2_normalise
from micrec_core.modalities.base import Encoder, OnUnreadable, State

# Function words only: the usual long lists also hold "top", "bottom", "thin", "fire" or "computer",
# which name products, and "no", "not" and "without" carry meaning in a catalogue (sugar free).
_FUNCTION_WORDS = """
a about after again all also am an and any are as at be because been before being both but by
can could did do does doing during each every for from had has have having he her here hers him
his how i if in into is it it's its itself just may me might more most must my of on once only
or other our ours own same shall she should so some such than that the their theirs them then
there these they this those through to too under until upon us very was we were what when where
which while who whom whose why will with within would you your yours
"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
# A decimal number, one ideograph or kana (these scripts set no spaces), or a word with inner
# apostrophes. Hyphens split: "k-cup" gives k, cup and the pair "k cup", as "k cup" does.
TOKEN = re.compile(
    r"\d+[.,]\d+|[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+(?:'\w+)*"
)
_LATIN_MARKS = re.compile("[\u0300-\u036f]")
_SMALL = 200  # texts; below it a word seen once is kept, or little would be left
_EXACT_SVD = 600  # smaller side up to which the SVD is computed exactly
_SVD_SEED = 0
# Items that are taken together are nearer to each other by this weight than with pairs in full
# (rows then resemble only near-duplicates) or without (seen on grocery, household and film data).
_PAIR_WEIGHT = 0.5


def tokens(text: str) -> list[str]:
    """Lower-case words of ``text`` without accents and function words."""
    if "&" in text:  # catalogues scraped from the web are full of &quot; and &amp;
        text = html.unescape(text)
    text = text.lower()
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).replace("\u2019", "'")
        text = unicodedata.normalize("NFC", _LATIN_MARKS.sub("", text))
    return [word for word in TOKEN.findall(text) if word not in STOP_WORDS]


def terms(text: str) -> list[str]:
    """Words and pairs of words that follow each other."""
    words = tokens(text)
    return words + [f"{a} {b}" for a, b in pairwise(words)]


class ClassicText(Encoder):
    """TF-IDF with a truncated SVD, fitted on the training catalogue of all domains jointly.

    Parameters
    ----------
    max_dim : width of the dense view; less where the catalogue is small
    """

    kind: ClassVar[str] = "classic-text"
    version: ClassVar[int] = 1
    needs_fit: ClassVar[bool] = True
    modality = "text"
    spec = "classic"

    def __init__(self, max_dim: int = 128) -> None:
        self.max_dim = max_dim
        self._set([], np.zeros(0, np.float32), np.zeros((1, 0), np.float16))

    @property
    def label(self) -> str:
        return "TF-IDF of words and word pairs"

    @property
    def dim(self) -> int:
        return self._by_term.shape[1]

    @property
    def vocabulary(self) -> list[str]:
        """The terms in the order of the sparse columns."""
        return self._terms

    def words(self, text: str) -> list[str]:
        """The words of a text as they are looked up; none for function words."""
        return tokens(text)

    def fit(self, inputs: Sequence[str | None]) -> ClassicText:
        """Learn vocabulary, inverse document frequencies and the SVD from ``inputs``."""
        texts = [text for text in inputs if text]
        for min_df in (2, 1) if len(texts) >= _SMALL else (1,):
            counter = CountVectorizer(analyzer=terms, min_df=min_df, dtype=np.float32)
            try:
                counts = counter.fit_transform(texts)
                break
            except ValueError:  # no term is left, for instance of texts that are only punctuation
                continue
        else:
            self._set([], np.zeros(0, np.float32), np.zeros((1, 0), np.float16))
            return self
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        vocabulary = counter.get_feature_names_out().tolist()
        share = np.where([" " in term for term in vocabulary], _PAIR_WEIGHT, 1.0)
        idf = 1.0 + np.log((1.0 + counts.shape[0]) / (1.0 + frequency))
        weights = (share * idf).astype(np.float32)
        self._set(vocabulary, weights, _leading_directions(_weigh(counts, weights), self.max_dim))
        return self

    def encode(
        self, inputs: Sequence[str | None], *, on_unreadable: OnUnreadable | None = None
    ) -> FeatureMatrix:
        """Encode texts; one without any known word counts as missing.

        Returns
        -------
        FeatureMatrix with ``dense`` [n, dim] and ``sparse`` [n, vocabulary].
        """
        if self._terms:
            counts = self._counter.transform([text or "" for text in inputs])
        else:
            counts = sparse.csr_matrix((len(inputs), 0), dtype=np.float32)
        rows = _weigh(counts, self._weights)
        present = np.diff(rows.indptr) > 0
        return FeatureMatrix(l2_normalise(rows @ self._by_term), rows, present)

    def state(self) -> State:
        meta = {
            "kind": self.kind,
            "spec": self.spec,
            "version": self.version,
            "max_dim": self.max_dim,
            "vocabulary": self._terms,
        }
        return meta, {"weights": self._weights, "components": self._components}

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, device: str = "cpu"
    ) -> ClassicText:
        out = cls(int(meta["max_dim"]))
        vocabulary = [str(term) for term in meta["vocabulary"]]
        weights = np.asarray(arrays["weights"], dtype=np.float32)
        components = np.asarray(arrays["components"], dtype=np.float16)
        n = len(set(vocabulary))
        if len(vocabulary) != n or weights.shape != (n,) or components.shape[1:] != (n,):
            raise DataError(
                "the saved text encoder does not fit together (vocabulary, weights and components "
                "differ in length, or a word is there twice); encode the dataset again"
            )
        out._set(vocabulary, weights, components)
        return out

    def _set(
        self,
        vocabulary: list[str],
        weights: NDArray[np.float32],
        components: NDArray[np.float16],
    ) -> None:
        self._terms = vocabulary
        self._weights = weights
        # Half precision is what is saved, and rounded here so that a reloaded encoder agrees bit
        # for bit; the transposed copy makes the product for one query touch only its own terms.
        self._components = components
        self._by_term = np.ascontiguousarray(components.T, dtype=np.float32)
        self._counter = CountVectorizer(
            analyzer=terms,
            dtype=np.float32,
            vocabulary={term: column for column, term in enumerate(vocabulary)} or None,
        )


def _weigh(counts: sparse.csr_matrix, weights: NDArray[np.float32]) -> sparse.csr_matrix:
    """Sublinear TF-IDF rows [n, vocabulary] of length 1 from term counts."""
    rows = sparse.csr_matrix(counts, dtype=np.float32, copy=True)
    rows.sort_indices()
    rows.data = (1.0 + np.log(rows.data)) * weights[rows.indices]
    # In float64, so that a length is rounded only once.
    return normalize(rows.astype(np.float64)).astype(np.float32) if rows.nnz else rows


def _leading_directions(rows: sparse.csr_matrix, max_dim: int) -> NDArray[np.float16]:
    """Leading right singular vectors [dim, vocabulary] of ``rows``, without those of no weight."""
    smaller = min(rows.shape)
    if smaller <= _EXACT_SVD:
        _, values, vectors = np.linalg.svd(rows.toarray().astype(np.float64), full_matrices=False)
    else:
        _, values, vectors = randomized_svd(rows, max_dim, n_iter=4, random_state=_SVD_SEED)
    keep = max(1, int(np.sum(values[:max_dim] > 1e-6 * max(float(values[0]), 1e-30))))
    vectors = vectors[:keep]
    # A singular vector is known only up to its sign; fix it so that refits agree.
    largest = vectors[np.arange(keep), np.abs(vectors).argmax(axis=1)]
    return (vectors * np.where(largest < 0, -1.0, 1.0)[:, None]).astype(np.float16)
