"""The service: addresses, what each calls, and how errors are told."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as AnyHTTPException

from micrec_core.api import messages as m
from micrec_core.api.buckets import Buckets
from micrec_core.api.door import Door, Limits
from micrec_core.api.meter import CONTENT_TYPE, Meter
from micrec_core.api.replies import batch, listed, new_item, reasons, run_answer, similar
from micrec_core.api.shelf import Served, Shelf
from micrec_core.errors import MicrecError
from micrec_core.serving import Recommender
from micrec_core.version import __version__

# Told on the page; what holds is the door's.
_LONGEST = 400
_KEY = [Depends(HTTPBearer(auto_error=False, description="A key, where the service has any."))]
_SAID = {
    400: "The body is not JSON.",
    401: "No key that is known.",
    403: "The key may not do this.",
    404: "No such run.",
    413: "The body is too large.",
    422: "Something in the body is wrong or not known.",
    429: "Too many requests.",
}


def make_service(
    shelf: Shelf, limits: Limits | None = None, buckets: Buckets | None = None
) -> FastAPI:
    """The application, to be run by any ASGI server.

    Parameters
    ----------
    shelf : the runs that answer
    limits : keys, rate and sizes; by default no key and no rate
    buckets : where requests are counted against the rate; by default in this process
    """
    limits, meter = limits or Limits(), Meter()
    buckets = buckets or Buckets(limits.rate)
    service = FastAPI(
        title="MICRec",
        version=__version__,
        summary="Lists, reasons and new items from trained runs.",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=_settled,
    )
    _add_watching(service, shelf, meter)
    _add_runs(service, shelf, meter)
    _add_questions(service, shelf)
    service.add_exception_handler(RequestValidationError, _invalid)
    service.add_exception_handler(MicrecError, _refused)
    service.add_exception_handler(AnyHTTPException, _told)
    told = {"limits": limits, "meter": meter, "buckets": buckets}
    service.add_middleware(Door, **told)  # type: ignore[arg-type]
    return service


@asynccontextmanager
async def _settled(_: FastAPI) -> AsyncIterator[None]:
    """Once all is there that stays: garbage is looked for among what requests leave alone."""
    gc.collect()
    gc.freeze()
    yield


def _add_watching(service: FastAPI, shelf: Shelf, meter: Meter) -> None:
    @service.get("/health", responses=_problems(), tags=["watching"])
    async def health() -> m.Health:
        """Whether the service answers; needs no key."""
        return m.Health(status="ok", version=__version__, runs=shelf.names())

    @service.get(
        "/metrics",
        response_class=Response,
        responses=_problems(401, 429) | {200: {"content": {"text/plain": {}}}},
        dependencies=_KEY,
        tags=["watching"],
    )
    def metrics() -> Response:
        """Counts and times in Prometheus' text format."""
        return Response(meter.text(), media_type=CONTENT_TYPE)


def _add_runs(service: FastAPI, shelf: Shelf, meter: Meter) -> None:
    told: dict[str, Any] = {"dependencies": _KEY, "tags": ["runs"]}

    @service.get("/runs", responses=_problems(401, 429), **told)
    def runs() -> list[m.RunAnswer]:
        """The runs that answer."""
        found = [(name, shelf.get(name)) for name in shelf.names()]
        return [run_answer(name, served) for name, served in found if served is not None]

    @service.get("/runs/{run}", responses=_problems(401, 404, 422, 429), **told)
    def one_run(run: str) -> m.RunAnswer:
        """What a run is of and how much is in it."""
        return run_answer(run, _served(shelf, run))

    @service.put("/runs/{run}", responses=_problems(400, 401, 403, 404, 413, 422, 429), **told)
    def swap(run: str, body: m.SwapRequest, request: Request) -> m.RunAnswer:
        """Let another run answer under this name; needs an admin key. Nothing is interrupted."""
        if not request.state.admin:
            raise HTTPException(403, "a run is swapped by an admin key alone")
        _served(shelf, run)
        served = shelf.swap(run, body.run)
        meter.swapped(run)
        return run_answer(run, served)


def _add_questions(service: FastAPI, shelf: Shelf) -> None:
    told: dict[str, Any] = {
        "responses": _problems(400, 401, 404, 413, 422, 429),
        "dependencies": _KEY,
        "tags": ["questions"],
    }

    @service.post("/runs/{run}/recommend", **told)
    async def recommend(run: str, body: m.ListRequest) -> m.ListAnswer:
        """The best items of a domain for anyone, without those they like already."""
        asked = partial(listed, _recommender(shelf, run), body, body.domain, body.k, body.exclude)
        # Handing it to a thread, which then contends for the interpreter, takes longer than a list
        # by ids alone; what is said or shown is encoded first.
        return asked() if body.is_quick else await run_in_threadpool(asked)

    @service.post("/runs/{run}/batch", **told)
    def lists(run: str, body: m.BatchRequest, request: Request) -> m.BatchAnswer:
        """A list each for several people; who cannot be served gets a sentence instead."""
        request.state.charge(len(body.people) - 1)
        return batch(_recommender(shelf, run), body)

    @service.post("/runs/{run}/explain", **told)
    def explain(run: str, body: m.ReasonsRequest) -> m.ReasonsAnswer:
        """Why an item has its score for someone; what is told adds up to it."""
        return reasons(_recommender(shelf, run), body)

    @service.post("/runs/{run}/similar", **told)
    def alike(run: str, body: m.SimilarRequest) -> m.SimilarAnswer:
        """Items of the catalogue like one of it."""
        return similar(_recommender(shelf, run), body)

    @service.post("/runs/{run}/new-items", **told)
    def new(run: str, body: m.NewItemRequest) -> m.NewItemAnswer:
        """What an item that is not in the catalogue is like, and whose list it would be in."""
        return new_item(_recommender(shelf, run), body)


# Errors ------------------------------------------------------------------------------------------


def _served(shelf: Shelf, run: str) -> Served:
    found = shelf.get(run)
    if found is None:
        raise HTTPException(404, f"no run is served as '{run}'; GET /runs lists them")
    return found


def _recommender(shelf: Shelf, run: str) -> Recommender:
    return _served(shelf, run).recommender


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": m.Problem, "description": _SAID[status]} for status in statuses}


def _told(_: Request, error: Exception) -> JSONResponse:
    """What HTTP has a status for."""
    assert isinstance(error, AnyHTTPException)
    detail = _sayable(str(error.detail))
    return JSONResponse({"detail": detail}, error.status_code, error.headers)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    """A body that is not of its form: where, and what was expected there."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    status = 400 if first["type"] == "json_invalid" else 422
    return JSONResponse({"detail": _sayable(f"{_sayable(place)}: {first['msg']}")}, status)


def _refused(_: Request, error: Exception) -> JSONResponse:
    """Something in a well-formed body is not known or cannot be used."""
    return JSONResponse({"detail": _sayable(str(error))}, 422)


def _sayable(said: str) -> str:
    """A sentence that may repeat what was sent: no half characters, and no more than it takes."""
    whole = said.encode("utf-8", "replace").decode()
    return whole if len(whole) <= _LONGEST else f"{whole[:_LONGEST]}..."
