"""What is made once for all is what would be made anew, and never another's."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.io
import pytest

from micrec_core.figures.alignment import distance_histogram, distance_shares
from micrec_core.figures.theme import themed
from micrec_core.ui import once as module
from micrec_core.ui.once import Drawn, charted, drawn, known, once

CALLS: list[object] = []


@dataclass(frozen=True)
class Pair:
    a: pd.DataFrame
    b: tuple[str, ...] = ()


def counted(*args: object, **options: object) -> Pair:
    CALLS.append(args)
    return Pair(pd.DataFrame({"x": [float(len(CALLS))]}))


@pytest.fixture(autouse=True)
def forgotten():
    CALLS.clear()
    module._kept.clear()
    module._drawn.clear()


def frame(**columns):
    return pd.DataFrame({"x": [1.0, np.nan], "s": ["a", None]} | columns)


ALIKE = [
    lambda: (frame(),),
    lambda: (frame(s=pd.Categorical(["a", "b"])),),
    lambda: (frame().iloc[::-1],),
    lambda: ({"a": np.arange(3)}, "k", None, 2.5),
    lambda: (Pair(frame(), ("u",)), [1, (2, {"z", "y"})], frame()["s"]),
    lambda: (np.array(["one", None], dtype=object),),
]


@pytest.mark.parametrize("make", ALIKE)
def test_the_same_content_is_made_once(make):
    first = once(counted, *make())
    assert once(counted, *make()) is first
    assert len(CALLS) == 1


OTHERS = [
    (frame(), frame(s=["a", "b"])),
    (frame(), frame().rename(columns={"s": "t"})),
    (frame(), frame().iloc[::-1]),
    (frame(), frame().astype({"x": "float32"})),
    (frame(), frame().set_index("s", drop=False)),
    (frame(), frame(y=0)),
    (np.arange(4), np.arange(4).reshape(2, 2)),
    (np.arange(4, dtype="int32"), np.arange(4, dtype="int64")),
    (["ab", "c"], ["a", "bc"]),
    ([["a"], "b"], [["a", "b"]]),
    ({"a": "b"}, {"b": "a"}),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    (1, True),
    (1, 1.0),
    ("1", 1),
    (None, "None"),
    (Pair(frame()), Pair(frame(), ("u",))),
    (Pair, Drawn),
]


@pytest.mark.parametrize("one,other", OTHERS)
def test_other_content_is_made_anew(one, other):
    assert once(counted, one) is not once(counted, other)
    assert once(counted, one) is not once(counted, a=one)
    assert len(CALLS) == 3


def test_what_was_made_is_told_by_its_name_and_is_content_all_the_same():
    made = once(counted, "a")
    assert once(counted, made.a) is once(counted, made.a)
    assert once(counted, made.a) is not once(counted, once(counted, "b").a)
    # A frame that goes takes its name with it, for another may come to lie where it lay.
    held = len(module._known)
    passing = known(frame(), "passing")
    assert len(module._known) == held + 1
    del passing
    assert len(module._known) == held


def test_what_cannot_be_told_is_refused():
    for value in (lambda: 1, object(), iter([])):
        with pytest.raises(TypeError, match="give its parts"):
            once(counted, value)


@pytest.mark.parametrize("kind", ["light", "dark"])
def test_a_chart_that_was_drawn_before_is_the_figure_itself(kind):
    rng = np.random.default_rng(0)
    shares = distance_shares({"Before": (rng.random(40), rng.random(40))})
    shown = charted(drawn(distance_histogram, shares), kind)
    again = charted(drawn(distance_histogram, shares.copy()), kind)
    plain = themed(distance_histogram(shares), kind)
    assert json.loads(plotly.io.to_json(again, validate=False)) == json.loads(
        plotly.io.to_json(plain, validate=False)
    )
    assert shown.height == again.height == plain.layout.height
    assert charted(plain, kind).to_dict() == again.to_dict()
