"""The command line. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
import traceback
from collections.abc import Sequence

from micrec_core.errors import MicrecError, Stopped

# A shell leaves the ~ of --out=~/report.html to the program.
# A disk's faults, and an administrator's.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES, errno.EPERM, errno.EROFS)
_AT_HOME = re.compile(r"^(--[a-z-]+=)~(?=/|$)")


def main(words: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    0; 2 with one sentence on standard error where the input is at fault; 1 with one sentence where
    something unexpected happened (``MICREC_DEBUG=1`` adds the traceback); 130 or 143 where it was
    interrupted or asked to stop
    """
    from micrec_core.cli.preparing import app

    said = sys.argv[1:] if words is None else words
    given = [_AT_HOME.sub(_home, word) for word in said]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # terminals that are not UTF-8
    try:
        code = app(given or ["--help"], standalone_mode=False)
        return code if isinstance(code, int) else 0
    except MicrecError as error:
        return _say(str(error), 2)
    except KeyboardInterrupt:
        return _say("interrupted", 130)
    except Stopped:
        return _say("stopped before its end; go on with --resume", 143)
    except BrokenPipeError:
        # Whoever reads the output has gone (head, less): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _DISK:
            what = f"'{error.filename}'" if error.filename else "a file"
            mend = "make room for it or mend its folder, then give the same command again"
            return _say(f"{what} cannot be read or written ({error.strerror}); {mend}", 2)
        # Typer has carried a copy of click of its own since some version: known by what it can do.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            return _say(error.format_message(), 2)
        if os.environ.get("MICREC_DEBUG") == "1":
            traceback.print_exc()
        said = next((line for line in str(error).splitlines() if line.strip()), "")
        kind = type(error).__name__
        return _say(f"unexpected failure, {kind}: {said[:300]} (MICREC_DEBUG=1 says where)", 1)


def _home(found: re.Match[str]) -> str:
    return found[1] + os.path.expanduser("~")


def _say(sentence: str, code: int) -> int:
    plain = " ".join(sentence.split())
    sys.stderr.write(f"{plain}\n")
    return code
