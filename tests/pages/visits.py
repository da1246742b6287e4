"""Visits of somebody who means harm: hostile addresses, texts, tables, pictures and zips of runs.

Each visit is of the app over the run that comes with it and a copy of that, with the model that
answers and the processes that check tables and take runs in; only a training is replaced, by one
that fails.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.testing.v1 import AppTest

from tests.data import spoilt as tables
from tests.data.conftest import write_dataset
from tests.pages.conftest import PAGES, opened_at
from tests.pages.shown import HOSTILE, becomes_more, drawn, marked
from tests.runs import spoilt as zips
from tests.serving.fuzz import RUN
from tests.serving.mutations import NUMBERS, REALS, WORDS, Random, raw

# What is brought, and how often of a hundred visits.
SORTS = {
    "an address": 40, "a text": 22, "a forged value": 12, "tables": 10, "a picture": 5,
    "a run's zip": 6, "a login": 5,
}  # fmt: skip
# Beside what the widgets of a page are bound to.
NAMES = (
    "run", "pair", "user", "item", "items", "sel", "like", "says", "present", "tour",
    "cold_step", "cold_tabs", "cold_domain", "al_items_colour", "embed", "embed_options", "",
    "a" * 5000, HOSTILE, "micrec_session", "micrec_opened",
)  # fmt: skip
TEXTS = (
    *WORDS, *tables.PEOPLE, HOSTILE, HOSTILE, HOSTILE, "1", "7", "-1", "sample", "tiny", "..",
    "../..", "/etc/passwd", "~root", "file:///etc/passwd", "http://127.0.0.1:1/", "food~", "~",
    "food~~", "food~food-0001~", "{0.__class__}", "%s%n", "{{7*7}}", "' OR 1=1 --",
    "$(touch /tmp/evil)", "; touch /tmp/evil", "--out=/tmp/evil", "(a+)+$", "a" * 40 + "!",
    "[" * 5000, "\\" * 3000, "*_`" * 1000, "\u0301" * 3000, "\u202e\u2066", "👩‍👩‍👧‍👦" * 200,
    "\ufffe\uffff", "\U0010ffff", "coffee " * 20_000, "tea\n" * 5000, "NUL", "a.csv\x00.zip",
    "x" * 64,
    "x" * 65, "é" * 64, "1e308", '{"a": ' * 2000, "true", "None", "0x7fffffff",
    "99999999999999999999",
    "１", "Ⅷ", "-0",
)  # fmt: skip
# What a browser of somebody's own says of charts, tables and maps.
FORGED = (
    "3", "[]", "null", "{", "[" * 900 + "]" * 900, '{"failed": true}', '{"lit": [99999999]}',
    '{"lit": [-1]}', '{"lit": ["x"]}', '{"lit": {"a": 1}}', '{"lit": 3}', '{"lit": [0, 1, 2]}',
    '{"lit": [1e400]}', '{"lit": [null]}', json.dumps({"lit": [*range(100_000)]}),
    '{"selection": null}', '{"selection": {}}', '{"selection": 1}',
    *(
        json.dumps({"selection": {"points": points}})
        for points in (
            None, 3, [None], [1], [{}], [{"customdata": []}], [{"customdata": [[1], {"a": 2}]}],
            [{"customdata": ["food", "nobody", "x"]}], [{"customdata": ["u", "v", 1, "food"]}],
            [{"customdata": ["item", HOSTILE, 1, "food"]}], [{"customdata": ["user", "", 1, "x"]}],
            [{"customdata": ["item", "food-0001", 1, "food"]}] * 3000,
        )
    ),
    *(
        json.dumps({"edited_rows": rows, "added_rows": more, "deleted_rows": out})
        for rows, more, out in (
            ({"0": {"value": "=1+1", "out": "x"}}, [], []), ({"0": {"value": HOSTILE}}, [], []),
            ({"0": {"value": "x" * 9000}}, [{}], []), ({"99": {"value": "x"}}, [], [0]),
            ({"0": {"file": "../../etc/passwd", "line": -1, "value": "a:b=c"}}, [], []),
        )
    ),
)  # fmt: skip
SECRET = "root:x:0"
TOKEN = "a token of nobody's"
_PLAN, _RUNS, _WHOLE, _DATA, _AWAY = "plan.json", "runs", "whole", "data", "made"
_PATIENCE = 900  # more than fuzz waits: it is what says that something hangs
_ROWS = ("Make these changes", "Leave all these rows out")
_FAILS = (sys.executable, "-c", "raise SystemExit('items.csv: no')")


def lay_out(folder: Path) -> None:
    """A run that answers and may be changed, what zips are made of, and nothing else."""
    shutil.copytree(RUN, folder / _WHOLE / "tiny")
    (folder / _AWAY / "zips").mkdir(parents=True)
    (folder / _AWAY / "tables").mkdir()
    zips.lay_out(folder / _AWAY / "zips")
    tables.lay_out(folder / _AWAY / "tables")
    mend(folder, "")


def spoil(folder: Path, seed: int) -> tuple[str, str]:
    """Choose what is brought, and to which page."""
    rng = np.random.default_rng(seed)
    weights = np.array([*SORTS.values()], float)
    sort = str(rng.choice([*SORTS], p=weights / weights.sum()))
    places = {"tables": ["data"], "a picture": ["cold_start", "new_item"], "a run's zip": ["runs"]}
    page = str(rng.choice(places.get(sort, PAGES)))
    (folder / _PLAN).write_text(json.dumps({"sort": sort, "page": page, "seed": seed}))
    return sort, page


def use(folder: Path, name: str) -> None:
    """Pay the visit.

    Raises
    ------
    MicrecError
        A page refused something, in a sentence.
    AssertionError
        A page broke off, made more of a text than a text, told what it must not, or left
        something where it must not.
    """
    from micrec_core.errors import RunError

    plan = json.loads((folder / _PLAN).read_text())
    before = sorted(path.name for path in folder.iterdir())
    visit = Visit(folder, plan["page"], np.random.default_rng([plan["seed"], 1]))
    with _there(folder, plan["sort"] == "a login"):
        _DO[plan["sort"]](visit)
    assert sorted(path.name for path in folder.iterdir()) == before
    assert not Path("/tmp/evil").exists()
    if visit.refused:
        raise RunError(visit.refused)


def mend(folder: Path, name: str) -> None:
    """Runs and data as they were."""
    for place in (_RUNS, _DATA):
        shutil.rmtree(folder / place, ignore_errors=True)
    shutil.copytree(folder / _WHOLE, folder / _RUNS)
    (folder / _DATA).mkdir()
    (folder / _PLAN).touch()


@contextmanager
def _there(folder: Path, guarded: bool) -> Iterator[None]:
    """A server over these folders, on which a training fails at once."""
    import logging

    import streamlit as st

    from micrec_core.jobs.manager import JobManager
    from micrec_core.ui import retrain, serve

    st.set_option("client.showErrorDetails", "full")
    there = {"MICREC_RUNS": str(folder / _RUNS), "MICREC_DATA": str(folder / _DATA),
             "MICREC_CHECK_SECONDS": "30", "MICREC_COMPILE": "no"}  # fmt: skip
    there |= {"MICREC_TOKEN": TOKEN} if guarded else {}
    manager = JobManager(folder / _RUNS, command=_FAILS, comparing=_FAILS)
    logging.disable()  # a page that breaks off is told below
    with (
        patch.dict(os.environ, there),
        patch.object(retrain, "_manager", lambda _: manager),
        patch.object(serve, "warm_up", lambda: None),
    ):
        yield
        for job in manager.jobs():
            manager.cancel(job.owner)
    st.cache_data.clear()


class Visit:
    """What is done on a page, and what the first refusal said.

    Parameters
    ----------
    folder : where the server's folders are
    page : its file
    rng : all that is chosen is chosen by it
    """

    def __init__(self, folder: Path, page: str, rng: Random) -> None:
        self.folder, self.page, self.rng = folder, page, rng
        self.refused, self.forged = "", False

    def open(self, query: Mapping[str, Any] | None = None) -> AppTest:
        """The page as an address opens it."""
        return self.judged(opened_at(self.page, query or {}, _PATIENCE))

    def judged(self, test: AppTest) -> AppTest:
        """The page after a run of its script, which is a page still."""
        from micrec_core.ui.looks import BROKEN

        if any(e.proto.type == "MemoryError" for e in test.exception):
            raise MemoryError
        # What Streamlit itself cannot read of a forged message is refused, by Streamlit.
        theirs = [e for e in test.exception if self.forged and not _is_ours(e)]
        self.refused = self.refused or ("Streamlit reads no such message." if theirs else "")
        broken = [f"{e.message} {[*e.stack_trace][-2:]}" for e in test.exception if e not in theirs]
        broken += [str(e.value) for e in test.error if e.icon == BROKEN]
        assert not broken, f"{self.page}: {broken[0]}"
        for place, text in marked(test):
            assert not becomes_more(text), f"{self.page}: {place}: {text[:300]}"
        said = [str(box.value) for box in (*test.error, *test.warning)]
        shown = [*said, *(str(m.value) for m in test.markdown), *(str(c.value) for c in test.code)]
        assert not [text for text in shown if SECRET in text]
        self.refused = self.refused or next(iter(said), "").split("\n")[0].replace("\\", "")
        return test

    def run(self, test: AppTest, states: WidgetStates | None = None) -> AppTest:
        """Run the page's script with what was set, or with what a browser says instead."""
        return self.judged(test._run(states or told(test), _PATIENCE))

    def one_of(self, choices: Any) -> Any:
        """One of some, by chance."""
        return choices[int(self.rng.integers(len(choices)))]

    def text(self) -> str:
        """A hostile text."""
        said = str(self.one_of(TEXTS))
        if self.rng.random() < 0.2:
            said += str(self.one_of(TEXTS))[:1000]
        if self.rng.random() < 0.1:
            points = self.rng.integers(1, 0xD7FF, int(self.rng.integers(1, 400)))
            said = "".join(map(chr, points))
        return said

    def write(self, test: AppTest) -> None:
        """Hostile texts and numbers into every other field, and any choice in every third box."""
        for field in (*test.text_input, *test.text_area):
            if self.rng.random() < 0.6 and not field.disabled:
                field.set_value(self.text())
        for number in test.number_input:
            if self.rng.random() < 0.5:
                number.set_value(float(self.one_of((*NUMBERS, 1e308, -1e308, 0.5))))
        for box in test.selectbox:
            if box.options and self.rng.random() < 0.3 and not box.disabled:
                box.select_index(int(self.rng.integers(len(box.options))))

    def press(self, test: AppTest, *labels: str) -> AppTest:
        """One of the buttons of these labels, of any label where there are none."""
        there = [b for b in test.button if not b.disabled and (not labels or b.label in labels)]
        if there:
            self.one_of(there).click()
        return self.run(test) if there else test


