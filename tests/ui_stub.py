"""A made-up recommender for tests of the pages, with the types of a real one; its parts add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, random_array

from micrec_core.errors import RunError
from micrec_core.serving.plane import item_map
from tests.ui_run import DIM, N_ITEMS


@dataclass(frozen=True)
class _User:
    id: str | None
    likes: Mapping[str, Sequence[str]]
    kind: Mapping[str, str]


@dataclass(frozen=True)
class _Answer:
    domain: str
    items: pd.DataFrame
    milliseconds: float
    kind: str
    note: str = ""


@dataclass(frozen=True)
class _Explanation:
    score: float
    table: pd.DataFrame
    cells: pd.DataFrame
    remembered: pd.DataFrame
    alike: pd.DataFrame


@dataclass(frozen=True)
class _Step:
    title: str
    text: str
    table: pd.DataFrame | None


class StubRecommender:
    """Answers like a recommender, from item numbers alone."""

    n_parameters = 12_345
    modalities = ("text", "image")

    def __init__(self, run: Any) -> None:
        self.run = run
        info = run.info.model_dump()["dataset"]["domains"]
        self.domains = tuple(d["name"] for d in info)
        self._n_users = info[0]["n_users"]
        self._items = run.frame("catalogue.parquet")

    def parameter_hash(self) -> str:
        return "ab" * 32

    def user_ids(self, domain: str) -> np.ndarray:
        return np.array(
            [f"u{i}" for i in range(self._n_users) if domain == "food" or i % 2], dtype=object
        )

    def user(self, *, id=None, likes=None, text=None, image=None, counts_as=1) -> _User:
        likes = likes or ({"food": ("f1", "f2")} if id else {})
        kind = {d: "hot" if id else "warm" if likes.get(d) else "cold" for d in self.domains}
        return _User(id, likes, kind)

    def embedding(self, user: _User, domain: str) -> np.ndarray:
        seed = sum(len(ids) for ids in user.likes.values()) + len(domain)
        return np.random.default_rng(seed).normal(size=DIM)

    def _ranked(self, domain: str, k: int, salt: int) -> pd.DataFrame:
        items = self._items[self._items["domain"] == domain].reset_index(drop=True)
        order = np.argsort([(i * 7919 + salt * 104729) % 101 for i in range(len(items))])
        return items.iloc[order[:k]].reset_index(drop=True)

    def switches(self, domain: str) -> tuple[str, ...]:
        return ("text", "image", "templates", "memory")

    def recommend(self, user: _User, domain: str, k: int = 10, exclude=(), without=()) -> _Answer:
        salt = sum(len(ids) for ids in user.likes.values()) + 17 * len(without)
        out = set(exclude)
        items = self._ranked(domain, k + len(out), salt)[["item_id", "title"]]
        items = items[~items["item_id"].isin(out)].head(k).copy()
        score = np.linspace(2.0, 1.0, len(items))
        items["score"] = score
        items["id"], items["text"], items["image"] = score * 0.5, score * 0.6, -score * 0.2
        items["memory"] = score * 0.1
        return _Answer(domain, items, 1.8, user.kind[domain])

    def explain(self, user: _User, domain: str, item_id: str) -> _Explanation:
        rows = [
            {"source": s, "via": v, "contributor_id": f"f{i}", "title": f"Item {i}",
             "side": "user" if i % 2 else "item", "domain": domain,
             "contribution": 0.4 / (i + 1) * (-1 if i == 4 else 1)}
            for i in range(16) for s, v in [(("id", "text", "image")[i % 3], "your item")]
        ]  # fmt: skip
        table = pd.DataFrame(rows)
        score = float(table["contribution"].sum())
        pairs = [(u, i) for u in ("id", "text", "image") for i in ("id", "text", "image")]
        cells = pd.DataFrame(pairs, columns=["user_source", "item_source"])
        memory = {"liked item": ["Item 3"], "how": ["14 took both"], "brings": [0.1]}
        cells = cells.assign(contribution=score / 9)
        alike = {"by": ["text"], "alike": ["Item 3"], "why": ["same brand (Acme)"], "brings": [0.1]}
        return _Explanation(score, table, cells, pd.DataFrame(memory), pd.DataFrame(alike))

    def alike(self, modality: str, domain: str, item: str, other: str, elsewhere: str = "") -> str:
        return "same brand (Acme)"

    def columns(self) -> dict[str, Any]:
        return {"brand": ["Acme", "Bolt"], "price": [1.0, 4.5, 20.0]}

    def without(self, user: _User, domain: str, item_id: str) -> _User:
        likes = {d: tuple(i for i in ids if i != item_id) for d, ids in user.likes.items()}
        return _User(user.id, likes, user.kind)

    def rank(self, user: _User, domain: str, item: Any) -> tuple[int, float, int]:
        if not isinstance(item, str):  # made up: as far as its first number says
            return 1 + int(abs(item.vector[0]) * 50), 0.5, N_ITEMS
        return 1 + sum(len(ids) for ids in user.likes.values()), 0.5, N_ITEMS

    def similar(self, domain: str, item_id: str, k: int = 10, modality=None) -> pd.DataFrame:
        near = self._ranked(domain, k, len(str(modality)))[["item_id", "title"]]
        return near.assign(similarity=np.linspace(0.9, 0.5, len(near)))

    def words(self, text: str) -> list[Any]:
        kinds = {"coffee": "known", "and": "little"}
        return [SimpleNamespace(text=w, kind=kinds.get(w, "unknown"), through=())
                for w in text.split()]  # fmt: skip

    def flow(self, user: _User, domain: str, item_id: str) -> list[Any]:
        so_far = self.embedding(user, domain)
        return [SimpleNamespace(name="templates", parts={"id": 0.5}, adds=0.5, so_far=so_far)]

    def starters(self, n: int = 6) -> list[dict[str, Any]]:
        likes = {d: [str(i) for i in self._ranked(d, 2, 1)["item_id"]] for d in self.domains}
        return [{"name": "Thai, noodles", "sentence": "Found in the data.", "likes": likes}]

    def new_item(self, domain: str, *, text=None, image=None) -> Any:
        if not text and not image:
            raise RunError("there is nothing this run's model can go by for the new item")
        vector = np.random.default_rng(len(text or "")).normal(size=DIM)
        return SimpleNamespace(domain=domain, vector=vector, weights={"text": 0.7, "image": 0.4})

    def neighbours(self, domain: str, *, item: Any) -> pd.DataFrame:
        near = self._ranked(domain, 5, 2)
        columns = {"modality": "text", "id": near["item_id"], "title": near["title"]}
        return pd.DataFrame(columns | {"similarity": 0.5, "weight": 0.2})

    @property
    def baselines(self) -> StubRecommender:
        """What baselines list comes from the same hand."""
        return self

    def rank_by_content(self, user: _User, domain: str, item: Any) -> tuple[int, int]:
        return 7, N_ITEMS

    def crowds(self, domain: str, k: int = 20) -> list[Any]:
        ids = self.user_ids(domain)[:40]
        return [SimpleNamespace(known_in=d, ids=ids, of=len(ids)) for d in self.domains]

    def audience(self, item: Any, k: int = 20) -> pd.DataFrame:
        n = np.arange(40)
        frames = [
            pd.DataFrame({"user_id": c.ids, "known_in": c.known_in, "degree": n[: len(c.ids)] + 1,
                          "gets": n[: len(c.ids)] % 3 == 0})
            for c in self.crowds(item.domain)
        ]  # fmt: skip
        return pd.concat(frames)

    def item_map(self, *domains: str) -> Any:
        items = self._items[self._items["domain"].isin(domains)]
        items = items[["domain", "item_id", "title", "degree"]].reset_index(drop=True)
        return item_map(items, np.random.default_rng(0).normal(size=(len(items), DIM)))

    def taken(self, domain: str, users: Iterable[str]) -> csr_matrix:
        return random_array((len(list(users)), N_ITEMS), density=0.1, rng=0).astype(bool).tocsr()

    def item_ids(self, domain: str) -> list[str]:
        return [str(i) for i in self._items.loc[self._items["domain"] == domain, "item_id"]]

    def titles(self, domain: str) -> list[str]:
        return [str(t) for t in self._items.loc[self._items["domain"] == domain, "title"]]

    def popular(self, domain: str, k: int = 10) -> pd.DataFrame:
        items = self._items[self._items["domain"] == domain]
        return items.nlargest(k, "degree")[["item_id", "title", "degree"]]

    def content_only(self, user: _User, domain: str, k: int = 10) -> pd.DataFrame:
        near = self._ranked(domain, k, 5)[["item_id", "title"]]
        return near.assign(score=np.linspace(1, 0.5, len(near)))

    def bought_together(self, user: _User, domain: str, k: int = 10) -> pd.DataFrame:
        near = self._ranked(domain, k, 9)[["item_id", "title"]]
        return near.assign(score=np.linspace(1, 0.5, len(near)))

    def history(self, user_id: str, domain: str) -> pd.DataFrame:
        return self._ranked(domain, 8, 3)[["item_id", "title"]]

    def steps(self, user: _User, domain: str) -> list[_Step]:
        table = pd.DataFrame({"template": ["f3", "f4"], "weight": [0.5, 0.5]})
        return [
            _Step("Templates found", "The liked items own trained vectors.", table),
            _Step("Neighbours", "The nearest users by text.", None),
        ]
