"""What the pages do when someone uses them."""

import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from micrec_core import bundled
from micrec_core.data.sources import find_sources
from micrec_core.errors import DataError
from micrec_core.jobs.manager import JobManager
from micrec_core.method.memory import Constants
from micrec_core.runs import Run, list_runs
from micrec_core.ui import library, places, retrain
from micrec_core.ui.cards import reason_bar
from micrec_core.ui.finder import find_items
from micrec_core.ui.makeup import checked_picture
from micrec_core.ui.navigation import entry
from micrec_core.ui.state import Session, xsrf_token
from micrec_core.ui.tour import STEPS
from micrec_core.ui.widgets import plain
from tests import ui_run
from tests.pages.conftest import healthy, words
from tests.ui_run import write_run

HOSTILE = "<b>bold</b> *star* $x$ [a](b)"


def press(test, label):
    found = [b for b in test.button if b.label == label]
    assert found, f"no button '{label}' among {[b.label for b in test.button]}"
    found[0].click().run()
    healthy(test)
    return test


def texts(test):
    return [t.value for t in test.text]


def test_a_first_visit_to_cold_start_shows_lists_in_both_domains(app, full_run):
    test = app(full_run, "cold_start")
    said = words(test)
    assert [s.value for s in test.header] == ["Food", "Kitchen"]
    assert "0 of 12,345 parameters changed" in said
    assert "**warm**:" in said and "**cold**:" in said and " ms" in said
    assert any(t.startswith("1. Food item") for t in texts(test))


def test_taking_a_like_back_moves_places_until_the_next_change(app, full_run):
    test = app(full_run, "cold_start")
    assert "**new**" not in words(test) and "arrow_" not in words(test)
    before = texts(test)
    test.button(key="cold_remove_food_f4").click().run()
    healthy(test)
    after = words(test)
    assert "Likes (2)" in after
    assert texts(test) != before
    assert "**new**" in after or "arrow_" in after
    test.run()
    assert words(test) == after, "a rerun without a change must not forget the moves"


def test_a_double_click_is_one_click():
    def page():
        import streamlit as st

        from micrec_core.ui.state import one_click

        @one_click
        def act(what):
            st.session_state["done"] = [*st.session_state.get("done", []), what]

        for name in "ab":
            st.button(name, key=name, on_click=act, args=(name,))

    test = AppTest.from_function(page).run()
    for key, done in (("a", ["a"]), ("a", ["a"]), ("b", ["a", "b"]), ("a", ["a", "b", "a"])):
        test.button(key=key).click().run()
        assert test.session_state["done"] == done
    time.sleep(0.8)
    test.button(key="a").click().run()
    assert test.session_state["done"] == ["a", "b", "a", "a"]


def test_another_run_begins_without_what_was_said_in_the_last(app, full_run):
    test = app(full_run, "cold_start")
    test.text_area(key="cold_text").set_value("dark roast coffee").run()
    test.sidebar.selectbox(key="run").set_value("zweit").run()
    healthy(test)
    assert test.text_area(key="cold_text").value == ""
    assert "says" not in test.query_params


def test_starting_over_and_one_sentence(app, full_run):
    test = press(app(full_run, "cold_start"), "Start over")
    assert "Nobody made up yet" in words(test)
    test.text_area(key="cold_text").set_value("dark roast coffee").run()
    healthy(test)
    assert [s.value for s in test.header] == ["Food", "Kitchen"]


def test_choosing_another_persona_replaces_the_likes(app, full_run):
    test = press(app(full_run, "cold_start"), "Tea lover")
    assert "Likes (2)" in words(test)
    assert "Reads labels" in words(test)


def test_item_text_is_never_markup(app, full_run):
    test = app(full_run, "cold_start")
    assert HOSTILE in texts(test)
    assert not any("<b>bold" in m.value for m in test.markdown)
    assert plain(HOSTILE).replace("\\", "") == HOSTILE
    assert "](" not in plain(HOSTILE) and "<b>" not in plain(HOSTILE)


def test_choices_of_one_run_are_forgotten_in_another():
    session = Session("me").belongs_to("a")
    session.lit, session.made.likes = ("u1",), {"food": ["f1"]}
    assert session.belongs_to("a").lit == ("u1",)
    assert session.belongs_to("b").lit == ()
    assert session.made.is_empty


