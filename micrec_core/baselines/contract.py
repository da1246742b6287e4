"""What a baseline must offer to be trained, evaluated and compared exactly as MICRec is.

Two kinds: ``Baseline`` ends in an embedding of every user and item whose inner product is the
score, and is trained by the shared loop; ``ClosedForm`` is solved at once from train interactions,
features and neighbours, and scores a user by what it took. Both say in ``answers`` which protocols
they have an answer to; elsewhere nothing is reported rather than something made up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn

from micrec_core.graphs.bipartite import Dropout
from micrec_core.method.configurations import FALLING, Point
from micrec_core.method.inputs import Link, ModelInputs
from micrec_core.method.knowledge import Knowledge

KNOWN = frozenset({"known"})


class Option(NamedTuple):
    """A number that only this baseline has; what it means, its file says."""

    name: str
    default: float
    lowest: float
    highest: float


# Of several baselines: the share of edges that a training step goes without, as
# ``training.dropout`` is of MICRec's; and whether features are trained too (1) or frozen (0).
EDGE_DROP = Option("edge_drop", 0, 0, 0.9)
TRAIN_FEATURES = Option("train_features", 0, 0, 1)


@dataclass(frozen=True)
class BaselineSettings:
    """What a baseline is told of ``config.ModelSettings``; ``options`` are complete."""

    dim: int
    layers: int
    neighbours: int
    init: float
    options: Mapping[str, float]


@dataclass(frozen=True)
class Embeddings:
    """Final embeddings of one domain, [n_users, dim] and [n_items, dim]."""

    users: Tensor
    items: Tensor


@dataclass(frozen=True)
class Step:
    """One domain's part of a training step.

    Attributes
    ----------
    d : the domain
    users, items : int64 [batch], rows of train interactions
    rank : the batch loss that all models share, of embeddings [n_users, dim] and [n_items, dim]
        on this batch and its negatives; a scalar
    generator : of whatever else is drawn
    """

    d: int
    users: Tensor
    items: Tensor
    inputs: ModelInputs
    rank: Callable[[Tensor, Tensor], Tensor]
    generator: torch.Generator


@dataclass(frozen=True)
class Noise:
    """What training alone has.

    Attributes
    ----------
    generator : of what a model drops in a step
    drops : per domain, the edges that this step goes without, as MICRec's does; None for all edges
    """

    generator: torch.Generator
    drops: list[Dropout] | None = None

    def edges(self, d: int) -> Dropout | None:
        """What is dropped of domain ``d``'s graph."""
        return None if self.drops is None else self.drops[d]


class Tables(nn.Module):
    """A free vector for every user and item of a domain: [n_users, dim], [n_items, dim]."""

    def __init__(self, n_users: int, n_items: int, dim: int):
        super().__init__()
        self.users = nn.Parameter(torch.empty(n_users, dim))
        self.items = nn.Parameter(torch.empty(n_items, dim))


class Declared(nn.Module):
    """What every baseline says of itself, beside its formula.

    Attributes
    ----------
    family : one of ``baselines.FAMILIES``
    options : numbers of its own
    grid : what ``compare`` tries, the defaults first
    answers : the protocols that it has an answer to
    uses_features : whether it goes by what items say
    uses_overlap : whether it goes by who is in several domains
    """

    family: ClassVar[str]
    options: ClassVar[tuple[Option, ...]] = ()
    grid: ClassVar[tuple[Point, ...]]
    answers: ClassVar[frozenset[str]]
    uses_features: ClassVar[bool] = False
    uses_overlap: ClassVar[bool] = False


