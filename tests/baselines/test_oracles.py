"""Every baseline against its formula in dense NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from micrec_core.answering.answers import embed
from micrec_core.baselines import REGISTRY, Baseline, ClosedForm
from micrec_core.method.inputs import Link
from micrec_core.training.build import build_any
from tests.baselines import oracle
from tests.baselines.conftest import prepared_for
from tests.method import oracle as base

LAYERS = 2
_ALS = {"factors": 4, "regularisation": 0.5, "alpha": 3.0, "rounds": 3}
_MEMORY = {"lend": 0.3, "activity": 0.6, "seen": 0.4, "popular": 0.2, "elsewhere": 0.1}
SOLVED: dict[str, list[dict[str, float]]] = {
    "popularity": [{}],
    "itemknn": [{"nearest": 3, "shrink": 2.0}],
    "bm25": [{"nearest": 3, "k1": 0.5, "b": 0.3}],
    "rp3beta": [{"nearest": 3, "alpha": 0.7, "beta": 0.4}],
    "ease": [{"penalty": 5.0}],
    # More and fewer factors than most take items: both ways to solve.
    "als": [_ALS, _ALS | {"factors": 7}],
    "als-joint": [_ALS, _ALS | {"factors": 9}],
    "ease-joint": [{"penalty": 5.0}],
    "content-profile": [{"dense": 0, "only": 0}, {"dense": 1, "only": 0}, {"dense": 0, "only": 2}],
    "cease": [{"penalty": 5.0, "weight": 3.0}],
    "memory-alone": [_MEMORY | {"content": 0.2}],
}


def shaken(tiny, name: str) -> tuple[Baseline, object, dict]:
    """A model with every parameter at random, so that no zero hides a wrong formula."""
    prepared = prepared_for(tiny, name, layers=LAYERS)
    model = build_any(prepared.settings.model, prepared.inputs, 0)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.5, generator=generator)
    state = {k: v.numpy().astype(float) for k, v in model.state_dict().items()}
    return model, prepared.inputs, state


def test_every_baseline_has_an_oracle() -> None:
    assert set(oracle.EMBEDDINGS) | set(oracle.SOLVED) == set(REGISTRY)
    assert set(oracle.SOLVED) == set(SOLVED)
    cold = {n for n, kind in REGISTRY.items() if "cold-domain" in kind.answers}
    assert set(oracle.COLD) == cold - set(SOLVED)


@pytest.mark.parametrize("name", list(oracle.EMBEDDINGS))
def test_embeddings_are_those_of_the_formula(tiny, name) -> None:
    model, inputs, state = shaken(tiny, name)
    for d, found in enumerate(embed(model, inputs)):
        users, items = oracle.EMBEDDINGS[name](tiny, state, d, LAYERS)
        np.testing.assert_allclose(found.users.detach().numpy(), users, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found.items.detach().numpy(), items, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", list(oracle.COLD))
def test_users_without_a_trace_are_embedded_by_the_formula(tiny, name) -> None:
    model, inputs, state = shaken(tiny, name)
    ids = [list(d.user_ids) for d in tiny.dataset.domains]
    idle = [base.interactions(tiny, d).sum(1) == 0 for d in (0, 1)]
    here = [r for r, u in enumerate(ids[1]) if idle[1][r] and u in ids[0]]
    there = [ids[0].index(ids[1][r]) for r in here]
    assert here and not idle[0][there].any()
    link = Link(0, 1, torch.tensor(there), torch.tensor(here))
    with torch.no_grad():
        found = model.cold_users(inputs, link).numpy()
    wanted = oracle.COLD[name](tiny, state, there, here)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "told"), [(n, t) for n, told in SOLVED.items() for t in told])
def test_scores_are_those_of_the_formula(tiny, name, told) -> None:
    prepared = prepared_for(tiny, name, options=told)
    model = build_any(prepared.settings.model, prepared.inputs, 0)
    assert isinstance(model, ClosedForm)
    model.solve(prepared.knowledge)
    rng = np.random.default_rng(0)
    sizes = [part.train.shape[1] for part in prepared.knowledge.domains]
    taken = [(rng.random((7, n)) < 0.4).astype(np.float32) for n in sizes]
    taken[0][1], taken[1][2] = 0, 0
    for d in range(len(sizes)):
        wanted = oracle.SOLVED[name](tiny, d, [rows.astype(float) for rows in taken], **told)
        found = model.scores(d, [sparse.csr_matrix(rows) for rows in taken])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
