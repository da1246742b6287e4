"""CEASE: EASE with what items say as further users (Jeunen et al., RecSys 2020).

    P = (X^T X + weight sum over m of T_m T_m^T + penalty I)^-1,   B as in EASE

T_m [n_items, terms] are the rows in which neighbours are found: a term counts as ``weight`` users
who took the items that have it. Cost as EASE. Options: ``penalty``, ``weight``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.baselines.contract import Option
from micrec_core.baselines.ease import Ease
from micrec_core.method.knowledge import DomainKnowledge


class Cease(Ease):
    """EASE on interactions and content, one below the other."""

    family = "multimodal"
    options = (*Ease.options, Option("weight", 20, 0, 1e9))
    grid = ({}, {"penalty": 100}, {"penalty": 20, "weight": 5}, {"penalty": 500, "weight": 50})
    uses_features = True

    def rows(self, part: DomainKnowledge, kept: NDArray[np.integer]) -> sparse.csc_matrix:
        """Users, then terms: [n_users + n_terms, n_kept]."""
        root = np.sqrt(self.settings.options["weight"])
        said = [root * sparse.csr_matrix(x.space[kept]).T for x in part.features.values()]
        return sparse.csc_matrix(sparse.vstack([part.train[:, kept], *said]), dtype=np.float32)
