"""``serving.json`` held to a schema: what a run's tensors cannot say of themselves."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from micrec_core.errors import RunError
from micrec_core.runs.reader import Run

SERVED = "serving.json"
MOST_ROWS = 2**31 - 1
_EXPONENT = Annotated[float, Field(ge=-10, le=10)]
_SHARE = Annotated[float, Field(ge=0, le=1e6)]


class _Told(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class DomainAbout(_Told):
    """A domain as ``serving.json`` tells it."""

    name: str = Field(min_length=1, max_length=1000)
    label: str | None = None
    n_users: int = Field(ge=0, le=MOST_ROWS)
    n_items: int = Field(ge=0, le=MOST_ROWS)
    n_trained_items: int | None = Field(default=None, ge=0, le=MOST_ROWS)


class NeighboursAbout(_Told):
    """How neighbours were found and are weighed."""

    k: int = Field(ge=1, le=100_000)
    temperature: float = Field(gt=0, le=1e6)


class MemoryAbout(_Told):
    """``method.memory.Constants`` of a domain and the memory's weight."""

    lend: _SHARE
    activity: _EXPONENT
    seen: _EXPONENT
    popular: _EXPONENT
    elsewhere: _SHARE
    content: _SHARE
    counts: _SHARE = 1.0
    regress: _SHARE = 0.0
    penalty: _SHARE = 500.0
    newcomers: _SHARE = 0.0
    everybody: _SHARE = 0.0
    similar: _SHARE = 0.0
    similar_new: _SHARE = 0.0
    similar_elsewhere: _SHARE = 0.0
    weight: _SHARE


class PersonaAbout(_Told):
    """A made-up person; what they say in a modality stands under its name."""

    model_config = ConfigDict(extra="allow")

    name: str
    sentence: str = ""
    likes: dict[str, list[str]] = {}
    __pydantic_extra__: dict[str, str] = Field(init=False)


class About(_Told):
    """``serving.json``: what cannot be read off the tensors."""

    version: int
    domains: list[DomainAbout] = Field(min_length=1, max_length=1000)
    modalities: list[Annotated[str, Field(pattern=r"^[^.\s]{1,64}$")]] = Field(max_length=64)
    layers: int = Field(ge=0, le=64)
    templates: bool
    neighbours: NeighboursAbout
    cross_profile: bool
    n_parameters: int = Field(ge=0)
    personas: list[PersonaAbout]
    memory: list[MemoryAbout | None] | None = None


def parse_about(value: Any) -> About:
    """``serving.json`` held to its schema.

    Raises
    ------
    ValueError
        The first field that is wrong is named.
    """
    try:
        about = About.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"'{field}' of serving.json is wrong: {first['msg']}") from None
    names = [domain.name for domain in about.domains]
    for what, said in (("domain", names), ("modality", about.modalities)):
        if len(set(said)) < len(said):
            raise ValueError(f"serving.json names a {what} twice")
    if about.memory is not None and len(about.memory) != len(names):
        raise ValueError("serving.json tells of another number of memories than domains")
    return about




def served(run: Run) -> About | None:
    """What a run's ``serving.json`` says; None where nothing can be served from it.

    Raises
    ------
    RunError
        It does not say what it must.
    """
    if not run.has(SERVED):
        return None
    try:
        return parse_about(run.json(SERVED))
    except ValueError as error:
        raise RunError(f"Run '{run.name}' cannot be served ({error}): train it anew.") from None
