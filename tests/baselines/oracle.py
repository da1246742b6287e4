"""The baselines in dense float64 NumPy, from their formulas alone: state dicts and a World come in.

Nothing of models, graphs or training is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.method import oracle as base

Array = NDArray[np.float64]
State = Mapping[str, Array]
Pair = tuple[Array, Array]


def normal(world: Any, d: int) -> Array:
    """D^-1/2 R D^-1/2 of a domain, [n_users, n_items]."""
    taken = base.interactions(world, d)
    users, items = np.maximum(taken.sum(1), 1), np.maximum(taken.sum(0), 1)
    return taken / np.sqrt(np.outer(users, items))


def light_gcn(world: Any, d: int, users: Array, items: Array, layers: int) -> Pair:
    a, taken = normal(world, d), base.interactions(world, d)
    kept = [(users, items)]
    for _ in range(layers):
        users, items = a @ items, a.T @ users
        kept.append((users, items))
    out = [np.mean([layer[side] for layer in kept], axis=0) for side in (0, 1)]
    for side, degree in enumerate((taken.sum(1), taken.sum(0))):
        out[side][degree == 0] = kept[0][side][degree == 0]
    return out[0], out[1]


def tables(state: State, d: int) -> Pair:
    return state[f"tables.{d}.users"], state[f"tables.{d}.items"]


def linear(state: State, name: str, x: Array) -> Array:
    return x @ state[f"{name}.weight"].T + state.get(f"{name}.bias", 0.0)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def units(x: Array) -> Array:
    return np.array([base.unit(row) for row in x])


def content(world: Any, state: State, d: int, m: str) -> Array:
    has = world.features.matrices[m][d].present
    return linear(state, f"content.project.{m}", base.dense_of(world, d, m)) * has[:, None]


def similar(world: Any, d: int, m: str) -> Array:
    """MICRec's neighbours of items, softmax weights [n_items, n_items]."""
    space, taken = base.space_of(world, d, m), base.interactions(world, d)
    allowed = world.features.matrices[m][d].present & (taken.sum(0) > 0)
    return base.neighbour_matrix(space, space, allowed, list(range(len(space))))[0]


# Models of embeddings: (world, state, d, options) -> users, items ---------------------------------


def bpr_mf(world: Any, state: State, d: int, layers: int) -> Pair:
    return tables(state, d)


def vbpr(world: Any, state: State, d: int, layers: int) -> Pair:
    p, q = tables(state, d)
    looks = sum(content(world, state, d, m) for m in world.features.modalities)
    return np.hstack([p, state[f"wants.{d}"]]), np.hstack([q, looks])


def freedom(world: Any, state: State, d: int, layers: int) -> Pair:
    p, q = tables(state, d)
    mixed = np.zeros((len(q), len(q)))
    for m, share in (("image", 0.1), ("text", 0.9)):
        there = (similar(world, d, m) > 0).astype(float)
        mixed += share * there / np.maximum(there.sum(1, keepdims=True), 1)
    mixed /= np.maximum(mixed.sum(1, keepdims=True), 1e-12)
    users, items = light_gcn(world, d, p, q, layers)
    return users, items + mixed @ q


def bm3(world: Any, state: State, d: int, layers: int) -> Pair:
    p, q = tables(state, d)
    users, items = light_gcn(world, d, p, q, layers)
    items = linear(state, "predict", items + q)
    for i in np.flatnonzero(base.interactions(world, d).sum(0) == 0):
        parts = [
            linear(state, "predict", content(world, state, d, m)[i])
            for m in world.features.modalities
            if world.features.matrices[m][d].present[i]
        ]
        items[i] = np.mean(parts, axis=0) if parts else 0.0
    return linear(state, "predict", users), items


def lattice(world: Any, state: State, d: int, layers: int) -> Pair:
    p, q = tables(state, d)
    taken, around = base.interactions(world, d), np.zeros_like(q)
    for share, m in zip(softmax(state["mix"]), world.features.modalities, strict=True):
        unit = units(content(world, state, d, m))
        allowed = world.features.matrices[m][d].present & (taken.sum(0) > 0)
        cosines = unit @ unit.T
        learned = np.zeros_like(cosines)
        for i in range(len(q)):
            order = sorted((-cosines[i, j], j) for j in range(len(q)) if allowed[j] and j != i)
            for c, j in order[: base.K]:
                learned[i, j] = max(-c, 0.0)
        learned /= np.maximum(learned.sum(1, keepdims=True), 1e-12)
        around += share * (0.9 * similar(world, d, m) + 0.1 * learned) @ q
    users, items = light_gcn(world, d, p, q, layers)
    return users, items + units(around)


