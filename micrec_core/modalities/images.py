"""Many pictures at once, in chunks; what is one at all is judged in ``data.picture_files``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from PIL import Image

from micrec_core.data.picture_files import ImageInput, load_image
from micrec_core.errors import DataError

_CHUNK = 256
T = TypeVar("T")


def load_images(
    sources: Sequence[ImageInput | None],
    transform: Callable[[Image.Image], T],
    *,
    on_unreadable: Callable[[int, DataError], None] | None = None,
    size_hint: tuple[int, int] | None = None,
    chunk: int = _CHUNK,
    workers: int = 1,
) -> Iterator[tuple[list[int], list[T]]]:
    """Load and transform pictures in chunks: (positions in ``sources``, what came of them).

    A missing picture (None) is left out; so is an unreadable one after ``on_unreadable`` was told
    its position and error. Without ``on_unreadable`` the first error is raised.
    """

    def one(position: int) -> T | DataError:
        source = sources[position]
        assert source is not None
        try:
            return transform(load_image(source, size_hint=size_hint))
        except DataError as error:
            return error

    wanted = [row for row, source in enumerate(sources) if source is not None]
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        for start in range(0, len(wanted), chunk):
            part = wanted[start : start + chunk]
            results = pool.map(one, part) if workers > 1 else map(one, part)
            rows: list[int] = []
            good: list[T] = []
            for row, result in zip(part, results, strict=True):
                if not isinstance(result, DataError):
                    rows.append(row)
                    good.append(result)
                elif on_unreadable is None:
                    raise result
                else:
                    on_unreadable(row, result)
            if rows:
                yield rows, good
