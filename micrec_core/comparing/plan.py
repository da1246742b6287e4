"""Everything that a comparison trains, and what of it can be started now.

Of each model the same number of points is tried, defaults first. They stand beside each model
(``baselines.models``); one changes settings of the training (``learning_rate``), of the model
(``layers``) or an option of a baseline. The best by validation NDCG@20, domains added up, is taken
for all seeds; variants of micrec take micrec's. After the defaults comes what validation chose on
the sample, for micrec what it chose on MovieLens (docs/notes/2026-11-21-training.md), and then the
full model's recipe for the others, so that a small budget is well spent. The points tried, and the
one chosen, are in ``compare.json``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from micrec_core.baselines import REGISTRY, ClosedForm, models
from micrec_core.comparing.trainings import Training
from micrec_core.config import ModelSettings, RunSettings, TrainSettings, make_settings, recipe
from micrec_core.evaluation.stress import Stress
from micrec_core.method.configurations import Point
from micrec_core.names import described
from micrec_core.protocols import CURVES
from micrec_core.training.build import model_settings, used_modalities

BUDGET = 4
# Epochs at most of a model whose rate stays, where nothing else is said: slow learners need many,
# and validation ends the training long before.
CONVERGED = 200


@dataclass(frozen=True)
class Contender:
    """A model, or micrec without something."""

    name: str
    without: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """``ease``, ``micrec without text``."""
        return described(self.name, self.without)

    def like(self, base: RunSettings, seed: int) -> RunSettings:
        """The same settings for this model, its options those by default."""
        own = {"name": self.name, "without": self.without, "options": {}}
        return base.of(base.model.model_copy(update=own), seed)


@dataclass
class Plan:
    """Everything that is to be trained.

    Attributes
    ----------
    base : settings that all trainings share; its seed is not used
    seeds : the first is the one that points are chosen with
    stresses : under each of which every contender is trained too, at its chosen point
    modalities : that the dataset has
    """

    contenders: tuple[Contender, ...]
    seeds: tuple[int, ...]
    budget: int
    base: RunSettings
    folder: Path
    fingerprint: str
    stresses: tuple[Stress, ...] = ()
    modalities: tuple[str, ...] = ()
    _chosen: dict[str, Point] = field(default_factory=dict)

    def at(self, contender: Contender, point: Point, seed: int) -> Training:
        """One training."""
        settings = at_point(self.base, contender, point, seed)
        return Training(settings, self.folder, self.fingerprint)

    def points(self, name: str) -> tuple[Point, ...]:
        """What of a model's grid is tried; a model with nothing to choose has one point."""
        return models()[name].grid[: self.budget]

    def tuning(self, name: str) -> list[tuple[Point, Training]]:
        """The points of a model and their trainings."""
        full = Contender(name)
        return [(p, self.at(full, p, self.seeds[0])) for p in self.points(name)]

    def chosen(self, name: str) -> Point | None:
        """The point with the best validation score, the first of equals; None before all have one.

        Variants have that of the full model.
        """
        if name not in self._chosen:
            tried = self.tuning(name)
            if not all(training.is_trained for _, training in tried):
                return None
            scores = [float(training.about()["score"] or 0.0) for _, training in tried]
            self._chosen[name] = tried[scores.index(max(scores))][0]
        return self._chosen[name]

    def final(self, contender: Contender) -> list[Training] | None:
        """The trainings that are compared, one a seed; None before its point is chosen."""
        point = self.chosen(contender.name)
        if point is None:
            return None
        return [self.at(contender, point, seed) for seed in self.seeds]

    def twin(self, training: Training) -> Training | None:
        """The training with the first seed, of a model that is solved: a seed changes nothing."""
        settings = training.settings
        kind = REGISTRY.get(settings.model.name)
        if kind is None or not issubclass(kind, ClosedForm) or settings.seed == self.seeds[0]:
            return None
        return replace(training, settings=settings.model_copy(update={"seed": self.seeds[0]}))

    def stressed(self) -> Iterator[tuple[Stress, Contender, list[Training]]]:
        """Contenders under each stress, one training a seed; none before its point is chosen.

        A contender that the stress does not touch has its plain trainings there; one that it
        leaves nothing to go by is left out.
        """
        for stress in self.stresses:
            for contender in self.contenders:
                final = self.final(contender)
                if not final:
                    continue
                model = final[0].settings.model
                if not can_train(stress, model, self.modalities):
                    continue
                if touches(stress, model, self.modalities):
                    final = [replace(training, stress=stress) for training in final]
                yield stress, contender, final

    def names(self) -> list[str]:
        """The models whose points are tried."""
        return list(dict.fromkeys(c.name for c in self.contenders))

    def open_tasks(self) -> list[tuple[Training, bool]]:
        """Trainings that can be started now and are not done; whether they are to answer too."""
        tuning = [(t, False) for name in self.names() for _, t in self.tuning(name)]
        tasks = [task for task in tuning if not task[0].is_trained]
        for contender in self.contenders:
            final = self.final(contender) or []
            tasks += [(training, True) for training in final]
        # Stress by stress, since what was prepared for one serves all contenders.
        tasks += [(t, True) for _, _, group in self.stressed() for t in group if t.stress]
        return [(t, final) for t, final in tasks if not (final and t.is_answered)]

    @property
    def n_tasks(self) -> int:
        """How many trainings there are in all."""
        tuning = sum(len(self.points(name)) for name in self.names())
        plain = sum(not c.without for c in self.contenders)
        first = [self.at(c, {}, self.seeds[0]).settings.model for c in self.contenders]
        stressed = sum(
            can_train(stress, model, self.modalities) and touches(stress, model, self.modalities)
            for stress in self.stresses
            for model in first
        )
        n_seeds = len(self.seeds)
        return tuning + len(self.contenders) * n_seeds - plain + stressed * n_seeds

    @property
    def is_done(self) -> bool:
        """Whether everything was trained and answered."""
        if any(self.final(contender) is None for contender in self.contenders):
            return False
        return not self.open_tasks()


