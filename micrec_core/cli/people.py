"""``recommend``: someone put together from options, their list, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from micrec_core.cli.output import aligned
from micrec_core.errors import ConfigError
from micrec_core.modalities.registry import listed

_REASONS = 5


def recommendation(
    run: Path,
    domain: str,
    user: str | None,
    likes: Sequence[str],
    documents: Mapping[str, Any],
    k: int,
    explain: bool,
) -> dict[str, Any]:
    """A list for anyone, as the command prints it.

    Parameters
    ----------
    likes : ``DOMAIN:ITEM`` each
    documents : modality -> what they say or show, or None
    explain : add to each item the contributions that weigh most

    Raises
    ------
    ConfigError
        Nothing is said about the user, or a like is not of its form.
    RunError
        The run, the domain, the user or an item is not known.
    """
    if user is None and not likes and all(said is None for said in documents.values()):
        ways = listed(("--user", "--like", *(f"--{name}" for name in documents)), "or")
        raise ConfigError(f"nothing is said of whom to recommend to; give {ways}")
    liked: dict[str, list[str]] = {}
    for like in likes:
        where, colon, item = like.partition(":")
        if not colon or not where or not item:
            raise ConfigError(f"--like takes DOMAIN:ITEM, and '{like}' is not of that form")
        liked.setdefault(where, []).append(item)
    from micrec_core.runs import open_run
    from micrec_core.serving import Recommender

    recommender = Recommender.open(open_run(run))
    for name, said in documents.items():
        if said is not None and name not in recommender.modalities:
            takes = listed(tuple(recommender.modalities), "and") or "likes alone"
            raise ConfigError(
                f"this run's model takes {takes}, so --{name} cannot act; leave it out or choose "
                "another run"
            )
    person = recommender.user(id=user, likes=liked, **documents)
    found = recommender.recommend(person, domain, k=k)
    sources = [c for c in found.items.columns if c not in ("item_id", "title", "score")]
    items = []
    for row in found.items.to_dict("records"):
        shown: dict[str, Any] = {key: row[key] for key in ("item_id", "title", "score")}
        shown["parts"] = {source: row[source] for source in sources}
        if explain:
            table = recommender.explain(person, domain, row["item_id"]).table
            heaviest = table["contribution"].abs().nlargest(_REASONS).index
            shown["reasons"] = table.loc[heaviest].to_dict("records")
        items.append(shown)
    return {
        "domain": domain,
        "kind": found.kind,
        "note": found.note,
        "items": items,
        "milliseconds": found.milliseconds,
    }


def recommendation_lines(found: dict[str, Any]) -> list[str]:
    """The same for a reader."""
    if not found["items"]:
        return ["There is nothing left to recommend."]
    sources = list(found["items"][0]["parts"])
    rows: list[list[Any]] = [["item", "title", "score", *sources]]
    for item in found["items"]:
        parts = [round(item["parts"][source], 4) for source in sources]
        rows.append([item["item_id"], item["title"][:60], round(item["score"], 4), *parts])
    lines = aligned(rows)
    out = [lines[0]]
    for item, line in zip(found["items"], lines[1:], strict=True):
        out.append(line)
        for reason in item.get("reasons", ()):
            name = reason["title"] or reason["contributor_id"]
            out.append(f"    {reason['contribution']:+.4f}  {reason['source']}, "
                       f"{reason['via']}: {name}")  # fmt: skip
            if reason.get("why"):
                out[-1] += f" ({reason['why']})"
    note = [found["note"]] if found["note"] else []
    return [*out, *note, f"{found['kind']} user, {found['milliseconds']:.1f} ms"]
