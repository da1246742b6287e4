"""Text by static token vectors: the mean of those of its tokens.

    x = (1 / |t|) sum over tokens w of t of E_w,   then L2-normalised

E [32,000, 256] and the tokenizer are the files that the package ``wordllama`` ships. They are read
here, since the package's own ``load`` looks for a network and its import configures logging.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from micrec_core.errors import ConfigError
from micrec_core.features import FeatureMatrix
from micrec_core.modalities.base import OnUnreadable
from micrec_core.modalities.hashing import hash_bytes, hash_file
from micrec_core.modalities.packaged import PackagedEncoder, needed

_PACKAGE = "wordllama"
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_DIM = 256


class WordLlama(PackagedEncoder):
    """Mean of static token vectors: microseconds a title, without torch."""

    kind: ClassVar[str] = "wordllama"
    others = "the package wordllama is not the one"
    modality = "text"
    spec = "wordllama"

    @classmethod
    def from_spec(cls, rest: str, modality: str, device: str) -> WordLlama:
        needed(_PACKAGE, cls.spec)
        return cls()

    @property
    def label(self) -> str:
        return "WordLlama token vectors"

    @property
    def dim(self) -> int:
        return _DIM

    def encode(
        self, inputs: Sequence[str | None], *, on_unreadable: OnUnreadable | None = None
    ) -> FeatureMatrix:
        """Encode texts: ``dense`` [n, 256]; an empty or missing text is missing."""
        texts = [(text or "").strip() for text in inputs]
        rows = [row for row, text in enumerate(texts) if text]
        if not rows:
            return FeatureMatrix.of_rows(len(texts), _DIM, (), ())
        table, tokenizer = self._loaded()
        read = tokenizer.encode_batch([texts[row] for row in rows], add_special_tokens=False)
        vectors = np.stack([table[found.ids].mean(axis=0) for found in read])
        return FeatureMatrix.of_rows(len(texts), _DIM, rows, vectors)

    def content_key(self) -> str:
        return _content(needed(_PACKAGE, self.spec))

    def _opened(self) -> tuple[NDArray[np.float32], Any]:
        return _open(needed(_PACKAGE, self.spec))


@lru_cache(maxsize=1)
def _content(folder: Path) -> str:
    files = (hash_file(folder / name).encode() for name in (_WEIGHTS, _TOKENIZER))
    return f"wordllama {hash_bytes(files)}"


@lru_cache(maxsize=1)
def _open(folder: Path) -> tuple[NDArray[np.float32], Any]:
    """Token vectors float32 [32,000, 256] and the tokenizer."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    try:
        table = load_file(folder / _WEIGHTS)["embedding.weight"].astype(np.float32)
        tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
    except Exception as error:  # of another version, or damaged; tokenizers raises plain Exception
        raise ConfigError(
            "the package wordllama lacks the files of its model l2_supercat or they cannot be "
            "read; install it anew"
        ) from error
    # The shipped one pads to the longest of a batch and cuts long texts.
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return table, tokenizer
