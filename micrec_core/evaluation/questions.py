"""The questions of every protocol to one domain: users, items that are ranked, what counts.

A *question* belongs to one protocol and one domain and knows no model; any model answers it with
one vector a user and one an item. So all models and references are asked the very same thing. What
each protocol asks, ``protocols.PROTOCOLS`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.data.types import Dataset, Domain, DomainSplit, Edges, Split
from micrec_core.evaluation.blends import ndcg_of_sums
from micrec_core.evaluation.by_columns import Added, ScoreBlock
from micrec_core.evaluation.metric_frames import Result, pool_seeds, users_frame
from micrec_core.evaluation.metrics import ranking_metrics
from micrec_core.evaluation.ranking import rank_embeddings, rank_users
from micrec_core.names import EVERYONE, FULL, FULL_LIST, OVERLAP, SINGLE
from micrec_core.protocols import PROTOCOLS, Asked
from micrec_core.subset import some_of

SCOPES = (EVERYONE, FULL_LIST)
DEPTH = 50
# Users of a question: of more, so many are drawn. An interval of a mean over them is as narrow as
# anybody reads, and lists of a million users take hours.
MOST_USERS = 100_000


@dataclass(frozen=True)
class Question:
    """One protocol's question in one domain.

    Attributes
    ----------
    protocol, domain, place : the domain's name and its index in the dataset
    users : int64 [n] rows of the domain's users who have positives
    user_ids : str objects [n]
    positives : CSR [n, n_items], what counts as a hit
    mask : CSR [n, n_items] of what is not recommended, or None
    candidates : bool [n_items], what may be recommended
    cohort : a label for each user [n], or None
    scope : EVERYONE, or FULL_LIST for new items among all items
    """

    protocol: str
    domain: str
    place: int
    users: NDArray[np.int64]
    user_ids: NDArray[np.object_]
    positives: sparse.csr_matrix
    mask: sparse.csr_matrix | None
    candidates: NDArray[np.bool_]
    cohort: NDArray[np.object_] | None = None
    scope: str = EVERYONE

    def __len__(self) -> int:
        return len(self.users)

    @property
    def known_by(self) -> str:
        """What its users are known by, as ``Protocol.known_by``; of validation, training."""
        return PROTOCOLS[self.protocol].known_by if self.protocol in PROTOCOLS else "training"

    def of(self, rows: NDArray[np.int64]) -> Question:
        """The same of some of its users, by their places in it."""
        return replace(
            self,
            users=self.users[rows],
            user_ids=self.user_ids[rows],
            positives=self.positives[rows],
            mask=None if self.mask is None else self.mask[rows],
            cohort=None if self.cohort is None else self.cohort[rows],
        )

    def at_most(self, most: int) -> Question:
        """The same of so many of its users, always the same; itself where it has no more."""
        return self if len(self) <= most else self.of(some_of(len(self), most))

    def answer(
        self,
        users: NDArray[np.floating],
        items: NDArray[np.floating],
        k: int = DEPTH,
        add: ScoreBlock | Added | None = None,
    ) -> Answer:
        """Rank by inner product.

        Parameters
        ----------
        users : float [n, dim], in the order of ``self.users``
        items : float [n_items, dim]
        add : what comes on top of the products, as in ``rank_embeddings``
        """
        if len(users) != len(self) or len(items) != self.positives.shape[1]:
            raise ValueError("users or items are not those of the question")
        drawn, (mask, candidates) = self.drawn, self._shuffled
        more = None if add is None else _shuffled(add, drawn)
        ranked = rank_embeddings(users, items[drawn], None, mask, candidates, k, add=more)
        return self._answered(ranked)

    def answer_scores(self, scores: ScoreBlock, k: int = DEPTH) -> Answer:
        """Rank by scores.

        Parameters
        ----------
        scores : of some users by their place, float [b, n_items]
        """
        drawn, rows = self.drawn, np.arange(len(self))
        ranked = rank_users(lambda some: scores(some)[:, drawn], rows, *self._shuffled, k)
        return self._answered(ranked)

    def ndcg_of_sums(
        self,
        base: NDArray[np.floating],
        other: NDArray[np.floating],
        weights: Sequence[float] | NDArray[np.floating],
        cutoff: int,
    ) -> list[NDArray[np.float64]]:
        """NDCG@``cutoff`` of the users by ``base + weight * other`` for each weight, [n] each.

        What ``answer_scores`` and ``ranking_metrics`` give, without a list of each.

        Parameters
        ----------
        base, other : scores [n, n_items]
        """
        ranked = np.array(base, np.float32, order="C")
        ranked[:, ~self.candidates] = -np.inf
        if self.mask is not None:
            ranked[self.mask.nonzero()] = -np.inf
        other = np.ascontiguousarray(other, np.float32)
        _, places = _order_of_equals(self.positives.shape[1])
        return ndcg_of_sums(ranked, other, weights, places, self.positives, cutoff)

    @property
    def drawn(self) -> NDArray[np.int64]:
        """All items in a fixed random order, which is that of equals in every list.

        Catalogues are often sorted by what came first or sells best: by their rows, items of which
        a model knows nothing would be ranked by who will take them.
        """
        return _order_of_equals(self.positives.shape[1])[0]

    @cached_property
    def _shuffled(self) -> tuple[sparse.csr_matrix | None, NDArray[np.bool_]]:
        """Mask and candidates in that order."""
        mask = None if self.mask is None else sparse.csr_matrix(self.mask[:, self.drawn])
        return mask, self.candidates[self.drawn]

    def _answered(self, ranked: NDArray[np.int32]) -> Answer:
        """Of places in that order, items."""
        return Answer(self, np.where(ranked >= 0, self.drawn[ranked], -1).astype(np.int32))


@lru_cache(maxsize=8)
def _order_of_equals(n_items: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Items in the order in which equals are ranked, and each one's place in it; for reading."""
    drawn = np.random.default_rng(0).permutation(n_items)
    return drawn, np.argsort(drawn)


