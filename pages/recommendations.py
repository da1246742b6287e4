import pandas as pd
import streamlit as st

from micrec_core.errors import MicrecError
from micrec_core.figures import recommendations as figures
from micrec_core.ui import serve
from micrec_core.ui.cards import gallery, legend, recommendation_cards
from micrec_core.ui.library import listings, open_listed
from micrec_core.ui.search import pick_user
from micrec_core.ui.sidebar import opened
from micrec_core.ui.widgets import cells, chart, empty, page_head, plain, problem
from micrec_core.ui.words import words

page_head(
    "recommendations",
    "What the user took, what the model would show next, and the exact reasons for one item.",
)
this = opened()
_HISTORY = 12
if not (this.run.has("serving.json") and this.run.has("catalogue.parquet")):
    empty(
        "This run cannot be asked",
        "It lacks `serving.json` or `catalogue.parquet`.",
        "python -m micrec_core train DATASET --out runs/NAME",
    )
    st.stop()
user_id = pick_user(this, "rec")
if user_id is None:
    st.stop()
model = serve.recommender(this)
user, known = serve.labelled_user(this, user_id)
k = st.slider("Length of the lists", 3, 30, 5, key="rec_k", bind="query-params")


def domain_column(domain: str) -> pd.DataFrame | None:
    st.subheader(plain(this.labels[domain]), anchor=False)
    if domain in known:
        past = model.history(user_id, domain)
        st.markdown(f"**Took {len(past)} items**")
        gallery(this, domain, past.head(_HISTORY))
        if len(past) > _HISTORY:
            st.caption(f"The first {_HISTORY} are shown.")
    else:
        st.caption("Took nothing here in training: the list is made from the other domain.")
    answer = model.recommend(user, domain, k=k)
    st.markdown(f"**Recommended** · {answer.kind}, {answer.milliseconds:.0f} ms",
                help=words("hot, warm, cold"))  # fmt: skip
    recommendation_cards(this, domain, answer.items)
    return answer.items


def explain(lists: dict[str, pd.DataFrame]) -> None:
    st.subheader("Why this item?", anchor=False)
    choices = {
        (d, str(r.item_id)): f"{this.labels[d]}: {place}. {r.title}"
        for d, items in lists.items()
        for place, r in enumerate(items.itertuples(), start=1)
    }
    if not choices:
        return
    domain, item_id = st.selectbox("Item", list(choices), format_func=choices.get, key="rec_item")
    found = model.explain(user, domain, item_id)
    total = found.table["contribution"].sum()
    chart(
        figures.contributions(found.table),
        found.table,
        "rec_explain",
        alt="Largest contributions to the score of the chosen item, by source and contributor",
        caption=f"{len(found.table):,} contributions add up to {total:.4f}; the score is "
        f"{found.score:.4f}. They are exact, not estimated.",
    )


def compare(lists: dict[str, pd.DataFrame]) -> None:
    st.subheader("Beside another run", anchor=False)
    others = [n for n, f in listings().items() if f.problem is None and n != this.run.name]
    other_name = st.selectbox(
        "Other run", others, index=None, key="rec_other", placeholder="choose a run"
    )
    if not others:
        st.caption("There is no other run yet: the Retrain page makes one.")
    if other_name is None:
        return
    other = open_listed(listings()[other_name])
    rival = serve.recommender(other)
    for column, (domain, items) in zip(cells(len(lists), 320), lists.items(), strict=True):
        with column:
            if domain not in other.labels or not serve.labelled_user(other, user_id)[1]:
                st.caption("The other run does not know this domain or this user.")
                continue
            theirs = rival.recommend(rival.user(id=user_id), domain, k=k).items
            table = figures.compared(items, theirs)
            st.markdown(f"**{plain(this.labels[domain])}**")
            chart(
                figures.slopes(table, (this.run.name, other_name), this.place(domain)),
                table,
                f"rec_compare_{domain}",
                alt="Places of the items in the two runs' lists, joined by lines",
                caption="Grey: only in one of the two lists.",
            )


try:
    lists: dict[str, pd.DataFrame] = {}
    for column, name in zip(cells(len(this.labels), 300), this.labels, strict=True):
        with column:
            items = domain_column(name)
            if items is not None:
                lists[name] = items
    if lists:
        legend(figures.sources(next(iter(lists.values()))))
    explain(lists)
    compare(lists)
except MicrecError as error:
    problem(str(error))
