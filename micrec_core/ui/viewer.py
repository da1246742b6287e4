"""One viewer by Streamlit's own protocol: what a browser asks for and waits for, without drawing.

Messages are Streamlit's protobufs over its websocket. Every answer is taken in whole, so that the
server does all that it does for a browser, but for static files. The container's check of its
health is such a viewer: ``python -m micrec_core.ui.viewer [ADDRESS [PAGE]]`` ends with 1, and says
why, where the page cannot be drawn.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import uuid4

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from micrec_core.ui.looks import BROKEN

_MEBI = 1 << 20
_PATIENCE = 25
# What stands in the main part of a page, not in its sidebar.
_MAIN = 0


@dataclass
class View:
    """One page as a viewer saw it; seconds since it was asked for.

    Attributes
    ----------
    first : until its heading was there, None where none came
    settled : until its script was at its end
    error : what went wrong, in words; empty where nothing did
    size : bytes of all messages
    """

    page: str
    first: float | None = None
    settled: float | None = None
    error: str = ""
    size: int = 0


@dataclass
class Viewer:
    """A visitor with a session of their own. Not for several threads at once.

    ``buttons`` are those of the page seen last, by key, or by label where they have none;
    ``sent_to`` is where the page sent the browser to log in.
    """

    socket: ClientConnection
    patience: float
    buttons: dict[str, str] = field(default_factory=dict)
    sent_to: str = ""

    def see(self, page: str, query: str = "") -> View:
        """Ask for a page by its address and wait until it is there."""
        self.buttons = {}
        state = ClientState(page_name=page, query_string=query)
        return self._asked(BackMsg(rerun_script=state), page)

    def click(self, page: str, button: str) -> View:
        """Click a button of the page seen last, by the key that it has in the app's code."""
        state = ClientState(page_name=page)
        state.widget_states.widgets.add(id=self.buttons[button], trigger_value=True)
        return self._asked(BackMsg(rerun_script=state), page)

    def _asked(self, message: BackMsg, page: str) -> View:
        view, begun = View(page), time.monotonic()
        try:
            self.socket.send(message.SerializeToString())
            while view.settled is None and not view.error:
                left = begun + self.patience - time.monotonic()
                raw = self.socket.recv(timeout=max(left, 0.01))
                assert isinstance(raw, bytes)
                view.size += len(raw)
                self._take(ForwardMsg.FromString(raw), view, time.monotonic() - begun)
        except TimeoutError:
            view.error = f"nothing settled in {self.patience:g} s"
        except (WebSocketException, OSError) as error:
            view.error = f"the connection was lost ({type(error).__name__})"
        return view

    def _take(self, message: ForwardMsg, view: View, now: float) -> None:
        kind = message.WhichOneof("type")
        if kind == "delta":
            self._drawn(message.delta, message.metadata.delta_path[:1] == [_MAIN], view, now)
        elif kind == "auth_redirect":
            self.sent_to = message.auth_redirect.url
        elif kind == "page_not_found":
            view.error = "there is no such page"
        elif kind == "script_finished":
            end = message.script_finished
            if end == ForwardMsg.FINISHED_SUCCESSFULLY:
                view.settled = now
            elif end == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                view.error = "the page's script cannot be read"

    def _drawn(self, delta: Delta, in_main: bool, view: View, now: float) -> None:
        if delta.WhichOneof("type") != "new_element":
            return
        element = delta.new_element
        kind = element.WhichOneof("type")
        if kind == "exception":
            view.error = f"{element.exception.type}: {element.exception.message}"
        elif kind == "alert" and element.alert.icon == BROKEN:
            view.error = element.alert.body
        elif kind == "heading" and in_main and view.first is None:
            view.first = now
        elif kind == "button":
            key = element.button.id.rsplit("-", 1)[-1]
            self.buttons[element.button.label if key == "None" else key] = element.button.id


def main(url: str = "http://127.0.0.1:8501", page: str = "overview") -> int:
    """Whether a page can be drawn: 0 if so."""
    try:
        with viewer(url, _PATIENCE) as one:
            error = one.see(page).error
    except (WebSocketException, OSError) as found:
        error = f"the app does not answer ({type(found).__name__})"
    if error:
        sys.stderr.write(f"{page}: {error}\n")
    return 1 if error else 0


@contextmanager
def viewer(
    url: str, patience: float = 120, cookies: Mapping[str, str] | None = None
) -> Iterator[Viewer]:
    """A viewer of the app at ``url``, gone at the end as one who closes the tab."""
    kept = dict(cookies or {})
    token = kept.get("_streamlit_xsrf", uuid4().hex)
    said = "; ".join(f"{name}={value}" for name, value in kept.items())
    address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
    with connect(
        address,
        subprotocols=[Subprotocol("streamlit"), Subprotocol(token)],
        additional_headers={"Cookie": said} if said else None,
        origin=Origin(url),
        proxy=None,
        max_size=64 * _MEBI,
        compression=None,
        open_timeout=60,
        close_timeout=1,
    ) as socket:
        yield Viewer(socket, patience)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
