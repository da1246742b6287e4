"""A baseline's answers to the questions that MICRec is asked, where it has any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.answering.answers import array, homes, supports
from micrec_core.baselines import Baseline, ClosedForm, Embeddings
from micrec_core.evaluation.questions import DEPTH, Answer, Outcome, Question
from micrec_core.evaluation.ranking import rank_users
from micrec_core.method.inductive import fold_in_inputs
from micrec_core.method.inputs import Link, ModelInputs
from micrec_core.training.prepare import Prepared

Vectors = NDArray[np.float32]


def embed(model: Baseline, inputs: ModelInputs) -> list[Embeddings]:
    """Embeddings of every domain, without noise or gradient."""
    model.eval()
    with torch.no_grad():
        out: list[Embeddings] = model(inputs)
    return out


class BaselineAnswerer:
    """Answers questions with one trained model of embeddings."""

    def __init__(self, prepared: Prepared, model: Baseline, found: list[Embeddings] | None = None):
        self.prepared = prepared
        self.model = model
        found = found or embed(model, prepared.inputs)
        self.users = [array(e.users) for e in found]
        self.items = [array(e.items) for e in found]
        self._folded: list[Vectors] | None = None

    def answer(self, question: Question, k: int = DEPTH) -> Answer | None:
        """The model's lists; None where it has no answer."""
        users = self._users(question)
        return None if users is None else question.answer(users, self.items[question.place], k)

    def _users(self, question: Question) -> Vectors | None:
        d, protocol = question.place, question.protocol
        if protocol not in self.model.answers | {"valid"}:
            return None
        if question.known_by == "elsewhere":
            return self._cold(question)
        everyone = self._fold()[d] if question.known_by == "support" else self.users[d]
        return everyone[question.users]

    def _fold(self) -> list[Vectors]:
        """New users through the graph, with the free vector of one that was never trained."""
        if self._folded is None:
            prepared = self.prepared
            extended = fold_in_inputs(prepared.knowledge, prepared.inputs, supports(prepared))
            self._folded = [array(e.users) for e in embed(self.model, extended)]
        return self._folded

    def _cold(self, question: Question) -> Vectors:
        d = question.place
        out = np.zeros((len(question), self.items[d].shape[1]), np.float32)
        device = self.prepared.inputs.device
        self.model.eval()
        for source, (there, at) in homes(self.prepared, question).items():
            rows = [torch.from_numpy(r).to(device) for r in (there, question.users[at])]
            with torch.no_grad():
                link = Link(source, d, *rows)
                out[at] = array(self.model.cold_users(self.prepared.inputs, link))
        return out


class ScoreAnswerer:
    """Answers questions with a solved model, block of users by block."""

    def __init__(self, prepared: Prepared, model: ClosedForm):
        self.prepared = prepared
        self.model = model
        self._supports = supports(prepared)

    def answer(self, question: Question, k: int = DEPTH) -> Answer | None:
        """The model's lists; None where it has no answer."""
        d, protocol = question.place, question.protocol
        if protocol not in self.model.answers | {"valid"}:
            return None
        source = self._supports[d] if question.known_by == "support" else self._train(d)
        taken = sparse.csr_matrix(source[question.users])

        def block(rows: NDArray[np.int64]) -> NDArray[np.float32]:
            return self.model.scores(d, sparse.csr_matrix(taken[rows]))

        rows = np.arange(len(question))
        ranked = rank_users(block, rows, question.mask, question.candidates, k)
        return Answer(question, ranked)

    def _train(self, d: int) -> sparse.csr_matrix:
        return self.prepared.knowledge.domains[d].train


def answerer_of(
    prepared: Prepared, model: Baseline | ClosedForm
) -> BaselineAnswerer | ScoreAnswerer:
    """What answers for a baseline of either kind."""
    if isinstance(model, ClosedForm):
        return ScoreAnswerer(prepared, model)
    return BaselineAnswerer(prepared, model)


def rival_outcome(
    answerer: BaselineAnswerer | ScoreAnswerer, asked: Sequence[Question], seconds: float
) -> Outcome:
    """All answers under the baseline's name."""
    settings, model = answerer.prepared.settings, answerer.model
    answers = tuple(a for q in asked if (a := answerer.answer(q)) is not None)
    return Outcome(
        settings.model.name, "full", settings.seed, answers, seconds, n_parameters(model)
    )


def n_parameters(model: torch.nn.Module) -> int:
    """How many numbers were learned, trained or solved."""
    if isinstance(model, ClosedForm):
        return model.n_learned
    return sum(p.numel() for p in model.parameters())
