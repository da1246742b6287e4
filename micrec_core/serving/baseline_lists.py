"""Lists of baselines that a run answers with for anyone, beside the model's own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from micrec_core.errors import RunError
from micrec_core.method.arrays import Floats
from micrec_core.method.cooccurrence import bm25_weights
from micrec_core.method.foldin import Folded, FoldIn
from micrec_core.method.search import Query, top_rows
from micrec_core.modalities.registry import listed, modality, nouns
from micrec_core.names import model_label
from micrec_core.runs import Run
from micrec_core.serving.by_likes import ByLikes
from micrec_core.serving.new_items import NewItem
from micrec_core.serving.users import Directory, User


class BaselineLists:
    """What baselines recommend to a user: popularity, content alone, and counts.

    What each goes by is made at its first use and kept.
    """

    def __init__(
        self,
        run: Run | None,
        fold: FoldIn,
        directory: Directory,
        folded: Callable[[User, int], Folded],
        allowed: Sequence[NDArray[np.bool_]],
    ):
        """``folded`` a user in a domain; ``allowed`` bool [n_items] of each domain, candidates."""
        self._run, self._bundle, self._fold = run, directory.bundle, fold
        self._directory, self._folded, self._allowed = directory, folded, allowed
        self._beside = cache(self._read_beside)
        self._weighted: dict[int, csc_matrix] = {}
        self._lock = threading.Lock()

    def popular(self, domain: str, k: int = 10) -> pd.DataFrame:
        """The items with most interactions: item_id, title, degree."""
        d = self._directory.domain(domain)
        degree = self._bundle.domains[d].item_count
        rows = top_rows(degree, k)
        return self._directory.listed(d, rows).assign(degree=degree[rows].astype(int))

    def content_only(self, user: User, domain: str, k: int = 10) -> pd.DataFrame:
        """The items most like the user's profile, by features alone: item_id, title, score.

        Raises
        ------
        RunError
            There are no features to go by.
        """
        d, _, scores = self._by_content(user, domain)
        return self._best(scores, user, d, k)

    def _content_queries(self, user: User, d: int) -> dict[str, Query]:
        """What the user's text and pictures come to; RunError where there are none."""
        if not self._bundle.modalities:
            raise RunError(
                f"this run goes by interactions alone; train one with {nouns('or')} to compare"
            )
        profiles = self._folded(user, d).profiles
        known = {m: p.query.normalised() for m, p in profiles.items() if p.has}
        if not known:
            what = listed((modality(m).noun for m in self._bundle.modalities), "or")
            raise RunError(
                f"there is no {what} to compare by for this user; add a like that has some"
            )
        return known

    def _by_content(self, user: User, domain: str) -> tuple[int, dict[str, Query], Floats]:
        """The domain, what the user's content comes to, and its mean cosines [n_items]."""
        d = self._directory.domain(domain)
        queries = self._content_queries(user, d)
        found = [self._fold.item_index(d, m).cosines(query) for m, query in queries.items()]
        return d, queries, np.mean(found, axis=0, dtype=np.float32)

    def rank_by_content(self, user: User, domain: str, item: NewItem) -> tuple[int, int]:
        """(place, of how many) of a new item in ``content_only``'s full list for a user.

        Raises
        ------
        RunError
            There are no features to go by.
        """
        d, queries, scores = self._by_content(user, domain)
        own = [item.queries[m].cosine(q) if m in item.queries else 0.0 for m, q in queries.items()]
        allowed = self._allowed[d].copy()
        allowed[user.items[d]] = False
        better = int((scores[allowed] >= np.float32(np.mean(own))).sum())
        return 1 + better, int(allowed.sum()) + 1

    def bought_together(self, user: User, domain: str, k: int = 10) -> pd.DataFrame:
        """What was taken together with the user's items, by BM25: item_id, title, score.

        The list of the baseline ``bm25`` with all neighbours of an item instead of the nearest.

        Raises
        ------
        RunError
            The user took nothing here, of which such counts know nothing.
        """
        d = self._directory.domain(domain)
        liked = user.items[d]
        if not len(liked):
            raise RunError(
                "items taken together are counted within one domain, and nothing was liked in this "
                "one; add a like"
            )
        w = self._together(d)
        return self._best(np.asarray(w.T @ w[:, liked].sum(axis=1)).ravel(), user, d, k)

    def by_likes(self, model: str, user: User, domain: str, k: int = 10) -> pd.DataFrame:
        """The list of a model beside the run's (``serving.by_likes``): item_id, title, score.

        Raises
        ------
        RunError
            The run keeps none of it, or the user took nothing here that was trained on.
        """
        d = self._directory.domain(domain)
        known = self._fold.known(user, d)
        beside = self._beside(model)
        if not len(known):
            raise RunError(
                f"{model_label(model)} goes by likes within one domain, and nothing was liked in "
                "this one that it was trained on; add a like"
            )
        scores = beside.scores(d, known)
        scores[self._bundle.domains[d].item_degree == 0] = -np.inf
        return self._best(scores, user, d, k)

    def _best(self, scores: NDArray[np.floating], user: User, d: int, k: int) -> pd.DataFrame:
        """The items of the highest scores that the user does not have: item_id, title, score."""
        scores[user.items[d]] = -np.inf
        rows = top_rows(scores, k)
        return self._directory.listed(d, rows).assign(score=scores[rows])

    def _together(self, d: int) -> csc_matrix:
        """BM25 weights of a domain, made at their first use."""
        with self._lock:
            if d not in self._weighted:
                self._weighted[d] = bm25_weights(self._bundle.domains[d].taken)
        return self._weighted[d]

    def _read_beside(self, model: str) -> ByLikes:
        if self._run is None:
            raise RunError(f"nothing of {model_label(model)} is kept without a run")
        return ByLikes.read(self._run, model, tuple(len(p.item_ids) for p in self._bundle.domains))
