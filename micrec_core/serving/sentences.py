"""What a model makes of a sentence, word by word: which it knows, and through which items."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.sparse import csc_matrix

from micrec_core.serving.contents import Bundle, DomainPart

if TYPE_CHECKING:
    from micrec_core.modalities.base import Encoder

_ITEMS = 3
_WRITTEN = re.compile(r"\S+")


@dataclass(frozen=True)
class Word:
    """A word as it was written.

    Attributes
    ----------
    kind : ``known``, ``unknown``, or ``little`` for one that says nothing by itself (the, and)
    through : (domain, item id) of the items in whose text it weighs most
    """

    text: str
    kind: Literal["known", "unknown", "little"]
    through: tuple[tuple[str, str], ...] = ()


def words(bundle: Bundle, modality: str, encoder: Encoder, text: str) -> list[Word] | None:
    """Each word of a text; None where the encoder has no vocabulary, and so reads any word."""
    known = getattr(encoder, "vocabulary", None)
    if known is None:
        return None
    spaces = [
        (part, csc_matrix(part.modalities[modality].features.sparse))
        for part in bundle.domains
        if part.modalities[modality].features.sparse is not None
    ]
    columns = {term: column for column, term in enumerate(known)}
    out = []
    for written in _WRITTEN.findall(text):
        read = encoder.words(written)  # type: ignore[attr-defined]
        found = [columns[word] for word in read if word in columns]
        kind: Literal["known", "unknown", "little"] = "known" if found else "unknown"
        out.append(Word(written, kind if read else "little", _through(spaces, found)))
    return out


def _through(
    spaces: Sequence[tuple[DomainPart, csc_matrix]], columns: list[int]
) -> tuple[tuple[str, str], ...]:
    """Items in whose text the terms weigh most, a few of each domain."""
    out: list[tuple[str, str]] = []
    for part, space in spaces if columns else ():
        weight = np.asarray(space[:, columns].sum(axis=1)).ravel()
        best = np.argsort(-weight, kind="stable")[:_ITEMS]
        out += [(part.name, str(part.item_ids[i])) for i in best if weight[i] > 0]
    return tuple(out)
