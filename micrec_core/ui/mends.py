"""What is said of somebody's tables, in the words of a page: controls in the place of options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# How a sentence names what the command line has an option for, and a page a control.
_AS_CONTROLS: Mapping[str, str] = {
    r",? or say what it is, such as --encoding (\S+)": r", or choose its encoding below",
    r"say another --encoding": "choose another encoding below",
    r"say --encoding (\S+)": r"choose the encoding \1 below",
    r"say --separator (\S+)": r"choose \1 as the separator below",
    r"say --decimal , if that is its mark": "choose a comma as the decimal mark below",
    r" \(--unknown-items drop\)": "",
    r"say which it is by --map (\w+)=NAME": r"choose it below",
    r"say (--map [^(]+?)(?= \(|\.?$)": r"choose the columns below",
    r"leave --map (\w+)=(.+?) out": r"choose another \1 below",
    r"--map (\w+)=(.+?): no": r"\1: no",
}
# The folder of an upload has a name that nobody chose.
_UPLOAD = re.compile(r"\b[0-9a-f]{32}\b")
_OPTION = re.compile(r"--(encoding|separator|decimal|unknown-items) ([^\s).;]+)")


def for_page(sentence: str) -> str:
    """A sentence as a page says it, which has controls in the place of options."""
    for option, control in _AS_CONTROLS.items():
        sentence = re.sub(option, control, sentence)
    return _UPLOAD.sub("your upload", sentence)


def options_in(sentences: Sequence[str]) -> dict[str, str]:
    """Options that mend what some sentences say: name -> value, the first that is named."""
    found: dict[str, str] = {}
    for sentence in sentences:
        for name, value in _OPTION.findall(sentence):
            found.setdefault(name, value)
    return found
