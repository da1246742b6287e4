"""The six patterns of the sample pictures, in the order of ``sample_words.PATTERNS``."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]


def draw_pattern(
    pattern: int, side: int, ground: Colour, ink: Colour, rng: np.random.Generator
) -> Image.Image:
    """An RGB image [side, side] of ``ink`` on ``ground``; scale and phase vary with ``rng``."""
    image = Image.new("RGB", (side, side), ground)
    step = side * (0.094 + 0.012 * rng.random())
    phase = float(rng.random()) * step
    _DRAWERS[pattern](image, step, phase, ink)
    return image


def _stripes(image: Image.Image, step: float, phase: float, ink: Colour) -> None:
    draw, side = ImageDraw.Draw(image), image.width
    for k in range(-1, int(side / step) + 2):
        x = k * step + phase
        draw.rectangle((x, 0, x + 0.42 * step, side), fill=ink)
        draw.rectangle((x + 0.64 * step, 0, x + 0.7 * step, side), fill=ink)


def _dots(image: Image.Image, step: float, phase: float, ink: Colour) -> None:
    draw, side = ImageDraw.Draw(image), image.width
    r, rise = 0.27 * step, 0.86 * step
    for row in range(-1, int(side / rise) + 2):
        for column in range(-1, int(side / step) + 2):
            x, y = (column + 0.5 * (row % 2)) * step + phase, row * rise + phase
            draw.ellipse((x - r, y - r, x + r, y + r), fill=ink)


def _checks(image: Image.Image, step: float, phase: float, ink: Colour) -> None:
    """Gingham: half ink where one band runs, full ink where two cross."""
    side, band = image.width, 0.55 * step
    cover = Image.new("L", image.size, 0)
    draw = ImageDraw.Draw(cover)
    starts = [k * 1.1 * step + phase for k in range(-1, int(side / step) + 2)]
    for at in starts:
        draw.rectangle((at, 0, at + band, side), fill=125)
        draw.rectangle((0, at, side, at + band), fill=125)
    for x in starts:
        for y in starts:
            draw.rectangle((x, y, x + band, y + band), fill=255)
    image.paste(ink, mask=cover)


def _across(
    image: Image.Image, step: float, ink: Colour, shape: Callable[[float], float], width: float
) -> None:
    """Lines from left to right, ``shape`` [x -> y] below each other."""
    draw, side = ImageDraw.Draw(image), image.width
    fine = max(1, side // 192)
    for k in range(-2, int(side / step) + 3):
        points = [(x, k * step + shape(x)) for x in range(0, side + fine, fine)]
        draw.line(points, fill=ink, width=max(2, round(width)), joint="curve")


def _waves(image: Image.Image, step: float, phase: float, ink: Colour) -> None:
    def shape(x: float) -> float:
        return 0.3 * step * math.sin(2 * math.pi * (x + phase) / (1.9 * step)) + phase

    _across(image, step, ink, shape, 0.26 * step)


def _zigzags(image: Image.Image, step: float, phase: float, ink: Colour) -> None:
    def shape(x: float) -> float:
        along = ((x + phase) / (1.5 * step)) % 1.0
        return 1.5 * step * abs(along - 0.5) + phase

    _across(image, 1.15 * step, ink, shape, 0.42 * step)


def _leaves(image: Image.Image, step: float, phase: float, ink: Colour) -> None:
    """Sprigs of two leaves on a stem, leaning one way and the other in turn."""
    draw, side = ImageDraw.Draw(image), image.width
    wide = 1.6 * step
    for row in range(-1, int(side / wide) + 2):
        for column in range(-1, int(side / wide) + 2):
            x = (column + 0.5 * (row % 2)) * wide + phase
            y = row * wide + phase
            lean = 0.5 if (row + column) % 2 else -0.5
            for turn in (lean - 0.62, lean + 0.62):
                draw.polygon(_leaf(x, y, 0.78 * step, turn), fill=ink)
            stem = (x - 0.55 * step * math.sin(lean), y + 0.55 * step * math.cos(lean))
            draw.line(((x, y), stem), fill=ink, width=max(2, round(0.1 * step)))


def _leaf(x: float, y: float, length: float, turn: float) -> list[tuple[float, float]]:
    """A pointed leaf that starts at (x, y); ``turn`` 0 points up."""
    along = np.linspace(0.0, 1.0, 9)
    half = 0.27 * np.sin(np.pi * along)
    out = [(t, h) for t, h in zip(along, half, strict=True)]
    out += [(t, -h) for t, h in zip(along[::-1], half[::-1], strict=True)]
    up = (math.sin(turn), -math.cos(turn))
    return [
        (x + length * (t * up[0] - h * up[1]), y + length * (t * up[1] + h * up[0])) for t, h in out
    ]


_DRAWERS = (_stripes, _dots, _checks, _waves, _zigzags, _leaves)
