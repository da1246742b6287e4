"""Arrow's own files, as feather and Hugging Face's ``datasets`` write them, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from micrec_core.data.sources import open_regular

ARROW = (".arrow", ".feather")


def arrow_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The batches of a file, streamed or not; each is whole, whatever the file says of it.

    Raises
    ------
    pa.ArrowException, OSError
        It is no such file, or a damaged one.
    """
    with open_regular(path), pa.memory_map(str(path)) as file:
        for batch in _batches(file):
            batch.validate(full=True)  # a text may be said to lie anywhere in memory
            yield batch


def _batches(file: pa.MemoryMappedFile) -> Iterator[pa.RecordBatch]:
    try:
        stream = pa.ipc.open_stream(file)
    except pa.ArrowInvalid:
        found = pa.ipc.open_file(file)
        yield from (found.get_batch(k) for k in range(found.num_record_batches))
    else:
        yield from stream
