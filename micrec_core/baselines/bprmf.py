"""BPR-MF: matrix factorisation (Rendle et al., UAI 2009), each domain for itself.

    score(u, i) = p_u . q_i

The loss is the ranking loss that all models share (``training.loss``); ``bpr`` is the original's.
"""

from __future__ import annotations

from micrec_core.baselines.contract import Baseline


class BprMf(Baseline):
    """Free vectors and nothing else."""

    family = "plain"
