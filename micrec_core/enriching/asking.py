"""One question to an OpenAI-compatible endpoint, asked again where it was busy or away."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from micrec_core.data.schema import quote
from micrec_core.errors import ConfigError, DataError

if TYPE_CHECKING:
    import httpx
    import tenacity

KEY = "OPENAI_API_KEY"
# An answer of a few sentences comes nowhere near it.
MAX_BYTES = 1 << 20
ATTEMPTS = 6
_LONGEST_WAIT = 60.0
_HERE = ("localhost", "127.0.0.1", "::1")
_BUSY = (408, 409, 425, 429)


class Busy(Exception):
    """Worth asking again; ``after`` seconds where the endpoint said so."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


@dataclass(frozen=True)
class Reply:
    """What came back; ``refused`` where the endpoint itself says that it is no answer."""

    text: str
    refused: str
    tokens_in: int
    tokens_out: int
    seconds: float


class Endpoint:
    """An endpoint that answers ``POST /chat/completions``.

    The key comes from the environment (``OPENAI_API_KEY``), is sent to this address alone and is
    kept nowhere; redirections are not followed.

    Raises
    ------
    ConfigError
        httpx or tenacity is missing, the address is none, or a key would go over plain HTTP.
    """

    def __init__(self, url: str, model: str, *, seconds: float = 120.0) -> None:
        if any(find_spec(name) is None for name in ("httpx", "tenacity")):
            raise ConfigError(
                "asking a model needs httpx and tenacity; install them: "
                "pip install 'micrec-explorer[enrich]'"
            )
        import httpx

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"{quote(url, 200)} is no address; write one such as http://localhost:8000/v1"
            )
        key = os.environ.get(KEY, "")
        if key and parts.scheme == "http" and parts.hostname not in _HERE:
            raise ConfigError(
                f"the key of {KEY} would go to {parts.hostname} unencrypted; use https, or unset it"
            )
        self.model = model
        self._url = url.rstrip("/") + "/chat/completions"
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(headers=headers, timeout=seconds, trust_env=False)

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, messages: Sequence[Mapping[str, Any]], max_tokens: int) -> Reply:
        """The answer to some messages.

        Raises
        ------
        ConfigError
            The endpoint refuses the key, the model or the form of the question.
        DataError
            It was busy or away at every attempt.
        """
        import tenacity

        asking = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Busy),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=_wait,
            reraise=True,
        )
        body = {
            "model": self.model, "messages": list(messages), "max_tokens": max_tokens,
            "temperature": 0,
        }  # fmt: skip
        try:
            return asking(self._once, body)
        except Busy as error:
            raise DataError(
                f"the endpoint does not answer ({error}) after {ATTEMPTS} attempts; what came so "
                "far is kept, say the same again later"
            ) from error

    def _once(self, body: Mapping[str, Any]) -> Reply:
        import httpx

        started = time.perf_counter()
        try:
            with self._client.stream("POST", self._url, json=body) as response:
                data = _limited(response)
                status, after = response.status_code, response.headers.get("retry-after", "")
        except httpx.HTTPError as error:
            raise Busy(type(error).__name__) from error
        if status in _BUSY or status >= 500:
            raise Busy(f"status {status}", float(after) if after.isdigit() else 0.0)
        if status != 200:
            raise ConfigError(
                f"the endpoint answers {status} ({quote(_said(data), 200)}); check --endpoint, "
                f"--model and the key of {KEY}"
            )
        return _reply(data, time.perf_counter() - started)


def _wait(state: tenacity.RetryCallState) -> float:
    """As long as the endpoint asks for; else about 1, 2, 4 ... seconds, so that no two meet."""
    import tenacity

    error = state.outcome.exception() if state.outcome else None
    asked = error.after if isinstance(error, Busy) else 0.0
    backoff = tenacity.wait_random_exponential(multiplier=1, max=_LONGEST_WAIT)
    return min(asked, _LONGEST_WAIT) or backoff(state)


def _limited(response: httpx.Response) -> bytes:
    """The body, cut above what an answer can be."""
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > MAX_BYTES:
            break
    return bytes(data)


def _reply(data: bytes, seconds: float) -> Reply:
    """The answer in a body; one that is none is a refusal of its own kind."""
    if len(data) > MAX_BYTES:
        return Reply("", "too large an answer", 0, 0, seconds)
    try:
        body = json.loads(data)
        choice = body["choices"][0]
        message, usage = choice["message"], body.get("usage") or {}
        text, refusal = message.get("content") or "", message.get("refusal") or ""
        ended = choice.get("finish_reason") or "stop"
        given, came = (_count(usage.get(n)) for n in ("prompt_tokens", "completion_tokens"))
        if not isinstance(text, str):
            raise TypeError
    except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError):
        return Reply("", "not of the form of an answer", 0, 0, seconds)
    said = {"length": "cut off", "content_filter": "held back by a filter"}
    refused = "a refusal" if refusal else said.get(ended, "")
    return Reply(text, refused, given, came, seconds)


def _count(said: Any) -> int:
    return min(max(int(said or 0), 0), 10**9)


def _said(data: bytes) -> str:
    """What an endpoint says of an error, as far as it does."""
    try:
        error = json.loads(data)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, LookupError, TypeError, RecursionError):
        return data[:200].decode("utf-8", "replace")
