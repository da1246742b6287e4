"""Settings of a run: one frozen model a concept, checked once; a mistyped key names the nearest."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from micrec_core.errors import ConfigError
from micrec_core.mechanisms import MECHANISMS, mechanisms
from micrec_core.method.configurations import CONFIGURATIONS, DENSE_FROM, OURS
from micrec_core.modalities.modality import NO_ENCODER
from micrec_core.modalities.registry import MODALITIES, USUAL, default_encoders, in_order, modality

if TYPE_CHECKING:
    from micrec_core.baselines.contract import Option


class Settings(BaseModel):
    """Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSettings(Settings):
    """What the model is; ``options`` are those of a baseline, beside its class.

    ``echo``: an item of the full model takes in its own template, which needs ``leave_out``.
    ``memory``: what was taken together counts beside the embeddings; runs of before had none.
    ``refined``, ``transfer`` and ``bridge`` are parts of the full model too (docs/method.md,
    sections 3, 5 and 11), which its description does not have.
    """

    name: str = "micrec"
    without: tuple[str, ...] = ()
    options: dict[str, float] = {}
    dim: int = Field(64, ge=1, le=1024)
    layers: int = Field(2, ge=0, le=8)
    neighbours: int = Field(10, ge=1, le=200)
    neighbour_temperature: float = Field(0.2, gt=0)
    init: float = Field(0.1, gt=0)
    echo: bool = True
    memory: bool = True
    refined: bool = True
    transfer: bool = True
    bridge: bool = True

    @property
    def is_baseline(self) -> bool:
        """Whether it has a class of its own, and is no configuration of MICRec."""
        return self.name not in CONFIGURATIONS

    @field_validator("name")
    @classmethod
    def _known_model(cls, name: str) -> str:
        if name not in CONFIGURATIONS and name not in _baselines():
            known = (*CONFIGURATIONS, *_baselines())
            raise ValueError(f"there is no model '{name}'{_nearest(name, known)}")
        return name

    @model_validator(mode="after")
    def _known_options(self) -> ModelSettings:
        if not self.options:
            return self
        known = _baselines()[self.name] if self.is_baseline else {}
        for name, value in self.options.items():
            if name not in known:
                said = _nearest(name, tuple(known)) if known else "; it has none"
                raise ValueError(f"{self.name} has no option '{name}'{said}")
            low, high = known[name].lowest, known[name].highest
            if not low <= value <= high:
                raise ValueError(f"option '{name}' of {self.name} lies from {low:g} to {high:g}")
        return self

    @model_validator(mode="after")
    def _has_mechanisms(self) -> ModelSettings:
        if self.without and self.name != "micrec":
            raise ValueError(f"'without' switches parts of micrec off, and {self.name} has none")
        return self


