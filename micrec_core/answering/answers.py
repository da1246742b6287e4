"""A trained model's answers to every question, whatever kind of model it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.answering.fit_bridges import AsIfCold, Fitted, fit_bridges
from micrec_core.answering.fit_likeness import (
    choose_elsewhere,
    choose_for_new_items,
    choose_likeness,
)
from micrec_core.answering.fit_memory import (
    ask_cold,
    choose_everybody,
    choose_memory,
    choose_newcomers,
)
from micrec_core.answering.scored import Asked, chosen_on
from micrec_core.baselines import Baseline, ClosedForm
from micrec_core.data import Domain
from micrec_core.evaluation.questions import DEPTH, Answer, Outcome, Question
from micrec_core.method.bridge import Bridge
from micrec_core.method.inductive import cold_users, fold_in_inputs
from micrec_core.method.inputs import Link, ModelInputs
from micrec_core.method.many import ForMany
from micrec_core.method.micrec import Encoded, MICRec
from micrec_core.method.remembered import Remembered
from micrec_core.method.taken import Taken
from micrec_core.names import FULL
from micrec_core.protocols import PROTOCOLS
from micrec_core.subset import some_of
from micrec_core.training.prepare import Prepared

Vectors = NDArray[np.float32]
Model = MICRec | Baseline | ClosedForm
# The question by which an epoch is chosen; every model has an answer to it.
VALID = "valid"


def array(tensor: torch.Tensor) -> Vectors:
    """A tensor on any device as a NumPy array."""
    return tensor.detach().float().cpu().numpy()


def embed(model: MICRec | Baseline, inputs: ModelInputs) -> list[Any]:
    """What the model gives each domain (``users`` and ``items``), without noise or gradient."""
    model.eval()
    with torch.no_grad():
        out: list[Any] = model(inputs)
    return out


class Answerer(ABC):
    """Answers questions with one trained model."""

    def __init__(self, prepared: Prepared, model: Model):
        self.prepared = prepared
        self.model = model

    def answer(self, question: Question, k: int = DEPTH) -> Answer | None:
        """The model's lists of ``k``; None where it has no answer."""
        if question.protocol != VALID and question.protocol not in answered(self.model):
            return None
        return self._answer(question, k)

    def taken(self, question: Question) -> list[sparse.csr_matrix]:
        """What the question's users took in each domain: CSR [n, n_items there]."""
        out = []
        for d, domain in enumerate(self.prepared.dataset.domains):
            train = self.prepared.knowledge.domains[d].train
            if d == question.place:
                new = question.known_by == "support"
                history = supports(self.prepared)[d] if new else train
                out.append(history[question.users])
                continue
            there = _rows_of(domain, question.user_ids)
            known = sparse.diags((there >= 0).astype(np.float32))
            out.append(sparse.csr_matrix(known @ train[there]))
        return out

    @abstractmethod
    def _answer(self, question: Question, k: int) -> Answer:
        """The lists, to a question that the model has an answer to."""

    def outcome(self, asked: Sequence[Question], seconds: float = float("nan")) -> Outcome:
        """All answers under the model's name and variant; ``seconds`` of its training."""
        settings = self.prepared.settings
        return Outcome(
            settings.model.name,
            variant_name(settings.model.without),
            settings.seed,
            tuple(a for q in asked if (a := self.answer(q)) is not None),
            seconds,
            n_parameters(self.model),
        )


