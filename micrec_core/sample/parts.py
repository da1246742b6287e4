"""What sample pictures are made of: painted parts, simple shapes, and labels with an emblem.

Coordinates are shares of the picture, x to the right and y down; things stand on y = 0.84.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

Point = tuple[float, float]
BASE = 0.84


@dataclass(frozen=True)
class Part:
    """An area, or a line where ``width`` is set.

    ``role`` is the colour: ``body`` carries the pattern, ``trim`` and ``accent`` are plain,
    ``light`` and ``dark`` are for labels and openings, ``steam`` is faint, ``wall`` shows what
    is behind. A ``flat`` part gets no shading of its own.
    """

    role: str
    points: tuple[Point, ...]
    width: float = 0.0
    flat: bool = False


def smooth(points: Sequence[Point], closed: bool, rounds: int = 3) -> list[Point]:
    """Corners cut by Chaikin's rule; a point given twice keeps its corner."""
    out = list(points)
    for _ in range(rounds):
        cut: list[Point] = [] if closed else [out[0]]
        for (ax, ay), (bx, by) in zip(out, out[1:] + out[:1] if closed else out[1:], strict=False):
            cut.append((0.75 * ax + 0.25 * bx, 0.75 * ay + 0.25 * by))
            cut.append((0.25 * ax + 0.75 * bx, 0.25 * ay + 0.75 * by))
        out = cut if closed else [*cut, out[-1]]
    return out


def poly(role: str, *points: Point, rounded: bool = False, flat: bool = False) -> Part:
    """A polygon, its corners cut where ``rounded``."""
    return Part(role, tuple(smooth(points, True) if rounded else points), flat=flat)


def line(role: str, width: float, *points: Point) -> Part:
    """A thick line with round ends, its corners cut."""
    return Part(role, tuple(smooth(points, False)), width, flat=True)


def oval(role: str, x0: float, y0: float, x1: float, y1: float, flat: bool = False) -> Part:
    """An ellipse within its bounds."""
    turns = [2 * math.pi * k / 40 for k in range(40)]
    cx, cy, rx, ry = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2
    return Part(role, tuple((cx + rx * math.cos(t), cy + ry * math.sin(t)) for t in turns), 0, flat)


def box(
    role: str, x0: float, y0: float, x1: float, y1: float, r: float = 0.02, flat: bool = False
) -> Part:
    """A rectangle with corners of radius ``r``."""
    points = []
    for quarter, (cx, cy) in enumerate(
        [(x1 - r, y1 - r), (x0 + r, y1 - r), (x0 + r, y0 + r), (x1 - r, y0 + r)]
    ):
        for k in range(7):
            t = math.pi / 2 * (quarter + k / 6)
            points.append((cx + r * math.cos(t), cy + r * math.sin(t)))
    return Part(role, tuple(points), 0, flat)


def turned(role: str, *profile: Point, cx: float = 0.5, flat: bool = False) -> Part:
    """A thing made on a lathe: ``profile`` lists (y, half width) from top to bottom."""
    right = smooth([(cx + half, y) for y, half in profile], False)
    return Part(role, tuple(right + [(2 * cx - x, y) for x, y in reversed(right)]), 0, flat)


