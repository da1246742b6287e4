"""What the report asks of stored runs: their names, and how they do beside the full model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from micrec_core.errors import RunError
from micrec_core.evaluation.significance import compare_table
from micrec_core.figures.picking import own_seed, pick
from micrec_core.names import EVERYONE, FULL, HEADLINE, MICREC, described, users_file
from micrec_core.runs import Run
from micrec_core.runs.schema import DatasetInfo

MAIN = HEADLINE


def dataset_of(run: Run) -> DatasetInfo:
    """What the run says of its data; RunError where it says nothing."""
    if run.info.dataset is None:
        raise RunError(f"run '{run.name}' does not say what it was trained on; train it anew")
    return run.info.dataset


def label(run: Run) -> str:
    """``micrec``, ``micrec without text``, ``inmo``, ..."""
    return described(run.info.model, run.info.without)


def split_seed(run: Run) -> int:
    """The seed by which users and items were withheld."""
    return int(run.info.config.get("split_seed", 0))


def title(run: Run) -> str:
    """Dataset, its size and split, and the mask where it is that of public benchmarks."""
    drawn = f"{run.info.split}, drawn with seed {split_seed(run)}"
    split = "trained on everything" if run.info.split == "known" else drawn
    return f"{dataset_of(run).name}, {size(run)}, {split}{_mask(run)}"


def size(run: Run) -> str:
    """How many items and train interactions there are: what tells draws of one name apart."""
    train = sum(d.n_train for d in dataset_of(run).domains)
    return f"{n_items(run):,} items and {train:,} train interactions"


def slug(run: Run) -> str:
    """What the files of a run's tables begin with: dataset, its version, split and draw."""
    name = "".join(c if c.isalnum() else "-" for c in dataset_of(run).name.lower())
    drawn = f"-{split_seed(run)}" if split_seed(run) else ""
    masked = "" if run.info.mask == "all" else f"-mask-{run.info.mask}"
    return f"{name}-{dataset_of(run).fingerprint[:6]}-{run.info.split}{drawn}{masked}"


def _mask(run: Run) -> str:
    return "" if run.info.mask == "all" else ", train items alone masked"


def n_items(run: Run) -> int:
    """Of all domains."""
    return sum(d.n_items for d in dataset_of(run).domains)


def name_of(model: str, variant: str) -> str:
    """``lightgcn``, ``micrec without text``."""
    return described(model, () if variant == FULL else (variant,))


def everyone(frame: pd.DataFrame, **values: object) -> pd.DataFrame:
    """Metrics over all users with these values, averaged over seeds where there are several."""
    return own_seed(pick(frame, cohort=EVERYONE, **values))


def first_of_each(runs: Sequence[Run]) -> dict[str, Run]:
    """By label, the runs of the lowest seed that the full model was trained with."""
    full = min((run.info.seed for run in runs if label(run) == MICREC), default=None)
    return {label(run): run for run in runs if run.info.seed == full}


@dataclass(frozen=True)
class Group:
    """Runs of one dataset and split, and what was tested of those of a single model."""

    runs: Sequence[Run]
    _tested: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def single(self) -> list[Run]:
        """Those that ``train`` made, and not ``compare``."""
        return [run for run in self.runs if not run.info.is_comparison]

    def tested(self, protocol: str) -> pd.DataFrame:
        """NDCG@20 paired with that of the full model of the same seed, as of ``compare_table``.

        Empty where there is nothing to pair.
        """
        if protocol not in self._tested:
            stored, first = users_file(protocol), first_of_each(self.single)
            frames = {name: run.frame(stored) for name, run in first.items() if run.has(stored)}
            paired = MICREC in frames and len(frames) > 1
            self._tested[protocol] = (
                compare_table(frames, MICREC, [MAIN]) if paired else pd.DataFrame()
            )
        return self._tested[protocol]
