"""From what a user writes (a spec) or what a run has saved, to an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from micrec_core.errors import ConfigError, RunError
from micrec_core.modalities.modality import MIXED, NO_ENCODER, PRECOMPUTED, Card, Choice
from micrec_core.modalities.registry import MODALITIES, modality

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micrec_core.modalities.base import Encoder


def make_encoder(spec: str, name: str, *, device: str = "cpu") -> Encoder:
    """A new encoder from its spec; nothing is loaded or fitted yet.

    Parameters
    ----------
    spec : one of the forms of the modality's ``choices`` (for text and images a CLIP model is
        ``clip:MODEL:PRETRAINED``, a tag or a file of weights; MODEL may be a JSON model config), or
        ``precomputed:PATH``, or several of them with a + between (``mixed``)
    name : of the modality
    device : torch device for encoders that use one

    Raises
    ------
    ConfigError
        The spec is not known for the modality, lacks its model or path, or needs a package that is
        not installed.
    """
    choices = {**modality(name).choices, "precomputed": PRECOMPUTED}
    parts = _parts(spec, choices)
    if len(parts) > 1:
        from micrec_core.modalities.mixed import MixedEncoder

        return MixedEncoder([make_encoder(part, name, device=device) for part in parts])
    word, _, rest = spec.strip().partition(":")
    if word not in choices:
        if name not in MODALITIES:
            raise ConfigError(
                f"there is no modality '{name}'; there are: {', '.join(MODALITIES)}, and any other "
                f"that comes as supplied vectors ({PRECOMPUTED.form})"
            )
        known = ", ".join(choice.form for choice in choices.values())
        raise ConfigError(f"there is no {name} encoder '{spec}'; there are: {known} and none")
    form = choices[word].form
    if bool(rest) != (":" in form):
        raise ConfigError(f"the {name} encoder '{spec}' must be written {form}")
    return choices[word].load().from_spec(rest, name, device)


def cards(spec: str, name: str) -> dict[str, Card]:
    """The card of each part of a spec, by the form that it is written in; none for an unknown one.

    Parameters
    ----------
    spec : as a run has stored it
    name : of the modality
    """
    choices = {**modality(name).choices, "precomputed": PRECOMPUTED}
    known = [choices.get(part.partition(":")[0]) for part in _parts(spec, choices)]
    return {choice.form: choice.card for choice in known if choice and choice.card}


def _parts(spec: str, choices: Mapping[str, Choice]) -> list[str]:
    """Specs with a + between; a + within a path parts nothing."""
    out: list[str] = []
    for part in spec.split("+"):
        if out and part.strip().partition(":")[0] not in choices:
            out[-1] += f"+{part}"
        else:
            out.append(part)
    return [part.strip() for part in out]


def check_encoders(specs: Mapping[str, str]) -> None:
    """Refuse an encoder that there is not, before anything is read or written.

    Parameters
    ----------
    specs : modality -> spec, or ``none``

    Raises
    ------
    ConfigError
        The first that is not known.
    """
    for name, spec in specs.items():
        if spec != NO_ENCODER:
            make_encoder(spec, name)


def load_encoder(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, device: str = "cpu"
) -> Encoder:
    """The encoder whose ``state()`` was saved; RunError when it is of no known kind or damaged."""
    kind = str(meta.get("kind"))
    known: dict[str, Choice] = {c.kind: c for c in (PRECOMPUTED, MIXED)}
    for found in MODALITIES.values():
        known |= {choice.kind: choice for choice in found.choices.values()}
    if kind not in known:
        raise RunError(
            f"the saved encoder is of the unknown kind '{kind[:60]}'; it needs a newer version of "
            "this program"
        )
    try:
        return known[kind].load().from_state(meta, arrays, device=device)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"the saved encoder '{kind}' is incomplete; encode and train again"
        ) from error
