import pandas as pd
import streamlit as st

from micrec_core.figures import findings, retrain
from micrec_core.figures.data import degree_curves, domain_table
from micrec_core.ui import library
from micrec_core.ui.navigation import link
from micrec_core.ui.sidebar import opened
from micrec_core.ui.widgets import chart, empty, missing, page_head, plain, table_and_csv
from micrec_core.ui.words import words

page_head(
    "overview",
    "MICRec recommends across two shops at once, from interactions, texts and pictures, also to "
    "people and for items it was never trained on. Each finding below links to its evidence.",
)
this = opened()
info, data = this.info, this.info["dataset"]


def made_of() -> None:
    lacks = ", ".join(info["without"]) or "nothing"
    names = " and ".join(plain(label) for label in this.labels.values())
    kind = "made-up sample data" if this.synthetic else "data"
    st.markdown(
        f"Run **{plain(this.run.name)}**: model `{info['model']}`, variant `{info['variant']}` "
        f"(switched off: {plain(lacks)}), trained on {kind} **{plain(data['name'])}** with "
        f"**{names}**; {data['n_overlap']:,} people are known in more than one domain.",
        help=words("run", "variant", "domain", "overlapping user"),
    )


def show_findings() -> None:
    variants, summary = (
        this.frame("metrics/variants.parquet"),
        this.frame("metrics/summary.parquet"),
    )
    degree, alignment = (
        this.frame("metrics/degree.parquet"),
        this.frame("metrics/alignment.parquet"),
    )
    labels = this.labels
    found = [
        findings.known_users(variants, labels, this.seed) if variants is not None else None,
        findings.cold_domain(summary, labels, this.seed) if summary is not None else None,
        findings.low_degree(degree, labels) if degree is not None else None,
        findings.content_matters(variants, labels, this.seed) if variants is not None else None,
        findings.aligned_users(alignment) if alignment is not None else None,
    ]
    cards = [f for f in found if f is not None]
    if not cards:
        missing(this.run.name, "findings", "metrics/")
        return
    st.subheader("What was found", anchor=False, help=words("NDCG", "Recall", "interval"))
    for start in range(0, len(cards), 2):
        for column, finding in zip(st.columns(2), cards[start : start + 2]):
            with column, st.container(border=True, height="stretch"):
                st.markdown(f"**{plain(finding.title)}**")
                for line in finding.lines:
                    st.caption(plain(line))
                link(finding.page, finding.link)


def show_data() -> None:
    st.subheader("The data", anchor=False)
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
    source = " ".join(plain(data[k]) for k in ("source", "licence") if data[k])
    st.caption(f"Source: {source}" if source else "The dataset names no source.")
    if not this.run.has("catalogue.parquet"):
        return
    degrees = {label: library.catalogue(this, d)["degree"] for d, label in this.labels.items()}
    figure = degree_curves({k: v.to_numpy() for k, v in degrees.items()}, "Train interactions")
    parts = [pd.DataFrame({"domain": k, "degree": v}) for k, v in degrees.items()]
    chart(
        figure,
        pd.concat(parts).value_counts().rename("items").reset_index(),
        "overview-degrees",
        alt="Share of items with at least so many interactions, per domain",
        caption="Most items have few interactions: this is where text and pictures have to help.",
    )


def show_training() -> None:
    st.subheader("The training", anchor=False)
    history = library.history(this)
    if history.empty:
        empty("No history", "This run has no `history.jsonl`, so its training cannot be shown.")
    else:
        figure = retrain.valid_curves(history, this.labels, best_epoch=info["best_epoch"])
        chart(
            figure,
            history,
            "overview-training",
            alt="Validation NDCG@20 per domain over the epochs",
            caption="The epoch with the best validation score is kept; test data is touched once.",
        )


made_of()
show_findings()
left, right = st.columns(2, gap="large")
with left:
    show_data()
with right:
    show_training()
facts = {
    **{k: info[k] for k in ("created", "finished", "seed", "split", "device", "n_parameters")},
    **{f"config.{k}": v for k, v in info["config"].items()},
    **{f"version of {k}": v for k, v in info["versions"].items()},
    **{f"seconds: {k}": round(v, 1) for k, v in info["timings"].items()},
    **{f"note {i}": note for i, note in enumerate(data["notes"], start=1)},
}
facts_table = pd.DataFrame({"fact": list(facts), "value": [str(v) for v in facts.values()]})
table_and_csv(facts_table, "overview-facts", label="How this run was made")
