import pandas as pd
import streamlit as st

from micrec_core.figures.recommendations import sources
from micrec_core.ui import serve
from micrec_core.ui.cards import legend
from micrec_core.ui.finder import pick_user
from micrec_core.ui.known import compare, explain, lists, pasts
from micrec_core.ui.left_out import choose_left_out
from micrec_core.ui.sidebar import opened
from micrec_core.ui.widgets import needs_recommender, page_head

page_head(
    "recommendations",
    "What the user took, what the model would show next, and the exact reasons for one item.",
)
this = opened()
needs_recommender(this.run)
user_id = pick_user(this, "rec")
if user_id is None:
    st.stop()
known = serve.known_in(this, user_id)
user = serve.recommender(this).user(id=user_id)
k = st.slider("Length of the lists", 3, 30, 5, key="rec_k", bind="query-params", width=320)

pasts(this, user_id, known)
off = choose_left_out(this, "rec_off")
found = lists(this, user, k, off)
legend(sources(pd.concat(found.values())))
if off:
    st.caption(
        "Why an item stands where it does, and what another run lists, is told of the whole model: "
        "switch everything on again."
    )
else:
    explain(this, user, found)
    compare(this, user_id, found, k)
