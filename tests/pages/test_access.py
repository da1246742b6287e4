"""Roles: by a token or by name, checked on the server at what changes anything."""

import os
import time
from dataclasses import dataclass

import pytest
from streamlit.testing.v1 import AppTest

from micrec_core.errors import ConfigError, DataError
from micrec_core.locks import FolderLock
from micrec_core.ui import access, state, uploads
from micrec_core.ui.access import ROLES, Rules, read_rules
from tests.pages.conftest import healthy, words
from tests.running.fault_shim import Shim, installed

TOKEN = "correct horse battery"
ACTIONS = """
from pathlib import Path
import streamlit as st
from micrec_core.errors import ConfigError
from micrec_core.runs.archive import Note
from micrec_core.ui import kept, own_tables, retrain, runs
from micrec_core.ui.own_tables import Seen
from micrec_core.ui.access import login_box
login_box()
tried = {
    "folder": lambda: own_tables.look_at_folder("/"),
    "upload": lambda: own_tables.look_at_upload([]),
    "mend": lambda: own_tables.mend(Seen(Path("x"), [], {}, [], None, False), [], []),
    "keep": lambda: own_tables.keep(Seen(Path("x"), [], {}, [], None, False), "x"),
    "forget": lambda: kept._delete("x"),
    "start": lambda: retrain.act("start", [], "x"),
    "cancel": lambda: retrain.act("cancel", "x"),
    "accept": lambda: retrain.act("accept", "x"),
    "discard": lambda: retrain.act("discard", "x"),
    "delete": lambda: runs._delete("x"),
    "note": lambda: runs._keep("x", Note()),
}
for name, action in tried.items():
    st.session_state.pop("rt_refusal", None)
    st.session_state.pop("runs_wrong", None)
    st.session_state.pop("data_wrong", None)
    try:
        action()
        keys = ("rt_refusal", "runs_wrong", "data_wrong")
        said = "".join(st.session_state.get(key, "") for key in keys)
    except Exception as error:
        said = str(error)
    if "you may not" not in said:
        st.text(name)
"""
NEED = {"folder": "bring", "upload": "bring", "mend": "bring", "keep": "bring", "forget": "bring",
        "start": "train", "cancel": "train",
        "accept": "accept", "discard": "accept", "delete": "accept", "note": "accept"}  # fmt: skip


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """Nobody is logged in when a test begins."""
    monkeypatch.setenv("MICREC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("MICREC_DATA", str(tmp_path / "data"))
    access._members().clear()
    # What is tried here again at once is no double click.
    monkeypatch.setattr(state, "_MOMENT", 0.0)


def press(test, label):
    next(b for b in test.button if b.label == label).click().run()
    return test


def log_in(test, token):
    test.text_input[0].set_value(token)
    return press(test, "Log in with the token")


def test_without_a_token_or_a_login_everyone_may(monkeypatch):
    monkeypatch.delenv("MICREC_TOKEN", raising=False)
    test = AppTest.from_string(ACTIONS, default_timeout=60).run()
    assert {t.value for t in test.text} == set(NEED) and not test.button


@pytest.mark.parametrize("roles", [[], ["see"], ["bring"], ["train"], ["accept"], list(ROLES)])
def test_each_action_needs_its_role(monkeypatch, tmp_path, roles):
    rules = tmp_path / "roles.toml"
    rules.write_text(f"members = {roles!r}\n")
    monkeypatch.setenv("MICREC_TOKEN", TOKEN)
    monkeypatch.setenv("MICREC_ROLES", str(rules))
    test = AppTest.from_string(ACTIONS, default_timeout=60).run()
    assert not test.text, "who is not logged in may change nothing"
    log_in(test, TOKEN)
    assert {t.value for t in test.text} == {a for a, role in NEED.items() if role in roles}
    press(test, "Log out")
    assert not test.text


def test_runs_are_shown_to_who_gives_the_token(app, full_run, monkeypatch):
    monkeypatch.setenv("MICREC_TOKEN", TOKEN)
    test = app(full_run, "overview")
    healthy(test)
    assert "Log in to see the runs" in words(test) and not test.title
    log_in(test, "something else")
    assert "not the token" in words(test) and not test.title
    log_in(test, TOKEN)
    healthy(test)
    assert len(test.title) == 1 and "made-up" in words(test)


def test_a_login_runs_out(monkeypatch):
    monkeypatch.setenv("MICREC_TOKEN", TOKEN)
    test = AppTest.from_string(ACTIONS, default_timeout=60).run()
    log_in(test, TOKEN)
    assert test.text
    for browser in access._members():
        access._members()[browser] = time.time() - 13 * 3600
    assert not test.run().text


def test_a_short_token_is_refused(monkeypatch):
    monkeypatch.setenv("MICREC_TOKEN", "short")
    with pytest.raises(ConfigError, match="16 characters"):
        access.guarded()


def test_rules_by_name(tmp_path):
    file = tmp_path / "roles.toml"
    file.write_text(
        'visitors = ["see"]\nmembers = ["see", "bring"]\n[people]\n"ada@x" = ["train"]\n'
    )
    rules = read_rules(file)
    assert rules.of(None) == {"see"} and rules.of("bob@x") == {"see", "bring"}
    assert rules.of("ada@x") == {"train"}
    assert Rules().of(None) == set() and Rules().of("anyone") == set(ROLES)


@pytest.mark.parametrize(
    "text", ["visitor = []", "members = 'see'", "members = ['fly']", "[people]\na = [1]", "="]
)
def test_rules_that_mean_nothing_are_refused(tmp_path, text):
    (tmp_path / "roles.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"roles\.toml"):
        read_rules(tmp_path / "roles.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_rules(tmp_path / "none.toml")


# ---- Uploads


@dataclass
class File:
    name: str
    content: bytes = b"x" * 1000

    def getvalue(self):
        return self.content


def test_an_upload_has_an_owner_a_quota_and_an_age(monkeypatch, tmp_path):
    monkeypatch.setattr(uploads, "QUOTA_MB", 0.0021)
    files = [File("items.csv"), File("C:\\x\\interactions.csv.gz")]
    folder = uploads.keep_upload(files, "ada")
    assert sorted(f.name for f in folder.iterdir()) == ["interactions.csv.gz", "items.csv"]
    with pytest.raises(DataError, match="would have more than"):
        uploads.keep_upload(files, "ada")
    other = uploads.keep_upload(files, "bob")
    old = time.time() - 86_400 * (uploads.KEEP_DAYS + 1)
    os.utime(folder, (old, old))
    again = uploads.keep_upload(files, "ada")
    assert not folder.exists() and again.is_dir() and other.is_dir()
    uploads.drop(again)
    assert not again.exists()
    uploads.drop(tmp_path)
    assert tmp_path.is_dir(), "nothing but uploads is dropped"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a.txt", ".items.csv", "run.json", "items.csv\n", "x" * 200 + ".inter"]
)
def test_what_is_no_table_is_not_kept(tmp_path, name):
    with pytest.raises(DataError, match="no name of a table"):
        uploads.keep_upload([File(name)], "ada")
    assert not list((tmp_path / "runs").rglob("*"))


def test_two_uploads_of_one_at_once_do_not_share_a_quota(tmp_path):
    place = tmp_path / "runs" / ".uploads" / "ada"
    place.mkdir(parents=True)
    lock = FolderLock(place)
    with pytest.raises(DataError, match="another upload of yours"):
        uploads.keep_upload([File("items.csv")], "ada")
    assert uploads.keep_upload([File("items.csv")], "bob").is_dir()
    lock.release()
    assert uploads.keep_upload([File("items.csv")], "ada").is_dir()


def test_what_another_session_removes_meanwhile_is_no_failure(monkeypatch, tmp_path):
    """Two that swept at once found each other's folders gone: an error on the page."""
    gone = tmp_path / "runs" / ".uploads" / "bob" / "0"
    monkeypatch.setattr(uploads.Path, "glob", lambda self, _: iter([gone]))
    monkeypatch.setattr(uploads.Path, "rglob", lambda self, _: iter([gone / "items.csv"]))
    assert uploads.keep_upload([File("items.csv")], "ada").is_dir()


def test_what_a_killed_process_left_of_a_dataset_goes(monkeypatch, tmp_path):
    monkeypatch.setenv("MICREC_DATA", str(tmp_path / "data"))
    left, young = (tmp_path / "data" / f".shop.{digit * 32}" for digit in "ab")
    for folder in (left, young, tmp_path / "data" / ".git"):
        folder.mkdir(parents=True)
    now = time.time()
    old = {left.name: now - 90_000, ".git": now - 90_000}
    real = uploads.Path.stat

    def stat(self, **more):
        found = real(self, **more)
        return os.stat_result([*found[:9], int(old.get(self.name, now))])

    monkeypatch.setattr(uploads.Path, "stat", stat)
    uploads.keep_upload([File("items.csv")], "ada")
    assert sorted(f.name for f in (tmp_path / "data").iterdir()) == [".git", young.name]


def test_a_full_disk_is_a_sentence(monkeypatch, tmp_path):
    with installed(Shim(tmp_path, "ENOSPC", 1)), pytest.raises(DataError, match="No space left"):
        uploads.keep_upload([File("items.csv")], "ada")
    folder = uploads.keep_upload([File("items.csv")], "ada")
    with installed(Shim(tmp_path, "ENOSPC", 1)), pytest.raises(DataError, match="No space left"):
        uploads.keep(folder, "mine", "ada", {"domains": [{"missing": {}}], "n_users": 1,
                                             "n_items": 1, "n_interactions": 1})  # fmt: skip
