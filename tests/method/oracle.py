"""The method in plain NumPy loops over dense float64 arrays, written from its formulas alone.

Nothing of graphs, models or training is called: only the arrays of a World and the numbers of a
state dict come in. Slow on purpose; for a dozen nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
K, TEMPERATURE, OTHER = 3, 0.2, 0.5


def unit(x: Array) -> Array:
    length = np.sqrt(x @ x)
    return x / length if length > 0 else x


def interactions(world: Any, d: int) -> Array:
    domain, train = world.dataset.domains[d], world.split.domains[d].train
    out = np.zeros((domain.n_users, domain.n_items))
    for u, i in zip(train.user, train.item, strict=True):
        out[u, i] = 1
    return out


def dense_of(world: Any, d: int, m: str) -> Array:
    return world.features.matrices[m][d].dense.astype(float)


def space_of(world: Any, d: int, m: str) -> Array:
    """The view in which cosines are taken: the sparse one where there is one."""
    matrix = world.features.matrices[m][d]
    return dense_of(world, d, m) if matrix.sparse is None else matrix.sparse.toarray().astype(float)


def overlap(world: Any, a: int, b: int) -> list[tuple[int, int]]:
    """Rows in a and in b of users with train interactions in both, by id."""
    there, here = (list(world.dataset.domains[d].user_ids) for d in (a, b))
    both = sorted(set(there) & set(here))
    pairs = [(there.index(user), here.index(user)) for user in both]
    ra, rb = interactions(world, a), interactions(world, b)
    return [(x, y) for x, y in pairs if ra[x].any() and rb[y].any()]


def coherence(rows: Array) -> float:
    """Mean cosine over the pairs of different rows, 0 without a pair."""
    pairs = [unit(a) @ unit(b) for i, a in enumerate(rows) for b in rows[:i]]
    return float(np.mean(pairs)) if pairs else 0.0


@dataclass
class Profile:
    """Of every user of a domain in one modality; ``dense`` and ``space`` are sums, not normed."""

    dense: Array
    space: Array
    has: NDArray[np.bool_]
    coherence: Array


def profile(world: Any, d: int, m: str, cross: bool = True) -> Profile:
    taken = interactions(world, d)
    present = world.features.matrices[m][d].present
    x, s = dense_of(world, d, m), space_of(world, d, m)
    out = Profile(
        np.zeros((len(taken), x.shape[1])),
        np.zeros((len(taken), s.shape[1])),
        np.zeros(len(taken), bool),
        np.zeros(len(taken)),
    )
    for u, row in enumerate(taken):
        mine = [i for i in range(len(row)) if row[i] and present[i]]
        for i in mine:
            out.dense[u] += x[i]
            out.space[u] += s[i]
        out.has[u] = bool(mine)
        out.coherence[u] = coherence(s[mine])
    if cross:
        for other in range(len(world.dataset.domains)):
            if other == d:
                continue
            theirs = profile(world, other, m, cross=False)
            for there, here in overlap(world, other, d):
                out.dense[here] += OTHER * theirs.dense[there]
                out.space[here] += OTHER * theirs.space[there]
                out.has[here] |= theirs.has[there]
    return out


def neighbour_matrix(
    queries: Array, anchors: Array, allowed: NDArray[np.bool_], same: list[int]
) -> tuple[Array, Array]:
    """Softmax weights [n, n_anchors] over the K nearest by cosine, and their mean cosine [n]."""
    weights = np.zeros((len(queries), len(anchors)))
    density = np.zeros(len(queries))
    for q in range(len(queries)):
        cosines = [
            (-(unit(queries[q]) @ unit(anchors[a])), a)
            for a in range(len(anchors))
            if allowed[a] and a != same[q]
        ]
        best = [(-c, a) for c, a in sorted(cosines)[:K] if -c > 0]
        if best:
            lent = np.exp([c / TEMPERATURE for c, _ in best])
            for share, (_, a) in zip(lent / lent.sum(), best, strict=True):
                weights[q, a] = share
            density[q] = np.mean([c for c, _ in best])
    return weights, density


@dataclass
class OracleSide:
    """Users or items: features, neighbours and gate signals by modality."""

    degree: Array
    content: dict[str, Array] = field(default_factory=dict)
    has: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    neighbours: dict[str, Array] = field(default_factory=dict)
    # modality -> what the gate sees before standardising, and mean and deviation (pairs)
    statistic: dict[str, Array] = field(default_factory=dict)
    mean: dict[str, Array] = field(default_factory=dict)
    std: dict[str, Array] = field(default_factory=dict)

    def signals(self, m: str, degree: Array | None = None) -> Array:
        degree = self.degree if degree is None else degree
        raw = np.stack([self.statistic[m], np.log(1 + degree)], 1)
        return (raw - self.mean[m]) / self.std[m]

    def standardise(self, m: str) -> None:
        rows = self.has[m] & (self.degree > 0)
        raw = np.stack([self.statistic[m], np.log(1 + self.degree)], 1)[rows]
        self.mean[m], self.std[m] = raw.mean(0), np.sqrt(((raw - raw.mean(0)) ** 2).mean(0))


def user_side(world: Any, d: int, modalities: tuple[str, ...], cross: bool = True) -> OracleSide:
    taken = interactions(world, d)
    side = OracleSide(taken.sum(1))
    for m in modalities:
        p = profile(world, d, m, cross)
        side.content[m] = np.stack([unit(row) for row in p.dense])
        side.has[m], side.statistic[m] = p.has, p.coherence
        side.neighbours[m], _ = neighbour_matrix(
            p.space, p.space, p.has & (side.degree > 0), list(range(len(taken)))
        )
        side.standardise(m)
    return side


def item_side(world: Any, d: int, modalities: tuple[str, ...]) -> OracleSide:
    taken = interactions(world, d)
    side = OracleSide(taken.sum(0))
    for m in modalities:
        side.content[m] = dense_of(world, d, m)
        side.has[m] = world.features.matrices[m][d].present
        s = space_of(world, d, m)
        side.neighbours[m], side.statistic[m] = neighbour_matrix(
            s, s, side.has[m] & (side.degree > 0), list(range(len(s)))
        )
        side.standardise(m)
    return side


def alone_side(world: Any, d: int, rows: list[int], modalities: tuple[str, ...]) -> OracleSide:
    """Users of d by what they took there alone; neighbours and scaling are d's as they are."""
    whole = user_side(world, d, modalities)
    side = OracleSide(whole.degree[rows], mean=whole.mean, std=whole.std)
    for m in modalities:
        own, anchors = profile(world, d, m, cross=False), profile(world, d, m)
        side.content[m] = np.stack([unit(row) for row in own.dense[rows]])
        side.has[m], side.statistic[m] = own.has[rows], own.coherence[rows]
        side.neighbours[m], _ = neighbour_matrix(
            own.space[rows], anchors.space, anchors.has & (whole.degree > 0), rows
        )
    return side


