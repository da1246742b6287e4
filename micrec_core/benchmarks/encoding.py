"""How many items an encoder reads in a second of one processor, and how long one query takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from micrec_core.benchmarks.measure import Options, Report, Target, Timing
from micrec_core.bundled import SAMPLE_DATA
from micrec_core.data import read_dataset
from micrec_core.errors import ConfigError
from micrec_core.modalities.base import Encoder
from micrec_core.modalities.encoders import make_encoder
from micrec_core.modalities.registry import MODALITIES

_ITEMS = 64


def measure(options: Options) -> Report:
    """Every encoder that needs no name of a model and is installed, on the same items."""
    dataset = read_dataset(options.data or SAMPLE_DATA)
    most, rounds = 8 if options.quick else _ITEMS, options.rounds(3)
    timings: dict[str, Timing] = {}
    sizes: dict[str, int | str] = {}
    targets: list[Target] = []
    for name, found in MODALITIES.items():
        said = [x for x in (found.items(dataset) if found.items else []) if x is not None][:most]
        if not said:
            continue
        sizes[found.nouns] = len(said)
        for word in found.choices:
            encoder = _ready(word, name, said)
            if encoder is None:
                continue
            each = _seconds(partial(encoder.encode, said), rounds)
            query = Path(said[0]).read_bytes() if isinstance(said[0], Path) else said[0]
            one = _seconds(partial(encoder.encode, [query]), max(rounds, 5))
            key = f"{found.nouns}, {word}"
            timings[key] = Timing(tuple(len(said) / s for s in each), "items/CPU s")
            timings[f"one of them, {key}"] = Timing(tuple(1000 * s for s in one), "CPU ms")
            limit = timings[f"one of them, {key}"].median
            targets.append(Target(f"one of {key}, warm", limit, 300, "CPU ms", below=True))
    return Report(
        "encoders",
        "Items encoded in a second of processor time, and one typed sentence or shown picture, by "
        "each encoder that is installed (docs/encoders.md), models loaded before.",
        sizes,
        timings,
        {},
        tuple(targets),
    )


def _ready(word: str, name: str, said: list[Any]) -> Encoder | None:
    """A fitted encoder with its model loaded; None where it is not installed or wants a name."""
    try:
        encoder = make_encoder(word, name).fit(said)
    except ConfigError:
        return None
    encoder.encode(said[:1])
    return encoder


def _seconds(work: Callable[[], object], rounds: int) -> tuple[float, ...]:
    """Processor seconds of all threads, round by round; the first, which warms up, is left out."""
    spent = []
    for _ in range(rounds + 1):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return tuple(spent[1:])
