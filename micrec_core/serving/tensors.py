"""What each tensor of a serving bundle is (shape, type, range), held to when written and when read.

A run may come from anyone, and NumPy, SciPy and the kernels trust what they index with. So a bundle
is made only of tensors that are all that this says; ``bundle`` asks before it writes and before it
reads, so that the two cannot part. ``runs.served`` says the same of ``serving.json``.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from micrec_core.method.profiles import SIGNALS
from micrec_core.runs.served import MOST_ROWS, About

# From this version of bundles on there is what came after training.
UPDATED = 7
LINKS, LINKS_BY_NOW = "links", "links_by_now"
# No number of a trained model is near it, and products of three of them are still float32.
LARGEST = 1e9
# The transposed view of a sparse matrix keeps a pointer a column, whether anything is there or not.
_MOST_COLUMNS = 2**24
_COSINE = 1.001
Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Of:
    """What a tensor is.

    Attributes
    ----------
    shape : of each axis a number, or the name of a size that must be the same wherever it is named;
        None where any will do
    kinds : names of the dtypes that it may have
    low, high : of its values; either may name a size, which values then reach or stay below
    """

    shape: tuple[int | str, ...] | None
    kinds: tuple[str, ...] = ("float32",)
    low: float | str = -LARGEST
    high: float | str = LARGEST

    def hold(self, name: str, array: NDArray[Any], sizes: dict[str, int]) -> None:
        """Hold a tensor to this; sizes named here for the first time are added.

        Raises
        ------
        ValueError
            It is another.
        """
        if array.dtype.name not in self.kinds:
            raise ValueError(f"'{name}' is of {array.dtype.name}, not of {self.kinds[0]}")
        if self.shape is not None:
            known = [sizes.get(s, -1) if isinstance(s, str) else s for s in self.shape]
            fits = len(array.shape) == len(known) and all(
                want in (-1, have) for want, have in zip(known, array.shape, strict=True)
            )
            if not fits:
                raise ValueError(f"'{name}' has the shape {array.shape}, which fits nothing else")
            for size, have in zip(self.shape, array.shape, strict=True):
                if isinstance(size, str):
                    sizes[size] = have
        if not array.size:
            return
        # A byte that is neither 0 nor 1 would be counted as more than one.
        values = array.view(np.uint8) if array.dtype == bool else array
        low = sizes[self.low] if isinstance(self.low, str) else self.low
        high = sizes[self.high] - 1 if isinstance(self.high, str) else self.high
        # Neither comparison holds of NaN, and no copy is made.
        if not (float(values.min()) >= low and float(values.max()) <= high):
            raise ValueError(f"'{name}' holds what is no number in its range")


_COLUMNS = ("uint16", "int32")


def _present(shape: str) -> Of:
    return Of((shape,), ("bool",), 0, 1)


def _pointers(rows: str) -> Of:
    return Of((f"{rows} + 1",), ("int32",), 0, MOST_ROWS)


def data_schema(about: About, names: Set[str]) -> dict[str, Of]:
    """Of what is known of users and items; every version of bundles has these.

    Parameters
    ----------
    names : of the tensors that there are, which say what of several forms a bundle has
    """
    out: dict[str, Of] = {}
    for m in about.modalities:
        out[f"means.{m}"] = Of(("domains", f"width {m}"))
        out |= {name: _ENCODER for name in names if name.startswith(f"encoder.{m}.")}
    for a, b in _pairs(about):
        # Of a user's two rows, the first is in the one domain and the second in the other.
        for side, d in (("source", a), ("target", b)):
            shape = (f"links {a}-{b}",)
            out[f"{LINKS}.{a}-{b}.{side}"] = Of(shape, ("int32",), 0, f"users {d}")
            if about.version >= UPDATED:
                now = (f"{LINKS_BY_NOW} {a}-{b}",)
                out[f"{LINKS_BY_NOW}.{a}-{b}.{side}"] = Of(now, ("int32",), 0, f"users {d}")
    for d in range(len(about.domains)):
        users, items = f"users {d}", f"items {d}"
        for which in ("train", "later") if about.version >= UPDATED else ("train",):
            out[f"{d}.{which}.indices"] = Of((f"{which} {d}",), _COLUMNS, 0, items)
            out[f"{d}.{which}.indptr"] = _pointers(users)
        remembered = about.memory[d] if about.memory else None
        needed = remembered is not None and remembered.weight and remembered.regress
        if needed or f"{d}.regression.data" in names:
            out |= _sparse_schema(f"{d}.regression", "items", items)
        for side in ("user", "item"):
            out[f"{d}.{side}_scaling.mean"] = Of(("modalities", len(SIGNALS)))
            out[f"{d}.{side}_scaling.std"] = Of(("modalities", len(SIGNALS)), low=1e-12)
        for m in about.modalities:
            out |= _modality_schema(f"{d}.{m}", m, users, items, names)
    return out


def _modality_schema(place: str, m: str, users: str, items: str, names: Set[str]) -> dict[str, Of]:
    out = {
        f"{place}.dense": Of((items, f"width {m}")),
        f"{place}.present": _present(items),
    }
    # Where there is no space of users it is computed, see ``user_spaces``.
    space = f"{place}.user_space"
    if f"{place}.sparse.data" in names:
        out |= _sparse_schema(f"{place}.sparse", items, f"vocabulary {m}")
        if f"{space}.data" in names:
            out |= _sparse_schema(space, users, f"vocabulary {m}")
    elif space in names:
        out[space] = Of((users, f"width {m}"))
    for side, rows in (("user", users), ("item", items)):
        near = f"{place}.{side}_neighbours"
        out[f"{near}.rows"] = Of((rows, near), ("int16", "int32"), -1, rows)
        out[f"{near}.similarity"] = Of((rows, near), low=-_COSINE, high=_COSINE)
    return out


def _sparse_schema(name: str, rows: str, columns: str) -> dict[str, Of]:
    return {
        f"{name}.width": Of((1,), ("int64",), columns, f"{columns} + 1"),
        f"{name}.data": Of((name,)),
        f"{name}.indices": Of((name,), _COLUMNS, 0, columns),
        f"{name}.indptr": _pointers(rows),
    }


def embedding_schema(about: About, names: Set[str]) -> dict[str, Of]:
    """Of what the model's forward pass gave, and of the bridges."""
    out: dict[str, Of] = {}
    for a, b in _pairs(about):
        bridge, linked = f"bridge.{a}-{b}", f"links {a}-{b}"
        if f"{bridge}.share" in names:
            out[f"{bridge}.share"] = Of((1,))
            out[f"{bridge}.weight"] = Of(("dim", "dim"))
            out[f"{bridge}.bias"] = Of(("dim",))
            out[f"{bridge}.source"] = Of((linked, "dim"))
        if f"{bridge}.target" in names:
            out[f"{bridge}.target"] = Of((linked, "dim"))
    for d in range(len(about.domains)):
        out[f"{d}.initial_users"] = Of((f"users {d}", "dim"))
        out[f"{d}.users"] = Of((f"users {d}", "dim"))
        out[f"{d}.item_layers"] = Of((f"items {d}", about.layers + 1, "sources", "dim"))
    return out


