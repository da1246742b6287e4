"""A worker's part of a step's loss: the parts of all workers add up to the loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from micrec_core.config import TrainSettings
from micrec_core.graphs.gathering import take, takeable
from micrec_core.method.inputs import DomainInputs, ModelInputs
from micrec_core.method.micrec import Embedded, MICRec
from micrec_core.training.objective import Objective
from micrec_core.training.workers.owners import Asked, Layout
from micrec_core.training.workers.parts import Layouts
from micrec_core.training.workers.team import Team


class SharedObjective(Objective):
    """The pairs of a batch go to the workers in turn; what they need of others' rows is asked for.

    Batches, negatives and all else that is drawn are drawn in whole by every worker, from the same
    generator, and by rows of whole domains. A contrast, in which every row meets every other, is
    one worker's; the others go through the motions with two rows, for all must ask and be asked.

    Parameters
    ----------
    model, inputs : this worker's part
    whole : what ``inputs`` are a part of; its degrees and links are kept
    """

    def __init__(
        self,
        model: MICRec,
        inputs: ModelInputs,
        settings: TrainSettings,
        trained_items: list[Tensor],
        whole: ModelInputs,
        layouts: Layouts,
        team: Team,
    ):
        super().__init__(model, inputs, settings, trained_items)
        self.team, self.layouts = team, layouts
        self.degrees = [domain.users.degree for domain in whole.domains]
        self.links = whole.links

    def mine(self, of_pairs: Tensor) -> Tensor:
        """Every so many-th pair; the first one, of weight 0, where there are too few."""
        own = of_pairs[self.team.rank :: self.team.size].contiguous()
        return own if len(own) else of_pairs[:1]

    def count(self, n: int) -> int:
        """How many of the first ``n`` pairs of a batch are this worker's; one at least."""
        return max(self._own(n), 1)

    def share(self, n: int) -> float:
        """The weight of a mean over this worker's part of ``n`` pairs in that over all."""
        return self._own(n) / n

    def turn(self, k: int) -> float:
        """Contrasts go to the workers in turn, in whole."""
        return float(k % self.team.size == self.team.rank)

    def share_of_rows(self, d: int, kind: str) -> float:
        """The same of a mean over users or items."""
        layout = self._layout(d, kind)
        return layout.sizes[self.team.rank] / len(layout.owner)

    def final_rows(
        self,
        d: int,
        known: DomainInputs,
        embedded: Embedded,
        users: list[Tensor],
        items: list[Tensor],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Final embeddings by lists of rows of whole domains."""
        tables = embedded.aggregated_users, embedded.aggregated_items
        of_users, of_items = self.model.propagate(*tables, known)
        (found_users,) = self.rows(d, "users", [takeable(of_users)], *users)
        (found_items,) = self.rows(d, "items", [takeable(of_items)], *items)
        return found_users, found_items

    def rows(
        self, d: int, kind: str, tables: Sequence[Tensor], *rows: Tensor
    ) -> list[list[Tensor]]:
        """Rows of whole tables, of which ``tables`` are this worker's part."""
        asked, places = self._ask(d, kind, torch.cat(rows))
        split = places.split([len(some) for some in rows])
        return [take(takeable(asked.bring(table)), *split) for table in tables]

    def as_new(self, d: int, mixed: list[Embedded], items: Tensor) -> Tensor:
        """Embeddings of items as if each were brand-new, computed by their owners."""
        asked, places = self._ask(d, "items", items)
        once, again = torch.unique(asked.given, return_inverse=True)
        found = super().as_new(d, mixed, once)
        (given,) = take(takeable(found), again)
        return take(takeable(asked.swap(given)), places)[0]

    def _own(self, n: int) -> int:
        return len(range(self.team.rank, n, self.team.size))

    def _layout(self, d: int, kind: str) -> Layout:
        return self.layouts[d][kind == "items"]

    def _ask(self, d: int, kind: str, rows: Tensor) -> tuple[Asked, Tensor]:
        return Asked.of(self.team, self._layout(d, kind), rows, "batch")
