"""What a modality is: its name and looks, what encodes it, and who can say it in which way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from micrec_core.data.types import Dataset
    from micrec_core.modalities.base import Encoder

# The spec of a modality that is not to be used.
NO_ENCODER = "none"


@dataclass(frozen=True)
class Card:
    """What a reader should know of an encoder before trusting its vectors.

    Attributes
    ----------
    what : what it does, a phrase
    maker : who made what it computes with
    licence : of code and weights
    size : what it adds to an installation, and how wide its vectors are
    """

    what: str
    maker: str
    licence: str
    size: str


@dataclass(frozen=True)
class Choice:
    """An encoder that a modality can be made by.

    Attributes
    ----------
    form : how a user writes its spec
    kind : ``Encoder.kind``, by which a stored encoder is found again
    load : imports and returns the class, so that naming it costs nothing
    card : what the app says of it
    """

    form: str
    kind: str
    load: Callable[[], type[Encoder]]
    card: Card | None = None


@dataclass(frozen=True)
class Modality:
    """One kind of content.

    Attributes
    ----------
    name : its key in settings, columns and files
    label : one word, as shown
    noun, nouns : one thing that says it, and several, within a sentence
    lacking : what an item without it has not got, after "without"
    says : what its part of a score comes from
    colour, symbol : of its marks; Okabe and Ito's colours, none of another role (``figures.theme``)
    encoder : the spec of its encoder where nobody says which, or ``none``
    choices : first word of a spec -> encoder; ``precomputed`` goes for every modality
    items : what the items of a dataset say in it, domain after domain: texts (str) or files (Path)
        to be encoded, None for an item that says nothing; without it, vectors must be supplied
    asks : what someone new is asked for in it (values are as ``brand=Acme; price=3..8``); None
        where they cannot say it
    """

    name: str
    label: str
    noun: str
    nouns: str
    lacking: str
    says: str
    colour: str
    symbol: str
    encoder: str = NO_ENCODER
    choices: Mapping[str, Choice] = field(default_factory=dict)
    items: Callable[[Dataset], list[Any]] | None = None
    asks: Literal["sentence", "picture", "values"] | None = None


def _clip() -> type[Encoder]:
    from micrec_core.modalities.clip import ClipEncoder

    return ClipEncoder


def _precomputed() -> type[Encoder]:
    from micrec_core.modalities.precomputed import PrecomputedVectors

    return PrecomputedVectors


def _mixed() -> type[Encoder]:
    from micrec_core.modalities.mixed import MixedEncoder

    return MixedEncoder


CLIP = Choice(
    "clip:MODEL:PRETRAINED",
    "clip",
    _clip,
    Card(
        "texts and pictures in one space, by an open_clip model of your choice",
        "whoever trained the model that is named",
        "MIT (open_clip); the weights have their own",
        "open_clip is installed already; weights from a file or a model hub",
    ),
)
PRECOMPUTED = Choice(
    "precomputed:PATH",
    "precomputed",
    _precomputed,
    Card(
        "vectors that came with the data; nothing new can be encoded by them",
        "whoever supplied the data",
        "that of the data",
        "nothing to install",
    ),
)
# Of several encoders, for every modality; found by the mark between its parts, not by a word.
MIXED = Choice("ENCODER+ENCODER", "mixed", _mixed)
