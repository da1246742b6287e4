"""The recommender over a finished run: read-only, thread-safe, no dataset, no training."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from micrec_core.engines import HERE, Engine
from micrec_core.errors import ConfigError, RunError
from micrec_core.features import FeatureMatrix
from micrec_core.method.arrays import Floats
from micrec_core.method.explanation import split_by_source
from micrec_core.method.foldin import Folded, FoldIn
from micrec_core.method.remembered import Remembered
from micrec_core.method.search import repeated_rows, top_rows
from micrec_core.method.taken import Taken, taken_elsewhere
from micrec_core.modalities.encoders import load_encoder
from micrec_core.modalities.registry import modality
from micrec_core.names import MEMORY
from micrec_core.runs import Run, open_run
from micrec_core.serving.audience import Crowd, audience, crowds
from micrec_core.serving.baseline_lists import BaselineLists
from micrec_core.serving.bundle import read_bundle
from micrec_core.serving.contents import Bundle
from micrec_core.serving.flow import Stage, flow
from micrec_core.serving.lists import (
    NOBODY,
    PER_USER,
    Ranking,
    Recommendation,
    shards,
    write_lists,
)
from micrec_core.serving.new_items import (
    NewItem,
    fold_new_item,
    similar_by_content,
    similar_by_embedding,
)
from micrec_core.serving.plane import ItemMap, item_map
from micrec_core.serving.reasons import Explanation, explain, popularity_explanation
from micrec_core.serving.sentences import Word, words
from micrec_core.serving.starters import starters
from micrec_core.serving.steps import Step, make_steps
from micrec_core.serving.users import Directory, User, assemble, make_user
from micrec_core.serving.what_if import checked, items_without, scores_without, switches
from micrec_core.serving.what_if import without as without_parts

if TYPE_CHECKING:
    from micrec_core.modalities.base import Encoder

# Contributions that are told of in words.
_TOLD = 20


def _opened(path: Path) -> Recommender:
    return Recommender.open(open_run(path))


class _Lists:
    """How lists of a domain are made; another process finds that out from the run."""

    def __init__(self, recommender: Recommender, d: int, k: int):
        self.recommender, self.d, self.k = recommender, d, k

    @cached_property
    def ranking(self) -> Ranking:
        return self.recommender._ranking(self.d, self.k)

    def __reduce__(self) -> tuple[type[_Lists], tuple[Recommender, int, int]]:
        return _Lists, (self.recommender, self.d, self.k)


def _lists(made: _Lists, users: NDArray[np.int64]) -> pa.Table:
    return made.ranking.lists(users)


class Recommender:
    """Answers for anyone: hot, warm, cold, a sentence, a picture; and says exactly why.

    Build with ``open``. Nothing is written after construction but the encoders, which are loaded at
    their first use under a lock, what users were folded in to, kept for as long as they are, and
    what the lists of a sample of people demand, once somebody asks who would get a new item.
    """

    def __init__(self, run: Run | None, bundle: Bundle):
        self.run = run
        self.bundle = bundle
        self.domains = tuple(part.name for part in bundle.domains)
        self.modalities = bundle.modalities
        self.sources = (*bundle.sources, *([MEMORY] if any(bundle.memory) else []))
        self.n_parameters = bundle.n_parameters
        self.personas = bundle.personas
        self._fold = FoldIn(bundle)
        self._directory = Directory(bundle)
        # Looked for when somebody asks for a list of the domain.
        self._repeated = cache(lambda d: repeated_rows(bundle.domains[d].items))
        self._allowed = [self._candidates(d) for d in range(len(bundle.domains))]
        self._barred = [np.flatnonzero(~allowed) for allowed in self._allowed]
        self._encoders: dict[str, Encoder] = {}
        self.baselines = BaselineLists(
            run, self._fold, self._directory, self._folded, self._allowed
        )
        self._lock = threading.Lock()
        self._crowds: dict[tuple[int, int], list[Crowd]] = {}
        self._kept: WeakKeyDictionary[User, dict[int, Folded]] = WeakKeyDictionary()

    @classmethod
    def open(cls, run: Run) -> Recommender:
        """The recommender of an opened run; RunError where the run lacks what it needs."""
        return cls(run, read_bundle(run))

    def warm(self) -> None:
        """Do now what the first questions would wait for: load encoders, count memories."""
        for m in self.modalities:
            # Lists need none of it: who asks with a sentence is told what is missing.
            with suppress(ConfigError):
                self._encoder(m).warm()
        # Whoever answers many has the kernels loaded, of which a single list does without.
        import micrec_core.graphs.walk  # noqa: F401

        for part in self.bundle.domains:
            popular = str(part.item_ids[int(part.item_degree.argmax())])
            self.recommend(self.user(likes={part.name: [popular]}), part.name, k=1)

    def __reduce__(self) -> tuple[Callable[[Path], Recommender], tuple[Path]]:
        """What another process is handed: the run's path, from which it opens the run itself."""
        if self.run is None:
            raise TypeError("a recommender without a run cannot be handed to another process")
        return _opened, (self.run.path.absolute(),)

    def _candidates(self, d: int) -> NDArray[np.bool_]:
        """Items with interactions, or with content that the model can go by (new items)."""
        part = self.bundle.domains[d]
        allowed = part.item_count > 0
        for x in part.modalities.values():
            allowed = allowed | x.features.present
        return allowed

    # Users ---------------------------------------------------------------------------------------

    def user(
        self,
        *,
        id: str | None = None,
        likes: Mapping[str, Sequence[str]] | None = None,
        counts_as: float = 1.0,
        **said: str | bytes | Path | None,
    ) -> User:
        """A user of the training data, one made up, or one of the data with more likes.

        Parameters
        ----------
        id : a user id of the training data; brings the training history along
        likes : domain -> item ids, added to the history
        counts_as : how many likes, which say the same, a sentence or a picture counts as
        **said : modality -> what they say or show in it (``text=...``, ``image=...``)

        Raises
        ------
        RunError
            The id, a domain or an item is not known.
        DataError, ConfigError
            The picture cannot be read, the encoder cannot encode anything new, or a sentence is to
            count as nothing.
        """
        if counts_as <= 0:
            raise ConfigError(f"a sentence cannot count as {counts_as} likes; give more than 0")
        return make_user(
            self._directory, id=id, likes=likes or {}, said=said, encode=self._encode,
            counts_as=counts_as,
        )  # fmt: skip

    def without(self, user: User, domain: str, item_id: str) -> User:
        """The same user without one like; to be recommended to anew, not guessed from."""
        d = self._directory.domain(domain)
        row = self._directory.item(d, item_id)
        items = list(user.items)
        items[d] = items[d][items[d] != row]
        return assemble(
            self._directory,
            user.id,
            user.rows,
            tuple(items),
            user.documents,
            user.notes,
            user.counts_as,
        )

    def _folded(self, user: User, d: int) -> Folded:
        """The user folded in to a domain; a list and twenty reasons for it fold once."""
        with self._lock:
            kept = self._kept.setdefault(user, {})
        if d not in kept:
            folded = self._fold.user(user, d)
            self._require_finite(folded.vector())
            kept[d] = folded
        return kept[d]

    def _require_finite(self, *numbers: NDArray[np.floating]) -> None:
        """RunError where parameters, each a number, make none together."""
        if not all(np.isfinite(some).all() for some in numbers):
            name = "This run" if self.run is None else f"Run '{self.run.name}'"
            raise RunError(f"{name} has parameters that give no finite score: train it anew.")

    def embedding(self, user: User, domain: str) -> NDArray[np.float64]:
        """The user's embedding in a domain, float64 [dim]."""
        return self._folded(user, self._directory.domain(domain)).vector()

    def user_ids(self, domain: str) -> NDArray[np.object_]:
        """Ids of the users with interactions in a domain, sorted."""
        part = self.bundle.domains[self._directory.domain(domain)]
        return part.user_ids[part.known_users]

    def history(self, user_id: str, domain: str) -> pd.DataFrame:
        """item_id and title of what a user took; empty where there is nothing."""
        d = self._directory.domain(domain)
        row = self._directory.user_row(d, user_id)
        rows = self._directory.history(d, row) if row >= 0 else np.zeros(0, np.int64)
        return self._directory.listed(d, rows)

    def words(self, text: str) -> list[Word] | None:
        """What the model makes of each word of a text; None where its encoder reads any word."""
        said = [m for m in self.modalities if modality(m).asks == "sentence"]
        if not said:
            return None
        return words(self.bundle, said[0], self._encoder(said[0]), text)

    def columns(self) -> dict[str, list[str] | list[float]]:
        """Column -> its values, or quantiles of its amounts: what someone new can say of it."""
        out: dict[str, list[str] | list[float]] = {}
        told = [m for m in self.modalities if modality(m).asks == "values" and self._tells(m)]
        for m in told:
            # Brings scikit-learn with it, which others need not wait for.
            from micrec_core.modalities.item_columns import Columns

            encoder = self._encoder(m)
            if isinstance(encoder, Columns):
                out |= {c: encoder.knots.get(c) or encoder.values(c) for c in encoder.kinds}
        return {column: values for column, values in out.items() if values}

    # Lists ---------------------------------------------------------------------------------------

    def recommend(
        self,
        user: User,
        domain: str,
        k: int = 10,
        exclude: Iterable[str] = (),
        without: Collection[str] = (),
    ) -> Recommendation:
        """The ``k`` best items for a user, without their likes in the domain and ``exclude``.

        ``without`` : parts of the model to leave out, of ``switches``; exact, at inference

        Raises
        ------
        ConfigError
            The list is to have no items, or there is no such part.
        """
        started = time.perf_counter()
        if k < 1:
            raise ConfigError(f"the length of a list is {k}; give 1 or more")
        d = self._directory.domain(domain)
        off = checked(self.bundle, d, without)
        folded = self._folded(user, d)
        memory = None if MEMORY in off else self._memory(user, folded)
        scores = self._scores(folded, memory, off)
        scores[self._barred[d]] = -np.inf
        scores[user.items[d]] = -np.inf
        scores[[self._directory.item(d, i) for i in exclude]] = -np.inf
        rows = top_rows(scores, k)
        parts = np.zeros((len(rows), len(self.sources)))
        if folded.empty:
            parts[:, 0] = scores[rows]
        else:
            final = items_without(self._fold, d, rows, off)
            kept = without_parts(folded, off) if off else folded
            by_source = kept.by_source(self.bundle.sources)
            parts[:, : len(by_source)] = split_by_source(by_source, final)
        if memory is not None:
            parts[:, -1] = memory[rows]
        part = self.bundle.domains[d]
        return Recommendation(
            domain=domain,
            ids=part.item_ids[rows],
            titles=part.titles[rows],
            parts=dict(zip(self.sources, parts.T)),
            score=parts.sum(axis=1),
            milliseconds=(time.perf_counter() - started) * 1000,
            kind="cold" if folded.empty else user.kind[domain],
            note=self._note(user, folded),
        )

    def recommend_all(self, domain: str, k: int = 10) -> pd.DataFrame:
        """The ``k`` best items for everyone with interactions in a domain, all at once.

        Returns
        -------
        user_id, rank (from 1), item_id, title, score; the lists are those of ``recommend``
        """
        d = self._directory.domain(domain)
        return self._ranking(d, k).lists(self._everyone(d)).to_pandas()

    def recommend_many(self, users: Iterable[str], domain: str, k: int = 10) -> pd.DataFrame:
        """As ``recommend_all``, for some users with interactions in a domain, in their order.

        Raises
        ------
        RunError
            The domain is not known, or has no interactions of a user.
        """
        d = self._directory.domain(domain)
        rows = np.array([self._directory.known_row(d, user) for user in users], np.int64)
        return self._ranking(d, k).lists(rows).to_pandas()

    def write_all(self, path: Path, domain: str, k: int = 10, engine: Engine = HERE) -> int:
        """Write what ``recommend_all`` gives to a Parquet file; for how many users.

        Memory does not grow with the users. Other processes of ``engine`` open the run themselves.
        """
        d = self._directory.domain(domain)
        everyone = self._everyone(d)
        made = _Lists(self, d, k)
        made.ranking  # noqa: B018  refuses what it cannot rank before anything is begun
        write_lists(engine.map(_lists, made, shards(everyone)), path)
        return len(everyone)

    def _everyone(self, d: int) -> NDArray[np.int64]:
        return self.bundle.domains[d].known_users

    def _ranking(self, d: int, k: int) -> Ranking:
        if k < 1:
            raise ConfigError(f"the length of a list is {k}; give 1 or more")
        part, held = self.bundle.domains[d], self.bundle.remembered[d]
        check = self._require_finite
        if held is None:
            return Ranking(part, self._allowed[d], k, None, check)
        # Its kernels take a while to load, and nobody needs them for one list.
        from micrec_core.method.many import ForMany

        taken = [part.taken for part in self.bundle.domains]
        elsewhere = taken_elsewhere(taken, self.bundle.in_both, d)

        def memory(rows: NDArray[np.int64]) -> ForMany:
            return ForMany(held, Taken(taken[d][rows], elsewhere[rows]))

        return Ranking(part, self._allowed[d], k, memory, check)

    def embeddings(self, kind: str, domain: str) -> tuple[NDArray[np.object_], Floats]:
        """Ids [n] and final embeddings float32 [n, dim] of a domain's ``users`` or ``items``.

        A score is the inner product of a user's and an item's, and what a memory adds. Users are
        those with interactions in the domain.
        """
        d = self._directory.domain(domain)
        part = self.bundle.domains[d]
        if kind == "items":
            return part.item_ids, part.items
        if kind == "users":
            known = part.known_users
            return part.user_ids[known], part.users[known]
        raise ConfigError(f"there are no embeddings of '{kind}'; use 'users' or 'items'")

    def switches(self, domain: str) -> tuple[str, ...]:
        """What ``recommend`` can leave out in a domain."""
        return switches(self.bundle, self._directory.domain(domain))

    def _scores(
        self, folded: Folded, memory: Floats | None = None, off: Collection[str] = ()
    ) -> NDArray[np.float32]:
        """Of all items, by embeddings and what memory adds; RunError where one is no number."""
        scores = self._by_embedding(folded, off)
        if memory is not None:
            scores = scores + memory
        self._require_finite(scores)
        return scores

    def _by_embedding(self, folded: Folded, off: Collection[str]) -> NDArray[np.float32]:
        """float32 [n_items], equal for equal items; popularity where nothing is known."""
        part = self.bundle.domains[folded.domain]
        if folded.empty:
            return np.log1p(part.item_count)
        if off:
            scores = scores_without(self._fold, folded, off)
        else:
            scores = part.items @ folded.vector().astype(np.float32)
        first, later = self._repeated(folded.domain)
        scores[later] = scores[first]
        return scores

    def _taken(self, user: User, d: int) -> Taken:
        """What memory goes by: what someone took that others took too."""
        parts = self.bundle.domains
        known = [rows[part.item_count[rows] > 0] for part, rows in zip(parts, user.items)]
        return Taken.one(known, [part.train.shape[1] for part in parts], d)

    def _memory(self, user: User, folded: Folded) -> Floats | None:
        """What memory adds to the scores of all items, [n_items]; None where there is none."""
        held = self.bundle.remembered[folded.domain]
        if held is None or folded.empty:
            return None
        scores: Floats = held.scores(self._taken(user, folded.domain))[0]
        return scores

    def _remembered(self, d: int, item: str | NewItem) -> tuple[Remembered | None, int]:
        """The memory of a domain that knows of an item, and the item's column in it."""
        held = self.bundle.remembered[d]
        if not isinstance(item, NewItem):
            return held, self._directory.item(d, item)
        near = [(x.rows, x.weights) for x in item.folded.near.values() if len(x.rows)]
        said = [item.queries.get(m) for m in self.bundle.modalities]
        return held and held.with_new_item(near, said), len(self.bundle.domains[d].item_ids)

    def _note(self, user: User, folded: Folded) -> str:
        notes = list(user.notes)
        if folded.empty:
            notes.append(PER_USER if not self.bundle.can_fold_in else NOBODY)
        return " ".join(notes)

    # Reasons -------------------------------------------------------------------------------------

    def explain(self, user: User, domain: str, item: str | NewItem) -> Explanation:
        """Take the score of an item for a user apart; contributions add up to it."""
        d = self._directory.domain(domain)
        folded = self._folded(user, d)
        if folded.empty:
            row = None if isinstance(item, NewItem) else self._directory.item(d, item)
            degree = 0.0 if row is None else float(self.bundle.domains[d].item_count[row])
            score = float(np.log1p(np.float32(degree)))
            return popularity_explanation(degree, score, self._note(user, folded))
        there, (held, column) = self._item(d, item), self._remembered(d, item)
        memory = None
        if held is not None:
            memory = held.parts(self._taken(user, d), np.array([column]))
        found = explain(self.bundle, self.sources, folded, there, memory)
        if not isinstance(item, NewItem):
            found = replace(found, table=self._with_why(found.table, domain, item))
        return replace(found, note=self._note(user, folded))

    def alike(self, modality: str, domain: str, item: str, other: str, elsewhere: str = "") -> str:
        """Why two items are alike by a modality, in words; empty where its encoder has none.

        ``elsewhere`` : the domain of the other one, where it is another
        """
        if not self._tells(modality):
            return ""
        rows = []
        for name, item_id in ((domain, item), (elsewhere or domain, other)):
            d = self._directory.domain(name)
            terms = self.bundle.domains[d].modalities[modality].features.sparse
            assert terms is not None, f"{modality} is of terms"
            rows.append(terms[[self._directory.item(d, item_id)]])
        return self._encoder(modality).in_common(*rows)

    def _tells(self, modality: str) -> bool:
        """Whether what two items have in common can be said in words; no encoder is loaded."""
        return "terms" in self.bundle.encoders[modality][0]

    def _with_why(self, table: pd.DataFrame, domain: str, item_id: str) -> pd.DataFrame:
        """With words for the largest contributions of items that the explained one is like."""
        told = [m for m in self.modalities if self._tells(m)]
        if not told:
            return table
        items = table["source"].isin(told) & table["via"].str.contains("alike by")
        items &= (table["contributor_id"] != "") & ~table["via"].str.startswith("user")
        why = pd.Series("", index=table.index)
        for row in table[items].head(_TOLD).itertuples():
            why[row.Index] = self.alike(
                str(row.source), domain, item_id, str(row.contributor_id), str(row.domain)
            )
        return table.assign(why=why)

    def _item(self, d: int, item: str | NewItem) -> Folded:
        if isinstance(item, NewItem):
            if item.domain != self.domains[d]:
                raise RunError(f"the new item belongs to '{item.domain}', not '{self.domains[d]}'")
            return item.folded
        return self._fold.item(d, self._directory.item(d, item))

    def steps(self, user: User, domain: str) -> list[Step]:
        """The computation of a list one step at a time, for teaching."""
        d = self._directory.domain(domain)
        best = self.recommend(user, domain, k=1).items
        folded = self._folded(user, d)
        top = None
        if len(best) and not folded.empty:
            item_id = str(best["item_id"].iloc[0])
            top = (str(best["title"].iloc[0]), self.explain(user, domain, item_id))
        # Only encoders with a sparse view have words to show; what is stored of one tells them, so
        # that none need be loaded.
        vocabularies = {
            m: self.bundle.encoders[m][0].get("vocabulary") or ()
            for m, profile in folded.profiles.items()
            if profile.has and profile.query.terms is not None
        }
        held = self.bundle.remembered[d]
        memory = None
        if held is not None:
            memory = (held.weight, float(held.scale(self._taken(user, d))[0, 0]))
        return make_steps(self.bundle, user, folded, top, vocabularies, memory)

    def flow(self, user: User, domain: str, item_id: str) -> list[Stage]:
        """An item's score as it grows along the user's fold-in; stages add up to it.

        Empty where nothing can be folded in.
        """
        d = self._directory.domain(domain)
        folded = self._folded(user, d)
        if folded.empty:
            return []
        row = self._directory.item(d, item_id)
        added = self._memory(user, folded)
        memory = None if added is None else float(added[row])
        return flow(folded, self._item(d, item_id), self.sources, memory)

    def weights(self, user: User, domain: str) -> dict[str, float]:
        """Gate weight of each modality for a user; 0 where they have none of it."""
        folded = self._folded(user, self._directory.domain(domain))
        return dict(zip(self.modalities, map(float, folded.weights), strict=True))

    def item_weights(self, domain: str, item_id: str) -> dict[str, float]:
        """Gate weight of each modality for an item; 0 where it has none of it."""
        d = self._directory.domain(domain)
        rows = np.array([self._directory.item(d, item_id)])
        weights = self._fold.item_weights(d, rows)[0]
        return dict(zip(self.modalities, map(float, weights), strict=True))

    def neighbours(
        self, domain: str, *, user: User | None = None, item: str | NewItem | None = None
    ) -> pd.DataFrame:
        """Neighbours of a user or an item per modality: modality, id, title, similarity, weight."""
        d = self._directory.domain(domain)
        part = self.bundle.domains[d]
        if user is not None:
            folded, ids, titles = self._folded(user, d), part.user_ids, part.user_ids
        elif item is not None:
            folded, ids, titles = self._item(d, item), part.item_ids, part.titles
        else:
            raise ValueError("give a user or an item")
        columns: dict[str, list[Any]] = {
            name: [] for name in ("modality", "id", "title", "similarity", "weight")
        }
        for m, near in folded.near.items():
            columns["modality"] += [m] * len(near.rows)
            columns["id"] += ids[near.rows].tolist()
            columns["title"] += titles[near.rows].tolist()
            columns["similarity"] += near.similarity.tolist()
            columns["weight"] += near.weights.tolist()
        return pd.DataFrame(columns)

    def starters(self, n: int = 6) -> list[dict[str, object]]:
        """People to start from, found in the data: name, sentence, likes (domain -> item ids)."""
        return starters(self.bundle, n)

    # Items ---------------------------------------------------------------------------------------

    def similar(
        self, domain: str, item: str | NewItem, k: int = 10, modality: str | None = None
    ) -> pd.DataFrame:
        """Items most like one: item_id, title, similarity (cosine).

        Parameters
        ----------
        modality : compare by the features of one modality; by the embeddings when not given

        Raises
        ------
        RunError
            The item or the modality is not known.
        """
        d = self._directory.domain(domain)
        if modality is not None and modality not in self.modalities:
            raise RunError(f"this run's model takes no {modality}")
        row = -1 if isinstance(item, NewItem) else self._directory.item(d, item)
        if modality is None:
            folded = self._item(d, item)
            rows, cosines = similar_by_embedding(self._fold, d, folded, row, self._allowed[d], k)
        elif row >= 0:
            rows, cosines = similar_by_content(self._fold, d, modality, row, k)
        else:
            near = self._item(d, item).near.get(modality)
            rows = near.rows[:k] if near else np.zeros(0, np.int64)
            cosines = near.similarity[:k] if near else np.zeros(0, np.float32)
        return self._directory.listed(d, rows).assign(similarity=cosines)

    def new_item(
        self,
        domain: str,
        *,
        users: Sequence[str] = (),
        **said: str | bytes | Path | None,
    ) -> NewItem:
        """Fold in an item that is not in the catalogue.

        Parameters
        ----------
        users : ids of training users who took it already
        **said : modality -> what it says or shows (``text``: title and description)

        Raises
        ------
        RunError
            A user is not known, or there is nothing that this run's model can go by.
        """
        d = self._directory.domain(domain)
        made = fold_new_item(self._fold, self._directory, d, said, users, self._encode)
        self._require_finite(made.folded.vector())
        return made

    def rank(self, user: User, domain: str, item: str | NewItem) -> tuple[int, float, int]:
        """(place, score, of how many) of an item in the user's full list; likes left out."""
        d = self._directory.domain(domain)
        folded = self._folded(user, d)
        memory = self._memory(user, folded)
        scores = self._scores(folded, memory)
        allowed = self._allowed[d].copy()
        allowed[user.items[d]] = False
        if isinstance(item, NewItem):
            score = 0.0
            if not folded.empty:
                score = float(folded.vector() @ self._item(d, item).vector())
                held, column = self._remembered(d, item)
                score += 0.0 if held is None else held.scores(self._taken(user, d))[0, column]
            return 1 + int((scores[allowed] >= score).sum()), score, int(allowed.sum()) + 1
        row = self._directory.item(d, item)
        allowed[row] = True
        by_source = self.bundle.domains[d].items_by_source(np.array([row]))[0]
        final = by_source.astype(np.float64).sum(axis=0)
        score = float(scores[row])
        if not folded.empty:
            score = float(folded.vector() @ final + (0.0 if memory is None else memory[row]))
        better = scores > scores[row]
        better[:row] |= scores[:row] == scores[row]
        return 1 + int((better & allowed).sum()), score, int(allowed.sum())

    def audience(self, item: NewItem, k: int = 20) -> pd.DataFrame:
        """Who would get a new item among their ``k`` best, of a sample of all people.

        Returns
        -------
        user_id, known_in (a domain), degree there, score, needed (the last place's score), gets
        """
        d = self._directory.domain(item.domain)
        held, column = self._remembered(d, item)
        here = self.crowds(item.domain, k)
        none = [np.zeros(len(crowd.ids)) for crowd in here]
        memory = [held.scores_of(crowd.taken, column) for crowd in here] if held else none
        return audience(here, item.vector, memory)

    def crowds(self, domain: str, k: int = 20) -> list[Crowd]:
        """Whom ``audience`` asks, and how many there are; computed once a domain and length."""
        d = self._directory.domain(domain)
        if (d, k) not in self._crowds:
            self._crowds[d, k] = crowds(self._fold, self.bundle, d, self._allowed[d], k)
        return self._crowds[d, k]

    def item_map(self, *domains: str) -> ItemMap:
        """The items of one domain or of several on a plane on which a new one can be placed."""
        frames, vectors = [], []
        for d in map(self._directory.domain, domains):
            rows = np.flatnonzero(self._allowed[d])
            part = self.bundle.domains[d]
            frame = self._directory.listed(d, rows).assign(degree=part.item_count[rows].astype(int))
            frames.append(frame.assign(domain=part.name))
            vectors.append(part.items[rows])
        return item_map(pd.concat(frames, ignore_index=True), np.concatenate(vectors))

    def taken(self, domain: str, users: Iterable[str]) -> csr_matrix:
        """Which items of a domain each of some users took by now: binary [users, items]."""
        d = self._directory.domain(domain)
        rows = [self._directory.user_row(d, user) for user in users]
        known = self.bundle.domains[d].taken
        held: csr_matrix = known[[max(row, 0) for row in rows]]
        return csr_matrix(held.multiply(np.array([row >= 0 for row in rows])[:, None]))

    def titles(self, domain: str) -> list[str]:
        """Titles of a domain's items, by the columns of ``taken``."""
        return [str(t) for t in self.bundle.domains[self._directory.domain(domain)].titles]

    def item_ids(self, domain: str) -> list[str]:
        """Ids of a domain's items, by the columns of ``taken``."""
        return [str(i) for i in self.bundle.domains[self._directory.domain(domain)].item_ids]

    # Proof ---------------------------------------------------------------------------------------

    def parameter_hash(self) -> str:
        """SHA-256 of every learned array as it is in memory now."""
        return self.bundle.parameter_hash()

    def _encoder(self, modality: str) -> Encoder:
        with self._lock:
            if modality not in self._encoders:
                meta, arrays = self.bundle.encoders[modality]
                self._encoders[modality] = load_encoder(meta, arrays)
            return self._encoders[modality]

    def _encode(self, modality: str, value: Any) -> FeatureMatrix | None:
        matrix = self._encoder(modality).encode([value])
        for part in self.bundle.domains:
            like = part.modalities[modality].features
            widths = [None if x.sparse is None else x.sparse.shape[1] for x in (matrix, like)]
            if matrix.dim != like.dim or len(set(widths)) > 1:
                raise RunError(
                    f"the saved encoder of {modality} is not the one that the items were encoded "
                    "with: train the run anew"
                )
        return matrix if matrix.present[0] else None
