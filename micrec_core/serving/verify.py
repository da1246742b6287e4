"""A bundle is written only if it serves what was trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from micrec_core.errors import RunError
from micrec_core.serving.contents import Bundle
from micrec_core.serving.foldin import FoldIn
from micrec_core.serving.users import Directory, User, assemble

if TYPE_CHECKING:
    from micrec_core.method.micrec import Encoded

SAMPLE = 50
TOLERANCE = 1e-4


def check_against(bundle: Bundle, encoded: Sequence[Encoded]) -> None:
    """Compare everyone, and a sample of folded-in users, with the model's own embeddings.

    Raises
    ------
    RunError
        They differ: the equations here and in ``models.micrec`` have drifted apart.
    """
    fold, directory = FoldIn(bundle), Directory(bundle)
    generator = np.random.default_rng(0)
    for d, part in enumerate(bundle.domains):
        _same(fold.tables[d].items, encoded[d].items.detach().cpu().numpy(), "items", part.name)
        hot = np.flatnonzero(part.user_degree > 0)
        all_trained = encoded[d].users.detach().cpu().numpy()
        _same(fold.tables[d].users[hot], all_trained[hot], "users", part.name)
        sample = generator.permutation(hot)[:SAMPLE]
        trained = all_trained[sample]
        found = np.zeros_like(trained)
        for place, row in enumerate(sample):
            user = hot_user(directory, str(part.user_ids[row]))
            found[place] = fold.user(user, d).vector()
        _same(found, trained, "users", part.name)


def hot_user(directory: Directory, user_id: str) -> User:
    """A user of the training data, as trained."""
    n = len(directory.bundle.domains)
    rows = tuple(directory.user_row(d, user_id) for d in range(n))
    empty = np.zeros(0, np.int64)
    items = tuple(directory.history(d, r) if r >= 0 else empty for d, r in enumerate(rows))
    return assemble(directory, user_id, rows, items, {})


def _same(found: NDArray, trained: NDArray, what: str, domain: str) -> None:
    if not trained.size:
        return
    scale = max(float(np.abs(trained).max()), 1e-6)
    difference = float(np.abs(found - trained).max())
    if not difference <= TOLERANCE * scale:
        raise RunError(
            f"the {what} of '{domain}' as they would be served differ from the trained ones by "
            f"{difference:.2g}: bring micrec_core/serving in line with micrec_core/method"
        )
