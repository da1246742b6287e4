"""The silhouettes of the sample's pictures, made of painted parts, and labels with an emblem.

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
    x0: float, y0: float, x1: float, y1: float, round_label: bool = False
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


# --- food ---------------------------------------------------------------------------------------
def _green_tea() -> list[Part]:
    return [
        box("body", 0.29, 0.36, 0.71, BASE, 0.035),
        oval("trim", 0.45, 0.19, 0.55, 0.29),
        box("trim", 0.275, 0.255, 0.725, 0.385, 0.03),
        *label(leaf, 0.38, 0.46, 0.62, 0.76, True),
    ]


def _coffee_beans() -> list[Part]:
    sides = [(0.28, 0.3), (0.28, 0.3), (0.72, 0.3), (0.72, 0.3), (0.78, 0.6), (0.75, BASE)]
    return [
        poly("body", *sides, (0.75, BASE), (0.25, BASE), (0.25, BASE), (0.22, 0.6), rounded=True),
        box("trim", 0.27, 0.17, 0.73, 0.31, 0.012),
        line("light", 0.03, (0.22, 0.25), (0.78, 0.25)),
        *label(bean, 0.36, 0.44, 0.64, 0.76),
    ]


def _rice() -> list[Part]:
    profile = [(0.13, 0.17), (0.13, 0.17), (0.2, 0.13), (0.27, 0.03), (0.33, 0.17), (0.46, 0.29)]
    return [
        turned("body", *profile, (0.68, 0.31), (0.82, 0.29), (BASE, 0.22), (BASE, 0.22)),
        line("trim", 0.035, (0.44, 0.265), (0.56, 0.265)),
        line("trim", 0.022, (0.56, 0.27), (0.62, 0.32), (0.6, 0.37)),
        *label(grains, 0.37, 0.47, 0.63, 0.73, True),
    ]


def _olive_oil() -> list[Part]:
    profile = [(0.2, 0.04), (0.2, 0.04), (0.38, 0.045), (0.44, 0.1), (0.5, 0.135), (0.54, 0.14)]
    return [
        turned("body", *profile, (BASE - 0.02, 0.14), (BASE, 0.12), (BASE, 0.12)),
        box("trim", 0.45, 0.1, 0.55, 0.22, 0.015),
        box("light", 0.455, 0.28, 0.545, 0.31, 0.008),
        *label(drop, 0.39, 0.55, 0.61, 0.78),
    ]


def _honey() -> list[Part]:
    body = [(0.4, 0.2), (0.4, 0.2), (0.46, 0.27), (0.6, 0.3),
            (0.76, 0.28), (BASE, 0.22), (BASE, 0.22)]  # fmt: skip
    return [
        turned("body", *body),
        box("trim", 0.28, 0.28, 0.72, 0.41, 0.03),
        box("accent", 0.28, 0.355, 0.72, 0.38, 0.01),
        *label(comb, 0.37, 0.49, 0.63, 0.75, True),
    ]


def _chocolate() -> list[Part]:
    teeth = [(0.31 + 0.0475 * k, 0.43 if k % 2 else 0.47) for k in range(9)]
    squares = [
        box("trim", x, y, x + 0.155, y + 0.125, 0.015) for x in (0.34, 0.505) for y in (0.13, 0.265)
    ]
    parts = [
        box("dark", 0.33, 0.12, 0.67, 0.5, 0.015),
        *squares,
        poly("light", *teeth, (0.69, 0.56), (0.31, 0.56)),
        box("body", 0.31, 0.5, 0.69, 0.86, 0.012),
        *label(star, 0.38, 0.57, 0.62, 0.79),
    ]
    return tilted(parts, 9)


def _pasta() -> list[Part]:
    top = [(0.35 + 0.025 * k, 0.1 if k % 2 else 0.12) for k in range(13)]
    bottom = [(x, BASE + 0.12 - y) for x, y in reversed(top)]
    strands = [
        line("trim", 0.011, (0.435 + 0.0215 * k, 0.28), (0.435 + 0.0215 * k, 0.6)) for k in range(7)
    ]
    return [
        poly("body", *top, (0.66, 0.18), (0.66, 0.78), *bottom, (0.34, 0.78), (0.34, 0.18)),
        box("light", 0.41, 0.25, 0.59, 0.63, 0.05),
        *strands,
        box("accent", 0.35, 0.145, 0.65, 0.165, 0.004),
        box("light", 0.41, 0.68, 0.59, 0.75, 0.01),
        line("trim", 0.014, (0.45, 0.715), (0.55, 0.715)),
    ]


def _noodle_soup() -> list[Part]:
    return [
        *steam(0.42, 0.29, 2),
        poly("trim", (0.27, 0.36), (0.55, 0.36), (0.84, 0.19), (0.8, 0.15), (0.6, 0.2)),
        poly("body", (0.27, 0.38), (0.73, 0.38), (0.66, BASE), (0.34, BASE)),
        box("light", 0.245, 0.345, 0.755, 0.4, 0.025),
        poly("light", (0.305, 0.53), (0.695, 0.53), (0.673, 0.7), (0.327, 0.7)),
        line("trim", 0.018, *[(0.36 + 0.035 * k, 0.6 + 0.03 * (-1) ** k) for k in range(9)]),
        line("trim", 0.018, *[(0.36 + 0.035 * k, 0.65 + 0.03 * (-1) ** k) for k in range(9)]),
    ]


def _spice() -> list[Part]:
    body = [(0.4, 0.13), (0.4, 0.13), (0.45, 0.17), (BASE - 0.02, 0.17), (BASE, 0.15), (BASE, 0.15)]
    holes = [
        oval("dark", x - 0.013, y - 0.011, x + 0.013, y + 0.011, True)
        for x, y in ((0.45, 0.31), (0.5, 0.285), (0.55, 0.31), (0.5, 0.335))
    ]
    return [
        turned("body", *body),
        turned("trim", (0.25, 0.07), (0.25, 0.07), (0.27, 0.14), (0.42, 0.15), (0.42, 0.15)),
        *holes,
        *label(star, 0.37, 0.52, 0.63, 0.77),
    ]


def _cheese() -> list[Part]:
    holes = [
        ((0.27, 0.68), 0.05),
        ((0.44, 0.74), 0.034),
        ((0.53, 0.63), 0.042),
        ((0.72, 0.7), 0.055),
    ]
    return [
        poly("light", (0.12, 0.56), (0.64, 0.32), (0.88, 0.5)),
        poly("body", (0.12, 0.56), (0.88, 0.5), (0.88, 0.8), (0.12, BASE)),
        *[oval("dark", x - r, y - 0.85 * r, x + r, y + 0.85 * r) for (x, y), r in holes],
        oval("dark", 0.58, 0.43, 0.67, 0.475),
    ]


def _bread() -> list[Part]:
    loaf = [(0.13, BASE), (0.13, BASE), (0.11, 0.53), (0.24, 0.36), (0.5, 0.34), (0.76, 0.36)]
    cuts = [
        line("light", 0.026, (0.235 + 0.15 * k, 0.53), (0.315 + 0.15 * k, 0.42)) for k in range(4)
    ]
    edge = [(0.125 + 0.0577 * k, 0.58 if k % 2 else 0.62) for k in range(14)]
    return [
        poly("trim", *loaf, (0.89, 0.53), (0.87, BASE), (0.87, BASE), rounded=True),
        *cuts,
        poly("body", *edge, (0.87, BASE), (0.13, BASE)),
        *label(grains, 0.41, 0.63, 0.59, 0.81, True),
    ]


def _juice() -> list[Part]:
    return [
        box("light", 0.37, 0.12, 0.63, 0.2, 0.01),
        poly("trim", (0.3, 0.39), (0.7, 0.39), (0.63, 0.19), (0.37, 0.19)),
        box("body", 0.3, 0.38, 0.7, BASE, 0.01),
        oval("light", 0.455, 0.245, 0.545, 0.335),
        oval("accent", 0.47, 0.258, 0.53, 0.318),
        *label(citrus, 0.37, 0.48, 0.63, 0.74, True),
    ]


# --- kitchen ------------------------------------------------------------------------------------
def _tea_pot() -> list[Part]:
    body = [(0.4, 0.13), (0.4, 0.13), (0.45, 0.23), (0.6, 0.3),
            (0.76, 0.26), (BASE, 0.15), (BASE, 0.15)]  # fmt: skip
    spout = [(0.3, 0.74), (0.3, 0.74), (0.17, 0.62), (0.14, 0.46), (0.07, 0.4), (0.07, 0.4)]
    return [
        poly("trim", *spout, (0.17, 0.39), (0.17, 0.39), (0.22, 0.5), (0.32, 0.56), rounded=True),
        line("trim", 0.045, (0.72, 0.5), (0.9, 0.42), (0.93, 0.62), (0.74, 0.73)),
        turned("body", *body),
        turned("trim", (0.33, 0.03), (0.33, 0.05), (0.37, 0.13), (0.42, 0.15), (0.42, 0.15)),
        oval("accent", 0.465, 0.26, 0.535, 0.34),
    ]


def _mug() -> list[Part]:
    body = [(0.24, 0.37), (0.24, 0.37), (0.66, 0.37), (0.66, 0.37),
            (0.655, 0.8), (0.6, BASE), (0.3, BASE), (0.245, 0.8)]  # fmt: skip
    return [
        *steam(0.44, 0.29),
        line("trim", 0.05, (0.64, 0.46), (0.86, 0.44), (0.86, 0.7), (0.64, 0.72)),
        poly("body", *body, rounded=True),
        oval("light", 0.24, 0.325, 0.66, 0.415),
        oval("dark", 0.265, 0.34, 0.635, 0.405, True),
    ]


def _rice_cooker() -> list[Part]:
    return [
        box("dark", 0.25, 0.8, 0.33, 0.85, 0.015),
        box("dark", 0.67, 0.8, 0.75, 0.85, 0.015),
        box("trim", 0.1, 0.53, 0.9, 0.6, 0.03),
        turned("trim", (0.29, 0.02), (0.29, 0.2), (0.35, 0.29), (0.46, 0.32), (0.46, 0.32)),
        box("accent", 0.43, 0.24, 0.57, 0.31, 0.03),
        box("body", 0.16, 0.44, 0.84, 0.82, 0.09),
        box("light", 0.15, 0.425, 0.85, 0.46, 0.017),
        box("light", 0.4, 0.58, 0.6, 0.77, 0.035),
        oval("trim", 0.46, 0.68, 0.54, 0.75),
        line("trim", 0.014, (0.44, 0.625), (0.56, 0.625)),
    ]


def _cruet() -> list[Part]:
    profile = [(0.26, 0.04), (0.26, 0.04), (0.38, 0.045), (0.48, 0.08), (0.74, 0.25)]
    return [
        line("trim", 0.03, (0.46, 0.33), (0.24, 0.32), (0.17, 0.52), (0.33, 0.66)),
        line("light", 0.036, (0.52, 0.47), (0.62, 0.42), (0.68, 0.28), (0.77, 0.21)),
        turned("body", *profile, (0.82, 0.25), (BASE, 0.2), (BASE, 0.2)),
        box("light", 0.445, 0.245, 0.555, 0.285, 0.015),
        oval("trim", 0.45, 0.13, 0.55, 0.25),
    ]


def _honey_pot() -> list[Part]:
    widths = (0.17, 0.24, 0.28, 0.28, 0.24)
    ribs = [
        box("body", 0.5 - w, 0.37 + 0.092 * k, 0.5 + w, 0.475 + 0.092 * k, 0.05)
        for k, w in enumerate(widths)
    ]
    return [
        line("light", 0.028, (0.52, 0.4), (0.72, 0.14)),
        oval("accent", 0.68, 0.1, 0.77, 0.19),
        *ribs,
        turned("trim", (0.27, 0.04), (0.27, 0.04), (0.31, 0.14), (0.38, 0.17), (0.38, 0.17)),
        oval("trim", 0.46, 0.2, 0.54, 0.28),
        oval("dark", 0.43, 0.6, 0.57, 0.72),
    ]


def _fondue() -> list[Part]:
    accent = [(0.5, 0.655), (0.5, 0.655), (0.53, 0.72), (0.5, 0.745), (0.47, 0.72)]
    body = [(0.39, 0.27), (0.39, 0.27), (0.5, 0.28), (0.61, 0.22), (0.64, 0.15), (0.64, 0.15)]
    return [
        line("light", 0.018, (0.44, 0.42), (0.3, 0.13)),
        line("accent", 0.034, (0.335, 0.205), (0.29, 0.11)),
        line("light", 0.018, (0.54, 0.42), (0.64, 0.12)),
        line("accent", 0.034, (0.614, 0.2), (0.65, 0.09)),
        line("trim", 0.045, (0.72, 0.44), (0.94, 0.38)),
        line("trim", 0.026, (0.3, 0.58), (0.22, BASE - 0.01)),
        line("trim", 0.026, (0.7, 0.58), (0.78, BASE - 0.01)),
        line("trim", 0.022, (0.24, 0.78), (0.76, 0.78)),
        box("dark", 0.42, 0.74, 0.58, 0.81, 0.015),
        *[poly("accent", *accent, rounded=True)],
        turned("body", *body),
        oval("light", 0.23, 0.35, 0.77, 0.43),
        oval("dark", 0.26, 0.364, 0.74, 0.42, True),
    ]


def _colander() -> list[Part]:
    slots = [
        line("dark", 0.02, (0.5 + dx, y), (0.5 + dx * 0.97, y + 0.035))
        for y, n, step in ((0.53, 4, 0.135), (0.62, 3, 0.135), (0.7, 2, 0.12))
        for dx in [(k - (n - 1) / 2) * step for k in range(n)]
    ]
    return [
        line("trim", 0.034, (0.2, 0.5), (0.06, 0.47), (0.07, 0.58), (0.22, 0.58)),
        line("trim", 0.034, (0.8, 0.5), (0.94, 0.47), (0.93, 0.58), (0.78, 0.58)),
        box("trim", 0.36, 0.77, 0.64, BASE, 0.02),
        turned(
            "body", (0.45, 0.34), (0.45, 0.34), (0.6, 0.33), (0.76, 0.22), (0.8, 0.13), (0.8, 0.13)
        ),
        *slots,
        box("light", 0.14, 0.42, 0.86, 0.475, 0.027),
    ]


def _soup_bowl() -> list[Part]:
    body = [(0.14, 0.49), (0.14, 0.49), (0.32, 0.58), (0.68, 0.58), (0.86, 0.49),
            (0.86, 0.49), (0.8, 0.7), (0.66, 0.81), (0.34, 0.81), (0.2, 0.7)]  # fmt: skip
    noodles = [
        line("accent", 0.018, *[(0.27 + 0.058 * k, y + 0.014 * (-1) ** k) for k in range(9)])
        for y in (0.475, 0.5)
    ]
    return [
        oval("light", 0.14, 0.42, 0.86, 0.56),
        oval("dark", 0.175, 0.435, 0.825, 0.545, True),
        *noodles,
        line("trim", 0.024, (0.42, 0.49), (0.88, 0.16)),
        line("trim", 0.024, (0.48, 0.5), (0.93, 0.21)),
        box("trim", 0.36, 0.78, 0.64, BASE, 0.015),
        poly("body", *body, rounded=True),
    ]


def _mill() -> list[Part]:
    profile = [(0.36, 0.12), (0.36, 0.12), (0.44, 0.11), (0.5, 0.07), (0.58, 0.1), (0.68, 0.16)]
    return [
        turned("body", *profile, (0.8, 0.17), (BASE, 0.17), (BASE, 0.17)),
        box("light", 0.385, 0.335, 0.615, 0.37, 0.012),
        turned("trim", (0.17, 0.02), (0.17, 0.08), (0.25, 0.13), (0.34, 0.1), (0.34, 0.1)),
        oval("accent", 0.465, 0.105, 0.535, 0.175),
        box("trim", 0.325, 0.79, 0.675, BASE, 0.012),
    ]


def _cheese_board() -> list[Part]:
    return [
        *tilted(
            [
                box("body", 0.44, 0.08, 0.56, 0.4, 0.055),
                box("body", 0.25, 0.32, 0.75, BASE, 0.09),
                oval("wall", 0.475, 0.12, 0.525, 0.17, True),
            ],
            -7,
        ),
        line("trim", 0.04, (0.84, 0.8), (0.86, 0.6)),
        poly("light", (0.835, 0.6), (0.89, 0.6), (0.93, 0.42), (0.87, 0.34), (0.84, 0.4)),
    ]


def _toaster() -> list[Part]:
    slices = [box("light", x, 0.26, x + 0.22, 0.5, 0.06) for x in (0.25, 0.53)]
    inner = [box("accent", x + 0.03, 0.29, x + 0.19, 0.5, 0.045) for x in (0.25, 0.53)]
    return [
        *slices,
        *inner,
        box("dark", 0.22, 0.8, 0.32, 0.85, 0.015),
        box("dark", 0.68, 0.8, 0.78, 0.85, 0.015),
        line("trim", 0.05, (0.86, 0.55), (0.93, 0.55)),
        box("body", 0.13, 0.43, 0.87, 0.82, 0.1),
        box("trim", 0.2, 0.425, 0.8, 0.465, 0.02),
        oval("light", 0.69, 0.65, 0.79, 0.75),
        line("trim", 0.014, (0.74, 0.7), (0.765, 0.675)),
    ]


def _pitcher() -> list[Part]:
    light = [(0.25, 0.175), (0.25, 0.175), (0.42, 0.15), (0.63, 0.2), (0.63, 0.2), (0.44, 0.235)]
    lip = [(0.34, 0.2), (0.34, 0.2), (0.24, 0.17), (0.24, 0.17), (0.3, 0.33)]
    jug = [(0.36, 0.42), (0.27, 0.62), (0.32, BASE), (0.32, BASE), (0.64, BASE), (0.64, BASE)]
    return [
        line("trim", 0.045, (0.6, 0.27), (0.84, 0.24), (0.88, 0.5), (0.66, 0.66)),
        poly("body", *lip, *jug, (0.7, 0.62), (0.61, 0.42), (0.64, 0.2), (0.64, 0.2), rounded=True),
        poly("light", *light, rounded=True),
        poly(
            "dark", (0.29, 0.18), (0.43, 0.165), (0.6, 0.2), (0.44, 0.22), rounded=True, flat=True
        ),
    ]


# For each domain, in the order of ``words.CATEGORIES``.
SHAPES = (
    (
        _green_tea, _coffee_beans, _rice, _olive_oil, _honey, _chocolate,
        _pasta, _noodle_soup, _spice, _cheese, _bread, _juice,
    ),
    (
        _tea_pot, _mug, _rice_cooker, _cruet, _honey_pot, _fondue,
        _colander, _soup_bowl, _mill, _cheese_board, _toaster, _pitcher,
    ),
)  # fmt: skip