def gate(side: OracleSide, p: dict[str, Array], modalities: tuple[str, ...], degree=None) -> Array:
    """w [n, n_modalities]: strength times a softmax over the modalities that there are."""
    n, out = len(side.degree), np.zeros((len(side.degree), len(modalities)))
    z = {m: side.signals(m, degree) for m in modalities}
    for v in range(n):
        there = [k for k, m in enumerate(modalities) if side.has[m][v]]
        if not there:
            continue
        logits = np.array([p["bias"][k] + p["slope"][k] @ z[modalities[k]][v] for k in there])
        shares = np.exp(logits) / np.exp(logits).sum()
        strength = np.exp(p["strength"][0] + p["strength"][1] * z[modalities[0]][v, 1])
        out[v, there] = strength * shares
    return out


def under(state: dict[str, Array], prefix: str) -> dict[str, Array]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def template(taken: Array, vectors: Array, anyone: Array, alpha: float) -> Array:
    """e = r^-alpha (sum of the vectors of the neighbours + the global one), r counts both."""
    out = np.zeros((len(taken), vectors.shape[1]))
    for v, row in enumerate(taken):
        out[v] = (row @ vectors + anyone) / (row.sum() + 1) ** alpha
    return out


def refined(vectors: Array, side: OracleSide, w: Array, amount: float, modalities) -> Array:
    """t~ = t + c sum_m beta_m S_m t, beta the weights w made to sum to 1."""
    out = vectors.copy()
    for v in range(len(vectors)):
        for k, m in enumerate(modalities):
            for other, share in enumerate(side.neighbours[m][v]):
                if share:
                    out[v] += amount * w[v, k] / w[v].sum() * share * vectors[other]
    return out


