"""The commands: each reads its words, calls the core, and writes what came of it."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from micrec_core.cli.modality_options import (
    dialect_of,
    dialect_words,
    specs,
    with_dialect,
    with_documents,
    with_encoders,
)
from micrec_core.cli.output import Progress, aligned, answer, metric_lines
from micrec_core.cli.parsing import changes, numbers, shares_of, sizes, words
from micrec_core.mechanisms import MECHANISMS
from micrec_core.modalities.registry import nouns
from micrec_core.protocols import CURVES, MASKS, PROTOCOLS

if TYPE_CHECKING:
    from micrec_core.data import Dataset
    from micrec_core.data.dialect import Dialect
    from micrec_core.running.train import TrainResult

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="MICRec Explorer: train, evaluate and serve an inductive, cross-domain, multimodal "
    "recommender.",
)

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Data = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of tables.")]
RunDir = Annotated[Path, typer.Argument(metavar="RUN", help="A run's directory.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
SplitKind = Annotated[str, typer.Option(help="known, or inductive to withhold.")]
Mask = Annotated[
    str, typer.Option(help="What test lists leave out: all, or train as public benchmarks do.")
]
SplitBy = Annotated[
    str, typer.Option(help="user (the last tenth of each), or time: one moment for everyone.")
]
TestFrom = Annotated[
    str, typer.Option(metavar="DATE|SHARE", help="Of --split-by time, the first of test.")
]
Tune = Annotated[
    int, typer.Option(help="First search for settings by so many trainings (needs optuna).")
]
Together = Annotated[
    int, typer.Option(help="Processes that share one training, each with a part of its rows.")
]
EngineSpec = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="process|ray[://HOST:PORT]",
        help="Who works on it: this process, or Ray's workers here or on a cluster (extra scale).",
    ),
]
Preset = Annotated[
    str,
    typer.Option(
        help="sparse or dense: the recipe for few or many interactions a user, auto for the one "
        "that the data asks for; paper: micrec as it was described, with nothing of ours."
    ),
]
Without = Annotated[str, typer.Option(help=f"Mechanisms to switch off: {','.join(MECHANISMS)}.")]
Descriptions = Annotated[
    str, typer.Option(help="original, generated (by enrich, where there is one) or both.")
]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting.")
]
Beside = Annotated[
    bool, typer.Option(help="Set cheap baselines beside it, in half of its time at most.")
]
UnknownItems = Annotated[str, typer.Option(help="error or drop.")]
Protocols = Annotated[
    str, typer.Option(help=f"Also train on less: {','.join(CURVES)}, or some of them.")
]
Exact = Annotated[
    bool,
    typer.Option("--exact", help="For programs: no ' before texts that look like formulas."),
]
Shares = Annotated[str, typer.Option(help="Points of those curves, such as 0.2,0.5.")]
Cache = Annotated[
    Path | None, typer.Option(help="Folder of encoded features, instead of the user's cache.")
]


@app.command()
def sample(
    out: Annotated[Path, typer.Option(help="A folder that does not exist or is empty.")],
    users: Annotated[int | None, typer.Option(help="Users in all.")] = None,
    items: Annotated[str, typer.Option(help="Items per domain: N or N,M.")] = "",
    membership: Annotated[
        str, typer.Option(help="Shares of users in both, only in the first, only in the second.")
    ] = "",
    rarer: Annotated[
        float | None, typer.Option(help="How many times rarer the rarest third of the items is.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same data.")] = 7,
    pictures: Annotated[bool, typer.Option(help="Draw a picture of each item.")] = True,
    format: Annotated[str, typer.Option(help="csv or parquet.")] = "csv",
    as_json: Json = False,
) -> None:
    """Generate a sample dataset (synthetic, and marked so): by default the app's own."""
    from micrec_core.sample.generate import ITEMS, OWN_RARER, SHARES, USERS, generate_sample
    from micrec_core.sample.world import MEMBERSHIP, RARER

    own = (USERS, ITEMS, SHARES, OWN_RARER)
    n_users, n_items, shares, rare = own if users is None else (users, None, MEMBERSHIP, RARER)
    with Progress() as progress:
        made = generate_sample(
            out, users=n_users, items=sizes(items) or n_items, seed=seed,
            membership=shares_of(membership) or shares, rarer=rare if rarer is None else rarer,
            pictures=pictures, format=format, progress=progress,
        )  # fmt: skip
    rows: list[list[Any]] = [["domain", "users", "items", "interactions"]]
    for name, d in made["domains"].items():
        rows.append([name, d["users"], d["items"], d["interactions"]])
    overlap = f"{made['overlap']:,} users are in both; written to {out}"
    answer(as_json, made, [*aligned(rows), overlap])


