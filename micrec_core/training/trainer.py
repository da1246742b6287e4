"""The training loop: epochs over all domains at once, early stopping, checkpoints, a NaN guard."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from micrec_core.baselines import Baseline
from micrec_core.config import TrainSettings
from micrec_core.data.types import Edges
from micrec_core.errors import RunError
from micrec_core.graphs.bipartite import Dropout
from micrec_core.method.inputs import ModelInputs
from micrec_core.method.micrec import MICRec
from micrec_core.training.allocator import keep_freed_memory
from micrec_core.training.average import ParameterAverage
from micrec_core.training.baseline_objective import BaselineObjective
from micrec_core.training.checkpoint import save_checkpoint
from micrec_core.training.objective import Batch, Objective

Validate = Callable[[Any], dict[str, Any]]
OnEpoch = Callable[[dict[str, Any], Any], None]
OnStep = Callable[[float], Callable[[Any], None] | None]

TOTAL = "total"
# Of the rate, however small batches are: some dozens of pairs would teach next to nothing by less.
_LEAST_RATE = 0.3


@dataclass
class TrainState:
    """Where training stands; a checkpoint holds it with the model and the optimiser."""

    epoch: int = 0
    best_epoch: int = 0
    best_score: float = float("-inf")
    stale: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)


class Trainer:
    """Trains a model on its inputs; deterministic under ``seed`` on the CPU.

    What is validated, shown to ``on_epoch`` and left in place is the mean of the parameters over
    the last steps (``ParameterAverage``), not their last values.

    Parameters
    ----------
    validate : gives {"score": selection metric, ...} for the model as it stands
    on_epoch : told of every epoch's record, e.g. to write it to the run's history
    checkpoint : folder to save into after every epoch; None keeps nothing
    on_step : asked after every step, with the epochs so far; what it gives is shown the model
    """

    def __init__(
        self,
        model: MICRec | Baseline,
        inputs: ModelInputs,
        edges: list[Edges],
        settings: TrainSettings,
        seed: int,
        validate: Validate,
        on_epoch: OnEpoch | None = None,
        checkpoint: Path | None = None,
        on_step: OnStep | None = None,
    ):
        self.model = model
        self.inputs = inputs
        self.settings = settings
        self.validate = validate
        self.on_epoch = on_epoch or (lambda record, model: None)
        self.checkpoint = checkpoint
        self.on_step = on_step or (lambda epochs: None)
        device = inputs.device
        self.on_host = device.type == "cpu"
        # What is drawn for the host, and what is drawn where the model is: so that nothing in a
        # step on a GPU waits for the host. On the host they are one.
        self.generator = self.drawing = torch.Generator().manual_seed(seed + 1)
        if self.on_host:
            keep_freed_memory()
        else:
            self.drawing = torch.Generator(device).manual_seed(seed + 1)
        self.users = [torch.from_numpy(e.user).long().to(device) for e in edges]
        self.items = [torch.from_numpy(e.item).long().to(device) for e in edges]
        trained = [torch.unique(items) for items in self.items]
        self.objective = self.make_objective(trained)
        self.rate = base_rate(max(len(e) for e in edges), settings)
        self.optimiser = _optimiser(model, self.rate, settings.weight_decay)
        self.average = ParameterAverage(model, settings.average)
        self.state = TrainState()

    # What several processes do otherwise (``training.workers``) ---------------------------------

    def make_objective(self, trained: list[Tensor]) -> Objective | BaselineObjective:
        """The loss of a step; ``trained``: items with train interactions, per domain."""
        known = self.inputs, self.settings, trained
        if isinstance(self.model, Baseline):
            return BaselineObjective(self.model, *known)
        return Objective(self.model, *known)

    def added(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """The terms of a step, of all processes that take it together."""
        return terms

    def share_gradients(self) -> None:
        """Give every process the whole gradient of what it steps on."""

    def whole(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """What a checkpoint holds of tensors by their names; nothing where another one writes."""
        return tensors

    def part(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """What this process takes of a checkpoint's tensors."""
        return tensors

    # The loop ----------------------------------------------------------------------------------

    def fit(self) -> TrainState:
        """Train to the last epoch or until validation stops improving; leaves the best in place.

        Raises
        ------
        RunError
            A loss term is not a finite number.
        """
        settings = self.settings
        while self.state.epoch < settings.epochs and self.state.stale < settings.patience:
            started = time.perf_counter()
            self._start_epoch()
            record: dict[str, Any] = {"epoch": self.state.epoch + 1, "loss": self._epoch()}
            self.state.epoch += 1
            record["seconds"] = time.perf_counter() - started
            last = self.state.epoch == settings.epochs
            with self.average.in_place():
                if last or self.state.epoch % settings.validate_every == 0:
                    record |= self._check()
                self.on_epoch(record, self.model)
            if self.checkpoint is not None:
                save_checkpoint(self.checkpoint, self)
        if self.state.best:
            self.model.load_state_dict(self.state.best)
        return self.state

    def _start_epoch(self) -> None:
        """INMO's annealed exponent: 1/2 at the start, toward 1 as 1 - 0.5 * anneal^epoch.

        A baseline draws what it draws once an epoch.
        """
        if isinstance(self.model, Baseline):
            self.model.start_epoch(self.inputs, self.generator)
        else:
            self.model.alpha.fill_(1.0 - 0.5 * self.settings.anneal**self.state.epoch)

    def _epoch(self) -> dict[str, float]:
        self.model.train()
        n_steps = epoch_steps(max(len(users) for users in self.users), self.settings)
        orders = [
            torch.randperm(len(u), generator=self.drawing, device=self.drawing.device)
            for u in self.users
        ]
        found: list[dict[str, Tensor]] = []
        for step in range(n_steps):
            self._set_rate(self.state.epoch + step / n_steps)
            found.append(self._step(orders, step, n_steps))
            if look := self.on_step(self.state.epoch + (step + 1) / n_steps):
                with self.average.in_place():
                    look(self.model)
                self.model.train()
        names = list(found[0])
        # One table, so that a GPU is asked once, when all steps of the epoch are on their way.
        table = torch.stack([torch.stack([terms[name] for name in names]) for terms in found])
        sums = dict.fromkeys(names, 0.0)
        for step, row in enumerate(table.tolist()):
            values = dict(zip(names, row, strict=True))
            if not self.on_host:
                self._check_finite(values, step)
            for name, value in values.items():
                sums[name] += value / n_steps
        sums[TOTAL] = sum(value for name, value in sums.items() if name != TOTAL)
        return sums

    def _set_rate(self, epochs: float) -> None:
        """The learning rate after so many epochs (Loshchilov and Hutter, 2017, eq. 5, to 0)."""
        settings = self.settings
        if settings.schedule == "cosine":
            share = 0.5 * (1.0 + math.cos(math.pi * epochs / settings.epochs))
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate * share

    def _step(self, orders: list[Tensor], step: int, n_steps: int) -> dict[str, Tensor]:
        """Take a step; its terms by name, with their sum."""
        batches, drops = [], []
        for order, users, items in zip(orders, self.users, self.items, strict=True):
            n = len(order)
            picked = order[step * n // n_steps : (step + 1) * n // n_steps]
            if len(picked) == 0:
                picked = order[:1]
            batches.append(Batch(users[picked], items[picked]))
            seed = int(torch.randint(2**31, (1,), generator=self.generator))
            drops.append(Dropout(self.settings.dropout, seed))
        takes = isinstance(self.model, Baseline) or self.model.settings.templates
        dropping = self.settings.dropout > 0 and takes
        terms = self.objective(batches, drops if dropping else None, self.drawing)
        loss = torch.stack(list(terms.values())).sum()
        told = {name: term.detach() for name, term in terms.items()} | {TOTAL: loss.detach()}
        told = self.added(told)
        if self.on_host:  # before a parameter changes
            self._check_finite({name: float(term) for name, term in told.items()}, step)
        loss.backward()
        self.share_gradients()
        self.optimiser.step()
        # Here and not before they are made: the next step's activations come meanwhile.
        self.optimiser.zero_grad(set_to_none=True)
        self.average.update()
        return told

    def _check_finite(self, values: dict[str, float], step: int) -> None:
        """RunError where the loss is no number; names the first term that is none."""
        if not math.isfinite(values[TOTAL]):
            bad = next(name for name, value in values.items() if not math.isfinite(value))
            raise RunError(
                f"training stopped: the loss term '{bad}' became {values[bad]} in epoch "
                f"{self.state.epoch + 1}, batch {step + 1}; try a lower learning rate"
            )

    def _check(self) -> dict[str, Any]:
        self.model.eval()
        with torch.no_grad():
            found = self.validate(self.model)
        if found["score"] > self.state.best_score:
            self.state.best_score, self.state.best_epoch = found["score"], self.state.epoch
            self.state.stale = 0
            self.state.best = {k: v.clone() for k, v in self.model.state_dict().items()}
        else:
            self.state.stale += 1
        return {key: value for key, value in found.items() if key != "score"}


def epoch_steps(n: int, settings: TrainSettings) -> int:
    """Steps of an epoch over a largest domain of ``n`` train interactions.

    Linear in ``n`` up to ``full_size`` and constant above: a step costs what the data is large, so
    an epoch does too.
    """
    return max(-(-min(n, settings.full_size) // settings.batch_size), settings.steps)


def base_rate(n: int, settings: TrainSettings) -> float:
    """The learning rate, which may fall from there, over a largest domain of ``n`` interactions.

    By ``rate_by_batch`` that of ``batch_size`` pairs is divided by the square root of how many
    times smaller ``steps`` makes the batches: so the noise that their gradients bring into Adam's
    parameters stays what it was (Malladi et al., NeurIPS 2022, the square root scaling rule), down
    to three tenths.
    """
    if not settings.rate_by_batch:
        return settings.learning_rate
    share = n / (settings.steps * settings.batch_size)
    return settings.learning_rate * max(math.sqrt(min(1.0, share)), _LEAST_RATE)


def _optimiser(model: torch.nn.Module, rate: float, decay: float) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba, 2015) with decoupled weight decay (Loshchilov and Hutter, 2019).

    Only tables and matrices decay: a global vector, a gate or a diagonal has nothing to overfit.
    """
    if not decay:
        return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0, fused=True)
    tables = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": tables, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, fused=True)