def touches(stress: Stress, model: ModelSettings, modalities: tuple[str, ...]) -> bool:
    """Whether training the model under the stress differs from training it without.

    Parameters
    ----------
    modalities : that the dataset has
    """
    touched = CURVES[stress.protocol].touches
    if touched == "with features":
        return bool(set(stress.lost(modalities)) & set(used_modalities(model, modalities)))
    return touched == "all" or _knows_who_is_who(model)


def can_train(stress: Stress, model: ModelSettings, modalities: tuple[str, ...]) -> bool:
    """Whether the stress leaves a model that goes by modalities any of them."""
    kind = REGISTRY.get(model.name)
    if stress.share < 1 or stress.within or kind is None or not kind.uses_features:
        return True
    return bool(set(modalities) - set(stress.lost(modalities)))


def _knows_who_is_who(model: ModelSettings) -> bool:
    """Whether the model looks at who is in several domains."""
    if not model.is_baseline:
        return model_settings(model, ()).transfer
    return REGISTRY[model.name].uses_overlap


def changes(point: Point) -> str:
    """A point in words: ``l2=0.1, dropout=0.3``; nothing of the defaults."""
    return ", ".join(f"{k}={v if isinstance(v, str) else format(v, 'g')}" for k, v in point.items())


def at_point(base: RunSettings, contender: Contender, point: Point, seed: int) -> RunSettings:
    """The settings of one training: those that all share, with the model's and the point's."""
    values = contender.like(base, seed).model_dump()
    model: dict[str, Any] = dict(values["model"])
    training: dict[str, Any] = dict(values["training"])
    if training["schedule"] == "constant" and training["epochs"] == TrainSettings().epochs:
        training["epochs"] = CONVERGED
    kind = REGISTRY.get(contender.name)
    options = {option.name for option in kind.options} if kind else set()
    for key, value in point.items():
        if key in options:
            model["options"][key] = value
        elif key in TrainSettings.model_fields:
            training[key] = value
        else:
            assert key in ModelSettings.model_fields, key
            model[key] = value
    # Epochs that were asked for of all are the most of a point too.
    if base.training.epochs != recipe(base.model.name)["epochs"]:
        training["epochs"] = min(training["epochs"], base.training.epochs)
    return make_settings(RunSettings, values | {"model": model, "training": training})
