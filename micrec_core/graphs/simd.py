"""CPU kernels for float32 rows of 64 columns, or a multiple of them, and of 16.

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
# Floats of a line of the cache: of rows that are gathered again and again, as many fit as can.
LINE = 16
_VECTOR = ir.VectorType(ir.FloatType(), WIDTH)
_INT = ir.IntType(32)
# A product may be rounded together with the sum; nothing is reordered.
_FLAGS = ("contract",)


class _Row(types.Type):
    """The numba type of some floats side by side."""

    def __init__(self, width: int) -> None:
        super().__init__(name=f"Row{width}")
        self.vector = ir.VectorType(ir.FloatType(), width)


@register_model(_Row)
class _RowModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, kind.vector)


def _address(
    context: Any, builder: Any, signature: Any, arguments: Any, vector: Any = _VECTOR
) -> Any:
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
    return builder.inttoptr(place, vector.as_pointer())


def _is_matrix(array: Any) -> bool:
    return isinstance(array, types.Array) and array.ndim == 2 and array.dtype == types.float32


def _is_float(kind: Any) -> bool:
    return kind in (types.float32, types.float64)


def _zeros(width: int) -> Any:
    kind = _Row(width)

    @intrinsic
    def zeros(typing_context):
        """As many zeros."""

        def generate(context, builder, signature, arguments):
            return ir.Constant(kind.vector, [0.0] * width)

        return kind(), generate

    return zeros


def _load(width: int) -> Any:
    kind = _Row(width)

    @intrinsic
    def load(typing_context, array, row, column):
        """``array[row, column : column + width]`` of a float32 matrix with adjacent columns."""
        if not _is_matrix(array):
            return None

        def generate(context, builder, signature, arguments):
            found = builder.load(_address(context, builder, signature, arguments, kind.vector))
            found.align = 4
            return found

        return kind(array, row, column), generate

    return load


zeros, load = _zeros(WIDTH), _load(WIDTH)
zero_line, load_line = _zeros(LINE), _load(LINE)


@intrinsic
def store(typing_context, array, row, column, value):
    """``array[row, column : column + width] = value``."""
    if not _is_matrix(array):
        return None

    def generate(context, builder, signature, arguments):
        place = _address(context, builder, signature, arguments, value.vector)
        builder.store(arguments[3], place).align = 4
        return context.get_dummy_value()

    return types.void(array, row, column, value), generate


def _spread(builder: Any, number: Any, vector: Any) -> Any:
    """The same float in all places."""
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(_INT, 0))
    places = ir.Constant(ir.VectorType(_INT, vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, nothing, places)


@intrinsic
def fused(typing_context, weight, value, total):
    """``total + weight * value``."""

    def generate(context, builder, signature, arguments):
        weight, row, sum_ = arguments
        product = builder.fmul(_spread(builder, weight, value.vector), row, flags=_FLAGS)
        return builder.fadd(sum_, product, flags=_FLAGS)

    return total(types.float32, value, total), generate


@intrinsic
def times(typing_context, weight, value):
    """``weight * value``, rounded before anything is added."""

    def generate(context, builder, signature, arguments):
        weight, row = arguments
        return builder.fmul(_spread(builder, weight, value.vector), row)

    return value(types.float32, value), generate


@intrinsic
def plus(typing_context, left, right):
    """``left + right``."""

    def generate(context, builder, signature, arguments):
        return builder.fadd(*arguments)

    return left(left, right), generate


@intrinsic
def above(typing_context, array, row, column, bound):
    """Which of ``array[row, column : column + 64]`` are above a bound, a bit each.

    Of float64 too.
    """
    if not isinstance(array, types.Array) or array.ndim != 2 or not _is_float(array.dtype):
        return None

    def generate(context, builder, signature, arguments):
        number = ir.DoubleType() if array.dtype == types.float64 else ir.FloatType()
        vector = ir.VectorType(number, WIDTH)
        found = builder.load(_address(context, builder, signature, arguments, vector))
        found.align = array.dtype.bitwidth // 8
        higher = builder.fcmp_ordered(">", found, _spread(builder, arguments[3], vector))
        return builder.bitcast(higher, ir.IntType(WIDTH))

    return types.uint64(array, row, column, array.dtype), generate


@intrinsic
def any_above(typing_context, left, right):
    """Whether a number of one row is above the one at the same place of the other."""

    def generate(context, builder, signature, arguments):
        higher = builder.fcmp_ordered(">", *arguments)
        bits = builder.bitcast(higher, ir.IntType(left.vector.count))
        return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    return types.boolean(left, right), generate


@intrinsic
def lowest(typing_context, bits):
    """The place of the lowest bit that is set."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


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
        for offset in range(0, 4 * WIDTH, 4 * LINE):
            place = builder.gep(start, [ir.Constant(ir.IntType(64), offset)])
            # To read, kept in all caches, data.
            builder.call(ask, [place, *(ir.Constant(_INT, n) for n in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, row, column), generate
