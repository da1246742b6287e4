"""Epochs of INMO: ours against the same algorithm by torch.sparse."""

from __future__ import annotations

import time

import numpy as np
import torch
from scipy import sparse

from micrec_core.benchmarks import worlds
from micrec_core.benchmarks.measure import Options, Report, Target, in_turn, strongest, times_longer
from micrec_core.benchmarks.peers import PlainINMO, SymmetricINMO
from micrec_core.config import ModelSettings, TrainSettings
from micrec_core.data import make_split, read_dataset
from micrec_core.data.types import Edges
from micrec_core.graphs.bipartite import BipartiteGraph
from micrec_core.method.inputs import DomainInputs, ModelInputs, Side
from micrec_core.method.micrec import MICRec
from micrec_core.training.build import build_model, effective_training
from micrec_core.training.trainer import Trainer

FOOD = (14_870, 8_661, 69_474)
MODEL = ModelSettings(name="inmo", layers=3)
# The last values of the parameters, not their mean: the plain implementation has none.
TRAINING = TrainSettings(epochs=1, loss="bpr", average=0.0, validate_every=1)


def measure(options: Options) -> Report:
    """Processor time of an epoch with the same batches, settings and losses."""
    train = _interactions(options)
    ours = Ours(train)
    works = {"ours": ours.epoch} | {
        name: Plain(train, ours.model, kind).epoch
        for name, kind in (("torch_sparse", PlainINMO), ("torch_csr_symmetric", SymmetricINMO))
    }
    timings = in_turn(works, options.rounds(7), clock=time.process_time)
    ratios = times_longer(timings)
    return Report(
        "training",
        "One epoch of INMO with BPR, self-enhanced loss and dropout of templates, in steps of the "
        "same batches, all with fused Adam. Processor time of all threads.",
        {
            "users": train.shape[0],
            "items": train.shape[1],
            "train interactions": train.nnz,
            "steps": ours.n_steps,
            "dim": MODEL.dim,
            "layers": MODEL.layers,
            "data": "made up" if options.data is None else "given",
        },
        timings,
        ratios,
        (Target("the strongest peer against ours", strongest(ratios), 2.5, "x"),),
    )


def _interactions(options: Options) -> sparse.csr_matrix:
    if options.data is not None:
        dataset = read_dataset(options.data)
        part = make_split(dataset, "known", 0).domains[0]
        first = dataset.domains[0]
        return part.train.matrix(first.n_users, first.n_items)
    return worlds.interactions(*((300, 100, 1500) if options.quick else FOOD))


class Ours:
    """Our trainer on one domain without modalities."""

    def __init__(self, train: sparse.csr_matrix):
        users, items = train.nonzero()
        self.edges = Edges(users.astype(np.int32), items.astype(np.int32))
        graph = BipartiteGraph(train)
        sides = (_side(degree) for degree in graph.degrees())
        self.inputs = ModelInputs((DomainInputs(graph, *sides),), (), ())
        self.model: MICRec = build_model(MODEL, self.inputs, seed=0)
        self.training = effective_training(MODEL, TRAINING)
        self.n_steps = max(-(-train.nnz // TRAINING.batch_size), TRAINING.steps)

    def epoch(self) -> None:
        """Train for one epoch."""
        trainer = Trainer(
            self.model, self.inputs, [self.edges], self.training, 0, lambda model: {"score": 0.0}
        )
        trainer.fit()


class Plain:
    """The same steps over a plain INMO, from the same parameters."""

    def __init__(self, train: sparse.csr_matrix, model: MICRec, kind: type[PlainINMO] = PlainINMO):
        users, items = train.nonzero()
        self.users, self.items = (torch.from_numpy(x.astype(np.int64)) for x in (users, items))
        self.pool = torch.unique(self.items)
        self.n_steps = max(-(-train.nnz // TRAINING.batch_size), TRAINING.steps)
        own = model.domain(0)
        with torch.no_grad():
            templates = torch.cat([own.users, own.items])
            shared = torch.stack([own.any_user, own.any_item])
        self.model = kind(train, templates, shared, MODEL.layers)

    def epoch(self) -> None:
        """Train for one epoch."""
        optimiser = torch.optim.Adam(self.model.parameters(), lr=TRAINING.learning_rate, fused=True)
        order = torch.randperm(len(self.users))
        for picked in torch.tensor_split(order, self.n_steps):
            drawn = self.pool[torch.randint(len(self.pool), (len(picked),))]
            embeddings = self.model(0.5, TRAINING.dropout)
            batch = self.users[picked], self.items[picked], drawn
            loss = self.model.loss(embeddings, batch, TRAINING.self_enhanced, TRAINING.l2)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def _side(degree: torch.Tensor) -> Side:
    n = len(degree)
    none = torch.zeros(n, 0)
    return Side({}, none.bool(), {}, torch.zeros(n, 0, 2), torch.zeros(0), degree)