def mgcn(world: Any, state: State, d: int, layers: int) -> Pair:
    p, q = tables(state, d)
    behaviour = np.vstack(light_gcn(world, d, p, q, layers))
    seen = []
    for m in world.features.modalities:
        pure = q * sigmoid(linear(state, f"purify.{m}", content(world, state, d, m)))
        items = similar(world, d, m) @ pure
        seen.append(np.vstack([normal(world, d) @ items, items]))
    scores = [linear(state, "attend", np.tanh(linear(state, "query", s)))[:, 0] for s in seen]
    shares = softmax(np.stack(scores, 1))
    common = sum(shares[:, k, None] * s for k, s in enumerate(seen))
    parts = [common]
    for m, s in zip(world.features.modalities, seen, strict=True):
        parts.append(sigmoid(linear(state, f"prefer.{m}", behaviour)) * (s - common))
    both = behaviour + np.mean(parts, axis=0)
    return both[: len(p)], both[len(p) :]


def imc_gae(world: Any, state: State, d: int, layers: int) -> Pair:
    shared, a = state[f"shared.{d}"], normal(world, d)
    users, items = (
        np.array([np.concatenate([row, shared[side], shared[2]]) for row in table])
        for side, table in enumerate(tables(state, d))
    )
    out = [users, items]
    for layer in range(1, layers + 1):
        users, items = a @ items, a.T @ users
        out = [out[0] + users / (layer + 1), out[1] + items / (layer + 1)]
    return out[0], out[1]


def persons(world: Any) -> list[list[int]]:
    """Per domain, the person that each row is: overlapping users in training are one."""
    seen: dict[Any, int] = {}
    out = []
    for d, domain in enumerate(world.dataset.domains):
        active = base.interactions(world, d).sum(1) > 0
        keys = [u if active[r] else (d, r) for r, u in enumerate(domain.user_ids)]
        out.append([seen.setdefault(key, len(seen)) for key in keys])
    return out


def cmf(world: Any, state: State, d: int, layers: int) -> Pair:
    return state["users"][persons(world)[d]], state[f"tables.{d}.items"]


def bitgcf_all(world: Any, state: State, layers: int, moves: list) -> list[Pair]:
    """``moves``: (source, target, [(row there, row here)]) of each ordered pair of domains."""
    n = range(len(world.dataset.domains))
    now = [list(tables(state, d)) for d in n]
    kept = [[[x.copy()] for x in now[d]] for d in n]
    degree = [base.interactions(world, d).sum(1) for d in n]
    for _ in range(layers):
        for d in n:
            a, (u, i) = normal(world, d), now[d]
            now[d] = [u + a @ i + u * (a @ i), i + a.T @ u + i * (a.T @ u)]
        before = [now[d][0].copy() for d in n]
        for source, target, pairs in moves:
            for there, here in pairs:
                x, y = before[target][here], before[source][there]
                nx, ny = degree[target][here], degree[source][there]
                mean = (nx * x + ny * y) / max(nx + ny, 1)
                now[target][0][here] = 0.5 * (0.8 * x + 0.2 * y + mean)
        for d in n:
            for side in (0, 1):
                kept[d][side].append(units(now[d][side]))
    return [tuple(np.hstack(side) for side in kept[d]) for d in n]


def overlaps(world: Any) -> list:
    return [(0, 1, base.overlap(world, 0, 1)), (1, 0, base.overlap(world, 1, 0))]


def bitgcf(world: Any, state: State, d: int, layers: int) -> Pair:
    return bitgcf_all(world, state, layers, overlaps(world))[d]


EMBEDDINGS: dict[str, Callable[[Any, State, int, int], Pair]] = {
    "bpr-mf": bpr_mf,
    "imc-gae": imc_gae,
    "vbpr": vbpr,
    "lattice": lattice,
    "bm3": bm3,
    "freedom": freedom,
    "mgcn": mgcn,
    "cmf": cmf,
    "emcdr": bpr_mf,
    "bitgcf": bitgcf,
    "ptupcdr": bpr_mf,
}


# Users without a trace in a domain: (world, state, source rows, target rows), from 0 to 1 ---------


def cmf_cold(world: Any, state: State, there: list[int], here: list[int]) -> Array:
    return state["users"][[persons(world)[0][r] for r in there]]