def parameter_schema(about: About, names: Set[str]) -> dict[str, Of]:
    """Of ``model.safetensors``."""
    out = {"alpha": Of((), low=-10, high=10)}
    out |= {f"project.{m}.weight": Of(("dim", f"width {m}")) for m in about.modalities}
    if _crossing(names):
        out |= {f"transfer.{a}-{b}.weight": Of(("dim", "dim")) for a, b in _pairs(about)}
    for d in range(len(about.domains)):
        own = f"domains.{d}"
        # Who and what came after training has no parameters.
        of = "trained " if about.version >= UPDATED else ""
        out |= {
            f"{own}.users": Of((f"{of}users {d}", "dim")),
            f"{own}.items": Of((f"{of}items {d}", "dim")),
        }
        out |= {f"{own}.{name}": Of(("dim",)) for name in ("any_user", "any_item", "self_enhanced")}
        for name in {"refine", "own_template"} & {"refine", *_leaves(names, own)}:
            out[f"{own}.{name}"] = Of(())
        for gate in ("user_gate", "item_gate"):
            out[f"{own}.{gate}.bias"] = Of(("modalities",))
            out[f"{own}.{gate}.slope"] = Of(("modalities", len(SIGNALS)))
            out[f"{own}.{gate}.strength"] = Of((2,))
    return out


