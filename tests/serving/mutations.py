"""Ways in which one file of a run can be wrong, each a seeded change of its bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load, save

from tests.serving.footers import lie

Random = np.random.Generator
Mutation = Callable[[bytes, Random], tuple[str, bytes]]
NUMBERS = (-1, 0, 1, 255, 2**15, 2**16 - 1, 2**31 - 1, -(2**31), 2**53 + 1, 2**63 - 1)
REALS = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e30, -1e9, 1e9, 1e-38, 0.0, -0.0, 1.5, 1e308)
WORDS = (
    "", " ", "nan", "../../etc/passwd", "<script>alert(1)</script>", "![x](http://a.b/c.png)",
    "=1+1", "\x00", "\u202e", "\ud7ff", "a" * 100_000, "0", "1e400", "None", "food-0001", "\n\t\r",
)  # fmt: skip
DTYPES = ("float16", "float32", "float64", "int8", "uint8", "int32", "int64", "uint16", "bool")


def raw(content: bytes, rng: Random) -> tuple[str, bytes]:
    """Bits turned, bytes cut off, put in or added, without a thought of what they mean."""
    data, way = bytearray(content), int(rng.integers(5))
    at = int(rng.integers(len(data)))
    if way == 0:
        for place in rng.integers(len(data), size=int(rng.integers(1, 9))):
            data[place] ^= 1 << int(rng.integers(8))
    elif way == 1:
        data = data[:at]
    elif way == 2:
        data[at:at] = rng.bytes(int(rng.integers(1, 64)))
    elif way == 3:
        data += rng.bytes(int(rng.integers(1, 64)))
    else:  # where a file tells of itself: at its two ends
        ends = (int(rng.integers(min(2000, len(data)))), -1 - int(rng.integers(min(64, len(data)))))
        data[ends[int(rng.integers(2))]] = int(rng.integers(256))
    return f"raw bytes ({('turned', 'cut', 'put in', 'added', 'at an end')[way]})", bytes(data)


# Tensors ------------------------------------------------------------------------------------------


def tensor(content: bytes, rng: Random) -> tuple[str, bytes]:
    """One tensor of a safetensors file is another, or gone, or under another name."""
    tensors = load(content)
    name = str(rng.choice(sorted(tensors)))
    way = str(rng.choice(["value", "value", "value", "values", "dtype", "shape", "order", "names"]))
    if way == "names":
        how = _rename(tensors, name, rng)
    else:
        change = {
            "value": _value, "values": _values, "dtype": _dtype, "shape": _shape, "order": _order,
        }[way]  # fmt: skip
        with np.errstate(all="ignore"):
            tensors[name], how = change(tensors[name].copy(), rng)
    whole = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
    # NumPy makes a scalar an array of one axis on the way.
    whole = {k: v.reshape(np.shape(tensors[k])) for k, v in whole.items()}
    return f"{name}: {how}", save(whole)


def _odd(array: np.ndarray, rng: Random) -> Any:
    choices = REALS if array.dtype.kind == "f" else NUMBERS
    near = (array.max(initial=0), array.min(initial=0)) if array.size else (0, 0)
    picked = choices[int(rng.integers(len(choices)))]
    if rng.random() < 0.4:  # just out of what there is
        picked = int(np.clip(float(near[0]), -1e6, 1e6)) + int(rng.integers(1, 3))
    return picked


def _value(array: np.ndarray, rng: Random) -> tuple[np.ndarray, str]:
    if not array.size:
        return array, "no value"
    value = _odd(array, rng)
    place = int(rng.integers(array.size))
    if array.dtype == bool:
        array.view(np.uint8).reshape(-1)[place] = int(rng.integers(256))
        return array, "a byte that is no truth"
    flat = array.reshape(-1)
    if array.dtype.kind in "iu":
        info = np.iinfo(array.dtype)
        value = int(np.clip(value, info.min, info.max))
    flat[place] = value
    return flat.reshape(array.shape), f"a value {value}"


def _values(array: np.ndarray, rng: Random) -> tuple[np.ndarray, str]:
    if array.dtype.kind == "f":
        factor = float(rng.choice([0, -1, 1e-30, 1e6, 1e20, 1e38]))
        return (array * array.dtype.type(factor)).astype(array.dtype), f"all times {factor}"
    if array.dtype == bool:
        return ~array, "all turned"
    shift = int(rng.choice([-1, 1, 100, -100]))
    return (array.astype(np.int64) + shift).astype(array.dtype), f"all shifted by {shift}"


def _dtype(array: np.ndarray, rng: Random) -> tuple[np.ndarray, str]:
    kind = str(rng.choice([kind for kind in DTYPES if kind != array.dtype.name]))
    return array.astype(kind), f"as {kind}"


def _shape(array: np.ndarray, rng: Random) -> tuple[np.ndarray, str]:
    way = int(rng.integers(6))
    if way == 0:
        return array.reshape(-1), "flat"
    if way == 1:
        return array[..., None], "with an axis more"
    if way == 2:
        return array.T.copy(), "turned"
    if way == 3:
        return np.zeros((0, *array.shape[1:]), array.dtype), "empty"
    if not array.ndim:
        return np.repeat(array.reshape(1), 3), "three"
    if way == 4:
        return array[:-1].copy(), "a row less"
    return np.concatenate([array, array[-1:]]), "a row more"


def _order(array: np.ndarray, rng: Random) -> tuple[np.ndarray, str]:
    flat = array.reshape(-1)
    if rng.random() < 0.5:
        return flat[::-1].reshape(array.shape).copy(), "backwards"
    return rng.permutation(flat).reshape(array.shape), "shuffled"


def _rename(tensors: dict[str, np.ndarray], name: str, rng: Random) -> str:
    way = int(rng.integers(4))
    if way == 0:
        del tensors[name]
        return "gone"
    other = str(rng.choice(sorted(tensors)))
    if way == 1:
        tensors[name] = tensors[other]
        return f"is {other}"
    if way == 2:
        tensors[name + str(rng.choice(["x", ".data", "-9.weight", ""]))] = tensors.pop(name)
        return "has another name"
    tensors[str(rng.choice(["5.users", "links.0-9.source", "links.x-y.source", "transfer.9-9.x"]))]\
        = tensors[name]  # fmt: skip
    return "is there under another name too"


def header(content: bytes, rng: Random) -> tuple[str, bytes]:
    """What a safetensors file says of where its tensors lie."""
    length = int.from_bytes(content[:8], "little")
    told = json.loads(content[8 : 8 + length])
    name = str(rng.choice(sorted(k for k in told if k != "__metadata__")))
    way = int(rng.integers(4))
    if way == 0:
        told[name]["dtype"] = str(rng.choice(["BF16", "F8_E4M3", "U64", "I8", "BOOL", "X", "F64"]))
    elif way == 1:
        shape = told[name]["shape"] or [1]
        shape[0] = int(rng.choice([0, 2**40, -1, shape[0] + 1]))
        told[name]["shape"] = shape
    elif way == 2:
        told[name]["data_offsets"][int(rng.integers(2))] += int(rng.choice([-4, 4, 2**40]))
    else:
        told[name] = told[str(rng.choice(sorted(k for k in told if k != "__metadata__")))]
    packed = json.dumps(told).encode()
    return f"header of {name}", len(packed).to_bytes(8, "little") + packed + content[8 + length :]


# JSON ---------------------------------------------------------------------------------------------


def tree(content: bytes, rng: Random) -> tuple[str, bytes]:
    """One value of a JSON file is another, or gone."""
    value = json.loads(content)
    holder, key, path = _somewhere(value, rng)
    way = int(rng.integers(8))
    if way == 0 and isinstance(holder, dict):
        del holder[key]
        return f"{path} gone", json.dumps(value).encode()
    if way == 1 and isinstance(holder, list):
        holder.append(holder[key])
        return f"{path} twice", json.dumps(value).encode()
    odd: list[Any] = [
        None, True, [], {}, [[]], {"a": {}}, *NUMBERS, *REALS, 10**400, *WORDS,
        json.loads("[" * 200 + "]" * 200), [0] * 10_000,
    ]  # fmt: skip
    holder[key] = odd[int(rng.integers(len(odd)))]
    return f"{path} = {str(holder[key])[:40]!r}", json.dumps(value).encode()


def _somewhere(value: Any, rng: Random) -> tuple[Any, Any, str]:
    """A place in a tree, as likely in a small branch as in a large one."""
    path = ""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = keys[int(rng.integers(len(keys)))]
        path += f".{key}"
        inner = value[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.2:
            return value, key, path
        value = inner


def lines(content: bytes, rng: Random) -> tuple[str, bytes]:
    """One line of a history is another."""
    rows = content.splitlines(keepends=True)
    at = int(rng.integers(len(rows)))
    if rng.random() < 0.3:
        rows[at] = (
            str(rng.choice(["[" * 5000, "{}", '{"epoch": 1e99}', "[]", "nul"])).encode() + b"\n"
        )
        return f"line {at}", b"".join(rows)
    how, rows[at] = tree(rows[at], rng)
    return f"line {at}: {how}", b"".join(row.rstrip(b"\n") + b"\n" for row in rows)


# Tables -------------------------------------------------------------------------------------------


def table(content: bytes, rng: Random) -> tuple[str, bytes]:
    """One column of a table is another, or some rows are."""
    found = pq.read_table(io.BytesIO(content))
    way = int(rng.integers(5))
    place = int(rng.integers(found.num_columns))
    name = found.column_names[place]
    if way == 0:
        how, changed = _rows(found, rng)
    elif way == 1:
        new = str(rng.choice([name + "x", "", "domain", "has_x", "w_x"]))
        changed = found.rename_columns([new if c == name else c for c in found.column_names])
        how = f"{name} is called {new!r}"
    elif way == 2:
        changed, how = found.drop_columns([name]), f"{name} gone"
    else:
        column, how = _column(found.column(place), rng)
        changed, how = found.set_column(place, name, column), f"{name}: {how}"
    out = io.BytesIO()
    pq.write_table(changed, out)
    return how, out.getvalue()


def _rows(found: pa.Table, rng: Random) -> tuple[str, pa.Table]:
    n, way = found.num_rows, int(rng.integers(4))
    if way == 0:
        return "no rows", found.slice(0, 0)
    if way == 1:
        return "one row", found.slice(int(rng.integers(n)), 1)
    if way == 2:
        return "rows twice", pa.concat_tables([found, found.slice(0, max(1, n // 2))])
    return "rows shuffled", found.take(pa.array(rng.permutation(n)))


def _column(column: pa.ChunkedArray, rng: Random) -> tuple[pa.Array, str]:
    values = column.to_pylist()
    n, way = len(values), int(rng.integers(4))
    if way == 0:
        made = {
            "nothing": lambda: pa.nulls(n),
            "words": lambda: pa.array([str(v)[:50] for v in values]),
            "lists": lambda: pa.array([[v] for v in values]),
            "records": lambda: pa.array([{"a": v} for v in values]),
            "truths": lambda: pa.array([bool(v) for v in values]),
            "numbers": lambda: pa.array(np.arange(n, dtype=np.float64)),
            "bytes": lambda: pa.array([str(v)[:50].encode() for v in values]),
            "times": lambda: pa.array(np.arange(n), pa.timestamp("ns")),
            "one text a million long": lambda: pa.DictionaryArray.from_arrays(
                pa.array(np.zeros(n, np.int32)), pa.array(["x" * 1_000_000])
            ),
        }  # fmt: skip
        kind = str(rng.choice(sorted(made)))
        return made[kind](), f"as {kind}"
    at = int(rng.integers(n))
    kind = column.type
    if way == 1:
        values[at] = None
    elif pa.types.is_floating(kind):
        values[at] = float(rng.choice(REALS))
        kind = pa.float64()
    elif pa.types.is_integer(kind):
        values[at], kind = int(rng.choice(NUMBERS)), pa.int64()
    elif pa.types.is_boolean(kind):
        values[at] = not values[at]
    else:
        word = str(rng.choice(WORDS))
        values[at] = word.encode() if pa.types.is_binary(kind) else word
    return pa.array(values, kind), f"{str(values[at])[:30]!r} in row {at}"


def ways(name: str) -> list[Mutation]:
    """What can be done to a file, by its name; what knows of its form more often."""
    if name.endswith(".safetensors"):
        return [tensor, tensor, tensor, tensor, tensor, tensor, header, raw]
    if name.endswith(".parquet"):
        return [table, table, table, table, lie, lie, raw]
    if name.endswith(".jsonl"):
        return [lines, lines, raw]
    return [tree, tree, tree, tree, raw]
