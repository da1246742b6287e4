"""What is asked of a model, and on how little it is trained: every protocol and its words.

A protocol is a line in ``PROTOCOLS``: what of a split counts as a hit, what is not recommended and
among which items (``evaluation.questions`` asks so). A curve is a line in ``CURVES`` and what it
takes away, in ``evaluation.stress``. Command line, pages, figures and reports name them from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from micrec_core.names import EVERYONE, FULL_LIST

if TYPE_CHECKING:
    from micrec_core.data.types import DomainSplit, Edges


@dataclass(frozen=True)
class Asked:
    """A list that every user of a domain is asked to be given.

    Attributes
    ----------
    hits : what counts
    hidden : what is not recommended, by all of these together
    validation : whether validation interactions are not recommended either, where ``mask`` is all
    among : the items that may be recommended: those in training, those withheld, or all
    cohorts : whether users known in another domain are told apart from the others
    scope : ``all``, or ``full list`` for what is asked a second time among all items
    """

    hits: Callable[[DomainSplit], Edges]
    hidden: Callable[[DomainSplit], tuple[Edges, ...]] = lambda part: ()
    among: Literal["trained", "new", "all"] = "trained"
    validation: bool = False
    cohorts: bool = False
    scope: str = EVERYONE

    def masked(self, part: DomainSplit, mask: str) -> tuple[Edges, ...]:
        """What is not recommended under a mask of ``MASKS``."""
        return self.hidden(part) + ((part.valid,) if self.validation and mask == "all" else ())


@dataclass(frozen=True)
class Protocol:
    """A question in all domains.

    Attributes
    ----------
    label, question : as pages head it, and in words
    asked : the lists
    known_by : what a user is known by: its own ``training``, some interactions shown only now
        (``support``), or those in another domain (``elsewhere``)
    split : the split that has what it asks about, ``inductive`` where that must be withheld
    """

    label: str
    question: str
    asked: tuple[Asked, ...]
    known_by: Literal["training", "support", "elsewhere"] = "training"
    split: Literal["known", "inductive"] = "inductive"


PROTOCOLS: dict[str, Protocol] = {
    "known": Protocol(
        "Known users",
        "What do users in training take next, of the items in training?",
        (Asked(lambda s: s.test, hidden=lambda s: (s.train,), validation=True, cohorts=True),),
        split="known",
    ),
    "new-users": Protocol(
        "New users",
        "What do users take who were held out whole, given some of their interactions?",
        (Asked(lambda s: s.new_user_test, hidden=lambda s: (s.new_user_support,)),),
        known_by="support",
    ),
    "new-items": Protocol(
        "New items",
        "Which of the items that were held out whole do users take?",
        (
            Asked(lambda s: s.new_item_test, among="new"),
            Asked(
                lambda s: s.new_item_test,
                hidden=lambda s: (s.train,),
                validation=True,
                among="all",
                scope=FULL_LIST,
            ),
        ),
    ),
    "cold-domain": Protocol(
        "New in this domain",
        "What do users take in a domain where all their interactions are hidden?",
        (Asked(lambda s: s.cold_test),),
        known_by="elsewhere",
    ),
}
# What of a known user's own is left out of test lists: as this project has it, and as public
# benchmarks have it, where figures come out lower. Figures of two masks are never compared.
MASKS = {
    "all": "Test lists leave out what a user took in training and validation.",
    "train": "Test lists leave out what a user took in training alone, as public benchmarks do.",
}
PROTOCOL_LABELS = {name: protocol.label for name, protocol in PROTOCOLS.items()}


@dataclass(frozen=True)
class Curve:
    """Models trained anew on less and asked the same.

    Attributes
    ----------
    axis, question, note, about : title of the axis, of the chart, a sentence below it, and what
        tables say
    shares : the points where nobody says which
    whole : the share at which nothing is taken away
    each : of what there is a curve each: ``domain``, ``modality``, or of nothing (one curve)
    touches : the models that it makes a difference to
    """

    axis: str
    question: str
    note: str
    about: str
    shares: tuple[float, ...]
    whole: float
    each: Literal["domain", "modality", ""] = ""
    touches: Literal["all", "with features", "with overlap"] = "all"


CURVES: dict[str, Curve] = {
    "sparsity": Curve(
        axis="Interactions kept",
        question="How few interactions will do?",
        note="Only the domain of the chart is thinned; the others keep all they have.",
        about="Trained on a share of the domain's train interactions (one a user at least)",
        shares=(1.0, 0.5, 0.2, 0.1, 0.05),
        whole=1.0,
        each="domain",
    ),
    "missing": Curve(
        axis="Items that lose it",
        question="What if items lose content?",
        note="What is lost is lost in training and when asked.",
        about="A share of the items without a modality, in training and when asked",
        shares=(0.0, 0.25, 0.5, 0.75, 1.0),
        whole=0.0,
        each="modality",
        touches="with features",
    ),
    "overlap": Curve(
        axis="Overlapping users known",
        question="How many people must be known in both domains?",
        note="Known to be one person in both domains; each of the others is a stranger in both.",
        about="A share of the overlapping users known to be one person",
        shares=(0.0, 0.25, 0.5, 0.75, 1.0),
        whole=1.0,
        touches="with overlap",
    ),
}