# Of any shape: the encoder that they are of looks at them when it is loaded.
_ENCODER = Of(None, ("float16", "float32", "float64", "int32", "int64"))


def _pairs(about: About) -> list[tuple[int, int]]:
    return list(permutations(range(len(about.domains)), 2))


def _hold_pairs(about: About, tensors: Tensors) -> None:
    """ValueError where there are more pairs of domains than tensors to link them by.

    Pairs grow with the square of what a few bytes of ``serving.json`` say.
    """
    n = len(about.domains)
    if n * (n - 1) > len(tensors):
        raise ValueError(f"it does not link its {n} domains")


def _leaves(names: Set[str], prefix: str) -> set[str]:
    return {name.removeprefix(f"{prefix}.") for name in names if name.startswith(f"{prefix}.")}


def _crossing(names: Set[str]) -> bool:
    return any(name.startswith("transfer.") for name in names)


def hold_data(about: About, tensors: Tensors) -> None:
    """Hold what every version of bundles has to its schema, whatever else there is.

    Raises
    ------
    ValueError
        The first tensor that is missing or another is named.
    """
    _hold_pairs(about, tensors)
    _hold(tensors, data_schema(about, tensors.keys()), _sizes(about, tensors))


def hold(about: About, parameters: Tensors, tensors: Tensors) -> None:
    """Hold all tensors of a bundle to their schema; there may be none beside them.

    Raises
    ------
    ValueError
        The first tensor that is missing, unknown or another is named.
    """
    _hold_pairs(about, tensors)
    sizes = _sizes(about, tensors)
    sizes["sources"] = 1 + len(about.modalities) + _crossing(parameters.keys())
    of_parameters = parameter_schema(about, parameters.keys())
    names = tensors.keys()
    of_tensors = data_schema(about, names) | embedding_schema(about, names)
    for found, wanted in ((tensors, of_tensors), (parameters, of_parameters)):
        unknown = sorted(found.keys() - wanted.keys())
        if unknown:
            raise ValueError(f"no bundle has the tensor '{unknown[0]}'")
        _hold(found, wanted, sizes)
    if sizes["dim"] < 1:
        raise ValueError("its embeddings have no width")


def csr(
    data: NDArray[np.float32], indices: NDArray[Any], pointers: NDArray[np.int32], columns: int
) -> csr_matrix:
    """A sparse matrix of which every pointer and every column has been looked at.

    Raises
    ------
    ValueError
        They do not make up one, or a row names a column twice or out of order.
    """
    parts = data, indices.astype(np.int32), pointers
    made = csr_matrix(parts, shape=(len(pointers) - 1, columns))
    made.check_format(full_check=True)
    if pointers[-1] != len(indices) or not made.has_canonical_format:
        raise ValueError("the rows of a sparse matrix are not in order")
    return made


def _sizes(about: About, tensors: Tensors) -> dict[str, int]:
    """Sizes that are known from elsewhere than a shape."""
    sizes = {"domains": len(about.domains), "modalities": len(about.modalities)}
    sizes["items + 1"] = 1 + sum(domain.n_items for domain in about.domains)
    for d, domain in enumerate(about.domains):
        for side, n in (("users", domain.n_users), ("items", domain.n_items)):
            sizes |= {f"{side} {d}": n, f"{side} {d} + 1": n + 1}
    for m in about.modalities:
        width = tensors.get(f"0.{m}.sparse.width")
        if width is not None:
            columns = int(width[0])
            if columns > _MOST_COLUMNS:
                raise ValueError(f"the sparse features of {m} have too many columns")
            sizes |= {f"vocabulary {m}": columns, f"vocabulary {m} + 1": columns + 1}
    return sizes


def _hold(tensors: Tensors, wanted: Mapping[str, Of], sizes: dict[str, int]) -> None:
    for name, of in wanted.items():
        if name not in tensors:
            raise ValueError(f"it lacks the tensor '{name}'")
        of.hold(name, tensors[name], sizes)