class EmbeddingAnswerer(Answerer):
    """Answers by inner products of embeddings.

    Attributes
    ----------
    encoded : what the model gave for each domain
    users, items : its embeddings, float32 [n_users, dim] and [n_items, dim] of each domain
    """

    model: MICRec | Baseline

    def __init__(self, prepared: Prepared, model: MICRec | Baseline):
        super().__init__(prepared, model)
        self.encoded = embed(model, prepared.inputs)
        self.users = [array(e.users) for e in self.encoded]
        self.items = [array(e.items) for e in self.encoded]

    def _answer(self, question: Question, k: int) -> Answer:
        return question.answer(self._embedded(question), self.items[question.place], k)

    def _embedded(self, question: Question) -> Vectors:
        """Embeddings of the question's users, [n, dim]."""
        if question.known_by == "elsewhere":
            return self._cold(question)
        users = self._folded_in if question.known_by == "support" else self.users
        return users[question.place][question.users]

    @cached_property
    def _folded_in(self) -> list[Vectors]:
        """Users of each domain, new ones by their support; one that owns a vector has it still."""
        prepared = self.prepared
        inputs = fold_in_inputs(prepared.knowledge, prepared.inputs, supports(prepared))
        return [array(e.users) for e in embed(self.model, inputs)]

    def _cold(self, question: Question) -> Vectors:
        out = np.zeros((len(question), self.items[question.place].shape[1]), np.float32)
        for source, (there, at) in homes(self.prepared, question).items():
            out[at] = self._cold_from(source, question.place, there, question.users[at])
        return out

    def _cold_from(
        self, source: int, target: int, there: NDArray[np.int64], here: NDArray[np.int64]
    ) -> Vectors:
        """Embeddings [n, dim] in ``target`` of users with a trace in ``source`` alone."""
        assert isinstance(self.model, Baseline)
        inputs = self.prepared.inputs
        link = Link(source, target, *(torch.from_numpy(r).to(inputs.device) for r in (there, here)))
        self.model.eval()
        with torch.no_grad():
            return array(self.model.cold_users(inputs, link))


class MicrecAnswerer(EmbeddingAnswerer):
    """Answers with MICRec, which reaches a cold user over a bridge, and adds its memory."""

    model: MICRec
    encoded: list[Encoded]

    @cached_property
    def _fitted(self) -> dict[tuple[int, int], Fitted]:
        return fit_bridges(self.prepared, self.model, self.encoded)

    @cached_property
    def bridges(self) -> dict[tuple[int, int], Bridge]:
        """To domains where users took nothing yet, fitted when first asked for."""
        return {pair: fitted.bridge for pair, fitted in self._fitted.items()}

    @cached_property
    def counted(self) -> list[Remembered | None]:
        """The memory of each domain, chosen when first asked for; none where the model has none.

        Without what newcomers are told, for which bridges must be fitted first.
        """
        out: list[Remembered | None] = [None] * len(self.items)
        if not self.model.settings.memory:
            return out
        largest = max(len(items) for items in self.items)
        for question in validation_questions(self.prepared, chosen_on(largest)):
            d = question.place
            taken = Taken.of(self.taken(question), d)
            asked = Asked(question, taken, self._embedded(question), self.items[d])
            chosen = choose_memory(self.prepared.knowledge, asked, self.model.settings.transfer)
            likened = bool(self.model.settings.modalities)
            if likened:
                chosen = choose_likeness(self.prepared, asked, chosen)
            chosen = choose_everybody(asked, chosen)
            out[d] = self._for_new_items(chosen, asked) if likened else chosen
        return out

    def _for_new_items(self, chosen: Remembered, asked: Asked) -> Remembered:
        """With as much of likeness in content as suits items that nobody took."""
        prepared, d = self.prepared, asked.question.place
        self.model.eval()
        with torch.no_grad():
            new = array(self.model.new_items(d, self.encoded, prepared.inputs.domains[d].items))
        return choose_for_new_items(prepared, asked, self.users[d], chosen, new, self.taken)

    @cached_property
    def memories(self) -> list[Remembered | None]:
        """As ``counted``, with what newcomers are told."""
        out: list[Remembered | None] = []
        for d, chosen in enumerate(self.counted):
            if chosen is not None:
                cold = {a: fitted.asked for (a, b), fitted in self._fitted.items() if b == d}
                chosen = self._for_newcomers(d, chosen, cold)
            out.append(chosen)
        return out

    def _for_newcomers(
        self, d: int, chosen: Remembered, cold: Mapping[int, AsIfCold]
    ) -> Remembered:
        """With popularity, and likeness to what they took elsewhere, as suits who is cold here."""
        asked = ask_cold(self.prepared, d, chosen, cold, self.items[d])
        chosen = choose_newcomers(chosen, asked)
        if not self.model.settings.modalities:
            return chosen
        likened = choose_elsewhere(self.prepared, d, chosen, asked)
        # The more their own likes say, the less there is to what everybody takes.
        return choose_newcomers(likened, asked) if likened.crosses else chosen

    def _answer(self, question: Question, k: int) -> Answer:
        # Epochs are chosen by the embeddings, before there is a memory.
        if question.protocol == VALID:
            return super()._answer(question, k)
        taken = Taken.of(self.taken(question), question.place)
        memory = (self.memories if taken.newcomers().any() else self.counted)[question.place]
        if memory is None or not memory.adds:
            return super()._answer(question, k)
        users, items = self._embedded(question), self.items[question.place]
        return question.answer(users, items, k, add=ForMany(memory, taken))

    def _cold_from(
        self, source: int, target: int, there: NDArray[np.int64], here: NDArray[np.int64]
    ) -> Vectors:
        known, inputs = self.prepared.knowledge, self.prepared.inputs
        return cold_users(
            self.model, known, inputs, self.encoded, self.bridges, (source, target), there
        )