@app.command()
@with_dialect("tables")
def check(
    path: Data,
    unknown_items: UnknownItems = "error",
    split_by: SplitBy = "user",
    test_from: TestFrom = "",
    *,
    tables: dict[str, Any],
    pictures: Annotated[bool, typer.Option(help="Open every picture once.")] = True,
    table_mib: Annotated[
        int | None, typer.Option(help="Refuse a table that unpacks to more MiB.")
    ] = None,
    capped: Annotated[
        bool,
        typer.Option(
            "--capped",
            help="For tables from anyone: in a process of its own, within MICREC_CHECK_SECONDS and "
            "MICREC_CHECK_GIGABYTES.",
        ),
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Name all problems (20 at most), not the first alone.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Validate a dataset: counts, overlap, what is missing.

    How its tables are written (--map and its like) is remembered in its dataset.toml.
    """
    from micrec_core.errors import DataError
    from micrec_core.jobs.checking import Limits, check_capped

    reading = {"unknown_items": unknown_items, "split_by": split_by, "test_from": test_from}
    if capped:
        words = [f"--{name.replace('_', '-')}={value}" for name, value in reading.items() if value]
        words += ["--pictures" if pictures else "--no-pictures", *dialect_words(tables)]
        words += ["--all"] if every else []
        about = check_capped(path, words, Limits.of_this_server())
    elif every:
        about = _all_checked(path, reading, dialect_of(tables), pictures, table_mib)
    else:
        about = _checked(path, reading, dialect_of(tables), pictures, table_mib)
    if every and (about["problems"] or as_json):
        answer(as_json, about, [problem["said"] for problem in about["problems"]])
        raise typer.Exit(2 if about["problems"] else 0)
    about = about["about"] if every else about
    said = [m for m in about["domains"][0]["missing"] if m not in ("title", "description", "both")]
    keys = ("n_users", "n_items", "n_interactions", "n_train", "n_valid", "n_test")
    rows: list[list[Any]] = [["domain", *(k[2:] for k in keys), *(f"no {m}" for m in said)]]
    for d in about["domains"]:
        missing = d["missing"]
        rows.append([d["name"], *(d[k] for k in keys), *(missing[m] for m in said)])
    overlap = [f"{o['n_users']:,} users train both {o['a']} and {o['b']}" for o in about["overlap"]]
    answer(as_json, about, [about["name"], *aligned(rows), *overlap, *about["notes"]])
    if about["refusal"]:
        raise DataError(about["refusal"])


def _checked(
    path: Path, reading: dict[str, Any], dialect: Dialect, pictures: bool, table_mib: int | None
) -> dict[str, Any]:
    """What ``check`` tells of a dataset; how its tables are written is remembered."""
    from micrec_core.data import check_images, describe
    from micrec_core.data.schema import MAX_TABLE_BYTES
    from micrec_core.errors import DataError
    from micrec_core.modalities.dataset import items_saying

    most = MAX_TABLE_BYTES if table_mib is None else table_mib << 20
    try:
        dataset = _read_as(path, dialect, max_table_bytes=most, **reading)
        if pictures:
            check_images(dataset)
        return describe(dataset, items_saying(dataset))
    except MemoryError:
        raise DataError(
            "the tables take more memory than there is; bring fewer rows or split the dataset"
        ) from None


def _read_as(path: Path, dialect: Dialect, **reading: Any) -> Dataset:
    """A dataset whose tables are written so, which is remembered once they could be read."""
    from micrec_core.data import read_dataset
    from micrec_core.data.about import remember

    with Progress() as progress:
        dataset = read_dataset(path, dialect=dialect or None, progress=progress, **reading)
    if dialect:
        remember(path, dialect)
    return dataset


def _all_checked(
    path: Path, reading: dict[str, Any], dialect: Dialect, pictures: bool, table_mib: int | None
) -> dict[str, Any]:
    """What ``check --all`` tells: the tables' first rows, how they are read, what is wrong or what
    ``check`` tells.
    """
    from micrec_core.data.about import About, read_about
    from micrec_core.data.preview import preview
    from micrec_core.data.problems import all_problems
    from micrec_core.data.schema import MAX_TABLE_BYTES
    from micrec_core.errors import DataError

    most = MAX_TABLE_BYTES if table_mib is None else table_mib << 20
    about, problems = None, []
    try:
        about = _checked(path, reading, dialect, pictures, table_mib)
    except DataError as error:
        drop = reading["unknown_items"] == "drop"
        problems = all_problems(path, error, dialect, drop=drop, most_bytes=most)
    try:
        dialect = dialect or read_about(path).dialect
    except DataError:
        dialect = dialect or About("").dialect
    return {
        "tables": preview(path, dialect) if path.is_dir() else [],
        "dialect": dialect.told(),
        "problems": [asdict(problem) for problem in problems],
        "about": about,
    }


@app.command("features")
@with_encoders
def encode(
    path: Data,
    features: dict[str, Any],
    device: Device = "auto",
    cache: Cache = None,
    engine: EngineSpec = "process",
    as_json: Json = False,
) -> None:
    """Encode what items say in each modality, and keep the features for later commands."""
    import time

    from micrec_core.data import read_dataset
    from micrec_core.engines import opened
    from micrec_core.modalities.dataset import encode_dataset
    from micrec_core.modalities.encoders import check_encoders
    from micrec_core.training.prepare import choose_device

    started = time.perf_counter()
    encoders = specs(features)
    check_encoders(encoders)
    device, folder = choose_device(device), cache or _cache()
    with Progress() as progress, opened(engine) as there:
        dataset = read_dataset(path, progress=progress)
        progress(f"encoding {nouns()}", 0, 0)
        found = encode_dataset(dataset, encoders, cache=folder, device=device, engine=there)
    about = {
        m: {
            "encoder": found.encoders[m].label,
            "dim": parts[0].dim,
            "items": sum(len(p) for p in parts),
            "present": sum(int(p.present.sum()) for p in parts),
        }
        for m, parts in found.matrices.items()
    }
    told = {
        "modalities": about,
        "fingerprint": found.fingerprint,
        "unreadable": found.unreadable,
        "cache": None if folder is None else str(folder),
        "seconds": time.perf_counter() - started,
    }
    lines = [
        f"{m}: {a['present']:,} of {a['items']:,} items, {a['dim']} wide, by {a['encoder']}"
        for m, a in about.items()
    ]
    unread = [f"{len(found.unreadable):,} pictures could not be read"] if found.unreadable else []
    answer(as_json, told, [*lines, *unread] or ["No item says anything that is encoded."])


@app.command()
@with_dialect("tables")
@with_encoders
def train(
    path: Data,
    out: Annotated[Path, typer.Option(help="The new run's directory.")],
    model: Annotated[str, typer.Option(help="micrec, or a baseline such as lightgcn.")] = "micrec",
    without: Without = "",
    *,
    features: dict[str, Any],
    preset: Preset = "auto",
    split: SplitKind = "known",
    split_by: SplitBy = "user",
    test_from: TestFrom = "",
    tables: dict[str, Any],
    descriptions: Descriptions = "original",
    mask: Mask = "all",
    device: Device = "auto",
    seed: Annotated[int, typer.Option(help="Of the training.")] = 0,
    epochs: Annotated[int | None, typer.Option(help="At most so many.")] = None,
    set_: Changes = None,
    unknown_items: UnknownItems = "error",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last epoch.")] = False,
    umap: Annotated[bool, typer.Option(help="Lay snapshots out by UMAP too.")] = True,
    baselines: Beside = True,
    tune: Tune = 0,
    workers: Together = 1,
    engine: EngineSpec = "process",
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """Train a model, evaluate it and write a run.

    How its tables are written (--map and its like) is remembered in its dataset.toml.
    """
    from micrec_core.running.settings import run_settings

    settings = run_settings(
        {
            "model": {"name": model, "without": words(without)},
            "training": {} if epochs is None else {"epochs": epochs},
            "features": specs(features),
            "recipe": preset,
            "split": split,
            "mask": mask,
            "seed": seed,
            "unknown_items": unknown_items,
            "split_by": split_by,
            "test_from": test_from,
            "descriptions": descriptions,
        },
        changes(set_),
    )
    from micrec_core.cli.helpers import only_helps, train_together
    from micrec_core.training.prepare import reading_of

    dialect = dialect_of({} if only_helps() else tables)
    data = _read_as(path, dialect, **asdict(reading_of(settings))) if dialect else path
    with Progress() as progress:
        done = train_together(
            workers, data, out, settings, tune, device=device, resume=resume, progress=progress,
            cache=cache or _cache(), umap=umap, baselines=baselines, engine=engine,
        )  # fmt: skip
    if done is not None:  # else this process has helped another one, which answers
        lines = [*metric_lines(done.metrics), MASKS[mask], _in_short(done)]
        answer(as_json, asdict(done) | {"run": str(done.run)}, lines)


@app.command()
def evaluate(
    run: RunDir,
    protocol: Annotated[str, typer.Option(help=f"{', '.join(PROTOCOLS)} or all.")] = "all",
    dataset: Annotated[
        Path | None, typer.Option(help="The run's tables, to measure anew instead of reading.")
    ] = None,
    mask: Annotated[
        str | None, typer.Option(help="all or train, the run's own by default; needs the tables.")
    ] = None,
    device: Device = "auto",
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """The metrics of a run with their intervals."""
    from micrec_core.running.evaluate import evaluate_run

    with Progress() as progress:
        found = evaluate_run(
            run, dataset, protocol=protocol, mask=mask, device=device, progress=progress,
            cache=cache or _cache(),
        )  # fmt: skip
    about = asdict(found) | {"run": str(found.run), "summary": found.summary.to_dict("records")}
    answer(as_json, about, [*metric_lines(found.metrics), MASKS[found.mask]])


@app.command()
def variants(
    run: RunDir,
    dataset: Annotated[Path, typer.Option(help="The tables that the run was trained on.")],
    names: Annotated[
        str, typer.Option(help="Mechanisms to do without and baselines; all by default.")
    ] = "",
    seeds: Annotated[str, typer.Option(help="Such as 0,1,2; the run's own by default.")] = "",
    protocols: Annotated[
        str,
        typer.Option(help=f"Instead, curves of models trained on less: {','.join(CURVES)}."),
    ] = "",
    shares: Shares = "",
    device: Device = "auto",
    baselines: Annotated[
        bool, typer.Option(help="Set cheap baselines beside them, in half of a training's time.")
    ] = True,
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """Train variants and baselines of a run's model and add the comparison to the run."""
    from micrec_core.comparing.variants import train_curves, train_variants

    columns = ["model", "variant", "seed", "protocol", "domain", "mean"]
    with Progress() as progress:
        given: dict[str, Any] = {
            "names": words(names) or None, "seeds": numbers(seeds), "device": device,
            "progress": progress, "cache": cache or _cache(),
        }  # fmt: skip
        if protocols:
            table = train_curves(
                run, dataset, protocols=words(protocols), shares=shares_of(shares), **given
            )
            columns = ["curve", "share", *columns]
        else:
            table = train_variants(run, dataset, baselines=baselines, **given)
            columns += ["diff", "p_holm"]
    picked = table[(table["metric"] == "ndcg@20") & (table["cohort"] == "all")]
    lines = aligned([columns, *picked[columns].itertuples(index=False, name=None)])
    answer(as_json, {"run": str(run), "results": table.to_dict("records")}, lines)


@app.command()
@with_encoders
def compare(
    path: Data,
    out: Annotated[Path, typer.Option(help="The comparison's directory, new or to go on with.")],
    models: Annotated[str, typer.Option(help="Such as micrec,lightgcn; all by default.")] = "",
    without: Annotated[str, typer.Option(help="Mechanisms that micrec is tried without.")] = "",
    seeds: Annotated[str, typer.Option(help="Of the trainings.")] = "0,1,2",
    budget: Annotated[int, typer.Option(help="Points of its grid that each model may try.")] = 4,
    protocols: Protocols = "",
    shares: Shares = "",
    *,
    features: dict[str, Any],
    preset: Preset = "auto",
    split: SplitKind = "known",
    mask: Mask = "all",
    epochs: Annotated[
        int | None, typer.Option(help="At most; by default of micrec its own, else 200.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="For all trainings.")
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Processes that train at once; cores are shared among them.")
    ] = 1,
    helper: Annotated[bool, typer.Option("--helper", hidden=True)] = False,
    device: Device = "auto",
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """Train models and variants with several seeds and test them against each other."""
    from micrec_core.cli.helpers import starter
    from micrec_core.comparing.compare import compare as run_comparison
    from micrec_core.running.settings import run_settings

    base = run_settings(
        {
            "training": {} if epochs is None else {"epochs": epochs},
            "features": specs(features),
            "recipe": preset,
            "split": split,
            "mask": mask,
        },
        changes(set_),
    )
    with Progress() as progress:
        found = run_comparison(
            path, out, models=words(models), without=words(without), seeds=numbers(seeds),
            budget=budget, protocols=words(protocols), shares=shares_of(shares), base=base,
            device=device, workers=workers, helper=helper, helpers=starter(workers, helper),
            progress=progress, cache=cache or _cache(),
        )  # fmt: skip
    if helper:
        return
    columns = ["model", "variant", "protocol", "domain", "metric", "mean", "diff", "p_holm"]
    rows = [[row[c] for c in (*columns, "verdict")] for row in found["tests"]]
    answer(as_json, found, [*aligned([[*columns, "verdict"], *rows]), MASKS[mask], str(out)])


@app.command()
@with_documents
def recommend(
    run: RunDir,
    domain: Annotated[str, typer.Option(help="Where to recommend.")],
    user: Annotated[str | None, typer.Option(help="A user id of the training data.")] = None,
    like: Annotated[
        list[str] | None, typer.Option(metavar="DOMAIN:ITEM", help="An item they like.")
    ] = None,
    *,
    documents: dict[str, Any],
    k: Annotated[int, typer.Option(help="Length of the list.")] = 10,
    explain: Annotated[bool, typer.Option("--explain", help="Say why.")] = False,
    as_json: Json = False,
) -> None:
    """The best items for anyone: a known user, or one made up here."""
    from micrec_core.cli.people import recommendation, recommendation_lines

    found = recommendation(run, domain, user, like or [], documents, k, explain)
    answer(as_json, found, recommendation_lines(found))


@app.command()
def recommend_all(
    run: RunDir,
    domain: Annotated[str, typer.Option(help="Where to recommend.")],
    out: Annotated[Path, typer.Option(help="The Parquet file.")],
    k: Annotated[int, typer.Option(help="Length of the lists.")] = 10,
    engine: EngineSpec = "process",
    as_json: Json = False,
) -> None:
    """The best items for everyone in a domain's training, into a file."""
    from micrec_core.engines import opened
    from micrec_core.runs import open_run
    from micrec_core.serving import Recommender

    with opened(engine) as there:
        users = Recommender.open(open_run(run)).write_all(out, domain, k, there)
    told = {"out": str(out), "users": users}
    answer(as_json, told, [f"{out}: lists of {users:,} users"])


@app.command()
def export(
    run: RunDir,
    out: Annotated[Path, typer.Option(help="The file, or for projector the folder.")],
    format: Annotated[str, typer.Option(help="html, tsv or projector.")] = "html",
    exact: Exact = False,
    as_json: Json = False,
) -> None:
    """A report of a run, or its item vectors for other programs."""
    from micrec_core.report.export import export_run

    files = [str(file) for file in export_run(run, format, out, exact=exact)]
    answer(as_json, {"run": str(run), "format": format, "files": files}, files)


@app.command()
def results(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs and comparisons.")],
    out: Annotated[Path, typer.Option(help="The report to write.")] = Path("docs/results.md"),
    draw: Annotated[
        list[Path] | None, typer.Option(help="A run to put together with other draws.")
    ] = None,
    note: Annotated[
        list[str] | None, typer.Option(help="DATASET=SENTENCE above its tables.")
    ] = None,
    exact: Exact = False,
    as_json: Json = False,
) -> None:
    """A Markdown report of stored runs with their tests, and its tables as CSV."""
    from micrec_core.report.results import write_results

    pairs = (words.partition("=") for words in note or [])
    notes = {name: sentence for name, _, sentence in pairs}
    write_results(runs, out, notes, draw or [], exact=exact)
    answer(as_json, {"out": str(out)}, [str(out)])


@app.command()
def sample_run(
    data: Annotated[Path, typer.Option(help="The tables that come with the app.")],
    out: Annotated[Path, typer.Option(help="The run's directory, replaced at the end.")],
    seeds: Annotated[str, typer.Option(help="The first is of the run itself.")] = "0,1,2",
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Train the run that comes with the app anew, with variants and curves."""
    from micrec_core.comparing.sample_run import make_sample_run

    with Progress() as progress:
        size = make_sample_run(data, out, seeds=numbers(seeds), device=device, progress=progress)
    answer(as_json, {"run": str(out), "bytes": size}, [f"{out}, {size / 2**20:.1f} MiB"])


@app.command("compile")
def compile_ahead() -> None:
    """Compile the kernels now, so that the first training does not; once per installation."""
    from micrec_core.running.kernels import compile_kernels

    os.nice(10)  # whoever waits for something else comes first
    answer(False, {}, ["compiled" if compile_kernels() else "nothing to compile"])


@app.command("app")
def start_app(port: Annotated[int, typer.Option(help="Where it answers.")] = 8501) -> None:
    """Open the app in a browser; it shows the runs of ``runs/`` here, or of ``MICREC_RUNS``."""
    from micrec_core.bundled import APP
    from micrec_core.errors import ConfigError

    if find_spec("streamlit") is None:
        raise ConfigError("the app needs Streamlit; install it: pip install 'micrec-explorer[app]'")
    command = ["-m", "streamlit", "run", str(APP), "--server.port", str(port)]
    # Whoever types this is this computer's own user.
    environment = {"MICREC_ANY_FOLDER": "1"} | os.environ
    os.execve(sys.executable, [sys.executable, *command], environment)


def _cache() -> Path | None:
    from micrec_core.training.prepare import cache_folder

    return cache_folder()


def _in_short(done: TrainResult) -> str:
    return f"{done.run}, best epoch {done.best_epoch}, {done.seconds:.0f} s"
