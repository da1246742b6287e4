"""Making the run that comes with the app.

It withholds new users, new items and cold users, so that every page's claims come from a run that
withheld for them, and holds the comparison with every variant and baseline, and curves of what is
left with less data.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from micrec_core.comparing.variants import train_curves, train_variants
from micrec_core.config import RunSettings
from micrec_core.data.progress import Progress, silent
from micrec_core.errors import ConfigError
from micrec_core.running.train import train_run
from micrec_core.training.prepare import cache_folder

MOST_BYTES = 24 * 2**20


def make_sample_run(
    data: Path,
    out: Path,
    *,
    seeds: tuple[int, ...] = (0, 1, 2),
    shares: tuple[float, ...] = (),
    device: str = "cpu",
    progress: Progress = silent,
) -> int:
    """Train the bundled run with variants and curves and put it in place of ``out``.

    Parameters
    ----------
    seeds : of the variants; the first is the run's and the curves'
    shares : points of the curves; each protocol has its own by default

    Returns
    -------
    bytes of the run

    Raises
    ------
    ConfigError
        It is too large to come with the app; ``out`` is as it was.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    common: dict[str, Any] = {"device": device, "progress": progress, "cache": cache_folder()}
    # Beside the target: the run is moved into place whole, and the old one stays till then.
    with tempfile.TemporaryDirectory(prefix=".sample-run-", dir=out.parent) as folder:
        made = Path(folder) / out.name
        train_run(data, made, RunSettings(split="inductive", seed=seeds[0]), **common)
        train_variants(made, data, seeds=seeds, **common)
        train_curves(made, data, shares=shares, seeds=seeds[:1], **common)
        size = sum(file.stat().st_size for file in made.rglob("*") if file.is_file())
        if size > MOST_BYTES:
            raise ConfigError(
                f"the run has {size:,} bytes and may have {MOST_BYTES:,} to come with the app; "
                "train it on fewer users and items"
            )
        shutil.rmtree(out, ignore_errors=True)
        shutil.move(made, out)
    return size
