"""What every variant and baseline must keep, whatever it leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from micrec_core.config import ModelSettings, TrainSettings, make_settings
from micrec_core.data.types import SPLIT_NAMES
from micrec_core.mechanisms import MECHANISMS
from micrec_core.method.inductive import alone_users
from micrec_core.training.build import build_model, effective_training, used_modalities
from tests.method import worlds

VARIANTS: dict[str, dict[str, Any]] = {
    "full": {},
    **{f"without {name}": {"without": (name,)} for name in MECHANISMS},
    "without text and cross-domain": {"without": ("text", "cross-domain")},
    "without anything": {"without": tuple(MECHANISMS)},
    "no layers": {"layers": 0},
    "inmo": {"name": "inmo"},
    "lightgcn": {"name": "lightgcn"},
}
every_variant = pytest.mark.parametrize("model", list(VARIANTS.values()), ids=list(VARIANTS))
every_loss = pytest.mark.parametrize("loss", ["softmax", "bpr"])


def encode(trainer) -> list:
    trainer.model.eval()
    with torch.no_grad():
        return trainer.model(trainer.inputs)


@every_variant
@every_loss
def test_trains_an_epoch_to_finite_embeddings_of_the_right_shape(
    trainer, small, model, loss
) -> None:
    records: list[dict[str, Any]] = []
    made = trainer(model, {"loss": loss, "epochs": 1}, on_epoch=lambda r, _: records.append(r))
    made.fit()
    assert [r["epoch"] for r in records] == [1]
    assert all(np.isfinite(v) for v in records[0]["loss"].values())
    terms = {k: v for k, v in records[0]["loss"].items() if k != "total"}
    assert records[0]["loss"]["total"] == pytest.approx(sum(terms.values()))
    for domain, found in zip(small.dataset.domains, encode(made), strict=True):
        for users in (
            found.users,
            found.initial_users,
            found.aggregated_users,
            found.template_users,
        ):
            assert users.shape == (domain.n_users, 8) and torch.isfinite(users).all()
        for items in (found.items, found.initial_items, found.aggregated_items):
            assert items.shape == (domain.n_items, 8) and torch.isfinite(items).all()
    for name, parameter in made.model.named_parameters():
        assert torch.isfinite(parameter).all(), name


@every_variant
def test_two_trainings_with_one_seed_agree_bit_for_bit(trainer, same, model) -> None:
    first, second, other = trainer(model), trainer(model), trainer(model, seed=1)
    first.fit()
    torch.manual_seed(99)
    torch.rand(7)
    second.fit()
    other.fit()
    assert same(first.model.state_dict(), second.model.state_dict())
    assert not same(first.model.state_dict(), other.model.state_dict())


@every_variant
def test_saved_and_loaded_gives_the_same_embeddings(trainer, small, model, tmp_path: Path) -> None:
    made = trainer(model)
    made.fit()
    path = tmp_path / "model.safetensors"
    save_file(made.model.state_dict(), path)
    settings = make_settings(ModelSettings, {"dim": 8, **model})
    fresh = build_model(settings, made.inputs, seed=123)
    fresh.load_state_dict(load_file(path))
    fresh.eval()
    assert fresh.alpha == made.model.alpha != 0.5, "the exponent travels with the model"
    with torch.no_grad():
        for a, b in zip(encode(made), fresh(made.inputs), strict=True):
            assert torch.equal(a.users, b.users) and torch.equal(a.items, b.items)


@pytest.mark.parametrize(
    ("model", "loss"),
    [*((model, "softmax") for model in VARIANTS.values()), ({}, "bpr"), (VARIANTS["inmo"], "bpr")],
    ids=[*VARIANTS, "full by bpr", "inmo by bpr"],
)
def test_training_lowers_the_ranking_loss(trainer, model, loss) -> None:
    seen: list[float] = []
    made = trainer(
        model,
        {"loss": loss, "epochs": 6, "patience": 99, "learning_rate": 0.03, "dropout": 0.1},
        on_epoch=lambda record, _: seen.append(record["loss"]["ranking"]),
    )
    made.fit()
    assert seen[-1] < 0.95 * seen[0]


@every_variant
def test_what_is_withheld_is_never_trained(trainer, small, model) -> None:
    """Vectors of withheld users and items stay at their start: no edge, no negative, no lender."""
    made = trainer(model, {"epochs": 3})
    start = {k: v.clone() for k, v in made.model.state_dict().items()}
    made.fit()
    for d, part in enumerate(small.split.domains):
        hidden = {"items": part.new_items, "users": np.r_[part.new_users, part.cold_users]}
        for side, rows in hidden.items():
            own, before = getattr(made.model.domain(d), side), start[f"domains.{d}.{side}"]
            assert len(rows)
            assert torch.equal(own[rows], before[rows])
            assert not torch.equal(own, before)


@every_variant
def test_the_unseen_get_finite_embeddings(trainer, small, model) -> None:
    made = trainer(model)
    made.fit()
    encoded = encode(made)
    with torch.no_grad():
        for d, domain in enumerate(made.inputs.domains):
            new = made.model.new_items(d, encoded, domain.items)
            assert new.shape == encoded[d].items.shape and torch.isfinite(new).all()
    for d, domain in enumerate(small.dataset.domains):
        everyone = np.arange(domain.n_users)
        knowledge = small.knowledge(made.inputs.modalities)
        alone = alone_users(made.model, knowledge, made.inputs, encoded, d, everyone)
        assert alone.shape == (domain.n_users, 8) and np.isfinite(alone).all()


def test_missing_modalities_bring_no_nan_into_any_gradient(trainer, small) -> None:
    assert not small.features.matrices["image"][1].present.any(), "a domain without images"
    made = trainer(training={"epochs": 1})
    steps = []

    def look(*_: Any) -> None:
        for name, parameter in made.model.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
        steps.append(len(steps))

    made.optimiser.register_step_pre_hook(look)
    made.fit()
    assert steps


def test_every_parameter_of_the_full_model_is_trained(trainer) -> None:
    made = trainer(training={"epochs": 3})
    start = {k: v.clone() for k, v in made.model.named_parameters()}
    made.fit()
    same = {k for k, v in made.model.named_parameters() if torch.equal(v, start[k])}
    # A softmax over the one modality that domain has is 1 whatever the logit.
    assert same == {"domains.1.item_gate.bias", "domains.1.item_gate.slope"}


def test_switched_off_terms_are_not_in_the_loss(trainer) -> None:
    def terms(**model: Any) -> set[str]:
        seen: list[dict[str, Any]] = []
        trainer(model, {"epochs": 1}, on_epoch=lambda r, _: seen.append(r["loss"])).fit()
        return set(seen[0]) - {"total"}

    full = terms()
    basic = {"ranking", "regularisation"}
    mechanisms = {"self-enhanced", "gate", "new items", "contrast"}
    assert full == basic | mechanisms
    assert terms(without=("contrast",)) == full - {"contrast"}
    assert terms(without=("self-enhanced",)) == full - {"self-enhanced"}
    assert terms(without=("templates",)) == full - {"self-enhanced"}
    assert terms(without=("cross-domain",)) == full - {"contrast"}
    assert terms(without=("modality",)) == full - {"gate", "new items"}
    assert terms(name="inmo") == basic | {"self-enhanced"}
    assert terms(name="lightgcn") == basic


def test_single_domain_training_takes_nothing_from_the_other_domain(small) -> None:
    """Without cross-domain, each domain's parameters and profiles know that domain alone."""
    settings = make_settings(ModelSettings, {"without": ("cross-domain",)})
    model, inputs = small.build(without=("cross-domain",))
    assert not model.transfer
    assert effective_training(settings, TrainSettings()).contrast == 0
    encoded = model(inputs)
    grads = torch.autograd.grad(
        encoded[0].users.sum(), list(model.domain(1).parameters()), allow_unused=True
    )
    assert all(g is None for g in grads)
    text = inputs.domains[0].users.content["text"]
    assert not torch.equal(text, small.build()[1].domains[0].users.content["text"])


def test_modalities_in_use() -> None:
    def used(**model: Any) -> tuple[str, ...]:
        return used_modalities(make_settings(ModelSettings, model), ("text", "image"))

    assert used() == ("text", "image")
    assert used(without=("text",)) == ("image",)
    assert used(without=("modality",)) == used(name="inmo") == used(name="lightgcn") == ()
    assert used_modalities(ModelSettings(), ("image",)) == ("image",)


def test_the_small_world_withholds_all_three_kinds(small) -> None:
    for part in small.split.domains:
        assert len(part.new_items) and len(part.new_users) and len(part.cold_users)
        assert all(len(getattr(part, name)) for name in SPLIT_NAMES)
    assert worlds.small(kind="known").split.kind == "known"
