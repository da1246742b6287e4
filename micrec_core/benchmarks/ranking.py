"""Full-ranking evaluation: scoring, masking and every metric of all users, and its memory."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.benchmarks import worlds
from micrec_core.benchmarks.measure import Options, Report, Target, Timing, in_turn, times_longer
from micrec_core.evaluation.metrics import ranking_metrics
from micrec_core.evaluation.ranking import rank_embeddings
from micrec_core.running.cost import peak_memory

KITCHEN = (47_589, 27_637)
DIM, DEPTH = 64, 50


def measure(options: Options) -> Report:
    """As many users and items as the kitchen domain of Food & Kitchen."""
    n_users, n_items = (300, 200) if options.quick else KITCHEN
    users, items = worlds.vectors(n_users, DIM), worlds.vectors(n_items, DIM, seed=1)
    mask = worlds.interactions(n_users, n_items, 6 * n_users, seed=2)
    positives = worlds.interactions(n_users, n_items, 2 * n_users, seed=3)

    def ours() -> object:
        return ranking_metrics(rank_embeddings(users, items, mask=mask, k=DEPTH), positives)

    def plain() -> object:
        return ranking_metrics(by_torch(users, items, mask, DEPTH), positives)

    timings = in_turn({"ours": ours, "torch_topk": plain}, options.rounds(3))
    extra = {}
    for name, work in (("ours", ours), ("torch_topk", plain)):
        with peak_memory("cpu") as peak:
            work()
        if peak.mb is not None:  # or the system does not tell
            extra[f"{name}, memory"] = Timing((peak.mb,), "MiB")
    targets = [Target("evaluation of all users", timings["ours"].median / 1000, 15, "s", True)]
    if extra:
        found = extra["ours, memory"].median
        targets.append(Target("extra memory at the peak", found, 1024, "MiB", True))
    return Report(
        "ranking",
        "All users against all items, train and validation masked, five metrics at four cut-offs; "
        "the peer scores, masks and ranks chunks of users by torch.",
        {"users": n_users, "items": n_items, "dim": DIM, "list": DEPTH},
        timings | extra,
        times_longer(timings),
        tuple(targets),
    )


def by_torch(
    users: NDArray[np.float32],
    items: NDArray[np.float32],
    mask: sparse.csr_matrix,
    k: int,
    chunk: int = 1024,
) -> NDArray[np.int64]:
    """Ranked lists int64 [n, k] by torch: scores of a chunk, masked places at -inf, topk."""
    base, found = torch.from_numpy(items).T, []
    for start in range(0, len(users), chunk):
        part = mask[start : start + chunk].tocoo()
        scores = torch.from_numpy(users[start : start + chunk]) @ base
        scores[torch.from_numpy(part.row).long(), torch.from_numpy(part.col).long()] = -torch.inf
        found.append(scores.topk(k, dim=1).indices)
    return torch.cat(found).numpy()
