"""Profiles, coherence and gate signals against the dense oracle and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from micrec_core.features import FeatureMatrix
from micrec_core.method.profiles import coherence_of, fit_scaling, joint_sums, own_sums
from tests.method import oracle, worlds

MODALITIES = ("text", "image")


@pytest.fixture(scope="module")
def world() -> worlds.World:
    return worlds.tiny()


@pytest.mark.parametrize("m", MODALITIES)
@pytest.mark.parametrize("d", [0, 1])
@pytest.mark.parametrize("cross", [True, False])
def test_profiles_equal_the_oracle(world, m, d, cross) -> None:
    """Own items whole, those of the other domain by half, and both views of them."""
    settings = worlds.NeighbourSettings(3, 0.2, cross_profile=cross)
    known = world.knowledge(settings=settings)
    own = [
        {m: own_sums(part.train, part.features[m]) for m in MODALITIES} for part in known.domains
    ]
    sums = joint_sums(own, known.links if cross else {}, d, m)
    wanted = oracle.profile(world, d, m, cross)
    np.testing.assert_allclose(sums.dense, wanted.dense, atol=1e-5)
    space = sums.dense if sums.sparse is None else sums.sparse.toarray()
    np.testing.assert_allclose(space, wanted.space, atol=1e-5)
    found = known.domains[d].profiles[m]
    np.testing.assert_allclose(
        found.content, wanted.dense * found.scale[:, None], atol=1e-5, err_msg="scaled alike"
    )
    assert np.array_equal(found.has, wanted.has)
    np.testing.assert_allclose(found.coherence, wanted.coherence, atol=1e-5)
    lengths = np.linalg.norm(found.content, axis=1)
    np.testing.assert_allclose(lengths, found.has.astype(float), atol=1e-5)


def test_only_users_of_both_domains_take_from_the_other(world) -> None:
    alone = worlds.NeighbourSettings(3, 0.2, cross_profile=False)
    crossed, own = world.knowledge(), world.knowledge(settings=alone)
    for d in (0, 1):
        a, b = crossed.domains[d].profiles["text"], own.domains[d].profiles["text"]
        changed = np.flatnonzero(np.abs(a.content - b.content).max(axis=1) > 0)
        assert set(changed) <= {here for _, here in oracle.overlap(world, 1 - d, d)}
        assert len(changed)
        assert np.array_equal(a.coherence, b.coherence), "coherence is of the own domain"


def test_coherence_by_hand() -> None:
    """Three vectors whose pairwise cosines are 1, 0 and 0; one alone; none."""
    dense = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    features = FeatureMatrix(dense, None, np.ones(3, bool))
    history = sparse.csr_matrix(np.array([[1, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 0]]))
    found = own_sums(history, features).profiles()
    np.testing.assert_allclose(found.coherence, [1 / 3, 0, 0, 1], atol=1e-6)
    assert coherence_of(np.array([0.0]), np.array([2.0], np.float32))[0] == -1


def test_a_missing_item_adds_nothing() -> None:
    dense = np.array([[1, 0], [0, 0], [0, 1]], np.float32)
    features = FeatureMatrix(dense, None, np.array([True, False, True]))
    with_missing = own_sums(sparse.csr_matrix(np.array([[1, 1, 1]])), features).profiles()
    without = own_sums(sparse.csr_matrix(np.array([[1, 0, 1]])), features).profiles()
    assert np.array_equal(with_missing.content, without.content)
    assert with_missing.count == without.count == 2
    assert with_missing.coherence == without.coherence == 0


def test_signals_equal_the_oracle(world) -> None:
    inputs = worlds.model_inputs(world.knowledge())
    for d in (0, 1):
        for side, wanted in (
            (inputs.domains[d].users, oracle.user_side(world, d, MODALITIES)),
            (inputs.domains[d].items, oracle.item_side(world, d, MODALITIES)),
        ):
            for k, m in enumerate(MODALITIES):
                np.testing.assert_allclose(
                    side.signals[:, k].numpy(), wanted.signals(m), rtol=1e-4, atol=1e-4
                )
                unseen = (0 - wanted.mean[m][1]) / wanted.std[m][1]
                assert side.unseen[k].item() == pytest.approx(unseen, rel=1e-4)


def test_scaling_of_a_constant_signal_divides_by_one() -> None:
    ones = np.ones((4, 1, 1), np.float32)
    scaling = fit_scaling(ones, np.full(4, 3.0, np.float32), np.ones((4, 1), bool))
    assert np.array_equal(scaling.std, [[1, 1]])
    assert not scaling.apply(ones, np.full(4, 3.0, np.float32)).any()
    # Of many, the mean in single precision is off by more than what a double would tell apart.
    many = np.ones((1475, 1, 1), np.float32)
    crowd = fit_scaling(many, np.ones(1475, np.float32), np.ones((1475, 1), bool))
    np.testing.assert_array_equal(crowd.std, 1)
    # One among them who took twice as much is not thousands of deviations away.
    degree = np.ones(1475, np.float32)
    degree[0] = 3
    crowd = fit_scaling(many, degree, np.ones((1475, 1), bool))
    assert np.abs(crowd.apply(many, degree)).max() < 1
    nobody = fit_scaling(ones, np.zeros(4, np.float32), np.ones((4, 1), bool))
    assert np.array_equal(nobody.mean, [[0, 0]]) and np.array_equal(nobody.std, [[1, 1]])
