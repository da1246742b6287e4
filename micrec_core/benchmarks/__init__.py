"""Named, repeatable benchmarks of speed and memory, with plain implementations as the peers."""

from micrec_core.benchmarks.measure import Options, Report, Target
from micrec_core.benchmarks.registry import BENCHMARKS, run_benchmarks
from micrec_core.benchmarks.table import read_reports, write_reports, write_table

__all__ = [
    "BENCHMARKS",
    "Options",
    "Report",
    "Target",
    "read_reports",
    "run_benchmarks",
    "write_reports",
    "write_table",
]
