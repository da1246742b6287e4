import streamlit as st

from micrec_core.modalities.registry import USUAL, listed
from micrec_core.ui import serve
from micrec_core.ui.made_up import proof
from micrec_core.ui.new_item import fold, make, show_place, show_ranks, show_who
from micrec_core.ui.sidebar import opened
from micrec_core.ui.widgets import beside, empty, needs_recommender, page_head

page_head(
    "new-item",
    "Make an item up: its place, its neighbours and who would get it are computed at once, "
    "without training. Change something, and watch the ranks move.",
)
this = opened()
needs_recommender(this.run)
if not serve.recommender(this).modalities:
    empty(
        "This run's model cannot place a new item",
        f"It takes no {listed(USUAL, 'or')}: it knows an item by interactions alone, and one "
        "made up here has none.",
        see="modalities",
    )
    st.stop()
left, right = beside("new_item")
with left:
    made = make(this)
with right:
    item = fold(this, made)
    if item is None:
        st.stop()
    show_ranks(this, item)
    show_who(this, item)
show_place(this, item)
proof(this, "item")
