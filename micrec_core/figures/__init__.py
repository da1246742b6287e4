"""Pure functions that turn a table into a Plotly figure; nothing here reads a file or a widget."""
