"""Run names: what is let through can never be a path."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrec_core.errors import ConfigError
from micrec_core.runs import check_run_name

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@given(st.text(max_size=80))
def test_whatever_is_accepted_stays_in_its_folder(name: str) -> None:
    try:
        accepted = check_run_name(name)
    except ConfigError as error:
        assert "\n" not in str(error) and str(error).endswith(".")
        return
    assert accepted == name
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", name) and ".." not in name
    assert (Path("/folder") / name).resolve().parent == Path("/folder").resolve()


@given(st.text(alphabet=LETTERS + "_-", min_size=1, max_size=64).filter(lambda s: s[0] in LETTERS))
def test_plain_names_are_accepted(name: str) -> None:
    assert check_run_name(name) == name


@given(
    st.text(alphabet=LETTERS, min_size=1, max_size=20),
    st.sampled_from(["/", "\\", "\0", "\n", " ", "..", "é", "A", "%2f", "~", "$", ":"]),
    st.text(alphabet=LETTERS, max_size=20),
)
def test_one_bad_character_is_enough(before: str, bad: str, after: str) -> None:
    with pytest.raises(ConfigError):
        check_run_name(before + bad + after)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "x/../y", "/x", "-x", ".x", "x\n", "X", "a" * 65, "a..b", "٣"]
)
def test_refused_names(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a run"):
        check_run_name(name)


@pytest.mark.parametrize("name", ["a", "0", "fk-seed.0_b", "a" * 64, "x."])
def test_boundary_names(name: str) -> None:
    assert check_run_name(name) == name


def test_not_even_a_string() -> None:
    with pytest.raises(ConfigError):
        check_run_name(None)  # type: ignore[arg-type]
