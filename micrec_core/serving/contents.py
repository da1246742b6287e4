"""What a bundle holds once it is read: everything needed to serve a run without its dataset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from micrec_core.features import FeatureMatrix
from micrec_core.graphs.neighbours import Neighbours
from micrec_core.method.bridge import Bridge
from micrec_core.method.gate import Gate
from micrec_core.method.profiles import Scaling

Floats = NDArray[np.float32]
# Learned arrays of a domain beside its gates.
VECTORS = ("users", "items", "any_user", "any_item", "refine", "echo")
BRIDGE_ARRAYS = ("weight", "bias", "source", "target")
Space: TypeAlias = NDArray[np.float32] | csr_matrix


@dataclass(frozen=True)
class ModalityPart:
    """One modality of one domain.

    Attributes
    ----------
    features : of the items, centred
    user_space : [n_users, dim or vocabulary], profiles in which neighbours are found; rows of users
        who may not be a neighbour are zero
    user_neighbours, item_neighbours : as they were at training time
    """

    features: FeatureMatrix
    user_space: Space
    user_neighbours: Neighbours
    item_neighbours: Neighbours


@dataclass(frozen=True)
class DomainPart:
    """One domain: ids, train interactions, template vectors, gates, and its modalities.

    Attributes
    ----------
    user_ids, item_ids, titles : str objects, by row
    train : binary CSR [n_users, n_items]
    users, items : float32 [n, dim], template vectors (free vectors where there are no templates)
    any_user, any_item : float32 [dim], the global vectors
    refine : float32 [1], how much of their neighbours' template vectors items take in
    echo : float32 [1], how much of its own template vector an item takes in
    coherence : float32 [n_users, n_modalities]
    user_scaling, item_scaling : of the signals that the gates look at
    """

    name: str
    label: str
    user_ids: NDArray[np.object_]
    item_ids: NDArray[np.object_]
    titles: NDArray[np.object_]
    train: csr_matrix
    users: Floats
    items: Floats
    any_user: Floats
    any_item: Floats
    refine: Floats
    echo: Floats
    user_gate: Gate
    item_gate: Gate
    user_scaling: Scaling
    item_scaling: Scaling
    coherence: Floats
    modalities: dict[str, ModalityPart]

    @property
    def user_degree(self) -> Floats:
        """Number of train interactions of each user, float32 [n_users]."""
        return np.diff(self.train.indptr).astype(np.float32)

    @property
    def item_degree(self) -> Floats:
        """Number of train interactions of each item, float32 [n_items]."""
        counts = np.bincount(self.train.indices, minlength=self.train.shape[1])
        return counts.astype(np.float32)


@dataclass(frozen=True)
class Bundle:
    """All domains and what they share.

    Attributes
    ----------
    layers, templates, alpha : as in the model's settings; ``alpha`` is the annealed exponent
    k, temperature, cross_profile : how neighbours are found and weighed
    project : modality -> [dim, width]
    transfer : (source, target) -> [dim, dim]; empty where nothing crosses domains
    bridge : (source, target) -> what takes a user to a domain where they took nothing; the
        overlapping users it knows are those of ``links``, in that order
    links : (source, target) -> rows of the users trained on in both
    means : modality -> float32 [n_domains, width], what was subtracted from the features
    encoders : modality -> (meta, arrays) of ``features.load_encoder``
    """

    domains: tuple[DomainPart, ...]
    modalities: tuple[str, ...]
    layers: int
    templates: bool
    alpha: float
    k: int
    temperature: float
    cross_profile: bool
    project: dict[str, Floats]
    transfer: dict[tuple[int, int], Floats]
    bridge: dict[tuple[int, int], Bridge]
    links: dict[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.int64]]]
    means: dict[str, Floats]
    encoders: dict[str, tuple[dict[str, Any], dict[str, NDArray[Any]]]]
    personas: tuple[dict[str, Any], ...]
    n_parameters: int

    @property
    def dim(self) -> int:
        """Width of every embedding."""
        return len(self.domains[0].any_user)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources a score is split by, in the order of every array with a source axis."""
        crossing = ("bridge",) if self.transfer or self.bridge else ()
        return ("id", *self.modalities, *crossing)

    @property
    def can_fold_in(self) -> bool:
        """Whether someone new gets anything but the popular list (not with vectors per user)."""
        return self.templates or bool(self.modalities)

    def parameters(self) -> dict[str, NDArray[Any]]:
        """Every learned array by name, as it is in memory now."""
        out: dict[str, NDArray[Any]] = {"alpha": np.asarray(self.alpha)}
        for d, part in enumerate(self.domains):
            for name in VECTORS:
                out[f"{d}.{name}"] = getattr(part, name)
            for side in ("user_gate", "item_gate"):
                for leaf, value in getattr(part, side).state_dict().items():
                    out[f"{d}.{side}.{leaf}"] = value.detach().numpy()
        for m, matrix in self.project.items():
            out[f"project.{m}"] = matrix
        for (a, b), matrix in self.transfer.items():
            out[f"transfer.{a}-{b}"] = matrix
        for (a, b), bridge in self.bridge.items():
            for name in BRIDGE_ARRAYS:
                out[f"bridge.{a}-{b}.{name}"] = getattr(bridge, name)
            out[f"bridge.{a}-{b}.share"] = np.asarray(bridge.share)
        return out

    def parameter_hash(self) -> str:
        """SHA-256 of every learned array as it is in memory now."""
        digest = hashlib.sha256()
        for name, value in sorted(self.parameters().items()):
            digest.update(f"{name} {value.dtype} {value.shape}\n".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        return digest.hexdigest()
