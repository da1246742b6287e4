"""MMRec's folders: ``NAME.inter`` by numbers of users and items, with its split, and vectors.

Source: github.com/enoche/MMRec, "data". ``userID``, ``itemID``, ``rating``, ``timestamp`` and
``x_label``, which is 0 in training, 1 in validation and 2 in test. ``image_feat.npy`` and
``text_feat.npy`` beside it (or ``NAME_image_feat.npy``) hold a row for each item's number.
"""

from __future__ import annotations

from pathlib import Path

from micrec_core.data.raw.separated import Separated

MMREC = Separated("MMRec files", "\t", named={"split": "x_label"}, quoted=False)
_MODALITIES = ("image", "text")


def vectors(interactions: Path) -> dict[str, Path]:
    """Modality -> the file of vectors that lies beside a file of interactions."""
    found = {}
    for modality in _MODALITIES:
        names = (f"{interactions.stem}_{modality}_feat.npy", f"{modality}_feat.npy")
        paths = (interactions.with_name(name) for name in names)
        if path := next((p for p in paths if p.is_file()), None):
            found[modality] = path
    return found
