"""The profiles in which neighbours are found are the same, computed or stored."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from micrec_core.graphs.neighbours import Features
from micrec_core.names import PARAMETERS
from micrec_core.serving import user_spaces
from micrec_core.serving.bundle import unpack
from micrec_core.serving.user_spaces import anchors
from tests.serving.packing import stored_spaces


def same(found: Features, wanted: Features) -> bool:
    if sparse.issparse(wanted):
        return sparse.issparse(found) and (found != wanted).nnz == 0
    return np.array_equal(found, wanted)


def test_a_small_run_computes_them_to_the_last_bit(trained) -> None:
    assert not any("user_space" in name for name in trained.run.tensors("serving.safetensors"))
    domains = zip(trained.recommender.bundle.domains, trained.knowledge.domains, strict=True)
    for served, known in domains:
        for m, x in served.modalities.items():
            assert same(x.user_space, anchors(known.train, known.profiles[m]))


def test_a_large_run_stores_them(trained, monkeypatch: pytest.MonkeyPatch) -> None:
    run, bundle = trained.run, trained.recommender.bundle
    beside = run.json("serving.json"), run.frame("serving_ids.parquet")
    encoders = run.json("serving_encoders.json")
    tensors = run.tensors("serving.safetensors")
    monkeypatch.setattr(user_spaces, "MOST", 0)
    with pytest.raises(ValueError, match=r"lacks the tensor '0\.text\.user_space'"):
        unpack(run.tensors(PARAMETERS), tensors, *beside, encoders)
    stored = tensors | stored_spaces(bundle)
    opened = unpack(run.tensors(PARAMETERS), stored, *beside, encoders)
    for found, wanted in zip(opened.domains, bundle.domains, strict=True):
        for m, x in wanted.modalities.items():
            assert same(found.modalities[m].user_space, x.user_space)
