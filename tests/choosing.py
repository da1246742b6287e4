"""Trained models that choose quickly, for tests that do not ask what is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def first_choices() -> Iterator[None]:
    """Of what a trained model chooses on validation one value is tried, and not each.

    Trying is two thirds of a small training; ``tests/answering`` and ``tests/running/test_memory``
    ask what is chosen.
    """
    from micrec_core.answering import fit_bridges, fit_likeness, fit_memory

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_bridges, "RIDGES", (10.0,))
        patch.setattr(fit_bridges, "SHARES", (0.5,))
        for name in ("LEND", "POPULAR", "SHARES", "PENALTIES", "REGRESSED"):
            patch.setattr(fit_memory, name, getattr(fit_memory, name)[:1])
        patch.setattr(fit_memory, "NEWCOMERS", (0.25,))
        patch.setattr(fit_memory, "EVERYBODY", (0.0,))
        for name in ("SHARES", "SHARES_ELSEWHERE"):
            patch.setattr(fit_likeness, name, getattr(fit_likeness, name)[:1])
        # A fifth of a catalogue has so many, and is then the only one.
        patch.setattr(fit_likeness, "AS_IF_ON", 10)
        yield
