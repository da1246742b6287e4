"""Folding in through the model's own forward pass changes nobody and reproduces known users."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from micrec_core.config import ModelSettings
from micrec_core.data import Dataset, Split, make_split, read_dataset
from micrec_core.method.bridge import fit_bridge
from micrec_core.method.inductive import alone_users, cold_users, encode, fold_in_inputs
from micrec_core.method.inputs import ModelInputs, model_inputs
from micrec_core.method.knowledge import Knowledge, NeighbourSettings
from micrec_core.method.micrec import MICRec
from micrec_core.modalities.dataset import DatasetFeatures, encode_dataset
from micrec_core.sample.generate import generate_sample
from micrec_core.training.build import build_model, used_modalities
from micrec_core.training.prepare import knowledge_of

Trained = tuple[MICRec, Knowledge, ModelInputs]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Split, DatasetFeatures]:
    root = tmp_path_factory.mktemp("world") / "tiny"
    generate_sample(root, users=120, items=(60, 50), seed=5, picture_size=32)
    dataset = read_dataset(root)
    split = make_split(dataset, "inductive")
    return dataset, split, encode_dataset(dataset)


def wire(world, name: str = "micrec", without: tuple[str, ...] = ()) -> Trained:
    dataset, split, features = world
    settings = ModelSettings(name=name, without=without, dim=16)
    modalities = used_modalities(settings, features.modalities)
    crosses = "cross-domain" not in without
    neighbours = NeighbourSettings(5, cross_profile=crosses)
    knowledge = knowledge_of(dataset, split, features, modalities, neighbours)
    inputs = model_inputs(knowledge)
    model = build_model(settings, inputs, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        # As if trained: nothing of what starts at zero may hide a mistake.
        for key, parameter in model.named_parameters():
            if "gate" in key or key.startswith(("transfer", "bridge")):
                parameter.normal_(0, 0.3, generator=generator)
    return model, knowledge, inputs


def supports(world) -> list[sparse.csr_matrix]:
    dataset, split, _ = world
    return [
        part.new_user_support.matrix(d.n_users, d.n_items)
        for d, part in zip(dataset.domains, split.domains)
    ]


def folded_in(model, knowledge, inputs, given):
    """Users of each domain, new ones folded in."""
    return [e.users for e in encode(model, fold_in_inputs(knowledge, inputs, given))]


@pytest.mark.parametrize(
    ("name", "without"),
    [("micrec", ()), ("micrec", ("templates",)), ("inmo", ()), ("lightgcn", ())],
)
def test_everyone_known_keeps_their_embedding(world, name: str, without: tuple[str, ...]) -> None:
    model, knowledge, inputs = wire(world, name, without)
    before = encode(model, inputs)
    folded = folded_in(model, knowledge, inputs, supports(world))
    for d, users in enumerate(folded):
        new = world[1].domains[d].new_users
        known = np.setdiff1d(np.arange(len(users)), new)
        torch.testing.assert_close(users[known], before[d].users[known], atol=1e-6, rtol=1e-5)
        assert not torch.allclose(users[new], before[d].users[new], atol=1e-4)


@pytest.mark.parametrize("without", [(), ("text",), ("modality",), ("cross-domain",)])
def test_a_training_user_gets_its_own_embedding(world, without: tuple[str, ...]) -> None:
    """Users of one domain only, since what is folded in comes from one domain."""
    model, knowledge, inputs = wire(world, "micrec", without)
    before = encode(model, inputs)
    own = []
    alone = []
    for d, part in enumerate(knowledge.domains):
        linked = knowledge.links[1 - d, d][1]
        rows = np.setdiff1d(np.flatnonzero(part.user_degree), linked)
        keep = np.zeros(len(part.user_degree), np.float32)
        keep[rows] = 1
        own.append(sparse.csr_matrix(sparse.diags(keep) @ part.train))
        own[-1].eliminate_zeros()
        alone.append(rows)
    folded = folded_in(model, knowledge, inputs, own)
    for d, users in enumerate(folded):
        assert len(alone[d]) > 5
        torch.testing.assert_close(users, before[d].users, atol=1e-5, rtol=1e-5)


def test_folding_in_changes_no_parameter(world) -> None:
    model, knowledge, inputs = wire(world)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    folded_in(model, knowledge, inputs, supports(world))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_a_cold_user_is_more_than_the_global_vector_only_across_domains(world) -> None:
    dataset, split, _ = world
    here = split.domains[1].cold_users.astype(np.int64)
    index = {u: row for row, u in enumerate(dataset.domains[0].user_ids)}
    there = np.array([index[u] for u in dataset.domains[1].user_ids[here]])
    for without, crosses in (((), True), (("cross-domain",), False)):
        model, knowledge, inputs = wire(world, "micrec", without)
        encoded, bridges = encode(model, inputs), {}
        if crosses:
            known, over = knowledge.links[0, 1]
            alone = alone_users(model, knowledge, inputs, encoded, 0, known)
            bridges[0, 1] = fit_bridge(alone, encoded[1].users[over].numpy(), 1.0, 0.5)
        cold = cold_users(model, knowledge, inputs, encoded, bridges, (0, 1), there)
        assert cold.shape == (len(here), 16) and np.isfinite(cold).all()
        same = np.allclose(cold, cold[:1], atol=1e-6)
        assert same is not crosses


def test_free_vectors_of_the_untrained_are_zero(world) -> None:
    model, knowledge, inputs = wire(world, "lightgcn")
    encoded = encode(model, inputs)
    for d, part in enumerate(knowledge.domains):
        assert encoded[d].users[part.user_degree == 0].abs().max() == 0
        assert encoded[d].items[part.item_degree == 0].abs().max() == 0
        assert encoded[d].users[part.user_degree > 0].abs().max() > 0
