import pandas as pd
import streamlit as st

from micrec_core.figures import alignment as figures
from micrec_core.ui import library
from micrec_core.ui.alignment import (
    METRICS,
    key_numbers,
    light,
    show_distances,
    show_nearest,
    stage,
)
from micrec_core.ui.sidebar import opened
from micrec_core.ui.state import session
from micrec_core.ui.widgets import cells, chart, empty, missing, page_head, table_and_csv

page_head(
    "alignment",
    "Each overlapping user is drawn twice, once per domain. Training should pull the two marks of "
    "one person together and keep different people apart: compare before with after.",
)
this = opened()
labels = this.pair_labels
epochs = library.snapshot_epochs(this)
metrics = this.frame("metrics/alignment.parquet")
if metrics is not None:
    key_numbers(metrics)
else:
    missing(this.run.path, "alignment metrics", "metrics/alignment.parquet")
if len(labels) < 2 or not epochs:
    empty(
        "No snapshots in this run",
        "The maps need the vectors of users who are known in two domains, kept while training.",
        "python -m micrec_core train DATASET --out runs/NAME",
    )
    st.stop()
users = library.snapshot_users(this)


@st.fragment
def maps() -> None:
    with st.container(horizontal=True, gap="medium"):
        first, final = st.select_slider(
            "Epochs compared", epochs, value=(epochs[0], epochs[-1]), key="al_epochs", width=190
        )
        methods = sorted(library.layouts(this)["method"].unique(), reverse=True)
        method = st.segmented_control(
            "Layout",
            methods,
            default=methods[0],
            required=True,
            key="al_layout",
            bind="query-params",
            format_func=str.upper,
        )
        colour = st.segmented_control(
            "Colour by",
            list(figures.COLOUR_BY),
            default="domain",
            required=True,
            key="al_colour",
            bind="query-params",
            format_func=figures.COLOUR_BY.get,
        )
        worst = st.number_input(
            "Worst pairs joined", 0, 50, 10, key="al_worst", bind="query-params", width=140
        )
    stages = {
        f"{word_} (epoch {epoch})": stage(this, method, epoch)
        for word_, epoch in (("Before", first), ("After", final))
    }
    lit = session().lit
    chart(
        figures.before_after(stages, labels, colour_by=colour, selected=lit, worst=int(worst)),
        pd.concat([f.assign(stage=name) for name, f in stages.items()]),
        "al_map",
        alt="Two maps of the same users, before and after training, one mark per user and domain",
        caption="2-D distances are illustrative: what is measured below is measured in all "
        "dimensions. Draw a lasso in either map; the same people light up in both.",
        on_select=light,
    )
    shown = next(iter(stages.values()))["user_id"].nunique()
    st.caption(
        f"Showing {shown:,} of {this.info['dataset']['n_overlap']:,} people with interactions in "
        "both domains (at most 2,000; not those whose interactions were withheld from training); "
        f"{len(lit):,} selected."
    )
    if st.button("Clear selection", disabled=not lit, icon=":material/close:"):
        session().lit = ()
        st.rerun(scope="fragment")
    if lit:
        chosen = pd.concat([f.assign(stage=n) for n, f in stages.items()])
        table_and_csv(chosen[chosen["user_id"].isin(lit)], "al_selected", label="Selected users")
    show_distances(this, first, final)
    show_nearest(this, users, final)


maps()
if metrics is not None:
    st.subheader("Over the training", anchor=False)
    for column, name in zip(cells(2, 380), ("paired_cosine", "mrr"), strict=True):
        rows = metrics[metrics["metric"] == name]
        if len(rows):
            with column:
                chart(
                    figures.metric_curve(metrics, name, METRICS[name][0]),
                    rows,
                    f"al_{name}",
                    alt=f"{METRICS[name][0]} over the epochs with its interval and random baseline",
                )
