"""The pictures of the sample: a thing on a table, drawn by code in layers.

Palette and pattern can only be seen here; the silhouette shows the category. Layers from back to
front: wall with a soft light, table with a cloth in the pattern, cast shadow, the parts of the
thing (colour, pattern, light from the left, rim, gloss). All is drawn at twice the size.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import pairwise

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from micrec_core.sample.shapes import BASE, SHAPES, Part

Colour = tuple[int, int, int]
_OVERSAMPLING = 2
_TABLE = 0.67
_QUALITY = 86


@dataclass(frozen=True)
class Palette:
    """Colours of one palette as #rrggbb; ``accent`` is the pattern's on the ``body``."""

    wall: str
    table: str
    body: str
    accent: str
    trim: str
    light: str
    dark: str


# In the order of ``words.PALETTES``.
PALETTES = (
    Palette("#e6ebdd", "#b9c7a5", "#7f9c74", "#dfe8cd", "#4c6649", "#f7f8ef", "#2f3f2e"),
    Palette("#d9e8f2", "#8fb6d3", "#1f5f92", "#8ccbe8", "#123a5e", "#f3f9fc", "#0b2338"),
    Palette("#f6e4d7", "#dda583", "#c05f38", "#f7cfa5", "#7d3820", "#fdf4ea", "#43190d"),
    Palette("#f3dfe4", "#cf8d9f", "#9c1f45", "#f09bb0", "#5e0f2a", "#fdf2f4", "#33081a"),
    Palette("#fdf3cf", "#f3cf6a", "#f2a91c", "#fff0b0", "#b36b00", "#fffbea", "#5c3800"),
    Palette("#ececea", "#b5b3ae", "#3d3f45", "#e8e1d2", "#1f2024", "#faf8f3", "#101114"),
    Palette("#fde9f3", "#f7bcd8", "#f07fb5", "#fff0f7", "#c23f83", "#fff8fb", "#6b1c46"),
    Palette("#e8e2f5", "#b3a2dc", "#6a4bb0", "#cdbcf5", "#3c2672", "#f7f4fd", "#21133f"),
)


