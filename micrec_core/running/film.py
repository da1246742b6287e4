"""Where people lie at moments of a training, for their map to be played: a small table of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core.answering.answers import array, embed
from micrec_core.data.progress import Progress
from micrec_core.method.micrec import Encoded, MICRec
from micrec_core.names import FILM, FILM_COLUMNS
from micrec_core.running.snapshots import Snapshots, lay_out

# Of more people nothing is kept: each moment costs a pass over the graph.
MOST_USERS, MOST_MOMENTS = 2_000, 10
# A map that goes on from the moment before settles in fewer rounds than one that begins.
_UMAP_EPOCHS = 60


def due(before: float, now: float) -> bool:
    """Whether a moment lies in (before, now], in epochs.

    Quarters of the first two epochs, in which most happens, then 3, 4, 6, 8, 12, 16, ...
    """
    if now <= 2:
        return int(4 * now) > int(4 * before)
    step = 2 ** int(np.log2(now) - 1e-9) / 2
    return int(now / step) > int(before / step)


class Film:
    """Keeps vectors of the people of ``snapshots`` until the training ends.

    Parameters
    ----------
    whole : whether it begins with the training; the film of one that was resumed lacks its start
    """

    def __init__(self, snapshots: Snapshots, whole: bool = True):
        self.snapshots = snapshots
        self.moments: dict[float, dict[str, NDArray[np.float16]]] = {}
        self.on = whole and snapshots.pair is not None and len(snapshots.left) <= MOST_USERS
        self._last = 0.0

    def look(self, epochs: float) -> Callable[[MICRec], None] | None:
        """What is to be shown the model amid an epoch, after so many of them; None for nothing.

        At an epoch's end ``take`` is given what was validated.
        """
        if epochs == int(epochs) or not self._wants(epochs):
            return None
        inputs = self.snapshots.prepared.inputs
        return lambda model: self._keep(epochs, embed(model, inputs))

    def take(self, epoch: int, encoded: Sequence[Encoded]) -> None:
        """Keep a moment between two epochs, if it is one to be kept."""
        if self.on and (epoch == 0 or self._wants(epoch)):
            self._keep(epoch, encoded)

    def finish(self, best: int, encoded: Sequence[Encoded], umap: bool, progress: Progress) -> None:
        """Lay out at most ``MOST_MOMENTS`` moments up to the best epoch and write them."""
        if not self.on or not self.moments or best < 1:
            return
        self._keep(best, encoded)
        kept = [moment for moment in sorted(self.moments) if moment <= best]
        places = np.linspace(0, len(kept) - 1, min(len(kept), MOST_MOMENTS)).round().astype(int)
        kept = [kept[i] for i in places]
        stages, names = [self.moments[m] for m in kept], self.snapshots.names
        frame = lay_out(kept, stages, names, umap, progress, _UMAP_EPOCHS)
        frame = frame.rename(columns={"epoch": "moment"})[FILM_COLUMNS]
        small = {"moment": "float32", "row": "int32", "x": "float32", "y": "float32"}
        self.snapshots.writer.write_parquet(FILM, pd.DataFrame(frame).astype(small))

    def _wants(self, epochs: float) -> bool:
        wanted = self.on and due(self._last, epochs)
        self._last = epochs
        return wanted

    def _keep(self, moment: float, encoded: Sequence[Encoded]) -> None:
        self.moments[moment] = self.snapshots.vectors([array(e.users) for e in encoded])
