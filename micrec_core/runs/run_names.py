"""Names that a run directory may have: safe on every file system, in a link and in a shell."""

import re

from micrec_core.errors import ConfigError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


def check_run_name(name: str) -> str:
    """Return `name` unchanged if a run may be called that.

    Parameters
    ----------
    name : the last part of a run's path, never a path itself

    Raises
    ------
    ConfigError
        If the name could leave its folder, hide itself or differ between file systems.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name:
        shown = repr(name if len(str(name)) <= 80 else str(name)[:77] + "...")
        raise ConfigError(
            f"{shown} cannot name a run: use 1 to 64 of a-z, 0-9, '.', '_' and '-', "
            "beginning with a letter or digit and without '..'."
        )
    return name
