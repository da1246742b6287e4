"""Controls of the Data page: which table is which, what its columns mean, what is to be mended."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pandas as pd
import streamlit as st

from micrec_core.data.dialect import separator_name
from micrec_core.data.mending import can_change
from micrec_core.data.preview import SCHEMAS
from micrec_core.data.problems import MOST
from micrec_core.data.schema import RELATIONS, Schema
from micrec_core.data.sources import ATOMIC
from micrec_core.ui.mends import for_page, options_in
from micrec_core.ui.own_tables import DROP, Seen
from micrec_core.ui.uploads import assign
from micrec_core.ui.widgets import cells, plain

_SEPARATORS = {"": "By the name", "comma": "Comma", "semicolon": "Semicolon", "tab": "Tab",
               "bar": "Bar", "space": "Space"}  # fmt: skip
_DECIMALS = {"": "By the separator", ".": "Point", ",": "Comma"}
_ENCODINGS = ("utf-8", "utf-16", "cp1252", "iso-8859-1", "shift_jis", "gb18030", "euc-kr", "koi8-r")
_BUTTONS = {
    "separator": "Separate by {}", "encoding": "Read as {}", "decimal": "Decimal comma",
    "unknown-items": "Leave out rows with unknown items",
}  # fmt: skip
_ONE = "(all of it is one domain)"
_NEEDED = {"interactions", "items"}
_ASKED = "data_tables_chosen"


def preset(seen: Seen) -> None:
    """Have the controls say how a dataset is read that has just been looked at first."""
    st.session_state["data_decimal"] = seen.dialect.get("decimal", "")
    separator = separator_name(seen.dialect.get("separator", ""))
    st.session_state["data_separator"] = separator if separator in _SEPARATORS else ""
    st.session_state["data_encoding"] = seen.dialect.get("encoding") or _ENCODINGS[0]
    st.session_state["data_drop"] = seen.drop


def show_problems(seen: Seen) -> bool:
    """All that is wrong, and a button for each mend that a control makes; whether one was taken."""
    said = [problem["said"] for problem in seen.problems]
    most = " (the first ones)" if len(said) >= MOST else ""
    n = f"{len(said)} things are" if len(said) > 1 else "One thing is"
    st.error(f"{n} to be mended{most}.", icon=":material/build:")
    st.markdown("\n".join(f"1. {plain(for_page(sentence))}" for sentence in said))
    taken = False
    with st.container(horizontal=True):
        for name, value in options_in(said).items():
            label = _BUTTONS[name].format(value)
            if st.button(plain(label), key=f"data_mend_{name}", icon=":material/build:"):
                st.session_state["data_drop" if name == "unknown-items" else f"data_{name}"] = (
                    True if name == "unknown-items" else value
                )
                taken = True
    return taken


def mended_rows(seen: Seen) -> list[str]:
    """Rows that can be changed or left out; options of the command ``mend`` once one is asked."""
    rows = [p for p in seen.problems if p["line"] and can_change(p["file"])]
    if not rows or not seen.uploaded:
        return []
    frame = pd.DataFrame(rows)[["file", "line", "column", "value"]].assign(out=False)
    text = st.column_config.TextColumn
    edited = st.data_editor(
        frame,
        hide_index=True,
        width="stretch",
        disabled=("file", "line", "column"),
        key=f"data_rows_{_short(repr(rows))}",
        column_config={
            "file": text("File"), "line": st.column_config.NumberColumn("Line", format="%d"),
            "column": text("Column"), "value": text("Value, to be changed here"),
            "out": st.column_config.CheckboxColumn("Leave the row out"),
        },
    )  # fmt: skip
    with st.container(horizontal=True):
        some = st.button("Make these changes", icon=":material/edit:", key="data_edit")
        every = st.button("Leave all these rows out", icon=":material/delete_sweep:",
                          key="data_out")  # fmt: skip
    if not (some or every):
        return []
    words = []
    for (_, old), (_, new) in zip(frame.iterrows(), edited.iterrows(), strict=True):
        if every or new["out"]:
            words.append(f"--cut={new['file']}:{new['line']}")
        elif old["column"] and (new["value"] or "") != old["value"]:
            words.append(f"--put={new['file']}:{new['line']}:{new['column']}={new['value'] or ''}")
    return words


def table_controls(seen: Seen) -> list[str]:
    """How the tables are written and what their columns mean, with their first rows.

    Returns
    -------
    options of the command ``check``
    """
    left, middle, right = cells(3, 160)
    separator = left.selectbox("Separator", list(_SEPARATORS), key="data_separator",
                               format_func=_SEPARATORS.__getitem__)  # fmt: skip
    encoding = middle.selectbox("Encoding", _ENCODINGS, key="data_encoding",
                                accept_new_options=True)  # fmt: skip
    decimal = right.selectbox("Decimal mark", list(_DECIMALS), key="data_decimal",
                              format_func=_DECIMALS.__getitem__)  # fmt: skip
    drop = st.checkbox("Leave out rows whose item is not in the item table",
                       key="data_drop")  # fmt: skip
    names: list[str] = []
    for table in seen.tables:
        if table["kind"] and table["columns"]:
            names += _columns(seen, table)
    marks = {"separator": separator, "encoding": encoding, "decimal": decimal}
    usual = not seen.dialect and encoding == _ENCODINGS[0]
    words = [f"--{m}={v}" for m, v in marks.items() if v and not (m == "encoding" and usual)]
    return [*dict.fromkeys(names), *words, *([DROP] if drop else [])]


def _columns(seen: Seen, table: dict[str, Any]) -> list[str]:
    """One table: its first rows, and a select box for each column of ours."""
    schema, theirs = SCHEMAS[table["kind"]], table["columns"]
    st.markdown(f"**{plain(table['file'])}**, its first rows")
    # A table may have a column twice, which a frame may not.
    shown = [f"{n} ({k + 1})" if n in theirs[:k] else n for k, n in enumerate(theirs)]
    width = len(theirs)
    rows = [(row + [""] * width)[:width] for row in table["rows"]]
    st.dataframe(pd.DataFrame(rows, columns=shown), hide_index=True, height="content")
    words = []
    options = ["", *dict.fromkeys(theirs)]
    stamp = _short(repr((str(seen.folder), theirs)))
    for cell, ours in zip(cells(len(schema.columns), 150), schema.columns, strict=True):
        may_be_one = seen.uploaded and ours == "domain" and ours not in theirs
        choices = [*options, _ONE] if may_be_one else options
        first = _first(ours, table, seen.dialect, schema)
        chosen = cell.selectbox(
            f"{ours} is" + ("" if ours in schema.required else " (optional)"),
            choices,
            index=choices.index(first) if first in choices else 0,
            key=f"data_{table['kind']}_{ours}_{stamp}",
            format_func=lambda name: name or "not there",
        )
        if chosen not in ("", ours, _ONE):
            words.append(f"--map={ours}={chosen}")
    return words


def _first(ours: str, table: dict[str, Any], dialect: dict[str, Any], schema: Schema) -> str:
    """The column preselected for one of ours: as it is read now, else as it may be meant."""
    theirs = table["columns"]
    said = dialect.get("columns", {}).get(ours, [])
    for name in [said] if isinstance(said, str) else said:
        if name in theirs:
            return str(name)
    if ours in theirs:
        return ours
    return str(table["guesses"].get(ours, _ONE if ours == "domain" else ""))


def one_domain(seen: Seen) -> list[str]:
    """Kinds of tables whose rows are said to be of one domain."""
    found = []
    for table in seen.tables:
        stamp = _short(repr((str(seen.folder), table["columns"])))
        if st.session_state.get(f"data_{table['kind']}_domain_{stamp}") == _ONE:
            found.append(table["kind"])
    return found


def give_domain(seen: Seen, kinds: list[str], name: str) -> None:
    """Have all rows of some tables of an upload be of one domain; DataError as ``assign``."""
    for table in seen.tables:
        if table["kind"] in kinds:
            assign(seen.folder, {table["kind"]: table["file"]}, name)


def are_named(seen: Seen) -> bool:
    """Whether the names of an upload's files say which table is which."""
    files = [table["file"] for table in seen.tables]
    known = {file.split(".")[0] for file in files} & set(SCHEMAS)
    if not seen.uploaded or len(files) < 2 or any(file.endswith(".inter") for file in files):
        return True
    # Relations are nobody's duty: of a file that looks like some it is asked once.
    asked = st.session_state.get(_ASKED) == str(seen.folder)
    stated = any(table["kind"] == RELATIONS.stem for table in seen.tables)
    return known >= _NEEDED and (asked or not stated or RELATIONS.stem in known)


