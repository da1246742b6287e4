"""Comparisons that are stopped and gone on with, for the tests that count their trainings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from micrec_core.comparing import compare as module


def stop_and_go_on(
    start: Callable[[], dict[str, Any]],
    trained: list[str],
    after: int,
    between: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Start a comparison, stop it after so many trainings, start it again.

    Parameters
    ----------
    trained : takes the name of each training, of both starts
    between : called while it is stopped
    """
    own = module.train

    def stops(*words: Any) -> None:
        if len(trained) == after:
            raise KeyboardInterrupt
        goes_on(*words)

    def goes_on(*words: Any) -> None:
        trained.append(words[1].path.name)
        own(*words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "train", stops)
        with pytest.raises(KeyboardInterrupt):
            start()
        between()
        patch.setattr(module, "train", goes_on)
        return start()


def forbid_training(patch: pytest.MonkeyPatch) -> None:
    """Fail the test if anything is trained, or asked, from now on."""

    def never(*words: Any) -> None:
        raise AssertionError("trained again")

    patch.setattr(module, "train", never)
    patch.setattr(module, "answer", never)
