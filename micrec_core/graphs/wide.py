"""CPU kernels for float32 rows of 64 columns, or a multiple of them.

Summing scattered rows is bound by memory, if the code lets it be: numba on its own stores the
running sum after every summand, and waits for each row when it comes to it. Here 64 floats of a row
are one value, which stays in vector registers (LLVM's ``<64 x float>``: four registers of AVX-512,
eight of AVX2), and rows are asked for some summands ahead. Each float is summed in the same order
and rounded alike, so the sums equal those of the plain ``kernels`` to the last bit.

``bounds`` [n_parts + 1] cuts the rows into parts of about as many summands each.
"""

# What numba compiles has its types inferred by numba.
# mypy: disable-error-code="no-untyped-def,misc"

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

from micrec_core.graphs.kernels import keep

WIDTH = 64
_LINE = 64  # bytes of a cache line
_VECTOR = ir.VectorType(ir.FloatType(), WIDTH)
_INT = ir.IntType(32)
# A product may be rounded together with the sum, as in the plain kernels; nothing is reordered.
_FLAGS = ("contract",)
# How many summands ahead rows are asked for: 8 KiB of them.
_AHEAD = np.uint64(32)
_ONE = np.uint64(1)
_JIT: dict[str, Any] = {"parallel": True, "cache": True, "nogil": True, "boundscheck": False}


class _Row(types.Type):
    """The numba type of 64 floats."""

    def __init__(self) -> None:
        super().__init__(name="Row64")


_ROW = _Row()


