"""Takes an HTML report apart, as a reader sees it."""

from __future__ import annotations

from html.parser import HTMLParser


class Sections(HTMLParser):
    """What a report holds.

    Attributes
    ----------
    found : of every section its title, note and table (rows of cells, the head first)
    cards : of every finding its title and its lines
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, list[list[str]]]] = []
        self.cards: list[tuple[str, list[str]]] = []
        self._open, self._in_card = "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag
        if ("class", "card") in attrs:
            self._in_card = True
            self.cards.append(("", []))
        elif self._in_card and tag == "p":
            self.cards[-1][1].append("")
        if tag == "h2":
            self.found.append(("", "", []))
        elif tag == "tr" and self.found:
            self.found[-1][2].append([])
        elif tag in ("td", "th") and self.found:
            self.found[-1][2][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""
        if tag == "div":
            self._in_card = False

    def handle_data(self, data: str) -> None:
        if self._in_card:
            title, lines = self.cards[-1]
            if self._open == "b":
                self.cards[-1] = title + data, lines
            elif self._open == "p":
                lines[-1] += data
        if not self.found:
            return
        title, note, rows = self.found[-1]
        if self._open in ("td", "th"):
            rows[-1][-1] += data
        elif self._open in ("h2", "p"):
            both = (title + data, note) if self._open == "h2" else (title, note + data)
            self.found[-1] = (*both, rows)
