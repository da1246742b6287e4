import streamlit as st

from micrec_core.figures import retrain
from micrec_core.figures.data import degree_counts, degree_curves, domain_table, few_said
from micrec_core.mechanisms import variant_label
from micrec_core.modalities.registry import listed
from micrec_core.names import CATALOGUE, model_label
from micrec_core.ui import library
from micrec_core.ui.glossary import words
from micrec_core.ui.once import drawn, once
from micrec_core.ui.overview import show_findings
from micrec_core.ui.sidebar import opened
from micrec_core.ui.tour import start_button
from micrec_core.ui.widgets import cells, chart, empty, page_head, plain, table_and_csv

page_head(
    "overview",
    "MICRec recommends across shops, from interactions and from what items say of themselves, also "
    "to people and for items it was never trained on. Each finding below links to its evidence.",
)
this = opened(needs_model=False)
info, data = this.info, this.info["dataset"]


def made_of() -> None:
    without = [plain(variant_label(part)) for part in info["without"]]
    lacks = f" {', '.join(without)}" if without else ", nothing switched off"
    names = listed(plain(label) for label in this.labels.values())
    kind = "made-up sample data" if this.synthetic else "data"
    model = (
        f"model {plain(model_label(info['model']))}{lacks}"
        if not this.is_comparison
        else "several models, compared under one protocol"
    )
    st.markdown(
        f"Run **{plain(this.run.name)}**: {model}, trained on {kind} **{plain(data['name'])}** "
        f"with **{names}**{this.in_common}",
        help=words("run", "variant", "domain", "overlapping user"),
    )


def show_data() -> None:
    st.header("The data", anchor=False)
    table = domain_table(data["domains"])
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        column_config={
            **{c: st.column_config.NumberColumn(format="localized") for c in table.columns[1:]},
            "Density": st.column_config.NumberColumn(format="percent", help="Share of all pairs."),
        },
    )
    source = f"Source: {plain(data['source'].rstrip('.'))}. " if data["source"] else ""
    licence = f"Licence: {plain(data['licence'])}." if data["licence"] else ""
    st.caption(source + licence or "The dataset names neither source nor licence.")
    if not this.run.has(CATALOGUE):
        return
    degrees = {label: library.catalogue(this, d)["degree"] for d, label in this.labels.items()}
    counts = {k: v.to_numpy() for k, v in degrees.items()}
    chart(
        drawn(degree_curves, counts, "Train interactions"),
        once(degree_counts, degrees, "items"),
        "overview-degrees",
        alt="Share of items with at least so many interactions, per domain",
        caption=f"{plain(few_said(counts))}. There what items say of themselves has to help.",
    )


def show_training() -> None:
    st.header("The training", anchor=False)
    history = this.history()
    if this.is_comparison:
        st.caption("A comparison keeps the results of its trainings, not their epochs.")
    elif history.empty:
        empty("No history", "This run has no `history.jsonl`, so its training cannot be shown.")
    else:
        chart(
            drawn(retrain.valid_curves, history, this.labels, best_epoch=info["best_epoch"]),
            history,
            "overview-training",
            alt="Validation NDCG@20 per domain over the epochs",
            caption="The epoch with the best validation score is kept; test data is touched once.",
        )


made_of()
with st.container(horizontal=True, vertical_alignment="center"):
    st.download_button(
        "Download report",
        lambda: library.report(this),
        file_name=f"{this.run.name}.html",
        mime="text/html",
        icon=":material/description:",
        help="One HTML file with the charts and tables of this run; it opens without a network.",
        on_click="ignore",
    )
    start_button()
show_findings(this)
left, right = cells(2, 380)
with left:
    show_data()
with right:
    show_training()
table_and_csv(library.facts(this), "overview-facts", label="How this run was made")
