"""What every training begins with: data read, split, encoded, neighbours found, on a device."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from micrec_core.config import ModelSettings, RunSettings, TrainSettings
from micrec_core.data import Dataset, Reading, Split, make_split, read_dataset
from micrec_core.data.check import training_refusal
from micrec_core.data.generated import with_generated
from micrec_core.data.progress import Progress, silent
from micrec_core.data.types import shared_rows
from micrec_core.engines import HERE, Engine
from micrec_core.errors import ConfigError, DataError
from micrec_core.evaluation.questions import Question, questions, training_catalogue
from micrec_core.mechanisms import MECHANISMS
from micrec_core.method.inputs import ModelInputs, model_inputs
from micrec_core.method.knowledge import Knowledge, NeighbourSettings, derive_knowledge
from micrec_core.method.profiles import Links
from micrec_core.modalities.dataset import DatasetFeatures, encode_dataset
from micrec_core.modalities.encoders import check_encoders
from micrec_core.modalities.imputing import imputed
from micrec_core.training.build import effective_training, used_modalities


@dataclass(frozen=True)
class Material:
    """A dataset, split and encoded: the same for every model and variant trained on it.

    ``mask`` is of ``protocols.MASKS``.
    """

    dataset: Dataset
    split: Split
    features: DatasetFeatures
    mask: str = "all"

    @cached_property
    def questions(self) -> list[Question]:
        """What every model trained on this split is asked."""
        return questions(self.dataset, self.split, self.mask)

    @cached_property
    def catalogues(self) -> list[NDArray[np.bool_]]:
        """Per domain, bool [n_items], the items that training may know."""
        return training_masks(self.dataset, self.split)


@dataclass(frozen=True)
class Prepared:
    """All that one training needs.

    Attributes
    ----------
    settings : as they were given
    training : with the terms of switched-off mechanisms at zero
    """

    material: Material
    settings: RunSettings
    training: TrainSettings
    knowledge: Knowledge
    inputs: ModelInputs
    device: str

    @property
    def dataset(self) -> Dataset:
        return self.material.dataset

    @property
    def split(self) -> Split:
        return self.material.split

    @property
    def features(self) -> DatasetFeatures:
        return self.material.features

    @property
    def pair(self) -> tuple[int, int] | None:
        """The first two domains that share users in training; None where no two do."""
        shared = [(a, b) for (a, b), (rows, _) in self.knowledge.links.items() if len(rows)]
        return min(((a, b) for a, b in shared if a < b), default=None)


def choose_device(name: str) -> str:
    """``cpu`` or ``cuda`` from ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    ConfigError
        The name is another, or there is no such device here.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"there is no device '{name}'; use auto, cpu or cuda")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ConfigError("no CUDA device can be used here; use --device cpu, or auto")
    return "cuda" if name == "cuda" or (name == "auto" and there) else "cpu"


