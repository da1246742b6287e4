"""The builder of the Cold start page: persona, catalogue, sentence, picture of a made-up user."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from micrec_core.errors import DataError
from micrec_core.figures.recommendations import short
from micrec_core.ui import serve
from micrec_core.ui.address import MOST, news, say
from micrec_core.ui.cards import GRID, LINE, thumbnail, thumbnail_beside, title_of
from micrec_core.ui.finder import find_items
from micrec_core.ui.library import Opened, catalogue, item
from micrec_core.ui.once import once
from micrec_core.ui.said import show_words, weigh
from micrec_core.ui.state import TOOK_BACK, MadeUp, forget_fields, one_click, session
from micrec_core.ui.widgets import choose_domain, filled, named, plain, problem

_GALLERY = 12
# Items of a list that are on the first screen.
_LOOK = 3
# More likes than these have a scroll bar of their own, in a box so many pixels high.
_LIKES, _LIKES_HEIGHT = 10, 480
_PICTURE_BYTES = 10 * 2**20
_TEXT = 500
_BETWEEN = "~"


def from_address(opened: Opened) -> None:
    """Take the made-up user of a shared link; what the run does not know is left out."""
    asked = news("like", "says")
    if asked is None:
        return
    likes: dict[str, list[str]] = {}
    for domain, _, item_id in (said.partition(_BETWEEN) for said in asked["like"]):
        if domain in opened.labels and item(opened, domain, item_id) is not None:
            likes.setdefault(domain, []).append(item_id)
    made = MadeUp(likes, (asked["says"] or [""])[0][:_TEXT], touched=True)
    session().made = made
    st.session_state["cold_text"] = made.text


def into_address() -> None:
    """Keep what the visitor made up in the address, but for a picture."""
    made = session().made
    likes = [f"{d}{_BETWEEN}{i}" for d, ids in made.likes.items() for i in ids]
    say("like", likes if made.touched else [], "likes")
    say("says", [made.text] if made.touched and made.text.strip() else [], "sentences")


def _made_of(persona: dict[str, Any], **more: Any) -> MadeUp:
    likes = {d: [str(i) for i in ids] for d, ids in (persona.get("likes") or {}).items()}
    return MadeUp(likes, persona.get("text") or "", persona=persona["name"], **more)


def _take_persona(persona: dict[str, Any], touched: bool = True) -> None:
    session().made = _made_of(persona, touched=touched, lists=session().made.lists)
    st.session_state["cold_text"] = session().made.text


def _start_over() -> None:
    session().made = MadeUp(touched=True)
    forget_fields()


@one_click
def _toggle(domain: str, item_id: str) -> None:
    session().made.touched = True
    session().made.toggle(domain, item_id)
    st.session_state[TOOK_BACK] = item_id not in session().made.likes[domain]


def build(opened: Opened) -> None:
    """All of the builder, in the order a visitor needs it; side by side where there is room."""
    who, more = filled(2, 270, "cold_build")
    with who:
        start_from(opened)
        likes_of(opened)
    with more:
        _add_items(opened)
        say_something(opened)
        show_words(opened)
        _values(opened)
        _picture(opened)
        weigh(serve.sees(opened))


def start_from(opened: Opened) -> None:
    """Somebody to begin with."""
    personas = serve.personas(opened)
    if personas and session().made.is_empty and not session().made.touched:
        # A first-time visitor sees lists at once instead of an empty page.
        first = _first(opened.run.key, opened, personas)
        _take_persona(personas[first], touched=False)
    st.markdown("**Start from someone**" if personas else "**Make up someone**")
    with st.container(horizontal=True, gap="small"):
        for place, persona in enumerate(personas):
            st.button(
                plain(persona["name"]),
                key=f"cold_persona_{place}",
                help=plain(persona.get("sentence", "")) or None,
                on_click=_take_persona,
                args=(persona,),
                type="primary" if session().made.persona == persona["name"] else "secondary",
            )
        st.button(
            "Start over",
            icon=":material/restart_alt:",
            on_click=_start_over,
            disabled=session().made.is_empty,
            type="tertiary",
        )
    sentence = next((p["sentence"] for p in personas if p["name"] == session().made.persona), None)
    if sentence:
        st.caption(plain(sentence))


@st.cache_resource(max_entries=8, show_spinner=False)
def _first(key: str, _opened: Opened, _personas: list[dict[str, Any]]) -> int:
    """Whose lists begin best for a first look: with most items that have a title and a picture."""
    model, whole = serve.recommender(_opened), []
    for persona in _personas:
        user, seen = serve.made_up_user(model, _made_of(persona)), 0
        for domain in _opened.labels:
            rows = [item(_opened, domain, str(i)) for i in model.recommend(user, domain, k=_LOOK)
                    .items["item_id"]]  # fmt: skip
            seen += sum(map(_is_whole, rows))
        whole.append(seen)
    return whole.index(max(whole))


def _is_whole(row: pd.Series | None) -> bool:
    return row is not None and bool(row["title"]) and isinstance(row.get("thumbnail"), bytes)


def likes_of(opened: Opened) -> None:
    """What the made-up user likes, each to be taken back."""
    likes = [(d, i) for d in opened.labels for i in session().made.likes.get(d, ())]
    st.markdown(f"**Likes ({len(likes)})**")
    if not likes:
        more = " or give a picture" if serve.sees(opened) else ""
        st.caption(f"Nothing yet: add items below, write a sentence{more}.")
    if len(likes) > MOST:
        st.caption(f"An address holds {MOST} likes at most: a link to this page is without them.")
    with st.container(height=_LIKES_HEIGHT if len(likes) > _LIKES else "content"):
        for domain, item_id in likes:
            _like(opened, domain, item_id)


def _like(opened: Opened, domain: str, item_id: str) -> None:
    row = item(opened, domain, item_id)
    with st.container(horizontal=True, vertical_alignment="center", wrap=False, gap="small"):
        thumbnail_beside(opened, row, LINE)
        with st.container():
            st.text(title_of(row, item_id))
        st.button(
            named("", f"Take back {title_of(row, item_id)}"),
            icon=":material/close:",
            key=f"cold_remove_{domain}_{item_id}",
            help="Take this like back and watch the places move",
            type="tertiary",
            on_click=_toggle,
            args=(domain, item_id),
        )


def _add_items(opened: Opened) -> None:
    box = st.expander("Add items", icon=":material/add:", key="cold_add", on_change="rerun",
                      expanded=session().made.is_empty and not serve.personas(opened))  # fmt: skip
    if not box.open:
        return
    with box:
        domain = choose_domain(
            opened.labels, "cold_domain", opened.pair[0], label="From", bind=True
        )
        query = st.text_input("Search", key="cold_search", placeholder="pan, tea, red ...")
        found = once(find_items, catalogue(opened, domain), query or "", _GALLERY)
        if found.empty:
            st.caption("No item matches; try fewer words.")
        grid = st.grid(min_column_width=100, border=True, gap="xsmall")
        for _, row in found.iterrows():
            item_id = str(row["item_id"])
            liked = item_id in session().made.likes.get(domain, ())
            with grid.cell():
                thumbnail(opened, row, GRID)
                st.caption(plain(short(title_of(row, item_id))))
                st.button(
                    named("Liked" if liked else "Like", title_of(row, item_id)),
                    key=f"cold_like_{domain}_{item_id}",
                    icon=":material/favorite:" if liked else ":material/favorite_border:",
                    type="primary" if liked else "secondary",
                    on_click=_toggle,
                    args=(domain, item_id),
                    width="stretch",
                )


def say_something(opened: Opened, height: int = 80) -> None:
    """The sentence, where the run's model reads any; ``height`` in pixels."""
    made = session().made
    if not serve.reads(opened):
        made.text = ""
        return
    st.session_state.setdefault("cold_text", made.text)
    text = st.text_area(
        "Or say what they like",
        key="cold_text",
        max_chars=_TEXT,
        height=height,
        placeholder="dark roast coffee, hand-made cups",
    )
    if text != made.text:
        made.text, made.touched = text, True


