"""Pictures are opened once before anything else is done with them, and bombs are not decoded."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from micrec_core.data import check_images, read_dataset
from micrec_core.errors import DataError


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (png_of(9_000, 9_000), "image bomb"),
        (png_of(60_000, 60_000), "image bomb"),
        (b"not a picture", "is not a picture"),
        (png_of(100, 100), "does not decode"),
        (b"", "is not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a picture"),
    ],
    ids=["bomb", "huge bomb", "text", "cut short", "empty", "svg"],
)
def test_pictures_are_checked(
    shop: Path, content: bytes, words: str, one_sentence: Callable[[str], None]
) -> None:
    dataset = read_dataset(shop)
    assert check_images(dataset) == {"food": 1, "kitchen": 1}
    (shop / "images" / "kitchen0.png").write_bytes(content)
    with pytest.raises(DataError, match=f"'images/kitchen0.png' .*{words}") as caught:
        check_images(dataset)
    one_sentence(str(caught.value))


def test_several_bad_pictures_are_listed(shop: Path) -> None:
    dataset = read_dataset(shop)
    for name in ("food0", "kitchen0"):
        (shop / "images" / f"{name}.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"1 other: 'images/kitchen0.png'"):
        check_images(dataset)
