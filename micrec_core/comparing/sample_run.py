"""``python -m micrec_core.comparing.sample_run``: make the run that comes with the app, anew.

``sample`` withholds new users, new items and cold users, so that every page's claims come from a
run that withheld for them, and holds the comparison with every variant and baseline, and curves of
what is left with less data, of one seed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from micrec_core.comparing.run_curves import train_curves
from micrec_core.comparing.variants import train_variants
from micrec_core.config import RunSettings
from micrec_core.data.progress import Progress, silent
from micrec_core.errors import MicrecError
from micrec_core.running.train import train_run
from micrec_core.training.prepare import cache_folder

RUNS = {"sample": "inductive"}
MOST_BYTES = 12 * 2**20
_ROOT = Path(__file__).resolve().parents[2]


def make_sample_runs(
    data: Path,
    out: Path,
    *,
    seeds: tuple[int, ...] = (0, 1, 2),
    shares: tuple[float, ...] = (),
    device: str = "cpu",
    progress: Progress = silent,
) -> dict[str, int]:
    """Train the bundled run with variants and curves and put it in place of what ``out`` has.

    Parameters
    ----------
    seeds : of the variants; the first is the run's and the curves'
    shares : points of the curves; each protocol has its own by default

    Returns
    -------
    bytes of each run
    """
    out.mkdir(parents=True, exist_ok=True)
    sizes = {}
    # Beside the target: runs are moved into place whole, and the old ones stay till then.
    with tempfile.TemporaryDirectory(prefix=".sample-runs-", dir=out) as folder:
        for name, split in RUNS.items():
            made = Path(folder) / name
            settings = RunSettings(split=split, seed=seeds[0])  # type: ignore[arg-type]
            train_run(data, made, settings, device=device, progress=progress, cache=cache_folder())
            train_variants(
                made, data, seeds=seeds, device=device, progress=progress, cache=cache_folder()
            )
            train_curves(
                made, data, shares=shares, seeds=seeds[:1], device=device, progress=progress,
                cache=cache_folder(),
            )  # fmt: skip
            shutil.rmtree(out / name, ignore_errors=True)
            shutil.move(made, out / name)
            files = (out / name).rglob("*")
            sizes[name] = sum(f.stat().st_size for f in files if f.is_file())
    return sizes


def main(words: list[str] | None = None) -> int:
    """Make the runs; 2 where they would be too large to come with the app."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=_ROOT / "sample_data")
    parser.add_argument("--out", type=Path, default=_ROOT / "assets" / "runs")
    parser.add_argument("--seeds", default="0,1,2", help="the first is of the runs themselves")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args(words)
    seeds = tuple(int(seed) for seed in given.seeds.split(","))

    def tell(what: str, done: int, total: int) -> None:
        counted = f" {done} of {total}" if total else ""
        sys.stderr.write(f"{what}{counted}\n")

    try:
        sizes = make_sample_runs(
            given.data, given.out, seeds=seeds, device=given.device, progress=tell
        )
    except MicrecError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    total = sum(sizes.values())
    sys.stderr.write(f"{sizes} bytes, {total / 2**20:.1f} MiB in all\n")
    if total > MOST_BYTES:
        sys.stderr.write(f"that is more than {MOST_BYTES / 2**20:.0f} MiB\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
