"""Several encoders of one modality as one: ``classic+minilm``.

With the mean mu_p of part p's rows over the training catalogue, over P parts that an input has::

    x = concatenation over p of norm(x_p - mu_p) / sqrt(P),   then L2-normalised

so that the cosine of two inputs is the mean of the parts' centred cosines. Without the centring a
part whose vectors all point one way (a network's features are not negative) would only add a
constant. Dense alone: neighbours are found by this cosine, and no longer by words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from micrec_core.engines import HERE, Engine
from micrec_core.errors import ConfigError, DataError
from micrec_core.features import FeatureMatrix, centre, l2_normalise
from micrec_core.modalities.base import Encoder, OnUnreadable, State
from micrec_core.modalities.encoders import load_encoder
from micrec_core.modalities.precomputed import PrecomputedVectors


class MixedEncoder(Encoder):
    """Concatenated unit rows of several encoders, each centred on the training catalogue.

    Parameters
    ----------
    parts : two or more of the same modality, in the order of the columns

    Raises
    ------
    ConfigError
        A part is of supplied vectors, or is named twice.
    """

    kind: ClassVar[str] = "mixed"
    needs_fit: ClassVar[bool] = True

    def __init__(self, parts: Sequence[Encoder]) -> None:
        self.parts = tuple(parts)
        self.modality = parts[0].modality
        self.spec = "+".join(part.spec for part in parts)
        self._means: list[NDArray[np.float32]] = []
        if any(isinstance(part, PrecomputedVectors) for part in parts):
            raise ConfigError(
                f"supplied vectors cannot be mixed with other encoders ('{self.spec}'); put the "
                "columns of all into one file"
            )
        if len({part.spec for part in parts}) < len(parts):
            raise ConfigError(f"'{self.spec}' names an encoder twice; name each once")

    @property
    def label(self) -> str:
        return " + ".join(part.label for part in self.parts)

    @property
    def dim(self) -> int:
        return sum(part.dim for part in self.parts)

    def fit(self, inputs: Sequence[Any]) -> MixedEncoder:
        """Fit the parts that learn, and the mean of each; an unreadable picture is left out."""
        self.fit_encode(inputs, np.ones(len(inputs), bool), on_unreadable=lambda row, error: None)
        return self

    def fit_encode(
        self,
        inputs: Sequence[Any],
        fit_rows: NDArray[np.bool_],
        *,
        on_unreadable: OnUnreadable | None = None,
        engine: Engine = HERE,
    ) -> FeatureMatrix:
        """As ``fit`` and ``encode``, but every part reads every input only once."""
        asked: dict[str, Any] = {"on_unreadable": on_unreadable, "engine": engine}
        found = [p.fit_encode(inputs, fit_rows, **asked) for p in self.parts]
        self._means = [_mean(matrix, np.asarray(fit_rows, bool)) for matrix in found]
        return self._joined(found)

    def encode(
        self, inputs: Sequence[Any], *, on_unreadable: OnUnreadable | None = None
    ) -> FeatureMatrix:
        """Encode by every part: ``dense`` [n, dim], no sparse view; missing where all parts say so.

        Raises
        ------
        ConfigError
            A part cannot be loaded.
        """
        return self._joined([p.encode(inputs, on_unreadable=on_unreadable) for p in self.parts])

    def warm(self) -> None:
        for part in self.parts:
            part.warm()

    def content_key(self) -> str:
        return " + ".join(f"{p.kind} {p.version} {p.content_key()}" for p in self.parts)

    def state(self) -> State:
        metas: list[dict[str, Any]] = []
        arrays: dict[str, NDArray[Any]] = {}
        for k, (part, mean) in enumerate(zip(self.parts, self._means, strict=True)):
            meta, own = part.state()
            metas.append(meta)
            arrays |= {f"{k}.mean": mean} | {f"{k}.state.{name}": a for name, a in own.items()}
        return {"kind": self.kind, "parts": metas}, arrays

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, device: str = "cpu"
    ) -> MixedEncoder:
        parts, means = [], []
        for k, own in enumerate(meta["parts"]):
            start = f"{k}.state."
            state = {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}
            parts.append(load_encoder(own, state, device=device))
            means.append(np.asarray(arrays[f"{k}.mean"], np.float32))
            if means[-1].shape != (parts[-1].dim,):
                raise DataError(
                    "the saved mixed encoder does not fit together (a mean is not as wide as its "
                    "part); encode the dataset again"
                )
        out = cls(parts)
        out._means = means
        return out

    def _joined(self, found: Sequence[FeatureMatrix]) -> FeatureMatrix:
        centred = [centre(m, mean).dense for m, mean in zip(found, self._means, strict=True)]
        present = np.logical_or.reduce([matrix.present for matrix in found])
        return FeatureMatrix(l2_normalise(np.concatenate(centred, axis=1)), None, present)


def _mean(matrix: FeatureMatrix, fit: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Mean row of those to learn from that say something; zeros where none does."""
    rows = matrix.dense[matrix.present & fit]
    if not len(rows):
        return np.zeros(matrix.dim, np.float32)
    return rows.mean(axis=0, dtype=np.float64).astype(np.float32)