def tilted(parts: Sequence[Part], degrees: float, cx: float = 0.5, cy: float = 0.55) -> list[Part]:
    """Parts turned clockwise about a point."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def turn(point: Point) -> Point:
        x, y = point[0] - cx, point[1] - cy
        return cx + c * x - s * y, cy + s * x + c * y

    return [Part(p.role, tuple(turn(q) for q in p.points), p.width, p.flat) for p in parts]


def steam(cx: float, bottom: float, n: int = 3) -> list[Part]:
    """Wisps that rise from ``bottom``."""
    out = []
    for k in range(n):
        x = cx + (k - (n - 1) / 2) * 0.1
        ys = [bottom - 0.05 * j for j in range(5)]
        out.append(
            line("steam", 0.022, *[(x + 0.025 * (-1) ** (j + k), y) for j, y in enumerate(ys)])
        )
    return out


# --- what the labels show -------------------------------------------------------------------------
def leaf(cx: float, cy: float, r: float) -> list[Part]:
    """A tea leaf, of radius ``r``."""
    tip, foot = (cx + r, cy - r), (cx - r, cy + r)
    blade = poly("trim", foot, foot, (cx - r, cy - r), tip, tip, (cx + r, cy + r), rounded=True)
    return [blade, line("light", 0.01, (cx - 0.8 * r, cy + 0.8 * r), (cx + 0.6 * r, cy - 0.6 * r))]


def bean(cx: float, cy: float, r: float) -> list[Part]:
    """A coffee bean, of radius ``r``."""
    bean = oval("trim", cx - 0.75 * r, cy - r, cx + 0.75 * r, cy + r)
    cut = [(cx + 0.1 * r, cy - 0.9 * r), (cx - 0.3 * r, cy - 0.2 * r), (cx + 0.3 * r, cy + 0.2 * r)]
    return tilted([bean, line("light", 0.014, *cut, (cx - 0.1 * r, cy + 0.9 * r))], 30, cx, cy)


def grains(cx: float, cy: float, r: float) -> list[Part]:
    """Four grains, of radius ``r``."""
    out = []
    for k, (dx, dy) in enumerate([(-0.6, 0.1), (0.1, -0.6), (0.6, 0.3), (-0.1, 0.7)]):
        x, y = cx + dx * r, cy + dy * r
        grain = oval("trim", x - 0.2 * r, y - 0.48 * r, x + 0.2 * r, y + 0.48 * r)
        out += tilted([grain], 25 + 50 * (k % 2), x, y)
    return out


def drop(cx: float, cy: float, r: float) -> list[Part]:
    """A drop, of radius ``r``."""
    top = (cx, cy - 1.2 * r)
    return [
        poly("trim", top, top, (cx + r, cy + 0.2 * r), (cx + 0.6 * r, cy + 1.1 * r),
             (cx - 0.6 * r, cy + 1.1 * r), (cx - r, cy + 0.2 * r), rounded=True)
    ]  # fmt: skip


def comb(cx: float, cy: float, r: float) -> list[Part]:
    """Three cells of a honeycomb, of radius ``r``."""
    out = []
    for dx, dy in [(-0.55, -0.5), (0.55, -0.5), (0.0, 0.5)]:
        turns = [math.pi / 3 * k + math.pi / 6 for k in range(6)]
        x, y = cx + dx * r, cy + dy * r
        corners = [(x + 0.55 * r * math.cos(t), y + 0.55 * r * math.sin(t)) for t in turns]
        out.append(poly("trim", *corners))
    return out


def star(cx: float, cy: float, r: float) -> list[Part]:
    """A star of eight points, of radius ``r``."""
    turns = [(math.pi * k / 8, r if k % 2 == 0 else 0.45 * r) for k in range(16)]
    return [poly("trim", *[(cx + s * math.cos(t), cy + s * math.sin(t)) for t, s in turns])]


def citrus(cx: float, cy: float, r: float) -> list[Part]:
    """A slice of a fruit, of radius ``r``."""
    out = [oval("trim", cx - r, cy - r, cx + r, cy + r)]
    for k in range(6):
        t = math.pi / 3 * k
        out.append(
            line("light", 0.011, (cx, cy), (cx + 0.8 * r * math.cos(t), cy + 0.8 * r * math.sin(t)))
        )
    return out


def label(
    emblem: Callable[[float, float, float], list[Part]],
    x0: float, y0: float, x1: float, y1: float, round_label: bool = False,
) -> list[Part]:  # fmt: skip
    """A label with its emblem above two lines of unreadable print."""
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    r = min(x1 - x0, y1 - y0) * 0.22
    shape = oval if round_label else box
    lift = 0.0 if round_label else 0.12 * (y1 - y0)
    paper = shape("light", x0, y0, x1, y1, flat=True)
    out = [paper, *[replace(part, flat=True) for part in emblem(cx, cy - lift, r)]]
    if not round_label:
        half = (x1 - x0) * 0.3
        for k, share in enumerate((1.0, 0.6)):
            y = y1 - (y1 - y0) * (0.2 - 0.1 * k)
            out.append(line("trim", 0.012, (cx - half * share, y), (cx + half * share, y)))
    return out
