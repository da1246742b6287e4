"""A trained model, and what is known of its users and items, as the arrays that serve it.

What one user's fold-in (``foldin``) and the reasons of a score (``explanation``) read: parameters,
features, neighbours, and what the model's forward pass gave, items' part of it by source
(docs/method.md, section 8). NumPy alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from micrec_core.features import FeatureMatrix
from micrec_core.graphs.neighbours import Features, Neighbours
from micrec_core.method.bridge import Bridge
from micrec_core.method.likeness import likeness_of
from micrec_core.method.memory import Constants, remember
from micrec_core.method.profiles import Links, Scaling, degrees
from micrec_core.method.remembered import Remembered

Floats: TypeAlias = NDArray[np.float32]
Rows: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class GateArrays:
    """The parameters of a ``gate.Gate``, and what it computes (section 6.3).

    Attributes
    ----------
    bias : [n_modalities]
    slope : [n_modalities, signals]
    strength : [2]
    """

    bias: Floats
    slope: Floats
    strength: Floats

    def shares(self, signals: Floats, has: NDArray[np.bool_]) -> Floats:
        """Softmax over present modalities [n, n_modalities]; as ``Gate.shares``."""
        if len(self.bias) < 2:  # nothing to share
            return has.astype(np.float32)
        logits = np.where(has, self.bias + (signals * self.slope).sum(-1), -np.inf)
        peak = np.max(logits, axis=1, keepdims=True, where=has, initial=-np.inf)
        parts = np.exp(logits - np.where(np.isfinite(peak), peak, 0.0))
        shares: Floats = parts / np.maximum(parts.sum(1, keepdims=True), 1e-30)
        return shares.astype(np.float32)

    def __call__(self, signals: Floats, has: NDArray[np.bool_]) -> Floats:
        """Weights [n, n_modalities] from signals [n, n_modalities, signals], has, bool [n, m]."""
        shares = self.shares(signals, has)
        if not shares.shape[1]:
            return shares
        strength: Floats = np.exp(self.strength[0] + self.strength[1] * signals[:, 0, -1])
        return (strength[:, None] * shares).astype(np.float32)


def columns_of(matrix: csr_matrix, row: int) -> Rows:
    """Columns of what a row of a CSR matrix has, int64; none of row -1."""
    if row < 0:
        return np.zeros(0, np.int64)
    columns: Rows = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]].astype(np.int64)
    return columns


@dataclass(frozen=True)
class ModalityArrays:
    """One modality of one domain.

    Attributes
    ----------
    features : of the items, centred
    space_of_users : gives ``user_space``, which takes a while where it is not stored
    user_neighbours, item_neighbours : as they were at training time
    """

    features: FeatureMatrix
    space_of_users: Callable[[], Features]
    user_neighbours: Neighbours
    item_neighbours: Neighbours

    @cached_property
    def user_space(self) -> Features:
        """Profiles in which neighbours are found, [n_users, dim or vocabulary].

        Rows of users who may not be a neighbour are zero.
        """
        return self.space_of_users()


@dataclass(frozen=True)
class DomainArrays:
    """One domain: train interactions, parameters, modalities and embeddings.

    Attributes
    ----------
    label : the domain's name, as shown
    train : binary CSR [n_users, n_items]
    user_templates, item_templates : [n, dim], t (free vectors where there are no templates)
    any_user, any_item : [dim], the global vectors
    refine : c, how much of their neighbours' templates items take in
    own_template : k, how much of its own template an item takes in
    user_scaling, item_scaling : of the signals that the gates look at
    initial_users : [n_users, dim], e before the aggregation, what neighbours bring
    users : [n_users, dim], the final embeddings
    item_layers : [n_items, L + 1, S, dim], the layers of the propagation from e' on, by source
    later : binary CSR [n_users, n_items], interactions that came after training; None for none
    n_trained_items : the rows of items before this one were there in training
    """

    label: str
    train: csr_matrix
    user_templates: Floats
    item_templates: Floats
    any_user: Floats
    any_item: Floats
    refine: float
    own_template: float
    user_gate: GateArrays
    item_gate: GateArrays
    user_scaling: Scaling
    item_scaling: Scaling
    modalities: dict[str, ModalityArrays]
    initial_users: Floats
    users: Floats
    item_layers: Floats
    later: csr_matrix | None = field(default=None, kw_only=True)
    n_trained_items: int | None = field(default=None, kw_only=True)

    @cached_property
    def user_degree(self) -> Floats:
        """Number of train interactions of each user, float32 [n_users]."""
        return degrees(self.train)[0]

    @cached_property
    def item_degree(self) -> Floats:
        """Number of train interactions of each item, float32 [n_items]."""
        return degrees(self.train)[1]

    @cached_property
    def taken(self) -> csr_matrix:
        """All interactions there are by now, binary CSR [n_users, n_items]; training saw ``train``.

        Histories, popularity and memory go by these. The embeddings go by ``train`` alone: who and
        what came later is folded in to what was trained (docs/method.md, section 13).
        """
        if self.later is None:
            return self.train
        taken: csr_matrix = (self.train + self.later).tocsr()
        taken.sort_indices()
        return taken

    @cached_property
    def user_count(self) -> Floats:
        """Interactions of each user by now, float32 [n_users]."""
        return degrees(self.taken)[0]

    @cached_property
    def item_count(self) -> Floats:
        """Interactions of each item by now, float32 [n_items]."""
        return degrees(self.taken)[1]

    def first_users(self, row: int) -> Rows:
        """Users of training who took an item after it, sorted."""
        if self._later_by_item is None:
            return np.zeros(0, np.int64)
        start, stop = self._later_by_item.indptr[row : row + 2]
        users = np.sort(self._later_by_item.indices[start:stop]).astype(np.int64)
        return users[self.user_degree[users] > 0]

    @cached_property
    def _later_by_item(self) -> csc_matrix | None:
        return None if self.later is None else csc_matrix(self.later)

    @cached_property
    def joined(self) -> NDArray[np.bool_]:
        """Items that are folded in, bool [n_items]: not of training, or first taken after it."""
        new = np.zeros(self.train.shape[1], bool)
        if self.later is not None:
            new[self.n_trained_items :] = True
            trained = self.later[self.user_degree > 0]
            new |= (self.item_degree == 0) & (degrees(trained)[1] > 0)
        return new

    @cached_property
    def items(self) -> Floats:
        """Final embeddings of all items, float32 [n_items, dim]."""
        return self._mean_over_layers(self.item_layers.sum(axis=(1, 2)), self.item_degree)

    @property
    def initial_items(self) -> Floats:
        """e of the items, [n_items, dim]: all of it is of the source ``id``."""
        return self.item_layers[:, 0, 0]

    def items_by_source(self, rows: Rows) -> Floats:
        """Final embeddings of some items, float32 [n, S, dim]."""
        return self._mean_over_layers(self.item_layers[rows].sum(axis=1), self.item_degree[rows])

    def passed_on(self, rows: Rows, n_layers: int) -> NDArray[np.float64]:
        """What items pass on along an edge in the first layers, float64 [n, S, dim].

        Times 1 / sqrt(degree) of who receives it; the items must have edges.
        """
        total: NDArray[np.float64] = self.item_layers[rows, :n_layers].sum(1, dtype=np.float64)
        return total * self.item_degree[rows, None, None] ** -0.5

    def _mean_over_layers(self, total: Floats, degree: Floats) -> Floats:
        mean = np.where(degree > 0, 1.0 / self.item_layers.shape[1], 1.0).astype(np.float32)
        return total * mean.reshape(-1, *[1] * (total.ndim - 1))


@dataclass(frozen=True)
class ModelArrays:
    """All domains and what they share.

    Attributes
    ----------
    layers, templates, alpha : as in the model; ``alpha`` is the annealed exponent
    k, temperature, cross_profile : how neighbours are found and weighed
    project : modality -> P_m [dim, width]
    transfer : (source, target) -> W [dim, dim]; empty where nothing crosses domains
    bridge : (source, target) -> what takes a user to a domain where they took nothing; the
        overlapping users it knows are those of ``links``, in that order
    links : (source, target) -> rows of the users with train interactions in both
    means : modality -> float32 [n_domains, width], what was subtracted from the features
    memory : constants, weight and regression of each domain's memory, as ``Remembered`` has them;
        None where it has none
    links_by_now : as ``links``, of those with interactions in both by now; None where nobody came
        after training
    """

    domains: tuple[DomainArrays, ...]
    modalities: tuple[str, ...]
    layers: int
    templates: bool
    alpha: float
    k: int
    temperature: float
    cross_profile: bool
    project: dict[str, Floats]
    transfer: dict[tuple[int, int], Floats]
    bridge: dict[tuple[int, int], Bridge]
    links: Links
    means: dict[str, Floats]
    memory: tuple[tuple[Constants, float, csr_matrix | None] | None, ...]
    links_by_now: Links | None = field(default=None, kw_only=True)

    @property
    def in_both(self) -> Links:
        """Rows of the users with interactions in both of two domains by now."""
        return self.links if self.links_by_now is None else self.links_by_now

    @property
    def dim(self) -> int:
        """Width of every embedding."""
        return len(self.domains[0].any_user)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources a score is split by, in the order of every array with a source axis."""
        return ("id", *self.modalities, *(("bridge",) if self.transfer else ()))

    @property
    def spaces(self) -> list[list[Features]]:
        """Features of each domain's items in which neighbours are found, a modality each."""
        return [[x.features.space for x in part.modalities.values()] for part in self.domains]

    @cached_property
    def remembered(self) -> tuple[Remembered | None, ...]:
        """The memory of each domain, counted when first asked for."""
        taken = [part.taken for part in self.domains]
        out: list[Remembered | None] = [None] * len(taken)
        for d, chosen in enumerate(self.memory):
            if chosen is not None:
                part = self.domains[d]
                near = [x.item_neighbours for x in part.modalities.values()]
                constants, _, regression = chosen
                told = (near, self.temperature, constants, regression, part.joined)
                likeness = None
                crosses = constants.similar_elsewhere > 0
                if constants.similar or constants.similar_new or crosses:
                    new = (part.item_count == 0) | part.joined
                    likeness = likeness_of(self.spaces, d, new, crosses)
                memory = remember(taken, self.in_both, d, *told)
                out[d] = Remembered(memory, *chosen, likeness)
        return tuple(out)

    @property
    def can_fold_in(self) -> bool:
        """Whether someone new gets anything but the popular list, by vectors per user alone not."""
        return self.templates or bool(self.modalities) or self.layers > 0
