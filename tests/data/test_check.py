"""Pictures are opened once before anything else is done with them, and bombs are not decoded."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from micrec_core.config import RunSettings
from micrec_core.data import check_images, describe, read_dataset
from micrec_core.data.check import training_refusal
from micrec_core.data.picture_files import image_problem, load_image
from micrec_core.errors import DataError
from micrec_core.modalities.images import load_images
from micrec_core.training.prepare import load_dataset


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


def test_check_says_what_train_will_refuse(tmp_path: Path, write, rows) -> None:
    items, interactions = rows
    first = {}
    for row in interactions:
        first.setdefault((row["user_id"], row["domain"]), row)
    once = read_dataset(write(tmp_path / "once", items=items, interactions=[*first.values()]))
    refusal = describe(once)["refusal"]
    assert refusal == training_refusal(once)
    assert "no validation interaction" in refusal and "12 of 12 users" in refusal
    with pytest.raises(DataError) as caught:
        load_dataset(once.root, RunSettings())
    assert str(caught.value) == refusal
    assert describe(read_dataset(write(tmp_path / "more")))["refusal"] is None


def test_check_says_what_cannot_be_measured(tmp_path: Path, write, rows) -> None:
    items, interactions = rows
    for k, row in enumerate(interactions):
        row["split"] = ("train", "valid", "test")[k % 3] if row["domain"] == "food" else "train"
    found = describe(read_dataset(write(tmp_path / "d", items=items, interactions=interactions)))
    assert found["refusal"] is None
    assert (
        "Nothing can be measured in the domain kitchen: it has no test interaction."
        in (found["notes"])
    )
    for row in interactions:
        row["split"] = "train"
    nothing = read_dataset(write(tmp_path / "e", items=items, interactions=interactions))
    assert describe(nothing)["refusal"]


def encoded(kind: str, mode: str = "RGB", **options: object) -> bytes:
    out = BytesIO()
    Image.new(mode, (9, 7)).save(out, kind, **options)
    return out.getvalue()


ODD = {
    "avif": encoded("AVIF"),
    "cmyk": encoded("JPEG", "CMYK"),
    "16 bits": encoded("PNG", "I;16"),
    "animated": encoded("GIF", save_all=True, append_images=[Image.new("RGB", (9, 7), "red")]),
    "ppm": encoded("PPM"),
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "text": b"no",
    "cut": encoded("PNG")[:50],
    "large": png_of(6_500, 6_500),
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_check_features_and_uploads_agree_on_every_picture(shop: Path, data: bytes) -> None:
    path = shop / "images" / "kitchen0.png"
    path.write_bytes(data)
    problem = image_problem(path)
    dataset, unread = read_dataset(shop), []
    for take in (lambda: check_images(dataset), lambda: load_image(data), lambda: load_image(path)):
        if problem is None:
            take()
        else:
            with pytest.raises(DataError, match=re.escape(problem)):
                take()
    [*load_images([path], lambda image: image, on_unreadable=lambda *said: unread.append(said))]
    assert bool(unread) == (problem is not None)


def test_a_telephone_photograph_is_called_by_its_name() -> None:
    with pytest.raises(DataError, match="HEIC photograph.*; save it as a JPEG file"):
        load_image(ODD["heic"])