def choose_tables(seen: Seen) -> dict[str, str] | None:
    """Which file is which table; None until it is asked for."""
    files = [table["file"] for table in seen.tables]
    kinds = {table["kind"]: table["file"] for table in reversed(seen.tables) if table["kind"]}
    free = [f for f in files if f not in kinds.values()]
    items = kinds.get("items") or next(f for f in (*free, *files) if f != kinds.get("interactions"))
    log = kinds.get("interactions") or next(f for f in (*free, *files) if f != items)
    guess = {"interactions": log, "items": items}
    st.markdown("**Which file holds what?**")
    chosen = {}
    left = [f for f in files if not f.endswith(ATOMIC)]
    if len(left) > 2:
        guess[RELATIONS.stem] = kinds.get(RELATIONS.stem, "")
    for cell, kind in zip(cells(len(guess), 240), guess, strict=True):
        needed = kind in _NEEDED
        choices = files if needed else ["", *left]
        chosen[kind] = cell.selectbox(
            f"The {kind}" + ("" if needed else " (optional)"),
            choices,
            index=choices.index(guess[kind]) if guess[kind] in choices else 0,
            key=f"data_file_{kind}_{_short(repr(files))}",
            format_func=lambda name: name or "none of them",
        )
    if not st.button("Use these files", type="primary", key="data_use"):
        return None
    st.session_state[_ASKED] = str(seen.folder)
    return {kind: file for kind, file in chosen.items() if file}


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]