def _values(opened: Opened) -> None:
    """What it should be: values of columns, and from which amount to which."""
    columns = serve.recommender(opened).columns()
    made, said = session().made, []
    if not columns:
        made.values = ""
        return
    with st.expander("Or say what it should be", icon=":material/sell:"):
        for column, values in columns.items():
            word, key = column.replace("_", " ").capitalize(), f"cold_column_{column}"
            if values and isinstance(values[0], float):
                whole = (values[0], values[-1])
                chosen = st.slider(f"{word} from .. to", *whole, whole, key=key)
                said += [f"{column}={chosen[0]:g}..{chosen[1]:g}"] if chosen != whole else []
            else:
                said += [f"{column}={value}" for value in st.multiselect(word, values, key=key)]
    words = "; ".join(said)
    if words != made.values:
        made.values, made.touched = words, True


def _picture(opened: Opened) -> None:
    made = session().made
    if not serve.sees(opened):
        made.image = None
        return
    number = st.session_state.get("cold_upload_no", 0)
    upload = st.file_uploader(
        "Or give a picture",
        ["png", "jpg", "jpeg", "webp"],
        key=f"cold_picture_{number}",
        max_upload_size=_PICTURE_BYTES // 2**20,
    )
    made.image = None
    if upload is not None:
        try:
            made.image, made.touched = checked_picture(upload.getvalue()), True
            st.image(made.image, width=120, alt="The picture you gave")
        except DataError as error:
            problem(str(error))


def checked_picture(content: bytes) -> bytes:
    """The upload if it is a picture within the limits, decoded once to be sure; else DataError."""
    from micrec_core.data.picture_files import load_image

    if len(content) > _PICTURE_BYTES:
        raise DataError(f"the picture is larger than {_PICTURE_BYTES >> 20} MB; make it smaller")
    load_image(content, name="the picture")
    return content
