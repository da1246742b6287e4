"""The mechanisms of the full model that can be switched off, and what that does to its settings.

A new one is a line here, beside the part of the model or the loss that its settings switch. A model
without it is a *variant*, which is trained, compared and drawn like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from micrec_core.modalities.registry import USUAL, listed, modality
from micrec_core.names import FULL

ALL = "all"


@dataclass(frozen=True)
class Mechanism:
    """A part of the full model.

    Attributes
    ----------
    label : what a model without it is called
    modality : the modality that is not taken without it, or ``all``
    model : settings of ``method.micrec.Settings`` without it
    training : settings of ``config.TrainSettings`` without it
    overlap : whether it acts on users in two domains alone
    """

    label: str
    modality: str = ""
    overlap: bool = False
    model: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, float] = field(default_factory=dict)

    def lost(self, modalities: Iterable[str]) -> tuple[str, ...]:
        """Which of the modalities a model without it does not take."""
        return tuple(m for m in modalities if self.modality in (ALL, m))


MECHANISMS: dict[str, Mechanism] = {
    **{name: Mechanism(f"without {m.label.lower()}", name) for name, m in USUAL.items()},
    "modality": Mechanism(
        f"without {listed(m.label.lower() for m in USUAL.values())}", modality=ALL
    ),
    "contrast": Mechanism("without contrast", overlap=True, training={"contrast": 0.0}),
    "self-enhanced": Mechanism("without self-enhanced loss", training={"self_enhanced": 0.0}),
    "memory": Mechanism("without memory", model={"memory": False}),
    "templates": Mechanism("without templates", model={"templates": False}),
    "refined": Mechanism("without refined templates", model={"refined": False}),
    "transfer": Mechanism("without transfer", overlap=True, model={"transferred": False}),
    "bridge": Mechanism("without bridge", overlap=True, model={"bridged": False}),
    "cross-domain": Mechanism(
        "one domain at a time",
        overlap=True,
        model={"transfer": False},
        training={"contrast": 0.0},
    ),
}


def mechanisms(modalities: Iterable[str]) -> dict[str, Mechanism]:
    """All that a model can do without, the modalities that a dataset brings beside the registered.

    ``modalities`` : names of any
    """
    brought = {
        name: Mechanism(f"without {modality(name).label.lower()}", name)
        for name in modalities
        if name not in MECHANISMS
    }
    return {**MECHANISMS, **brought}


def variant_label(variant: str) -> str:
    """The words shown for a variant, which is named by what it lacks."""
    if variant == FULL:
        return "Full model"
    return MECHANISMS[variant].label if variant in MECHANISMS else f"without {variant}"
