"""What a bundle of many users stores and one of few does not, for tests of both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from micrec_core.serving.bundle import pack_updated
from micrec_core.serving.contents import Bundle


def stored_spaces(bundle: Bundle) -> dict[str, np.ndarray]:
    """The profiles of a bundle's users as tensors by name."""
    none = [csr_matrix(part.train.shape, dtype=np.float32) for part in bundle.domains]
    parts = zip(bundle.domains, none, strict=True)
    later = tuple(replace(part, later=nothing) for part, nothing in parts)
    packed = pack_updated(replace(bundle, domains=later))[0]
    return {name: x for name, x in packed.items() if "user_space" in name}
