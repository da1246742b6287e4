"""Processes told from any other that had or will have their id, and signals to them."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path


def process_start(pid: int) -> str | None:
    """Return what tells this process from any other that had or will have its id; None if gone.

    A zombie counts as gone.
    """
    if Path("/proc/self/stat").exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        # The second field, the program's name, may hold blanks and brackets.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"
    shown = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return None if not shown or shown.startswith("Z") else shown.partition(" ")[2].strip()


def signal_group(pid: int, number: int) -> None:
    """Signal a process that leads a group, and its group; no harm where it has gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