def emcdr_cold(world: Any, state: State, there: list[int], here: list[int]) -> Array:
    own = state["tables.0.users"][there]
    return linear(state, "maps.0-1.2", np.tanh(linear(state, "maps.0-1.0", own)))


def ptupcdr_cold(world: Any, state: State, there: list[int], here: list[int]) -> Array:
    users, items = tables(state, 0)
    taken, out = base.interactions(world, 0), []
    for u in there:
        mine = items[taken[u] > 0]
        hidden = np.maximum(linear(state, "bridges.0-1.attend.0", mine), 0)
        shares = softmax(linear(state, "bridges.0-1.attend.2", hidden)[:, 0])
        hidden = np.maximum(linear(state, "bridges.0-1.meta.0", shares @ mine), 0)
        bridge = linear(state, "bridges.0-1.meta.2", hidden).reshape(len(users[u]), -1)
        out.append(bridge @ users[u])
    return np.array(out)


def bitgcf_cold(world: Any, state: State, there: list[int], here: list[int]) -> Array:
    into, back = overlaps(world)
    wider = (0, 1, [*into[2], *zip(there, here, strict=True)])
    return bitgcf_all(world, state, 2, [wider, back])[1][0][here]


COLD = {"cmf": cmf_cold, "emcdr": emcdr_cold, "bitgcf": bitgcf_cold, "ptupcdr": ptupcdr_cold}


# Solved models: (world, domain, what is taken in each domain, options) -> scores -----------------


def popularity(world: Any, d: int, taken: list[Array]) -> Array:
    return np.tile(base.interactions(world, d).sum(0), (len(taken[d]), 1))


def nearest_columns(s: Array, nearest: int) -> Array:
    """Each column's largest positive entries, the diagonal left out."""
    s = s.copy()
    np.fill_diagonal(s, 0)
    for i in range(len(s)):
        order = sorted(range(len(s)), key=lambda j: (-s[j, i], j))
        s[order[nearest:], i] = 0
    return np.maximum(s, 0)


def itemknn(world: Any, d: int, taken: list[Array], nearest: int, shrink: float) -> Array:
    train = base.interactions(world, d)
    length = np.sqrt(train.sum(0))
    s = train.T @ train / np.maximum(np.outer(length, length) + shrink, 1e-12)
    return taken[d] @ nearest_columns(s, nearest)


def bm25(world: Any, d: int, taken: list[Array], nearest: int, k1: float, b: float) -> Array:
    train = base.interactions(world, d)
    w, degree = np.zeros_like(train), train.sum(1)
    for u, i in np.argwhere(train):
        length = 1 - b + b * degree[u] / degree.mean()
        w[u, i] = (k1 + 1) / (k1 * length + 1) * np.log(len(train) / (1 + train[:, i].sum()))
    return taken[d] @ nearest_columns(w.T @ w, nearest)


def rp3beta(
    world: Any, d: int, taken: list[Array], nearest: int, alpha: float, beta: float
) -> Array:
    train = base.interactions(world, d)
    users, items = (np.maximum(train.sum(side), 1) for side in (1, 0))
    steps = (train.T / items[:, None]) ** alpha @ (train / users[:, None]) ** alpha
    return taken[d] @ nearest_columns(steps / items[None, :] ** beta, nearest)


def autoencoder(gram: Array, penalty: float) -> Array:
    p = np.linalg.inv(gram + penalty * np.eye(len(gram)))
    b = -p / np.diag(p)[None, :]
    np.fill_diagonal(b, 0)
    return b


def ease(world: Any, d: int, taken: list[Array], penalty: float) -> Array:
    train = base.interactions(world, d)
    return taken[d] @ autoencoder(train.T @ train, penalty)


def ease_joint(world: Any, d: int, taken: list[Array], penalty: float) -> Array:
    """The domain's users, each with what it took in the other one."""
    person, trains = persons(world), [base.interactions(world, e) for e in (0, 1)]
    there = dict(zip(person[1 - d], trains[1 - d], strict=True))
    nothing = np.zeros(trains[1 - d].shape[1])
    rows = np.array(
        [[*row, *there.get(p, nothing)] for p, row in zip(person[d], trains[d], strict=True)]
    )
    n = trains[d].shape[1]
    weights = autoencoder(rows.T @ rows, penalty)[:, :n]
    return np.hstack([taken[d], taken[1 - d]]) @ weights


