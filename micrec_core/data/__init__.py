"""Files to a `Dataset`, and a `Dataset` to what training sees and what it is scored on."""

from micrec_core.data.check import check_images, describe
from micrec_core.data.readers import dataset_of_frames, read_dataset
from micrec_core.data.splits import make_split
from micrec_core.data.types import (
    TEST,
    TRAIN,
    VALID,
    Dataset,
    Domain,
    DomainSplit,
    Edges,
    Reading,
    Split,
    shared_rows,
)

__all__ = [
    "TEST",
    "TRAIN",
    "VALID",
    "Dataset",
    "Domain",
    "DomainSplit",
    "Edges",
    "Reading",
    "Split",
    "check_images",
    "dataset_of_frames",
    "describe",
    "make_split",
    "read_dataset",
    "shared_rows",
]
