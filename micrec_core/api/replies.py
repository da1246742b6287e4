"""From a recommender to messages."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from micrec_core.api import messages as m
from micrec_core.api.shelf import Served
from micrec_core.errors import MicrecError
from micrec_core.serving import Recommender, User


def run_answer(name: str, served: Served) -> m.RunAnswer:
    """A run and its counts."""
    info, recommender = served.run.info, served.recommender
    return m.RunAnswer(
        name=name,
        run=served.run.name,
        key=served.run.key,
        model=info.model,
        created=info.created,
        modalities=list(recommender.modalities),
        domains=[
            m.DomainCounts(
                name=part.name,
                label=part.label,
                users=len(part.known_users),
                items=len(part.item_ids),
                interactions=part.taken.nnz,
            )
            for part in recommender.bundle.domains
        ],
        dataset=info.dataset,
        update=info.update,
    )


def listed(
    recommender: Recommender, who: m.Person, domain: str, k: int, exclude: Iterable[str] = ()
) -> m.ListAnswer:
    """A list for one person."""
    found = recommender.recommend(_user(recommender, who), domain, k, exclude)
    parts = zip(*(found.parts[source].tolist() for source in recommender.sources))
    rows = zip(found.ids.tolist(), found.titles.tolist(), found.score.tolist(), parts)
    return m.ListAnswer(
        domain=domain,
        kind=found.kind,
        note=found.note,
        milliseconds=found.milliseconds,
        items=[
            m.Listed(item_id=i, title=t, score=s, parts=dict(zip(recommender.sources, p)))
            for i, t, s, p in rows
        ],
    )


def batch(recommender: Recommender, asked: m.BatchRequest) -> m.BatchAnswer:
    """A list for each, or what was wrong with them."""
    out: list[m.ListAnswer | m.Problem] = []
    for who in asked.people:
        try:
            out.append(listed(recommender, who, asked.domain, asked.k))
        except MicrecError as error:
            out.append(m.Problem(detail=str(error)))
    return m.BatchAnswer(answers=out)


def reasons(recommender: Recommender, asked: m.ReasonsRequest) -> m.ReasonsAnswer:
    """A score taken apart."""
    found = recommender.explain(_user(recommender, asked), asked.domain, asked.item)
    most = found.table.head(asked.most)
    return m.ReasonsAnswer(
        domain=asked.domain,
        item=asked.item,
        score=found.score,
        note=found.note,
        parts=found.parts,
        reasons=[m.Reason(**row) for row in most.to_dict("records")],
        rest=found.score - float(most["contribution"].sum()),
    )


def similar(recommender: Recommender, asked: m.SimilarRequest) -> m.SimilarAnswer:
    """Items alike."""
    found = recommender.similar(asked.domain, asked.item, asked.k, asked.modality)
    return m.SimilarAnswer(domain=asked.domain, items=_likes(found))


def new_item(recommender: Recommender, asked: m.NewItemRequest) -> m.NewItemAnswer:
    """A new item folded in, among those like it and in somebody's list."""
    item = recommender.new_item(asked.domain, users=asked.users, **asked.documents())
    place = None
    if asked.person is not None:
        rank, score, of = recommender.rank(_user(recommender, asked.person), asked.domain, item)
        place = m.Place(rank=rank, score=score, of=of)
    return m.NewItemAnswer(
        domain=asked.domain,
        weights=dict(item.weights),
        similar=_likes(recommender.similar(asked.domain, item, asked.k)),
        place=place,
    )


def _user(recommender: Recommender, who: m.Person) -> User:
    return recommender.user(id=who.user, likes=who.likes, **who.documents())


def _likes(found: pd.DataFrame) -> list[m.Like]:
    return [m.Like(**row) for row in found.to_dict("records")]
