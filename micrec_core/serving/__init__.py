"""Serving a finished run: fold-in of anyone and anything, top-k, exact explanations."""

from micrec_core.serving.bundle import read_bundle, write_bundle
from micrec_core.serving.lists import Recommendation
from micrec_core.serving.new_items import NewItem
from micrec_core.serving.reasons import Explanation
from micrec_core.serving.recommender import Recommender
from micrec_core.serving.steps import Step
from micrec_core.serving.users import User

__all__ = [
    "Explanation",
    "NewItem",
    "Recommendation",
    "Recommender",
    "Step",
    "User",
    "read_bundle",
    "write_bundle",
]
