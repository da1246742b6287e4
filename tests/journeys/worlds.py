"""Runs of other kinds than the sample: of three domains, and of one without pictures; tiny."""

import os
from pathlib import Path

import pandas as pd
import pytest

from micrec_core.comparing.variants import train_variants
from micrec_core.config import RunSettings
from micrec_core.running.train import train_run
from micrec_core.sample.generate import generate_sample
from tests.pages.test_kinds_of_runs import deal

SAMPLE = "sample"
# Run -> its domains, and whether its items have pictures.
KINDS: dict[str, tuple[int, bool]] = {SAMPLE: (2, True), "three": (3, True), "one": (1, False)}
asked_for = pytest.mark.skipif(
    os.environ.get("MICREC_JOURNEYS") != "all",
    reason="journeys on every kind of run take minutes: `make journeys` (MICREC_JOURNEYS=all)",
)


def dealt(folder: Path) -> Path:
    """Small tables of each kind below ``folder``."""
    source = folder / ".source"
    generate_sample(source, users=400, items=90, seed=3, picture_size=32)
    for name, (n_domains, pictures) in KINDS.items():
        data = deal(source, folder / name, n_domains)
        if not pictures:
            items = pd.read_csv(data / "items.csv", dtype=str, keep_default_na=False)
            items.drop(columns="image").to_csv(data / "items.csv", index=False)
    return folder


def trained(data: Path, runs: Path) -> Path:
    """A run of each, of a few steps, with its cheap baselines and two variants."""
    for name in KINDS:
        if name == SAMPLE:
            continue
        settings = RunSettings(
            model={"dim": 8}, training={"epochs": 2, "steps": 4}, split="inductive"
        )
        train_run(data / name, runs / name, settings, device="cpu", umap=False)
        train_variants(runs / name, data / name, names=["text", "templates"], device="cpu")
    return runs
