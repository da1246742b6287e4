"""Columns of any of pyarrow's types as a `Table` holds them: texts, codes into texts, numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from micrec_core.data.schema import LIST_MARK, Schema
from micrec_core.data.write import constant
from micrec_core.errors import DataError

# The columns that may hold fractions.
NUMERIC = ("timestamp", "rating", "position")


def column_array(column: pa.ChunkedArray, name: str, file: str, schema: Schema) -> pa.Array:
    """A column of one batch: text, codes into texts, or numbers."""
    if name not in schema.columns:
        return _further_array(column)
    if name in NUMERIC and column.null_count == 0 and _are_numbers(column):
        return pa.concat_arrays(column.chunks)
    if pa.types.is_dictionary(column.type):
        coded = _recoded(column.combine_chunks(), name, file)
        return coded if name in schema.coded else coded.dictionary.take(coded.indices)
    text = _parquet_text(column, name, file)
    return text.dictionary_encode() if name in schema.coded else text


def _are_numbers(column: pa.ChunkedArray) -> bool:
    """Whether all are numbers as they are; what is not finite becomes text, to be refused."""
    if pa.types.is_integer(column.type):
        return True
    return pa.types.is_float64(column.type) and pc.all(pc.is_finite(column)).as_py() is not False


def _recoded(array: pa.DictionaryArray, name: str, file: str) -> pa.DictionaryArray:
    """Codes into distinct texts; the missing ones are empty. A file may repeat a text."""
    words = _parquet_text(pa.chunked_array([array.dictionary]), name, file)
    if array.null_count == 0 and len(words.unique()) == len(words):
        return pa.DictionaryArray.from_arrays(array.indices, words)
    words = pa.concat_arrays([words, pa.array([""], pa.large_string())]).dictionary_encode()
    codes = words.indices.take(pc.fill_null(array.indices.cast(pa.int64()), len(words) - 1))
    return pa.DictionaryArray.from_arrays(codes, words.dictionary)


def further_text(values: Sequence[Any]) -> pa.LargeStringArray:
    """Any values as texts: those of a list joined, nothing for what is no plain value."""
    return pa.array([_further(value) for value in values], pa.large_string())


def _further(value: Any) -> str:
    if isinstance(value, list | tuple | np.ndarray):
        return LIST_MARK.join(filter(None, map(_further, value)))
    # NaN, of which a frame's empty fields are made, is unlike itself.
    if value is None or value is pd.NA or isinstance(value, dict | bytes) or value != value:
        return ""
    return str(value).encode("utf-8", "ignore").decode()


def _further_array(column: pa.ChunkedArray) -> pa.LargeStringArray:
    if pa.types.is_nested(column.type):
        return further_text(column.to_pylist())
    try:
        flat = pc.fill_null(_plain(column).cast(pa.large_string()), "")
        array = pa.concat_arrays(flat.chunks)
        array.validate(full=True)
    except (pa.ArrowException, UnicodeDecodeError):
        return constant("", len(column))
    return array


def _parquet_text(column: pa.ChunkedArray, name: str, file: str) -> pa.LargeStringArray:
    column = _plain(column)
    kind = column.type
    text = pa.types.is_large_string(kind) or _is_binary(kind)
    numeric = pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    moment = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    allowed = text or pa.types.is_integer(kind) or pa.types.is_null(kind)
    if name in NUMERIC:
        allowed = allowed or numeric or (moment and name == "timestamp")
    if not allowed:
        several = pa.types.is_nested(kind) and name in ("user_id", "item_id")
        mend = "write a row for each value, as explode does" if several else "write it as text"
        raise DataError(f"{file}: the column '{name}' holds {kind}; {mend}")
    if moment:
        column = _instants(column, f"{file}: the column '{name}'")
    try:
        flat = pc.fill_null(column.cast(pa.large_string()), "")
        array = pa.concat_arrays(flat.chunks) if flat.num_chunks != 1 else flat.chunk(0)
        array.validate(full=True)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        mend = (
            "write it as text, such as hexadecimal digits"
            if _is_binary(kind)
            else ("write it as UTF-8")
        )
        raise DataError(f"{file}: the column '{name}' is not UTF-8; {mend}") from error
    return array


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values without an encoding, an extension's name or a view; short floats widened."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        column = column.cast(kind.storage_type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_string(kind) or kind == pa.string_view():
        return column.cast(pa.large_string())
    if kind == pa.binary_view():
        return column.cast(pa.large_binary())
    return column.cast(pa.float64()) if pa.types.is_float16(kind) else column


def _is_binary(kind: pa.DataType) -> bool:
    """Bytes, which are text if they are UTF-8."""
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(test(kind) for test in tests)


def _instants(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Moments and days as microseconds since 1970, whatever their unit: parts may differ in it."""
    try:
        return column.cast(pa.timestamp("us"), safe=pa.types.is_date(column.type)).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise DataError(f"{where} is out of range; write dates of the years 1 to 9999") from error
