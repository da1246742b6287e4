"""Record the numbers that these tests hold the library to: ``python -m tests.golden.record``.

All of them, or those that are named: the names of ``TRAININGS`` in ``plan.py``, ``variants``,
``comparison``, ``bundled``, ``releases`` and ``real`` (the last takes minutes). Record a part anew
only where its numbers were meant to change, and say in the commit what changed and why. To compare
two commits on another machine than the numbers are of, record at the first, run the tests at the
second, and commit nothing of it.

The two stored datasets and the run of the last release are made by ``stores`` alone, which is never
done along with the rest: a run of a release is worth keeping for having been written by it. So is
``bundled``, a run that came with the app, of which what is asked here is kept.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from tests.golden import plan
from tests.golden.adapter import command
from tests.golden.recording import (
    BUNDLED,
    DATA,
    REAL_DATA,
    digest,
    environment,
    frames,
    history,
    one_thread,
    pack,
    plain,
    served,
    train,
    trained,
    unpack,
    write,
)
from tests.golden.releases import LACKING, as_version, told

_PICTURE, _TINY_PICTURES = 32, 8


def record(names: Sequence[str], folder: Path) -> None:
    """Record what is named, or everything but ``stores``, working in ``folder``."""
    os.environ["MICREC_CACHE"] = str(folder / "cache")
    if list(names) == ["stores"]:
        make_stores(folder)
        return
    parts = [*plan.TRAININGS, "variants", "comparison", "bundled", "releases", "real"]
    unknown = set(names) - set(parts)
    if unknown:
        sys.exit(f"there is nothing called {', '.join(sorted(unknown))} among {', '.join(parts)}")
    note = DATA / "environment.json"
    here = environment()
    if note.exists() and names and json.loads(note.read_text()) != here:
        sys.exit("recorded on another machine or with other libraries: record everything")
    note.write_text(json.dumps(here, indent=1) + "\n")
    shop = unpack("shop", folder / "shop")
    for name in names or parts:
        sys.stderr.write(f"{name}\n")
        if name in plan.TRAININGS:
            record_training(name, shop, folder)
        else:
            {
                "variants": record_variants,
                "comparison": record_comparison,
                "bundled": record_bundled,
                "releases": record_releases,
                "real": record_real,
            }[name](shop, folder)


def record_training(name: str, shop: Path, folder: Path) -> None:
    """One of ``TRAININGS``."""
    run = train(name, shop, folder / name, folder / "cache")
    found = trained(name, run, shop)
    if name in plan.SERVED:
        found["served"] = served(run, plan.ASKED_SHOP, shop / "images")
    write(name, found)


def record_variants(shop: Path, folder: Path) -> None:
    """Variants beside a run."""
    run = train("micrec", shop, folder / "varied", folder / "cache")
    write("variants", variants(run, shop))


def variants(run: Path, shop: Path) -> dict[str, Any]:
    """Train variants of a run; its table of them."""
    command("variants", run, "--dataset", shop, *plan.VARIANTS, "--device", "cpu")
    table = pd.read_parquet(run / "metrics" / "variants.parquet")
    return {"variants": plain(table[table["metric"].isin(["ndcg@20", "recall@20"])])}


def record_comparison(shop: Path, folder: Path) -> None:
    """A comparison of two baselines."""
    write("comparison", comparison(shop, folder / "compared"))


def comparison(shop: Path, out: Path) -> dict[str, Any]:
    """Compare models; the tables of tests and of what was tried."""
    command("compare", shop, "--out", out, *plan.COMPARISON, "--device", "cpu")
    tables = {name: pd.read_parquet(out / f"{name}.parquet") for name in ("tests", "tuning")}
    found = {name: plain(table) for name, table in tables.items()}
    return found | {"summary": frames(out, own=None)["summary"]}


def record_bundled(shop: Path, folder: Path) -> None:
    """A run that came with the app."""
    write("bundled", bundled(shop))


def bundled(shop: Path) -> dict[str, Any]:
    """What the bundled run says, and which run it is."""
    return {
        "serving": digest(BUNDLED / "serving.safetensors"),
        "metrics": command("evaluate", BUNDLED, "--json")["metrics"],
        "history": history(BUNDLED),
        "served": served(BUNDLED, plan.ASKED_BUNDLED, shop / "images"),
    }


def record_releases(shop: Path, folder: Path) -> None:
    """The run of the last release, and the versions before it."""
    place = unpack("last_release", folder / "last_release")
    found = {}
    for version in LACKING:
        run = as_version(place / "run", version, folder / f"version-{version}")
        anew = version > 1
        found[str(version)] = told(run, place / "tables", shop / "images", anew, folder)
    write("releases", found)


def record_real(shop: Path, folder: Path) -> None:
    """The default model on data that is no part of the project; of it only these numbers."""
    if not REAL_DATA.is_dir():
        sys.stderr.write("left out: the data is not here\n")
        return
    curve = validation_curve(folder / "real", folder / "cache")
    (DATA / "real.json").write_text(json.dumps(curve, indent=1) + "\n")


def validation_curve(out: Path, cache: Path) -> list[dict[str, float]]:
    """Train the default; validation NDCG@20 of each domain, epoch by epoch, to six digits."""
    fixed = ("--device", "cpu", "--no-umap", "--cache", cache)
    command("train", REAL_DATA, "--out", out, *plan.REAL, *fixed)
    return curve_of(out)


def curve_of(run: Path) -> list[dict[str, float]]:
    """The validation curve of a run."""
    return [
        {k.split(".")[1]: round(v, 6) for k, v in row.items() if k.endswith(".ndcg@20")}
        for row in history(run)
    ]


def make_stores(folder: Path) -> None:
    """Make the datasets, and the run that stands for the last release."""
    shop, tiny = folder / "made", folder / "last_release" / "tables"
    for out, words in ((shop, plan.SHOP), (tiny, plan.TINY)):
        out.parent.mkdir(exist_ok=True)
        command("sample", "--out", out, *words)
        for picture in (out / "images").iterdir():
            with Image.open(picture) as image:
                image.convert("RGB").resize((_PICTURE, _PICTURE)).save(picture, quality=60)
    _leave_pictures_out(tiny)
    run = folder / "last_release" / "run"
    command("train", tiny, "--out", run, *plan.RELEASE, "--device", "cpu", "--no-umap")
    for made, name in ((shop, "shop"), (folder / "last_release", "last_release")):
        sys.stderr.write(f"{pack(made, name).stat().st_size} bytes of {name}\n")


def _leave_pictures_out(tables: Path) -> None:
    """Keep some pictures of each domain: what encodes them is most of a small run."""
    items = pd.read_csv(tables / "items.csv", dtype=str)
    place = items[items["image"].notna()].groupby("domain").cumcount()
    dropped = place.index[place >= _TINY_PICTURES]
    for name in items.loc[dropped, "image"]:
        (tables / name).unlink()
    items.loc[dropped, "image"] = None
    items.to_csv(tables / "items.csv", index=False)


def main() -> None:
    """Record what the command line names."""
    with tempfile.TemporaryDirectory() as folder, one_thread():
        record(sys.argv[1:], Path(folder))
    sizes = sum(f.stat().st_size for f in DATA.iterdir())
    sys.stderr.write(f"{sizes / 1000:.0f} kB in {DATA.name}\n")


if __name__ == "__main__":
    main()
