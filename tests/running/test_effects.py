"""What modalities bring, against plain loops."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from micrec_core.running.effects import effects


def test_effects_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    parts = {name: rng.normal(size=(6, 4)).astype(np.float32) for name in ("id", "text")}
    others = rng.normal(size=(11, 4)).astype(np.float32)
    wanted = (rng.random((6, 11)) < 0.3).astype(float)
    wanted[2] = 0
    found = effects(parts, others, sparse.csr_matrix(wanted))
    for user in range(6):
        whole = sum(part[user] for part in parts.values()) @ others.T
        for name, part in parts.items():
            drop, alone = (values[user] for values in found[name])
            scores = part[user] @ others.T
            if user == 2:
                assert np.isnan(drop) and np.isnan(alone)
                continue
            gain = scores[wanted[user] > 0].mean() - scores.mean()
            np.testing.assert_allclose(drop, gain / whole.std(), rtol=1e-4)
            np.testing.assert_allclose(alone, gain / scores.std(), rtol=1e-4)


def test_how_well_a_modality_finds_items_alone_does_not_depend_on_its_weight() -> None:
    rng = np.random.default_rng(1)
    parts = {name: rng.normal(size=(5, 3)).astype(np.float32) for name in ("text", "image")}
    others = rng.normal(size=(9, 3)).astype(np.float32)
    wanted = sparse.csr_matrix(np.eye(5, 9))
    once = effects(parts, others, wanted)
    heavier = effects(parts | {"text": 3 * parts["text"]}, others, wanted)
    np.testing.assert_allclose(heavier["text"][1], once["text"][1], rtol=1e-5)
    assert not np.allclose(heavier["text"][0], once["text"][0])
    # What brings nothing is not divided by.
    nothing = effects(parts | {"text": 0 * parts["text"]}, others, wanted)
    assert np.isnan(nothing["text"][1]).all() and (nothing["text"][0] == 0).all()
