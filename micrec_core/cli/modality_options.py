"""Options of the modalities' own names: ``--text``, ``--image``, one for each registered one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from micrec_core.cli.parsing import named
from micrec_core.modalities.modality import MIXED, NO_ENCODER, PRECOMPUTED, Modality
from micrec_core.modalities.registry import MODALITIES, spoken_to

if TYPE_CHECKING:
    from micrec_core.data.dialect import Dialect

_FEATURES = "features"


def _encoder(modality: Modality) -> inspect.Parameter:
    forms = [choice.form for choice in (*modality.choices.values(), PRECOMPUTED, MIXED)]
    words = f"{modality.label} encoder: {', '.join((*forms, NO_ENCODER))}."
    return _option(modality.name, str, modality.encoder, typer.Option(help=words))


def _document(modality: Modality) -> inspect.Parameter:
    words = {
        "sentence": "What they say they like.",
        "values": "Values of columns that they like: brand=Acme; price=3..8.",
    }.get(str(modality.asks), f"A {modality.noun} of what they like.")
    kind = Path | None if modality.asks == "picture" else str | None
    return _option(modality.name, kind, None, typer.Option(help=words))


def _option(name: str, kind: Any, default: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, option],
    )


def with_encoders(command: Callable[..., None]) -> Callable[..., None]:
    """Options for encoders, collected in the command's parameter ``features``."""
    more = typer.Option(
        metavar=f"NAME={PRECOMPUTED.form}", help="Supplied vectors of one more modality."
    )
    return _spread(
        command,
        _FEATURES,
        [*map(_encoder, MODALITIES.values()), _option(_FEATURES, list[str] | None, None, more)],
    )


def with_documents(command: Callable[..., None]) -> Callable[..., None]:
    """Options for what someone new says or shows, collected in ``documents``."""
    return _spread(command, "documents", [_document(found) for found in spoken_to()])


def _spread(
    command: Callable[..., None], into: str, options: list[inspect.Parameter]
) -> Callable[..., None]:
    """The command with several options in the place of one parameter, which gets all of them."""

    @wraps(command)
    def call(**given: Any) -> None:
        values = {option.name: given.pop(option.name) for option in options}
        return command(**given, **{into: values})

    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for own in signature.parameters.values():
        parameters += options if own.name == into else [own]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call


def with_dialect(into: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Options that say how tables are written, collected in a parameter of the command."""
    words = {
        "columns": (list[str] | None, "--map", "OURS=THEIRS", "Another name of a column."),
        "separator": (
            str | None,
            "--separator",
            None,
            "tab, comma, semicolon, bar, or it.",
        ),
        "encoding": (str | None, "--encoding", None, "Of text tables, such as cp1252."),
        "decimal": (str | None, "--decimal", None, "The mark of fractions, . or a comma."),
    }
    options = [
        _option(name, kind, None, typer.Option(option, metavar=form, help=said))
        for name, (kind, option, form, said) in words.items()
    ]
    return lambda command: _spread(command, into, options)


def dialect_words(tables: Mapping[str, Any]) -> list[str]:
    """What ``with_dialect`` collects, as it is typed."""
    words = [f"--map={word}" for word in tables["columns"] or ()]
    marks = ("separator", "encoding", "decimal")
    return words + [f"--{m}={tables[m]}" for m in marks if tables[m] is not None]


def dialect_of(tables: Mapping[str, Any]) -> Dialect:
    """What ``with_dialect`` collects; ConfigError where a word is not usable."""
    from micrec_core.data.dialect import Dialect

    given = {name: value for name, value in tables.items() if value is not None}
    return Dialect.of(**given)


def specs(features: Mapping[str, Any]) -> dict[str, str]:
    """Modality -> spec of its encoder, from what ``with_encoders`` collects.

    Raises
    ------
    ConfigError
        ``--features`` is not followed by NAME=SPEC.
    """
    own = {name: str(features[name]) for name in MODALITIES}
    form = f"--{_FEATURES} NAME={PRECOMPUTED.form}"
    return own | dict(named(word, form) for word in features[_FEATURES] or ())