class Baseline(Declared):
    """A model of embeddings, by default one free vector per user and item of each domain.

    Parameters
    ----------
    inputs : what it will be trained on; sizes, features and neighbours are taken from it
    """

    grid: ClassVar[tuple[Point, ...]] = ({}, {"l2": 1e-1}, FALLING, {"learning_rate": 5e-3})
    answers = KNOWN
    # What the names of parameters begin with that are drawn as free vectors are.
    free: ClassVar[tuple[str, ...]] = ("tables.",)

    def __init__(self, inputs: ModelInputs, settings: BaselineSettings):
        super().__init__()
        self.settings = settings
        sizes = [(d.graph.n_users, d.graph.n_items) for d in inputs.domains]
        self.tables = nn.ModuleList(Tables(u, i, self.table_dim) for u, i in sizes)

    @property
    def table_dim(self) -> int:
        """Width of the free vectors."""
        return self.settings.dim

    def table(self, d: int) -> Tables:
        """The free vectors of domain ``d``."""
        return cast(Tables, self.tables[d])

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw every parameter anew, in the order of their names.

        Free vectors as MICRec's, N(0, init^2); weights of layers uniform within Glorot's bound,
        their biases 0.
        """
        with torch.no_grad():
            for name, parameter in sorted(self.named_parameters()):
                self.reset(name, parameter, generator)

    def reset(self, name: str, parameter: nn.Parameter, generator: torch.Generator) -> None:
        """Draw one parameter; features that are trained start as the encoder gave them."""
        if ".features." in name:
            return
        if name.startswith(self.free):
            parameter.normal_(0.0, self.settings.init, generator=generator)
        elif parameter.dim() == 2:
            bound = (6.0 / sum(parameter.shape)) ** 0.5
            parameter.uniform_(-bound, bound, generator=generator)
        else:
            parameter.zero_()

    def clear_untrained(self, inputs: ModelInputs) -> None:
        """Zero the free vectors of whoever has no train interaction.

        They would stay at their random start, as noise in what a new entity gets from a graph or
        from features.
        """
        with torch.no_grad():
            for d, domain in enumerate(inputs.domains):
                users, items = domain.graph.degrees()
                self.table(d).users[users == 0] = 0.0
                self.table(d).items[items == 0] = 0.0

    def start_epoch(self, inputs: ModelInputs, generator: torch.Generator) -> None:
        """Draw what stays the same over an epoch; nothing by default."""

    def forward(self, inputs: ModelInputs, noise: Noise | None = None) -> list[Embeddings]:
        """Embeddings of every domain; ``noise`` only in training."""
        return [
            Embeddings(self.table(d).users, self.table(d).items) for d in range(len(inputs.domains))
        ]

    def loss(self, step: Step, found: list[Embeddings]) -> dict[str, Tensor]:
        """Weighed terms on one domain's batch, beside the penalty on lengths that all share.

        ``found`` is what ``forward`` gave in this step.
        """
        return {"ranking": step.rank(found[step.d].users, found[step.d].items)}

    def finish(self, inputs: ModelInputs, generator: torch.Generator) -> None:
        """A second stage after the shared training, its best epoch in place; none by default."""

    def cold_users(self, inputs: ModelInputs, link: Link) -> Tensor:
        """Embeddings in ``link.target`` [n, dim] of users who have a trace in the source alone.

        ``link`` names them in both domains. Only of models that answer "cold-domain".
        """
        raise NotImplementedError(f"{type(self).__name__} has no answer to cold users")


class ClosedForm(Declared):
    """A model that is solved, not trained: scores of items for whoever took given items."""

    grid: ClassVar[tuple[Point, ...]] = ({},)
    answers = KNOWN | {"new-users"}

    def __init__(self, settings: BaselineSettings):
        super().__init__()
        self.settings = settings

    def solve(self, knowledge: Knowledge, device: str | torch.device = "cpu") -> None:
        """Learn from what is known of all domains."""
        raise NotImplementedError

    def scores(self, d: int, taken: Sequence[sparse.csr_matrix]) -> NDArray[np.float32]:
        """Scores [n, n_items] in domain ``d`` of users by what they took.

        ``taken``: of each domain, binary CSR [n, n_items there].
        """
        raise NotImplementedError

    @property
    def n_learned(self) -> int:
        """How many numbers were learned."""
        raise NotImplementedError
