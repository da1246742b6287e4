"""How a training ends that does not come to its end: told to stop, or failed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from micrec_core.errors import MicrecError, Stopped
from micrec_core.runs import RunWriter


@contextmanager
def stop_on_sigterm() -> Iterator[None]:
    """Raise ``Stopped`` where SIGTERM arrives, if this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def marked_at_its_end(writer: RunWriter) -> Iterator[None]:
    """Mark the run failed or cancelled where its making does not come to its end."""
    try:
        yield
    except (Stopped, KeyboardInterrupt):
        writer.cancel()
        raise
    except MicrecError as error:
        writer.fail(str(error))
        raise
    except Exception as error:
        writer.fail(_sentence(error))
        raise


def _sentence(error: BaseException) -> str:
    """An unexpected error in one line."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    kind = "out of memory" if isinstance(error, MemoryError) else type(error).__name__
    return f"{kind}: {said[:300]}" if said else kind
