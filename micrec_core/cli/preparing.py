"""``prepare``: raw files to tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from micrec_core.cli.commands import EngineSpec, Json
from micrec_core.cli.enriching import app  # with the commands that are there so far
from micrec_core.cli.modality_options import dialect_of, with_dialect
from micrec_core.cli.output import Progress, aligned, answer
from micrec_core.cli.parsing import named
from micrec_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from micrec_core.data.raw import Source

__all__ = ["app"]


@app.command()
@with_dialect("tables_")
def prepare(
    format: Annotated[
        str,
        typer.Argument(
            help="amazon2023, amazon2018, amazon2014, recbole, mmrec, movielens, movielens1m, "
            "goodreads, yelp, hm, steam, mind or csv."
        ),
    ],
    domain: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=REVIEWS[,META]",
            help="A domain's files (recbole: .inter,.item), plain or .gz; once for each.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="A folder that does not exist or is empty.")],
    images: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DIR", help="A domain's pictures, files called by item id."),
    ] = None,
    min_rating: Annotated[float | None, typer.Option(help="Keep ratings so high or more.")] = None,
    k_core: Annotated[
        int, typer.Option(help="Drop users and items with fewer interactions, again and again.")
    ] = 0,
    unknown_items: Annotated[
        str, typer.Option(help="Items without metadata: keep (titled by their id) or drop.")
    ] = "keep",
    bad_lines: Annotated[
        str, typer.Option(help="Lines that cannot be read: error, or skip and count.")
    ] = "error",
    tables: Annotated[
        str, typer.Option(help="csv or parquet; auto takes parquet for millions of rows.")
    ] = "auto",
    *,
    tables_: dict[str, Any],
    engine: EngineSpec = "process",
    as_json: Json = False,
) -> None:
    """Turn files of public data into a dataset; nothing is downloaded (docs/recipes.md)."""
    from micrec_core.data.raw import Options
    from micrec_core.data.raw import prepare as run
    from micrec_core.engines import opened

    dialect = dialect_of(tables_)
    options = Options(min_rating, k_core, unknown_items, bad_lines, tables, dialect)
    files = sources(domain, images or [])
    with Progress() as progress, opened(engine) as there:
        made = run(format, files, out, options, progress, there)
    answer(as_json, made, _lines(made))


def sources(domains: Sequence[str], images: Sequence[str]) -> list[Source]:
    """``NAME=REVIEWS,META`` and ``NAME=DIR`` as they are typed.

    Raises
    ------
    ConfigError
        A word has another form, or pictures are of no domain or of one that has some already.
    """
    from micrec_core.data.raw import Source
    from micrec_core.data.schema import listed, nearest, quote

    files = [named(word, "--domain NAME=REVIEWS,META") for word in domains]
    names = [name for name, _ in files]
    folders: dict[str, Path] = {}
    for name, folder in (named(word, "--images NAME=DIR") for word in images):
        if name not in names:
            close = nearest(name, names)
            mend = f"write {quote(close)}" if close else f"use {listed(names, len(names))}"
            raise ConfigError(f"--images is for a domain {quote(name)} that is not given; {mend}")
        if name in folders:
            raise ConfigError(f"--images is there twice for {quote(name)}; put all in one folder")
        folders[name] = Path(folder).expanduser()
    return [Source(name, *_files(text), folders.get(name)) for name, text in files]


def _files(text: str) -> tuple[Path, Path | None]:
    """One file, or those on both sides of the comma; of several commas, that between files that
    exist.
    """
    if "," not in text or Path(text).expanduser().is_file():
        return Path(text).expanduser(), None
    places = [k for k, letter in enumerate(text) if letter == ","]
    pairs = [(Path(text[:k]).expanduser(), Path(text[k + 1 :]).expanduser()) for k in places]
    if len(pairs) > 1:
        pairs = [pair for pair in pairs if all(path.is_file() for path in pair)]
    if len(pairs) != 1 or text.startswith(",") or text.endswith(","):
        raise ConfigError(
            f"'{text}' is not two files with a comma between them; write --domain NAME=REVIEWS,META"
        )
    return pairs[0]


def _lines(made: dict[str, Any]) -> list[str]:
    rows: list[list[Any]] = [["domain", "users", "items", "interactions", "dropped"]]
    for name, d in made["domains"].items():
        why = ", ".join(f"{n:,} {reason}" for reason, n in d["dropped"].items() if n)
        rows.append([name, d["users"], d["items"], d["interactions"], why or "nothing"])
    missing = [
        f"{name}: {d['without_title']:,} items without title, {d['without_description']:,} without "
        f"description, {d['without_image']:,} without picture, {d['titled_by_id']:,} titled by id"
        for name, d in made["domains"].items()
    ]
    pictures = [
        f"{name}: {', '.join(f'{n:,} pictures {what}' for what, n in d['pictures'].items() if n)}"
        for name, d in made["domains"].items()
        if "pictures" in d
    ]
    overlap = f"{made['overlap']:,} users are in two domains; " if len(made["domains"]) > 1 else ""
    end = f"{overlap}written to {made['out']}"
    return [*aligned(rows), *missing, *pictures, *made["notes"], end]
