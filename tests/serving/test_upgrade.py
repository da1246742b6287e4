"""Bundles of earlier versions are read as they are and serve what the model is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from micrec_core.method.inductive import encode_by_source
from micrec_core.method.inputs import model_inputs
from micrec_core.runs import RunWriter, open_run
from micrec_core.serving import Recommender
from micrec_core.serving.verify import check_against

STORED = ("item_layers", "initial_users", "users")


def earlier(trained, version: int) -> dict[str, NDArray[Any]]:
    """``serving.safetensors`` as that version wrote it: parameters, and no embedding."""
    tensors = {
        name: value
        for name, value in trained.run.tensors("serving.safetensors").items()
        if name.split(".")[-1] not in STORED
    }
    for name, value in trained.run.tensors("model.safetensors").items():
        old = name.removeprefix("domains.").replace("own_template", "echo")
        if not old.endswith("self_enhanced"):
            tensors[old] = np.atleast_1d(value)
    for d, part in enumerate(trained.knowledge.domains):
        columns = [part.profiles[m].coherence for m in part.features]
        tensors[f"{d}.coherence"] = np.stack(columns, 1) if columns else np.zeros((0, 0))
    for (a, b), bridge in trained.bridges.items():
        tensors[f"bridge.{a}-{b}.target"] = bridge.target
    unknown = {3: (), 2: ("echo",), 1: ("echo", "refine")}[version]
    return {k: v for k, v in tensors.items() if not k.endswith(unknown or ("nothing",))}


def write(trained, version: int, folder: Path) -> Recommender:
    writer = RunWriter(folder / "old", {"model": "micrec"})
    writer.write_json("serving.json", trained.run.json("serving.json") | {"version": version})
    writer.write_json("serving_encoders.json", trained.run.json("serving_encoders.json"))
    writer.write_parquet("serving_ids.parquet", trained.run.frame("serving_ids.parquet"))
    writer.write_tensors("serving.safetensors", earlier(trained, version))
    writer.finish()
    return Recommender.open(open_run(folder / "old"))


VARIANTS = [
    ("micrec", ()), ("micrec", ("cross-domain",)), ("micrec", ("templates",)),
    ("micrec", ("modality",)), ("inmo", ()), ("lightgcn", ()),
]  # fmt: skip


@pytest.mark.parametrize(("name", "without"), VARIANTS)
def test_version_3_is_served_as_the_same_run_of_today(make_run, tmp_path, name, without) -> None:
    trained = make_run(name, without)
    old, new = write(trained, 3, tmp_path), trained.recommender
    assert old.sources == new.sources and old.n_parameters == new.n_parameters
    for before, today in zip(old.bundle.domains, new.bundle.domains, strict=True):
        for array in STORED:
            a, b = getattr(before, array), getattr(today, array)
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    for domain in new.domains:
        part = new.bundle.domains[new.domains.index(domain)]
        user = {"likes": {domain: list(part.item_ids[:3])}}
        lists = [rec.recommend(rec.user(**user), domain).items for rec in (old, new)]
        np.testing.assert_allclose(lists[0]["score"], lists[1]["score"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("version", [1, 2])
def test_what_a_version_did_not_know_it_goes_without(trained, tmp_path, version) -> None:
    rec = write(trained, version, tmp_path)
    inputs = model_inputs(trained.knowledge)
    model = trained.model
    kept = {k: v.clone() for k, v in model.state_dict().items()}
    for d in range(len(inputs.domains)):
        model.domain(d).own_template.data.zero_()
        if version == 1:
            model.domain(d).refine.data.zero_()
    try:
        check_against(rec.bundle, encode_by_source(model, inputs))
    finally:
        model.load_state_dict(kept)
