"""Runs a command within limits: ``python capped.py MINUTES CPU_MINUTES GIGABYTES COMMAND``.

A program of its own, so that the limits hold whether or not the app that set them still runs. It
imports nothing of the package, to cost no memory beside what it watches. A limit of 0 is none.
"""

import contextlib
import math
import signal
import subprocess
import sys

_GRACE_SECONDS = 20


def main(arguments: list[str]) -> int:
    """Run the command to its end, or end it.

    Its exit status; 128 and the signal's number where one ended it; 1 where the clock did.
    """
    minutes, cpu_minutes, gigabytes = map(float, arguments[:3])
    command = arguments[3:]
    # Whoever cancels signals the whole group: the command ends itself, and is waited for here.
    child = subprocess.Popen(command, preexec_fn=lambda: _limit(cpu_minutes, gigabytes))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        status = child.wait(timeout=60 * minutes or None)
        return status if status >= 0 else 128 - status
    except subprocess.TimeoutExpired:
        child.terminate()
    try:
        child.wait(timeout=_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    sys.stderr.write(f"\nit took longer than the {minutes:g} minutes that this server allows\n")
    return 1


def _limit(cpu_minutes: float, gigabytes: float) -> None:
    """Limit this process's time on processors and what it may write to.

    Where the system has no such limit there is none.
    """
    import resource

    limits = (
        (resource.RLIMIT_CORE, 0, True),
        (resource.RLIMIT_CPU, math.ceil(60 * cpu_minutes), bool(cpu_minutes)),
        (resource.RLIMIT_DATA, int(gigabytes * 2**30), bool(gigabytes)),
    )
    for limit, most, wanted in limits:
        if wanted:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(limit, (most, most))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
