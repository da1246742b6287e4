"""The script behind ``app.py``: page settings, sidebar, and the page that the address asks for."""

from __future__ import annotations

import streamlit as st

from micrec_core.bundled import ICON
from micrec_core.ui.access import login_box, may
from micrec_core.ui.looks import CSS
from micrec_core.ui.navigation import is_home, pages
from micrec_core.ui.serve import warm_up
from micrec_core.ui.sidebar import say_unknown_run, sidebar
from micrec_core.ui.tour import banner, lead
from micrec_core.ui.widgets import empty, told

# A file: Streamlit has the browser fetch an icon that is given by name from a font host.
st.set_page_config(page_title="MICRec Explorer", page_icon=str(ICON), layout="wide")
st.html(f"<style>{CSS}</style>")
page = st.navigation(pages(), position="sidebar", expanded=True)
with st.sidebar:
    login_box()
if not may("see"):
    empty("Log in to see the runs", "This server shows its runs to those who log in, on the left.")
    st.stop()
with told():
    if not is_home(page):
        lead(page)
        sidebar()
        banner(page)
        say_unknown_run()
    page.run()
warm_up()