def cache_folder() -> Path | None:
    """Where encoded features are kept: ``MICREC_CACHE``, or the user's cache folder.

    None where that cannot be written.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("MICREC_CACHE") or Path(base) / "micrec").expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def reading_of(settings: RunSettings) -> Reading:
    """How the settings ask for tables to be read."""
    return Reading(
        settings.unknown_items, settings.rating_threshold, settings.k_core, settings.split_seed,
        settings.split_by, settings.test_from,
    )  # fmt: skip


def load_dataset(
    source: Dataset | Path | str, settings: RunSettings, progress: Progress = silent
) -> tuple[Dataset, Split]:
    """Read and split a dataset as the settings say.

    Parameters
    ----------
    source : a folder of tables, or what was read already, in the way that the settings ask for

    Raises
    ------
    DataError
        The tables are not usable, or nothing could be validated on.
    ConfigError
        An encoder or option is not known, or the dataset was read in another way.
    """
    check_encoders(settings.features)
    reading = reading_of(settings)
    dataset = (
        source
        if isinstance(source, Dataset)
        else read_dataset(source, **asdict(reading), progress=progress)
    )
    if dataset.reading != reading:
        raise ConfigError(
            f"the data was read by {dataset.reading} and the settings ask for {reading}; "
            "read it anew"
        )
    dataset = with_generated(dataset, settings.descriptions)
    split = make_split(dataset, settings.split, settings.split_seed)
    if refusal := training_refusal(dataset, split):
        raise DataError(refusal)
    return dataset, split


def require_acting(without: Iterable[str], dataset: Dataset, split: Split) -> None:
    """Refuse to switch off what has nothing to act on in this data.

    Raises
    ------
    ConfigError
        Names a mechanism that acts on users in two domains, and there is none.
    """
    idle = [name for name in without if name in MECHANISMS and MECHANISMS[name].overlap]
    if idle and not split.overlaps(dataset):
        raise ConfigError(
            f"nobody in dataset '{dataset.name}' is in training in two domains, so '{idle[0]}' is "
            "off in any case; leave it out"
        )


def training_masks(dataset: Dataset, split: Split) -> list[NDArray[np.bool_]]:
    """Per domain, bool [n_items], which items are not withheld."""
    pairs = zip(dataset.domains, split.domains, strict=True)
    return [training_catalogue(domain, part) for domain, part in pairs]


def encode_material(
    dataset: Dataset,
    split: Split,
    settings: RunSettings,
    device: str,
    cache: Path | None,
    engine: Engine = HERE,
) -> Material:
    """Encode what items say; what encoders learn, they learn from items in training."""
    features = encode_dataset(
        dataset,
        settings.features,
        fit_items=training_masks(dataset, split),
        cache=cache,
        device=device,
        engine=engine,
    )
    return Material(dataset, split, features, settings.mask)


def prepare(
    material: Material, settings: RunSettings, device: str, engine: Engine = HERE
) -> Prepared:
    """Profiles, neighbours and operators for the model that the settings name.

    ``engine`` looks neighbours up.
    """
    if settings.impute:
        trains = _trains(material.dataset, material.split)
        material = replace(material, features=imputed(material.features, trains))
    modalities = used_modalities(settings.model, material.features.modalities)
    knowledge = knowledge_of(
        material.dataset,
        material.split,
        material.features,
        modalities,
        _neighbours(settings.model),
        device,
        engine,
    )
    training = effective_training(settings.model, settings.training)
    inputs = model_inputs(knowledge, device)
    return Prepared(material, settings, training, knowledge, inputs, device)


def knowledge_of(
    dataset: Dataset,
    split: Split,
    features: DatasetFeatures,
    modalities: tuple[str, ...],
    settings: NeighbourSettings,
    device: str = "cpu",
    engine: Engine = HERE,
) -> Knowledge:
    """What is derived from the train interactions and features of a dataset."""
    trains = _trains(dataset, split)
    matrices = {m: features.matrices[m] for m in modalities}
    return derive_knowledge(trains, _links(dataset, trains), matrices, settings, device, engine)


def _trains(dataset: Dataset, split: Split) -> list[csr_matrix]:
    """Per domain, the binary train interactions [n_users, n_items]."""
    return [
        part.train.matrix(domain.n_users, domain.n_items)
        for part, domain in zip(split.domains, dataset.domains, strict=True)
    ]


def _links(dataset: Dataset, trains: list[csr_matrix]) -> Links:
    """Rows of the users with train interactions in both domains of every ordered pair."""
    links = {}
    for a, b in permutations(range(len(trains)), 2):
        rows_a, rows_b = shared_rows(dataset.domains[a].user_ids, dataset.domains[b].user_ids)
        both = (np.diff(trains[a].indptr)[rows_a] > 0) & (np.diff(trains[b].indptr)[rows_b] > 0)
        links[a, b] = (rows_a[both], rows_b[both])
    return links


def _neighbours(settings: ModelSettings) -> NeighbourSettings:
    return NeighbourSettings(
        settings.neighbours,
        settings.neighbour_temperature,
        "cross-domain" not in settings.without,
    )
