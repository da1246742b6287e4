"""Entry point: ``streamlit run app.py``.

``st.App`` hands every request to the router. A plain script beside a ``pages`` folder would be
served in Streamlit's old multipage mode, where a page opened by deep link on a fresh server runs
without this file.
"""

import sys

import streamlit as st

from micrec_core.bundled import PACKAGE

ROUTER = PACKAGE / "ui" / "router.py"
# Streamlit puts the script's folder on the search path before each run and takes it off after,
# unless it is there already. Taken off while the background imports, it hides the next folder.
if str(ROUTER.parent) not in sys.path:
    sys.path.append(str(ROUTER.parent))

app = st.App(ROUTER)
