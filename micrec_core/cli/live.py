"""``serve``: a finished run in use."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from micrec_core.cli.commands import app
from micrec_core.errors import ConfigError

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
    waiting: Annotated[int, typer.Option(help="Requests at work at once; more are told 503.")] = 64,
) -> None:
    """Answer over HTTP; keys come from MICREC_API_KEYS and MICREC_API_ADMIN_KEYS."""
    if any(find_spec(name) is None for name in ("fastapi", "prometheus_client", "uvicorn")):
        raise ConfigError(
            "the API needs FastAPI and uvicorn; install them: pip install 'micrec-explorer[api]'"
        )
    import uvicorn

    from micrec_core.api.door import ADMIN_KEYS, KEYS, environment_limits
    from micrec_core.api.service import make_service
    from micrec_core.api.shelf import Shelf, places_of

    limits = environment_limits(rate, max_megabytes)
    if host not in _LOOPBACK and not limits.closed:
        raise ConfigError(
            f"whoever reaches {host} could ask without a key; set {KEYS} or {ADMIN_KEYS}, or stay "
            "at 127.0.0.1"
        )
    service = make_service(Shelf(places_of(runs)), limits)
    uvicorn.run(
        service, host=host, port=port, log_level="warning", limit_concurrency=waiting,
        timeout_keep_alive=30, server_header=False,
    )  # fmt: skip
