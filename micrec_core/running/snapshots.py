"""The same people's vectors in two domains at chosen epochs, their alignment and 2-D layouts."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.answering.answers import array
from micrec_core.compiling import placed
from micrec_core.data.progress import Progress
from micrec_core.evaluation.alignment import alignment_metrics, retrieval_places
from micrec_core.method.micrec import Encoded
from micrec_core.names import ALIGNMENT, ALIGNMENT_COLUMNS, LAYOUT_COLUMNS, LAYOUTS, SNAPSHOT_USERS
from micrec_core.runs import RunWriter
from micrec_core.subset import some_of
from micrec_core.training.prepare import Prepared

# As many as the page draws as points; beyond, a sample of them.
MOST_USERS = 12_500
# For metrics over all overlapping users: so many pairs are enough for a narrow interval.
_MOST_PAIRS = 5000
_WATCHED = 500
_SEED = 0
_FILE = "snapshots/epoch_{:04d}.safetensors"
_NAME = re.compile(r"epoch_(\d{4,})\.safetensors")
_NEIGHBOURS = 15
_UMAP_EPOCHS = 200
Rows = NDArray[np.int64]
Vectors = NDArray[np.floating]


def wanted(epoch: int) -> bool:
    """Epochs kept while training: before the first, then 1, 2, 4, 8, ..."""
    return epoch == 0 or epoch & (epoch - 1) == 0


class Snapshots:
    """Keeps what the Alignment page shows; does nothing where no two domains share users.

    Parameters
    ----------
    writer : of the run; what an earlier process of it has kept is gone on with
    """

    def __init__(self, writer: RunWriter, prepared: Prepared):
        self.writer = writer
        self.prepared = prepared
        self.pair = prepared.pair
        self.alignment = _stored(writer)
        if self.pair is None:
            return
        left, right = prepared.knowledge.links[self.pair]
        rows = some_of(len(left), MOST_USERS)
        self.left, self.right = left[rows], right[rows]
        a, b = (prepared.knowledge.domains[d] for d in self.pair)
        ids = prepared.dataset.domains[self.pair[0]].user_ids
        writer.write_parquet(
            SNAPSHOT_USERS,
            pd.DataFrame(
                {
                    "row": np.arange(len(rows)),
                    "user_id": ids[self.left].astype(str),
                    "degree_a": a.user_degree[self.left].astype(np.int32),
                    "degree_b": b.user_degree[self.right].astype(np.int32),
                }
            ),
        )

    def take(self, epoch: int, encoded: Sequence[Encoded]) -> None:
        """Keep the vectors and the alignment of an epoch, in place of an earlier try at it."""
        if self.pair is None:
            return
        users = [array(e.users) for e in encoded]
        self.writer.write_tensors(_FILE.format(epoch), self.vectors(users))
        parts = [self.alignment[self.alignment["epoch"] != epoch]]
        parts += [self._measure(epoch, pair, users) for pair in self._pairs()]
        full = [p for p in parts if len(p)]
        self.alignment = pd.concat(full, ignore_index=True).sort_values("epoch", kind="stable")
        self.writer.write_parquet(ALIGNMENT, self.alignment)

    def vectors(self, users: Sequence[Vectors]) -> dict[str, NDArray[np.float16]]:
        """Of the users of each domain, those who are kept: ``a`` and ``b`` [n, D]."""
        assert self.pair is not None
        a, b = self.pair
        kept = {"a": users[a][self.left], "b": users[b][self.right]}
        return {side: rows.astype(np.float16) for side, rows in kept.items()}

    @property
    def names(self) -> list[str]:
        """The domains of the pair."""
        assert self.pair is not None
        return [self.prepared.dataset.domains[d].name for d in self.pair]

    def watch(self, encoded: Sequence[Encoded]) -> dict[str, float]:
        """Mean cosine of true pairs and MRR of the partner on a few users, for the history."""
        if self.pair is None:
            return {}
        (a, b), known = self.pair, self.prepared.knowledge.domains
        left, right = self.left[:_WATCHED], self.right[:_WATCHED]
        unit_a, unit_b = _unit(array(encoded[a].users)), _unit(array(encoded[b].users))
        pool = np.flatnonzero(known[b].user_degree > 0)
        places = retrieval_places(unit_a[left], unit_b[pool], np.searchsorted(pool, right))
        return {
            "paired_cosine": float(np.mean(np.sum(unit_a[left] * unit_b[right], axis=1))),
            "mrr": float(np.mean(1.0 / places)),
        }

    def finish(self, best: int, encoded: Sequence[Encoded], umap: bool, progress: Progress) -> None:
        """Keep the best epoch as the last one and lay all kept epochs out in two dimensions."""
        if self.pair is None:
            return
        for epoch in self.epochs():
            if epoch > best:
                (self.writer.path / _FILE.format(epoch)).unlink()
        self.alignment = self.alignment[self.alignment["epoch"] <= best]
        if best in set(self.alignment["epoch"]):  # taken at its time, with the same parameters
            self.writer.write_parquet(ALIGNMENT, self.alignment)
        else:
            self.take(best, encoded)
        kept = self.epochs()
        stages = [self.writer.read_tensors(_FILE.format(e)) for e in kept]
        self.writer.write_parquet(LAYOUTS, lay_out(kept, stages, self.names, umap, progress))

    def epochs(self) -> list[int]:
        """Epochs of which vectors are kept by now."""
        files = (self.writer.path / "snapshots").glob("epoch_*.safetensors")
        return sorted(int(m[1]) for f in files if (m := _NAME.fullmatch(f.name)))

    def _pairs(self) -> list[tuple[int, int]]:
        links = self.prepared.knowledge.links.items()
        return [(a, b) for (a, b), (rows, _) in links if a < b and len(rows)]

    def _measure(self, epoch: int, pair: tuple[int, int], users: list[Vectors]) -> pd.DataFrame:
        """Alignment of a pair of domains, partners looked for among all users in training."""
        known, (left, right) = self.prepared.knowledge, self.prepared.knowledge.links[pair]
        rows = some_of(len(left), _MOST_PAIRS)
        left, right = left[rows], right[rows]
        pools = [np.flatnonzero(known.domains[d].user_degree > 0) for d in pair]
        a, b = (users[d] for d in pair)
        frame = alignment_metrics(
            a[left], b[right], a[pools[0]], b[pools[1]],
            np.searchsorted(pools[0], left), np.searchsorted(pools[1], right),
        )  # fmt: skip
        names = [self.prepared.dataset.domains[d].name for d in pair]
        return frame.assign(epoch=epoch, a=names[0], b=names[1])[ALIGNMENT_COLUMNS]


def lay_out(
    moments: Sequence[float],
    stages: Sequence[dict[str, NDArray]],
    names: Sequence[str],
    umap: bool,
    progress: Progress,
    rounds: int = _UMAP_EPOCHS,
) -> pd.DataFrame:
    """Layouts of each moment by PCA and, where it can be had and is asked for, by UMAP.

    Parameters
    ----------
    stages : vectors ``a`` and ``b`` [n, D] of each moment
    names : of the two domains
    rounds : of UMAP's optimiser

    Returns
    -------
    ``LAYOUT_COLUMNS``
    """
    frames = [_frame("pca", moments, pca_layouts(stages), names)]
    n = sum(len(rows) for rows in stages[0].values())
    if umap and n > _NEIGHBOURS and importlib.util.find_spec("umap") is not None:
        frames.insert(0, _frame("umap", moments, umap_layouts(stages, progress, rounds), names))
    return pd.concat(frames, ignore_index=True)


def pca_layouts(stages: Sequence[dict[str, NDArray]]) -> list[NDArray[np.float32]]:
    """The first two principal axes of each epoch's unit vectors, turned to match the one before.

    Returns
    -------
    a float32 [2 n, 2] per epoch, the users of a first
    """
    out: list[NDArray[np.float32]] = []
    for stage in stages:
        points = _points(stage)
        points = points - points.mean(axis=0)
        left, sizes, _ = np.linalg.svd(points, full_matrices=False)
        flat = np.zeros((len(points), 2), np.float32)
        width = min(2, len(sizes))
        flat[:, :width] = left[:, :width] * sizes[:width]
        if out:
            # Axes come with an arbitrary turn and sign; without this the map would jump.
            u, _, vt = np.linalg.svd(flat.T @ out[-1])
            flat = (flat @ u @ vt).astype(np.float32)
        out.append(flat)
    return out


def umap_layouts(
    stages: Sequence[dict[str, NDArray]], progress: Progress, rounds: int = _UMAP_EPOCHS
) -> list[NDArray[np.float32]]:
    """UMAP of each epoch's vectors by cosine, started from the layout of the epoch before.

    Returns
    -------
    as ``pca_layouts``
    """
    progress("loading UMAP", 0, 0)

    def load() -> type:
        from umap import UMAP

        return UMAP

    UMAP = placed(load)
    out: list[NDArray[np.float32]] = []
    start: NDArray[np.float32] = _spread(pca_layouts(stages[:1])[0])
    for place, stage in enumerate(stages):
        points = _points(stage)
        mapper = UMAP(
            n_neighbors=min(_NEIGHBOURS, len(points) - 1), n_components=2, metric="cosine",
            init=start, n_epochs=rounds, random_state=_SEED, n_jobs=1,
        )  # fmt: skip
        out.append(np.asarray(mapper.fit_transform(points), dtype=np.float32))
        start = out[-1]
        progress("laying out snapshots", place + 1, len(stages))
    return out


def _spread(layout: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scaled to the size that UMAP starts from, with no two points in the same place."""
    size = np.abs(layout).max()
    noise = np.random.default_rng(_SEED).normal(scale=1e-3, size=layout.shape)
    return (10.0 * layout / max(size, 1e-12) + noise).astype(np.float32)


def _points(stage: dict[str, NDArray]) -> NDArray[np.float32]:
    return _unit(np.concatenate([stage["a"], stage["b"]]).astype(np.float32))


def _frame(
    method: str, epochs: Sequence[float], layouts: Sequence[NDArray], names: Sequence[str]
) -> pd.DataFrame:
    parts = []
    for epoch, layout in zip(epochs, layouts, strict=True):
        for name, half in zip(names, np.split(layout, 2), strict=True):
            points = pd.DataFrame(half, columns=["x", "y"]).rename_axis("row").reset_index()
            parts.append(points.assign(epoch=epoch, method=method, domain=name)[LAYOUT_COLUMNS])
    return pd.concat(parts, ignore_index=True)


def _stored(writer: RunWriter) -> pd.DataFrame:
    if writer.has(ALIGNMENT):
        return pd.read_parquet(writer.path / ALIGNMENT)
    return pd.DataFrame(columns=ALIGNMENT_COLUMNS)


def _unit(x: Vectors) -> NDArray[np.float32]:
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.maximum(norm, 1e-12), dtype=np.float32)
