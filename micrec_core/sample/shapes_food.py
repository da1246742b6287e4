"""The silhouettes of the food items, each a list of painted parts."""

from __future__ import annotations

from micrec_core.sample.parts import (
    BASE,
    Part,
    bean,
    box,
    citrus,
    comb,
    drop,
    grains,
    label,
    leaf,
    line,
    oval,
    poly,
    star,
    steam,
    tilted,
    turned,
)


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
    return [
        turned(
            "body",
            (0.4, 0.2),
            (0.4, 0.2),
            (0.46, 0.27),
            (0.6, 0.3),
            (0.76, 0.28),
            (BASE, 0.22),
            (BASE, 0.22),
        ),
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
    holes = [
        oval("dark", x - 0.013, y - 0.011, x + 0.013, y + 0.011, True)
        for x, y in ((0.45, 0.31), (0.5, 0.285), (0.55, 0.31), (0.5, 0.335))
    ]
    return [
        turned(
            "body",
            (0.4, 0.13),
            (0.4, 0.13),
            (0.45, 0.17),
            (BASE - 0.02, 0.17),
            (BASE, 0.15),
            (BASE, 0.15),
        ),
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


# In the order of ``sample_words.CATEGORIES``.
SHAPES = (
    _green_tea,
    _coffee_beans,
    _rice,
    _olive_oil,
    _honey,
    _chocolate,
    _pasta,
    _noodle_soup,
    _spice,
    _cheese,
    _bread,
    _juice,
)
