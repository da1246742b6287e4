"""The one typed object of a visitor's session; what is small lives in the address instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple
from uuid import uuid4

import streamlit as st

_KEY = "micrec_session"
# Set in the run that follows a like taken back, whose button is gone.
TOOK_BACK = "micrec_took_back"


@dataclass
class MadeUp:
    """The made-up user of the Cold start page.

    ``likes`` maps a domain to liked item ids. ``lists`` maps the name of a list to a description of
    the user that it was made for, the ids shown, and the ids shown before that (None at first), so
    that a change can say which places moved. ``values`` are of columns, as in
    ``brand=Acme; price=3..8``. ``counts_as`` is how many likes the text and the picture count as.
    ``touched`` says that a visitor has chosen something.
    """

    likes: dict[str, list[str]] = field(default_factory=dict)
    text: str = ""
    image: bytes | None = None
    counts_as: int = 1
    persona: str | None = None
    touched: bool = False
    lists: dict[str, tuple[str, list[str], list[str] | None]] = field(default_factory=dict)
    values: str = ""

    def toggle(self, domain: str, item_id: str) -> None:
        """Like the item, or take the like back."""
        liked = self.likes.setdefault(domain, [])
        if item_id in liked:
            liked.remove(item_id)
        else:
            liked.append(item_id)

    def before(self, what: str, ids: list[str]) -> list[str] | None:
        """The list shown before the last change of this user; None where there was none.

        ``what`` names the list, of which ``ids`` is the one shown now.
        """
        now = repr((self.likes, self.text, bool(self.image), self.counts_as, self.values))
        last = self.lists.get(what)
        if last is None or last[0] != now:
            self.lists[what] = (now, ids, last[1] if last else None)
        return self.lists[what][2]

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is known of this user."""
        said = self.text.strip() or self.image or self.values
        return not (any(self.likes.values()) or said)


class Size(NamedTuple):
    """How much a dataset holds; ``says``: the modalities in which its items say something."""

    domains: int
    interactions: int
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """A dataset that was checked; ``drop`` leaves out interactions with unknown items."""

    folder: Path
    size: Size
    drop: bool = False


@dataclass
class MadeItem:
    """The made-up item of the New item page.

    ``places`` are the ranks last shown and, per person, those shown before them: of the words and
    picture that ``shown`` describes.
    """

    domain: str = ""
    title: str = ""
    text: str = ""
    image: bytes | None = None
    touched: bool = False
    uploads: int = 0
    shown: tuple[str, ...] = ()
    places: tuple[dict[str, int], dict[str, int]] = field(default_factory=lambda: ({}, {}))

    def remember(self, domain: str, places: dict[str, int]) -> dict[str, int]:
        """Keep ranks; returns each person's before the last change of the item."""
        image = sha256(self.image).hexdigest() if self.image else ""
        now, (last, before) = (domain, self.title, self.text, image), self.places
        if now != self.shown:
            last, before = places, last if self.shown[:1] == (domain,) else {}
        self.shown, self.places = now, ({**last, **places}, before)
        return before


@dataclass
class Session:
    """What one visitor has chosen.

    Attributes
    ----------
    owner : a name for this visitor, which a training job is tied to
    run_key : hash of the run that the choices below belong to
    lit : user ids chosen with the lasso on the Alignment page
    lit_items : keys (domain~id) of items chosen there
    made : the made-up user
    dataset : the tables that were checked last on the Data page
    item : the made-up item
    """

    owner: str
    run_key: str = ""
    lit: tuple[str, ...] = ()
    lit_items: tuple[str, ...] = ()
    made: MadeUp = field(default_factory=MadeUp)
    dataset: Checked | None = None
    item: MadeItem = field(default_factory=MadeItem)

    def belongs_to(self, run_key: str) -> Session:
        """Forget ids of another run, and what was made up on it; they mean nothing in this one."""
        if self.run_key != run_key:
            if self.run_key:
                forget_fields()
            self.run_key, self.made = run_key, MadeUp()
            self.item = MadeItem(uploads=self.item.uploads + 1)
            self.lit = self.lit_items = ()
        return self


def session() -> Session:
    """This visitor's session, made on first use."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = Session(_owner())
    return st.session_state[_KEY]


def _owner() -> str:
    """A name for this browser that outlives a reload of the page and a restart of the app.

    It is the hash of the browser's own XSRF token. Without the cookie (XSRF protection is off) the
    name lasts as long as the session.
    """
    token = xsrf_token(st.context.cookies.get("_streamlit_xsrf"))
    return sha256(token).hexdigest()[:32] if token else uuid4().hex


def xsrf_token(cookie: object) -> bytes | None:
    """The token behind a cookie ``2|mask|masked token|time``; the mask is another on every visit.

    None where the cookie is missing or of another form.
    """
    parts = cookie.split("|") if isinstance(cookie, str) else []
    try:
        mask, masked = bytes.fromhex(parts[1]), bytes.fromhex(parts[2])
    except (ValueError, IndexError):
        return None
    if parts[0] != "2" or len(mask) != 4 or len(masked) < 8:
        return None
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))


def forget_fields() -> None:
    """Empty the fields of the made-up user, which keep what was written whatever it was for."""
    st.session_state["cold_text"] = ""
    st.session_state["cold_upload_no"] = st.session_state.get("cold_upload_no", 0) + 1
    for key in [k for k in st.session_state if str(k).startswith("cold_column_")]:
        del st.session_state[key]


_ACTED = "micrec_acted"
# Seconds in which a second click is the other half of a double click.
_MOMENT = 0.7


def one_click(action: Callable[..., None]) -> Callable[..., None]:
    """A callback that does not do the same again at once: a double click is one click.

    What comes between the two clicks has been done by then: a like would be taken back, a second
    training begun, and what is deleted said not to be there.
    """

    @wraps(action)
    def acting(*given: Any) -> None:
        what, ended = st.session_state.get(_ACTED, (None, 0.0))
        if what == (action.__qualname__, given) and monotonic() - ended < _MOMENT:
            return
        action(*given)
        st.session_state[_ACTED] = ((action.__qualname__, given), monotonic())

    return acting


_CHOSEN = "micrec_chosen"


def choose(name: str, value: str) -> None:
    """Make a user or an item (``name``) the one that all pages look at; for callbacks."""
    st.session_state[name] = value
    st.session_state[_CHOSEN] = True


def follow() -> None:
    """In a fragment: run the whole page once after a choice, so that sidebar and address follow."""
    if st.session_state.pop(_CHOSEN, False):
        st.rerun()
