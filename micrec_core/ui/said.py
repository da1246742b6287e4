"""What a made-up person's sentence comes to: its words lit or grey, and how much it counts."""

from __future__ import annotations

import streamlit as st

from micrec_core.ui import serve
from micrec_core.ui.cards import title_of
from micrec_core.ui.library import Opened, item
from micrec_core.ui.state import session
from micrec_core.ui.widgets import plain

_MOST = 20
_MARKS = {"known": ":green-background[**{}**]", "unknown": ":gray-background[{}]", "little": "{}"}


def show_words(opened: Opened) -> None:
    """Known words lit, unknown ones grey and said; the items through which a known one speaks."""
    text = session().made.text.strip()
    if not text:
        return
    read = serve.recommender(opened).words(text)
    if read is None:
        st.caption("This run's encoder reads whole sentences: every word counts.")
        return
    st.markdown(" ".join(_MARKS[w.kind].format(plain(w.text)) for w in read))
    unknown = [plain(w.text) for w in read if w.kind == "unknown"]
    if unknown:
        st.caption(f"Grey: {', '.join(unknown)} stood in no item that was read, so it counts for "
                   "nothing.")  # fmt: skip
    box = st.expander("Through which items the words speak", icon=":material/record_voice_over:",
                      key="cold_words", on_change="rerun")  # fmt: skip
    if not box.open:
        return
    with box:
        for word in dict.fromkeys(w for w in read if w.through):
            items = [title_of(item(opened, d, i), i) for d, i in word.through]
            st.caption(f"**{plain(word.text)}**: {'; '.join(map(plain, items))}")


def weigh(pictures: bool) -> None:
    """How many likes the sentence counts as, and the picture where there are ``pictures``."""
    made = session().made
    if not (made.text.strip() or made.image) or not any(made.likes.values()):
        made.counts_as = 1
        return
    what = "sentence or picture" if pictures else "sentence"
    made.counts_as = st.slider(
        f"The {what} counts as ... likes", 1, _MOST, 1, key="cold_counts",
        bind="query-params",
        help="As if that many of the likes said the same. Nothing is learned: the profile is a "
        "sum, and this is its weight in it.",
    )  # fmt: skip
