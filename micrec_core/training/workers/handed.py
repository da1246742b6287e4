"""What the first worker of a training hands to the others: what it derived, once, in a folder.

So tables are read, items encoded and neighbours found by one process and not by every worker. Large
tables stay in the file: workers of one machine share its pages, and each copies its rows alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from micrec_core.data.types import Edges
from micrec_core.errors import RunError
from micrec_core.graphs.aggregation import NeighbourGraph, NeighbourRows
from micrec_core.graphs.bipartite import BipartiteGraph
from micrec_core.method.inputs import DomainInputs, Link, ModelInputs, Side
from micrec_core.runs.files import read_json, read_tensors, write_json, write_tensors

_ARRAYS, _ABOUT = "handed.safetensors", "handed.json"
_SIDES = ("users", "items")
# Of a side, what is no matter of a modality.
_WHOLE = ("has", "signals", "unseen", "degree")
Arrays = dict[str, NDArray[Any]]


def hand_over(folder: Path, inputs: ModelInputs, edges: Sequence[Edges], per_user: float) -> None:
    """Write what others need to train with this process.

    Parameters
    ----------
    folder : one that all workers see
    inputs : of whole domains, on a processor
    edges : the train interactions of each domain, in their order
    per_user : how many there are of a user, by which a recipe is chosen

    Raises
    ------
    RunError
        It cannot be written.
    """
    arrays: Arrays = {}
    for d, (domain, pairs) in enumerate(zip(inputs.domains, edges, strict=True)):
        arrays |= {f"{d}.edges.user": pairs.user, f"{d}.edges.item": pairs.item}
        pattern = domain.graph.pattern
        arrays |= {f"{d}.indptr": pattern.indptr.numpy(), f"{d}.indices": pattern.indices.numpy()}
        for name in _SIDES:
            arrays |= _packed(f"{d}.{name}", getattr(domain, name))
    for place, link in enumerate(inputs.links):
        arrays[f"link.{place}.source"] = link.source_rows.numpy()
        arrays[f"link.{place}.target"] = link.target_rows.numpy()
    about = {
        "per_user": per_user,
        "sizes": [[domain.graph.n_users, domain.graph.n_items] for domain in inputs.domains],
        "links": [[link.source, link.target] for link in inputs.links],
        "modalities": list(inputs.modalities),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(folder / _ARRAYS, arrays)
        write_json(folder / _ABOUT, about)
    except OSError as error:
        raise RunError(
            f"what the other workers need cannot be written to {folder} ({error.strerror}); make "
            "room for it"
        ) from error


def handed(folder: Path) -> tuple[ModelInputs, list[Edges], float]:
    """What the first worker handed over.

    Raises
    ------
    RunError
        It is not there: this machine does not see the folder, or it is damaged.
    """
    where = f"the training at {folder.parent}, which a worker on every machine must see,"
    about = read_json(folder / _ABOUT, where)
    arrays = read_tensors(folder / _ARRAYS, where, finite=False, mapped=True)
    domains = []
    for d, size in enumerate(about["sizes"]):
        indices, indptr = arrays[f"{d}.indices"], arrays[f"{d}.indptr"]
        ones = np.ones(len(indices), np.float32)
        graph = BipartiteGraph(sparse.csr_matrix((ones, indices, indptr), shape=tuple(size)))
        sides = (_side(f"{d}.{name}", arrays, about["modalities"]) for name in _SIDES)
        domains.append(DomainInputs(graph, *sides))
    links = tuple(
        Link(*ends, *(_tensor(arrays[f"link.{place}.{end}"]) for end in ("source", "target")))
        for place, ends in enumerate(about["links"])
    )
    edges = [
        Edges(arrays[f"{d}.edges.user"], arrays[f"{d}.edges.item"]) for d in range(len(domains))
    ]
    inputs = ModelInputs(tuple(domains), links, tuple(about["modalities"]))
    return inputs, edges, about["per_user"]


def _packed(place: str, side: Side) -> Arrays:
    out = {f"{place}.{name}": getattr(side, name).numpy() for name in _WHOLE}
    everyone = torch.arange(len(side))
    for m, content in side.content.items():
        near = side.neighbours[m].take(everyone)
        assert isinstance(near, NeighbourRows)
        out[f"{place}.{m}.content"] = content.numpy()
        out[f"{place}.{m}.near"], out[f"{place}.{m}.weights"] = (
            near.near.numpy(),
            near.weights.numpy(),
        )
    return out


def _side(place: str, arrays: Arrays, modalities: Sequence[str]) -> Side:
    whole: dict[str, Any] = {name: _tensor(arrays[f"{place}.{name}"]) for name in _WHOLE}
    n = len(whole["degree"])
    return Side(
        content={m: _tensor(arrays[f"{place}.{m}.content"]) for m in modalities},
        neighbours={
            m: NeighbourGraph(arrays[f"{place}.{m}.near"], arrays[f"{place}.{m}.weights"], n)
            for m in modalities
        },
        **whole,
    )


def _tensor(array: NDArray[Any]) -> Tensor:
    with warnings.catch_warnings():
        # Of a table that stays in the file and must not be written to; nobody does.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
