"""The script behind ``app.py``: page settings, sidebar, and the page that the address asks for."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from micrec_core.errors import MicrecError  # noqa: E402
from micrec_core.ui.navigation import is_home, pages  # noqa: E402
from micrec_core.ui.serve import warm_up  # noqa: E402
from micrec_core.ui.sidebar import sidebar  # noqa: E402
from micrec_core.ui.tour import banner, lead  # noqa: E402
from micrec_core.ui.widgets import problem  # noqa: E402

st.set_page_config(page_title="MICRec Explorer", page_icon=":material/hub:", layout="wide")
# Streamlit leaves 6 rem above every title and 5 beside it: much of a laptop's first screen.
st.html("<style>.stMainBlockContainer{padding:3.5rem clamp(1rem, 3vw, 5rem) 3rem}</style>")
page = st.navigation(pages(), position="sidebar", expanded=True)
if not is_home(page):
    lead(page)
    sidebar()
    banner(page)
try:
    page.run()
except MicrecError as error:
    problem(str(error))
warm_up()
