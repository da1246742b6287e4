"""Means over neighbours weighed by cosines that are trained: LATTICE's learned graph.

    c_ij = x_i . x_j for the k neighbours j of i,   w_ij = max(c_ij, 0) / sum_j max(c_ij, 0)
    out_i = sum_j w_ij v_j

(Zhang et al., MM 2021, eq. 5 and 6, rows adding up to 1.) On the CPU one pass of a kernel each way
stands for torch's [n, k, dim] tables, of which a step makes half a dozen.
"""

# What numba compiles has its types inferred by numba.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_JIT: dict[str, Any] = {"parallel": True, "fastmath": True, "cache": True, "nogil": True}
_LEAST = np.float32(1e-12)


def cosine_means(unit: Tensor, near: Tensor, values: Tensor) -> Tensor:
    """Means of ``values`` over neighbours, weighed by their positive cosines.

    Parameters
    ----------
    unit : [n, width], what the cosines are of
    near : int64 [n, k], rows of neighbours, -1 for none
    values : [n, dim]

    Returns
    -------
    [n, dim]; zeros for a row without a neighbour at a positive cosine
    """
    if all(x.device.type == "cpu" and x.dtype == torch.float32 for x in (unit, values)):
        return _CosineMeans.apply(unit, near, values)
    return plain_cosine_means(unit, near, values)


def plain_cosine_means(unit: Tensor, near: Tensor, values: Tensor) -> Tensor:
    """``cosine_means`` by torch's own operations, on any device."""
    there = near >= 0
    rows = near.clamp(min=0)
    cosines = (unit[:, None, :] * F.embedding(rows, unit)).sum(-1)
    weights = torch.where(there, cosines.clamp(min=0.0), 0.0)
    weights = weights / weights.sum(1, keepdim=True).clamp(min=float(_LEAST))
    return (weights[..., None] * F.embedding(rows, values)).sum(1)


class _CosineMeans(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, unit: Tensor, near: Tensor, values: Tensor) -> Tensor:
        unit, values = unit.contiguous(), values.contiguous()
        weights = np.empty(near.shape, np.float32)
        totals = np.empty(len(near), np.float32)
        out = torch.empty_like(values)
        _forward(unit.numpy(), near.numpy(), values.numpy(), weights, totals, out.numpy())
        ctx.save_for_backward(unit, near, values)
        ctx.rest = weights, totals
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        unit, near, values = ctx.saved_tensors
        weights, totals = ctx.rest
        of_unit, of_values = torch.empty_like(unit), torch.empty_like(values)
        slopes = np.empty_like(weights)
        flow = gradient.contiguous().numpy()
        given = unit.numpy(), near.numpy(), values.numpy(), weights, totals
        _slopes(*given, flow, slopes, of_unit.numpy())
        starts, places = _reversed(near.numpy())
        lenders = starts, places, near.shape[1], unit.numpy(), weights, slopes
        _lent(*lenders, flow, of_unit.numpy(), of_values.numpy())
        return of_unit, None, of_values


@numba.njit(inline="always")
def _dot(a, b):
    total = np.float32(0.0)
    for d in range(a.shape[0]):
        total += a[d] * b[d]
    return total


@numba.njit(**_JIT)
def _forward(unit, near, values, weights, totals, out):
    for i in numba.prange(near.shape[0]):
        total = np.float32(0.0)
        for c in range(near.shape[1]):
            j = near[i, c]
            weight = np.float32(0.0) if j < 0 else max(_dot(unit[i], unit[j]), np.float32(0.0))
            weights[i, c] = weight
            total += weight
        totals[i] = total
        share = np.float32(1.0) / max(total, _LEAST)
        row = out[i]
        row[:] = 0.0
        for c in range(near.shape[1]):
            weights[i, c] *= share
            if weights[i, c] > 0.0:
                source = values[near[i, c]]
                for d in range(row.shape[0]):
                    row[d] += weights[i, c] * source[d]


@numba.njit(**_JIT)
def _slopes(unit, near, values, weights, totals, flow, slopes, of_unit):
    """The gradient of every cosine, and what of that of ``unit`` falls to the row that looks."""
    for i in numba.prange(near.shape[0]):
        mean = np.float32(0.0)
        for c in range(near.shape[1]):
            slopes[i, c] = 0.0
            if weights[i, c] > 0.0:
                slopes[i, c] = _dot(flow[i], values[near[i, c]])
                mean += weights[i, c] * slopes[i, c]
        row = of_unit[i]
        row[:] = 0.0
        # Below the least total the divisor is a constant.
        if totals[i] <= _LEAST:
            mean = np.float32(0.0)
        share = np.float32(1.0) / max(totals[i], _LEAST)
        for c in range(near.shape[1]):
            if weights[i, c] > 0.0:
                slopes[i, c] = (slopes[i, c] - mean) * share
                other = unit[near[i, c]]
                for d in range(row.shape[0]):
                    row[d] += slopes[i, c] * other[d]


@numba.njit(cache=True, nogil=True)
def _reversed(near):
    """Who has row j among its neighbours: places in the flat ``near``, from starts[j] on."""
    n, k = near.shape
    starts = np.zeros(n + 1, np.int64)
    for i in range(n):
        for c in range(k):
            if near[i, c] >= 0:
                starts[near[i, c] + 1] += 1
    for j in range(n):
        starts[j + 1] += starts[j]
    places = np.empty(starts[n], np.int64)
    filled = starts[:-1].copy()
    for i in range(n):
        for c in range(k):
            j = near[i, c]
            if j >= 0:
                places[filled[j]] = i * k + c
                filled[j] += 1
    return starts, places


@numba.njit(**_JIT)
def _lent(starts, places, k, unit, weights, slopes, flow, of_unit, of_values):
    """What falls to the rows that lend, added up per row and so in one order."""
    for j in numba.prange(of_values.shape[0]):
        row, value = of_unit[j], of_values[j]
        value[:] = 0.0
        for place in places[starts[j] : starts[j + 1]]:
            i, c = place // k, place % k
            if weights[i, c] > 0.0:
                for d in range(value.shape[0]):
                    value[d] += weights[i, c] * flow[i, d]
                for d in range(row.shape[0]):
                    row[d] += slopes[i, c] * unit[i, d]
