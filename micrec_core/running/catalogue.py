"""``catalogue.parquet``: the items as the app shows them, with small pictures."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from micrec_core.data import Dataset
from micrec_core.data.picture_files import load_image
from micrec_core.data.progress import Progress
from micrec_core.errors import DataError
from micrec_core.evaluation.parallel import n_cores
from micrec_core.modalities.dataset import DatasetFeatures
from micrec_core.modalities.image import item_images
from micrec_core.modalities.registry import USUAL, in_order
from micrec_core.names import FURTHER_COLUMNS
from micrec_core.training.prepare import Prepared

# Pixels of the longer side of a stored picture; how large it is shown: ui/cards.py.
SIDE = 96
_QUALITY = 75
_CHUNK = 256


def catalogue_frame(prepared: Prepared, progress: Progress) -> pd.DataFrame:
    """One row an item: domain, row, item_id, title, description, degree, thumbnail, has_*.

    Where the item table has further columns, ``further_columns``: what they say. Where texts that a
    model wrote are used, ``description_generated`` and ``generated_by`` too.
    """
    pictures = thumbnails(item_images(prepared.dataset), progress)
    names = in_order((*USUAL, *prepared.features.modalities))
    parts, start = [], 0
    pairs = zip(prepared.dataset.domains, prepared.knowledge.domains, strict=True)
    for d, (domain, part) in enumerate(pairs):
        has = {f"has_{m}": _present(prepared.features, m, d, domain.n_items) for m in names}
        parts.append(
            pd.DataFrame(
                {
                    "domain": domain.name,
                    "row": np.arange(domain.n_items, dtype=np.int32),
                    "item_id": domain.item_ids.astype(str),
                    "title": domain.titles.astype(str),
                    **_descriptions(prepared.dataset, d),
                    **_further(prepared.dataset, d),
                    "degree": part.item_degree.astype(np.int32),
                    "thumbnail": pd.Series(pictures[start : start + domain.n_items], dtype=object),
                    **has,
                }
            )
        )
        start += domain.n_items
    return pd.concat(parts, ignore_index=True)


def _descriptions(dataset: Dataset, d: int) -> dict[str, np.ndarray]:
    """The tables' own, and beside them what a model wrote and which, where that is used."""
    if not dataset.written:
        return {"description": dataset.domains[d].descriptions.astype(str)}
    return {
        "description": dataset.originals[d].astype(str),
        "description_generated": dataset.written[d].texts.astype(str),
        "generated_by": dataset.written[d].by.astype(str),
    }


def _further(dataset: Dataset, d: int) -> dict[str, np.ndarray]:
    """What further columns say of the items; nothing where no domain has any."""
    said = [domain.attributes for domain in dataset.domains]
    if all(own is None or not own.any() for own in said):
        return {}
    own = said[d]
    none = np.full(dataset.domains[d].n_items, "")
    return {FURTHER_COLUMNS: none if own is None else own.astype(str)}


def thumbnails(files: list[Path | None], progress: Progress) -> list[bytes | None]:
    """WebP of at most 96 pixels a side for each picture; None where there is none to be read."""
    out: list[bytes | None] = []
    with ThreadPoolExecutor(n_cores()) as pool:
        for start in range(0, len(files), _CHUNK):
            out += pool.map(_thumbnail, files[start : start + _CHUNK])
            progress("drawing thumbnails", len(out), len(files))
    return out


def _thumbnail(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        image = load_image(file, size_hint=(SIDE, SIDE))
    except DataError:
        # Encoding has already counted it as missing.
        return None
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=_QUALITY, method=4)
    return stream.getvalue()


def _present(features: DatasetFeatures, modality: str, place: int, n: int) -> np.ndarray:
    if modality not in features.matrices:
        return np.zeros(n, dtype=bool)
    return features.matrices[modality][place].present
