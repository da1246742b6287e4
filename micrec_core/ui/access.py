"""Who may do what: roles by a login, or by a token that those who may share.

Without a login and without ``MICREC_TOKEN`` everyone may do everything: the app then serves this
computer's own user. ``MICREC_ROLES`` names a TOML file that says otherwise:

    visitors = ["see"]                                # not logged in; nothing by default
    members = ["see", "bring"]                        # logged in; everything by default
    [people]
    "ada@example.org" = ["see", "bring", "train", "accept"]
"""

from __future__ import annotations

import hmac
import os
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

import streamlit as st

from micrec_core.errors import ConfigError
from micrec_core.ui.state import session

# See runs; bring tables; start and cancel trainings; use, take in, note and delete runs.
ROLES = ("see", "bring", "train", "accept")
_NEEDED = {"bring": "check tables", "train": "train", "accept": "use, take in, note or delete runs"}
_SHORTEST = 16
_HOURS = 12


@dataclass(frozen=True)
class Rules:
    """Roles of people who are not logged in, of those who are, and of some by name."""

    visitors: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset(ROLES)
    people: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, person: str | None) -> frozenset[str]:
        """Roles of someone, None for who is not logged in."""
        return self.visitors if person is None else self.people.get(person, self.members)


def read_rules(path: Path) -> Rules:
    """Rules from a TOML file.

    Raises
    ------
    ConfigError
        It cannot be read, or names what is no role.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"MICREC_ROLES, {path.name}, cannot be read ({error})") from None
    people = told.pop("people", {})
    for key in told:
        if key not in ("visitors", "members"):
            raise ConfigError(f"{path.name}: there is no '{key}'; use visitors, members, people")
    named = {person: _roles(path, person, said) for person, said in dict(people).items()}
    return Rules(**{key: _roles(path, key, said) for key, said in told.items()}, people=named)


def _roles(path: Path, whose: str, said: Any) -> frozenset[str]:
    if not isinstance(said, list) or not set(map(str, said)) <= set(ROLES):
        raise ConfigError(f"{path.name}: '{whose}' is not a list of {', '.join(ROLES)}")
    return frozenset(said)


def guarded() -> bool:
    """Whether anyone must log in to do anything."""
    return bool(_token()) or _has_login()


def person() -> str | None:
    """Who is logged in: an e-mail address or a provider's own id, ``member`` by the token."""
    if _has_login() and st.user.is_logged_in:
        told = st.user.to_dict()
        address = told.get("email") if told.get("email_verified", True) else None
        return str(address or f"{told.get('iss')} {told.get('sub')}")
    since = _members().get(session().owner)
    return "member" if _token() and since and time.time() - since < 3600 * _HOURS else None


def owner() -> str:
    """Whose trainings and uploads are this visitor's: the person's, else the browser's."""
    if _has_login() and (who := person()) is not None:
        return sha256(who.encode()).hexdigest()[:32]
    return session().owner


def may(role: str) -> bool:
    """Whether this visitor has a role."""
    if not guarded():
        return True
    said = os.environ.get("MICREC_ROLES")
    return role in (read_rules(Path(said)) if said else Rules()).of(person())


def require(role: str) -> None:
    """ConfigError unless this visitor has the role; for all that changes anything."""
    if not may(role):
        mend = "log in first" if person() is None else "ask whoever runs this server for it"
        raise ConfigError(f"you may not {_NEEDED.get(role, role)} here; {mend}")


def login_box() -> None:
    """Log in or out, where anyone must."""
    if not guarded():
        return
    if (who := person()) is not None:
        st.button(f"Log out{f' ({_shown(who)})' if who != 'member' else ''}", on_click=_log_out)
        return
    if _has_login():
        st.button("Log in", on_click=st.login, type="primary")
    if _token():
        with st.form("micrec_login", border=False):
            given = st.text_input("Token", type="password", max_chars=200)
            if st.form_submit_button("Log in with the token"):
                if _is_token(given):
                    _members()[session().owner] = time.time()
                    st.rerun()
                st.error("That is not the token.", icon=":material/error:")


def _shown(who: str) -> str:
    from micrec_core.ui.widgets import plain

    return plain(who)


def _log_out() -> None:
    _members().pop(session().owner, None)
    if _has_login() and st.user.is_logged_in:
        st.logout()


def _is_token(given: str) -> bool:
    # One guess at a time for the whole server, and slowly.
    with _guessing():
        time.sleep(0.3)
        return hmac.compare_digest(given.encode(), _token().encode())


def _token() -> str:
    token = os.environ.get("MICREC_TOKEN", "")
    if token and len(token) < _SHORTEST:
        raise ConfigError(f"MICREC_TOKEN is too short; use {_SHORTEST} characters or more")
    return token


def _has_login() -> bool:
    return bool(st.secrets.load_if_toml_exists()) and "auth" in st.secrets


@st.cache_resource
def _members() -> dict[str, float]:
    """Browsers that gave the token, and when."""
    return {}


@st.cache_resource
def _guessing() -> Lock:
    return Lock()
