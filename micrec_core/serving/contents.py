"""What a bundle holds once it is read: everything needed to serve a run without its dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micrec_core.method.arrays import DomainArrays, ModelArrays

BRIDGE_ARRAYS = ("weight", "bias", "source")


@dataclass(frozen=True)
class DomainPart(DomainArrays):
    """One domain of the model, with its name and its ids and titles (str objects, by row)."""

    name: str
    user_ids: NDArray[np.object_]
    item_ids: NDArray[np.object_]
    titles: NDArray[np.object_]

    @cached_property
    def known_users(self) -> NDArray[np.int64]:
        """Rows of the users with interactions by now, in the order of their ids."""
        rows = np.flatnonzero(self.user_count > 0)
        return rows if self.later is None else rows[np.argsort(self.user_ids[rows])]


@dataclass(frozen=True)
class Bundle(ModelArrays):
    """The model, and what it takes to serve it beside.

    Attributes
    ----------
    parameters : the model's own by name, as ``model.safetensors`` has them; the arrays of the
        domains are the same memory
    encoders : modality -> (meta, arrays) of ``encoders.load_encoder``
    """

    domains: tuple[DomainPart, ...]
    parameters: Mapping[str, NDArray[Any]]
    encoders: dict[str, tuple[dict[str, Any], dict[str, NDArray[Any]]]]
    personas: tuple[dict[str, Any], ...]
    n_parameters: int

    def parameter_hash(self) -> str:
        """SHA-256 of every learned array as it is in memory now."""
        learned = dict(self.parameters)
        for (a, b), bridge in self.bridge.items():
            for name in (*BRIDGE_ARRAYS, "share"):
                learned[f"bridge.{a}-{b}.{name}"] = np.asarray(getattr(bridge, name))
        digest = hashlib.sha256()
        for name, value in sorted(learned.items()):
            digest.update(f"{name} {value.dtype} {value.shape}\n".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        return digest.hexdigest()
