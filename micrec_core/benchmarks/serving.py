"""Answers of the recommender for someone new, over catalogues of a stated size."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.benchmarks import worlds
from micrec_core.benchmarks.measure import Options, Report, Target, Work, in_turn
from micrec_core.features import FeatureMatrix
from micrec_core.graphs.neighbours import Neighbours, normalise_rows
from micrec_core.method.arrays import Floats, GateArrays, ModalityArrays
from micrec_core.method.memory import Constants, Memory
from micrec_core.method.profiles import Scaling, own_sums
from micrec_core.method.taken import Taken
from micrec_core.modalities.image import IMAGE
from micrec_core.modalities.text import TEXT
from micrec_core.serving import Recommender
from micrec_core.serving.contents import Bundle, DomainPart

DIM, WIDTH, K, VOCABULARY = 64, 64, 10, 20_000
LAYERS = 2
LIKES, LIST = 10, 20
DOMAIN = "made-up"
LISTED, MEMORY = "fold-in and top 20", "a memory alone"
SCIPY = "a memory alone, by SciPy"


def measure_30k(options: Options) -> Report:
    """30,000 items and 30,000 users."""
    sizes = (200, 200) if options.quick else (30_000, 30_000)
    return _measure("serving", options, *sizes, aim=5, aim_memory=1)


def measure_million(options: Options) -> Report:
    """A million items and a million users."""
    sizes = (300, 400) if options.quick else (1_000_000, 1_000_000)
    return _measure("serving-million", options, *sizes, aim=40, aim_memory=10)


def _measure(
    name: str, options: Options, n_users: int, n_items: int, aim: float, aim_memory: float
) -> Report:
    # Loaded by whoever answers many (``Recommender.warm``).
    import micrec_core.graphs.walk  # noqa: F401

    bundle = make_bundle(n_users, n_items)
    plain = Recommender(None, bundle)
    remembers = Recommender(None, replace(bundle, memory=((Constants(), 0.5, None),)))
    held = remembers.bundle.remembered[0]
    assert held is not None
    rng = np.random.default_rng(5)
    ids = bundle.domains[0].item_ids

    def someone() -> dict[str, list[str]]:
        return {DOMAIN: [str(i) for i in rng.choice(ids, LIKES, replace=False)]}

    def answer(recommender: Recommender) -> None:
        user = recommender.user(likes=someone())
        recommender.recommend(user, DOMAIN, k=LIST)

    def taken() -> Taken:
        items = np.sort(rng.choice(n_items, LIKES, replace=False))
        row = sparse.csr_matrix((np.ones(LIKES), items, np.array([0, LIKES])), (1, n_items))
        return Taken.of([row], 0)

    listed = plain.user(likes=someone())
    top = plain.recommend(listed, DOMAIN, k=LIST).items["item_id"].tolist()

    def explain() -> None:
        for item in top:
            plain.explain(listed, DOMAIN, item)

    works: dict[str, Work] = {
        LISTED: lambda: answer(plain),
        "explanation of 20": explain,
        "fold-in and top 20, with a memory": lambda: answer(remembers),
        MEMORY: lambda: held.scores(taken()),
        SCIPY: lambda: by_scipy(held.memory, taken().here),
    }
    timings = in_turn(works, options.rounds(50), warm=3, clock=time.process_time)
    found = {name: timing.median for name, timing in timings.items()}
    return Report(
        name,
        "Someone new with 10 likes, never the same: made from ids, folded in with neighbours by "
        "text and image, and given the best 20 items; then why, for each of 20 items; the same "
        "list with a memory, and what that adds alone, beside its products by SciPy. Processor "
        "time of all threads.",
        {"items": n_items, "users": n_users, "dim": DIM, "likes": LIKES},
        timings,
        {"the memory's products by SciPy": found[SCIPY] / found[MEMORY]},
        (
            Target(LISTED, found[LISTED], aim, "ms", below=True),
            Target("explanation of 20 items", found["explanation of 20"], 50, "ms", below=True),
            Target("what a memory adds", found[MEMORY], aim_memory, "ms", below=True),
        ),
    )


def by_scipy(memory: Memory, taken: sparse.csr_matrix) -> None:
    """What a memory adds for some users, as its formula has it: what kernels are set beside."""
    for row in taken:
        users = row @ memory.smooth @ memory.back @ memory.takers
        (users @ memory.tastes).toarray() @ memory.found


def make_bundle(n_users: int, n_items: int) -> Bundle:
    """A full model of random vectors in one domain: templates, text and image, two layers."""
    train = worlds.interactions(n_users, n_items, 10 * n_users)
    text = worlds.documents(n_items, VOCABULARY, 8)
    present = np.ones(n_items, bool)
    users = worlds.vectors(n_users, DIM, 5) * np.float32(0.1)
    items = worlds.vectors(n_items, DIM, 6) * np.float32(0.1)
    modalities = {
        TEXT.name: _modality(train, FeatureMatrix(_unit(n_items, 1), text, present), 2),
        IMAGE.name: _modality(train, FeatureMatrix(_unit(n_items, 3), None, present), 4),
    }
    part = DomainPart(
        name=DOMAIN,
        label="Made-up",
        user_ids=_ids("u", n_users),
        item_ids=_ids("i", n_items),
        titles=_ids("Title of ", n_items),
        train=train,
        user_templates=users,
        item_templates=items,
        any_user=np.zeros(DIM, np.float32),
        any_item=np.zeros(DIM, np.float32),
        refine=0.5,
        own_template=1.0,
        user_gate=_gate(),
        item_gate=_gate(),
        user_scaling=_scaling(),
        item_scaling=_scaling(),
        modalities=modalities,
        initial_users=users,
        users=users,
        item_layers=_layers(items, 1 + len(modalities)),
    )
    project = {m: worlds.vectors(DIM, WIDTH, 7) * np.float32(0.05) for m in modalities}
    return Bundle(
        domains=(part,),
        modalities=tuple(modalities),
        layers=LAYERS,
        templates=True,
        alpha=0.6,
        k=K,
        temperature=0.2,
        cross_profile=True,
        project=project,
        transfer={},
        bridge={},
        links={},
        means={m: np.zeros((1, WIDTH), np.float32) for m in modalities},
        memory=(None,),
        parameters={},
        encoders={m: ({}, {}) for m in modalities},
        personas=(),
        n_parameters=0,
    )


def _modality(train: sparse.csr_matrix, features: FeatureMatrix, seed: int) -> ModalityArrays:
    """Profiles as they would be; neighbours drawn at random, which cost as much to look up."""
    space = own_sums(train, features).profiles().space
    n_users, n_items = train.shape
    near = _random(n_users, seed), _random(n_items, seed + 100)
    return ModalityArrays(features, lambda: space, *near)


def _random(n: int, seed: int) -> Neighbours:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, n, (n, K)).astype(np.int32)
    return Neighbours(rows, -np.sort(-rng.random((n, K), dtype=np.float32), axis=1))


def _unit(n: int, seed: int) -> NDArray[np.float32]:
    found = normalise_rows(worlds.vectors(n, WIDTH, seed))
    assert isinstance(found, np.ndarray)
    return found


def _ids(prefix: str, n: int) -> NDArray[np.object_]:
    return np.array([f"{prefix}{row}" for row in range(n)], dtype=object)


def _layers(items: Floats, n_sources: int) -> Floats:
    """Layers by source that differ from the vectors and from each other."""
    rng = np.random.default_rng(8)
    shares = rng.random((1, LAYERS + 1, n_sources, 1), dtype=np.float32)
    return items[:, None, None, :] * shares


def _gate() -> GateArrays:
    return GateArrays(*(np.zeros(shape, np.float32) for shape in (2, (2, 2), 2)))


def _scaling() -> Scaling:
    return Scaling(np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32))
