"""A tiny dataset of two shops whose pictures are drawn here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from micrec_core.data.types import Dataset, Domain, Edges

COLOURS = ("red", "green", "blue", "orange")
FOOD = [
    ("green tea leaves", "Loose leaves for a green tea."),
    ("black tea bags", "Strong black tea in bags."),
    ("coffee beans", "Dark roasted coffee beans."),
    ("ground coffee", "Coffee, finely ground."),
    ("rice noodles", ""),
    ("wheat noodles", "Noodles of wheat."),
]
KITCHEN = [
    ("tea pot", "A pot for green tea."),
    ("coffee mug", "A mug for coffee."),
    ("rice cooker", ""),
    ("noodle bowl", "A bowl for noodles and rice."),
]


def draw(path: Path, colour: str, shape: str, side: int = 40) -> None:
    image = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(image)
    box = (side // 5, side // 5, side * 4 // 5, side * 4 // 5)
    (pen.ellipse if shape == "round" else pen.rectangle)(box, fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def strings(values: Sequence[str]) -> np.ndarray:
    return np.array(list(values), dtype=object)


def make_domain(root: Path, name: str, texts: Sequence[tuple[str, str]], last: str = "") -> Domain:
    """Every item but the last has a drawn picture; ``last`` is the path of the last one."""
    images = []
    for k in range(len(texts) - 1):
        images.append(f"images/{name}{k}.png")
        draw(root / images[-1], COLOURS[k % 4], "round" if k % 2 else "square")
    n = len(texts)
    return Domain(
        name=name,
        label=name.title(),
        user_ids=strings(["u0", "u1"]),
        item_ids=strings([f"{name[0]}{k}" for k in range(n)]),
        titles=strings([title for title, _ in texts]),
        descriptions=strings([description for _, description in texts]),
        images=strings([*images, last]),
        edges=Edges(np.array([0, 1], np.int32), np.array([0, 1], np.int32)),
        split=np.zeros(2, np.int8),
    )


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Dataset]:
    def make(last: str = "", food: Sequence[tuple[str, str]] = FOOD) -> Dataset:
        root = tmp_path / "shop"
        domains = (
            make_domain(root, "food", food, last),
            make_domain(root, "kitchen", KITCHEN),
        )
        return Dataset(name="shop", root=root, domains=domains, fingerprint="0")

    return make


@pytest.fixture
def dataset(make_dataset: Callable[..., Dataset]) -> Dataset:
    return make_dataset()