def told(test: AppTest) -> WidgetStates:
    """What a browser tells of a page's widgets.

    Of one that holds what was forged, nothing: AppTest's own knows only what may be chosen.
    """
    states = WidgetStates()
    for node in test._tree:
        with suppress(ValueError):
            if (said := getattr(node, "_widget_state", None)) is not None:
                states.widgets.append(said)
    return states


def _is_ours(error: Any) -> bool:
    """Whether an error is none of Streamlit's own, and the last line it went through the app's."""
    files = [line for line in error.stack_trace if line.lstrip().startswith("File ")]
    by_name = "streamlit" in str(error.proto.type).lower()
    return not by_name and (not files or "site-packages" not in files[-1])


# What is brought ----------------------------------------------------------------------------------


@cache
def _bound(page: str) -> dict[str, list[str]]:
    """Names in the address that a page's widgets are bound to, with what may be chosen."""
    test = opened_at(page, {}, _PATIENCE)
    found: dict[str, list[str]] = {}
    kinds = ("selectbox", "text_input", "slider", "select_slider", "number_input", "multiselect",
             "button_group", "tab")  # fmt: skip
    for kind in kinds:
        for widget in test.get(kind):
            name = getattr(widget.proto, "query_param_key", "")
            if name:
                said = getattr(widget.proto, "options", [])
                found[name] = [str(getattr(one, "content", one)) for one in said]
    return found


