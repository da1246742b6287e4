from micrec_core.ui.library import runs_folder
from micrec_core.ui.runs import act_on, show, table, take_in
from micrec_core.ui.widgets import empty, page_head, say

page_head(
    "runs",
    "Choose one below the table to open it, to note something, to hand it on as a file or to "
    "delete it. A click on a column's head sorts.",
)
say("runs")
runs = table()
if runs.empty:
    empty("No run yet", f"None was found in `{runs_folder()}`: train one, or import one below.",
          "python -m micrec_core train DATASET --out runs/NAME", see="retrain")  # fmt: skip
else:
    chosen = show(runs)
    if chosen is not None:
        act_on(chosen)
take_in()