class TrainSettings(Settings):
    """How it is trained. docs/notes/2026-11-21-training.md says how the defaults were chosen,
    and which of them were not chosen blind to test figures.

    ``batch_size`` is of the largest domain, the others follow so that every epoch sees each train
    interaction once; ``steps`` is how many an epoch has at least, which keeps batches small where
    data is. A step goes over the whole graph, so with the same batches an epoch would cost the
    square of the data: where the largest domain has more than ``full_size`` train interactions,
    batches grow in proportion, and an epoch has the steps of one of that size. ``schedule``: the
    learning rate stays, or falls to nothing over ``epochs`` along half a cosine; by
    ``rate_by_batch`` it is less where ``steps`` makes batches smaller
    (``training.trainer.base_rate``). ``weight_decay`` shrinks tables and matrices by its product
    with the rate in every step. ``average`` is the decay of the mean of the parameters; an
    interaction counts its user's degree to the power of ``user_weight``. ``leave_out``: a step
    predicts interactions from all but those of its batch; ``views`` weighs the contrast of what
    neighbours lend with the templates it goes with.

    These defaults are of every model but the full one, which has its recipe over them
    (``method.configurations``).
    """

    epochs: int = Field(40, ge=1, le=10_000)
    batch_size: int = Field(8192, ge=16)
    steps: int = Field(20, ge=1)
    full_size: int = Field(2**19, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    rate_by_batch: bool = False
    schedule: Literal["constant", "cosine"] = "constant"
    weight_decay: float = Field(0.0, ge=0)
    average: float = Field(0.99, ge=0, lt=1)
    loss: Literal["softmax", "bpr"] = "softmax"
    negatives: int = Field(512, ge=1)
    user_weight: float = Field(0.25, ge=-1, le=1)
    l2: float = Field(1e-4, ge=0)
    dropout: float = Field(0.5, ge=0, lt=1)
    self_enhanced: float = Field(0.01, ge=0)
    gate: float = Field(0.1, ge=0)
    new_items: float = Field(0.3, ge=0)
    new_items_batch: int = Field(2048, ge=1)
    contrast: float = Field(0.3, ge=0)
    contrast_batch: int = Field(1024, ge=2)
    temperature: float = Field(0.2, ge=0.025)  # method.contrast.COLDEST
    views: float = Field(0.0, ge=0)
    leave_out: bool = False
    anneal: float = Field(0.99, gt=0, le=1)
    validate_every: int = Field(2, ge=1)
    patience: int = Field(3, ge=1)
    validation_users: int = Field(10_000, ge=1)


def recipe(model: str, kind: str = "sparse") -> dict[str, Any]:
    """The training settings that a model has by default, by ``RunSettings.recipe``."""
    if model not in CONFIGURATIONS:
        return TrainSettings().model_dump()
    known = CONFIGURATIONS[model]
    return TrainSettings().model_dump() | dict(known.others.get(kind, known.recipe))


class RunSettings(Settings):
    """All that ``train`` was told; stored in ``run.json`` and enough to train again.

    What is not said of the training is the model's ``recipe``: the one for data where users have
    few interactions each or many, whichever of them the data asks for (``suited``), or the model
    and training as they were described, without what is ours.
    ``features`` maps modalities to
    specs of their encoders; given and stored, the registered ones stand beside the other settings
    under their own names (``text``, ``image``). ``split_seed`` draws what is
    withheld and ``seed`` the training, so that seeds of a training can be compared on the same
    split. ``mask`` is of ``protocols.MASKS``: what test lists leave out; training goes without it.
    """

    model: ModelSettings = ModelSettings()
    training: TrainSettings = Field(default_factory=TrainSettings)
    recipe: Literal["auto", "sparse", "dense", "paper"] = "auto"
    features: dict[str, str] = {}
    split: Literal["known", "inductive"] = "known"
    mask: Literal["all", "train"] = "all"
    split_seed: int = Field(0, ge=0, lt=2**31)
    seed: int = Field(0, ge=0, lt=2**31)
    rating_threshold: float | None = None
    k_core: int = Field(0, ge=0)
    unknown_items: Literal["error", "drop"] = "error"
    split_by: Literal["user", "time"] = "user"
    # Whether texts that a model wrote (``data.generated``) stand for or beside the tables' own.
    descriptions: Literal["original", "generated", "both"] = "original"
    # Whether items without a modality get the mean of what is taken with them
    # (``modalities.imputing``), instead of going without.
    impute: bool = False
    # A share, a date or a time; a number too where it is typed as one.
    test_from: Annotated[str, BeforeValidator(str)] = ""

    @model_validator(mode="before")
    @classmethod
    def _encoders(cls, values: Any) -> Any:
        """One mapping of all that is said of encoders, the registry's default for the rest."""
        if not isinstance(values, dict):
            return values
        said = dict(values.get("features") or {})
        said |= {name: values[name] for name in MODALITIES if name in values}
        specs = default_encoders() | said
        rest = {key: value for key, value in values.items() if key not in MODALITIES}
        return rest | {"features": {name: specs[name] for name in in_order(specs)}}

    @field_validator("features")
    @classmethod
    def _known_modalities(cls, features: dict[str, str]) -> dict[str, str]:
        for name in features:
            if name in MECHANISMS and name not in MODALITIES:
                raise ValueError(f"'{name}' is a mechanism; call the modality otherwise")
            try:
                modality(name)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return features

    @model_validator(mode="after")
    def _known_mechanisms(self) -> RunSettings:
        known = tuple(mechanisms(self.features))
        for name in self.model.without:
            if name not in known:
                raise ValueError(f"unknown mechanism '{name}'{_nearest(name, known)}")
        return self

    @model_serializer(mode="wrap")
    def _flat(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As runs are stored: registered modalities beside the other settings."""
        out = dump(self)
        specs = out.pop("features")
        flat = {name: specs.pop(name) for name in MODALITIES}
        flat = {name: s for name, s in flat.items() if name in USUAL or s != NO_ENCODER}
        return out | flat | ({"features": specs} if specs else {})

    @model_validator(mode="after")
    def _by_recipe(self) -> RunSettings:
        """Fill in what was not said of the training; once, since all of it is said after that."""
        said = self.training.model_dump(exclude_unset=True)
        filled = TrainSettings(**recipe(self.model.name, self.recipe) | said)
        # It still knows what was said, and what its recipe added.
        whole = TrainSettings.model_construct(set(said), **filled.model_dump())
        object.__setattr__(self, "training", whole)
        object.__setattr__(self, "model", _of_recipe(self.model, filled, self.recipe))
        if self.model.name == "micrec" and self.model.echo and not filled.leave_out:
            raise ValueError(
                "an item's own template would tell what is to be predicted unless the batch is "
                "left out; with leave_out=false set echo=false too"
            )
        return self

    def of(self, model: ModelSettings, seed: int) -> RunSettings:
        """The same for another model: what differs from this one's recipe differs there too."""
        was, now = recipe(self.model.name, self.recipe), self.training.model_dump()
        changed = {key: value for key, value in now.items() if value != was[key]}
        training = TrainSettings(**recipe(model.name, self.recipe) | changed)
        model = _of_recipe(model, training, self.recipe)
        return self.model_copy(update={"model": model, "training": training, "seed": seed})

    def suited(self, per_user: float) -> RunSettings:
        """The same with the recipe for data of so many train interactions a user, if none is said.

        A recipe takes its epochs: where fewer were asked for, the other one is better.
        """
        if self.recipe != "auto":
            return self
        name, now = self.model.name, self.training.model_dump()
        dense = CONFIGURATIONS[name].others.get("dense") if name in CONFIGURATIONS else None
        said = self.training.model_fields_set
        short = dense and "epochs" in said and self.training.epochs < dense["epochs"]
        kind = "dense" if dense and not short and per_user >= DENSE_FROM else "sparse"
        training = TrainSettings(**recipe(name, kind) | {key: now[key] for key in said})
        model = _of_recipe(self.model, training, kind)
        return self.model_copy(update={"recipe": kind, "training": training, "model": model})


def _of_recipe(model: ModelSettings, training: TrainSettings, kind: str) -> ModelSettings:
    """The model without what does not go with a recipe, where that was not asked for.

    The recipe for dense data leaves nothing out, and so an item's own template; the description
    has nothing of ours.
    """
    off = {"dense": () if training.leave_out else ("echo",), "paper": OURS}.get(kind, ())
    told = model.model_fields_set
    unasked = {part: False for part in off if model.name == "micrec" and part not in told}
    return model.model_copy(update=unasked) if unasked else model


S = TypeVar("S", bound=Settings)


def make_settings(kind: type[S], values: dict[str, Any]) -> S:
    """Build settings from plain values; one sentence instead of a validation report.

    Raises
    ------
    ConfigError
        A key is unknown (the nearest known one is named) or a value is out of range.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = (*_keys(kind), *MODALITIES)
            raise ConfigError(
                f"there is no setting '{where}'{_nearest(where.split('.')[-1], known)}"
            ) from None
        what = first["msg"].removeprefix("Value error, ")
        what = what[:1].lower() + what[1:]
        if not where:
            raise ConfigError(f"these settings do not go together: {what}") from None
        raise ConfigError(f"setting '{where}' cannot be used: {what}") from None


def _baselines() -> dict[str, dict[str, Option]]:
    """Baseline -> its options by name."""
    # Baselines load torch, which settings of the method's own models must not.
    from micrec_core.baselines import REGISTRY

    return {name: {o.name: o for o in kind.options} for name, kind in REGISTRY.items()}


def _keys(kind: type[BaseModel]) -> tuple[str, ...]:
    keys: list[str] = []
    for name, field in kind.model_fields.items():
        keys.append(name)
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys.extend(_keys(inner))
    return tuple(keys)


def _nearest(word: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known are: {', '.join(known)}"
