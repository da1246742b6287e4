"""A trained model's answers to every question, and the references it stands beside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.answering.fit_bridges import fit_bridges
from micrec_core.data import Domain
from micrec_core.evaluation.questions import Answer, Outcome, Question, popularity
from micrec_core.evaluation.user_maps import choose_ridge, nearest_bridge
from micrec_core.method.bridge import Bridge
from micrec_core.method.inductive import cold_users, encode, fold_in_users
from micrec_core.method.micrec import Encoded, MICRec
from micrec_core.training.prepare import Prepared

Vectors = NDArray[np.float32]


def array(tensor: torch.Tensor) -> Vectors:
    """A tensor on any device as a NumPy array."""
    return tensor.detach().float().cpu().numpy()


class Answerer:
    """Answers questions with one trained model.

    Parameters
    ----------
    encoded : the model's embeddings, where they are at hand
    """

    def __init__(self, prepared: Prepared, model: MICRec, encoded: list[Encoded] | None = None):
        self.prepared = prepared
        self.model = model
        self.encoded = encoded or encode(model, prepared.inputs)
        self.users = [array(e.users) for e in self.encoded]
        self.items = [array(e.items) for e in self.encoded]
        self._folded: list[Vectors] | None = None

    @property
    def transfers(self) -> bool:
        """Whether there is anything for a user without a trace in a domain.

        LightGCN has a free vector per user and nothing else, so it does not answer such questions.
        """
        return self.model.settings.templates or bool(self.model.settings.modalities)

    @cached_property
    def fitted_bridges(self) -> dict[tuple[int, int], Bridge]:
        """The bridges to domains where users took nothing yet, fitted when first asked for."""
        return fit_bridges(self.prepared, self.model, self.encoded)

    def answer(self, question: Question) -> Answer | None:
        """The model's lists; None where it has no answer."""
        d = question.place
        if question.known_by == "support":
            users = self._folded_users()[d][question.users]
        elif question.known_by == "elsewhere":
            if not self.transfers:
                return None
            users = self._cold(question)
        else:
            users = self.users[d][question.users]
        return question.answer(users, self.items[d])

    def outcome(
        self,
        asked: Sequence[Question],
        *,
        seconds: float = float("nan"),
    ) -> Outcome:
        """All answers under this model's name and variant."""
        answers = [a for q in asked if (a := self.answer(q)) is not None]
        settings = self.prepared.settings
        n_parameters = sum(p.numel() for p in self.model.parameters())
        return Outcome(
            settings.model.name,
            variant_name(settings.model.without),
            settings.seed,
            tuple(answers),
            seconds,
            n_parameters,
        )

    def bridges(self, asked: Sequence[Question]) -> list[Outcome]:
        """A ridge map and a nearest-user bridge between this model's own user spaces."""
        cold = [q for q in asked if q.known_by == "elsewhere"]
        answers: dict[str, list[Answer]] = defaultdict(list)
        for question in cold:
            guessed = self._bridged(question)
            for name, users in guessed.items():
                answers[name].append(question.answer(users, self.items[question.place]))
        seed = self.prepared.settings.seed
        return [Outcome(name, "full", seed, tuple(given)) for name, given in answers.items()]

    def _folded_users(self) -> list[Vectors]:
        if self._folded is None:
            folded = fold_in_users(
                self.model, self.prepared.knowledge, self.prepared.inputs, supports(self.prepared)
            )
            self._folded = [array(users) for users in folded]
        return self._folded

    def _cold(self, question: Question) -> Vectors:
        out = np.zeros((len(question), self.items[question.place].shape[1]), np.float32)
        for source, (there, at) in homes(self.prepared, question).items():
            out[at] = cold_users(
                self.model,
                self.prepared.knowledge,
                self.prepared.inputs,
                self.encoded,
                self.fitted_bridges,
                (source, question.place),
                there,
            )
        return out

    def _bridged(self, question: Question) -> dict[str, Vectors]:
        d = question.place
        width = self.items[d].shape[1]
        out = {name: np.zeros((len(question), width), np.float32) for name in ("ridge", "nearest")}
        for source, (there, at) in homes(self.prepared, question).items():
            left, right = self.prepared.knowledge.links[source, d]
            if len(left) == 0:
                continue
            a, b = self.users[source][left], self.users[d][right]
            taken = self.prepared.knowledge.domains[d].train[right]
            ridge = choose_ridge(a, b, self.items[d], taken, question.candidates)
            queries = self.users[source][there]
            out["ridge"][at] = ridge(queries)
            out["nearest"][at] = nearest_bridge(queries, a, b)
        return out


def variant_name(without: Sequence[str]) -> str:
    """``full``, or what is switched off."""
    return "+".join(without) or "full"


def popularity_outcome(prepared: Prepared) -> Outcome:
    """The popularity reference on the same questions."""
    degrees = [part.item_degree for part in prepared.knowledge.domains]
    return popularity(prepared.material.questions, degrees, prepared.settings.seed)


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
