"""Content alone: items that say what the user's items said (Lops et al., 2011, section 3.3.1.1).

    score(u, i) = sum over m of p_um . x_im / |p_um|,   p_um = sum over j in N_u of x_jm

x being the rows in which neighbours are found: TF-IDF of words where the encoder has it, its
vectors otherwise. Of a user who took nothing in the domain, N_u is what it took in others. Nothing
is learned. Options: ``dense`` takes the encoder's vectors everywhere, ``only`` the n-th modality
alone (0 for all).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.baselines.contract import KNOWN, ClosedForm, Option
from micrec_core.features import FeatureMatrix
from micrec_core.graphs.neighbours import Features, normalise_rows
from micrec_core.method.knowledge import Knowledge


class ContentProfile(ClosedForm):
    """Sums of the features of what was taken."""

    family = "multimodal"
    options = (Option("dense", 0, 0, 1), Option("only", 0, 0, 9))
    grid = ({}, {"dense": 1}, {"only": 1}, {"only": 2})
    answers = KNOWN | {"new-users", "new-items", "cold-domain"}
    uses_features = True
    uses_overlap = True

    def solve(self, knowledge: Knowledge, device: str | torch.device = "cpu") -> None:
        """Choose the views, modality by modality, a domain each."""
        only, n = int(self.settings.options["only"]), len(knowledge.modalities)
        chosen = knowledge.modalities[only - 1 : only] if 0 < only <= n else knowledge.modalities
        self.views = [[self._view(d.features[m]) for d in knowledge.domains] for m in chosen]

    def _view(self, matrix: FeatureMatrix) -> Features:
        return matrix.dense if self.settings.options["dense"] else matrix.space

    def scores(self, d: int, taken: Sequence[sparse.csr_matrix]) -> NDArray[np.float32]:
        """Profiles times items; 0 for whoever took nothing that says anything."""
        out = np.zeros(taken[d].shape, np.float32)
        idle = sparse.diags((np.diff(taken[d].indptr) == 0).astype(np.float32))
        for views in self.views:
            profile = taken[d] @ views[d]
            for e, view in enumerate(views):
                if e != d:
                    profile = profile + idle @ taken[e] @ view
            found = normalise_rows(profile) @ views[d].T
            out += found if isinstance(found, np.ndarray) else found.toarray()
        return out

    @property
    def n_learned(self) -> int:
        return 0