@dataclass(frozen=True)
class _InOrder:
    """What is added to scores, of items in another order."""

    added: Added
    order: NDArray[np.int64]

    @property
    def by_columns(self) -> bool:
        return self.added.by_columns

    def rows(self, users: NDArray[np.int64]) -> NDArray[np.floating]:
        return self.added.rows(users)[:, self.order]

    def columns(self, items: NDArray[np.int64]) -> Callable[[slice], NDArray[np.float32]]:
        return self.added.columns(self.order[items])


def _shuffled(add: ScoreBlock | Added, order: NDArray[np.int64]) -> ScoreBlock | Added:
    return _InOrder(add, order) if isinstance(add, Added) else lambda some: add(some)[:, order]


@dataclass(frozen=True)
class Answer:
    """The lists a model gave to a question: int32 [n, k] item rows, -1 for an empty place."""

    question: Question
    ranked: NDArray[np.int32]

    def of(self, question: Question) -> Answer:
        """The lists of the users of a question that asks some of this one's."""
        if len(question) == len(self.question):
            return self
        rows = np.searchsorted(self.question.users, question.users)
        return Answer(self.question.of(rows), self.ranked[rows])

    def users(self) -> pd.DataFrame:
        """The users frame (see ``tables``) of these lists."""
        q = self.question
        metrics = ranking_metrics(self.ranked, q.positives)
        return users_frame(metrics, q.domain, q.user_ids, q.cohort)


@dataclass(frozen=True)
class Outcome:
    """All answers of one trained model or reference, with what it cost.

    Attributes
    ----------
    model, variant, seed, seconds, n_parameters : as in ``tables.Result``
    """

    model: str
    variant: str
    seed: int
    answers: tuple[Answer, ...]
    seconds: float = float("nan")
    n_parameters: float = float("nan")

    def of(self, protocol: str, scope: str = EVERYONE) -> list[Answer]:
        """The answers of a protocol, a domain each."""
        return [
            a for a in self.answers if (a.question.protocol, a.question.scope) == (protocol, scope)
        ]

    def users(self, protocol: str, scope: str = EVERYONE) -> pd.DataFrame:
        """The users frame of a protocol over all its domains; empty where it was not asked."""
        frames = [a.users() for a in self.of(protocol, scope)]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def results(self, scope: str = EVERYONE) -> list[Result]:
        """A ``Result`` for each protocol that was asked in this scope."""
        out = []
        for protocol in PROTOCOLS:
            users = self.users(protocol, scope)
            if len(users):
                out.append(
                    Result(
                        self.model, self.variant, self.seed, protocol, users, self.seconds,
                        self.n_parameters,
                    )
                )  # fmt: skip
        return out


