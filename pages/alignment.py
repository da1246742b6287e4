import pandas as pd
import streamlit as st

from micrec_core.figures import alignment as figures
from micrec_core.figures.picking import of_pair
from micrec_core.names import ALIGNMENT, ONE_DOMAIN
from micrec_core.ui import library
from micrec_core.ui.alignment import (
    METRICS,
    choose_view,
    clear,
    how_many,
    key_numbers,
    light,
    made_up_place,
    selection,
    show_distances,
    show_nearest,
    stage,
)
from micrec_core.ui.once import drawn
from micrec_core.ui.sidebar import opened
from micrec_core.ui.state import session
from micrec_core.ui.widgets import (
    cells,
    chart,
    empty,
    missing,
    page_head,
    plain,
    table_and_csv,
)

page_head(
    "alignment",
    "Each overlapping user is drawn twice, once per domain. Training should pull the two marks of "
    "one person together and keep different people apart: compare before with after.",
)
this = opened()
if this.one_domain:
    empty("One domain: there is nothing to align", ONE_DOMAIN)
    st.stop()
labels = this.pair_labels
epochs = library.snapshot_epochs(this)
metrics = this.frame(ALIGNMENT)
if metrics is not None:
    metrics = of_pair(metrics, *this.pair)
    key_numbers(metrics)
else:
    missing(this.run.path, "alignment metrics", ALIGNMENT)
if len(labels) < 2 or not epochs:
    empty(
        f"No maps of {' and '.join(map(plain, labels.values()))} in this run",
        "The maps need the vectors of users who are known in two domains. They are kept while "
        "training, for one pair of domains.",
        "python -m micrec_core train DATASET --out runs/NAME",
    )
    st.stop()
users = library.snapshot_users(this)


@st.fragment
def maps() -> None:
    view = choose_view(this, epochs)
    lit = selection(users)
    titles = {f"{w} (epoch {e})": e for w, e in zip(("Before", "After"), view.epochs, strict=True)}
    stages = {title: stage(this, view.method, epoch, lit) for title, epoch in titles.items()}
    marks = {title: found.marks for title, found in stages.items()}
    at_end = session().made.touched and view.epochs[1] == epochs[-1]
    placed = made_up_place(this, view.method, epochs[-1]) if at_end else None
    table = pd.concat([f.assign(stage=name) for name, f in marks.items()])
    chart(
        drawn(
            figures.before_after,
            marks,
            labels,
            colour_by=view.colour,
            selected=lit,
            worst=view.worst,
            densities=[found.density for found in stages.values()],
            placed=placed,
        ),
        table,
        "al_map",
        alt="Two maps of the same users, before and after training, one mark per user and domain",
        caption="2-D distances are illustrative: every number on this page is of all "
        "dimensions. Draw a lasso in either map; the same people light up in both."
        + (" Stars: the user you made up, placed approximately." if placed is not None else ""),
        on_select=light,
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(how_many(this, next(iter(stages.values())), len(users), len(lit)))
        st.button("Clear selection", disabled=not lit, icon=":material/close:", on_click=clear)
    if lit:
        table_and_csv(table[table["user_id"].isin(lit)], "al_selected", label="Selected users")
    show_distances(this, *view.epochs)
    show_nearest(this, users, view.epochs[1])


maps()
if metrics is not None:
    st.header("Over the training", anchor=False)
    for column, name in zip(cells(2, 340), ("paired_cosine", "mrr"), strict=True):
        rows = metrics[metrics["metric"] == name]
        if len(rows):
            with column:
                chart(
                    drawn(figures.metric_curve, metrics, name, METRICS[name][0]),
                    rows,
                    f"al_{name}",
                    alt=f"{METRICS[name][0]} over the epochs with its interval and random baseline",
                )
