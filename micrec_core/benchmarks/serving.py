"""Answers of the recommender for someone new, over catalogues of a stated size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.benchmarks import worlds
from micrec_core.benchmarks.measure import Options, Report, Target, Timing, in_turn
from micrec_core.features import FeatureMatrix
from micrec_core.graphs.neighbours import Neighbours, normalise_rows, strongest
from micrec_core.method.arrays import Floats, GateArrays, ModalityArrays
from micrec_core.method.profiles import Scaling, infer_profiles
from micrec_core.modalities.image import IMAGE
from micrec_core.modalities.text import TEXT
from micrec_core.serving import Recommender
from micrec_core.serving.contents import Bundle, DomainPart

DIM, WIDTH, K, VOCABULARY = 64, 64, 10, 20_000
LAYERS = 2
LIKES, LIST = 10, 20
DOMAIN = "made-up"


def measure_30k(options: Options) -> Report:
    """30,000 items and 30,000 users."""
    return _measure("serving", options, *((200, 200) if options.quick else (30_000, 30_000)), 5)


def measure_million(options: Options) -> Report:
    """A million items and 100,000 users."""
    sizes = (300, 400) if options.quick else (100_000, 1_000_000)
    return _measure("serving-million", options, *sizes, 40)


def _measure(name: str, options: Options, n_users: int, n_items: int, aim: float) -> Report:
    recommender = Recommender(None, make_bundle(n_users, n_items))
    rng = np.random.default_rng(5)
    ids = recommender.bundle.domains[0].item_ids

    def someone() -> dict[str, list[str]]:
        return {DOMAIN: [str(i) for i in rng.choice(ids, LIKES, replace=False)]}

    def answer() -> None:
        user = recommender.user(likes=someone())
        recommender.recommend(user, DOMAIN, k=LIST)

    listed = recommender.user(likes=someone())
    top = recommender.recommend(listed, DOMAIN, k=LIST).items["item_id"].tolist()

    def explain() -> None:
        for item in top:
            recommender.explain(listed, DOMAIN, item)

    works = {"fold-in and top 20": answer, "explanation of 20": explain}
    timings: dict[str, Timing] = in_turn(works, options.rounds(50), warm=3)
    found = {name: timing.median for name, timing in timings.items()}
    return Report(
        name,
        "Someone new with 10 likes, never the same: made from ids, folded in with neighbours by "
        "text and image, and given the best 20 items; then why, for each of 20 items.",
        {"items": n_items, "users": n_users, "dim": DIM, "likes": LIKES},
        timings,
        {},
        (
            Target("fold-in and top 20", found["fold-in and top 20"], aim, "ms", below=True),
            Target("explanation of 20 items", found["explanation of 20"], 50, "ms", below=True),
        ),
    )


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
    profiles = infer_profiles(train, features)
    space = profiles.content() if profiles.sparse is None else strongest(profiles.sparse)
    n_users, n_items = train.shape
    return ModalityArrays(features, space, _random(n_users, seed), _random(n_items, seed + 100))


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
