"""``serve``, ``update`` and ``age``: a run in use, kept up with what comes, and how it ages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from micrec_core.cli.commands import Data, Device, Json, RunDir, app
from micrec_core.cli.output import Progress, aligned, answer
from micrec_core.cli.parsing import changes
from micrec_core.errors import ConfigError

if TYPE_CHECKING:
    from micrec_core.running.update import Updated

__all__ = ["app"]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@app.command()
def serve(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Runs, or NAME=RUN to name them.")
    ],
    host: Annotated[str, typer.Option(help="Another than this machine needs keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where it answers.")] = 8000,
    rate: Annotated[
        float, typer.Option(help="Requests a second and client; 0 for no limit.")
    ] = 0.0,
    max_megabytes: Annotated[float, typer.Option(help="Of a request's body.")] = 44.0,
    waiting: Annotated[
        int, typer.Option(help="Requests at work at once in a process; more are told 503.")
    ] = 64,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer together.")] = 1,
) -> None:
    """Answer over HTTP; keys come from MICREC_API_KEYS and MICREC_API_ADMIN_KEYS."""
    if any(find_spec(name) is None for name in ("fastapi", "prometheus_client", "uvicorn")):
        raise ConfigError(
            "the API needs FastAPI and uvicorn; install them: pip install 'micrec-explorer[api]'"
        )
    import uvicorn

    from micrec_core.api.door import ADMIN_KEYS, KEYS, environment_limits
    from micrec_core.api.shelf import Shelf, places_of

    limits = environment_limits(rate, max_megabytes)
    if host not in _LOOPBACK and not limits.closed:
        raise ConfigError(
            f"whoever reaches {host} could ask without a key; set {KEYS} or {ADMIN_KEYS}, or stay "
            "at 127.0.0.1"
        )
    options: dict[str, Any] = {
        "host": host, "port": port, "log_level": "warning", "access_log": False,
        "limit_concurrency": waiting, "timeout_keep_alive": 30, "server_header": False,
    }  # fmt: skip
    if workers > 1:
        from micrec_core.api.workers import sharing

        told = {"rate": rate, "max_megabytes": max_megabytes}
        # A process that opens a large run, or is one of many on its machine, is not one that hangs.
        options |= {"factory": True, "workers": workers, "timeout_worker_healthcheck": 60}
        with sharing(places_of(runs), told):
            uvicorn.run("micrec_core.api.workers:service", **options)
        return
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from micrec_core.api.service import make_service

    service = make_service(Shelf(places_of(runs)), limits)
    # A request is one thread's work; threads of BLAS would only wait for each other. This holds for
    # all threads at once, which ``one_blas_thread`` would have wait for each other.
    with threadpool_limits(1, user_api="blas"):
        uvicorn.run(service, **options)


@app.command(name="log-mlflow")
def log_mlflow(
    run: RunDir,
    store: Annotated[
        str, typer.Option(help="Where MLflow keeps its runs; the folder mlruns here by default.")
    ] = "",
    experiment: Annotated[str, typer.Option(help="Made where it is not there.")] = "micrec",
    as_json: Json = False,
) -> None:
    """Log a finished run in MLflow: settings, figures with intervals, report and the run."""
    from micrec_core.report.tracking import log_run
    from micrec_core.runs import open_run

    made = log_run(open_run(run), store, experiment)
    answer(as_json, {"run": str(run), "mlflow": made}, [f"logged as {made} of '{experiment}'"])


@app.command()
def update(
    run: RunDir,
    out: Annotated[Path, typer.Option(help="The new run's directory.")],
    interactions: Annotated[
        Path | None, typer.Option(help="A table: user_id, item_id, domain.")
    ] = None,
    items: Annotated[
        Path | None, typer.Option(help="A table: item_id, domain, title, description, image.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add users, items and interactions to a run without training, as a new run."""
    from micrec_core.running.update import update_run
    from micrec_core.runs import open_run

    with Progress() as progress:
        made = update_run(open_run(run), out, interactions, items, progress=progress)
    about = vars(made) | {"run": str(made.run)}
    answer(as_json, about, _lines(made))


@app.command()
def age(
    path: Data,
    out: Annotated[Path, typer.Option(help="The runs' directory, new or to go on with.")],
    slices: Annotated[int, typer.Option(help="How many the second half of time is cut into.")] = 10,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting.")
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure how a run ages: left alone, updated, and trained anew, slice by slice of time."""
    from micrec_core.comparing.aging import SYSTEMS
    from micrec_core.comparing.aging import age as study
    from micrec_core.running.settings import run_settings

    settings = run_settings({}, changes(set_))
    with Progress() as progress:
        made = study(path, out, settings, slices=slices, device=device, progress=progress)
    lines = []
    for name in ("groups", "slices", "shares"):
        columns = [c for c in ("group", "slice", "late") if c in made[name]]
        columns += ["n", *SYSTEMS, "gain", "gain_p", "left", "left_p"]
        lines += aligned([columns, *made[name][columns].itertuples(index=False, name=None)])
    answer(as_json, {name: table.to_dict("records") for name, table in made.items()}, lines)


def _lines(made: Updated) -> list[str]:
    rows: list[list[Any]] = [["domain", "users", "items", "interactions", "folded-in lists"]]
    for name, added in made.added.items():
        share = f"{made.drift[name]['lists']:.1%}"
        rows.append([name, added["users"], added["items"], added["interactions"], share])
    days = max(found["days"] for found in made.drift.values())
    end = f"{made.run}, trained {days:.0f} days ago, {made.seconds:.1f} s"
    return [*aligned(rows), *made.notes, *([made.advice] if made.advice else []), end]
