from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from micrec_core.errors import DataError
from micrec_core.modalities.classic_image import _BLOCK_WIDTHS, ClassicImage, describe
from micrec_core.modalities.encoders import load_encoder

from .conftest import COLOURS, draw


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Sixteen: colour k // 4, round where k is odd, two sizes."""
    paths = [tmp_path / f"{k}.png" for k in range(16)]
    for k, path in enumerate(paths):
        draw(path, COLOURS[k // 4], "round" if k % 2 else "square", 40 + 10 * (k % 4 // 2))
    return paths


def test_description_has_the_declared_blocks() -> None:
    rng = np.random.default_rng(0)
    out = describe(rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8))
    assert out.shape == (3, sum(_BLOCK_WIDTHS)) and out.dtype == np.float32
    assert np.isfinite(out).all()
    first = out[:, : _BLOCK_WIDTHS[0]] ** 2
    np.testing.assert_allclose(first.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_picture_is_finite(value: int) -> None:
    assert np.isfinite(describe(np.full((1, 64, 64, 3), value, np.uint8))).all()


def test_colour_histogram_counts_what_is_there() -> None:
    picture = np.zeros((1, 64, 64, 3), np.uint8)
    picture[:, :16, :, 0] = 255  # a quarter red, the rest black
    shares = describe(picture)[0, :64] ** 2
    assert shares[48] == pytest.approx(0.25) and shares[0] == pytest.approx(0.75)


def test_horizontal_and_vertical_stripes_differ() -> None:
    stripes = np.zeros((1, 64, 64, 3), np.uint8)
    stripes[:, :, np.arange(64) // 4 % 2 == 0] = 255
    both = np.concatenate([stripes, stripes.transpose(0, 2, 1, 3)])
    edges = describe(both)[:, 244 : 244 + 128]
    assert edges[0] @ edges[1] < 0.2 * np.linalg.norm(edges[0]) * np.linalg.norm(edges[1])


def test_colour_and_shape_decide_neighbours(pictures: list[Path]) -> None:
    encoder = ClassicImage()
    encoder.fit(pictures)
    out = encoder.encode(pictures)
    assert out.sparse is None and out.present.all()
    np.testing.assert_allclose(np.linalg.norm(out.dense, axis=1), 1, atol=1e-5)
    similar = out.dense @ out.dense.T
    np.fill_diagonal(similar, -1)
    nearest = similar.argmax(axis=1)
    same = (nearest // 4 == np.arange(16) // 4) & (nearest % 2 == np.arange(16) % 2)
    assert same.mean() > 0.8


def test_missing_and_unreadable(pictures: list[Path], tmp_path: Path) -> None:
    encoder = ClassicImage()
    encoder.fit([*pictures, None])
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    told: list[int] = []
    out = encoder.encode(
        [pictures[0], None, bad, tmp_path / "absent.png"],
        on_unreadable=lambda row, error: told.append(row),
    )
    assert told == [2, 3]
    assert out.present.tolist() == [True, False, False, False]
    assert not out.dense[1:].any()
    with pytest.raises(DataError, match=r"bad\.png"):
        encoder.encode([bad])


def test_bytes_and_open_image_equal_the_file(pictures: list[Path]) -> None:
    encoder = ClassicImage()
    encoder.fit(pictures)
    whole = encoder.encode(pictures).dense
    for given in (pictures[3].read_bytes(), Image.open(pictures[3])):
        np.testing.assert_allclose(encoder.encode([given]).dense[0], whole[3], atol=1e-6)


def test_reloaded_encoder_agrees(pictures: list[Path]) -> None:
    encoder = ClassicImage(max_dim=8)
    encoder.fit(pictures)
    meta, arrays = encoder.state()
    again = load_encoder(json.loads(json.dumps(meta)), arrays)
    assert encoder.dim == again.dim == 8
    np.testing.assert_array_equal(encoder.encode(pictures).dense, again.encode(pictures).dense)


def test_fit_encode_learns_from_the_marked_rows_only(pictures: list[Path]) -> None:
    marked = np.arange(16) < 8
    first, second = ClassicImage(), ClassicImage()
    first.fit(pictures[:8])
    out = second.fit_encode(pictures, marked)
    np.testing.assert_allclose(out.dense, first.encode(pictures).dense, atol=1e-5)


def test_state_of_another_version_is_refused(pictures: list[Path]) -> None:
    encoder = ClassicImage()
    encoder.fit(pictures)
    meta, arrays = encoder.state()
    with pytest.raises(DataError, match="encode the dataset again"):
        ClassicImage.from_state({**meta, "version": 99}, arrays)


def test_one_picture(pictures: list[Path]) -> None:
    encoder = ClassicImage()
    encoder.fit(pictures[:1])
    out = encoder.encode(pictures[:2])
    assert np.isfinite(out.dense).all() and out.present.all()


def test_speed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    paths = []
    for k in range(60):
        small = rng.integers(0, 256, (27, 18, 3), dtype=np.uint8)
        paths.append(tmp_path / f"{k}.jpg")
        Image.fromarray(small).resize((144, 216)).save(paths[-1])
    start = time.thread_time()
    ClassicImage().fit_encode(paths, np.ones(60, bool))
    # 3,000 posters in half a minute are 10 ms each; leave room for a busy machine.
    assert (time.thread_time() - start) / 60 < 0.02