@register_model(_Row)
class _RowModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Pointer to ``array[row, column:]`` from the first three arguments of an intrinsic."""
    kind, array = signature.args[0], arguments[0]
    parts = cgutils.create_struct_proxy(kind)(context, builder, array)
    stride = cgutils.unpack_tuple(builder, parts.strides)[0]
    row, column = (
        context.cast(builder, arguments[n], signature.args[n], types.intp) for n in (1, 2)
    )
    size = ir.Constant(row.type, kind.dtype.bitwidth // 8)
    offset = builder.add(builder.mul(row, stride), builder.mul(column, size))
    place = builder.add(builder.ptrtoint(parts.data, offset.type), offset)
    return builder.inttoptr(place, _VECTOR.as_pointer())


def _is_matrix(array: Any) -> bool:
    return isinstance(array, types.Array) and array.ndim == 2 and array.dtype == types.float32


@intrinsic
def _zeros(typing_context):
    """64 zeros."""

    def generate(context, builder, signature, arguments):
        return ir.Constant(_VECTOR, [0.0] * WIDTH)

    return _ROW(), generate


@intrinsic
def _load(typing_context, array, row, column):
    """``array[row, column : column + 64]`` of a float32 matrix with adjacent columns."""
    if not _is_matrix(array):
        return None

    def generate(context, builder, signature, arguments):
        found = builder.load(_address(context, builder, signature, arguments))
        found.align = 4
        return found

    return _ROW(array, row, column), generate


@intrinsic
def _store(typing_context, array, row, column, value):
    """``array[row, column : column + 64] = value``."""
    if not _is_matrix(array):
        return None

    def generate(context, builder, signature, arguments):
        place = _address(context, builder, signature, arguments)
        builder.store(arguments[3], place).align = 4
        return context.get_dummy_value()

    return types.void(array, row, column, value), generate


def _spread(builder: Any, number: Any) -> Any:
    """64 times the same float."""
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(_INT, 0))
    places = ir.Constant(ir.VectorType(_INT, WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(first, nothing, places)


@intrinsic
def _fused(typing_context, weight, value, total):
    """``total + weight * value``."""

    def generate(context, builder, signature, arguments):
        weight, value, total = arguments
        product = builder.fmul(_spread(builder, weight), value, flags=_FLAGS)
        return builder.fadd(total, product, flags=_FLAGS)

    return _ROW(types.float32, value, total), generate


@intrinsic
def _plus(typing_context, left, right):
    """``left + right``."""

    def generate(context, builder, signature, arguments):
        return builder.fadd(*arguments)

    return _ROW(left, right), generate


@intrinsic
def _scaled(typing_context, weight, value):
    """``weight * value``."""

    def generate(context, builder, signature, arguments):
        return builder.fmul(_spread(builder, arguments[0]), arguments[1])

    return _ROW(types.float32, value), generate


@intrinsic
def _prefetch(typing_context, array, row, column):
    """Ask for ``array[row, column : column + 64]`` to be brought near."""
    if not _is_matrix(array):
        return None

    def generate(context, builder, signature, arguments):
        byte = ir.IntType(8).as_pointer()
        start = builder.bitcast(_address(context, builder, signature, arguments), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, _INT, _INT, _INT])
        ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for offset in range(0, 4 * WIDTH, _LINE):
            place = builder.gep(start, [ir.Constant(ir.IntType(64), offset)])
            # To read, kept in all caches, data.
            builder.call(ask, [place, *(ir.Constant(_INT, n) for n in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, row, column), generate


@numba.njit(inline="always")
def _place(n):
    """``n`` as a place in an array: numba asks of a signed one whether it counts from the end."""
    return np.uint64(n)


@numba.njit(inline="always")
def _ask_ahead(x, indices, e, column):
    """Ask for the row of a summand that comes later than ``e``."""
    last = _place(indices.shape[0] - 1)
    _prefetch(x, _place(indices[min(e + _AHEAD, last)]), column)


@numba.njit(inline="always")
def _sum(first, end, indices, scale, col_scale, x, column):
    """Sum of scale * col_scale[c] * x[c, column:] over the summands c = indices[first:end]."""
    total = _zeros()
    for e in range(_place(first), _place(end)):
        c = _place(indices[e])
        _ask_ahead(x, indices, e, column)
        total = _fused(scale * col_scale[c], _load(x, c, column), total)
    return total


@numba.njit(inline="always")
def _sum_of_scaled(first, end, indices, scale, col_scale, factor, x, column):
    """As _sum, of the rows factor[c] * x[c], which are rounded first."""
    total = _zeros()
    for e in range(_place(first), _place(end)):
        c = _place(indices[e])
        _ask_ahead(x, indices, e, column)
        total = _fused(scale * col_scale[c], _scaled(factor[c], _load(x, c, column)), total)
    return total


@numba.njit(inline="always")
def _sum_of_values(first, end, indices, values, x, column):
    """Sum of values[e] * x[indices[e], column:] over the summands e."""
    total = _zeros()
    for e in range(_place(first), _place(end)):
        _ask_ahead(x, indices, e, column)
        total = _fused(values[e], _load(x, _place(indices[e]), column), total)
    return total


@numba.njit(**_JIT)
def scaled_sum_rows(bounds, indptr, indices, row_scale, col_scale, x, out):
    """out[r] = sum over row r of row_scale[r] * col_scale[c] * x[c]."""
    for part in numba.prange(bounds.shape[0] - 1):
        for column in range(0, x.shape[1], WIDTH):
            for r in range(_place(bounds[part]), _place(bounds[part + 1])):
                first, end = indptr[r], indptr[r + _ONE]
                total = _sum(first, end, indices, row_scale[r], col_scale, x, column)
                _store(out, r, column, total)


@numba.njit(**_JIT)
def mean_rows(bounds, indptr, indices, row_scale, col_scale, x, start, held, between, factor, out):
    """out[r] = factor[r] * (start[r] + between[0, r] + between[1, r] + ... + scaled_sum_rows).

    ``held``: what out[r] holds comes after start[r] in the sum.
    """
    for part in numba.prange(bounds.shape[0] - 1):
        for column in range(0, x.shape[1], WIDTH):
            for r in range(_place(bounds[part]), _place(bounds[part + 1])):
                first, end = indptr[r], indptr[r + _ONE]
                own = _sum(first, end, indices, row_scale[r], col_scale, x, column)
                total = _load(start, r, column)
                if held:
                    total = _plus(total, _load(out, r, column))
                for layer in range(between.shape[0]):
                    total = _plus(total, _load(between[layer], r, column))
                _store(out, r, column, _scaled(factor[r], _plus(total, own)))


@numba.njit(**_JIT)
def mean_of_rows(rows, indptr, indices, row_scale, col_scale, x, start, between, factor, out):
    """As mean_rows, of ``rows`` alone: out[n] is what out[rows[n]] is there."""
    for n in numba.prange(rows.shape[0]):
        r = _place(rows[n])
        for column in range(0, x.shape[1], WIDTH):
            first, end = indptr[r], indptr[r + _ONE]
            own = _sum(first, end, indices, row_scale[r], col_scale, x, column)
            total = _load(start, r, column)
            for layer in range(between.shape[0]):
                total = _plus(total, _load(between[layer], r, column))
            _store(out, n, column, _scaled(factor[r], _plus(total, own)))


@numba.njit(**_JIT)
def sum_of_some_rows(
    bounds, indptr, indices, row_scale, col_scale, place, x, own_place, own, out
):  # fmt: skip
    """out[r] = own[own_place[r]] + sum over row r of row_scale[r] * col_scale[c] * x[place[c]].

    A place below 0 stands for a row of zeros. Those that are not are listed first, as in
    ``scaled_sum_rows_dropped``.
    """
    for part in numba.prange(bounds.shape[0] - 1):
        top, bottom = _place(bounds[part]), _place(bounds[part + 1])
        start = _place(indptr[top])
        size = _place(indptr[bottom]) - start + _ONE
        there, weights = np.empty(size, np.int32), np.empty(size, np.float32)
        ends = np.empty(bottom - top + _ONE, np.int64)
        n = _place(0)
        for r in range(top, bottom):
            ends[r - top] = n
            for e in range(_place(indptr[r]), _place(indptr[r + _ONE])):
                c = _place(indices[e])
                there[n] = place[c]
                weights[n] = row_scale[r] * col_scale[c]
                n += _place(place[c] >= 0)
        ends[bottom - top] = n
        there = there[: max(n, _ONE)]
        for column in range(0, x.shape[1], WIDTH):
            for r in range(top, bottom):
                first, end = ends[r - top], ends[r - top + _ONE]
                total = _sum_of_values(first, end, there, weights, x, column)
                if own_place[r] >= 0:
                    total = _plus(_load(own, _place(own_place[r]), column), total)
                _store(out, r, column, total)


@numba.njit(**_JIT)
def sum_rows_on_some(bounds, indptr, indices, row_scale, col_scale, x, own_place, own, out):
    """As sum_of_some_rows, with every row of ``x`` there."""
    for part in numba.prange(bounds.shape[0] - 1):
        for column in range(0, x.shape[1], WIDTH):
            for r in range(_place(bounds[part]), _place(bounds[part + 1])):
                first, end = indptr[r], indptr[r + _ONE]
                total = _sum(first, end, indices, row_scale[r], col_scale, x, column)
                if own_place[r] >= 0:
                    total = _plus(_load(own, _place(own_place[r]), column), total)
                _store(out, r, column, total)


@numba.njit(**_JIT)
def horner_rows(
    bounds, indptr, indices, row_scale, col_scale, x, x_factor, start, factor, scale_x, out
):
    """out[r] = factor[r] * start[r] + scaled_sum_rows, of x_factor[c] * x[c] if ``scale_x``."""
    for part in numba.prange(bounds.shape[0] - 1):
        for column in range(0, x.shape[1], WIDTH):
            for r in range(_place(bounds[part]), _place(bounds[part + 1])):
                first, end, scale = indptr[r], indptr[r + _ONE], row_scale[r]
                if scale_x:
                    own = _sum_of_scaled(first, end, indices, scale, col_scale, x_factor, x, column)
                else:
                    own = _sum(first, end, indices, scale, col_scale, x, column)
                _store(out, r, column, _plus(_scaled(factor[r], _load(start, r, column)), own))


@numba.njit(**_JIT)
def scaled_sum_rows_dropped(
    bounds, indptr, indices, row_scale, col_scale, x, out, seed, threshold, flip
):
    """As scaled_sum_rows over the edges that ``keep`` lets through; flip: transposed direction.

    The survivors of a part are listed first, without a branch that half of them would mislead.
    """
    for part in numba.prange(bounds.shape[0] - 1):
        top, bottom = _place(bounds[part]), _place(bounds[part + 1])
        kept = np.empty(indptr[bottom] - indptr[top] + 1, np.int32)
        ends = np.empty(bottom - top + _ONE, np.int64)
        n = _place(0)
        for r in range(top, bottom):
            ends[r - top] = n
            for e in range(_place(indptr[r]), _place(indptr[r + _ONE])):
                c = indices[e]
                kept[n] = c
                n += _place(keep(c, r, seed, threshold) if flip else keep(r, c, seed, threshold))
        ends[bottom - top] = n
        kept = kept[: max(n, _ONE)]
        for column in range(0, x.shape[1], WIDTH):
            for r in range(top, bottom):
                first, end = ends[r - top], ends[r - top + _ONE]
                total = _sum(first, end, kept, row_scale[r], col_scale, x, column)
                _store(out, r, column, total)


@numba.njit(**_JIT)
def weighted_sum_rows(bounds, indptr, indices, values, x, out):
    """out[r] = sum of values * x[indices] over row r."""
    for part in numba.prange(bounds.shape[0] - 1):
        for column in range(0, x.shape[1], WIDTH):
            for r in range(_place(bounds[part]), _place(bounds[part + 1])):
                first, end = indptr[r], indptr[r + _ONE]
                total = _sum_of_values(first, end, indices, values, x, column)
                _store(out, r, column, total)


@numba.njit(**_JIT)
def mixed_rows(
    bounds, indptr, indices, values, x, start, weight, content, share, message, out
):  # fmt: skip
    """message[r] = weighted_sum_rows + share[r] * content[r], out[r] = start[r] + weight[r] * it.

    Without rows of ``content`` it is 0; without rows of ``message`` it is not stored.
    """
    for part in numba.prange(bounds.shape[0] - 1):
        for column in range(0, x.shape[1], WIDTH):
            for r in range(_place(bounds[part]), _place(bounds[part + 1])):
                first, end = indptr[r], indptr[r + _ONE]
                total = _sum_of_values(first, end, indices, values, x, column)
                if content.shape[0] > 0:
                    total = _fused(share[r], _load(content, r, column), total)
                if message.shape[0] > 0:
                    _store(message, r, column, total)
                _store(out, r, column, _fused(weight[r], total, _load(start, r, column)))


@numba.njit(**_JIT)
def mixed_rows_backward(bounds, indptr, indices, values, weight, x, held, out):
    """out[r] = sum of values * weight[c] * x[c] over row r, on top of x[r] where ``held``.

    The gradient of ``mixed_rows`` in its ``x``, of the transposed; ``held``: x is ``start`` too.
    """
    for part in numba.prange(bounds.shape[0] - 1):
        for column in range(0, x.shape[1], WIDTH):
            for r in range(_place(bounds[part]), _place(bounds[part + 1])):
                total = _zeros()
                if held:
                    total = _load(x, r, column)
                for e in range(_place(indptr[r]), _place(indptr[r + _ONE])):
                    c = _place(indices[e])
                    _ask_ahead(x, indices, e, column)
                    total = _fused(values[e] * weight[c], _load(x, c, column), total)
                _store(out, r, column, total)
