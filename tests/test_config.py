"""Settings: what a model's recipe fills in, and what becomes of it for another model."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrec_core.baselines import models
from micrec_core.comparing.plan import CONVERGED, Contender, at_point
from micrec_core.config import (
    ModelSettings,
    RunSettings,
    TrainSettings,
    make_settings,
    recipe,
)
from micrec_core.errors import ConfigError
from micrec_core.method.configurations import DENSE, DENSE_FROM, OURS, PAPER, SPARSE
from micrec_core.running.record import settings_of
from micrec_core.runs import open_run
from micrec_core.training.build import model_settings

BUNDLED = Path(__file__).resolve().parents[1] / "assets" / "runs" / "sample"
PLAIN = TrainSettings()
MODELS = tuple(models())


def test_the_full_model_has_its_recipe_and_every_other_the_plain_one() -> None:
    full = RunSettings().training
    assert {key: getattr(full, key) for key in SPARSE} == SPARSE
    assert full.negatives == PLAIN.negatives
    for name in MODELS[1:]:
        assert RunSettings(model=ModelSettings(name=name)).training == PLAIN


def test_what_is_said_stands_even_where_it_is_the_plain_default() -> None:
    plain = ModelSettings(echo=False)
    said = RunSettings(model=plain, training=TrainSettings(schedule="constant", leave_out=False))
    assert said.training.schedule == "constant" and not said.training.leave_out
    assert said.training.learning_rate == SPARSE["learning_rate"]


def test_an_own_template_is_refused_where_nothing_is_left_out() -> None:
    with pytest.raises(ConfigError, match="do not go together: an item's own .* set echo=false"):
        make_settings(RunSettings, {"training": {"leave_out": False}})
    assert RunSettings(
        model=ModelSettings(name="inmo"), training=TrainSettings(leave_out=False)
    ).model.echo


@given(name=st.sampled_from(MODELS), rate=st.floats(1e-5, 1.0), batch=st.integers(16, 9999))
def test_settings_survive_being_stored(name: str, rate: float, batch: int) -> None:
    made = RunSettings(
        model=ModelSettings(name=name),
        training=TrainSettings(learning_rate=rate, batch_size=batch),
    )
    assert RunSettings.model_validate(made.model_dump(mode="json")) == made


def test_another_model_takes_what_was_changed_and_its_own_recipe_for_the_rest() -> None:
    base = RunSettings(training=TrainSettings(dropout=0.25))
    other = base.of(ModelSettings(name="inmo"), seed=3)
    assert other.seed == 3
    assert other.training == PLAIN.model_copy(update={"dropout": 0.25})
    back = other.of(ModelSettings(), seed=0)
    assert back == base
    assert base.of(ModelSettings(without=("text",)), seed=0).training == base.training
    assert recipe("inmo") == PLAIN.model_dump()


def test_data_decides_the_recipe_where_none_is_said() -> None:
    assert RunSettings().suited(DENSE_FROM - 1) == RunSettings(recipe="sparse")
    dense = RunSettings().suited(DENSE_FROM)
    assert dense == RunSettings(recipe="dense")
    assert dense.training == PLAIN.model_copy(update=dict(DENSE)) and not dense.model.echo
    assert RunSettings.model_validate(dense.model_dump(mode="json")) == dense
    assert RunSettings(recipe="sparse").suited(DENSE_FROM).recipe == "sparse"
    # What was said stays, and a recipe that is not given its epochs is not taken.
    said = RunSettings(training=TrainSettings(dropout=0.25, views=0.3)).suited(DENSE_FROM)
    assert said.training == PLAIN.model_copy(update=DENSE | {"dropout": 0.25, "views": 0.3})
    short = RunSettings(training=TrainSettings(epochs=SPARSE["epochs"])).suited(DENSE_FROM)
    assert short.recipe == "sparse" and short.training == RunSettings().training
    # Others have one recipe, and variants that of the full model.
    assert dense.of(ModelSettings(name="inmo"), seed=0).training == PLAIN
    variant = dense.of(ModelSettings(without=("text",)), seed=0)
    assert variant.training == dense.training and not variant.model.echo


def test_the_preset_of_the_paper_has_nothing_of_ours() -> None:
    paper = RunSettings(recipe="paper")
    assert paper.suited(DENSE_FROM) == paper
    assert paper.training == PLAIN.model_copy(update=dict(PAPER))
    assert not any(getattr(paper.model, part) for part in OURS)
    assert RunSettings.model_validate(paper.model_dump(mode="json")) == paper
    made = model_settings(paper.model, ("text",))
    assert made.templates and made.modalities == ("text",)
    assert not any((made.memory, made.own_template, made.refined, made.transferred, made.bridged))
    variant = paper.of(ModelSettings(without=("contrast",)), seed=0)
    assert variant.training == paper.training and not variant.model.memory
    asked = RunSettings(recipe="paper", model=ModelSettings(memory=True))
    assert asked.model.memory and not asked.model.bridge
    assert paper.of(ModelSettings(name="mgcn"), seed=0).model == ModelSettings(name="mgcn")


def test_a_comparison_trains_to_the_end_of_the_recipe_or_until_validation_stops() -> None:
    base = RunSettings()
    assert at_point(base, Contender("micrec"), {}, 0).training.epochs == SPARSE["epochs"]
    assert at_point(base, Contender("mgcn"), {}, 0).training.epochs == CONVERGED
    short = RunSettings(training=TrainSettings(epochs=3))
    grids = {name: models()[name].grid for name in ("micrec", "mgcn")}
    made = [at_point(short, Contender(n), point, 0) for n, grid in grids.items() for point in grid]
    assert {settings.training.epochs for settings in made} == {3}


def test_a_run_of_an_older_version_went_without_what_that_did_not_know() -> None:
    info = open_run(BUNDLED).info
    old = {k: v for k, v in info.config["training"].items() if k in ("epochs", "dropout")}
    model = {k: v for k, v in info.config["model"].items() if k != "echo"}
    config = info.config | {"training": old, "model": model}
    told = settings_of(info.model_copy(update={"config": config}))
    assert told.training == PLAIN.model_copy(update=old) and not told.model.echo
