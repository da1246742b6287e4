"""MICRec Explorer: an inductive, cross-domain, multimodal recommender one can see into.

    import micrec_core as mc

    run = mc.train(mc.read_dataset("data/mine"), out="runs/mine")
    run.recommender().recommend(likes={"food": ["f12"]}, domain="kitchen", k=10)

Names are imported at their first use (PEP 562); ``micrec_core.notebook`` documents them.
"""

import os
import sys
from typing import TYPE_CHECKING, Any

from micrec_core.version import __version__

if TYPE_CHECKING:
    from micrec_core.notebook import (
        SAMPLE_DATA,
        SAMPLE_RUN,
        Dataset,
        Embeddings,
        Recommender,
        Run,
        dataset,
        open_run,
        read_dataset,
        train,
    )

__all__ = [
    "SAMPLE_DATA",
    "SAMPLE_RUN",
    "Dataset",
    "Embeddings",
    "Recommender",
    "Run",
    "__version__",
    "dataset",
    "open_run",
    "read_dataset",
    "train",
]

# Numba's first kernel gives OpenMP as many threads as numba has, which are all cores unless its own
# variable is set, and torch would have as many from there on: whoever asks for one thread gets one.
if "numba" not in sys.modules and os.environ.get("OMP_NUM_THREADS", "").isdigit():
    os.environ.setdefault("NUMBA_NUM_THREADS", os.environ["OMP_NUM_THREADS"])


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from micrec_core import notebook

    return getattr(notebook, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
