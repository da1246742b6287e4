import pandas as pd
import streamlit as st

from micrec_core.figures import findings, verdicts
from micrec_core.figures import low_degree as figures
from micrec_core.figures.picking import pick
from micrec_core.names import BEYOND, DEGREE, DEGREE_ITEMS, LOW_DEGREE
from micrec_core.ui.glossary import words
from micrec_core.ui.low_degree import show_items
from micrec_core.ui.once import drawn
from micrec_core.ui.sidebar import opened
from micrec_core.ui.widgets import chart, missing, page_head, plain

page_head(
    "low-degree",
    "Who finds the items that hardly anybody took? Look at the left of each chart: the share of "
    "held-out interactions that is found there, and how many items it is of.",
)
this = opened(needs_model=False)
degree = this.frame(DEGREE)
beyond = this.frame(BEYOND)
items = this.frame(DEGREE_ITEMS)
one = verdicts.trainings(this.seed or 0, 1)


def show_bins(degree: pd.DataFrame) -> None:
    st.header("Found, by how known the item is", anchor=False, help=words("degree", "Recall"))
    rows = pick(degree, variant="full")
    claims = findings.Findings({LOW_DEGREE: this.frame(LOW_DEGREE)}, this.labels, this.seed)
    finding = claims.low_degree()
    first, said = figures.foremost(rows, finding)
    chart(
        drawn(figures.recall_by_bin, first, this.labels),
        rows,
        "low_recall",
        alt="Recall at 20 per degree bin for each model, above the number of items per bin",
        caption="Recall@20 on the item side: of all held-out interactions with the items of a bin, "
        "the share that stands in the user's first 20. 95 % intervals; hatched bars: fewer than 30 "
        f"items, read with care. {one.capitalize()}. {said} {this.masked}",
    )
    if finding is not None:
        st.markdown(f"**{plain(finding.title)}**")
        for line in finding.lines:
            st.caption(plain(line))
    if "diff" in rows and rows["diff"].notna().any():
        st.header("Difference from MICRec", anchor=False, help=words("interval"))
        chart(
            drawn(figures.differences_by_bin, first, this.labels),
            rows[rows["diff"].notna()],
            "low_differences",
            alt="Recall of other models minus MICRec's per degree bin, with intervals",
            caption="Paired by item: below the dotted line, the other model finds less. 95 % "
            "intervals over the items of a bin, not corrected for the number of bins and models: "
            "what is claimed was tested over all items of few interactions. "
            f"{one.capitalize()}. {said} {this.masked}",
        )


def show_beyond(beyond: pd.DataFrame) -> None:
    st.header("Beyond accuracy", anchor=False)
    rows = pick(beyond, variant="full")
    chart(
        drawn(figures.beyond_accuracy, rows, this.labels),
        rows,
        "low_beyond",
        alt="Coverage, popularity and likeness within lists per model and domain",
        caption="Coverage: share of the catalogue that is in anyone's list. Popularity: mean "
        "number of interactions of what is recommended. Likeness: mean similarity within a list. "
        f"{one.capitalize()}. {this.masked}",
    )


if degree is None:
    missing(this.run.path, "degree bins", DEGREE, compared=True)
else:
    show_bins(degree)
if beyond is None:
    missing(this.run.path, "coverage or popularity", BEYOND, compared=True)
else:
    show_beyond(beyond)
if items is None and this.is_comparison:
    st.caption("Single items are kept with each model's own run, not with a comparison.")
elif items is None:
    missing(this.run.path, "per-item results", DEGREE_ITEMS)
else:
    show_items(this, items)
