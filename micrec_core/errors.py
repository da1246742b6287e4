"""Errors that a user can cause, each message one sentence with the mend, and being stopped."""


class MicrecError(Exception):
    """Base of every error whose message is meant for a user; the command line exits with 2."""


class DataError(MicrecError):
    """A dataset or a feature file is not what it must be."""


class ConfigError(MicrecError):
    """A setting, a name or a combination of options is not usable."""


class RunError(MicrecError):
    """A run directory is damaged, unfinished, unsafe or of another version."""


class Stopped(BaseException):
    """The process was asked to stop (SIGTERM); no error, so nothing that catches those sees it."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether NumPy or torch (which raises a RuntimeError) could not get memory."""
    if isinstance(error, MemoryError):
        return True
    words = str(error).lower()
    return any(hint in words for hint in ("out of memory", "not enough memory", "can't allocate"))
