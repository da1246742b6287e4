"""The run directory: written whole, verified when read, listed without ever raising."""

from micrec_core.runs.run_names import check_run_name
from micrec_core.runs.reader import Run, RunListing, list_runs, live_history, live_info, open_run
from micrec_core.runs.schema import SCHEMA_VERSION, DatasetInfo, DomainInfo, RunInfo
from micrec_core.runs.writer import RunWriter

__all__ = [
    "SCHEMA_VERSION",
    "DatasetInfo",
    "DomainInfo",
    "Run",
    "RunInfo",
    "RunListing",
    "RunWriter",
    "check_run_name",
    "list_runs",
    "live_history",
    "live_info",
    "open_run",
]
