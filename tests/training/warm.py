"""What workers are forked off: loaded once, and not by each of them in its first step."""

from __future__ import annotations

import numba
import torch._dynamo  # an optimiser imports it when it is made

import tests.training.sharing

__all__ = ["tests", "torch"]

# The first function that numba compiles has it read all that it knows.
numba.njit(lambda x: x)(1)