def aggregate(embedding, lenders, side, w, state, modalities, degree=None) -> Array:
    degree = side.degree if degree is None else degree
    out = embedding.copy()
    for v in range(len(out)):
        for k, m in enumerate(modalities):
            h = side.neighbours[m][v] @ lenders
            h = h + state[f"project.{m}.weight"] @ side.content[m][v] / (1 + degree[v])
            out[v] += w[v, k] * h
    return out


def propagate(taken: Array, users: Array, items: Array, layers: int) -> tuple[Array, Array]:
    """Mean over the powers of the symmetric-normalised adjacency; no edges: unchanged."""
    n, m = taken.shape
    adjacency = np.zeros((n + m, n + m))
    adjacency[:n, n:], adjacency[n:, :n] = taken, taken.T
    degree = adjacency.sum(1)
    for a in range(n + m):
        for b in range(n + m):
            if adjacency[a, b]:
                adjacency[a, b] /= np.sqrt(degree[a] * degree[b])
    x = start = np.vstack([users, items])
    total = x.copy()
    for _ in range(layers):
        x = adjacency @ x
        total += x
    out = np.where(degree[:, None] > 0, total / (layers + 1), start)
    return out[:n], out[n:]


@dataclass
class OracleDomain:
    """All stages of one domain's embeddings."""

    template_users: Array
    initial_users: Array
    initial_items: Array
    aggregated_users: Array
    aggregated_items: Array
    users: Array
    items: Array


def encode(
    world: Any, state: dict[str, Array], layers: int, modalities=("text", "image")
) -> list[OracleDomain]:
    """The full model; ``state`` holds float64 arrays by the names of the model's state dict."""
    n = len(world.dataset.domains)
    alpha, taken = float(state["alpha"]), [interactions(world, d) for d in range(n)]
    p = [under(state, f"domains.{d}.") for d in range(n)]
    sides = [(user_side(world, d, modalities), item_side(world, d, modalities)) for d in range(n)]
    weights = [
        [
            gate(side, under(p[d], name), modalities)
            for side, name in zip(sides[d], ("user_gate.", "item_gate."), strict=True)
        ]
        for d in range(n)
    ]
    alone, items = [], []
    for d in range(n):
        t_items = refined(p[d]["items"], sides[d][1], weights[d][1], p[d]["refine"], modalities)
        alone.append(template(taken[d], t_items, p[d]["any_user"], alpha))
        by_users = template(taken[d].T, p[d]["users"], p[d]["any_item"], alpha)
        items.append(by_users + p[d]["own_template"] * p[d]["items"])
    users = [e.copy() for e in alone]
    for a in range(n):
        for b in range(n):
            for there, here in overlap(world, a, b) if a != b else []:
                users[b][here] += state[f"transfer.{a}-{b}.weight"] @ alone[a][there]
    out = []
    for d in range(n):
        mixed = [
            aggregate(e, e, side, w, state, modalities)
            for e, side, w in zip((users[d], items[d]), sides[d], weights[d], strict=True)
        ]
        final = propagate(taken[d], *mixed, layers)
        out.append(OracleDomain(alone[d], users[d], items[d], *mixed, *final))
    return out


def alone_users(
    world: Any, d: int, rows: list[int], state, encoded: list[OracleDomain], layers: int, modalities
) -> Array:
    """Final embeddings of users by this domain alone: only their own layer 0 is another."""
    side, found, taken = alone_side(world, d, rows, modalities), encoded[d], interactions(world, d)
    w = gate(side, under(state, f"domains.{d}.user_gate."), modalities)
    first = aggregate(found.template_users[rows], found.initial_users, side, w, state, modalities)
    total, _ = propagate(taken, found.aggregated_users, found.aggregated_items, layers)
    known = side.degree > 0
    share = np.where(known, 1 / (layers + 1), 1.0)[:, None]
    return total[rows] + share * (first - found.aggregated_users[rows])


def new_items(world: Any, d: int, state, encoded: list[OracleDomain], modalities) -> Array:
    """g_I and what the features alone give, the gate seeing an item of degree 0."""
    side, p = item_side(world, d, modalities), under(state, f"domains.{d}.")
    zero = np.zeros(len(side.degree))
    base = np.tile(p["any_item"], (len(zero), 1))
    w = gate(side, under(p, "item_gate."), modalities, zero)
    return aggregate(base, encoded[d].initial_items, side, w, state, modalities, zero)