def test_maps_are_of_the_pair_of_domains_they_were_kept_for(full_run):
    opened = library.open_listed(list_runs(full_run)[0])
    assert library.snapshot_epochs(opened) == list(ui_run.EPOCHS)
    assert library.snapshot_epochs(replace(opened, pair=("food", "garden"))) == []
    assert library.mapped_pair(opened) == ["Food", "Kitchen"], "the page says to choose these"


def test_a_known_user_by_address(app, full_run):
    test = app(full_run, "recommendations", user="u3")
    assert test.selectbox(key="rec_user").value == "u3"
    said = words(test)
    assert "Took 8 items" in said
    assert "add up to" in said
    assert "What the memory brings" in said and "one of its own" in said
    assert any("memory: what was taken together" in str(h.proto.body) for h in test.get("html"))


@pytest.mark.parametrize(("stored", "said"), [([2.0, None], True), ([0.0], False), (None, False)])
def test_shares_of_the_vectors_say_so_beside_a_memory(app, full_run, monkeypatch, stored, said):
    memory = stored and [w if w is None else vars(Constants()) | {"weight": w} for w in stored]
    about = {
        "version": 1, "layers": 2, "templates": True, "cross_profile": True, "n_parameters": 1,
        "modalities": ["text", "image"], "neighbours": {"k": 10, "temperature": 0.2},
        "domains": [{"name": n, "n_users": 1, "n_items": 1} for n, _ in zip("ab", stored or "a")],
        "personas": [],
    }  # fmt: skip
    has = Run.has
    monkeypatch.setattr(Run, "has", lambda run, name: name == "serving.json" or has(run, name))
    monkeypatch.setattr(Run, "json", lambda *_: about | {"memory": memory})
    shown = words(app(full_run, "modalities"))
    assert ("the memory adds its part" in shown) == said
    assert ("Share of the vectors' part of the score" in shown) == said


def test_an_unknown_user_falls_back_to_one_that_exists(app, full_run):
    test = app(full_run, "recommendations", user="<script>")
    healthy(test)
    assert test.selectbox(key="rec_user").value == "u1"


def test_a_user_known_in_one_domain_only(app, full_run):
    test = app(full_run, "recommendations", user="u2")
    assert "Took nothing here in training" in words(test)


def test_what_if_one_item_had_not_been_taken(app, full_run):
    test = app(full_run, "recommendations", user="u3")
    test.selectbox(key="rec_without").set_value(("food", "f2")).run()
    healthy(test)
    assert "Place **3** of 60 would become **2**" in words(test)


def test_two_runs_beside_each_other(app, full_run):
    test = app(full_run, "recommendations", user="u3")
    test.selectbox(key="rec_other").set_value("zweit").run()
    healthy(test)
    assert "only in one of the two lists" in words(test)


def test_choosing_a_protocol_that_lacks_differences(app, full_run):
    test = app(full_run, "ablations")
    test.selectbox(key="abl_metric").set_value("recall@10").run()
    healthy(test)
    assert "Recall@10, measured" in [s.value for s in test.header]


def test_opening_a_table_offers_csv(app, full_run):
    test = app(full_run, "ablations")
    assert not test.dataframe
    assert len(test.expander) >= 4


def test_search_takes_every_word_from_title_description_or_id():
    frame = ui_run.catalogue(ui_run.np.random.default_rng(0))
    food = frame[frame["domain"] == "food"]
    assert find_items(food, "item 17")["item_id"].tolist() == ["f17"]
    assert find_items(food, "SENTENCE f21")["item_id"].tolist() == ["f21"]
    assert find_items(food, "(nothing[").empty
    assert find_items(food, "", limit=5)["degree"].is_monotonic_decreasing


def test_titles_come_before_mentions():
    frame = ui_run.pd.DataFrame(
        {"item_id": ["a", "b", "c"], "title": ["Steady rice", "Green tea", "Cup"],
         "description": ["", "", "for tea"], "degree": [9, 1, 5]}
    )  # fmt: skip
    assert find_items(frame, "tea")["item_id"].tolist() == ["b", "a", "c"]


def test_a_reason_bar_shows_every_part_to_scale():
    svg, said = reason_bar({"id": 1.0, "text": 0.5, "image": -0.25}, scale=1.5)
    assert svg.count("<rect") == 3
    assert said == "interactions +1.00, text +0.50, image -0.25"
    widths = [float(part.split("width='")[1].split("'")[0]) for part in svg.split("<rect")[1:]]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01)
    assert widths[1] == pytest.approx(2 * widths[2], rel=0.01)


