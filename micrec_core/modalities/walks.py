"""Knowledge as features: where short random walks from an item lead.

A walk begins with one of the item's own statements, each as likely, and goes on from where that
leads with probability ``GO_ON``, at most ``HOPS`` statements far::

    x = sum_h (1 - g) g^(h-1) s T^(h-1),   h = 1 .. HOPS

s the item's statements, T the transitions between statements, g = GO_ON: personalised PageRank
(Page et al., 1999, "The PageRank citation ranking", section 6), cut off at ``MOST`` ends a hop.
No walk turns back along the relation that it came by, since all that would come in is what the
turning point says already. A walk ends at an item: what another item says is none of this one's,
so that a withheld item leaves no trace in others and a new one changes none. A term is a walk's
last step, the relation and where it leads; items are alike that lead to the same, the rarer the
more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from scipy import sparse

from micrec_core.data.types import Dataset, Relations
from micrec_core.modalities.terms import Terms

HOPS = 3
GO_ON = 0.5
MOST = 64
# Ends that two items share, told of.
_SAID = 2
# Items at a time.
_BLOCK = 4096
_WEIGHT, _LEADS, _BACK = "\t", " → ", " ← "


class Walks(Terms):
    """Where walks lead, of texts of lines ``relation → entity`` with a weight behind each."""

    kind: ClassVar[str] = "walks"
    modality = "knowledge"
    spec = "walks"

    @property
    def label(self) -> str:
        return f"walks of {HOPS} steps over relations.csv"

    def weigh(self, text: str) -> dict[str, float]:
        """The terms of what ``item_walks`` says of an item."""
        pairs = (line.rpartition(_WEIGHT) for line in text.split("\n"))
        return {term: float(weight) for term, _, weight in pairs if term}

    def in_words(self, terms: Sequence[str]) -> str:
        """``both used for baking``, or ``Verdi composed both``: the ends that both lead to."""
        said = []
        for term in terms[:_SAID]:
            word, back, name = term.partition(_BACK)
            said.append(f"{name} {word} both" if back else f"both {word.replace(_LEADS, ' ')}")
        return "; ".join(said)


def item_walks(dataset: Dataset) -> list[str | None]:
    """Where walks lead from each item, domain after domain; None where nothing is known of it."""
    out: list[str | None] = [None] * sum(d.n_items for d in dataset.domains)
    if dataset.relations is None:
        return out
    ends, own, go_on = _steps(dataset.relations)
    known = zip(dataset.relations.domain.tolist(), dataset.relations.names, strict=True)
    names = {key: node for node, key in enumerate(known)}
    ids = [(d, i) for d, domain in enumerate(dataset.domains) for i in domain.item_ids.tolist()]
    at = [row for row, key in enumerate(ids) if key in names]
    nodes = np.array([names[ids[row]] for row in at], np.int64)
    for start in range(0, len(at), _BLOCK):
        here = slice(start, start + _BLOCK)
        found = _walked(own[nodes[here]], go_on)
        for row, a, b in zip(at[here], found.indptr, found.indptr[1:], strict=False):
            columns, weights = found.indices[a:b], found.data[a:b]
            lines = (f"{ends[c]}{_WEIGHT}{w:.5g}" for c, w in zip(columns, weights, strict=True))
            out[row] = "\n".join(lines) or None
    return out


def _walked(first: sparse.csr_matrix, go_on: sparse.csr_matrix) -> sparse.csr_matrix:
    """Where walks end, [n, steps], from their first steps."""
    here, total = _most(first), None
    for hop in range(HOPS):
        weight = (1.0 - GO_ON) * GO_ON**hop
        total = here * weight if total is None else total + here * weight
        here = _most(here @ go_on)
    total = sparse.csr_matrix(total)
    total.sort_indices()
    return total


def _most(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """The ``MOST`` largest of each row; of equal ones the first."""
    rows = sparse.csr_matrix(rows)
    rows.sort_indices()
    keep = np.ones(rows.nnz, bool)
    for a, b in zip(rows.indptr, rows.indptr[1:], strict=False):
        if b - a > MOST:
            keep[a:b] = False
            keep[a + np.argsort(-rows.data[a:b], kind="stable")[:MOST]] = True
    rows.data[~keep] = 0.0
    rows.eliminate_zeros()
    return rows


def _steps(
    relations: Relations,
) -> tuple[list[str], sparse.csr_matrix, sparse.csr_matrix]:
    """Words of each step, the first steps of each node [n_nodes, steps], and from step to step.

    A step is a relation and the node that it leads to; against its direction it is another
    relation. What is said of an item from elsewhere is a first step of it: an item that others
    name as a tail goes there itself, so that it is like those that name it.
    """
    n, item = len(relations.names), relations.domain >= 0
    head, tail, kind = relations.head, relations.tail, relations.relation
    back = kind + len(relations.kinds)
    # (from, relation, to), both ways, but to an item only where an item says so itself.
    moves = np.concatenate(
        [np.stack([head, kind, tail], axis=1), np.stack([tail, back, head], axis=1)]
    )
    itself = np.stack([tail, kind, tail], axis=1)[item[head] & item[tail]]
    against = item[moves[:, 0]] & (moves[:, 1] >= len(relations.kinds))
    others = item[moves[:, 2]] & (~item[moves[:, 0]] | against)
    moves = np.unique(np.concatenate([moves[~others], itself]), axis=0)
    steps, step = np.unique(moves[:, 1:], axis=0, return_inverse=True)
    ones = np.ones(len(moves), np.float32)
    out = sparse.csr_matrix((ones, (moves[:, 0], step.ravel())), shape=(n, len(steps)))
    own = _shares(out)
    leaves = sparse.diags((~item[steps[:, 1]]).astype(np.float32)).tocsr()
    at = sparse.csr_matrix(
        (np.ones(len(steps), np.float32), (np.arange(len(steps)), steps[:, 1])),
        shape=(len(steps), n),
    )
    words = [_said(relations, int(r), int(node)) for r, node in steps]
    go_on = sparse.coo_matrix(leaves @ at @ own)
    turned = (steps[go_on.row, 0] + len(relations.kinds)) % (2 * len(relations.kinds))
    go_on.data[steps[go_on.col, 0] == turned] = 0.0
    return words, own, _shares(go_on.tocsr())


def _shares(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows that add up to 1, where they hold anything."""
    total = np.asarray(rows.sum(axis=1)).ravel()
    scale = np.divide(1.0, total, out=np.zeros(len(total)), where=total > 0)
    out = sparse.csr_matrix(sparse.diags(scale) @ rows, dtype=np.float32)
    out.eliminate_zeros()
    return out


def _said(relations: Relations, relation: int, node: int) -> str:
    n = len(relations.kinds)
    word = str(relations.kinds[relation % n]).replace("_", " ")
    return f"{word}{_LEADS if relation < n else _BACK}{relations.names[node]}"