def cease(world: Any, d: int, taken: list[Array], penalty: float, weight: float) -> Array:
    train, out = base.interactions(world, d), np.zeros(taken[d].shape)
    kept = train.sum(0) > 0
    said = [base.space_of(world, d, m)[kept] for m in world.features.modalities]
    gram = train[:, kept].T @ train[:, kept] + weight * sum(x @ x.T for x in said)
    out[:, kept] = taken[d][:, kept] @ autoencoder(gram, penalty)
    return out


def als_items(
    train: Array, factors: int, regularisation: float, alpha: float, rounds: int
) -> Array:
    _, s, v = np.linalg.svd(train, full_matrices=False)
    items = (v.T * np.sqrt(s))[:, :factors]
    for _ in range(rounds):
        users = als_solve(train, items, regularisation, alpha)
        items = als_solve(train.T, users, regularisation, alpha)
    return items


def als_solve(taken: Array, y: Array, regularisation: float, alpha: float) -> Array:
    out = []
    for row in taken:
        confidence = np.diag(1 + alpha * row)
        left = y.T @ confidence @ y + regularisation * np.eye(y.shape[1])
        out.append(np.linalg.solve(left, y.T @ confidence @ row))
    return np.array(out)


def als(world: Any, d: int, taken: list[Array], **told: float) -> Array:
    items = als_items(base.interactions(world, d), **told)
    return als_solve(taken[d], items, told["regularisation"], told["alpha"]) @ items.T


def als_joint(world: Any, d: int, taken: list[Array], **told: float) -> Array:
    person, trains = persons(world), [base.interactions(world, e) for e in (0, 1)]
    whole = np.zeros((1 + max(max(p) for p in person), sum(t.shape[1] for t in trains)))
    ends = [0, trains[0].shape[1], whole.shape[1]]
    for e, train in enumerate(trains):
        for u, i in np.argwhere(train):
            whole[person[e][u], ends[e] + i] = 1
    items = als_items(whole, **told)
    users = als_solve(np.hstack(taken), items, told["regularisation"], told["alpha"])
    return users @ items[ends[d] : ends[d + 1]].T


def content_profile(world: Any, d: int, taken: list[Array], dense: int, only: int) -> Array:
    modalities = world.features.modalities[only - 1 : only] if only else world.features.modalities
    view = base.dense_of if dense else base.space_of
    out = np.zeros(taken[d].shape)
    for m in modalities:
        own, other = view(world, d, m), view(world, 1 - d, m)
        for u in range(len(out)):
            there = taken[d][u].any()
            profile = taken[d][u] @ own if there else taken[1 - d][u] @ other
            out[u] += own @ base.unit(profile)
    return out


def memory_alone(world: Any, d: int, taken: list[Array], **c: float) -> Array:
    train = base.interactions(world, d)
    degree, n = train.sum(0), len(train.T)
    other = np.zeros((len(train), taken[1 - d].shape[1]))
    for there, here in base.overlap(world, 1 - d, d):
        other[here] = base.interactions(world, 1 - d)[there]
    s, k, some = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, 1))
    for m in world.features.modalities:
        weights, space = similar(world, d, m), base.space_of(world, d, m)
        allowed = world.features.matrices[m][d].present & (degree > 0)
        cosines = np.maximum(units(space) @ units(space).T, 0) * allowed * (1 - np.eye(n))
        s, k, some = s + weights, k + cosines, some + (weights.sum(1, keepdims=True) > 0)
    s, k = s / np.maximum(some, 1), k / np.maximum(some, 1)
    new = (degree == 0)[:, None]
    near = k + (new * k).T
    active = train.sum(1)
    weigh = np.where(active > 0, np.maximum(active, 1) ** -c["activity"], 0)[:, None] * train
    r = np.eye(n) + c["lend"] * s

    def power(x: Array, exponent: float) -> Array:
        return np.where(x > 0, np.where(x > 0, x, 1) ** exponent, 0)

    left = taken[d] @ r * power(degree @ r, -c["seen"]) @ r.T @ train.T
    found = (left + c["elsewhere"] * taken[1 - d] @ other.T) @ weigh @ r
    found *= power(degree @ r, -c["popular"])
    found += found @ (new * s).T
    return found + c["content"] * taken[d] @ near**2


SOLVED = {
    "popularity": popularity,
    "itemknn": itemknn,
    "bm25": bm25,
    "rp3beta": rp3beta,
    "ease": ease,
    "als": als,
    "als-joint": als_joint,
    "ease-joint": ease_joint,
    "content-profile": content_profile,
    "cease": cease,
    "memory-alone": memory_alone,
}