def test_pictures_are_checked():
    assert checked_picture(ui_run.picture(1))
    with pytest.raises(DataError):
        checked_picture(b"not a picture")
    with pytest.raises(DataError, match="larger than 10 MB"):
        checked_picture(b"x" * (11 << 20))


def test_a_browser_is_known_again_after_a_reload():
    first = "2|00000000|aa5f3388ca11e05514af62d745b037c8|1795238692"
    again = "2|ff00ff00|555fcc8835111f55ebaf9dd7bab0c8c8|1795238692"
    assert xsrf_token(first) == xsrf_token(again) == bytes.fromhex(first.split("|")[2])
    for other in (None, "", "x", "2|zz|00|1", "1|00000000|aa5f3388ca11e055|1", "2|00|aa|1"):
        assert xsrf_token(other) is None


# ---- Data


GOOD = {
    "items.csv": "item_id,domain,title\n" + "".join(
        f"{d}{i},{d},thing {i}\n" for d in ("a", "b") for i in range(6)
    ),
    "interactions.csv": "user_id,item_id,domain\n" + "".join(
        f"u{u},{d}{(u + k) % 6},{d}\n" for d in ("a", "b") for u in range(8) for k in range(4)
    ),
}  # fmt: skip


def tables(folder, **changed):
    folder.mkdir()
    for name, text in {**GOOD, **changed}.items():
        (folder / name).write_text(text)
    return folder


def test_good_tables_are_described_and_can_be_trained_on(app, tmp_path):
    test = app(tmp_path / "runs", "data")
    test.text_input(key="data_folder").set_value(str(tables(tmp_path / "mine")))
    press(test, "Check")
    assert "is usable" in words(test)
    test.switch_page("../../pages/retrain.py").run()
    healthy(test)
    assert "mine" in test.selectbox(key="rt_dataset").options


def choose(test, label, value):
    next(box for box in test.selectbox if box.label == label).set_value(value)


def test_columns_of_other_names_are_chosen_and_marks_too(app, tmp_path, monkeypatch):
    log = GOOD["interactions.csv"].replace("user_id", "who").replace(",", "|")
    test = app(tmp_path / "runs", "data")
    folder = tables(tmp_path / "mine", **{"interactions.csv": log})
    test.text_input(key="data_folder").set_value(str(folder))
    press(test, "Check")
    assert "separated by vertical bars" in words(test) and "--" not in words(test)
    monkeypatch.setattr("micrec_core.ui.own_tables.any_folder", lambda: True)
    (folder / "items.csv").write_text(GOOD["items.csv"].replace(",", "|"))
    press(test, "Separate by bar")
    assert test.selectbox(key="data_separator").value == "bar"
    assert "no column 'user_id'" in words(test).replace("\\", "") and "--" not in words(test)
    chosen = next(box for box in test.selectbox if box.label == "user_id is")
    assert chosen.value == "who", "what looks like it is chosen already"
    press(test, "Read them so")
    healthy(test)
    assert "is usable" in words(test)
    kept = (folder / "dataset.toml").read_text()
    assert 'user_id = "who"' in kept and 'separator = "|"' in kept


def test_a_servers_folder_is_not_written_to(app, tmp_path):
    test = app(tmp_path / "runs", "data")
    log = GOOD["interactions.csv"].replace("user_id", "who")
    folder = tables(tmp_path / "mine", **{"interactions.csv": log})
    test.text_input(key="data_folder").set_value(str(folder))
    press(test, "Check")
    press(test, "Read them so")
    assert "stay as they are" in test.error[-1].value
    assert not (folder / "dataset.toml").exists()


def test_a_bad_table_is_refused_with_its_line_and_a_mend(app, tmp_path):
    bad = GOOD["interactions.csv"] + "u1,a99,a\n"
    test = app(tmp_path / "runs", "data")
    folder = tables(tmp_path / "mine", **{"interactions.csv": bad})
    test.text_input(key="data_folder").set_value(str(folder))
    press(test, "Check")
    said = words(test).replace("\\", "")
    assert "interactions.csv, line 66" in said and "a99" in said and "--" not in said
    assert "is usable" not in words(test)
    press(test, "Leave out rows with unknown items")
    assert "is usable" in words(test) and test.checkbox(key="data_drop").value
    test.switch_page("../../pages/retrain.py").run()
    healthy(test)


