"""Small selections live in the address, and what an address says is checked."""

from micrec_core.ui.address import left_out
from tests.pages.conftest import healthy, words


def test_a_selection_comes_with_the_address(app, full_run):
    test = app(full_run, "alignment", sel=["u3", "u7", "u3", "nobody"])
    healthy(test)
    assert " 2 selected." in words(test)
    assert test.query_params["sel"] == ["u3", "u7"]
    next(b for b in test.button if b.label == "Clear selection").click().run()
    healthy(test)
    assert " 0 selected." in words(test)
    assert "sel" not in test.query_params


def test_no_more_than_fifty_are_taken_from_the_address(app, full_run):
    test = app(full_run, "alignment", sel=[f"u{i}" for i in range(90)])
    assert " 50 selected." in words(test)


def test_a_made_up_user_comes_with_the_address(app, full_run):
    likes = ["food~f3", "kitchen~k7", "food~nothing", "nowhere~f3", "<b>"]
    test = app(full_run, "cold_start", like=likes, says="tea " * 300)
    healthy(test)
    assert "Likes (2)" in words(test)
    assert len(test.text_area(key="cold_text").value) <= 500
    assert test.query_params["like"] == ["food~f3", "kitchen~k7"]
    test.button(key="cold_remove_food_f3").click().run()
    assert test.query_params["like"] in ("kitchen~k7", ["kitchen~k7"])
    next(b for b in test.button if b.label == "Start over").click().run()
    assert "like" not in test.query_params and "says" not in test.query_params


def test_more_likes_than_an_address_holds_are_said_to_be_left_out(app, full_run):
    test = app(full_run, "cold_start", like=[f"food~f{i}" for i in range(50)])
    assert len(test.query_params["like"]) == 50 and "without them" not in words(test)
    test.session_state["micrec_session"].made.likes["kitchen"] = ["k1"]
    test.run()
    healthy(test)
    assert "Likes (51)" in words(test) and "An address holds 50 likes at most" in words(test)
    assert "like" not in test.query_params
    test.button(key="cold_remove_kitchen_k1").click().run()
    assert len(test.query_params["like"]) == 50 and "without them" not in words(test)


def test_a_link_says_what_it_leaves_out(app, full_run, monkeypatch):
    from micrec_core.ui import sidebar

    told = []
    monkeypatch.setattr(sidebar, "left_out", lambda: told.append(left_out()) or told[-1])
    test = app(full_run, "alignment", sel=["u3"])
    test.run()
    assert told[-1] == []
    test.session_state["micrec_session"].lit = tuple(f"u{i}" for i in range(61))
    test.run().run()
    assert told[-1] == ["61 selected users"] and "sel" not in test.query_params
    next(b for b in test.button if b.label == "Clear selection").click().run()
    test.run()
    assert told[-1] == []


def test_the_persona_of_a_first_visit_is_not_in_the_address(app, full_run):
    test = app(full_run, "cold_start")
    assert "Likes (3)" in words(test)
    assert "like" not in test.query_params


def test_one_item_for_all_pages(app, full_run):
    test = app(full_run, "modalities", item="k17")
    healthy(test)
    assert test.selectbox(key="mo_item").value == "k17"
    assert test.sidebar.text_input(key="item").value == "k17"
    test.selectbox(key="mo_item").set_value("k20").run()
    healthy(test)
    assert test.sidebar.text_input(key="item").value == "k20"


def test_an_item_that_is_none_shows_another_and_says_so(app, full_run):
    test = app(full_run, "modalities", item="../../etc")
    healthy(test)
    assert test.selectbox(key="mo_item").value
    assert warned(test) == ["Item ../../etc is not in this run: another one is shown."]
    test.selectbox(key="mo_item").select_index(1).run()
    assert warned(test) == []


def test_a_user_who_is_none_is_said_to_be_none(app, full_run):
    test = app(full_run, "recommendations", user="*nobody*" * 20)
    healthy(test)
    (said,) = warned(test)
    assert said.startswith("User *nobody**nobody*") and said.endswith(
        "… is not in this run: another one is shown."
    )
    assert len(said) < 130
    test = app(full_run, "alignment", user="nobody")
    assert warned(test) == ["User nobody is not among these people: another one is shown."]


def test_a_run_that_is_none_is_said_to_be_none_until_another_is_chosen(app, full_run):
    test = app(full_run, "overview", run="last-week")
    healthy(test)
    assert warned(test) == ["Run last-week is not in this app: this is tiny."]
    assert warned(test.run()) == ["Run last-week is not in this app: this is tiny."]
    assert warned(test.sidebar.selectbox(key="run").set_value("zweit").run()) == []
    assert warned(app(full_run, "overview", run="zweit")) == []


def warned(test):
    return [box.value.replace("\\", "") for box in test.main.warning]


def test_someone_made_up_is_placed_on_the_map(app, full_run):
    test = app(full_run, "cold_start")
    test.session_state["cold_tabs"] = "On the map"
    test.run()
    healthy(test)
    (plot,) = [c for c in test.get("plotly_chart") if "star" in c.proto.spec]
    assert plot.proto.spec.count('"star"') == 2
