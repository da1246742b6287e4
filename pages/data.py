import streamlit as st

from micrec_core.bundled import SAMPLE_DATA, from_home
from micrec_core.errors import MicrecError
from micrec_core.ui import kept, uploads
from micrec_core.ui.bring import first_look, show
from micrec_core.ui.glossary import words
from micrec_core.ui.own_tables import look_at_folder, look_at_upload
from micrec_core.ui.places import any_folder, data_folders
from micrec_core.ui.widgets import empty, page_head, plain, problem, say

page_head(
    "data",
    "Bring two tables, interactions and items, with pictures or without; they are checked before "
    "anything else happens, and all that is wrong is named with its file and line.",
)
with st.expander("What the tables look like", icon=":material/help:"):
    st.code(
        "interactions.csv   user_id,item_id,domain[,timestamp][,rating][,split]\n"
        "items.csv          item_id,domain,title[,description][,image]\n"
        "relations.csv      optional: head,relation,tail (what is known of items)\n"
        "dataset.toml       optional: name, labels, source, licence\n"
        "images/            optional: the pictures that items.csv names",
        language=None,
    )
    st.caption(
        "Other names of files and columns are asked for. Also .csv.gz, .tsv, .parquet, .jsonl, "
        ".arrow, folders of parts, RecBole's .inter, .item, .kg and .link; one domain or more. "
        'Further columns of items, and relations, are what Retrain offers under "Go by more".',
        help=words("domain"),
    )
say("data")


free = any_folder()
where = "A folder on this computer" if free else "A folder of this server"
try:
    wanted = kept.show_kept()
    st.header("Bring a dataset", anchor=False)
    folder, upload = st.tabs([where, "Upload"])
    with folder:
        path = st.text_input(
            "Folder",
            str(from_home(SAMPLE_DATA)) if SAMPLE_DATA.is_dir() else "",
            key="data_folder",
            placeholder="/path/to/dataset",
            help="A full path, or one that begins in the app's own folder."
            if free
            else "Below " + " or ".join(plain(from_home(root)) for root in data_folders()) + ".",
        )
        if st.button("Check", type="primary", icon=":material/fact_check:",
                     disabled=not path.strip()):  # fmt: skip
            wanted = path.strip()
    with upload:
        files = st.file_uploader(
            "A zip of tables and pictures, or the tables alone",
            uploads.TYPES,
            accept_multiple_files=True,
            key="data_files",
            max_upload_size=int(uploads.QUOTA_MB),
        )
        st.caption(f"All that you bring may have {uploads.QUOTA_MB:g} MB, unpacked.")
        asked = st.button("Check the upload", icon=":material/fact_check:", disabled=not files)
    if wanted or asked:
        st.session_state.pop("data_seen", None)
        with st.spinner("Reading and checking"):
            first_look(look_at_upload(files) if asked else look_at_folder(str(wanted)))
    if "data_seen" in st.session_state:
        show(st.session_state["data_seen"])
    else:
        empty(
            "Nothing checked yet",
            "Give a folder or upload tables; of a folder only dataset.toml is ever written, and "
            "only where you say how its tables are written.",
        )
except MicrecError as error:
    problem(str(error))
