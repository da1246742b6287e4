"""Pictures without a download: colour, edge and texture statistics, and a PCA of them.

Blocks per picture (resized to 64 x 64), each square-rooted (Hellinger) where it is a histogram,
centred on the training catalogue and scaled to the same total variance, so that no block drowns
the others; then the leading principal components.

    colour     joint RGB histogram 4x4x4 and joint HSV histogram 8x3x3
    layout     mean colour of 6 x 6 cells (opponent axes)
    edges      8-bin histograms of gradient orientation in 4 x 4 and 8 x 8 cells
    texture    amplitude spectrum of the grey picture, low frequencies; local binary patterns
    shape      difference from the colour of the border, 12 x 12
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from micrec_core.data.picture_files import ImageInput
from micrec_core.engines import HERE, Engine
from micrec_core.errors import DataError
from micrec_core.features import FeatureMatrix, l2_normalise
from micrec_core.modalities.base import Encoder, OnUnreadable, State, noted, shards_of, told
from micrec_core.modalities.images import load_images

SIDE = 64
Floats = NDArray[np.float32]


class ClassicImage(Encoder):
    """Hand-made picture statistics with a PCA fitted on the training catalogue of all domains.

    Parameters
    ----------
    max_dim : number of principal components; less where the catalogue is small
    """

    kind: ClassVar[str] = "classic-image"
    version: ClassVar[int] = 1
    needs_fit: ClassVar[bool] = True
    modality = "image"
    spec = "classic"

    def __init__(self, max_dim: int = 128) -> None:
        self.max_dim = max_dim
        width = sum(_BLOCK_WIDTHS)
        self._mean = np.zeros(width, np.float32)
        self._scale = np.ones(width, np.float32)
        self._components = np.zeros((1, width), np.float32)

    @property
    def label(self) -> str:
        return "colour, edge and texture statistics"

    @property
    def dim(self) -> int:
        return self._components.shape[0]

    def fit(self, inputs: Sequence[ImageInput | None]) -> ClassicImage:
        """Learn means, block scales and principal components; unreadable files raise DataError."""
        self._fit_rows(*_describe_all(inputs, None))
        return self

    def encode(
        self, inputs: Sequence[ImageInput | None], *, on_unreadable: OnUnreadable | None = None
    ) -> FeatureMatrix:
        """Encode pictures: ``dense`` [n, dim], no sparse view."""
        return self._project(*_describe_all(inputs, on_unreadable))

    def fit_encode(
        self,
        inputs: Sequence[ImageInput | None],
        fit_rows: NDArray[np.bool_],
        *,
        on_unreadable: OnUnreadable | None = None,
        engine: Engine = HERE,
    ) -> FeatureMatrix:
        """As ``fit`` and ``encode``, but every picture is decoded only once, by an engine."""
        parts = list(told(engine.map(_described, None, shards_of(inputs)), on_unreadable))
        described, present = (np.concatenate(part) for part in zip(*parts, strict=True))
        use = np.asarray(fit_rows, dtype=bool)
        self._fit_rows(described[use], present[use])
        return self._project(described, present)

    def state(self) -> State:
        meta = {
            "kind": self.kind,
            "spec": self.spec,
            "version": self.version,
            "max_dim": self.max_dim,
        }
        arrays = {"mean": self._mean, "scale": self._scale, "components": self._components}
        return meta, arrays

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], *, device: str = "cpu"
    ) -> ClassicImage:
        width = sum(_BLOCK_WIDTHS)
        shapes = [arrays[name].shape for name in ("mean", "scale", "components")]
        wanted = [(width,), (width,), (*shapes[2][:1], width)]
        if int(meta["version"]) != cls.version or shapes != wanted:
            raise DataError(
                "the saved image encoder is of another version of this program; "
                "encode the dataset again"
            )
        out = cls(int(meta["max_dim"]))
        out._mean = np.asarray(arrays["mean"], dtype=np.float32)
        out._scale = np.asarray(arrays["scale"], dtype=np.float32)
        out._components = np.asarray(arrays["components"], dtype=np.float32)
        return out

    def _fit_rows(self, described: Floats, present: NDArray[np.bool_]) -> None:
        rows = described[present].astype(np.float64)
        if not len(rows):
            return
        mean = rows.mean(axis=0)
        variances = rows.var(axis=0)
        scale = np.concatenate(
            [
                np.full(len(block), 1.0 / np.sqrt(max(block.sum(), 1e-8)))
                for block in np.split(variances, np.cumsum(_BLOCK_WIDTHS)[:-1])
            ]
        )
        centred = (rows - mean) * scale
        components = _principal_axes(centred, self.max_dim)
        self._mean = mean.astype(np.float32)
        self._scale = scale.astype(np.float32)
        self._components = components.astype(np.float32)

    def _project(self, described: Floats, present: NDArray[np.bool_]) -> FeatureMatrix:
        dense = np.asarray(
            ((described - self._mean) * self._scale) @ self._components.T, np.float32
        )
        dense[~present] = 0.0
        return FeatureMatrix(l2_normalise(dense), None, present)


def _principal_axes(centred: NDArray[np.float64], max_dim: int) -> NDArray[np.float64]:
    """The principal axes [dim, width] of centred rows [n, width] that have variance."""
    if len(centred) < centred.shape[1] // 2:  # few rows: cheaper, and the same axes
        _, spread, axes = np.linalg.svd(centred, full_matrices=False)
        variances = spread**2
    else:
        variances, vectors = np.linalg.eigh(centred.T @ centred)
        variances, axes = variances[::-1], vectors[:, ::-1].T
    keep = int(np.sum(variances[:max_dim] > 1e-9 * max(float(variances[0]), 1e-30)))
    axes = axes[: max(keep, 1)]
    # An axis is known only up to its sign; fix it so that refits agree.
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    return axes * np.where(largest < 0, -1.0, 1.0)[:, None]


def _describe_all(
    inputs: Sequence[ImageInput | None], on_unreadable: OnUnreadable | None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Statistics [n, width] of all pictures and which of them there are."""
    described = np.zeros((len(inputs), sum(_BLOCK_WIDTHS)), np.float32)
    present = np.zeros(len(inputs), dtype=bool)
    hint = (2 * SIDE, 2 * SIDE)
    for rows, pictures in load_images(inputs, _small, on_unreadable=on_unreadable, size_hint=hint):
        described[rows] = describe(np.stack(pictures))
        present[rows] = True
    return described, present


