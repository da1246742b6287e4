"""Making an item up, and doing without parts of the model."""

import re

from tests.pages.conftest import healthy, words


def test_an_edit_of_the_item_moves_its_ranks(app, full_run):
    test = app(full_run, "new_item")
    healthy(test)
    ranks = test.dataframe[0].value
    assert (ranks["moved"] == "").all()
    assert list(ranks["content"]) == [7] * len(ranks)
    test.text_input(key="ni_title").set_value("Tea").run()
    healthy(test)
    after = test.dataframe[0].value
    moved = after[after["place"].to_numpy() != ranks["place"].to_numpy()]
    assert len(moved) and moved["moved"].str.contains("↑|↓").all()
    assert moved["moved"].iloc[0].startswith(f"{ranks['place'].iloc[0]:,} ")
    test.run()
    assert list(test.dataframe[0].value["moved"]) == list(after["moved"])


def test_an_item_of_nothing_is_refused_in_words(app, full_run):
    test = app(full_run, "new_item")
    test.text_input(key="ni_title").set_value("").run()
    test.text_area(key="ni_text").set_value("").run()
    if any(b.label == "Blank the picture" for b in test.button):
        next(b for b in test.button if b.label == "Blank the picture").click().run()
    healthy(test)
    assert len(test.error) == 1


def test_who_would_get_it_is_counted_by_domain(app, full_run):
    test = app(full_run, "new_item")
    said = [m.label for m in test.metric]
    assert said == ["Known in Food", "Known in Kitchen"]
    new = [c.value for c in test.caption if c.value.startswith("They are new in Food. ")]
    assert len(new) == 1
    assert test.metric[0].value.endswith(" of 40")


def test_switches_leave_parts_out_and_say_so(app, full_run):
    for page, key in (("cold_start", "cold_off"), ("recommendations", "rec_off")):
        test = app(full_run, page)
        before = [t.value for t in test.text]
        test.pills(key=key).set_value(["memory"]).run()
        healthy(test)
        assert "**At inference**" in words(test)
        assert [t.value for t in test.text] != before
        assert "arrow_" in words(test) or "**new**" in words(test)
        assert "since your last change" not in words(test)
        assert "The whole model and all items here" in words(test) or "on again" in words(test)


def test_words_of_a_sentence_are_lit_or_grey(app, full_run):
    test = app(full_run, "cold_start")
    test.text_area(key="cold_text").set_value("coffee and zzgrub").run()
    healthy(test)
    said = words(test)
    assert ":green-background[**coffee**] and :gray-background[zzgrub]" in said
    assert "Grey: zzgrub" in said
    test.slider(key="cold_counts").set_value(7).run()
    healthy(test)


def test_rules_leave_items_out_and_say_their_cost(app, full_run):
    test = app(full_run, "cold_start")
    first = next(t.value for t in test.text if t.value.startswith("1. "))
    word = first.split()[-1]
    test.text_input(key="cold_never").set_value(word).run()
    healthy(test)
    assert "of NDCG in the model's own eyes" in words(test)
    assert not any(t.value.endswith(f" {word}") for t in test.text if t.value[0] in "12345")
    assert not any(m.key.startswith("cold_rule_") for m in test.multiselect)


def test_rules_go_by_any_column_of_items(app, written):
    test = app(written("columns", columns=True), "cold_start", cold_rule_in_stock="yes")
    shelf, stock = (test.multiselect(key=f"cold_rule_{c}") for c in ("shelf", "in_stock"))
    assert shelf.options == ["Shop", "Shop > Coffee", "Shop > Tea"]
    shelf.set_value(["Shop > Tea"])
    assert stock.value == ["yes"], "a link brings the rules along"
    test.slider(key="cold_rule_price").set_value((0.0, 5.0))
    test.run()
    healthy(test)
    # Of 60 items in a domain, half are tea, of these two thirds in stock, six of seven cheap.
    kept = [i for i in range(60) if i % 2 and i % 3 and i % 7 < 6]
    assert words(test).count(f"The rules leave out {60 - len(kept)} items") == 2
    places = [t.value for t in test.text if re.match(r"\d+\. \w+ item", t.value)]
    assert places and all(int(t.split()[3]) in kept for t in places)
