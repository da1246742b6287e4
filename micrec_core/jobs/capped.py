"""Runs a command within limits: ``python capped.py MINUTES GIGABYTES COMMAND``.

A program of its own, so that the limits hold whether or not the app that set them still runs. It
imports nothing of the package, to cost no memory beside what it watches. A limit of 0 is none.
"""

import contextlib
import signal
import subprocess
import sys

_GRACE_SECONDS = 20


def main(arguments: list[str]) -> int:
    """Run the command to its end, or end it; its exit status, or 1 where it was ended."""
    minutes, gigabytes, command = float(arguments[0]), float(arguments[1]), arguments[2:]
    # Whoever cancels signals the whole group: the command ends itself, and is waited for here.
    child = subprocess.Popen(command, preexec_fn=lambda: _limit_memory(gigabytes))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        return child.wait(timeout=60 * minutes or None)
    except subprocess.TimeoutExpired:
        child.terminate()
    try:
        child.wait(timeout=_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    sys.stderr.write(f"\nit took longer than the {minutes:g} minutes that this server allows\n")
    return 1


def _limit_memory(gigabytes: float) -> None:
    """Limit what this process may write to; where the system has no such limit there is none."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        most = int(gigabytes * 2**30)
        if most:
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
