"""Reading pictures that nobody vouches for: limits before decoding, type by content, plain RGB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from micrec_core.errors import DataError

ImageInput = Path | bytes | Image.Image
MAX_PIXELS = 40_000_000
MAX_BYTES = 32 * 1024 * 1024
# Pillow knows some forty formats; only these are common for pictures and safe to decode.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_CHUNK = 256
T = TypeVar("T")


def load_image(
    source: ImageInput, *, name: str = "", size_hint: tuple[int, int] | None = None
) -> Image.Image:
    """A picture as RGB, upright, first frame, transparency over white.

    Parameters
    ----------
    source : a file, the bytes of one (an upload), or an image already open
    name : how the error message calls it; a file is called by its path when empty
    size_hint : (width, height) that is enough; a JPEG is then decoded at a smaller scale

    Raises
    ------
    DataError
        No such file, not a picture of a known format, damaged, or over the limits.
    """
    name = name or (f"'{source}'" if isinstance(source, Path) else "the picture")
    if isinstance(source, Image.Image):
        _check_pixels(source.size, name)
        return _as_rgb(source)
    data = _read_bytes(source, name)
    try:
        opened = Image.open(BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(_too_large(name)) from None
    except Exception as error:  # decoders of hostile files raise nearly anything
        raise DataError(
            f"{name} is not a picture that can be read; give a JPEG, PNG, WebP, GIF, BMP, TIFF or "
            "AVIF file"
        ) from error
    with opened:
        _check_pixels(opened.size, name)
        try:
            if size_hint is not None and opened.format == "JPEG":
                opened.draft("RGB", size_hint)
            return _as_rgb(opened)
        except Exception as error:  # truncated or damaged pixel data, again of any kind
            raise DataError(
                f"{name} is damaged and cannot be decoded; save it again or leave it out"
            ) from error


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


def _read_bytes(source: Path | bytes, name: str) -> bytes:
    if isinstance(source, Path):
        try:
            size = source.stat().st_size
            data = source.read_bytes() if size <= MAX_BYTES else b""
        except OSError as error:
            raise DataError(f"{name} cannot be opened; check that the file is there") from error
    else:
        size, data = len(source), source
    if size > MAX_BYTES:
        raise DataError(
            f"{name} is {size / 2**20:.0f} MB and the limit is {MAX_BYTES // 2**20} MB; "
            "give a smaller file"
        )
    if not data:
        raise DataError(f"{name} is empty; give a file that holds a picture")
    return bytes(data)


def _check_pixels(size: tuple[int, int], name: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise DataError(_too_large(name))
    if size[0] < 1 or size[1] < 1:
        raise DataError(f"{name} has no pixels; give a file that holds a picture")


def _too_large(name: str) -> str:
    return f"{name} has more than {MAX_PIXELS // 10**6} million pixels; give a smaller picture"


def _as_rgb(image: Image.Image) -> Image.Image:
    if getattr(image, "is_animated", False):
        image.seek(0)
    image.load()
    with suppress(Exception):  # a broken EXIF block must not cost us a good picture
        image = ImageOps.exif_transpose(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image.copy()
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _from_wide_grey(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _from_wide_grey(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit or float grey as 8-bit; Pillow's own conversion would clip at 255."""
    values = np.asarray(image, dtype=np.float64)
    if image.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    else:
        finite = values[np.isfinite(values)]
        low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    scaled = np.nan_to_num((values - low) / max(high - low, 1e-12)) * 255.0
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