class ScoreAnswerer(Answerer):
    """Answers with a solved model, block of users by block."""

    model: ClosedForm

    def _answer(self, question: Question, k: int) -> Answer:
        d, model, taken = question.place, self.model, self.taken(question)

        def block(rows: NDArray[np.int64]) -> NDArray[np.float32]:
            return model.scores(d, [sparse.csr_matrix(there[rows]) for there in taken])

        return question.answer_scores(block, k)


def answerer_of(prepared: Prepared, model: Model) -> Answerer:
    """What answers for a model."""
    if isinstance(model, ClosedForm):
        return ScoreAnswerer(prepared, model)
    return embedding_answerer(prepared, model)


def embedding_answerer(prepared: Prepared, model: MICRec | Baseline) -> EmbeddingAnswerer:
    """What answers for a model of embeddings."""
    return (MicrecAnswerer if isinstance(model, MICRec) else EmbeddingAnswerer)(prepared, model)


def answered(model: Model) -> frozenset[str]:
    """The protocols that a model has an answer to."""
    if not isinstance(model, MICRec):
        return model.answers
    everywhere = frozenset(n for n, p in PROTOCOLS.items() if p.known_by != "elsewhere")
    # LightGCN has a free vector per user and nothing else: nothing for one without a trace.
    transfers = model.settings.templates or bool(model.settings.modalities)
    return frozenset(PROTOCOLS) if transfers else everywhere


def n_parameters(model: Model) -> int:
    """How many numbers were learned, trained or solved."""
    if isinstance(model, ClosedForm):
        return model.n_learned
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def variant_name(without: Sequence[str]) -> str:
    """``full``, or what is switched off."""
    return "+".join(without) or FULL


def homes(
    prepared: Prepared, question: Question
) -> dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Where a question's users are known: source domain -> (their rows there, places in question).

    A user known in several domains is taken from the one with most of its train interactions.
    """
    best = np.zeros(len(question))
    home = np.full(len(question), -1)
    rows = np.zeros(len(question), np.int64)
    for d, domain in enumerate(prepared.dataset.domains):
        if d == question.place:
            continue
        there = _rows_of(domain, question.user_ids)
        degree = np.where(there >= 0, prepared.knowledge.domains[d].user_degree[there], 0)
        better = degree > best
        best[better], home[better], rows[better] = degree[better], d, there[better]
    places = {int(d): np.flatnonzero(home == d) for d in np.unique(home) if d >= 0}
    return {d: (rows[at], at) for d, at in places.items()}


def _rows_of(domain: Domain, ids: NDArray[np.object_]) -> NDArray[np.int64]:
    """Rows of user ids in a domain, -1 for those it does not know."""
    index = {user: row for row, user in enumerate(domain.user_ids)}
    return np.array([index.get(user, -1) for user in ids], dtype=np.int64)


def supports(prepared: Prepared) -> list[sparse.csr_matrix]:
    """Per domain, what new users show: CSR [n_users, n_items]."""
    pairs = zip(prepared.dataset.domains, prepared.split.domains, strict=True)
    return [p.new_user_support.matrix(d.n_users, d.n_items) for d, p in pairs]


def validation_questions(prepared: Prepared, most: int) -> list[Question]:
    """The validation interactions of a fixed sample of at most so many users in each domain."""
    out = []
    pairs = zip(prepared.dataset.domains, prepared.split.domains, strict=True)
    for place, (domain, part) in enumerate(pairs):
        wanted = part.valid.matrix(domain.n_users, domain.n_items)
        users = np.flatnonzero(np.diff(wanted.indptr)).astype(np.int64)
        if len(users) == 0:
            continue
        users = some_of(users, most)
        out.append(
            Question(
                VALID,
                domain.name,
                place,
                users,
                domain.user_ids[users],
                wanted[users],
                prepared.knowledge.domains[place].train[users],
                prepared.material.catalogues[place],
            )
        )
    return out
