"""The trainer of a worker: its rows, its part of every step, and what the first one adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from micrec_core.baselines import Baseline
from micrec_core.config import TrainSettings
from micrec_core.data.types import Edges
from micrec_core.errors import ConfigError
from micrec_core.method.inputs import ModelInputs
from micrec_core.method.micrec import MICRec
from micrec_core.training.checkpoint import ADAM
from micrec_core.training.trainer import OnEpoch, Trainer, TrainState, Validate
from micrec_core.training.workers.owners import Layout, owners
from micrec_core.training.workers.parts import layout_of, own_inputs, own_part, together
from micrec_core.training.workers.shared_objective import SharedObjective
from micrec_core.training.workers.team import Team

ALONE = (
    "several workers train micrec and its configurations alone; train a baseline with one process "
    "(--workers 1)"
)


class SharedTrainer(Trainer):
    """Trains a model over the workers of a team: the same steps as one process takes.

    Every worker holds its rows of the tables with their gradients and moments, its rows of the
    graph, and of all else everything. The first one has the whole model too, which it is that
    ``validate`` and ``on_epoch`` are shown there, and which a training leaves trained; its
    checkpoints are those of one process, so that any number of workers may go on from them.

    Parameters
    ----------
    model, inputs : in whole, the same on every worker; nothing holds them longer than this is made
        but the first worker's ``model``

    Raises
    ------
    ConfigError
        It is a baseline, not on a processor, or there are more workers than rows.
    """

    def __init__(
        self,
        team: Team,
        model: MICRec | Baseline,
        inputs: ModelInputs,
        edges: list[Edges],
        settings: TrainSettings,
        seed: int,
        validate: Validate,
        on_epoch: OnEpoch | None = None,
        checkpoint: Path | None = None,
    ):
        _require_shareable(model, inputs, team)
        assert isinstance(model, MICRec)
        sizes = [(d.graph.n_users, d.graph.n_items) for d in inputs.domains]
        self.team, self.layouts = team, owners(sizes, inputs.links, team.size)
        self._inputs: ModelInputs | None = inputs
        self._complete = model if team.leads else None
        self._shown = validate, on_epoch or (lambda record, model: None)
        # The epoch whose parameters the whole model has.
        self._has = -1
        own = self._own_model(model, inputs.content_dims())
        mine = own_inputs(inputs, self.layouts, team)
        super().__init__(
            own, mine, edges, settings, seed, self._validate, self._on_epoch, checkpoint
        )

    def fit(self) -> TrainState:
        """As one process; afterwards the first worker's whole model is the best."""
        state = super().fit()
        self._assemble()
        return state

    def make_objective(self, trained: list[Tensor]) -> SharedObjective:
        """This worker's part of the loss."""
        assert isinstance(self.model, MICRec) and self._inputs is not None
        whole, self._inputs = self._inputs, None
        known = self.inputs, self.settings, trained
        return SharedObjective(self.model, *known, whole, self.layouts, self.team)

    def added(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """The terms over all workers."""
        total = self.team.summed(torch.stack(list(terms.values())), "terms")
        return dict(zip(terms, total.unbind(), strict=True))

    def share_gradients(self) -> None:
        """Add up the gradients of what every worker holds in whole."""
        shared = [
            p.grad
            for name, p in self.model.named_parameters()
            if layout_of(name, self.layouts) is None and p.grad is not None
        ]
        if not shared:
            return
        total = self.team.summed(torch.cat([g.flatten() for g in shared]), "gradients")
        for gradient, part in zip(shared, total.split([g.numel() for g in shared]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def whole(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """All rows of a checkpoint's tensors, on the first worker."""
        found = {k: together(t, self._layout(k, t), self.team) for k, t in tensors.items()}
        return found if self.team.leads else {}

    def part(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """This worker's rows of them."""
        return {k: own_part(t, self._layout(k, t), self.team) for k, t in tensors.items()}

    def _layout(self, key: str, tensor: Tensor) -> Layout | None:
        """Where the rows are of what a checkpoint calls so."""
        if not tensor.ndim:
            return None
        room, _, name = key.partition(".")
        if room + "." == ADAM:
            order = [id(p) for group in self.optimiser.param_groups for p in group["params"]]
            names = {id(p): name for name, p in self.model.named_parameters()}
            name = names[order[int(name.partition(".")[0])]]
        return layout_of(name, self.layouts)

    def _own_model(self, whole: MICRec, dims: dict[str, int]) -> MICRec:
        sizes = [(u.sizes[self.team.rank], i.sizes[self.team.rank]) for u, i in self.layouts]
        own = MICRec(sizes, dims, whole.settings)
        state = whole.state_dict().items()
        parts = {k: own_part(t, layout_of(k, self.layouts), self.team) for k, t in state}
        own.load_state_dict(parts)
        return own

    def _assemble(self) -> None:
        """Put all rows into the whole model."""
        state = self.model.state_dict().items()
        found = {k: together(t, layout_of(k, self.layouts), self.team) for k, t in state}
        if self._complete is not None:
            self._complete.load_state_dict(found)
        self._has = self.state.epoch

    def _validate(self, own: Any) -> dict[str, Any]:
        """What the first worker finds of the whole model; of that the others are told the score."""
        self._assemble()
        found: dict[str, Any] = {"score": 0.0}
        if self._complete is not None:
            self._complete.eval()
            found = self._shown[0](self._complete)
        return found | {"score": self.team.told(found["score"])}

    def _on_epoch(self, record: dict[str, Any], own: Any) -> None:
        if self._has != self.state.epoch:
            self._assemble()
        if self._complete is not None:
            self._shown[1](record, self._complete)


def _require_shareable(model: MICRec | Baseline, inputs: ModelInputs, team: Team) -> None:
    """Refuse what is not trained by several."""
    if isinstance(model, Baseline):
        raise ConfigError(ALONE)
    if inputs.device.type != "cpu":
        raise ConfigError("several workers train on processors; add --device cpu")
    fewest = min(n for d in inputs.domains for n in (d.graph.n_users, d.graph.n_items))
    if fewest < team.size:
        raise ConfigError(
            f"{team.size} workers are more than the {fewest} users or items of a domain; "
            "take fewer (--workers)"
        )
