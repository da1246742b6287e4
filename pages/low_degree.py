import pandas as pd
import streamlit as st

from micrec_core.figures import low_degree as figures
from micrec_core.figures.tables import DEGREE_BINS, pick
from micrec_core.ui import library
from micrec_core.ui.cards import picture_column, title_of, with_pictures
from micrec_core.ui.sidebar import opened
from micrec_core.ui.widgets import cells, chart, choose_domain, missing, page_head
from micrec_core.ui.words import words

page_head(
    "low-degree",
    "Most items have a handful of interactions, and most models serve only the famous. Look at the "
    "left of each chart: the share of held-out interactions that is found there.",
)
this = opened()
degree = this.frame("metrics/degree.parquet")
beyond = this.frame("metrics/beyond.parquet")
items = this.frame("metrics/degree_items.parquet")


def show_bins(degree: pd.DataFrame) -> None:
    st.subheader("Found, by how known the item is", anchor=False, help=words("degree", "Recall"))
    rows = pick(degree, variant="full")
    chart(
        figures.recall_by_bin(rows, this.labels),
        rows,
        "low_recall",
        alt="Recall at 20 per degree bin for each model, above the number of items per bin",
        caption="Recall@20 on the item side: of all held-out interactions with the items of a bin, "
        "the share that stands in the user's first 20. 95 % intervals; hatched bars: fewer than 30 "
        "items, read with care.",
    )


def show_beyond(beyond: pd.DataFrame) -> None:
    st.subheader("Beyond accuracy", anchor=False)
    rows = pick(beyond, variant="full")
    chart(
        figures.beyond_accuracy(rows, this.labels),
        rows,
        "low_beyond",
        alt="Coverage, popularity and likeness within lists per model and domain",
        caption="Coverage: share of the catalogue that is in anyone's list. Popularity: mean "
        "number of interactions of what is recommended. Likeness: mean similarity within a list.",
    )


@st.fragment
def drill(items: pd.DataFrame) -> None:
    st.subheader("Which items", anchor=False)
    left, right = cells(2, 240)
    with left:
        domain = choose_domain(this.labels, "low_domain", this.pair[0], bind=True)
    bins = set(items["bin"].astype(str))
    have = [b for b in DEGREE_BINS if b in bins]
    with right:
        chosen = st.segmented_control(
            "Interactions in training",
            have,
            default=have[min(1, len(have) - 1)],
            required=True,
            key="low_bin",
            bind="query-params",
        )
    rows = items[(items["domain"] == domain) & (items["bin"].astype(str) == chosen)]
    rows = rows[rows["n_positives"] > 0]
    share = rows["hits"].sum() / max(rows["n_positives"].sum(), 1)
    st.markdown(
        f"**{len(rows):,}** items with {chosen} interactions were held out "
        f"**{int(rows['n_positives'].sum()):,}** times; **{int(rows['hits'].sum()):,}** "
        f"({share:.1%}) were found in the first 20 of this run's model."
    )
    top = rows.sort_values(["hits", "n_positives"], ascending=False).head(100)
    if this.run.has("catalogue.parquet"):
        titles = [library.item(this, domain, str(i)) for i in top["item_id"]]
        ids = top["item_id"].astype(str)
        top = top.assign(title=[title_of(t, i) for t, i in zip(titles, ids)])
        top = with_pictures(this, domain, top)
    keep = [c for c in ("picture", "title", "item_id", "degree", "n_positives", "hits") if c in top]
    st.dataframe(
        top[keep],
        hide_index=True,
        width="stretch",
        row_height=48,
        column_config={
            **picture_column(),
            "title": "Item",
            "item_id": "Id",
            "degree": "Interactions",
            "n_positives": st.column_config.NumberColumn("Held out", help="Test interactions"),
            "hits": st.column_config.NumberColumn("Found", help="In the user's first 20"),
        },
    )
    st.caption("The 100 most often found are shown; the table can be sorted and downloaded.")


if degree is None:
    missing(this.run.path, "degree bins", "metrics/degree.parquet", compared=True)
else:
    show_bins(degree)
if beyond is None:
    missing(this.run.path, "coverage or popularity", "metrics/beyond.parquet", compared=True)
else:
    show_beyond(beyond)
if items is None:
    missing(this.run.path, "per-item results", "metrics/degree_items.parquet")
else:
    drill(items)