@cache
def _ids() -> tuple[str, ...]:
    """Users, items, and items as a like names them."""
    ids = pd.read_parquet(RUN / "serving_ids.parquet", columns=["domain", "side", "id"])
    some = ids.groupby(["domain", "side"]).head(4)
    return (*some["id"], *(some["domain"] + "~" + some["id"]))


def _query(visit: Visit) -> dict[str, Any]:
    """Up to five parameters, hostile ones and some that are as they should be."""
    bound, query = _bound(visit.page), {}
    for _ in range(int(visit.rng.integers(1, 6))):
        name = str(visit.one_of([*bound, *bound, *NAMES]))
        right = [*bound.get(name, ()), *_ids()]

        def value(right: list[str] = right) -> str:
            return str(visit.one_of(right)) if visit.rng.random() < 0.3 else visit.text()

        many = int(visit.one_of((1, 1, 1, 1, 1, 2, 3, 60, 1000)))
        # A browser's address has two megabytes at most.
        query[name] = [value()[: 2_000_000 // many] for _ in range(many)]
    return query


def _address(visit: Visit) -> None:
    test = visit.open(_query(visit))
    if visit.rng.random() < 0.3:
        visit.press(test)


def _text(visit: Visit) -> None:
    test = visit.open(_query(visit) if visit.rng.random() < 0.2 else None)
    for _ in range(2):
        visit.write(test)
        test = visit.run(test) if visit.rng.random() < 0.4 else visit.press(test)


def _forge(visit: Visit) -> None:
    test, visit.forged = visit.open(_query(visit) if visit.rng.random() < 0.3 else None), True
    for _ in range(3):
        forge(visit, test)


def forge(visit: Visit, test: AppTest) -> None:
    """What a browser says of some widgets, charts and maps is another, as its protocol may have it.

    Of which kind a value is stays: what is of another kind never reaches the app's code.
    """
    states = told(test)
    for _ in range(int(visit.rng.integers(1, 4))):
        said = visit.one_of(states.widgets)
        kind = said.WhichOneof("value")
        if kind == "string_value":
            said.string_value = visit.text()
        elif kind == "string_array_value":
            n = int(visit.one_of((0, 1, 3, 200)))
            said.string_array_value.data[:] = [visit.text()[:3000] for _ in range(n)]
        elif kind in ("double_value", "int_value"):
            number = visit.one_of(NUMBERS)
            setattr(said, kind, float(number) if kind == "double_value" else number)
        elif kind == "double_array_value":
            n = int(visit.one_of((0, 1, 2, 3)))
            said.double_array_value.data[:] = [visit.one_of((*REALS, 1.0)) for _ in range(n)]
    for kind, place in _interactive(test):
        if visit.rng.random() < 0.5:
            states.widgets.add(id=place, **{kind: str(visit.one_of(FORGED))})
    visit.run(test, states)


def _interactive(test: AppTest) -> list[tuple[str, str]]:
    """Charts, tables and maps that a browser tells of: how, and of which."""
    how = {"BidiComponent": "json_value", "PlotlyChart": "string_value", "Arrow": "string_value"}
    found = [(how.get(p.DESCRIPTOR.name, ""), getattr(p, "id", "")) for p in drawn(test._tree)]
    return [(kind, place) for kind, place in found if kind and place]


def _login(visit: Visit) -> None:
    test = visit.open(_query(visit))
    for _ in range(2):
        test.text_input[0].set_value(visit.text()[:100_000])
        test = visit.press(test, "Log in with the token")
        assert not test.title and not test.sidebar.selectbox, "nobody has logged in"


def _tables(visit: Visit) -> None:
    test = visit.open()
    test.file_uploader(key="data_files").set_value(_files(visit))
    visit.run(test)
    test = visit.press(test, "Check the upload")
    for _ in range(3):
        visit.write(test)
        if _interactive(test) and visit.rng.random() < 0.5:
            visit.forged = True
            forge(visit, test)
        test = visit.press(test, "Use these files", "Read them so", "Keep it", *_ROWS)
    if visit.rng.random() < 0.5:
        visit.page = "retrain"
        test.switch_page("../../pages/retrain.py")
        test = visit.run(test)
        visit.write(test)
        visit.run(visit.press(test, "Start training"))


def _files(visit: Visit) -> list[tuple[str, bytes, str]]:
    """A dataset with one spoilt table, or one that says hostile things, as files or a zip."""
    folder, rng = visit.folder / _AWAY / "tables", visit.rng
    if rng.random() < 0.5:
        tables.spoil(folder, int(rng.integers(1 << 30)))
    else:
        tables.mend(folder, "")
        write_dataset(folder, ".csv")
        _say_in(folder / str(visit.one_of(("items.csv", "interactions.csv"))), visit)
    whole = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*")
             if p.is_file() and not p.is_symlink()}  # fmt: skip
    if rng.random() < 0.5:  # under names that say nothing, or what they must not
        name = visit.one_of(("a.csv", "evil.csv", "=1+1.csv", HOSTILE.replace("/", "-") + ".csv"))
        whole = {str(name) if n.startswith("items.") else n: c for n, c in whole.items()}
    if rng.random() < 0.5:
        out = BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for inner, content in whole.items():
                archive.writestr(inner, content)
        return [(str(visit.one_of(("a.zip", "../a.zip", "evil.example.zip"))), out.getvalue(), "")]
    return [(n, content, "") for n, content in whole.items() if "/" not in n]


def _say_in(path: Path, visit: Visit) -> None:
    """A column's name, a domain, a title or an id of a table is a hostile text."""
    frame = pd.read_csv(path, dtype=str)
    said, column = visit.text()[:3000], str(visit.one_of(list(frame)))
    if visit.rng.random() < 0.4:
        frame = frame.rename(columns={column: said})
    elif visit.rng.random() < 0.5:
        frame[column] = frame[column].where(frame[column] != frame[column].iloc[0], said)
    else:
        frame[column] = said
    frame.to_csv(path, index=False)


def _picture(visit: Visit) -> None:
    test = visit.open()
    content = visit.one_of((_small, _small, _bomb, _no_picture))(visit)
    name = visit.one_of(("a.png", "../a.png", f"{HOSTILE}.jpg"))
    for uploader in test.get("file_uploader"):
        uploader.set_value((name, content, "image/png"))
    visit.press(visit.run(test))


def _small(visit: Visit) -> bytes:
    """A picture of some kind, whole or spoilt."""
    from PIL import Image

    out = BytesIO()
    size, kind = visit.one_of(((1, 1), (64, 64), (1, 9000))), visit.one_of(("PNG", "GIF", "TIFF"))
    mode = str(visit.one_of(("1", "L", "P") if kind == "GIF" else ("1", "L", "P", "RGBA", "I;16")))
    Image.new(mode, size).save(out, str(kind))
    return raw(out.getvalue(), visit.rng)[1] if visit.rng.random() < 0.5 else out.getvalue()


def _bomb(visit: Visit) -> bytes:
    """A PNG of one colour and very many pixels, or one that says that it has so many."""
    side = int(visit.one_of((9000, 20_000, 2**31 - 1)))
    row = b"\0" + bytes(min(side, 20_000) // 8 + 1)
    packed = zlib.compress(row * min(side, 20_000), 9)
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _no_picture(visit: Visit) -> bytes:
    """What is none, or more than one may have."""
    return bytes(visit.one_of((b"", b"<svg onload=alert(1)>", b"x" * (11 << 20), b"\x89PNG\r\n")))


def _zip(visit: Visit) -> None:
    place = visit.folder / _AWAY / "zips"
    zips.spoil(place, int(visit.rng.integers(1 << 30)))
    content = (place / "spoilt.zip").read_bytes()
    test = visit.open()
    test.file_uploader(key="runs_zip").set_value(
        (f"{visit.one_of(('a', HOSTILE, '../a'))}.zip", content, "")
    )
    test.text_input(key="runs_name").set_value(visit.one_of(("", "mine", "tiny", visit.text())))
    visit.run(test)
    test = visit.press(test, "Import")
    visit.write(test)
    test = visit.press(test, "Keep", "Open")
    visit.page = str(visit.one_of(PAGES))
    visit.open({"run": str(visit.one_of(("mine", "tiny")))})
    zips.mend(place, "")
    (place / "spoilt.zip").unlink()


_DO: dict[str, Callable[[Visit], None]] = {
    "an address": _address, "a text": _text, "a forged value": _forge, "tables": _tables,
    "a picture": _picture, "a run's zip": _zip, "a login": _login,
}  # fmt: skip
