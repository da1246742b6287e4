"""The fold-in of a made-up user, drawn: from likes to the score of the best item."""

from __future__ import annotations

from typing import Any

from micrec_core.figures import theme
from micrec_core.ui import components, serve
from micrec_core.ui.alignment import placed_in
from micrec_core.ui.cards import NO_PICTURE, data_url, title_of
from micrec_core.ui.library import Opened, item

_LIKES = 9
# Title and what happens, of each stage.
_SAID = {
    "templates": ("Templates, summed", "each like owns a trained vector; they are added up."),
    "content": ("What the likes say", "the features of their content, mapped by the model."),
    "neighbours": ("People and items alike", "those with the most similar profiles lend theirs."),
    "bridge": ("From another domain", "what was taken there comes over a learned map."),
    "propagation": ("Propagation", "what others took who took the same, along the graph."),
    "memory": ("Memory", "exact counts of what was taken together."),
}


def show_flow(opened: Opened, user: Any, domain: str) -> None:
    """The drawing; nothing where nothing can be folded in. The steps below say the same in text."""
    model = serve.recommender(opened)
    best = model.recommend(user, domain, k=1).items
    if best.empty:
        return
    item_id = str(best["item_id"].iloc[0])
    stages = model.flow(user, domain, item_id)
    if not stages:
        return
    likes = [(d, i) for d in opened.labels for i in user.likes.get(d, ())]
    data = {
        "likes": [_drawn(opened, d, i) for d, i in likes[:_LIKES]],
        "more": max(len(likes) - _LIKES, 0),
        "item": _drawn(opened, domain, item_id),
        "stages": [
            {
                "name": stage.name,
                "title": _SAID[stage.name][0],
                "say": _SAID[stage.name][1],
                "adds": stage.adds,
                "parts": [
                    {"label": theme.source_label(s), "colour": theme.source_colour(s), "value": v}
                    for s, v in stage.parts.items()
                ],
            }
            for stage in stages
        ],
        "map": placed_in(opened, domain, [stage.so_far for stage in stages]),
    }
    components.flow(data, key=f"cold_flow_{domain}")


def _drawn(opened: Opened, domain: str, item_id: str) -> dict[str, str]:
    row = item(opened, domain, item_id)
    picture = data_url(None if row is None else row.get("thumbnail")) or NO_PICTURE
    shown = picture if opened.catalogue.pictured else ""
    return {"title": title_of(row, item_id), "picture": shown}
