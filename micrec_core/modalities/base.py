"""What every encoder is: inputs of one modality in, a ``FeatureMatrix`` out, state without pickle.

Kept apart from ``encoders.py``, so that encoder modules can import it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from micrec_core.engines import HERE, Engine
from micrec_core.errors import DataError
from micrec_core.features import FeatureMatrix

OnUnreadable = Callable[[int, DataError], None]
# Inputs that are encoded at a time.
SHARD = 2**12
State = tuple[dict[str, Any], dict[str, NDArray[Any]]]
Part = TypeVar("Part")


class Encoder(ABC):
    """Turns texts or images into vectors of one space, the same for every domain.

    Attributes
    ----------
    kind : by which a stored one is found again (``modality.Choice``), saved as ``meta["kind"]``
    version : raised whenever the code would give other numbers; part of the cache key
    needs_fit : whether the space is learnt from the training catalogue
    modality : name of the one it encodes
    spec : what a user writes to get this encoder, such as ``classic`` or ``sentence:NAME``
    """

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    needs_fit: ClassVar[bool] = False
    modality: str
    spec: str

    @classmethod
    def from_spec(cls, rest: str, modality: str, device: str) -> Encoder:
        """A new one from what follows the colon of a spec; nothing is loaded or fitted yet."""
        return cls()

    @property
    @abstractmethod
    def label(self) -> str:
        """A few words that say to a reader which encoder this is."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Width of the dense view."""

    @abstractmethod
    def encode(
        self, inputs: Sequence[Any], *, on_unreadable: OnUnreadable | None = None
    ) -> FeatureMatrix:
        """Encode ``inputs``, uncentred, rows L2-normalised; ``None`` is a missing input.

        Parameters
        ----------
        inputs : texts (str) or images (Path, bytes or PIL image)
        on_unreadable : called with the position and the error of an image that cannot be read,
            which then counts as missing; without it the error is raised

        Raises
        ------
        DataError
            An image that cannot be read, where ``on_unreadable`` is not given.
        ConfigError
            The package, the weights or the model the encoder needs are not to be had.
        """

    @abstractmethod
    def state(self) -> State:
        """What ``from_state`` needs: a JSON-able dict (with ``kind``) and named arrays."""

    @classmethod
    @abstractmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, device: str = "cpu"
    ) -> Encoder:
        """The encoder that ``state`` described; it gives the same vectors for the same input."""

    def fit(self, inputs: Sequence[Any]) -> Encoder:
        """Learn the space from training inputs; does nothing for a pretrained encoder."""
        return self

    def fit_encode(
        self,
        inputs: Sequence[Any],
        fit_rows: NDArray[np.bool_],
        *,
        on_unreadable: OnUnreadable | None = None,
        engine: Engine = HERE,
    ) -> FeatureMatrix:
        """Fit on the inputs that ``fit_rows`` [n] marks, then encode all of them by an engine."""
        self.fit([x for x, use in zip(inputs, fit_rows, strict=True) if use])
        found = engine.map(_encoded, self, shards_of(inputs))
        return FeatureMatrix.joined(list(told(found, on_unreadable)))

    def __reduce__(self) -> tuple[Callable[..., Encoder], tuple[type[Encoder], State]]:
        """What another process is handed: what would be saved of a fitted encoder."""
        return _again, (type(self), self.state())

    def in_common(self, a: csr_matrix, b: csr_matrix) -> str:
        """Why two sparse rows [1, vocabulary] are alike, in words; empty where it cannot tell."""
        return ""

    def warm(self) -> None:
        """Load now what a first query would wait for; ConfigError where it is not to be had."""
        return None

    def content_key(self) -> str:
        """What identifies the weights behind ``spec``, so that no cache outlives a change."""
        return self.spec


def shards_of(inputs: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """``SHARD`` inputs at a time, files by their whole path; one part at least."""
    for at in range(0, max(len(inputs), 1), SHARD):
        yield [x.absolute() if isinstance(x, Path) else x for x in inputs[at : at + SHARD]]


def told(
    found: Iterator[tuple[Part, dict[int, str]]], on_unreadable: OnUnreadable | None
) -> Iterator[Part]:
    """What was made of each shard, once it was told what in it could not be read.

    Raises
    ------
    DataError
        Something could not, and nobody is to be told.
    """
    for shard, (part, bad) in enumerate(found):
        for row, reason in bad.items():
            if on_unreadable is None:
                raise DataError(reason)
            on_unreadable(shard * SHARD + row, DataError(reason))
        yield part


def _encoded(encoder: Encoder, inputs: Sequence[Any]) -> tuple[FeatureMatrix, dict[int, str]]:
    """Features, and why which positions could not be read."""
    return noted(lambda tell: encoder.encode(inputs, on_unreadable=tell))


def noted(work: Callable[[OnUnreadable], Part]) -> tuple[Part, dict[int, str]]:
    """What is made by somebody who tells what could not be read, and why which positions."""
    bad: dict[int, str] = {}
    made = work(lambda row, error: bad.__setitem__(row, str(error)))
    return made, bad


def _again(kind: type[Encoder], state: State) -> Encoder:
    return kind.from_state(*state)
