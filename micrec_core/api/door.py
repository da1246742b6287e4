"""Who may come in, how often, and with how much: asked before a body is read."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from micrec_core.api.buckets import Buckets
from micrec_core.api.meter import Meter
from micrec_core.data.picture_files import MAX_BYTES
from micrec_core.errors import ConfigError

KEYS, ADMIN_KEYS = "MICREC_API_KEYS", "MICREC_API_ADMIN_KEYS"
# A picture of the largest size in base64, and what stands around it.
MAX_BODY = MAX_BYTES * 4 // 3 + (1 << 20)
_MIN_KEY = 16
_OPEN = ("/health",)


@dataclass(frozen=True)
class Limits:
    """What is asked of a client.

    Attributes
    ----------
    keys, admin_keys : SHA-256 of each; without any, everyone may ask and nobody may swap
    rate : requests a second and client, 0 for no limit; twice as many may come at once
    max_body : bytes
    """

    keys: frozenset[bytes] = frozenset()
    admin_keys: frozenset[bytes] = frozenset()
    rate: float = 0.0
    max_body: int = MAX_BODY

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1e9:
            raise ConfigError(f"the rate is {self.rate:g}; give 0 for no limit, or more")
        if not 1 <= self.max_body <= MAX_BODY:
            raise ConfigError(
                f"bodies of {self.max_body:,} bytes are not between 1 and {MAX_BODY:,}"
            )

    @property
    def closed(self) -> bool:
        """Whether a key is needed."""
        return bool(self.keys or self.admin_keys)


def limits_of(
    environment: Mapping[str, str], rate: float = 0.0, max_body: int = MAX_BODY
) -> Limits:
    """Limits with the keys of the environment, several between commas.

    Raises
    ------
    ConfigError
        A key is too short to be safe, or a limit is out of range.
    """
    found = {}
    for variable in (KEYS, ADMIN_KEYS):
        words = [w.strip() for w in environment.get(variable, "").split(",") if w.strip()]
        if any(len(word) < _MIN_KEY for word in words):
            raise ConfigError(f"a key in {variable} has under {_MIN_KEY} characters; use longer")
        found[variable] = frozenset(map(_digest, words))
    return Limits(found[KEYS], found[ADMIN_KEYS], rate, max_body)


@dataclass
class Door:
    """ASGI middleware: key, rate and size first, then the application; everything is counted.

    A request's state gets ``admin`` (whether the key is one) and ``charge``, which takes what the
    request costs beyond one.
    """

    app: ASGIApp
    limits: Limits
    meter: Meter
    buckets: Buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        refused = self._refuse(scope)
        try:
            if refused is not None:
                await refused(scope, receive, told)
            else:
                await self.app(scope, self._counted(receive), told)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self.meter.count(route, status, time.perf_counter() - started)

    def _refuse(self, scope: Scope) -> JSONResponse | None:
        if scope["path"] in _OPEN:
            return None
        headers = dict(scope["headers"])
        client = (scope.get("client") or ("unknown",))[0]
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        digest = hashlib.sha256(given.strip()).digest() if scheme.lower() == b"bearer" else b""
        admin = _among(digest, self.limits.admin_keys)
        if self.limits.closed and not admin and not _among(digest, self.limits.keys):
            said = "give a key that is known here: Authorization: Bearer KEY"
            return _problem(401, said, {"WWW-Authenticate": "Bearer"})
        if digest and self.limits.closed:
            client = digest.hex()
        wait = self.buckets.wait(client)
        if wait:
            said = f"there were too many requests; wait {wait:.1f} s"
            return _problem(429, said, {"Retry-After": str(int(wait) + 1)})
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > self.limits.max_body:
            return _problem(413, self._too_large())
        charge = partial(self.buckets.charge, client)
        scope.setdefault("state", {}).update(admin=admin, charge=charge)
        return None

    def _counted(self, receive: Receive) -> Receive:
        """What is read of a body, which may be longer than it said."""
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.limits.max_body:
                raise HTTPException(413, self._too_large())
            return message

        return counted

    def _too_large(self) -> str:
        return f"the body is over {self.limits.max_body:,} bytes; send less"


def environment_limits(rate: float, max_megabytes: float) -> Limits:
    """The limits of this process; see ``limits_of``."""
    return limits_of(os.environ, rate, min(int(max_megabytes * 2**20), MAX_BODY))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _among(digest: bytes, known: frozenset[bytes]) -> bool:
    """Compared with every one, each in constant time."""
    return sum(hmac.compare_digest(digest, one) for one in known) > 0


def _problem(status: int, said: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": said}, status, headers)
