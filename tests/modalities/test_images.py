from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from micrec_core.data import picture_files
from micrec_core.data.picture_files import load_image
from micrec_core.errors import DataError
from micrec_core.modalities.images import load_images


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A few bytes whose header promises a huge picture."""

    def part(name: bytes, body: bytes) -> bytes:
        check = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", data) + part(b"IEND", b"")


def one_sentence(error: pytest.ExceptionInfo[DataError]) -> str:
    text = str(error.value)
    assert "\n" not in text and not text.endswith(".")
    return text


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_formats_by_content(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.xyz"  # the name says nothing
    path.write_bytes(encoded(Image.new("RGB", (9, 7), (200, 30, 30)), kind))
    image = load_image(path)
    assert image.mode == "RGB" and image.size == (9, 7)
    assert np.abs(np.asarray(image).reshape(-1, 3).mean(0) - [200, 30, 30]).max() < 6


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x89PNG\r\n\x1a\n",
        encoded(Image.new("RGB", (9, 9)), "PPM"),
        encoded(Image.effect_noise((90, 90), 50), "JPEG")[:900],
        encoded(Image.effect_noise((90, 90), 50), "PNG")[:900],
    ],
)
def test_bad_bytes_are_one_sentence(data: bytes) -> None:
    with pytest.raises(DataError) as error:
        load_image(data)
    assert one_sentence(error).startswith("the picture")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(8000, 8000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_bomb_is_refused_from_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="40 million pixels"):
        load_image(png_that_claims(*size))


def test_too_many_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(picture_files, "MAX_BYTES", 1000)
    data = encoded(Image.effect_noise((90, 90), 50), "PNG")
    path = tmp_path / "large.png"
    path.write_bytes(data)
    for source in (data, path):
        with pytest.raises(DataError, match="the limit is"):
            load_image(source)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.png", tmp_path):
        with pytest.raises(DataError):
            load_image(path)


def test_transparency_is_over_white() -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    half = Image.new("LA", (4, 4), (0, 128))
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    assert np.asarray(load_image(encoded(clear, "PNG"))).min() == 255
    assert abs(int(np.asarray(load_image(encoded(half, "PNG")))[0, 0, 0]) - 127) <= 1
    see_through = encoded(palette, "PNG", transparency=0)
    assert np.asarray(load_image(see_through)).min() == 255
    assert np.asarray(load_image(encoded(palette, "PNG")))[0, 0].tolist() == [255, 0, 0]


def test_sixteen_bit_and_float_grey_are_scaled() -> None:
    ramp = np.linspace(0, 65535, 64).reshape(8, 8)
    wide = Image.fromarray(ramp.astype(np.uint16))
    out = np.asarray(load_image(encoded(wide, "PNG")))[..., 0]
    np.testing.assert_allclose(out, ramp / 257, atol=1)
    floating = Image.fromarray((ramp / 65535).astype(np.float32))
    np.testing.assert_allclose(
        np.asarray(load_image(encoded(floating, "TIFF")))[..., 0], ramp / 257, atol=1
    )


def test_cmyk_and_grey_become_rgb() -> None:
    for mode in ("CMYK", "L", "1", "YCbCr"):
        assert load_image(encoded(Image.new(mode, (5, 5)), "TIFF")).mode == "RGB"


def test_exif_orientation() -> None:
    image = Image.new("RGB", (20, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    assert load_image(encoded(image, "JPEG", exif=exif)).size == (10, 20)


def test_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (6, 6), c) for c in ("red", "blue", "lime")]
    for kind in ("GIF", "WEBP", "PNG"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        pixel = np.asarray(load_image(data))[3, 3]
        assert pixel[0] > 200 and pixel[2] < 60


def test_size_hint_saves_work_but_not_the_picture() -> None:
    data = encoded(Image.new("RGB", (800, 600), "teal"), "JPEG")
    small = load_image(data, size_hint=(128, 128))
    assert min(small.size) >= 128 and small.size[0] < 800


def test_given_image_is_left_alone() -> None:
    image = Image.new("RGBA", (5, 5), (0, 0, 0, 0))
    assert np.asarray(load_image(image)).min() == 255
    assert image.mode == "RGBA"


@pytest.mark.parametrize("workers", [1, 3])
def test_load_images_keeps_positions(workers: int) -> None:
    data = [encoded(Image.new("L", (3, 3), k), "PNG") for k in range(7)]
    sources = [data[0], None, b"bad", *data[1:]]
    told: list[int] = []
    got: dict[int, int] = {}
    for rows, values in load_images(
        sources,
        lambda image: image.getpixel((0, 0))[0],  # type: ignore[index]
        on_unreadable=lambda row, error: told.append(row),
        chunk=2,
        workers=workers,
    ):
        got |= dict(zip(rows, values, strict=True))
    assert told == [2]
    assert got == {0: 0, 3: 1, 4: 2, 5: 3, 6: 4, 7: 5, 8: 6}