def draw_picture(
    domain: int,
    category: int,
    palette: int,
    pattern: int,
    rng: np.random.Generator,
    size: int = 192,
) -> Image.Image:
    """Draw one item.

    Parameters
    ----------
    domain, category, palette, pattern : what is to be seen
    rng : places and colours vary a little from item to item
    size : side of the picture in pixels

    Returns
    -------
    An RGB image [size, size].
    """
    side = size * _OVERSAMPLING
    colours = _jittered(PALETTES[palette], rng)
    cloth = draw_pattern(pattern, side, colours["body"], colours["accent"], rng)
    scene = _background(side, pattern, colours, rng)
    place = _Place(side, rng)
    parts = [(part, place.mask(part)) for part in SHAPES[domain][category]()]
    scene = _cast_shadow(scene, [mask for part, mask in parts if part.role != "steam"])
    behind = scene.copy()
    for part, mask in parts:
        if part.role == "steam":
            faint = mask.filter(ImageFilter.GaussianBlur(side * 0.008)).point(lambda v: v * 7 // 10)
            scene.paste((255, 255, 255), mask=faint)
        elif part.role == "wall":
            scene.paste(behind, mask=mask)
        else:
            fill = cloth if part.role == "body" else colours[part.role]
            _paint(scene, mask, fill, part.flat)
    return scene.resize((size, size), Image.Resampling.LANCZOS)


def encode_picture(picture: Image.Image) -> bytes:
    """The WebP file of a picture."""
    out = BytesIO()
    picture.save(out, "WEBP", quality=_QUALITY, method=6)
    return out.getvalue()


class _Place:
    """Where a thing stands: unit coordinates to pixels, a little shifted and scaled."""

    def __init__(self, side: int, rng: np.random.Generator) -> None:
        self.side = side
        self.scale = 0.97 + 0.07 * rng.random()
        self.shift = 0.03 * (rng.random() - 0.5)
        self.drop = 0.02 * rng.random()
        # A thing with a handle at the left is no other thing.
        self.flip = bool(rng.random() < 0.35)

    def mask(self, part: Part) -> Image.Image:
        """Where the part is, [side, side] with 255 inside."""
        points = []
        for x, y in part.points:
            x = 1.0 - x if self.flip else x
            px = 0.5 + (x - 0.5) * self.scale + self.shift
            py = BASE + (y - BASE) * self.scale + self.drop
            points.append((px * self.side, py * self.side))
        mask = Image.new("L", (self.side, self.side), 0)
        draw = ImageDraw.Draw(mask)
        if not part.width:
            draw.polygon(points, fill=255)
            return mask
        # A round brush drawn along the line: Pillow's own wide lines are ragged where they turn.
        r = max(0.5, part.width * self.side * self.scale / 2)
        for (ax, ay), (bx, by) in pairwise(points):
            steps = max(1, round(max(abs(bx - ax), abs(by - ay)) / min(r, 1.5)))
            for k in range(steps + 1):
                x, y = ax + (bx - ax) * k / steps, ay + (by - ay) * k / steps
                draw.ellipse((x - r, y - r, x + r, y + r), fill=255)
        return mask


def _jittered(palette: Palette, rng: np.random.Generator) -> dict[str, Colour]:
    """The palette's colours, hue, strength and lightness moved a little for the whole item."""
    hue, strength, lightness = rng.normal(0.0, (0.012, 0.06, 0.025))
    out = {}
    for role, code in vars(palette).items():
        rgb = [int(code[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        h, light, s = colorsys.rgb_to_hls(*rgb)
        light = min(max(light + lightness, 0.0), 1.0)
        moved = colorsys.hls_to_rgb((h + hue) % 1.0, light, min(s * (1 + strength), 1.0))
        out[role] = (round(255 * moved[0]), round(255 * moved[1]), round(255 * moved[2]))
    return out


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """``share`` of ``b`` in ``a``."""
    r, g, bl = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return r, g, bl


def _background(
    side: int, pattern: int, colours: dict[str, Colour], rng: np.random.Generator
) -> Image.Image:
    """Wall with light from the upper left, and a table whose cloth repeats the pattern faintly."""
    scene = Image.new("RGB", (side, side), colours["wall"])
    scene.paste(mix(colours["wall"], (255, 255, 255), 0.75), mask=_glow(side))
    scene.paste(mix(colours["wall"], colours["table"], 0.55), mask=_corners(side))
    top = round((_TABLE + 0.02 * rng.random()) * side)
    weave = draw_pattern(
        pattern, side, colours["table"], mix(colours["table"], colours["light"], 0.42), rng
    )
    scene.paste(weave.crop((0, top, side, side)), (0, top))
    draw = ImageDraw.Draw(scene)
    edge = max(2, side // 110)
    draw.rectangle((0, top, side, top + edge), fill=mix(colours["table"], (255, 255, 255), 0.45))
    shade = _table_shade(side, top)
    scene.paste(mix(colours["table"], colours["dark"], 0.55), mask=shade)
    return scene


@lru_cache(maxsize=4)
def _glow(side: int) -> Image.Image:
    y, x = np.mgrid[0:side, 0:side] / side
    light = np.exp(-(((x - 0.42) / 0.38) ** 2 + ((y - 0.36) / 0.36) ** 2))
    return Image.fromarray((235 * light).astype(np.uint8))


@lru_cache(maxsize=4)
def _corners(side: int) -> Image.Image:
    y, x = np.mgrid[0:side, 0:side] / side
    dark = np.clip(np.hypot(x - 0.45, y - 0.4) - 0.38, 0, 1)
    return Image.fromarray((255 * np.clip(dark * 1.3, 0, 1)).astype(np.uint8))


@lru_cache(maxsize=32)
def _table_shade(side: int, top: int) -> Image.Image:
    """Darker to the front edge and right below the wall."""
    y = np.arange(side)
    front = np.clip((y - top) / max(side - top, 1), 0, 1) ** 2 * 70
    back = np.where(y > top, np.exp(-(y - top) / (0.02 * side)) * 40, 0)
    return Image.fromarray(np.repeat((front + back).astype(np.uint8)[:, None], side, axis=1))


def _cast_shadow(scene: Image.Image, masks: list[Image.Image]) -> Image.Image:
    """Shadow of all parts: thrown to the right on the wall, and dense where the thing stands."""
    side = scene.width
    union = masks[0]
    for mask in masks[1:]:
        union = ImageChops.lighter(union, mask)
    thrown = ImageChops.offset(union, round(0.045 * side), round(0.015 * side))
    thrown.paste(0, (0, 0, round(0.045 * side), side))
    thrown = thrown.filter(ImageFilter.GaussianBlur(side * 0.022)).point(lambda v: v * 24 // 100)
    bounds = union.getbbox() or (0, 0, side, side)
    foot = union.crop((0, round(bounds[3] - 0.06 * side), side, bounds[3])).getbbox() or bounds
    contact = Image.new("L", (side, side), 0)
    low, high = bounds[3] - 0.035 * side, bounds[3] + 0.03 * side
    spread = 0.04 * side
    ImageDraw.Draw(contact).ellipse(
        (foot[0] - 0.3 * spread, low, foot[2] + 1.4 * spread, high), fill=165
    )
    contact = contact.filter(ImageFilter.GaussianBlur(side * 0.014))
    shadow = ImageChops.lighter(thrown, contact)
    dark = scene.point(lambda v: v * 38 // 100)
    return Image.composite(dark, scene, shadow)


def _paint(scene: Image.Image, mask: Image.Image, fill: Image.Image | Colour, flat: bool) -> None:
    """Lay one part over the scene: its colour or pattern, and the light on it."""
    bounds = mask.getbbox()
    if bounds is None:
        return
    area = mask.crop(bounds)
    if isinstance(fill, Image.Image):
        layer = fill.crop(bounds)
    else:
        layer = Image.new("RGB", area.size, fill)
    if not flat:
        light = _roundness(*area.size)
        layer = ImageChops.multiply(layer, Image.merge("RGB", (light, light, light)))
        gloss = _gloss(*area.size)
        layer = Image.composite(Image.new("RGB", area.size, (255, 255, 255)), layer, gloss)
    # A soft dark rim sets parts of one colour off from each other.
    inside = area.filter(ImageFilter.GaussianBlur(max(1.0, scene.width * 0.008)))
    rim = ImageChops.multiply(ImageChops.invert(inside), area).point(lambda v: v * 55 // 100)
    layer = Image.composite(layer.point(lambda v: v * 45 // 100), layer, rim)
    scene.paste(layer, bounds, mask=area)


@lru_cache(maxsize=1024)
def _roundness(width: int, height: int) -> Image.Image:
    """Light across a round thing lit from the left, a little darker to its foot."""
    x = (np.arange(width) + 0.5) / width
    across = (
        1.0 - 0.42 * np.clip((x - 0.38) / 0.62, 0, 1) ** 1.7 - 0.2 * np.clip((0.3 - x) / 0.3, 0, 1)
    )
    down = 1.0 - 0.12 * ((np.arange(height) + 0.5) / height) ** 2
    return Image.fromarray((255 * down[:, None] * across[None, :]).astype(np.uint8))


@lru_cache(maxsize=1024)
def _gloss(width: int, height: int) -> Image.Image:
    """A bright upright streak at the left, fading to both ends."""
    x = (np.arange(width) + 0.5) / width
    y = (np.arange(height) + 0.5) / height
    streak = np.exp(-(((x - 0.22) / 0.055) ** 2))[None, :] * (np.sin(np.pi * y) ** 0.6)[:, None]
    return Image.fromarray((95 * streak).astype(np.uint8))


# --- patterns -----------------------------------------------------------------------------------
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


# In the order of ``words.PATTERNS``.
_DRAWERS = (_stripes, _dots, _checks, _waves, _zigzags, _leaves)
