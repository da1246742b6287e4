"""The front door for notebooks and scripts: what ``import micrec_core as mc`` offers.

Tables come in as a folder or as DataFrames, answers go out as DataFrames and arrays with ids. All
of it is done by ``data``, ``running``, ``runs`` and ``serving``; docs/python.md shows it in use.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrec_core import data as tables
from micrec_core import runs, serving
from micrec_core.bundled import SAMPLE_DATA, SAMPLE_RUN
from micrec_core.data import Dataset, Reading, dataset_of_frames
from micrec_core.data.about import About
from micrec_core.data.progress import Bars, silent
from micrec_core.names import CATALOGUE, EVERYONE, HEADLINE, SUMMARY

__all__ = [
    "SAMPLE_DATA",
    "SAMPLE_RUN",
    "Dataset",
    "Embeddings",
    "Recommender",
    "Run",
    "dataset",
    "open_run",
    "read_dataset",
    "train",
]


def read_dataset(path: str | Path, *, progress: bool = True, **reading: Any) -> Dataset:
    """Read and check a folder of tables.

    Parameters
    ----------
    path : path
        The folder: ``interactions`` and ``items`` in any supported format.
    progress : bool
        Draw a bar for large tables, in a terminal or a notebook.
    **reading
        ``unknown_items``, ``rating_threshold``, ``k_core``, ``seed``, ``split_by`` and
        ``test_from`` as ``dataset`` takes them; ``dialect``, how the tables are written;
        ``max_table_bytes``, what a table may unpack to.

    Returns
    -------
    Dataset
        One domain or more; ``Dataset.notes`` says what was changed on the way.

    Raises
    ------
    DataError
        Something is wrong; one sentence names the file, the line and the mend.
    ConfigError
        An option is out of range.
    """
    with closing(Bars(watched=True)) as bars:
        return tables.read_dataset(path, **reading, progress=bars if progress else silent)


def dataset(
    interactions: pd.DataFrame,
    items: pd.DataFrame,
    *,
    name: str = "dataset",
    labels: Mapping[str, str] | None = None,
    images: str | Path = ".",
    synthetic: bool = False,
    unknown_items: Literal["error", "drop"] = "error",
    rating_threshold: float | None = None,
    k_core: int = 0,
    seed: int = 0,
    split_by: Literal["user", "time"] = "user",
    test_from: str | float = "",
) -> Dataset:
    """Check two tables and make a dataset of them, as ``read_dataset`` does of a folder.

    Parameters
    ----------
    interactions : DataFrame
        A row for each interaction: ``user_id``, ``item_id``, ``domain``; optional ``timestamp``
        (seconds since 1970 or datetimes), ``rating``, ``position`` and ``split`` (train, valid,
        test). Without a split, each user's last tenth is test and the tenth before validation.
    items : DataFrame
        A row for each item: ``item_id``, ``domain``, ``title``; optional ``description`` and
        ``image`` (the path of a picture below ``images``).
    name : str
        How runs and the app call the data.
    labels : mapping of str to str, optional
        Domain -> the words shown for it; also the order of the domains. Sorted by default.
    images : path
        The folder in which the paths of pictures begin.
    synthetic : bool
        Whether the data is made up, which the app then says wherever it shows it.
    unknown_items : {"error", "drop"}
        What to do with interactions whose item is not among ``items``.
    rating_threshold : float, optional
        Keep interactions that are rated so or more.
    k_core : int
        Drop users and items with fewer interactions in their domain, again and again.
    seed : int
        For the split, where the table has none.
    split_by : {"user", "time"}
        Test on the last tenth of each user, or on what is later than one moment for everyone.
    test_from : str or float
        With ``time``: that moment (a date or a number in the table's unit), or a share.

    Returns
    -------
    Dataset
        One domain or more; ``Dataset.notes`` says what was changed on the way.

    Raises
    ------
    DataError
        Something is wrong; one sentence names the table, the row (as ``iloc`` counts) and the mend.
    ConfigError
        An option is out of range.
    """
    about = About(name, synthetic, domains=dict(labels or {}))
    reading = Reading(unknown_items, rating_threshold, k_core, seed, split_by, str(test_from))
    return dataset_of_frames(interactions, items, about, images, reading)


def train(
    data: Dataset | str | Path,
    out: str | Path,
    *,
    model: str = "micrec",
    without: Sequence[str] = (),
    epochs: int | None = None,
    seed: int = 0,
    split: Literal["known", "inductive"] = "known",
    device: str = "auto",
    resume: bool = False,
    umap: bool = False,
    baselines: bool = True,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Train a model, evaluate it, and write a run.

    Parameters
    ----------
    data : Dataset or path
        A dataset, or the folder of one.
    out : path
        The run's directory: new or empty, unless ``resume``. Its name is the run's.
    model : str
        ``micrec`` or a baseline (docs/baselines.md).
    without : sequence of str
        Mechanisms of micrec to switch off, such as ``contrast`` (docs/method.md).
    epochs : int, optional
        At most so many; the model's own number by default.
    seed : int
        Of the training; of the split it is ``split_seed``, or the ``seed`` the data was read with.
    split : {"known", "inductive"}
        ``inductive`` withholds new users, new items and users of one domain, and measures on them.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    resume : bool
        Go on with an interrupted run from its last epoch; the result is that of an uninterrupted
        one.
    umap : bool
        Lay the app's map of users out by UMAP beside PCA, which takes up to a minute.
    baselines : bool
        Set cheap baselines beside a ``micrec``, in half of its training's time at most.
    progress : bool
        Draw bars.
    **settings
        Any other setting by its name: of the training (``learning_rate=0.01``), the model
        (``dim=32``), the run (``split_seed=1``), or the encoder of a modality (``text="classic"``).

    Returns
    -------
    Run

    Raises
    ------
    DataError, ConfigError
        The data or a setting cannot be used; nothing has been written.
    RunError
        The training failed, or there is nothing of these settings to resume.
    """
    from micrec_core.running.settings import run_settings
    from micrec_core.running.train import train_run
    from micrec_core.training.prepare import cache_folder

    values = {
        "model": {"name": model, "without": tuple(without)},
        "training": {} if epochs is None else {"epochs": epochs},
        "seed": seed,
        "split": split,
    }
    if isinstance(data, Dataset):
        read = data.reading
        values |= {
            "unknown_items": read.unknown_items,
            "rating_threshold": read.rating_threshold,
            "k_core": read.k_core,
            "split_seed": read.seed,
            "split_by": read.split_by,
            "test_from": read.test_from,
        }
    with closing(Bars()) as bars:
        done = train_run(
            data,
            out,
            run_settings(values, settings.items()),
            device=device,
            resume=resume,
            progress=bars if progress else silent,
            cache=cache_folder(),
            umap=umap,
            baselines=baselines,
        )
    return open_run(done.run)


def open_run(path: str | Path) -> Run:
    """Open a finished run; every file is held against its checksum.

    Parameters
    ----------
    path : path
        The run's directory, here trained or copied from elsewhere.

    Raises
    ------
    RunError
        The run is missing, unfinished, damaged, or of a newer version.
    """
    return Run(**vars(runs.open_run(path)))


class Embeddings(NamedTuple):
    """Final embeddings of one domain.

    A score is the inner product of a user's and an item's, and what a memory adds.

    Attributes
    ----------
    ids : ndarray of str [n]
    vectors : ndarray of float32 [n, dim]
    """

    ids: NDArray[np.object_]
    vectors: NDArray[np.float32]

    def __repr__(self) -> str:
        return f"Embeddings of {len(self.ids):,}, {self.vectors.shape[1]} wide"


class Run(runs.Run):
    """A finished run: its metrics, its embeddings, and the recommender over it."""

    def metrics(self) -> pd.DataFrame:
        """What was measured of the run's model, over all users of each protocol.

        Returns
        -------
        DataFrame
            ``protocol``, ``domain``, ``metric``, ``mean``, ``low`` and ``high`` (the 95 % bootstrap
            interval of the mean), ``n`` (users). ``frame("metrics/summary.parquet")`` has cohorts
            and references too.

        Raises
        ------
        RunError
            The run holds no metrics.
        """
        table = self.frame(SUMMARY)
        own = (table["model"] == self.info.model) & (table["variant"] == self.info.variant)
        columns = ["protocol", "domain", "metric", "mean", "low", "high", "n"]
        return table.loc[own & (table["cohort"] == EVERYONE), columns].reset_index(drop=True)

    def recommender(self) -> Recommender:
        """The recommender over this run, which needs no dataset.

        Raises
        ------
        RunError
            The run is of a model that nobody can be folded in to, such as most baselines.
        """
        return self._recommender

    @cached_property
    def _recommender(self) -> Recommender:
        return Recommender(self)

    def embeddings(self, kind: Literal["users", "items"], domain: str) -> Embeddings:
        """Final embeddings, by which scores are computed.

        Parameters
        ----------
        kind : {"users", "items"}
            Users are those with train interactions in the domain.
        domain : str

        Raises
        ------
        RunError
            There is no such domain, or the run keeps no embeddings.
        """
        return Embeddings(*self._recommender.serving.embeddings(kind, domain))

    def update(
        self,
        out: str | Path,
        interactions: pd.DataFrame | str | Path | None = None,
        items: pd.DataFrame | str | Path | None = None,
        *,
        images: str | Path | None = None,
    ) -> Run:
        """A new run that knows of more users, items and interactions; nothing is trained.

        Parameters
        ----------
        out : path
            The new run's directory, new or empty; this run stays as it is.
        interactions : DataFrame or path
            ``user_id``, ``item_id``, ``domain``; what is known already is left out.
        items : DataFrame or path
            ``item_id``, ``domain``, ``title`` and, optional, ``description`` and ``image``; items
            that are known already stay as they are.
        images : path
            Where the paths of pictures begin; by default where the item table lies.

        Returns
        -------
        Run
            Its ``info.parent`` names this one, ``info.update`` says what was added and how far it
            has come from its training.

        Raises
        ------
        DataError
            A table cannot be used; one sentence names the row and the mend.
        RunError
            The run is of a model that takes nobody in without training.
        ConfigError
            There is nothing to add, or ``out`` has something in it.
        """
        from micrec_core.running.update import update_run

        tables = [Path(x) if isinstance(x, str) else x for x in (interactions, items)]
        place = None if images is None else Path(images)
        return open_run(update_run(self, out, *tables, images=place).run)

    def __repr__(self) -> str:
        info = self.info
        data = info.dataset.name if info.dataset else "no dataset"
        return f"Run '{self.name}': {info.model} ({info.variant}) on {data}, seed {info.seed}"

    def _repr_html_(self) -> str:
        said = f"<b>{escape(repr(self))}</b>"
        if not self.has(SUMMARY):
            return said
        table = self.metrics()
        shown = table[table["metric"] == HEADLINE].set_index(["protocol", "domain"])
        return said + str(shown[["mean", "low", "high", "n"]].round(4).to_html())


class Recommender:
    """Lists and reasons for anyone, as DataFrames.

    Whoever is asked about is given by any of ``user`` (an id of the training data), ``likes``
    (domain -> item ids) and, by the name of a modality, what they say or show (``text="a small
    pot"``, ``image=Path("pot.png")``). ``serving`` is the recommender behind it, which can do more:
    new items, counterfactuals, the computation in steps.

    Parameters
    ----------
    run : Run
        A finished run with a model that can be served.

    Raises
    ------
    RunError
        The run lacks what is needed.
    """

    def __init__(self, run: runs.Run) -> None:
        self.run = run
        self.serving = serving.Recommender.open(run)

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains there are."""
        return self.serving.domains

    def users(self, domain: str) -> NDArray[np.object_]:
        """Ids of the users with train interactions in a domain, sorted; str [n]."""
        return self.serving.user_ids(domain)

    def items(self, domain: str) -> pd.DataFrame:
        """The catalogue of a domain: ``item_id``, ``title``, ``description``, ``degree``.

        ``degree`` counts train interactions.
        """
        columns = ["domain", "item_id", "title", "description", "degree"]
        table = self.run.frame(CATALOGUE, columns)
        return table[table["domain"] == domain].drop(columns="domain").reset_index(drop=True)

    def recommend(
        self,
        *,
        domain: str,
        k: int = 10,
        user: str | None = None,
        likes: Mapping[str, Sequence[str]] | None = None,
        exclude: Iterable[str] = (),
        **documents: Any,
    ) -> pd.DataFrame:
        """The best items of a domain for anyone, without those they like already.

        Parameters
        ----------
        domain : str
            Where to recommend; the likes may be of other domains.
        k : int
            Length of the list.
        user, likes, **documents
            Whom to recommend to, see the class.
        exclude : iterable of str
            Item ids to leave out.

        Returns
        -------
        DataFrame
            ``item_id``, ``title``, ``score`` and a column for each source of the score (``id``,
            modalities, ``bridge``), which add up to it; best first. A warning says what could not
            be used, or that the list is not a personal one.

        Raises
        ------
        RunError
            The domain, the user or an item is not known.
        DataError, ConfigError
            A picture cannot be read; the encoder cannot encode anything new; ``k`` is below 1.
        """
        person = self.serving.user(id=user, likes=likes, **documents)
        found = self.serving.recommend(person, domain, k=k, exclude=exclude)
        if found.note:
            warnings.warn(found.note, stacklevel=2)
        return found.items

    def recommend_all(self, domain: str, k: int = 10) -> pd.DataFrame:
        """The best items for every user with train interactions in a domain, all at once.

        Returns
        -------
        DataFrame
            ``user_id``, ``rank`` (from 1), ``item_id``, ``title``, ``score``; users sorted by id.

        Raises
        ------
        RunError, ConfigError
            There is no such domain; ``k`` is below 1.
        """
        return self.serving.recommend_all(domain, k)

    def recommend_many(self, users: Iterable[str], domain: str, k: int = 10) -> pd.DataFrame:
        """As ``recommend_all``, for some users in the order of their ids.

        Raises
        ------
        RunError
            A user has no train interactions in the domain, beside the errors of ``recommend_all``.
        """
        return self.serving.recommend_many(users, domain, k)

    def write_all(self, path: Path | str, domain: str, k: int = 10) -> int:
        """Write what ``recommend_all`` gives to a Parquet file, a part of the users at a time.

        Returns
        -------
        int
            For how many users.

        Raises
        ------
        RunError, ConfigError
            As ``recommend_all``; nothing can be written there.
        """
        return self.serving.write_all(Path(path), domain, k)

    def explain(
        self,
        item: str,
        *,
        domain: str,
        user: str | None = None,
        likes: Mapping[str, Sequence[str]] | None = None,
        **documents: Any,
    ) -> pd.DataFrame:
        """Why an item of a domain has its score.

        Returns
        -------
        DataFrame
            ``source``, ``via``, ``contributor_id``, ``title``, ``contribution``, ``side``,
            ``domain``, largest first; contributions add up to the score.

        Raises
        ------
        RunError, DataError, ConfigError
            As ``recommend``.
        """
        person = self.serving.user(id=user, likes=likes, **documents)
        return self.serving.explain(person, domain, item).table

    def similar(
        self, item: str, *, domain: str, k: int = 10, modality: str | None = None
    ) -> pd.DataFrame:
        """Items of a domain most like one of it.

        Parameters
        ----------
        item : str
            Its id.
        domain : str
        k : int
            Length of the list.
        modality : str, optional
            Compare what the items say in one modality; by default, their embeddings.

        Returns
        -------
        DataFrame
            ``item_id``, ``title``, ``similarity`` (cosine).

        Raises
        ------
        RunError
            The domain, the item or the modality is not known.
        """
        return self.serving.similar(domain, item, k=k, modality=modality)

    def __repr__(self) -> str:
        return f"Recommender over {self.run!r}, for {' and '.join(self.domains)}"
