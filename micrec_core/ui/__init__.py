"""Router, session, sidebar and widgets: with the pages, the only code that knows Streamlit."""
