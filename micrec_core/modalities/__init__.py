"""Text and images into one matrix per modality and domain; encoders; a content-hashed cache."""

from micrec_core.features import FeatureMatrix
from micrec_core.modalities.base import Encoder, centre, l2_normalise
from micrec_core.modalities.dataset import DatasetFeatures, encode_dataset, item_images, item_texts
from micrec_core.modalities.encoders import ENCODERS, MODALITIES, load_encoder, make_encoder
from micrec_core.modalities.images import load_image

__all__ = [
    "ENCODERS",
    "MODALITIES",
    "DatasetFeatures",
    "Encoder",
    "FeatureMatrix",
    "centre",
    "encode_dataset",
    "item_images",
    "item_texts",
    "l2_normalise",
    "load_encoder",
    "load_image",
    "make_encoder",
]
