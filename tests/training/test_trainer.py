"""The loop: what an epoch sees, when it stops, what it leaves behind, what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from micrec_core.config import TrainSettings, recipe
from micrec_core.errors import RunError
from micrec_core.training.trainer import Trainer, base_rate, epoch_steps


class Watch:
    """Stands in for a trainer's objective and passes on; keeps what it was asked."""

    def __init__(self, trainer: Trainer, spoil: dict[int, tuple[str, float]] | None = None):
        self.inner, self.spoil = trainer.objective, spoil or {}
        self.batches: list[Any] = []
        self.drops: list[Any] = []
        self.alphas: list[float] = []
        self.model = trainer.model
        trainer.objective = self  # type: ignore[assignment]

    def __call__(self, batches, drops, generator):
        self.batches.append(batches)
        self.drops.append(drops)
        self.alphas.append(self.model.alpha.item())
        terms = self.inner(batches, drops, generator)
        if len(self.batches) in self.spoil:
            name, value = self.spoil[len(self.batches)]
            terms[name] = terms[name] * value
        return terms


def test_an_epoch_sees_every_train_interaction_of_every_domain_once(trainer, small) -> None:
    made = trainer(training={"epochs": 1})
    watch = Watch(made)
    made.fit()
    longest = max(len(e) for e in small.edges)
    assert len(watch.batches) == -(-longest // 64)
    for d, edges in enumerate(small.edges):
        users = torch.cat([b[d].users for b in watch.batches]).numpy()
        items = torch.cat([b[d].items for b in watch.batches]).numpy()
        seen = sorted(zip(users.tolist(), items.tolist(), strict=True))
        assert seen == sorted(zip(edges.user.tolist(), edges.item.tolist(), strict=True))


def test_an_epoch_has_at_least_so_many_steps_however_little_there_is(trainer, small) -> None:
    made = trainer(training={"epochs": 1, "batch_size": 8192, "steps": 7})
    watch = Watch(made)
    made.fit()
    assert len(watch.batches) == 7
    for d, edges in enumerate(small.edges):
        sizes = [len(b[d].users) for b in watch.batches]
        assert sum(sizes) == len(edges) and max(sizes) - min(sizes) <= 1


def test_batches_grow_with_the_data_above_its_full_size(trainer, small) -> None:
    """Food & Kitchen's steps stay; from a size on an epoch has no more steps, however large."""
    settings = TrainSettings(**recipe("micrec"))
    sizes = 237_159, 2**19, 10 * 2**19
    assert [epoch_steps(n, settings) for n in sizes] == [60, 128, 128]
    largest = max(len(e) for e in small.edges)
    made = trainer(training={"epochs": 1, "batch_size": 16, "steps": 1, "full_size": largest // 2})
    watch = Watch(made)
    made.fit()
    seen = [max(len(b.users) for b in batches) for batches in watch.batches]
    assert len(seen) == -(-(largest // 2) // 16) and sum(seen) == largest
    assert min(seen) > 16


def test_a_domain_with_fewer_interactions_than_steps_still_has_a_batch(trainer) -> None:
    made = trainer(training={"epochs": 1, "steps": 9})
    made.users[1], made.items[1] = made.users[1][:3], made.items[1][:3]
    watch = Watch(made)
    made.fit()
    assert len(watch.batches) == 9
    assert all(len(b[1].users) for b in watch.batches)


def test_alpha_is_annealed_from_a_half_towards_one(trainer) -> None:
    made = trainer(training={"epochs": 3, "anneal": 0.9, "patience": 9})
    watch = Watch(made)
    made.fit()
    steps = len(watch.alphas) // 3
    wanted = np.repeat([1 - 0.5 * 0.9**epoch for epoch in range(3)], steps)
    np.testing.assert_allclose(watch.alphas, wanted, rtol=1e-6)
    assert watch.alphas[0] == 0.5


def test_dropout_is_drawn_anew_for_every_step_and_domain(trainer) -> None:
    made = trainer(training={"epochs": 2, "dropout": 0.25})
    watch = Watch(made)
    made.fit()
    seeds = [drop.seed for drops in watch.drops for drop in drops]
    assert len(set(seeds)) == len(seeds) == 2 * len(watch.batches)
    assert all(drop.rate == 0.25 for drops in watch.drops for drop in drops)
    for model, training in (({}, {"dropout": 0.0}), ({"name": "lightgcn"}, {"dropout": 0.25})):
        made = trainer(model, training)
        watch = Watch(made)
        made.fit()
        assert set(watch.drops) == {None}


def test_stops_when_validation_no_longer_improves_and_leaves_the_best(trainer, same) -> None:
    scores = iter([0.1, 0.3, 0.3, 0.2, 0.9])
    states: list[dict[str, torch.Tensor]] = []
    made = trainer(
        training={"epochs": 50, "patience": 2, "validate_every": 1},
        score=lambda model: next(scores),
        on_epoch=lambda _, m: states.append({k: v.clone() for k, v in m.state_dict().items()}),
    )
    state = made.fit()
    assert (state.epoch, state.best_epoch, state.best_score) == (4, 2, 0.3)
    assert same(made.model.state_dict(), states[1])
    assert not same(made.model.state_dict(), states[3])


def test_validates_every_few_epochs_and_after_the_last(trainer) -> None:
    records: list[dict[str, Any]] = []
    modes: list[bool] = []

    def score(model) -> float:
        modes.append(model.training or torch.is_grad_enabled())
        return 0.0

    trainer(
        training={"epochs": 5, "validate_every": 2, "patience": 9},
        score=score,
        on_epoch=lambda record, _: records.append(record),
    ).fit()
    assert ["valid" in r for r in records] == [False, True, False, True, True]
    assert all("score" not in r and r["seconds"] > 0 for r in records)
    assert not any(modes), "validation is without dropout and gradient"


@pytest.mark.parametrize(
    "name", ["ranking", "regularisation", "self-enhanced", "gate", "contrast", "new items"]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_names_term_epoch_and_batch(trainer, name, value) -> None:
    made = trainer(training={"epochs": 3})
    steps = -(-max(len(u) for u in made.users) // 64)
    assert steps >= 2
    Watch(made, {steps + 2: (name, value)})
    with torch.no_grad():  # a gate at its start has a term of exactly 0
        made.model.domain(0).user_gate.bias.copy_(torch.tensor([0.5, -0.5]))
    with pytest.raises(RunError, match=rf"'{name}' became (nan|inf) in epoch 2, batch 2;"):
        made.fit()


def test_the_first_bad_step_changes_no_parameter(trainer, same) -> None:
    made = trainer()
    before = {k: v.clone() for k, v in made.model.state_dict().items()}
    Watch(made, {1: ("ranking", float("nan"))})
    with pytest.raises(RunError):
        made.fit()
    assert same(made.model.state_dict(), before)


def test_a_parameter_that_is_no_number_is_found_in_the_first_term_that_has_it(trainer) -> None:
    made = trainer(training={"learning_rate": 1e-3})
    with torch.no_grad():
        made.model.domain(1).self_enhanced[0] = float("nan")
    with pytest.raises(RunError, match=r"'self-enhanced' became nan in epoch 1, batch 1"):
        made.fit()


def test_terms_that_only_together_overflow_are_named_as_the_total(trainer) -> None:
    made = trainer()
    watch = Watch(made)

    def both(batches, drops, generator):
        terms = watch(batches, drops, generator)
        return {name: terms[name] * 0 + 3e38 for name in ("ranking", "contrast")}

    made.objective = both
    with pytest.raises(RunError, match=r"'total' became inf in epoch 1, batch 1"):
        made.fit()


def test_what_is_validated_and_left_in_place_is_the_mean_of_the_parameters(trainer) -> None:
    seen: list[torch.Tensor] = []

    def score(model) -> float:
        seen.append(model.domain(0).users.detach().clone())
        return float(len(seen))

    made = trainer(training={"average": 0.9}, score=score)
    last: list[torch.Tensor] = []
    step = made._step
    made._step = lambda *given: (step(*given), last.append(made.model.domain(0).users.clone()))[0]
    made.fit()
    mean = made.average.mean["domains.0.users"]
    assert torch.equal(seen[-1], mean)
    assert torch.equal(made.model.domain(0).users, mean)
    assert not torch.equal(last[-1], mean)


def test_the_rate_falls_along_half_a_cosine_step_by_step(trainer) -> None:
    made = trainer(
        training={"epochs": 3, "learning_rate": 0.1, "schedule": "cosine", "patience": 9}
    )
    rates: list[float] = []
    step = made.optimiser.step

    def watched() -> None:
        rates.append(made.optimiser.param_groups[0]["lr"])
        step()

    made.optimiser.step = watched
    made.fit()
    n = len(rates)
    assert rates == pytest.approx([0.05 * (1 + np.cos(np.pi * k / n)) for k in range(n)], rel=1e-12)


def test_a_constant_rate_stays(trainer) -> None:
    made = trainer(training={"epochs": 2, "learning_rate": 0.03})
    made.fit()
    assert made.optimiser.param_groups[0]["lr"] == 0.03


def test_the_rate_of_smaller_batches_is_less_by_the_square_root(trainer, small) -> None:
    settings = TrainSettings(**recipe("micrec"))
    rate, whole = settings.learning_rate, settings.steps * settings.batch_size
    asked = [base_rate(n, settings) for n in (1, whole // 4, whole, 10 * whole)]
    assert asked == pytest.approx([0.3 * rate, rate / 2, rate, rate], rel=1e-12)
    assert base_rate(whole // 16, TrainSettings()) == TrainSettings().learning_rate
    longest = max(len(e) for e in small.edges)
    told = {"learning_rate": 0.04, "batch_size": longest, "steps": 4, "rate_by_batch": True}
    made = trainer(training={"epochs": 1} | told)
    made.fit()
    assert made.optimiser.param_groups[0]["lr"] == pytest.approx(0.02)


def test_weight_decay_shrinks_tables_and_nothing_else(trainer) -> None:
    made = trainer(training={"learning_rate": 0.1, "weight_decay": 0.5})
    before = {name: p.detach().clone() for name, p in made.model.named_parameters()}
    for parameter in made.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    made.optimiser.step()
    for name, parameter in made.model.named_parameters():
        factor = 0.95 if parameter.ndim > 1 else 1.0
        torch.testing.assert_close(parameter.detach(), factor * before[name])
