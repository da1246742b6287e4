"""Whatever a visitor sends, pages stay pages: the small form of ``make fuzz`` for visits.

What a browser says of charts and maps reaches callbacks, outside of all that says what is wrong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from micrec_core.ui import components, known, modalities, new_item, widgets
from tests.pages import visits
from tests.serving import fuzz


def test_each_sort_of_visit_leaves_the_app_as_it_was(tmp_path: Path) -> None:
    visits.lay_out(tmp_path)
    seeds: dict[str, int] = {}
    for seed in range(60):
        seeds.setdefault(visits.spoil(tmp_path, seed)[0], seed)
    assert set(seeds) == set(visits.SORTS)
    # Tables and zips have small forms of their own, and processes that read them cost seconds.
    tried = [seed for sort, seed in seeds.items() if sort not in ("tables", "a run's zip")]
    outcomes = list(fuzz.campaign(tried, "visits"))
    assert len(outcomes) == len(tried)
    assert not [o for o in outcomes if o.outcome not in fuzz.OUTCOMES[:2]]


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The session's state, of which a browser has said something."""
    kept: dict[str, Any] = {}
    for module in (widgets, components, known, modalities, new_item):
        monkeypatch.setattr(module.st, "session_state", kept)
    return kept


@pytest.mark.parametrize("said", [said for said in visits.FORGED if said != "{"])
def test_marks_and_entities_are_those_that_there_are(state: dict[str, Any], said: str) -> None:
    state["map"] = json.loads(said)
    assert all(isinstance(kept, list) and kept for kept in widgets.marks_chosen("map"))
    assert set(components.lit_in("map", 3)) <= {0, 1, 2}


def test_marks_that_were_selected_are_told(state: dict[str, Any]) -> None:
    points = [{"customdata": ["u3", 1]}, {"x": 1}, {"customdata": ["u7", 2]}]
    state |= {"map": {"selection": {"points": points}}, "lit": {"lit": [4, 0, 2]}}
    assert widgets.marks_chosen("map") == [["u3", 1], ["u7", 2]]
    assert components.lit_in("lit", 4) == [0, 2] and components.lit_in("lit") == [0, 2, 4]
    assert widgets.marks_chosen("none") == [] and components.lit_in("none") == []


def test_what_is_none_of_a_boxs_choices_changes_nothing(state: dict[str, Any]) -> None:
    state |= {"ni_from": "a text", "rec_item": "x"}
    new_item._taken()
    known._item_chosen()
    assert "item" not in state and "ni_title" not in state
    state["rec_item"] = ("food", "f3")
    known._item_chosen()
    assert state["item"] == "f3"


@pytest.mark.parametrize("kept", [["u", "v", 1, "food"], ["item", "f3", 1, "nowhere"], ["item"]])
def test_a_mark_of_nothing_is_not_looked_at(state: dict[str, Any], kept: list[Any]) -> None:
    from types import SimpleNamespace

    opened: Any = SimpleNamespace(labels={"food": "Food"})
    state["mo_ternary"] = {"selection": {"points": [{"customdata": kept}]}}
    modalities.look_at_mark(opened)
    assert "mo_kind" not in state and "item" not in state
    state["mo_ternary"]["selection"]["points"] = [{"customdata": ["item", "f3", 1, "food"]}]
    modalities.look_at_mark(opened)
    assert (state["item"], state["mo_domain"]) == ("f3", "food")


def test_one_is_chosen_even_where_a_browser_says_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widgets.st, "segmented_control", lambda *_, **__: None)
    assert widgets.choose_one("Of", ["user", "item"], "of", "item") == "item"