def _described(
    common: None, inputs: Sequence[ImageInput | None]
) -> tuple[tuple[Floats, NDArray[np.bool_]], dict[int, str]]:
    """As ``_describe_all``, and why which positions could not be read."""
    return noted(lambda tell: _describe_all(inputs, tell))


def _small(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.uint8)


def describe(pictures: NDArray[np.uint8]) -> Floats:
    """Statistics [n, width] of RGB pictures [n, 64, 64, 3], block after block."""
    rgb = pictures.astype(np.float32) / 255.0
    grey = rgb @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    blocks = [
        _rgb_histogram(pictures),
        _hsv_histogram(rgb),
        _layout(rgb),
        *_orientations(grey),
        _spectrum(grey),
        _binary_patterns(grey),
        _shape(rgb),
    ]
    return np.concatenate(blocks, axis=1).astype(np.float32)


# Widths of the blocks in the order of ``describe``.
_BLOCK_WIDTHS = (64, 72, 108, 128, 512, 112, 144, 144)


def _histogram(codes: NDArray[np.integer], n_bins: int, weights: Floats | None = None) -> Floats:
    """Square-rooted shares [n, n_bins] of integer codes [n, m]."""
    n = len(codes)
    flat = (codes + n_bins * np.arange(n)[:, None]).ravel()
    counts = np.bincount(flat, None if weights is None else weights.ravel(), n * n_bins)
    counts = counts.reshape(n, n_bins)
    return np.sqrt(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-6))


def _rgb_histogram(pictures: NDArray[np.uint8]) -> Floats:
    bins = (pictures >> 6).astype(np.int64).reshape(len(pictures), -1, 3)
    return _histogram(bins @ np.array([16, 4, 1]), 64)


