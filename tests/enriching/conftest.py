"""What these tests take of those of data."""

from tests.data.conftest import one_sentence

__all__ = ["one_sentence"]
