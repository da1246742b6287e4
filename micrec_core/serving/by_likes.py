"""A model beside the run's own that knows someone new by their likes alone: LightGCN.

It owns a vector for each user and none for someone new, whom its propagation gives one from the
items that they took all the same (He et al. 2020, equations 3 and 4, without the user's own part):
e_u = (1 / (L + 1)) sum over l < L of sum over i of e_i^(l) / sqrt(n n_i). The first factors are the
same for all items, so that a list needs the sum over likes alone. That is what is measured of it on
new users.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from micrec_core.errors import RunError
from micrec_core.method.arrays import Floats, Rows
from micrec_core.runs import Run
from micrec_core.serving.bundle import pack_embeddings
from micrec_core.serving.tensors import Of, Tensors

if TYPE_CHECKING:
    from micrec_core.method.micrec import MICRec, Settings
    from micrec_core.training.prepare import Prepared


def by_likes_file(model: str) -> str:
    """Where a run keeps it."""
    return f"beside/{model}.safetensors"


def goes_by_likes(settings: Settings) -> bool:
    """Whether a model knows someone new by their likes alone, as LightGCN does."""
    return not (settings.templates or settings.modalities or settings.memory or settings.transfer)


def pack_by_likes(model: MICRec, prepared: Prepared) -> dict[str, NDArray[Any]]:
    """Of each domain what a like brings and what an item is, float32 [n_items, dim] both."""
    from micrec_core.method.inductive import encode_by_source

    found = pack_embeddings(encode_by_source(model, prepared.inputs))
    out = {}
    for d, part in enumerate(prepared.knowledge.domains):
        layers = found[f"{d}.item_layers"].sum(axis=2)
        passed = layers[:, : model.settings.layers].sum(axis=1)
        known = part.item_degree > 0
        scale = np.where(known, np.maximum(part.item_degree, 1.0) ** -0.5, 0.0)
        out[f"{d}.liked"] = (passed * scale[:, None]).astype(np.float32)
        out[f"{d}.items"] = (layers.mean(axis=1) * known[:, None]).astype(np.float32)
    _hold(out, tuple(len(part.item_degree) for part in prepared.knowledge.domains))
    return out


def _hold(tensors: Tensors, n_items: Sequence[int]) -> None:
    """Hold all tensors to what they are, when written and when read; ValueError where not."""
    sizes = {f"items {d}": n for d, n in enumerate(n_items)}
    for d in range(len(n_items)):
        for name in (f"{d}.liked", f"{d}.items"):
            if name not in tensors:
                raise ValueError(f"it lacks the tensor '{name}'")
            Of((f"items {d}", "dim")).hold(name, tensors[name], sizes)


@dataclass(frozen=True)
class ByLikes:
    """What a run keeps of it: ``liked`` and ``items`` of each domain, float32 [n_items, dim]."""

    tensors: Mapping[str, Floats]

    @classmethod
    def read(cls, run: Run, model: str, n_items: tuple[int, ...]) -> ByLikes:
        """That of a run.

        Raises
        ------
        RunError
            The run has none, or not of its items.
        """
        tensors = run.tensors(by_likes_file(model))
        try:
            _hold(tensors, n_items)
        except ValueError as error:
            raise RunError(
                f"Run '{run.name}': {by_likes_file(model)} is not of the run's items ({error}): "
                "train what stands beside it anew"
            ) from None
        return cls(tensors)

    def scores(self, d: int, likes: Rows) -> Floats:
        """Of all items of a domain, [n_items], up to a factor; equal where nothing is known."""
        out: Floats = self.tensors[f"{d}.items"] @ self.tensors[f"{d}.liked"][likes].sum(axis=0)
        return out
