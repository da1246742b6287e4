"""Names that several rooms share, and how they are written: models, cohorts, bins, a run's tables.

``TABLES`` says which columns a run's table must have to be of use; reading one holds it to that.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

# The full model, and the variant with nothing switched off: what others are compared with.
MICREC, FULL = "micrec", "full"
FULL_MODEL = (MICREC, FULL)
# What gives everyone the same list.
POPULARITY = "popularity"
# In place of a seed: values averaged over all seeds, user by user.
POOLED = -1
# The source of what memory adds to a score.
MEMORY = "memory"
# A difference is shown where its corrected p is below this.
LEVEL = 0.05
# A mean over fewer users (or items) is not told as a figure: its interval, resampled from so few,
# would be too narrow by a tenth and more.
FEWEST = 20
# What choices, stopping and headlines go by.
HEADLINE = "ndcg@20"
METRICS = {
    "recall": "Recall",
    "ndcg": "NDCG",
    "hr": "Hit rate",
    "mrr": "MRR",
    "precision": "Precision",
}

EVERYONE, OVERLAP, SINGLE, FULL_LIST = "all", "overlap", "single", "full list"
COHORTS = {
    EVERYONE: "Everyone",
    OVERLAP: "Known in several",
    SINGLE: "Known in one",
    FULL_LIST: "Ranked among all items",
}

# Of data with one domain: what has nothing to act on.
ONE_DOMAIN = (
    "There is one domain, so nothing is carried across: contrast, cross-domain transfer, the "
    "bridge, the question of users new in a domain, and alignment are off."
)

# Bins of train degree: the lowest degree of each, and how they are called.
DEGREE_STARTS = (0, 1, 3, 6, 11, 21)
DEGREE_BINS = (
    *(
        str(low) if high == low + 1 else f"{low}-{high - 1}"
        for low, high in pairwise(DEGREE_STARTS)
    ),
    f"{DEGREE_STARTS[-1]}+",
)

# Of items that are known by few interactions, but by some.
LOW_BINS = DEGREE_BINS[1:3]

# What is set beside the models and is none: maps between user spaces, and mean features.
REFERENCES = {
    "ridge": "Ridge map",
    "nearest": "Nearest overlapping users",
    "content": "Content only",
}
# Models whose papers do not write them in capitals.
_WRITTEN = {
    MICREC: "MICRec",
    "lightgcn": "LightGCN",
    "itemknn": "ItemKNN",
    "bitgcf": "BiTGCF",
    POPULARITY: "Popularity",
    "rp3beta": "RP3beta",
    "als-joint": "ALS joint",
    "ease-joint": "EASE joint",
    "content-profile": "Content profile",
    "memory-alone": "Memory alone",
}


def model_label(model: str) -> str:
    """The name shown for a model: ``lightgcn`` -> ``LightGCN``, ``bpr-mf`` -> ``BPR-MF``."""
    return (_WRITTEN | REFERENCES).get(model, model.upper())


def described(model: str, without: Iterable[str]) -> str:
    """``lightgcn``, ``micrec without text, contrast``."""
    return " without ".join(filter(None, (model, ", ".join(without))))


def is_baseline(model: str) -> bool:
    """Whether a model stands in a table to be compared with; maps between user spaces are ours."""
    return model != MICREC and model not in REFERENCES


# Files of a run that several rooms read; those of one room are named there.
SUMMARY = "metrics/summary.parquet"
VARIANTS = "metrics/variants.parquet"
COLD = "metrics/cold_domain.parquet"
DEGREE = "metrics/degree.parquet"
DEGREE_ITEMS = "metrics/degree_items.parquet"
LOW_DEGREE = "metrics/low_degree.parquet"
CUTOFF = "metrics/cutoff.parquet"
BEYOND = "metrics/beyond.parquet"
ALIGNMENT = "metrics/alignment.parquet"
TESTS = "tests.parquet"
PARAMETERS = "model.safetensors"
CATALOGUE = "catalogue.parquet"
WEIGHTS = "weights.parquet"
# What was tried before the settings of a run were found.
TUNING = "metrics/tuning.parquet"
# Of the catalogue, where the item table has further columns: what they say (data.further_columns).
FURTHER_COLUMNS = "further_columns"
# Of the catalogue, where a model wrote texts of items: what, and which model on which day.
GENERATED_COLUMNS = ("description_generated", "generated_by")
SNAPSHOT_USERS = "snapshots/users.parquet"
LAYOUTS = "snapshots/layouts.parquet"
# Layouts of more moments of the training than have snapshots, in epochs; of few people only.
FILM = "snapshots/film.parquet"


def users_file(protocol: str) -> str:
    """The table of a protocol's metrics, user by user."""
    return f"metrics/users_{protocol}.parquet"


def curve_file(protocol: str) -> str:
    """The table of models trained on less (``sparsity``, ...)."""
    return f"metrics/{protocol}.parquet"


_WHO = ("model", "variant", "domain")
SUMMARY_COLUMNS = [
    *("model", "variant", "seed", "protocol", "domain", "cohort", "metric"),
    *("mean", "low", "high", "n"),
]
VARIANT_COLUMNS = [
    *SUMMARY_COLUMNS,
    *("diff", "diff_low", "diff_high", "p_holm", "seconds", "n_parameters"),
]
CUTOFF_COLUMNS = [*_WHO, "k", "metric", "mean", "low", "high"]
BEYOND_COLUMNS = [*_WHO, "coverage", "mean_popularity", "intra_list_similarity"]
DEGREE_COLUMNS = [
    *(*_WHO, "bin", "n_items", "n_positives", "recall", "low", "high"),
    *("diff", "diff_low", "diff_high"),
]
LOW_DEGREE_COLUMNS = [
    *("model", "variant", "seed", "domain", "n_items", "n_positives", "recall", "low", "high"),
    *("diff", "diff_low", "diff_high", "p_holm"),
]
CURVE_COLUMNS = [*SUMMARY_COLUMNS, "share"]
LAYOUT_COLUMNS = ["epoch", "method", "domain", "row", "x", "y"]
FILM_COLUMNS = ["moment", *LAYOUT_COLUMNS[1:]]
ALIGNMENT_COLUMNS = ["epoch", "a", "b", "metric", "value", "low", "high", "random", "n"]

# Path in a run -> columns without which the table is of no use.
TABLES: dict[str, list[str]] = {
    SUMMARY: SUMMARY_COLUMNS,
    VARIANTS: VARIANT_COLUMNS,
    COLD: VARIANT_COLUMNS,
    DEGREE: DEGREE_COLUMNS[:-3],
    DEGREE_ITEMS: ["domain", "item_id", "degree", "bin", "n_positives", "hits"],
    LOW_DEGREE: LOW_DEGREE_COLUMNS,
    CUTOFF: CUTOFF_COLUMNS,
    BEYOND: list(_WHO),
    ALIGNMENT: ALIGNMENT_COLUMNS[:-1],
    CATALOGUE: ["domain", "row", "item_id", "title", "description", "degree", "thumbnail"],
    WEIGHTS: ["entity", "domain", "id", "degree"],
    SNAPSHOT_USERS: ["row", "user_id", "degree_a", "degree_b"],
    LAYOUTS: LAYOUT_COLUMNS,
    FILM: FILM_COLUMNS,
}