def _hsv_histogram(rgb: Floats) -> Floats:
    flat = rgb.reshape(len(rgb), -1, 3)
    high, low = flat.max(axis=2), flat.min(axis=2)
    spread = high - low
    r, g, b = flat[..., 0], flat[..., 1], flat[..., 2]
    safe = np.maximum(spread, 1e-6)
    hue = np.where(
        high == r, ((g - b) / safe) % 6, np.where(high == g, (b - r) / safe + 2, (r - g) / safe + 4)
    )
    hue_bin = np.minimum((hue / 6 * 8).astype(np.int64), 7)
    saturation = np.minimum((spread / np.maximum(high, 1e-6) * 3).astype(np.int64), 2)
    value = np.minimum((high * 3).astype(np.int64), 2)
    return _histogram(hue_bin * 9 + saturation * 3 + value, 72)


def _cells(values: Floats, n_cells: int) -> Floats:
    """Means [n, n_cells, n_cells, ...] over square cells of [n, side, side, ...]."""
    step = values.shape[1] // n_cells
    cut = values[:, : step * n_cells, : step * n_cells]
    shape = (len(values), n_cells, step, n_cells, step, *values.shape[3:])
    return cut.reshape(shape).mean(axis=(2, 4))


def _layout(rgb: Floats) -> Floats:
    opponent = np.array([[1, 1, 1], [1, -1, 0], [0.5, 0.5, -1]], dtype=np.float32).T
    return _cells(rgb[:, 2:-2, 2:-2] @ opponent, 6).reshape(len(rgb), -1)


def _orientations(grey: Floats) -> list[Floats]:
    """Orientation histograms weighted by gradient strength, coarse and fine cells."""
    across = np.zeros_like(grey)
    down = np.zeros_like(grey)
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    strength = np.hypot(across, down)
    angle = np.arctan2(down, across) % np.pi
    bins = np.minimum((angle / np.pi * 8).astype(np.int64), 7)
    out = []
    for n_cells in (4, 8):
        cell = np.arange(SIDE) // (SIDE // n_cells)
        codes = (cell[:, None] * n_cells + cell[None, :]) * 8 + bins
        flat, weight = codes.reshape(len(grey), -1), strength.reshape(len(grey), -1)
        out.append(_histogram(flat, n_cells * n_cells * 8, weight))
    return out


def _spectrum(grey: Floats) -> Floats:
    """Log amplitudes of frequencies below 8 cycles both ways (half of the plane)."""
    window = np.hanning(SIDE).astype(np.float32)
    flat = (grey - grey.mean(axis=(1, 2), keepdims=True)) * window[:, None] * window[None, :]
    amplitude = np.abs(np.fft.rfft2(flat))
    low = np.concatenate([amplitude[:, -7:, :8], amplitude[:, :7, :8]], axis=1)
    return np.log1p(low.reshape(len(grey), -1)).astype(np.float32)


def _binary_patterns(grey: Floats) -> Floats:
    """Histograms of uniform-ish local binary patterns (bits set, transitions) in 2 x 2 cells."""
    centre = grey[:, 1:-1, 1:-1]
    around = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    size = SIDE - 2
    bits = np.stack(
        [grey[:, y : y + size, x : x + size] > centre + 0.02 for y, x in around], axis=-1
    )
    set_bits = bits.sum(axis=-1)
    turns = (bits != np.roll(bits, 1, axis=-1)).sum(axis=-1) // 2
    codes = set_bits * 4 + np.minimum(turns, 3)
    half = np.arange(size) // (size // 2)
    codes = (half[:, None] * 2 + half[None, :]) * 36 + codes
    return _histogram(codes.reshape(len(grey), -1), 144)


def _shape(rgb: Floats) -> Floats:
    """How far each of 12 x 12 cells is from the usual colour of the picture's border."""
    border = np.concatenate(
        [rgb[:, :3].reshape(len(rgb), -1, 3), rgb[:, -3:].reshape(len(rgb), -1, 3)], axis=1
    )
    ground = np.median(border, axis=1)[:, None, None, :]
    distance = np.sqrt(((rgb[:, 2:-2, 2:-2] - ground) ** 2).sum(axis=-1))
    return np.sqrt(_cells(distance, 12).reshape(len(rgb), -1))
