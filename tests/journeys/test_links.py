"""The address is the view: it can be copied, gone back from, and written by anyone."""

from typing import TYPE_CHECKING

import pytest

from tests.journeys.app import Server, open_page, pick, settled, sound, title, value
from tests.journeys.conftest import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def follow_menu(tab: "Page", name: str) -> None:
    tab.get_by_test_id("stSidebarNavLink").filter(has_text=name).click()
    tab.locator('[data-testid="stMain"] h1', has_text=name).wait_for()
    settled(tab)


def copied(tab: "Page") -> str:
    """The address that the sidebar offers."""
    tab.get_by_role("button", name="Link to this view").click()
    code = tab.get_by_test_id("stPopoverBody").locator("code")
    code.wait_for()
    settled(tab)
    return str(code.inner_text()).replace("\n", "")


def test_a_copied_link_restores_the_view(served: Server, tab: "Page", visit: Visit) -> None:
    open_page(tab, served, "modalities")
    shown = pick(tab, "mo_item", 2)
    tab.wait_for_url("**item=**")
    settled(tab)
    chosen = value(tab, "item")
    assert chosen and value(tab, "mo_item") == shown

    other = visit()
    other.goto(copied(tab))
    settled(other)
    assert title(other) == "Modalities"
    assert value(other, "item") == chosen
    assert value(other, "mo_item") == shown
    sound(other, served)


def test_one_user_through_the_pages_back_and_forward(served: Server, tab: "Page") -> None:
    open_page(tab, served, "recommendations")
    chosen = pick(tab, "rec_user", 3)
    tab.wait_for_url("**user=**")
    settled(tab)
    follow_menu(tab, "Alignment")
    follow_menu(tab, "Recommendations")
    assert value(tab, "user") == value(tab, "rec_user") == chosen

    tab.go_back()
    tab.locator('[data-testid="stMain"] h1', has_text="Alignment").wait_for()
    settled(tab)
    tab.go_forward()
    tab.locator('[data-testid="stMain"] h1', has_text="Recommendations").wait_for()
    settled(tab)
    assert value(tab, "user") == value(tab, "rec_user") == chosen
    sound(tab, served)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("recommendations?user=%3Cscript%3E&rec_k=100000&item=../../x", ["<script>"]),
        ("modalities?item=nothing&mo_domain=nowhere&mo_kind=x", ["nothing"]),
        ("alignment?al_epochs=999&al_epochs=-1&al_layout=tsne&al_colour=%00", []),
        ("low-degree?low_bin=7&low_domain=zzz", []),
        ("ablations?abl_metric=x&abl_protocol=y&abl_cohort=z&abl_curve=w&abl_curve_variant=v", []),
        ("cold-start?cold_k=0&cold_step=99", []),
    ],
)
def test_nonsense_in_the_address_changes_nothing_and_who_is_unknown_is_said(
    served: Server, tab: "Page", address: str, said: list[str]
) -> None:
    page, _, query = address.partition("?")
    open_page(tab, served, page, f"?{query}")
    alerts = tab.get_by_test_id("stAlertContentWarning")
    assert alerts.count() == min(len(said), 1)
    assert tab.get_by_test_id("stAlertContentError").count() == 0
    for name in said:
        assert name in alerts.first.inner_text()
    sound(tab, served)


def test_another_computer_is_not_reached_and_that_it_was_asked_is_seen(visit: Visit) -> None:
    """What every journey ends with (``at_home``) can fail."""
    tab, elsewhere = visit(new=True), "http://192.0.2.1/"
    tab.goto("about:blank")
    ask = "to => fetch(to, { mode: 'no-cors' }).then(() => 'reached', () => 'failed')"
    assert tab.evaluate(ask, elsewhere) == "failed"
    assert tab.context.tried == [elsewhere]
    tab.context.tried.clear()