def questions(dataset: Dataset, split: Split, mask: str = "all") -> list[Question]:
    """Every question that a split can be asked, of at most ``MOST_USERS`` users, always the same.

    Those without users are left out.

    Parameters
    ----------
    mask : of ``protocols.MASKS``
    """
    trained = split.trained_ids(dataset)
    out: list[Question] = []
    for place, (domain, part) in enumerate(zip(dataset.domains, split.domains, strict=True)):
        elsewhere = set().union(*(ids for d, ids in enumerate(trained) if d != place))
        asker = _Asker(place, domain, part, elsewhere, mask)
        out += [asker.ask(name, a) for name, protocol in PROTOCOLS.items() for a in protocol.asked]
    return [q.at_most(MOST_USERS) for q in out if len(q)]


def training_catalogue(domain: Domain, part: DomainSplit) -> NDArray[np.bool_]:
    """Which items [n_items] are not withheld as new."""
    out = np.ones(domain.n_items, dtype=bool)
    out[part.new_items] = False
    return out


def popularity_vectors(
    n_users: int, degree: NDArray[np.integer] | NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vectors [n_users, 1] and [n_items, 1] whose products are train degrees."""
    return np.ones((n_users, 1), np.float32), np.asarray(degree, np.float32)[:, None]


def popularity(asked: Iterable[Question], degrees: Sequence[NDArray], seed: int = 0) -> Outcome:
    """The reference that gives everyone the items with most train interactions.

    Parameters
    ----------
    degrees : per domain, train interactions of each item
    seed : of the run it stands beside; nothing is drawn
    """
    answers = tuple(q.answer(*popularity_vectors(len(q), degrees[q.place])) for q in asked)
    return Outcome("popularity", FULL, seed, answers)


def tabulate(
    table: Callable[[list[Result]], pd.DataFrame],
    outcomes: Sequence[Outcome],
    pool: bool = False,
) -> pd.DataFrame:
    """A table over all outcomes; new items among the full list become a cohort of that name.

    Parameters
    ----------
    table : ``tables.summary_table`` or ``tables.variants_table``, or either with options
    pool : add the means over seeds of what has several
    """
    parts = []
    for scope in SCOPES:
        results = [r for outcome in outcomes for r in outcome.results(scope)]
        if not results:
            continue
        frame = table([*results, *pool_seeds(results)] if pool else results)
        if scope != EVERYONE:
            frame = frame[frame["cohort"] == EVERYONE].assign(cohort=scope)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True) if parts else table([])


@dataclass(frozen=True)
class _Asker:
    """A domain, its split, the ids of users trained on in another domain, and the mask."""

    place: int
    domain: Domain
    part: DomainSplit
    elsewhere: set[str]
    mask: str

    def matrix(self, *edges: Edges) -> sparse.csr_matrix:
        """Binary CSR [n_users, n_items] of some edges together."""
        both = Edges(
            np.concatenate([e.user for e in edges]), np.concatenate([e.item for e in edges])
        )
        return both.matrix(self.domain.n_users, self.domain.n_items)

    def ask(self, protocol: str, asked: Asked) -> Question:
        """The question about all users who have positives."""
        hits, hidden = self.matrix(asked.hits(self.part)), asked.masked(self.part, self.mask)
        users = np.flatnonzero(np.diff(hits.indptr)).astype(np.int64)
        ids = self.domain.user_ids[users]
        trained = training_catalogue(self.domain, self.part)
        candidates = {"trained": trained, "new": ~trained, "all": np.ones_like(trained)}
        labels = None
        # Where there is no other domain, all users are of one cohort.
        if asked.cohorts and self.elsewhere:
            labels = np.array([OVERLAP if u in self.elsewhere else SINGLE for u in ids], object)
        return Question(
            protocol, self.domain.name, self.place, users, ids, hits[users],
            self.matrix(*hidden)[users] if hidden else None, candidates[asked.among], labels,
            asked.scope,
        )  # fmt: skip
