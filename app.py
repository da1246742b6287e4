"""Entry point: ``streamlit run app.py``.

``st.App`` hands every request to the router. A plain script beside a ``pages`` folder would be
served in Streamlit's old multipage mode, where a page opened by deep link on a fresh server runs
without this file.
"""

import streamlit as st

app = st.App("micrec_core/ui/router.py")
