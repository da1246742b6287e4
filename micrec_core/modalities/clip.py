"""Text and images in one space through any open_clip model.

``MODEL:PRETRAINED`` names an open_clip architecture and either one of its pretrained tags or a
local file of weights; MODEL may also be a JSON model config (``config.json:weights.safetensors``),
and ``hf-hub:OWNER/REPOSITORY`` or ``local-dir:FOLDER`` stand alone. Weights come from safetensors
or from ``torch.load(weights_only=True)``; no object is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from micrec_core.data.picture_files import ImageInput
from micrec_core.errors import ConfigError
from micrec_core.features import FeatureMatrix
from micrec_core.modalities.base import Encoder, OnUnreadable, State
from micrec_core.modalities.hashing import hash_file, hash_files
from micrec_core.modalities.hub import hub_has, hub_revision
from micrec_core.modalities.images import load_images

_BATCH = 64
_PRECISIONS = ("auto", "fp32", "fp16", "bf16")
_WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".npz")
# A colon parts model and weights, except the one after a drive letter.
_NAME = re.compile(r"^(?P<model>(?:[A-Za-z]:[\\/])?[^:]+):(?P<weights>.+)$")


@dataclass(frozen=True)
class ClipModel:
    """A loaded model with what prepares its inputs; ``lock`` guards the tokenizer."""

    model: Any
    preprocess: Any
    tokenizer: Any
    lock: Lock


class ClipEncoder(Encoder):
    """One modality of a CLIP-type model; both modalities of one name share the loaded weights.

    Parameters
    ----------
    name : ``MODEL:PRETRAINED`` as described in the module
    modality : ``text`` or ``image``
    device : torch device
    precision : ``fp32``, ``fp16``, ``bf16`` (autocast) or ``auto``: half on a GPU, full elsewhere
    """

    kind: ClassVar[str] = "clip"

    def __init__(
        self, name: str, modality: str, *, device: str = "cpu", precision: str = "auto"
    ) -> None:
        if precision not in _PRECISIONS:
            raise ConfigError(
                f"there is no precision '{precision}'; there are: {', '.join(_PRECISIONS)}"
            )
        self.name = name
        self.modality = modality
        self.device = device
        self.precision = precision
        self.spec = f"clip:{name}"
        self._model_name, self._pretrained = _parse(name)
        self._dim = 0
        self._expected: str | None = None
        self._clip: ClipModel | None = None

    @classmethod
    def from_spec(cls, rest: str, modality: str, device: str) -> ClipEncoder:
        return cls(rest, modality, device=device)

    @property
    def label(self) -> str:
        parts = [Path(part).name for part in (self._model_name, self._pretrained) if part]
        return f"CLIP {' '.join(parts)}"

    @property
    def dim(self) -> int:
        if not self._dim:
            self._dim = self.encode_array([""], "text").shape[1]
        return self._dim

    def encode(
        self,
        inputs: Sequence[str | None] | Sequence[ImageInput | None],
        *,
        on_unreadable: OnUnreadable | None = None,
    ) -> FeatureMatrix:
        """Encode texts or pictures: ``dense`` [n, dim], zero rows where missing."""
        rows: list[int] = []
        parts: list[NDArray[np.float32]] = []
        if self.modality == "text":
            texts = [(text or "").strip() for text in inputs]  # type: ignore[union-attr]
            rows = [row for row, text in enumerate(texts) if text]
            for start in range(0, len(rows), _BATCH):
                batch = [texts[row] for row in rows[start : start + _BATCH]]
                parts.append(self.encode_array(batch, "text"))
        elif any(picture is not None for picture in inputs):
            chunks = load_images(
                inputs,  # type: ignore[arg-type]
                self._loaded().preprocess,
                on_unreadable=on_unreadable,
                chunk=_BATCH,
                workers=4,
            )
            for positions, pixels in chunks:
                rows.extend(positions)
                parts.append(self.encode_array(pixels, "image"))
        vectors = np.concatenate(parts) if parts else ()
        return FeatureMatrix.of_rows(len(inputs), self.dim, rows, vectors)

    def encode_array(self, batch: Sequence[Any], modality: str) -> NDArray[np.float32]:
        """Vectors [n, dim] of one batch of texts, or of pictures already prepared as tensors."""
        import torch

        loaded = self._loaded()
        kind = torch.device(self.device).type
        dtype = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": None}.get(
            self.precision, torch.float16 if kind == "cuda" else None
        )
        cast = nullcontext() if dtype is None else torch.autocast(kind, dtype=dtype)
        with torch.inference_mode(), cast:
            if modality == "text":
                with loaded.lock:
                    tokens = loaded.tokenizer(list(batch))
                out = loaded.model.encode_text(tokens.to(self.device))
            else:
                out = loaded.model.encode_image(torch.stack(list(batch)).to(self.device))
        return out.float().cpu().numpy()

    def warm(self) -> None:
        self._loaded()

    def content_key(self) -> str:
        """Hashes of local weights and config; the bare name where open_clip downloads them."""
        parts = [f"precision {self.precision}"]
        for part in (self._model_name, self._pretrained or ""):
            folder = Path(part.removeprefix("local-dir:"))
            if part.startswith("local-dir:") and folder.is_dir():
                parts.append(hash_files(folder))
            elif Path(part).is_file():
                parts.append(hash_file(Path(part)))
            else:
                parts.append(part)
        return "clip " + " ".join(parts)

    def state(self) -> State:
        meta = {
            "kind": self.kind,
            "name": self.name,
            "modality": self.modality,
            "precision": self.precision,
            "dim": self.dim,
            "content": self._expected or self.content_key(),
        }
        return meta, {}

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, device: str = "cpu"
    ) -> ClipEncoder:
        out = cls(
            str(meta["name"]),
            str(meta["modality"]),
            device=device,
            precision=str(meta["precision"]),
        )
        out._dim = int(meta["dim"])
        out._expected = str(meta["content"])
        return out

    def _loaded(self) -> ClipModel:
        if self._clip is None:
            content = self.content_key()
            if self._expected is not None and content != self._expected:
                raise ConfigError(
                    f"the CLIP weights '{self.name}' are not there or not the ones that the "
                    "features were made with; put them back or encode and train again"
                )
            self._clip = _load(self._model_name, self._pretrained, self.device, content)
        return self._clip


def _parse(name: str) -> tuple[str, str | None]:
    """(model, tag or file of weights) from the name; None where the model brings its weights."""
    if name.startswith(("hf-hub:", "local-dir:")):
        return name, None
    match = _NAME.match(name)
    if match is None:
        raise ConfigError(
            f"the encoder 'clip:{name}' must name its weights: clip:MODEL:PRETRAINED, where "
            "PRETRAINED is a tag of open_clip or a local file"
        )
    return match["model"], match["weights"]


@lru_cache(maxsize=2)
def _load(model_name: str, pretrained: str | None, device: str, content: str) -> ClipModel:
    """Load once per content; the text and the image encoder of a run then share one model."""
    try:
        import open_clip
    except ImportError as error:
        raise ConfigError(
            "the encoder 'clip' needs the package open_clip_torch; install it, or use the encoder "
            "classic"
        ) from error
    preprocess: dict[str, Any] = {}
    if model_name.endswith(".json"):
        model_name, preprocess = _register(Path(model_name))
    _check_weights(open_clip, model_name, pretrained)
    try:
        model, transform = open_clip.create_model_from_pretrained(
            model_name,
            pretrained,
            precision="fp32",
            device=device,
            weights_only=True,
            image_mean=preprocess.get("mean"),
            image_std=preprocess.get("std"),
            image_interpolation=preprocess.get("interpolation"),
            image_resize_mode=preprocess.get("resize_mode"),
        )
        tokenizer = open_clip.get_tokenizer(model_name)
    except Exception as error:  # no network, another architecture's weights, a damaged file
        raise ConfigError(
            f"the CLIP model '{model_name}' with weights '{pretrained or model_name}' cannot be "
            "loaded; check the file and that it belongs to the model, or that it can be downloaded"
        ) from error
    return ClipModel(model.eval(), transform, tokenizer, Lock())


def _check_weights(open_clip: Any, model_name: str, pretrained: str | None) -> None:
    """One clear sentence for the mistakes that can be seen without loading anything."""
    if pretrained is None:
        repository = model_name.removeprefix("hf-hub:")
        if repository != model_name and not _to_be_had(repository, ("open_clip_config.json",)):
            raise ConfigError(_not_to_be_had(model_name))
        return
    if model_name not in open_clip.list_models():
        raise ConfigError(
            f"open_clip knows no model '{model_name}'; open_clip.list_models() lists those it "
            "knows, or give a JSON model config"
        )
    tags = open_clip.list_pretrained_tags_by_model(model_name)
    if Path(pretrained).is_file():
        if Path(pretrained).suffix not in _WEIGHTS:
            raise ConfigError(
                f"the CLIP weights '{pretrained}' must be a file that ends in {', '.join(_WEIGHTS)}"
            )
        return
    source = open_clip.get_pretrained_cfg(model_name, pretrained)
    if not source:
        known = f"a tag ({', '.join(tags)}) or " if tags else ""
        raise ConfigError(
            f"'{pretrained}' is no weights for the CLIP model '{model_name}'; give {known}"
            "an existing local file"
        )
    owner, _, rest = str(source.get("hf_hub", "")).partition("/")
    repository, _, file = rest.partition("/")
    files = (file, "open_clip_model.safetensors", "open_clip_pytorch_model.bin")
    if repository and not _to_be_had(f"{owner}/{repository}", files):
        raise ConfigError(_not_to_be_had(f"{model_name}:{pretrained}"))


def _to_be_had(repository: str, files: tuple[str, ...]) -> bool:
    return hub_revision(repository, filter(None, files)) is not None or hub_has(repository)


def _not_to_be_had(name: str) -> str:
    return (
        f"the CLIP weights '{name}' are not on this machine and cannot be downloaded; give a local "
        "file of weights, or use the encoder classic"
    )


def _register(path: Path) -> tuple[str, dict[str, Any]]:
    """Make a JSON model config known to open_clip under a name of its own; (name, preprocessing).

    open_clip's registry is keyed by file stem and a file called like a built-in model would
    replace that model for everyone, hence the hash in the name.
    """
    import open_clip

    try:
        text = path.read_text(encoding="utf-8")
        config = json.loads(text)
        model = config.get("model_cfg", config)
        complete = all(name in model for name in ("embed_dim", "vision_cfg", "text_cfg"))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ConfigError(f"the CLIP model config '{path}' is not a readable JSON file") from error
    if not complete:
        raise ConfigError(
            f"the CLIP model config '{path}' must have embed_dim, vision_cfg and text_cfg"
        )
    name = f"{path.stem}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if name not in open_clip.list_models():
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / f"{name}.json"
            copy.write_text(json.dumps(model), encoding="utf-8")
            open_clip.add_model_config(copy)
    return name, config.get("preprocess_cfg", {})
