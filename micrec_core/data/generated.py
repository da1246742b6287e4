"""Descriptions that a model wrote, kept beside a dataset's tables and never in them.

``generated.jsonl`` in the dataset's folder has an answer a line, in the order in which they came:

    {"domain": "food", "item_id": "f1", "of": "...", "key": "...", "model": "...",
     "date": "2026-11-29", "description_generated": "...", "refused": "", "tokens_in": 210,
     "tokens_out": 64, "seconds": 1.2}

``of`` is the hash of the item's own texts: what was written of other texts is not used. ``refused``
says why an answer is not used; its description is then empty.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from micrec_core.data.schema import MAX_TEXT, counted
from micrec_core.data.sources import open_regular
from micrec_core.data.types import Dataset, Written
from micrec_core.errors import DataError

FILE = "generated.jsonl"
ORIGINAL, GENERATED, BOTH = "original", "generated", "both"
_MAX_LINE = 4 * MAX_TEXT
_TEXTS = ("domain", "item_id", "of", "key", "model", "date", "description_generated", "refused")


@dataclass(frozen=True)
class Answers:
    """All answers of a file.

    Attributes
    ----------
    by_key : what was asked -> the answer, also one that is not used
    of_item : (domain, item id) -> the last answer that is used
    told : (domain, item id, key) of all
    """

    by_key: dict[str, dict[str, Any]] = field(default_factory=dict)
    of_item: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    told: set[tuple[str, str, str]] = field(default_factory=set)


def content_of(title: str, description: str) -> str:
    """SHA-256 of an item's own texts."""
    return hashlib.sha256(f"{title}\0{description}".encode("utf-8", "surrogatepass")).hexdigest()


def read_answers(root: Path) -> Answers:
    """The answers kept beside a dataset; none where there is no file.

    A last line without an end is that of a process that was stopped amid it, and is left out.

    Raises
    ------
    DataError
        A line is not as such a file has it.
    """
    found = Answers()
    path = root / FILE
    if not path.exists():
        return found
    for number, line in _lines(path):
        record = _record(line, number)
        found.by_key[record["key"]] = record
        found.told.add((record["domain"], record["item_id"], record["key"]))
        if not record["refused"]:
            found.of_item[record["domain"], record["item_id"]] = record
    return found


def with_generated(dataset: Dataset, which: str) -> Dataset:
    """The dataset whose descriptions are those that a model wrote.

    Parameters
    ----------
    which : ``original`` (as it is), ``generated`` (in the place of the shop's where there is one),
        or ``both`` (below it)

    Returns
    -------
    Dataset
        ``written`` says for each item what was written and by whom, ``originals`` what the tables
        say; of another fingerprint than without.

    Raises
    ------
    DataError
        Nothing was written of any item as it is now.
    """
    if which == ORIGINAL or dataset.written:
        return dataset
    answers = read_answers(dataset.root).of_item
    domains, written, by, outdated = [], [], Counter[str](), 0
    for domain in dataset.domains:
        texts, who = (np.full(domain.n_items, "", object) for _ in range(2))
        said = domain.descriptions.copy()
        for row, item in enumerate(domain.item_ids):
            found = answers.get((domain.name, item))
            if found is None:
                continue
            if found["of"] != content_of(domain.titles[row], said[row]):
                outdated += 1
                continue
            texts[row] = found["description_generated"]
            who[row] = f"{found['model']}, {found['date']}"
            by[who[row]] += 1
            both = which == BOTH and said[row]
            said[row] = f"{said[row]}\n{texts[row]}" if both else texts[row]
        written.append(Written(texts, who))
        domains.append(replace(domain, descriptions=said))
    if not by:
        why = f"{counted(outdated, 'item')} changed since" if outdated else f"there is no {FILE}"
        raise DataError(
            f"no description of '{dataset.name}' was written by a model ({why}); have them written "
            "by micrec enrich, or train on descriptions=original"
        )
    notes = [f"{counted(n, 'description')} by a model ({who})." for who, n in sorted(by.items())]
    if outdated:
        notes.append(
            f"{counted(outdated, 'generated description')} not used: the item changed since."
        )
    mark = hashlib.sha256(f"{dataset.fingerprint} {which}".encode())
    for part in written:
        mark.update("\0".join(part.texts).encode("utf-8", "surrogatepass"))
    return replace(
        dataset,
        domains=tuple(domains),
        written=tuple(written),
        originals=tuple(d.descriptions for d in dataset.domains),
        notes=(*dataset.notes, *notes),
        fingerprint=mark.hexdigest(),
    )


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with open_regular(path) as stream:
            rest, number = b"", 0
            while block := stream.read(1 << 20):
                *whole, rest = (rest + block).split(b"\n")
                for line in whole:
                    number += 1
                    if line.strip():
                        yield number, line
                if len(rest) > _MAX_LINE:
                    raise DataError(
                        f"{FILE}, line {number + 1} has more than {_MAX_LINE:,} bytes; remove it"
                    )
    except OSError as error:
        raise DataError(f"{FILE} cannot be read ({error.strerror}); check the file") from error


def _record(line: bytes, number: int) -> dict[str, Any]:
    """One answer; DataError where it is none."""
    try:
        record = json.loads(line)
        texts = [record[name] for name in _TEXTS]
    except (ValueError, KeyError, TypeError, RecursionError):
        texts = [None]
    if not all(isinstance(text, str) and len(text) <= MAX_TEXT for text in texts):
        raise DataError(f"{FILE}, line {number} is no answer of micrec enrich; remove the line")
    return record
