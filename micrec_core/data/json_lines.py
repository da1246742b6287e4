"""Lines that are to be objects of JSON, as people have them: also with the marks of an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def object_on(text: str, parse: Callable[[str], Any]) -> dict[str, Any] | None:
    """The object on a line, without the comma after it and the brackets around all of them.

    Parameters
    ----------
    parse : gives the value of a text, or None where it has none

    Returns
    -------
    None of a line that holds nothing but a bracket.

    Raises
    ------
    ValueError
        Says what is wrong, and the mend.
    """
    value = parse(text)
    if isinstance(value, dict):
        return value
    bare = text.strip()
    if bare in ("[", "]"):
        return None
    inner = bare.removeprefix("[").removesuffix("]").rstrip().removesuffix(",").strip()
    if inner != bare and inner.startswith("{") and isinstance(value := parse(inner), dict):
        return value
    raise ValueError(_why(bare, inner))


def _why(bare: str, inner: str) -> str:
    if inner.startswith("{'"):
        return "the line is an object of Python; write JSON, as json.dumps does"
    if bare.startswith("[{") and "}" in bare[:-2]:
        return "the line is an array of objects; write each on a line of its own, as jq -c .[] does"
    if inner.startswith("{") and not inner.endswith("}") and inner.strip("{ ").count(":") <= 1:
        return "an object goes on over the end of the line; write it on one, as jq -c does"
    return ""
