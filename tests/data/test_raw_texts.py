"""Titles and descriptions of web shops, made plain."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from micrec_core.data.raw import texts


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("  Tea &amp; \t\n Pot\u2028s\x00 ", "Tea & Pot s"),
        ("5 &lt; 6 <3", "5 < 6 <3"),
        ("Pot</span> <script>var t = new Date().getTime()", ""),
        (None, ""),
        (12, ""),
        (["Tea"], ""),
        ("half \ud83c", "half \ufffd"),
        ("&#0;&#x1b;&#55357;", "\ufffd\ufffd"),
    ],
)
def test_titles(raw: Any, plain: str) -> None:
    assert texts.title(raw) == plain


def test_descriptions() -> None:
    assert texts.description(["<p>Good</p>", None, "&lt;b&gt;tea&lt;/b&gt;", ""]) == "Good tea"
    assert texts.description("a < b > c", ["never"]) == "a < b > c"
    assert texts.description([], None, ["<br/>"], "at last") == "at last"
    assert texts.description() == texts.description({"a": 1}) == texts.description([[]]) == ""


@given(st.text(st.sampled_from("ab c"), max_size=90), st.integers(1, 40))
@example("a" * 90, 20)
@example("a" * 20 + " b", 20)
def test_a_cut_ends_with_a_word(text: str, limit: int) -> None:
    text = " ".join(text.split())
    cut = texts._cut(text, limit)
    assert text.startswith(cut) and len(cut) <= limit
    if len(text) <= limit:
        assert cut == text
    else:
        assert text[len(cut)] == " " or len(cut) >= limit // 2