def test_a_folder_that_is_not_there(app, tmp_path):
    test = app(tmp_path / "runs", "data")
    test.text_input(key="data_folder").set_value(str(tmp_path / "nowhere"))
    press(test, "Check")
    assert "There is no folder" in test.error[0].value


def test_no_answer_tells_what_lies_outside(app, tmp_path):
    test = app(tmp_path / "runs", "data")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "out").symlink_to("/")
    (inside / "loop").symlink_to(inside / "loop")
    said = set()
    for name in ("/", "/etc", "/etc/passwd", "/no/such", "~", "~nosuchuser", "~root", "..",
                 f"{inside}/../../..", f"{inside}/out", f"{inside}/out/nowhere",
                 f"{tmp_path}-too/mine"):  # fmt: skip
        test.text_input(key="data_folder").set_value(name)
        press(test, "Check")
        (error,) = test.error
        said.add(error.value)
    assert len(said) == 1 and "is not among those of this server" in said.pop()
    for name in ("x" * 5_000, f"{inside}/{'x' * 5_000}", f"{inside}/a\0b", f"{inside}/loop"):
        test.text_input(key="data_folder").set_value(name)
        press(test, "Check")
        healthy(test)
        (error,) = test.error
        assert len(error.value) < 300, "one short sentence"


