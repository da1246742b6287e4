from collections.abc import Callable

import streamlit as st

from micrec_core.bundled import SAMPLE_DATA, from_home
from micrec_core.errors import MicrecError
from micrec_core.ui import uploads
from micrec_core.ui.glossary import words
from micrec_core.ui.navigation import link
from micrec_core.ui.own_tables import (
    Summary,
    check_folder,
    check_upload,
    choose_dialect,
    show_summary,
)
from micrec_core.ui.places import any_folder, data_folders
from micrec_core.ui.widgets import empty, page_head, plain, problem

page_head(
    "data",
    "Bring two tables, interactions and items; they are checked before anything else happens, and "
    "what is wrong is named with its file and line.",
)
with st.expander("What the tables look like", icon=":material/help:"):
    st.code(
        "interactions.csv   user_id,item_id,domain[,timestamp][,rating][,split]\n"
        "items.csv          item_id,domain,title[,description][,image]\n"
        "dataset.toml       optional: name, labels, source, licence\n"
        "images/            optional: the pictures that items.csv names",
        language=None,
    )
    st.caption(
        "Also .csv.gz, .tsv, .parquet, .jsonl, folders of such parts, RecBole's .inter and .item; "
        "one domain or more.",
        help=words("domain"),
    )


def keep(check: Callable[[], Summary]) -> None:
    """Keep what a check finds for the rest of the page, or show what it refuses."""
    st.session_state.pop("data_summary", None)
    try:
        with st.spinner("Reading and checking"):
            st.session_state["data_summary"] = check()
    except MicrecError as error:
        problem(str(error))


written = choose_dialect()
free = any_folder()
where = "A folder on this computer" if free else "A folder of this server"
folder, upload = st.tabs([where, "Upload tables"])
with folder:
    default = str(from_home(SAMPLE_DATA)) if SAMPLE_DATA.is_dir() else ""
    path = st.text_input(
        "Folder",
        default,
        key="data_folder",
        placeholder="/path/to/dataset",
        help="A full path, or one that begins in the app's own folder."
        if free
        else "Below " + " or ".join(plain(from_home(root)) for root in data_folders()) + ".",
    )
    drop = st.checkbox("Drop interactions whose item is not in the item table", key="data_drop")
    if st.button("Check", type="primary", icon=":material/fact_check:", disabled=not path.strip()):
        keep(lambda: check_folder(path.strip(), drop, written))
with upload:
    files = st.file_uploader(
        "interactions, items and, if there is one, dataset.toml",
        ["csv", "tsv", "gz", "parquet", "jsonl", "inter", "item", "toml"],
        accept_multiple_files=True,
        key="data_files",
    )
    st.caption(
        "Pictures are not uploaded; for pictures, give the folder. What you upload goes after "
        f"{uploads.KEEP_DAYS:g} days, and may have {uploads.QUOTA_MB:g} MB in all."
    )
    if st.button("Check the upload", icon=":material/fact_check:", disabled=not files):
        keep(lambda: check_upload(files, written))
summary = st.session_state.get("data_summary")
if summary is None:
    empty(
        "Nothing checked yet",
        "Give a folder or upload tables; only dataset.toml is ever written, and "
        "only where names or marks are given above.",
    )
else:
    show_summary(summary)
    if not summary.described["refusal"]:
        link("retrain", "Train on this data")
