"""CPU kernels for float32 rows of 64 columns, or a multiple of them.

Summing scattered rows is bound by memory, if the code lets it be: numba on its own stores the
running sum after every summand, and waits for each row when it comes to it. Here 64 floats of a row
are one value, which stays in vector registers (LLVM's ``<64 x float>``: four registers of AVX-512,
eight of AVX2), and rows are asked for some summands ahead. Each float is summed in the same order
and rounded alike as in a plain loop.
"""

# What numba compiles has its types inferred by numba.
# mypy: disable-error-code="no-untyped-def,misc"

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

WIDTH = 64
_LINE = 64  # bytes of a cache line
_VECTOR = ir.VectorType(ir.FloatType(), WIDTH)
_INT = ir.IntType(32)
# A product may be rounded together with the sum; nothing is reordered.
_FLAGS = ("contract",)


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
def zeros(typing_context):
    """64 zeros."""

    def generate(context, builder, signature, arguments):
        return ir.Constant(_VECTOR, [0.0] * WIDTH)

    return _ROW(), generate


@intrinsic
def load(typing_context, array, row, column):
    """``array[row, column : column + 64]`` of a float32 matrix with adjacent columns."""
    if not _is_matrix(array):
        return None

    def generate(context, builder, signature, arguments):
        found = builder.load(_address(context, builder, signature, arguments))
        found.align = 4
        return found

    return _ROW(array, row, column), generate


@intrinsic
def store(typing_context, array, row, column, value):
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
def fused(typing_context, weight, value, total):
    """``total + weight * value``."""

    def generate(context, builder, signature, arguments):
        weight, value, total = arguments
        product = builder.fmul(_spread(builder, weight), value, flags=_FLAGS)
        return builder.fadd(total, product, flags=_FLAGS)

    return _ROW(types.float32, value, total), generate


@intrinsic
def plus(typing_context, left, right):
    """``left + right``."""

    def generate(context, builder, signature, arguments):
        return builder.fadd(*arguments)

    return _ROW(left, right), generate


@intrinsic
def prefetch(typing_context, array, row, column):
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