@pytest.mark.parametrize(
    ("asked", "address", "headers", "may"),
    [
        ("1", "localhost", {"Host": "localhost:8501"}, True),
        ("1", "::1", {"Host": "[::1]:8501"}, True),
        ("0", "localhost", {"Host": "localhost:8501"}, False),
        ("1", "0.0.0.0", {"Host": "localhost:8501"}, False),
        ("1", "", {"Host": "localhost:8501"}, False),
        ("1", "localhost", {"Host": "shop.example"}, False),
        ("1", "localhost", {"Host": "localhost", "X-Forwarded-For": "1.2.3.4"}, False),
        ("1", "localhost", {"Host": "localhost", "Via": "1.1 x"}, False),
    ],
)
def test_any_folder_is_for_this_computers_own_user(
    monkeypatch, tmp_path, asked, address, headers, may
):
    monkeypatch.setenv("MICREC_ANY_FOLDER", asked)
    monkeypatch.setenv("MICREC_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(places.st, "get_option", lambda _: address)
    monkeypatch.setattr(places.st, "context", SimpleNamespace(headers=headers))
    assert places.any_folder() is may
    if may:
        assert places.named_folder(str(tmp_path)) == tmp_path
        for name in ("~nosuchuser", "x" * 5_000, str(tmp_path / "none")):
            with pytest.raises(DataError, match="no folder"):
                places.named_folder(name)
    else:
        with pytest.raises(DataError, match="not among"):
            places.named_folder(str(tmp_path))


def test_a_folder_that_may_not_be_read(monkeypatch, tmp_path):
    monkeypatch.setenv("MICREC_DATA", str(tmp_path))
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(DataError, match="can be read"):
        places.named_folder(str(tmp_path))
    with pytest.raises(DataError, match="may not be read"):
        find_sources(tmp_path)


# ---- Retrain

COMPARER = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from micrec_core.runs import RunWriter
writer = RunWriter.amend(Path(sys.argv[1]))
writer.write_json("compared.json", sys.argv[2:])
writer.finish()
"""
TRAINER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests import ui_run
out = Path(sys.argv[sys.argv.index("--out") + 1])
print("reading", flush=True)
if "--slow" in {mode!r}:
    time.sleep(60)
if "--fail" in {mode!r}:
    sys.exit("items.csv line 3: the title is missing; give one")
ui_run.write_run(out.parent, out.name)
"""


@pytest.fixture
def trainer(monkeypatch, tmp_path):
    """Let the Retrain page start a made-up trainer in place of the real one."""

    def use(mode):
        script = tmp_path / "trainer.py"
        script.write_text(TRAINER.format(root=str(bundled.home()), mode=mode))
        comparer = tmp_path / "comparer.py"
        comparer.write_text(COMPARER.format(root=str(bundled.home())))
        manager = JobManager(
            tmp_path / "runs", command=(sys.executable, str(script)),
            comparing=(sys.executable, str(comparer)),
        )  # fmt: skip
        monkeypatch.setattr(retrain, "manager", lambda: manager)
        folder = tables(tmp_path / "dataset")
        monkeypatch.setattr(retrain, "dataset_choices", lambda: {folder: folder.name})
        (tmp_path / "runs").mkdir(exist_ok=True)
        return manager

    return use


def wait(manager, state):
    for _ in range(600):
        job = manager.current()
        if job and job.state == state:
            return job
        time.sleep(0.05)
    raise AssertionError(f"the job is {manager.current()}")


def test_variants_and_baselines_are_added_to_the_open_run(app, trainer, tmp_path):
    run = write_run(tmp_path / "runs", "tiny")
    manager = trainer("")
    test = app(tmp_path / "runs", "retrain")
    test.session_state["rt_beside"] = True
    test.run()
    healthy(test)
    without = test.multiselect(key="rt_beside_without")
    assert {"text", "image", "cross-domain"} == set(without.value)
    without.set_value(["memory"])
    test.multiselect(key="rt_beside_models").set_value(["lightgcn", "als"])
    test.selectbox(key="rt_beside_seeds").set_value(2).run()
    assert "7 trainings" in words(test), "three twice, and the full model once more"
    press(test, "Train and compare")
    job = wait(manager, "complete")
    assert job.arguments == (
        "--dataset", str(tmp_path / "dataset"), "--names", "memory,lightgcn,als", "--seeds", "0,1",
    )  # fmt: skip
    test.run()
    healthy(test)
    assert "has its comparison" in words(test) and (run / "compared.json").is_file()
    assert "Use this run" not in {b.label for b in test.button}
    press(test, "Close")
    assert manager.current() is None and run.is_dir()


def test_what_cannot_be_compared_says_why(app, trainer, tmp_path):
    trainer("")
    write_run(tmp_path / "runs", "tiny", model="lightgcn")
    test = app(tmp_path / "runs", "retrain")
    assert "not of the full model" in words(test)
    assert not [b for b in test.button if b.label == "Train and compare"]


def test_train_and_use_the_candidate(app, trainer, tmp_path):
    manager = trainer("")
    test = app(tmp_path / "runs", "retrain")
    test.text_input(key="rt_name").set_value("mine").run()
    test.slider(key="rt_epochs").set_value(7).run()
    test.multiselect(key="rt_without").set_value(["text", "contrast"]).run()
    press(test, "Start training")
    job = wait(manager, "complete")
    assert job.arguments[1:] == (
        *("--epochs", "7", "--seed", "0", "--split", "inductive", "--no-umap"),
        *("--without", "text,contrast"),
    )
    assert not (tmp_path / "runs" / "mine").exists()
    test.run()
    assert "It is a candidate" in words(test)
    assert not test.dataframe, "there is no run to compare it with"
    press(test, "Use this run")
    assert (tmp_path / "runs" / "mine" / "run.json").exists()
    assert test.sidebar.selectbox(key="run").options == ["mine"]


def test_a_candidate_is_compared_with_the_opened_run(app, trainer, tmp_path):
    manager = trainer("")
    ui_run.write_run(tmp_path / "runs", "opened")
    test = press(app(tmp_path / "runs", "retrain"), "Start training")
    wait(manager, "complete")
    test.run()
    healthy(test)
    (table,) = [d.value for d in test.dataframe]
    assert list(table["Domain"].unique()) == ["Food", "Kitchen"]
    assert (table["This training"] == table["Opened run"]).all(), "made by the same numbers"
    curves = "".join(str(c.proto) for c in test.get("plotly_chart"))
    assert "Food, opened run" in curves and "food" not in curves, "domains have their names"
    press(test, "Use this run")
    (made,) = set(test.sidebar.selectbox(key="run").options) - {"opened"}
    assert test.sidebar.selectbox(key="run").value == made
    assert f"Run '{made}' is open on every page" in words(test).replace("\\", "")


def test_cancel(app, trainer, tmp_path):
    manager = trainer("--slow")
    test = press(app(tmp_path / "runs", "retrain"), "Start training")
    assert "is being trained" in words(test)
    assert not [b for b in test.button if b.label == "Start training"]
    press(test, "Cancel")
    assert manager.current().state == "cancelled"
    assert "was cancelled" in words(test)


def test_behind_somebody_else_one_can_watch_and_wait(app, trainer, tmp_path):
    manager = trainer("--slow")
    job = manager.start(["x", "--epochs", "3"], "somebody-else")
    test = app(tmp_path / "runs", "retrain")
    healthy(test)
    assert "by another visitor" in words(test)
    assert not [b for b in test.button if b.label == "Cancel"]
    press(test, "Start training")
    assert "waits for its turn" in words(test)
    press(test, "Cancel")
    assert [job.state for job in manager.jobs()] == ["running", "cancelled"]
    manager.cancel(job.owner)


def test_a_failed_training_says_why(app, trainer, tmp_path):
    manager = trainer("--fail")
    test = press(app(tmp_path / "runs", "retrain"), "Start training")
    wait(manager, "failed")
    test.run()
    assert any("items.csv line 3" in e.value.replace("\\", "") for e in test.error)


def test_too_large_a_dataset_is_refused(app, trainer, tmp_path, monkeypatch):
    trainer("")
    write_run(tmp_path / "runs", "tiny")
    monkeypatch.setattr(retrain, "MAX_INTERACTIONS", 10)
    test = app(tmp_path / "runs", "retrain")
    test.session_state["rt_beside"] = True
    test.run()
    healthy(test)
    said = [e.value for e in test.error]
    assert ["this server allows 10" in words for words in said] == [True, True]
    for label in ("Start training", "Train and compare"):
        assert next(b for b in test.button if b.label == label).disabled


def test_what_may_take_too_long_is_said_before_it_starts(app, trainer, tmp_path, monkeypatch):
    trainer("")
    ui_run.write_run(tmp_path / "runs", "opened")
    test = app(tmp_path / "runs", "retrain")
    assert "60 minutes and 8 GB of memory" in words(test)
    assert not test.warning
    monkeypatch.setattr(retrain, "MAX_MINUTES", 0.001)
    test.run()
    assert "ask for fewer epochs" in test.warning[0].value


def test_an_estimate_counts_all_that_the_open_run_took():
    """Of which 9 s of training, between its epochs, once fell between the two."""
    opened = library.open_listed(list_runs(bundled.RUNS)[0])
    trained = sum(domain["n_train"] for domain in opened.info["dataset"]["domains"])
    _, seconds = retrain.estimate(opened, round(1.25 * trained), len(opened.history()))
    took = opened.info["timings"]
    assert seconds >= sum(took.values()) - took["layouts"]


def test_a_name_that_is_none(app, trainer, tmp_path):
    trainer("")
    test = app(tmp_path / "runs", "retrain")
    test.text_input(key="rt_name").set_value("../evil").run()
    press(test, "Start training")
    assert "cannot name a run" in test.error[0].value


# ---- Tour and report


@pytest.mark.parametrize("place", range(1, len(STEPS) + 1))
def test_a_step_of_the_tour_opens_its_page(app, full_run, place):
    test = app(full_run, "overview", tour=str(place), run="zweit")
    healthy(test)
    assert test.title[0].value == entry(STEPS[place - 1].page).title
    assert f"Tour, {place} of 6" in words(test)
    assert test.sidebar.selectbox(key="run").value == "zweit"


@pytest.mark.parametrize("place", ["0", "7", "x", "-1", "１"])
def test_a_step_that_is_none_shows_no_tour(app, full_run, place):
    test = app(full_run, "overview", tour=place)
    healthy(test)
    assert "Tour," not in words(test)


def test_the_tour_begins_in_the_address(app, full_run):
    test = press(app(full_run, "overview"), "Take the tour (six steps)")
    assert test.query_params["tour"] == "1" and "Tour, 1 of 6" in words(test)


def test_the_report_of_a_run(full_run):
    opened = library.open_listed(list_runs(full_run)[0])
    html = library.report(opened).decode()
    assert html.startswith("<!doctype html>")
    assert "The same people in both domains" in html


def test_each_model_beside_ours_lists_or_says_why_not(app, full_run, tmp_path):
    said = words(app(full_run, "cold_start"))
    assert said.count("No list") == 2
    assert "LightGCN can list for someone new" in said and "--model lightgcn" in said.replace(
        "\\", ""
    )
    assert "owns a vector per user" in said
    ui_run.write_run(tmp_path / "two", "tiny")
    ui_run.write_run(tmp_path / "two", "zz", model="lightgcn")
    said = words(app(tmp_path / "two", "cold_start", run="tiny"))
    assert said.count("No list") == 1 and "--model lightgcn" not in said.replace("\\", "")
