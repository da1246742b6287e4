"""Image: an item's picture, or one that somebody gives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from micrec_core.modalities.modality import CLIP, Card, Choice, Modality

if TYPE_CHECKING:
    from micrec_core.data.types import Dataset
    from micrec_core.modalities.base import Encoder


def item_images(dataset: Dataset) -> list[Path | None]:
    """Image file of every item, domain after domain; None where there is none."""
    return [
        dataset.root / name if name else None
        for domain in dataset.domains
        for name in domain.images.tolist()
    ]


def _classic() -> type[Encoder]:
    from micrec_core.modalities.classic_image import ClassicImage

    return ClassicImage


def _efficientnet() -> type[Encoder]:
    from micrec_core.modalities.efficientnet import EfficientNetLite

    return EfficientNetLite


IMAGE = Modality(
    name="image",
    label="Image",
    noun="picture",
    nouns="pictures",
    lacking="a picture",
    says="what the picture shows",
    colour="#CC79A7",
    symbol="triangle-up",
    encoder="classic",
    choices={
        "classic": Choice(
            "classic",
            "classic-image",
            _classic,
            Card(
                "colours, layout, edges, texture and outline, and a PCA of them, learned from this "
                "catalogue",
                "this project",
                "Apache-2.0",
                "nothing to install; up to 128 wide",
            ),
        ),
        "efficientnet": Choice(
            "efficientnet",
            "efficientnet",
            _efficientnet,
            Card(
                "EfficientNet-Lite2, a convolutional network trained on ImageNet photographs; the "
                "mean of its last features",
                "Google; converted to PyTorch and packaged by ML Illustrated",
                "Apache-2.0 (code and weights)",
                "extra encoders, 25 MB; 1,280 wide",
            ),
        ),
        "clip": CLIP,
    },
    items=item_images,
    asks="picture",
)
