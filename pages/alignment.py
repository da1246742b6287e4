import streamlit as st

from micrec_core.figures import alignment as figures
from micrec_core.figures.picking import of_pair
from micrec_core.names import ALIGNMENT, ONE_DOMAIN
from micrec_core.ui import library
from micrec_core.ui.alignment import (
    METRICS,
    key_numbers,
    show_distances,
    show_moved,
    show_nearest,
)
from micrec_core.ui.both_maps import show_both
from micrec_core.ui.components import has_maps
from micrec_core.ui.item_maps import show_items
from micrec_core.ui.once import drawn
from micrec_core.ui.people_maps import show_people
from micrec_core.ui.sidebar import opened
from micrec_core.ui.state import follow
from micrec_core.ui.widgets import (
    cells,
    chart,
    choose_one,
    empty,
    fragment,
    missing,
    page_head,
    plain,
)

page_head(
    "alignment",
    "Each overlapping user is drawn twice, once per domain. Training should pull the two marks of "
    "one person together and keep different people apart: compare before with after.",
)
this = opened()


@fragment
def items() -> None:
    follow()
    show_items(this)


@fragment
def both() -> None:
    follow()
    show_both(this, library.snapshot_users(this), epochs[-1])


asked = this.run.has("serving.json")
if this.one_domain:
    empty("One domain: there is nothing to align", ONE_DOMAIN)
    if asked:
        st.header("The items", anchor=False)
        items()
    st.stop()
labels = this.pair_labels
epochs = library.snapshot_epochs(this)
metrics = this.frame(ALIGNMENT)
if metrics is not None:
    metrics = of_pair(metrics, *this.pair)
    key_numbers(metrics)
else:
    missing(this.run.path, "alignment metrics", ALIGNMENT)
if asked:
    kinds = {"people": "People", "items": "Items"}
    if has_maps() and len(labels) > 1 and epochs:
        kinds["both"] = "People beside items"
    of = choose_one("Map of", kinds, "al_of", "people", kinds.__getitem__)
    if of == "items":
        items()
        st.stop()
    if of == "both":
        both()
        st.stop()
if len(labels) < 2 or not epochs:
    kept = library.mapped_pair(this)
    empty(
        f"No maps of {' and '.join(map(plain, labels.values()))} in this run",
        "The maps need the vectors of users who are known in two domains. They are kept while "
        "training, for one pair of domains"
        + (f": choose {' and '.join(map(plain, kept))} at the left." if kept else "."),
        None if kept else "python -m micrec_core train DATASET --out runs/NAME",
    )
    st.stop()
users = library.snapshot_users(this)


@fragment
def maps() -> None:
    follow()
    view = show_people(this, users, epochs)
    show_distances(this, *view.epochs)
    show_moved(this, users, *view.epochs)
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
