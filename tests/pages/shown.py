"""What a page shows of a text that somebody else wrote, and whether a browser makes more of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

MARK = "evil"
HOSTILE = (
    f"![{MARK}](https://{MARK}.example/p.png) [{MARK}](https://{MARK}.example) <img src=x> "
    f"https://{MARK}.example www.{MARK}.example {MARK}@{MARK}.example :material/home: $x$ `c` **b**"
)
# Fields that the browser shows as they are, by the name of their message; and what is no text.
AS_WRITTEN = {
    "Text": ("body",),
    "Code": ("code_text",),
    "Selectbox": ("options", "default", "raw_value"),
    "TextInput": ("default", "value", "placeholder"),
    "TextArea": ("default", "value", "placeholder"),
    "PlotlyChart": ("spec", "figure", "alt", "alt_text"),
    "Image": ("alt", "url"),
    "BidiComponent": ("json",),  # said by textContent, as a test holds it
}
# What Markdown makes more of, after escapes are gone.
LINKS = re.compile(rf"https?://|www\.{MARK}|{MARK}@{MARK}|:material/home:")
# And before.
MARKUP = re.compile(r"(?<!\\)[\[\]<`*$]")


def texts(message: Message, place: str = "") -> Iterator[tuple[str, str]]:
    """(message.field, text) of all text that a browser is told to show as Markdown."""
    kind = message.DESCRIPTOR.name
    for field, value in message.ListFields():
        if field.name in AS_WRITTEN.get(kind, ()):
            continue
        many = value if field.is_repeated and not isinstance(value, (str, bytes)) else [value]
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        for one in many:
            if isinstance(one, Message):
                yield from texts(one)
            elif isinstance(one, str):
                yield f"{kind}.{field.name}", one


def drawn(block: Any) -> Iterator[Message]:
    """Protobufs of a page's elements and blocks."""
    if getattr(block, "proto", None) is not None:
        yield block.proto
    for child in getattr(block, "children", {}).values():
        yield from drawn(child)


def marked(test: AppTest) -> list[tuple[str, str]]:
    """(message.field, text) of all that a page shows of a text with ``MARK`` in it."""
    seen = [
        (place, text)
        for proto in drawn(test._tree)
        for place, text in texts(proto)
        if MARK in text and not place.startswith(("ArrowData", "Arrow."))
    ]
    # A key or an id is not shown, and a table's own text is drawn on a canvas.
    return [(p, t) for p, t in seen if p.rpartition(".")[2] not in ("id", "columns", "element_id")]


def becomes_more(text: str) -> bool:
    """Whether Markdown makes a link, a picture, an icon or a style of what is ``HOSTILE`` in it."""
    if LINKS.search(text.replace("\\", "")):
        return True
    ours = text[text.index("!") if "!" in text else 0 :]
    return MARKUP.search(ours[: ours.rfind("example") + 60].replace("**", "")) is not None
