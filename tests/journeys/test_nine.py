"""Nine things that somebody does with the app, on each kind of run: two domains, three, one.

All that is asked is computed from the page itself. What is brought and trained, the ninth, is in
``test_own_data.py``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from micrec_core.names import POOLED, model_label
from micrec_core.ui import components
from tests.journeys.app import ROOT, Server, open_page, pick, settled, sound, start, widget
from tests.journeys.conftest import Visit
from tests.journeys.looking import cells, fill, look, said, scores, table_of, titles, true_of
from tests.journeys.test_linked_maps import LIT, MIDDLE, PLACE, lasso, ready
from tests.journeys.test_present import SCROLLS, SEEN, ranks
from tests.journeys.worlds import KINDS, asked_for, dealt, trained

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800), asked_for]


@dataclass(frozen=True)
class Kind:
    """A run to journey through."""

    name: str
    server: Server

    @property
    def domains(self) -> int:
        return KINDS[self.name][0]

    @property
    def pictures(self) -> bool:
        return KINDS[self.name][1]

    def open(self, tab: "Page", page: str, **query: str) -> None:
        """A page of the run, on which nothing is wrong and nothing false."""
        asked = "&".join(f"{k}={v}" for k, v in {"run": self.name, **query}.items())
        open_page(tab, self.server, page, f"?{asked}")
        assert tab.get_by_test_id("stAlertContentError").count() == 0
        true_of(tab, self.domains, self.pictures)


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory, browser: "Browser") -> Iterator[Server]:
    """A server over the bundled run and those of the other kinds."""
    folder = tmp_path_factory.mktemp("nine")
    runs = trained(dealt(folder / "data"), folder / "runs")
    server = start(folder / "server", runs, MICREC_DATA=str(folder / "data"))
    yield server
    server.stop()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, every: Server) -> Kind:
    return Kind(str(request.param), every)


LINE = re.compile(
    r"(?P<domain>[^:]+?)(?P<among> among (?:new|all) items)?: (?P<own>[\d.]+) against "
    r"(?P<other>[\d.]+) of (?P<name>.+?), (?:strongest of (?P<others>\d+) others|the only other); "
    r"(?:(?P<diff>[+-][\d.]+) \[(?P<low>[+-][\d.]+), (?P<high>[+-][\d.]+)\], p (?P<p>[<=] [\d.]+)"
    r"|not tested); n.=.(?P<n>[\d,]+)"
)
# Title, lines and the place of its link among all, of each card.
CARDS = """() => [...document.querySelectorAll('[data-testid="stMain"] [data-testid="stPageLink"]')]
  .map((link, i) => { const card = link.closest('[data-testid="stVerticalBlock"]');
    return { at: i, title: card.querySelector('strong')?.innerText || '',
      lines: [...card.querySelectorAll('[data-testid="stCaptionContainer"]')]
        .map(c => c.innerText),
      alone: card.querySelectorAll('[data-testid="stPageLink"]').length === 1 };
  }).filter(card => card.alone && card.title && card.lines.length)"""


def test_1_a_sceptic_reads_the_front_page(kind: Kind, visit: Visit) -> None:
    tab = visit("light", 1280, 900)
    kind.open(tab, "overview")
    look(tab, kind.server, f"1-overview-{kind.name}")
    cards = tab.evaluate(CARDS)
    assert any(card["title"].startswith("For new users") for card in cards)
    assert "Switched off one by one." in said(tab), "mechanisms without an effect are said"
    for card in cards:
        kind.open(tab, "overview")
        links = tab.get_by_test_id("stMain").get_by_test_id("stPageLink")
        links.nth(card["at"]).locator("a:visible").click()
        tab.get_by_test_id("stMain").locator("h1", has_text=re.compile("^(?!Overview)")).wait_for()
        settled(tab)
        lines = [found for line in card["lines"] if (found := LINE.match(line))]
        if tab.url.split("?")[0].endswith("low-degree"):
            here = said(tab)
            assert all(words in here for words in (card["title"], *card["lines"]))
        elif tab.url.split("?")[0].endswith("ablations") and lines:
            as_evidence_has_it(
                tab, card["title"], [one for one in lines if one["among"] != " among all items"]
            )
        sound(tab, kind.server)


def as_evidence_has_it(tab: "Page", title: str, lines: list[re.Match[str]]) -> None:
    """The strongest other model, both means, the difference and its interval, from the table."""
    table = table_of(tab, "abl_scores")
    for line in lines:
        rows = table[table["domain"].str.casefold() == line["domain"].casefold()]
        pooled = rows.groupby(["model", "variant"])["seed"].transform("min") == POOLED
        rows = rows[~pooled | (rows["seed"] == POOLED)]
        own = rows[(rows["model"] == "micrec") & (rows["variant"] == "full")].iloc[0]
        others = rows[rows["model"] != "micrec"]
        if line["among"]:  # what gives all new items one score ranks none of them
            blind = others.loc[others["model"] == "popularity", "mean"]
            others = others[~others["mean"].isin(blind)]
        best = others.loc[others["mean"].idxmax()]
        assert model_label(best["model"]) == line["name"]
        assert line["name"] in title
        assert f"{best['mean']:.3f}" == line["other"]
        if line["diff"] is None:
            assert "was not tested against" in title
            continue
        told = [f"{-best[c]:+.3f}" for c in ("diff", "diff_high", "diff_low")]
        assert told == [line["diff"], line["low"], line["high"]]
        assert f"{best['mean'] - best['diff']:.3f}" == line["own"] or own["n"] == best["n"]
        clear = best["p_holm"] < 0.05
        verb = ("beats" if best["diff"] < 0 else "falls short of") if clear else "is not clearly"
        assert verb in title, (title, line[0])


def test_2_a_room_sees_a_person_change(kind: Kind, visit: Visit) -> None:
    tab = visit("light", 1024, 768)
    kind.open(tab, "cold-start")
    titles(tab, kind.domains)
    tab.keyboard.press("p")
    tab.wait_for_url("**present=1**")
    fits_one_screen(tab, kind)
    before = ranks(tab)
    tab.locator('[class*="st-key-cold_remove_"] button').first.click()
    tab.wait_for_function(
        "was => [...document.querySelectorAll('.ranks li')]"
        ".map(e => e.innerText.replace(/\\s+/g, ' ').trim()).join('|') !== was",
        arg="|".join(before),
    )
    assert any("↑" in row or "↓" in row for row in ranks(tab))
    look(tab, kind.server, f"2-present-{kind.name}", tall=False)
    shared = visit("dark", 1024, 768)
    shared.goto(tab.url)
    fits_one_screen(shared, kind)
    tab.keyboard.press("p")
    tab.get_by_text("What if the model did without").wait_for()
    sound(tab, kind.server)


def fits_one_screen(tab: "Page", kind: Kind) -> None:
    tab.locator(".ranks li").nth(6 * kind.domains - 1).wait_for()
    settled(tab)
    assert tab.evaluate(SEEN) == 0
    assert tab.evaluate(SCROLLS) <= 0
    assert not tab.get_by_test_id("stSidebar").is_visible()
    assert tab.get_by_text("parameters changed").is_visible()
    true_of(tab, kind.domains, kind.pictures)


def test_3_a_score_comes_about(kind: Kind, visit: Visit) -> None:
    tab = visit("light", 1280, 900)
    kind.open(tab, "cold-start")
    tab.get_by_role("tab", name="Step by step").click()
    tab.locator(".flow svg").wait_for()
    settled(tab)
    flow, words = tab.locator(".flow"), tab.locator(".flow .said")
    likes = re.search(r"Likes \((\d+)\)", said(tab))
    assert likes and words.inner_text().startswith(f"Beginning: {likes[1]} like")
    flow.get_by_role("button", name="Step", exact=True).click()
    assert words.inner_text().startswith("1. ")
    flow.get_by_role("button", name="Play").click()
    flow.get_by_role("button", name="Pause").click()
    held = words.inner_text()
    tab.wait_for_timeout(2_000)
    assert words.inner_text() == held, "it goes on though it was told to pause"
    look(tab, kind.server, f"3-flow-half-{kind.name}")
    tab.locator(".flow").get_by_role("button", name="Play").click()
    tab.get_by_text("That is the score of").first.wait_for()
    tab.locator(".flow").get_by_role("button", name="All").click()
    total = tab.locator(".flow svg text", has_text="score ").text_content() or ""
    told = re.match(r"score (-?[\d.]+) = ", scores(tab)[0])
    assert told and abs(float(told[1]) - float(total.split()[-1])) < 0.0056
    true_of(tab, kind.domains, kind.pictures)
    look(tab, kind.server, f"3-flow-{kind.name}")
    tab.emulate_media(reduced_motion="reduce")
    tab.reload()
    settled(tab)
    tab.get_by_role("tab", name="Step by step").click()
    tab.get_by_text("That is the score of").first.wait_for()
    moving = "() => document.querySelector('.flow').getAnimations({subtree: true}).length"
    assert tab.evaluate(moving) == 0
    tab.emulate_media(reduced_motion="no-preference")


@pytest.mark.skipif(not components.has_maps(), reason="the linked maps are not built")
def test_4_maps_answer(kind: Kind, visit: Visit) -> None:
    tab = visit("light", 1280, 900)
    kind.open(tab, "alignment")
    if kind.domains == 1:
        answers(tab, kind, "items", "item")
        look(tab, kind.server, f"4-items-{kind.name}")
        return
    answers(tab, kind, "people", "user")
    plays(tab)
    moved = table_of(tab, "al_moved")
    assert moved["user_id"].is_unique
    assert (moved["before"] - moved["after"] - moved["closer"]).abs().max() < 1e-6
    assert moved["closer"].is_monotonic_decreasing
    look(tab, kind.server, f"4-people-{kind.name}")
    kind.open(tab, "alignment", al_of="Items")
    answers(tab, kind, "items", "item")
    look(tab, kind.server, f"4-items-{kind.name}")
    kind.open(tab, "alignment", al_of="People+beside+items")
    ready(tab)
    look(tab, kind.server, f"4-both-{kind.name}")
    if kind.domains > 2:
        every_pair(tab, kind)


def answers(tab: "Page", kind: Kind, what: str, entity: str) -> None:
    """Hover, lasso, what it has in common, clear, find, open."""
    ready(tab)
    mark = tab.evaluate(MIDDLE, 0)
    x, y = tab.evaluate(PLACE, [0, mark])
    tab.mouse.move(x - 40, y)
    tab.mouse.move(x, y, steps=4)
    tab.locator(".maps .tip").wait_for()
    lasso(tab, 0, mark, 90)
    tab.wait_for_function(f"() => ({LIT})().at(-1).length > 1")
    settled(tab)
    n = len(tab.evaluate(LIT)[-1])
    tab.get_by_text(f" {n:,} selected.").wait_for()
    tab.get_by_text(f"What the {n:,} selected {what} have in common").wait_for()
    look(tab, kind.server, f"4-selected-{what}-{kind.name}")
    true_of(tab, kind.domains, kind.pictures)
    tab.get_by_role("button", name="Clear selection").click()
    tab.wait_for_function(f"() => ({LIT})().every(l => l.length === 0)")
    search = tab.get_by_role("searchbox", name="Find in the maps by words")
    search.fill(tab.evaluate(
        "() => { const all = document.querySelector('.maps').maps.labels.map(l => l.toLowerCase());"
        " return all.find(a => all.filter(b => b.includes(a)).length === 1) }"
    ))  # fmt: skip
    search.press("Enter")
    tab.wait_for_function(f"() => ({LIT})().at(-1).length === 1")
    tab.wait_for_url(f"**{entity}=**")
    settled(tab)
    assert widget(tab, entity).locator("input").input_value()


def plays(tab: "Page") -> None:
    """The last map from the first moment to the last."""
    slider = tab.get_by_role("slider", name="Moment of the training")
    last = slider.input_value()
    assert int(last) >= 1
    slider.press("Home")
    tab.get_by_role("button", name="Play", exact=True).click()
    tab.wait_for_function(
        "last => document.querySelector('.maps input[type=range]').value === last", arg=last
    )


NUMBERS = """() => [...document.querySelectorAll('[data-testid="stMetricValue"]')]
  .map(number => number.innerText).join(' ')"""


def every_pair(tab: "Page", kind: Kind) -> None:
    """Each pair of domains has its own numbers, and maps or the reason why not."""
    seen: set[str] = set()
    for place in range(kind.domains):
        before = tab.evaluate(NUMBERS)
        pair = pick(tab, "pair", place)
        assert tab.get_by_test_id("stAlertContentError").count() == 0
        a, b = pair.split(" and ")
        tab.get_by_test_id("stMain").get_by_text(a).first.wait_for()
        tab.get_by_test_id("stMain").get_by_text(b).first.wait_for()
        if seen:  # what is chosen is told to the server after the list has closed
            tab.wait_for_function(f"before => ({NUMBERS})() !== before", arg=before)
        settled(tab)
        seen.add(tab.evaluate(NUMBERS))
        look(tab, kind.server, f"4-pair{place}-{kind.name}")
    assert len(seen) == kind.domains, "the numbers are of the pair"


def test_5_somebody_to_start_from_and_a_tour(kind: Kind, visit: Visit) -> None:
    tab = visit("light", 1280, 900, new=True)
    kind.open(tab, "cold-start")
    titles(tab, kind.domains)  # a first visitor sees lists at once
    people = tab.locator('[class*="st-key-cold_persona_"] button:visible')
    assert people.count() >= 2
    lists = []
    for place in range(people.count()):
        people.nth(place).click()
        tab.wait_for_function(
            "at => document.querySelector(`.st-key-cold_persona_${at} [data-testid*=primary]`)",
            arg=place,
        )  # fmt: skip
        lists.append(tuple(titles(tab, kind.domains)))
        assert int(re.search(r"Likes \((\d+)\)", said(tab))[1]) >= 1  # type: ignore[index]
    assert len(set(lists)) == len(lists), "each has lists of their own"
    look(tab, kind.server, f"5-people-{kind.name}")
    kind.open(tab, "overview")
    tab.get_by_role("button", name="Take the tour").click()
    steps, shared = 6, visit()
    for step in range(1, steps + 1):
        tab.get_by_text(f"Tour, {step} of {steps}.").wait_for()
        tab.wait_for_url(f"**tour={step}**")
        settled(tab)
        assert tab.get_by_test_id("stAlertContentError").count() == 0
        true_of(tab, kind.domains, kind.pictures)
        look(tab, kind.server, f"5-tour{step}-{kind.name}", tall=False)
        shared.goto(f"{kind.server.url}/?run={kind.name}&tour={step}")
        shared.get_by_text(f"Tour, {step} of {steps}.").wait_for()
        settled(shared)
        if step < steps:
            tab.get_by_role("link", name="Next").click()


def test_6_an_item_is_made_up(kind: Kind, visit: Visit) -> None:
    tab = visit("light", 1280, 900)
    kind.open(tab, "new-item")
    before = standing(tab)
    assert tab.get_by_test_id("stMetricValue").count() == kind.domains
    for value in tab.get_by_test_id("stMetricValue").all_inner_texts():
        gets, of = (int(n.replace(",", "")) for n in value.split(" of "))
        assert 0 <= gets <= of
    look(tab, kind.server, f"6-new-item-{kind.name}")
    title = widget(tab, "ni_title").locator("input").input_value()
    fill(tab, "ni_title", title.rpartition(" ")[0])
    edited = standing(tab)
    assert edited != before, "a word less moves it"
    blank = tab.get_by_role("button", name="Blank the picture")
    assert blank.count() == kind.pictures
    if kind.pictures:
        blank.click()
        blank.wait_for(state="detached")
        assert standing(tab) != edited, "without its picture it stands elsewhere"
    fill(tab, "ni_text", "zzz")
    look(tab, kind.server, f"6-edited-{kind.name}")
    true_of(tab, kind.domains, kind.pictures)


def standing(tab: "Page") -> list[list[str]]:
    """Person, place, by content alone, of how many, score; who had it before may be said too."""
    settled(tab)
    rows = cells(tab)
    for row in rows:
        assert int(row[1].replace(",", "")) <= int(row[4].replace(",", ""))
    return [[row[0], row[1], row[3], row[5]] for row in rows]


def test_7_a_sentence_a_picture_and_rules(kind: Kind, visit: Visit) -> None:
    tab = visit("light", 1280, 900)
    kind.open(tab, "cold-start")
    known = word_of(titles(tab, kind.domains)).lower()
    tab.get_by_role("button", name="Start over").click()
    tab.get_by_text("Nobody made up yet").wait_for()
    true_of(tab, kind.domains, kind.pictures)
    fill(tab, "cold_text", f"{known} qwzxv")
    by_words = titles(tab, kind.domains)
    tab.get_by_text("Grey: qwzxv stood in no item").wait_for()
    tab.get_by_text("Through which items the words speak").click()
    tab.get_by_text(f"{known}:").first.wait_for()
    if kind.pictures:
        chooser = widget(tab, "cold_picture_1").locator('input[type="file"]')
        chooser.set_input_files(sorted((ROOT / "sample_data" / "images").iterdir())[0])
        tab.get_by_alt_text("The picture you gave").wait_for()
        titles(tab, kind.domains)
    weighed(tab, kind)
    look(tab, kind.server, f"7-sentence-{kind.name}")
    ruled(tab, kind)
    look(tab, kind.server, f"7-rules-{kind.name}")
    assert by_words


def word_of(lists: list[str]) -> str:
    """The last word proper of the first title that has one."""
    return next(w[-1] for title in lists if (w := re.findall(r"[A-Za-z]{4,}", title)))


def weighed(tab: "Page", kind: Kind) -> None:
    """A like against the sentence, by the slider."""
    widget(tab, "cold_add").get_by_text("Add items", exact=True).click()
    tab.get_by_role("button", name=re.compile("^Like ")).last.click()
    tab.get_by_role("button", name="Liked").first.wait_for()
    titles(tab, kind.domains)
    before = scores(tab)
    thumb = widget(tab, "cold_counts").get_by_role("slider")
    thumb.focus()
    thumb.press("End")
    tab.wait_for_url("**cold_counts=20**")
    titles(tab, kind.domains)
    assert scores(tab) != before


def ruled(tab: "Page", kind: Kind) -> None:
    """Exclude, only these, and a column of the item table; each with its cost."""
    first = word_of(titles(tab, kind.domains))
    tab.get_by_text("Rules of the shop").click()
    fill(tab, "cold_never", first)
    tab.get_by_text(re.compile(r"cost \d+\.\d% of NDCG")).first.wait_for()
    assert not any(first.lower() in t.lower() for t in titles(tab, kind.domains)[:5])
    fill(tab, "cold_never", "")
    fill(tab, "cold_only", first)
    tab.get_by_text(re.compile(r"cost \d+\.\d% of NDCG")).first.wait_for()
    fill(tab, "cold_only", "")
    free = titles(tab, kind.domains)
    column = tab.locator('[class*="st-key-cold_rule_"]', has=tab.get_by_role("combobox")).first
    column.locator("input").click()
    tab.get_by_role("option").nth(1).click()  # the first is all of them
    tab.keyboard.press("Escape")
    tab.get_by_text(re.compile(r"cost \d+\.\d% of NDCG")).first.wait_for()
    assert titles(tab, kind.domains) != free


@pytest.mark.parametrize(
    ("page", "key"), [("cold-start", "cold_off"), ("recommendations", "rec_off")]
)
def test_8_the_model_does_without(kind: Kind, visit: Visit, page: str, key: str) -> None:
    tab = visit("light", 1280, 900)
    kind.open(tab, page)
    settled(tab)
    tab.locator('[data-testid="stText"]', has_text="1. ").first.wait_for()
    whole = scores(tab)
    # The first button there has no word: it is the help.
    group = widget(tab, key).get_by_test_id("stButtonGroup")
    switches = group.get_by_role("button").filter(has_text=re.compile(r"\w"))
    told = tab.get_by_text("At inference: the same trained model")
    assert switches.count() >= 2
    changed = 0
    for place in range(switches.count()):
        tab.wait_for_timeout(700)  # a page that is still being drawn takes no click
        switches.nth(place).click()
        told.wait_for()
        settled(tab)
        changed += scores(tab) != whole
        if place == 0:
            look(tab, kind.server, f"8-{page}-{kind.name}")
            true_of(tab, kind.domains, kind.pictures)
        tab.wait_for_timeout(700)
        switches.nth(place).click()
        told.wait_for(state="detached")
        settled(tab)
        assert scores(tab) == whole, "switched on again, it is the whole model"
    assert changed == switches.count(), "each of them is worth something here"
    switches.first.click()
    tab.get_by_role("link", name="Trained without it").click()
    tab.locator("h1", has_text="Ablations").wait_for()
    settled(tab)
    sound(tab, kind.server)
