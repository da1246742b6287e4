"""``unpack`` and ``mend`` make a dataset of what somebody brings; ``take-in`` takes their run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from micrec_core.cli.benchmarking import app  # with the commands that are there so far
from micrec_core.cli.commands import Data, Json
from micrec_core.cli.modality_options import dialect_of, with_dialect
from micrec_core.cli.output import answer
from micrec_core.errors import ConfigError, DataError

__all__ = ["app"]


@app.command()
def unpack(
    source: Annotated[Path, typer.Argument(metavar="ZIP", help="Tables and pictures.")],
    out: Annotated[Path, typer.Option(help="A folder that does not exist or is empty.")],
    most_mib: Annotated[int, typer.Option(help="Refuse what unpacks to more MiB.")] = 4096,
    as_json: Json = False,
) -> None:
    """Unpack a zip of tables and pictures from anyone; nothing of it lands outside the folder."""
    from micrec_core.data.unpacking import unpack as run

    notes = run(source, out, most_mib << 20)
    answer(as_json, {"notes": notes}, [*notes, f"written to {out}"])


@app.command("take-in")
def take_in(
    source: Annotated[Path, typer.Argument(metavar="ZIP", help="A run, as the app packs it.")],
    runs: Annotated[Path, typer.Option(help="The folder of runs.")] = Path("runs"),
    name: Annotated[str, typer.Option(help="Its name; else that in the zip.")] = "",
    as_json: Json = False,
) -> None:
    """Take a zip of a run from anyone into a folder of runs, where every file of it can be read."""
    from micrec_core.runs.archive import unpack as run

    try:
        with source.open("rb") as stream:
            called = run(stream, runs, name).name
    except OSError as error:
        raise DataError(f"'{source}' cannot be read ({error.strerror}); give a zip") from None
    answer(as_json, {"name": called}, [f"'{called}' is in {runs}"])


@app.command()
@with_dialect("tables")
def mend(
    path: Data,
    put: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE:LINE:COLUMN=VALUE", help="Change a field; in place."),
    ] = None,
    cut: Annotated[
        list[str] | None, typer.Option(metavar="FILE:LINE", help="Leave a row out; in place.")
    ] = None,
    *,
    tables: dict[str, Any],
    table_mib: Annotated[int, typer.Option(help="Refuse a table that unpacks to more MiB.")] = 8192,
    as_json: Json = False,
) -> None:
    """Change or leave out rows of text tables, as `check --all` names them."""
    from micrec_core.data.about import read_about
    from micrec_core.data.mending import Mend, apply

    mends = [Mend(*_place(word)) for word in cut or ()]
    for word in put or ():
        field, equals, value = word.partition("=")
        place, _, column = field.rpartition(":")
        if not equals or not column:
            raise ConfigError(f"'{word}' is not of the form FILE:LINE:COLUMN=VALUE; write it so")
        mends.append(Mend(*_place(place), column, value))
    apply(path, mends, dialect_of(tables) or read_about(path).dialect, table_mib << 20)
    answer(as_json, {"mended": len(mends)}, [f"{len(mends)} mended"])


def _place(word: str) -> tuple[str, int]:
    file, _, line = word.rpartition(":")
    if not file or not line.isdecimal():
        raise ConfigError(f"'{word}' is not of the form FILE:LINE; write it so")
    return file, int(line)
