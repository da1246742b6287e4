"""A bundle is written only if it serves what was trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from micrec_core.errors import RunError
from micrec_core.method.arrays import ModelArrays
from micrec_core.method.foldin import FoldIn
from micrec_core.serving.contents import Bundle

if TYPE_CHECKING:
    from micrec_core.method.inductive import BySource

SAMPLE = 50
TOLERANCE = 1e-4
# Users that are compared at a time.
BLOCK = 65_536


def check_against(bundle: Bundle, by_source: Sequence[BySource]) -> None:
    """Compare what is stored of everyone, and users folded in, with the model's own embeddings.

    Parameters
    ----------
    by_source : the model's embeddings, float [n, S, dim]

    Raises
    ------
    RunError
        They differ: ``method.foldin`` and ``method.micrec`` have drifted apart.
    """
    generator = np.random.default_rng(0)
    for d, (part, found) in enumerate(zip(bundle.domains, by_source, strict=True)):
        users, items = (x.detach().cpu().numpy() for x in (found.users, found.items))
        known = np.flatnonzero(part.user_degree > 0)
        _same(part.items_by_source(np.arange(len(items))), items, "items", part.name)
        for start in range(0, len(known), BLOCK):
            rows = known[start : start + BLOCK]
            _same(part.users[rows], users[rows].sum(axis=1), "users", part.name)
        some = generator.permutation(known)[:SAMPLE]
        _same(fold_all(bundle, d, some), users[some], "users", part.name)


def fold_all(model: ModelArrays, d: int, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Users of training folded in one by one, float64 [n, S, dim]."""
    fold = FoldIn(model)
    folded = [fold.user(fold.trained(d, int(row)), d) for row in rows]
    shape = len(rows), len(model.sources), model.dim
    return np.array([one.by_source(model.sources) for one in folded]).reshape(shape)


def _same(found: NDArray[Any], trained: NDArray[Any], what: str, domain: str) -> None:
    if not trained.size:
        return
    scale = max(float(np.abs(trained).max()), 1e-6)
    difference = float(np.abs(found - trained).max())
    if not difference <= TOLERANCE * scale:
        raise RunError(
            f"the {what} of '{domain}' as they would be served differ from the trained ones by "
            f"{difference:.2g}: bring method/foldin.py in line with method/micrec.py"
        )
