"""What every baseline must keep, whatever it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from scipy import sparse

from micrec_core.answering.answers import answerer_of, embed, n_parameters
from micrec_core.baselines import REGISTRY, Baseline, ClosedForm, families, models
from micrec_core.config import ModelSettings, make_settings
from micrec_core.data.types import Edges
from micrec_core.errors import ConfigError
from micrec_core.protocols import PROTOCOLS
from micrec_core.running.fit import Fitted, fit
from micrec_core.training.build import build_any
from micrec_core.training.prepare import Prepared
from tests.baselines.conftest import prepared_for
from tests.method import worlds

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "baselines.md"
TRAINED = [n for n, kind in REGISTRY.items() if issubclass(kind, Baseline)]
SOLVED = [n for n, kind in REGISTRY.items() if issubclass(kind, ClosedForm)]
every = pytest.mark.parametrize("name", list(REGISTRY))
every_trained = pytest.mark.parametrize("name", TRAINED)


def build(prepared) -> Baseline:
    model = build_any(prepared.settings.model, prepared.inputs, prepared.settings.seed)
    assert isinstance(model, Baseline)
    return model


@dataclass(frozen=True)
class Trained:
    """A baseline that several tests look at and none changes.

    Attributes
    ----------
    start : its parameters before the first step
    records : what each epoch told
    """

    prepared: Prepared
    start: dict[str, torch.Tensor]
    fitted: Fitted
    records: list[dict[str, Any]]


@pytest.fixture(scope="module")
def trained(small: worlds.World) -> Callable[..., Trained]:
    """``trained(name, epochs=2)``: the same is trained once."""
    made: dict[tuple[str, int], Trained] = {}

    def of(name: str, epochs: int = 2) -> Trained:
        if (name, epochs) not in made:
            prepared = prepared_for(small, name, training={"epochs": epochs})
            fresh = build_any(prepared.settings.model, prepared.inputs, prepared.settings.seed)
            named = fresh.named_parameters() if isinstance(fresh, Baseline) else ()
            start = {k: v.clone() for k, v in named}
            records: list[dict[str, Any]] = []
            fitted = fit(prepared, on_epoch=records.append)
            made[name, epochs] = Trained(prepared, start, fitted, records)
        return made[name, epochs]

    return of


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_every_baseline_says_what_is_asked_of_it() -> None:
    for name, kind in REGISTRY.items():
        assert kind.__module__.startswith("micrec_core.baselines.")
        assert {"known"} <= kind.answers <= set(PROTOCOLS)
        assert all(o.lowest <= o.default <= o.highest for o in kind.options)
        assert name in families()[kind.family]
        assert kind.__name__.lower() == name.replace("-", "")


def test_the_documents_table_has_every_baseline_and_what_it_answers() -> None:
    first = DOCUMENT.read_text().split("Where a model has no answer")[0]
    table = re.findall(r"^\| (`.+?`) \|[^|]*\| ([^|]*?) ?\|", first, re.M)
    said = {name: answers for names, answers in table for name in re.findall(r"`(.+?)`", names)}
    assert set(models()) - {"micrec"} == set(said)
    for name, kind in REGISTRY.items():
        words = {a.replace(" ", "-") for a in said[name].split(", ") if a}
        assert words == kind.answers - {"known"}, name


def test_options_are_checked(tiny) -> None:
    def settings(name: str, **options: float) -> ModelSettings:
        return make_settings(ModelSettings, {"name": name, "options": options})

    inputs = prepared_for(tiny, "ease").inputs
    assert build_any(settings("ease", penalty=50), inputs, 0).settings.options["penalty"] == 50
    assert build_any(settings("ease"), inputs, 0).settings.options["penalty"] == 200
    with pytest.raises(ConfigError, match="ease has no option 'penality'; did you mean 'penalty'"):
        settings("ease", penality=1)
    with pytest.raises(ConfigError, match="option 'drop' of freedom lies from 0 to 0.95"):
        settings("freedom", drop=1.0)
    with pytest.raises(ConfigError, match="cmf has no option 'drop'; it has none"):
        settings("cmf", drop=0.1)
    with pytest.raises(ConfigError, match="no model 'fredom'; did you mean 'freedom'"):
        settings("fredom")


@every
def test_it_answers_what_it_says_it_answers_and_nothing_else(trained, name) -> None:
    prepared, fitted = trained(name).prepared, trained(name).fitted
    asked = prepared.material.questions
    assert {q.protocol for q in asked} == set(PROTOCOLS)
    assert np.isfinite(fitted.score) and fitted.score > 0 and n_parameters(fitted.model) >= 0
    answerer = answerer_of(prepared, fitted.model)
    for question in asked:
        answer = answerer.answer(question)
        if question.protocol not in REGISTRY[name].answers:
            assert answer is None
            continue
        assert answer is not None and answer.ranked.shape == (len(question), 50)
        lists = [row[row >= 0] for row in answer.ranked]
        assert all(question.candidates[row].all() and len(set(row)) == len(row) for row in lists)
        if question.mask is not None:
            masked = question.mask.toarray() > 0
            assert not any(masked[n][row].any() for n, row in enumerate(lists))


@every_trained
def test_its_losses_are_finite_and_add_up(small, trained, name) -> None:
    prepared, fitted = trained(name).prepared, trained(name).fitted
    assert trained(name).records
    for record in trained(name).records:
        terms = {k: v for k, v in record["loss"].items() if k != "total"}
        assert {"ranking", "regularisation"} <= set(terms)
        assert all(np.isfinite(v) for v in terms.values())
        assert record["loss"]["total"] == pytest.approx(sum(terms.values()))
    for domain, found in zip(small.dataset.domains, embed(fitted.model, prepared.inputs)):
        assert found.users.shape[0] == domain.n_users and found.items.shape[0] == domain.n_items
        assert found.users.shape[1] == found.items.shape[1]
        assert torch.isfinite(found.users).all() and torch.isfinite(found.items).all()


@every_trained
def test_one_seed_gives_one_model_and_another_another(small, trained, name) -> None:
    first = trained(name).fitted.model.state_dict()
    second, other = (fit(prepared_for(small, name, seed)).model.state_dict() for seed in (0, 1))
    assert same(first, second) and not same(first, other)


@every_trained
def test_training_lowers_the_loss(small, name) -> None:
    seen: list[float] = []
    training = {"epochs": 8, "patience": 99, "learning_rate": 0.03}
    prepared = prepared_for(small, name, training=training)
    fit(prepared, on_epoch=lambda record: seen.append(record["loss"]["ranking"]))
    assert seen[-1] < 0.97 * seen[0]


@every_trained
def test_every_parameter_is_trained(trained, name) -> None:
    start = trained(name, epochs=3).start
    end = dict(trained(name, epochs=3).fitted.model.named_parameters())
    still = {k for k, v in end.items() if v.numel() and torch.equal(v, start[k])}
    # Its logits are equal and its gradient 0 where a domain has one modality, never in both.
    assert not still


@every_trained
def test_what_is_withheld_is_never_trained(small, trained, name) -> None:
    model = trained(name, epochs=3).fitted.model
    for d, part in enumerate(small.split.domains):
        assert not model.table(d).items[part.new_items].any()
        if len(model.table(d).users):
            assert not model.table(d).users[np.r_[part.new_users, part.cold_users]].any()


@every_trained
def test_saved_and_loaded_it_is_the_same(trained, name, tmp_path: Path) -> None:
    prepared, model = trained(name).prepared, trained(name).fitted.model
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    fresh = build(replace(prepared, settings=prepared.settings.model_copy(update={"seed": 9})))
    fresh.load_state_dict(load_file(tmp_path / "model.safetensors"))
    found = zip(embed(model, prepared.inputs), embed(fresh, prepared.inputs), strict=True)
    assert all(torch.equal(a.users, b.users) and torch.equal(a.items, b.items) for a, b in found)


@every_trained
def test_stopped_and_resumed_it_is_the_same(small, name, tmp_path: Path) -> None:
    training = {"epochs": 4, "patience": 99}
    whole = fit(prepared_for(small, name, training=training)).model.state_dict()

    def stop(record: dict[str, Any]) -> None:
        if record["epoch"] == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(prepared_for(small, name, training=training), on_epoch=stop, checkpoint=tmp_path)
    prepared = prepared_for(small, name, training=training)
    resumed = fit(prepared, checkpoint=tmp_path, resume=True).model.state_dict()
    assert same(whole, resumed)


@pytest.mark.parametrize("name", ["vbpr", "lattice", "bm3", "freedom", "mgcn"])
def test_features_are_frozen_unless_they_are_to_be_trained(small, name) -> None:
    frozen = build(prepared_for(small, name))
    assert not [k for k, _ in frozen.named_parameters() if ".features." in k]
    prepared = prepared_for(small, name, options={"train_features": 1}, training={"epochs": 3})
    trained = fit(prepared).model
    own = {k: v for k, v in trained.named_parameters() if ".features." in k}
    assert len(own) == 4
    moved = []
    for d, domain in enumerate(prepared.inputs.domains):
        for m, before in domain.items.content.items():
            after = own[f"content.features.{m}-{d}"]
            assert after.shape == before.shape
            moved.append(not torch.equal(after, before))
    assert any(moved)


def test_a_model_of_texts_and_pictures_needs_some(small) -> None:
    prepared = prepared_for(worlds.World(small.dataset, small.split, bare(small)), "vbpr")
    with pytest.raises(ConfigError, match="vbpr goes by texts or pictures"):
        build(prepared)


def bare(world: worlds.World):
    return replace(world.features, modalities=(), matrices={})


@pytest.mark.parametrize("name", SOLVED)
def test_what_is_asked_about_changes_no_score_of_a_solved_model(small, name) -> None:
    """Validation, test, and what is withheld: only train interactions are counted."""
    none = Edges.empty()
    parts = tuple(
        replace(
            part, valid=none, test=none, new_user_support=none, new_user_test=none,
            new_item_test=none, cold_test=none,
        )
        for part in small.split.domains
    )  # fmt: skip
    unseen = replace(small, split=replace(small.split, domains=parts))
    found = []
    for world in (small, unseen):
        prepared = prepared_for(world, name)
        model = build_any(prepared.settings.model, prepared.inputs, 0)
        model.solve(prepared.knowledge)
        taken = [part.train for part in prepared.knowledge.domains]
        n = min(rows.shape[0] for rows in taken)
        found.append([model.scores(d, [rows[:n] for rows in taken]) for d in range(len(taken))])
    for before, after in zip(*found, strict=True):
        np.testing.assert_array_equal(before, after)


# Relabelling --------------------------------------------------------------------------------------


def relabelled(state: dict[str, torch.Tensor], orders, persons) -> dict[str, torch.Tensor]:
    """The same model with its rows where the entities are now."""
    out = dict(state)
    for key, value in state.items():
        head, _, rest = key.partition(".")
        if head == "tables":
            d, side = rest.split(".")
            rows = orders[int(d)][0 if side == "users" else 1]
        elif head == "wants":
            rows = orders[int(rest)][0]
        elif key == "users":
            rows = persons
        else:
            continue
        if len(value):
            moved = value.clone()
            moved[torch.from_numpy(np.asarray(rows))] = value
            out[key] = moved
    return out


@every
@examples(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**31 - 1))
def test_relabelling_users_and_items_changes_no_score(name: str, seed: int) -> None:
    """Hence no metric: rows are only where things are kept."""
    world, rng = worlds.tiny(), np.random.default_rng(seed)
    orders = [
        (rng.permutation(d.n_users), rng.permutation(d.n_items)) for d in world.dataset.domains
    ]
    before = prepared_for(world, name)
    after = prepared_for(worlds.permuted(world, orders), name)
    models = [build_any(p.settings.model, p.inputs, 0) for p in (before, after)]
    if isinstance(models[0], ClosedForm):
        for model, prepared in zip(models, (before, after), strict=True):
            model.solve(prepared.knowledge)
        rng = np.random.default_rng(0)
        for d, (_, items) in enumerate(orders):
            taken = [(rng.random((7, len(o))) < 0.4).astype(np.float32) for _, o in orders]
            moved = [rows[:, np.argsort(o)] for rows, (_, o) in zip(taken, orders, strict=True)]
            a, b = (
                m.scores(d, [sparse.csr_matrix(rows) for rows in there])
                for m, there in zip(models, (taken, moved), strict=True)
            )
            np.testing.assert_allclose(b[:, items], a, rtol=1e-4, atol=1e-4)
        return
    persons = None
    if name == "cmf":
        persons = np.zeros(len(models[0].users), np.int64)
        for d, (users, _) in enumerate(orders):
            persons[models[0].person[d].numpy()] = models[1].person[d].numpy()[users]
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in models[0].parameters():
            parameter.normal_(0.0, 0.5, generator=generator)
    models[1].load_state_dict(relabelled(models[0].state_dict(), orders, persons))
    found = zip(embed(models[0], before.inputs), embed(models[1], after.inputs), strict=True)
    for d, (a, b) in enumerate(found):
        users, items = (torch.from_numpy(o) for o in orders[d])
        torch.testing.assert_close(b.users[users], a.users, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(b.items[items], a.items, rtol=1e-4, atol=1e-4)
