"""Fitting the bridges of a trained model, their two numbers chosen on validation interactions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.evaluation.blends import ndcg_of_blends
from micrec_core.method.bridge import RIDGES, SHARES, Bridge, fit_bridge
from micrec_core.method.inductive import alone_users
from micrec_core.method.micrec import Encoded, MICRec
from micrec_core.subset import some_of
from micrec_core.training.prepare import Prepared

_CUTOFF = 20
_MOST_USERS = 2000
_DEFAULT = (10.0, 0.5)


class AsIfCold(NamedTuple):
    """Overlapping users asked in the target of a bridge as if they had taken nothing there.

    Attributes
    ----------
    here, there : int [n], their rows in the target and in the source
    users : float32 [n, dim], over a bridge that was fitted on others than them
    """

    here: NDArray[np.int64]
    there: NDArray[np.int64]
    users: NDArray[np.float32]


class Fitted(NamedTuple):
    """A bridge, and those it was chosen by."""

    bridge: Bridge
    asked: AsIfCold


def fit_bridges(
    prepared: Prepared, model: MICRec, encoded: list[Encoded]
) -> dict[tuple[int, int], Fitted]:
    """A bridge for each ordered pair of domains that shares users; none for single-domain models.

    Penalty and share are chosen by NDCG@20 on the target's validation interactions of overlapping
    users, each embedded as if cold there: those interactions are in no graph, and test is not
    looked at.
    """
    if not (model.settings.transfer and model.settings.bridged):
        return {}
    knowledge, out = prepared.knowledge, {}
    for (source, target), (there, here) in knowledge.links.items():
        if len(there) < 2:
            continue
        alone = alone_users(model, knowledge, prepared.inputs, encoded, source, there)
        final = encoded[target].users[here].cpu().numpy()
        items = encoded[target].items.cpu().numpy()
        ridge, share, rows, users = _choose(prepared, target, here, alone, final, items)
        asked = AsIfCold(here[rows], there[rows], users)
        out[source, target] = Fitted(fit_bridge(alone, final, ridge, share), asked)
    return out


def _choose(
    prepared: Prepared,
    target: int,
    here: NDArray[np.int64],
    alone: NDArray[np.float32],
    final: NDArray[np.float32],
    items: NDArray[np.float32],
) -> tuple[float, float, NDArray[np.int64], NDArray[np.float32]]:
    """Penalty and share; each half of the overlapping users is asked of a fit on the other.

    With them who was asked, [n] of the overlapping, and their embeddings [n, dim] by the choice.
    """
    domain = prepared.dataset.domains[target]
    valid = prepared.split.domains[target].valid.matrix(domain.n_users, domain.n_items)[here]
    taken = prepared.knowledge.domains[target].train[here]
    candidates = prepared.material.catalogues[target]
    generator = np.random.default_rng(0)
    half = generator.permutation(len(here)) % 2 == 0
    scores = np.zeros((len(RIDGES), len(SHARES)))
    told = []
    for fitted in (half, ~half):
        asked = np.flatnonzero(~fitted & (np.diff(valid.indptr) > 0))
        if len(asked) == 0 or fitted.sum() < 2:
            continue
        asked = some_of(asked, _MOST_USERS, generator)
        mask = sparse.csr_matrix(taken[asked])
        # What the nearest lend does not depend on the penalty: they are looked for once.
        lent = fit_bridge(alone[fitted], final[fitted], RIDGES[0], 1.0).lent(alone[asked])
        mapped = [
            fit_bridge(alone[fitted], final[fitted], ridge, 0.0)(alone[asked]) for ridge in RIDGES
        ]
        told.append((asked, mapped, lent))
        found = ndcg_of_blends(mapped, lent, SHARES, items, valid[asked], mask, candidates, _CUTOFF)
        scores += found.sum(axis=2)
    best = _DEFAULT
    if scores.any():
        at = np.unravel_index(int(scores.argmax()), scores.shape)
        best = RIDGES[at[0]], SHARES[at[1]]
    place = RIDGES.index(best[0])
    rows = [np.zeros(0, np.int64), *(asked for asked, _, _ in told)]
    embedded = [alone[:0], *(mapped[place] + best[1] * lent for _, mapped, lent in told)]
    return *best, np.concatenate(rows), np.concatenate(embedded)
