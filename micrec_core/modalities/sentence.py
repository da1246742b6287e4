"""Text through any sentence-transformers model, by name or from a local directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from numpy.typing import NDArray

from micrec_core.errors import ConfigError
from micrec_core.features import FeatureMatrix
from micrec_core.modalities.base import Encoder, OnUnreadable, State
from micrec_core.modalities.hashing import hash_files
from micrec_core.modalities.hub import hub_has, hub_revision

_BATCH = 64


class SentenceEncoder(Encoder):
    """A pretrained sentence encoder; loaded at the first text, never before.

    Parameters
    ----------
    name : name on the model hub, or a directory that holds the model
    device : torch device
    """

    kind: ClassVar[str] = "sentence"
    modality = "text"

    def __init__(self, name: str, *, device: str = "cpu") -> None:
        self.name = name
        self.device = device
        self.spec = f"sentence:{name}"
        self._dim = 0
        self._expected: str | None = None
        self._model: Any = None
        self._lock = Lock()

    @classmethod
    def from_spec(cls, rest: str, modality: str, device: str) -> SentenceEncoder:
        return cls(rest, device=device)

    @property
    def label(self) -> str:
        return f"sentence encoder {Path(self.name).name}"

    @property
    def dim(self) -> int:
        if not self._dim:
            self._load()
        return self._dim

    def encode(
        self, inputs: Sequence[str | None], *, on_unreadable: OnUnreadable | None = None
    ) -> FeatureMatrix:
        """Encode texts: ``dense`` [n, dim]; an empty or missing text is missing."""
        texts = [(text or "").strip() for text in inputs]
        rows = [row for row, text in enumerate(texts) if text]
        if not rows:
            return FeatureMatrix.of_rows(len(texts), self.dim, (), ())
        with self._lock:  # fast tokenizers must not be entered by two threads
            model = self._load()
            vectors = model.encode(
                [texts[row] for row in rows],
                batch_size=_BATCH,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return FeatureMatrix.of_rows(len(texts), vectors.shape[1], rows, vectors)

    def warm(self) -> None:
        with self._lock:
            self._load()

    def content_key(self) -> str:
        if Path(self.name).is_dir():
            return f"sentence {hash_files(Path(self.name))}"
        if hub_revision(_repository(self.name)) is None:
            self._load()  # downloads it, so that the key can name the revision
        return f"{self.spec} {hub_revision(self.name, 'sentence-transformers')}"

    def state(self) -> State:
        meta = {
            "kind": self.kind,
            "name": self.name,
            "dim": self.dim,
            "content": self._expected or self.content_key(),
        }
        return meta, {}

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, device: str = "cpu"
    ) -> SentenceEncoder:
        out = cls(str(meta["name"]), device=device)
        out._dim = int(meta["dim"])
        out._expected = str(meta["content"])
        return out

    def _load(self) -> Any:
        """The model, loaded once; ConfigError where package, model or the same weights lack."""
        if self._model is None:
            model = _open_model(self.name, self.device)
            if self._expected is not None and self._expected != self._key_of_loaded():
                raise ConfigError(
                    f"the sentence model '{self.name}' is not the one that the features were made "
                    "with; put back the same weights or encode and train again"
                )
            # Asked of a vector, since the name of the method for it differs between versions.
            self._dim = int(model.encode(["a"], show_progress_bar=False).shape[1])
            self._model = model
        return self._model

    def _key_of_loaded(self) -> str:
        if Path(self.name).is_dir():
            return self.content_key()
        return f"{self.spec} {hub_revision(self.name, 'sentence-transformers')}"


def _repository(name: str) -> str:
    """Models that are named without an owner belong to the library's own."""
    return name if "/" in name else f"sentence-transformers/{name}"


def _open_model(name: str, device: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ConfigError(
            "the encoder 'sentence' needs the package sentence-transformers; install it, or use "
            "--text classic"
        ) from error
    if not Path(name).is_dir() and (Path(name).is_absolute() or name.startswith((".", "~"))):
        raise ConfigError(f"there is no directory '{name}' with a sentence model")
    problem: Exception | None = None
    # What is on this machine first, the hub only if it answers.
    for local in (True,) if Path(name).is_dir() else (True, False):
        if not local and not hub_has(_repository(name)):
            break
        try:
            return SentenceTransformer(
                name, device=device, local_files_only=local, trust_remote_code=False
            ).eval()
        except Exception as error:  # missing files, no network, no such name, damaged weights
            problem = error
    raise ConfigError(
        f"the sentence model '{name}' cannot be loaded; give the name of a sentence-transformers "
        "model that can be downloaded, or a directory that holds one"
    ) from problem
