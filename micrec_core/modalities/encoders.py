"""The encoders there are: from what a user writes (``spec``) or a run has saved, to an encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from micrec_core.errors import ConfigError, RunError
from micrec_core.modalities.base import Encoder, centre
from micrec_core.modalities.classic_image import ClassicImage
from micrec_core.modalities.classic_text import ClassicText
from micrec_core.modalities.clip import ClipEncoder
from micrec_core.modalities.precomputed import PrecomputedVectors
from micrec_core.modalities.sentence import SentenceEncoder

MODALITIES = ("text", "image")


__all__ = ["ENCODERS", "Encoder", "centre", "load_encoder", "make_encoder"]

# Saved kind -> class, for ``load_encoder``.
ENCODERS: dict[str, type[Encoder]] = {
    cls.kind: cls
    for cls in (ClassicText, ClassicImage, SentenceEncoder, ClipEncoder, PrecomputedVectors)
}

_Maker = Callable[[str, str], Encoder]
# (first word of a spec, modality) -> how to make it from (what follows the colon, device).
_SPECS: dict[tuple[str, str], _Maker] = {
    ("classic", "text"): lambda rest, device: ClassicText(),
    ("classic", "image"): lambda rest, device: ClassicImage(),
    ("sentence", "text"): lambda rest, device: SentenceEncoder(rest, device=device),
    ("clip", "text"): lambda rest, device: ClipEncoder(rest, "text", device=device),
    ("clip", "image"): lambda rest, device: ClipEncoder(rest, "image", device=device),
    ("precomputed", "text"): lambda rest, device: PrecomputedVectors(rest, "text"),
    ("precomputed", "image"): lambda rest, device: PrecomputedVectors(rest, "image"),
}
_EXAMPLES = {
    "classic": "classic",
    "sentence": "sentence:NAME_OR_DIR",
    "clip": "clip:MODEL:PRETRAINED",
    "precomputed": "precomputed:PATH",
}


def make_encoder(spec: str, modality: str, *, device: str = "cpu") -> Encoder:
    """A new encoder from its spec; nothing is loaded or fitted yet.

    Parameters
    ----------
    spec : ``classic``, ``sentence:NAME_OR_DIR``, ``clip:MODEL:PRETRAINED`` (a tag or a file of
        weights; MODEL may be a JSON model config) or ``precomputed:PATH``
    modality : ``text`` or ``image``
    device : torch device for encoders that use one

    Raises
    ------
    ConfigError
        The spec is not known for the modality, or lacks its model or path.
    """
    if modality not in MODALITIES:
        raise ConfigError(f"there is no modality '{modality}'; there are: {', '.join(MODALITIES)}")
    word, _, rest = spec.strip().partition(":")
    known = [_EXAMPLES[name] for name, of in _SPECS if of == modality]
    if (word, modality) not in _SPECS:
        raise ConfigError(
            f"there is no {modality} encoder '{spec}'; there are: {', '.join(known)} and none"
        )
    if bool(rest) == (word == "classic"):
        raise ConfigError(f"the {modality} encoder '{spec}' must be written {_EXAMPLES[word]}")
    return _SPECS[word, modality](rest, device)


def load_encoder(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, device: str = "cpu"
) -> Encoder:
    """The encoder whose ``state()`` was saved; RunError when it is of no known kind or damaged."""
    kind = meta.get("kind")
    if kind not in ENCODERS:
        raise RunError(
            f"the saved encoder is of the unknown kind '{kind}'; it needs a newer version of this "
            "program"
        )
    try:
        return ENCODERS[kind].from_state(meta, arrays, device=device)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"the saved encoder '{kind}' is incomplete; encode and train again"
        ) from error
