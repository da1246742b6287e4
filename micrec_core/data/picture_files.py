"""The one judge of pictures: which kinds and sizes are read, and how one becomes plain RGB.

Checks, encoders, uploads and copied folders all ask here, so that none takes what another refuses.
"""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from micrec_core.errors import DataError

ImageInput = Path | bytes | Image.Image
MAX_PIXELS = 40_000_000
MAX_BYTES = 32 * 1024 * 1024
# Pillow knows some forty formats; only these are common for pictures and safe to decode. HEIF is
# there where a plug-in has registered it.
_ENDINGS = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif"),
}
_KINDS = "a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF file"
# What photographs of telephones begin with, after four bytes that say how long the part is.
_HEIC = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc")


def formats() -> tuple[str, ...]:
    """Those of the formats that can be decoded here, by Pillow's names."""
    Image.init()
    return tuple(name for name in _ENDINGS if name in Image.OPEN)


def endings() -> tuple[str, ...]:
    """Endings of the names of such pictures, in small letters, with the dot."""
    return tuple(ending for name in formats() for ending in _ENDINGS[name])


class _Unfit(Exception):
    """Why a picture cannot be used, as the middle of a sentence, and the mend."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(problem, mend)
        self.problem, self.mend = problem, mend


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
    try:
        return _loaded(source, size_hint)
    except _Unfit as unfit:
        name = name or (f"'{source}'" if isinstance(source, Path) else "the picture")
        raise DataError(f"{name} {unfit.problem}; {unfit.mend}") from unfit.__cause__


def image_problem(path: Path) -> str | None:
    """What is wrong with a picture, as the end of a sentence; None if ``load_image`` takes it."""
    try:
        _loaded(path, (64, 64))
    except _Unfit as unfit:
        return unfit.problem
    return None


def _loaded(source: ImageInput, size_hint: tuple[int, int] | None) -> Image.Image:
    if isinstance(source, Image.Image):
        _check_pixels(source.size)
        return _as_rgb(source)
    data = _read_bytes(source)
    try:
        opened = Image.open(BytesIO(data), formats=formats())
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large() from None
    except Exception as error:  # decoders of hostile files raise nearly anything
        if data[4:12] in _HEIC:
            raise _Unfit(
                "is a HEIC photograph, which cannot be read here", "save it as a JPEG file"
            ) from error
        raise _Unfit("is not a picture that can be read", f"give {_KINDS}") from error
    with opened:
        _check_pixels(opened.size)
        try:
            if size_hint is not None and opened.format == "JPEG":
                opened.draft("RGB", size_hint)
            return _as_rgb(opened)
        except Exception as error:  # truncated or damaged pixel data, again of any kind
            raise _Unfit(
                "is damaged and does not decode", "save it again or leave it out"
            ) from error


def _read_bytes(source: Path | bytes) -> bytes:
    if isinstance(source, Path):
        try:
            size = source.stat().st_size
            data = source.read_bytes() if size <= MAX_BYTES else b""
        except OSError as error:
            raise _Unfit("cannot be opened", "check that the file is there") from error
    else:
        size, data = len(source), source
    if size > MAX_BYTES:
        raise _Unfit(
            f"is {size / 2**20:.0f} MB and the limit is {MAX_BYTES // 2**20} MB",
            "give a smaller file",
        )
    if not data:
        raise _Unfit("is empty, so it is not a picture", "give a file that holds one")
    return bytes(data)


def _check_pixels(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise _too_large()
    if size[0] < 1 or size[1] < 1:
        raise _Unfit("has no pixels", "give a file that holds a picture")


def _too_large() -> _Unfit:
    return _Unfit(
        f"has more than {MAX_PIXELS // 10**6} million pixels, as an image bomb has",
        "give a smaller picture",
    )


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
