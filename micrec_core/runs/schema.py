"""What ``run.json`` and ``manifest.json`` hold, and which version of it this code understands."""

import json
import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from micrec_core.errors import RunError
from micrec_core.runs.json_limits import MOST_LISTED

SCHEMA_VERSION = 1
# The kind of a run that holds tables of several trainings instead of a model.
COMPARISON = "comparison"

Status = Literal["running", "complete", "failed", "cancelled"]


def _timestamp(value: str) -> str:
    datetime.fromisoformat(value)
    return value


Timestamp = Annotated[str, AfterValidator(_timestamp)]


class _Record(BaseModel):
    """A frozen record that can also be read like a mapping.

    Unknown keys are kept: a newer writer of the same schema version may say more.
    """

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    def __getitem__(self, key: str) -> Any:
        if key in type(self).model_fields or key in (self.model_extra or {}):
            return getattr(self, key)
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return key in type(self).model_fields or key in (self.model_extra or {})

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of `key`, or `default` where the record has none."""
        try:
            return self[key]
        except KeyError:
            return default


class DomainInfo(_Record):
    """Counts of one domain, before anything was withheld."""

    name: str
    label: str = ""
    n_users: int = 0
    n_items: int = 0
    n_train: int = 0
    n_valid: int = 0
    n_test: int = 0


class DatasetInfo(_Record):
    """Where the data came from; `synthetic` decides whether pages say so."""

    name: str
    fingerprint: str = ""
    synthetic: bool = False
    source: str = ""
    licence: str = ""
    domains: tuple[DomainInfo, ...] = ()
    n_overlap: int = 0
    notes: tuple[str, ...] = ()


class Parent(_Record):
    """The run that another was made of by an update, and the key it then had."""

    name: str
    key: str


class RunInfo(_Record):
    """The content of ``run.json``."""

    schema_version: int = SCHEMA_VERSION
    name: str
    status: Status
    created: Timestamp
    finished: Timestamp | None = None
    model: str = "micrec"
    variant: str = "full"
    without: tuple[str, ...] = ()
    seed: int = 0
    split: Literal["known", "inductive"] = "known"
    mask: Literal["all", "train"] = "all"
    dataset: DatasetInfo | None = None
    encoders: dict[str, str] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)
    device: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    # Of each library that shares its work among some.
    threads: dict[str, int] | None = None
    timings: dict[str, float] = Field(default_factory=dict)
    # CPU seconds of each baseline that was trained beside it; why others were not.
    baselines: dict[str, dict[str, float]] = Field(default_factory=dict)
    left_out: dict[str, str] = Field(default_factory=dict)
    best_epoch: int | None = None
    n_parameters: int | None = None
    error: str | None = None
    parent: Parent | None = None
    update: dict[str, Any] = Field(default_factory=dict)

    @property
    def is_comparison(self) -> bool:
        """Whether the run holds tables of several trainings instead of a model."""
        return bool(self.get("kind") == COMPARISON)

    def to_bytes(self) -> bytes:
        """Return the file's content (indented JSON, UTF-8); RunError where none may hold it."""
        text = json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False)
        content = (text + "\n").encode()
        if len(content) > MOST_LISTED:
            raise RunError(f"Run '{self.name}' has a run.json that is too large to be one.")
        return content

    @classmethod
    def parse(cls, value: Any, where: str) -> Self:
        """Validate the decoded content of ``run.json``.

        Parameters
        ----------
        value : what the JSON decoder returned
        where : how to name the run in an error

        Raises
        ------
        RunError
            If the schema is newer than this code, or a field is missing or of a wrong type.
        """
        version = value.get("schema_version") if isinstance(value, dict) else None
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise RunError(f"{where} has a run.json without a schema version: it is not a run.")
        if version > SCHEMA_VERSION:
            raise RunError(
                f"{where} was written with schema {version} and this version reads up to "
                f"{SCHEMA_VERSION}: update MICRec Explorer."
            )
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise RunError(
                f"{where} has a run.json whose field '{field}' is wrong ({first['msg']}): "
                "copy the run again or train it anew."
            ) from None


_SHA256 = re.compile(r"[0-9a-f]{64}")


def parse_manifest(value: Any, where: str) -> dict[str, str]:
    """Return relative path -> sha256 from the decoded content of ``manifest.json``.

    Raises
    ------
    RunError
        If it is not an object ``{"files": {path: sha256}}``.
    """
    files = value.get("files") if isinstance(value, dict) else None
    if not isinstance(files, dict) or not all(
        isinstance(digest, str) and _SHA256.fullmatch(digest) for digest in files.values()
    ):
        raise RunError(f"{where} has a damaged manifest.json: copy the run again.")
    return dict(files)
