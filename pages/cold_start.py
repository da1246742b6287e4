import streamlit as st

from micrec_core.ui import serve
from micrec_core.ui.alignment import show_map_of_made_up
from micrec_core.ui.glossary import words
from micrec_core.ui.left_out import choose_left_out
from micrec_core.ui.made_up import beside_simpler, proof, show_lists, steps
from micrec_core.ui.makeup import build, from_address, into_address
from micrec_core.ui.present import present, presenting, switch
from micrec_core.ui.rules import Rules, choose_rules
from micrec_core.ui.sidebar import opened
from micrec_core.ui.state import session
from micrec_core.ui.widgets import beside, empty, needs_recommender, page_head

if not presenting():
    page_head(
        "cold-start",
        "Make up a user: the lists are computed at once, in every domain, without training. "
        "Take a like back and watch the places move.",
    )
this = opened()
needs_recommender(this.run)

serve.recommender(this)  # a run that cannot be served says so before anything is drawn
from_address(this)
if presenting():
    present(this)
    into_address()
    st.stop()
left, right = beside("cold")
with left:
    build(this)
    into_address()
with right:
    if session().made.is_empty:
        what = "an item, a sentence or a picture" if serve.sees(this) else "an item or a sentence"
        empty("Nobody made up yet", f"Choose a person, or add {what}.")
        st.stop()
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        k = st.slider("Length of the lists", 3, 20, 5, key="cold_k", bind="query-params", width=320)
        switch()
    off = choose_left_out(this, "cold_off")
    rules = choose_rules(this)
    user = show_lists(this, k, off, rules)
    proof(this)

simpler, on_map, computation = st.tabs(
    ["Beside simpler models", "On the map", "Step by step"],
    key="cold_tabs",
    on_change="rerun",
    bind="query-params",
)
if simpler.open:
    with simpler:
        beside_simpler(this, user, 6, changed=bool(off) or rules != Rules())
if on_map.open:
    with on_map:
        show_map_of_made_up(this)
if computation.open:
    with computation:
        st.caption("How the vectors and the score come about.", help=words("fold-in", "template",
                   "neighbours", "bridge", "memory"))  # fmt: skip
        steps(this, user)
