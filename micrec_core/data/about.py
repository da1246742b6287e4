"""``dataset.toml``: the name of a dataset, its domains in order, and where it comes from.

    name = "food_kitchen"
    synthetic = false
    source = "..."
    licence = "..."
    [domains]                    # optional: the order, and the words shown
    food = "Food"
    kitchen = "Kitchen"
    [attributes]                 # optional: what further columns of items hold, where not as read
    year = "category"

``domains = ["food", "kitchen"]`` gives the order alone. Without it, domains are in sorted order.
A table called ``generator`` is free for whatever made the dataset and is not read; ``tables`` says
how its tables are written (``dialect.py``).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from micrec_core.data.budget import said_bytes
from micrec_core.data.dialect import PLAIN, Dialect
from micrec_core.data.schema import nearest, quote
from micrec_core.data.sources import open_regular
from micrec_core.errors import ConfigError, DataError

FILE = "dataset.toml"
MAX_BYTES = 64 << 10
MAX_NESTING = 16
# Keys joined by dots nest as brackets do, and tomllib keeps every beginning of such a key.
_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_NESTED = re.compile(rf"(?<![\w-]){_PART}(?:[ \t]*\.[ \t]*{_PART}){{{MAX_NESTING}}}")
_DEEP = f"something in it is nested more than {MAX_NESTING} levels deep; write it flat"
_KEYS = ("name", "synthetic", "source", "licence", "domains", "attributes", "generator", "tables")


@dataclass(frozen=True)
class About:
    """What ``dataset.toml`` says; ``domains`` maps key to label in order, empty if not given;
    ``attributes`` maps further columns of items to what they hold (``further_columns.KINDS``).
    """

    name: str
    synthetic: bool = False
    source: str = ""
    licence: str = ""
    domains: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect = PLAIN
    attributes: Mapping[str, str] = field(default_factory=dict)


def read_about(root: Path) -> About:
    """Read ``dataset.toml`` below ``root``; defaults where there is none.

    Raises
    ------
    DataError
        It is no valid TOML (with the line), or a key is unknown or of a wrong type.
    """
    path = root / FILE
    if not (path.exists() or path.is_symlink()):
        return About(root.resolve().name)
    data = _parse(path)
    for key in data:
        if key not in _KEYS:
            close = nearest(key, _KEYS)
            mend = f"write {close}" if close else f"use only {', '.join(_KEYS)}"
            raise DataError(f"{FILE}: there is no setting {quote(key)}; {mend}")
    texts = {k: _typed(data, k, str, "text in double quotes") for k in ("source", "licence")}
    name = _typed(data, "name", str, "text in double quotes") or root.resolve().name
    synthetic = bool(_typed(data, "synthetic", bool, "true or false"))
    dialect = _dialect(data)
    attributes = _typed(data, "attributes", dict, "a table, [attributes]")
    return About(
        name, synthetic, texts["source"], texts["licence"], _domains(data), dialect, attributes
    )


def remember(root: Path, dialect: Dialect) -> None:
    """Have ``dataset.toml`` say how the tables are written, in the place of what it said.

    Raises
    ------
    DataError
        It cannot be written.
    """
    path = root / FILE
    text = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
    kept: list[str] = []
    ours = False
    for line in text.splitlines():
        if head := re.match(r"\s*\[\s*([\w-]+)", line):
            ours = head[1] == "tables"
        if not ours:
            kept.append(line)
    words = dialect.told()
    columns = words.pop("columns", {})
    told = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in words.items()]
    names = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in columns.items()]
    lines = [*kept, "[tables]", *told, *(["[tables.columns]"] if names else []), *names]
    try:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"{FILE} cannot be written ({error.strerror}), so how the tables are read is not "
            "remembered; copy the dataset to a folder that can be written"
        ) from error


def _dialect(data: Mapping[str, Any]) -> Dialect:
    given = _typed(data, "tables", dict, "a table, [tables]")
    for key in given:
        if key not in ("separator", "encoding", "decimal", "columns"):
            raise DataError(
                f"{FILE}: there is no setting {quote(key)} of [tables]; use separator, encoding, "
                "decimal and columns"
            )
    marks = [
        _typed(given, k, str, "text in double quotes") for k in ("separator", "encoding", "decimal")
    ]
    columns = _typed(given, "columns", dict, "a table, [tables.columns]")
    names = {k: tuple(v) if isinstance(v, list) else (v,) for k, v in columns.items()}
    if not all(isinstance(name, str) for several in names.values() for name in several):
        raise DataError(f'{FILE}: a column is not named by text; write lines like user_id = "uid"')
    try:
        return Dialect(names, *marks)
    except ConfigError as error:
        raise DataError(f"{FILE}: {error}") from error


def _parse(path: Path) -> dict[str, Any]:
    try:
        with open_regular(path) as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise DataError(f"{FILE} has more than {said_bytes(MAX_BYTES)}; shorten it")
        text = data.decode("utf-8-sig")
        if _NESTED.search(text):
            raise DataError(f"{FILE}: {_DEEP}")
        return tomllib.loads(text)
    except RecursionError as error:
        raise DataError(f"{FILE}: {_DEEP}") from error
    except OSError as error:
        raise DataError(f"{FILE} cannot be read ({error.strerror}); check the file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{FILE} is not UTF-8 text; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = found[1] if found else str(text.count("\n") + 1)
        reason = re.sub(r" *\(at .*\)$", "", str(error))
        raise DataError(f"{FILE}, line {line}: this is not TOML ({reason}); mend it") from error


def _typed(data: Mapping[str, Any], key: str, kind: type, words: str) -> Any:
    value = data.get(key, kind())
    if not isinstance(value, kind):
        raise DataError(f"{FILE}: '{key}' is {quote(value)}; write {words}")
    return value


def _domains(data: Mapping[str, Any]) -> dict[str, str]:
    value = data.get("domains", {})
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        if len(set(value)) < len(value):
            raise DataError(f"{FILE}: 'domains' names a domain twice; remove one")
        return {v: label_of(v) for v in value}
    if isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
        return {k: v.strip() or label_of(k) for k, v in value.items()}
    raise DataError(f"{FILE}: 'domains' must be a list of names or lines like food = \"Food\"")


def label_of(name: str) -> str:
    """The words shown for a domain that has no label: ``pet_food`` -> ``Pet food``."""
    words = name.replace("_", " ").replace("-", " ").strip() or name
    return words[:1].upper() + words[1:]
