"""Tables from anyone are checked in a process of its own, whose end is one sentence here."""

import subprocess
import sys
from pathlib import Path

import pytest

from micrec_core.errors import ConfigError, DataError
from micrec_core.jobs.checking import Limits, check_capped, within

ROOMY = Limits(seconds=60, gigabytes=2)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    pairs = [(f"u{u}", f"{d}{(u + k) % 6}", d) for d in "ab" for u in range(8) for k in range(4)]
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "items.csv").write_text(
        "item_id,domain,title\n"
        + "".join(f"{d}{i},{d},thing {i}\n" for d in "ab" for i in range(6))
    )
    (folder / "interactions.csv").write_text(
        "user_id,item_id,domain\n" + "".join(",".join(p) + "\n" for p in pairs)
    )
    return folder


def test_good_tables_are_described(shop: Path) -> None:
    told = check_capped(shop, [], ROOMY)
    assert told["n_interactions"] == 64 and told["domains"][0]["degrees"]["user"] == [[4, 8]]


def test_how_much_of_a_large_table_is_read_is_told_on_the_way(shop: Path) -> None:
    path = shop / "interactions.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},note", *(f"{row},{'x' * 300_000}" for row in rows)]))
    lines: list[str] = []
    assert check_capped(shop, [], ROOMY, lines.append)["n_interactions"] == 64
    said = [line for line in lines if line.startswith("reading interactions.csv (MiB) ")]
    assert 5 <= len(said) <= 11 and said[-1].endswith(" 18 of 18")


def test_a_refusal_comes_in_the_words_of_the_check(shop: Path) -> None:
    with open(shop / "interactions.csv", "a") as stream:
        stream.write("u1,a99,a\n")
    with pytest.raises(DataError, match=r"interactions\.csv, line 66: .*a99"):
        check_capped(shop, [], ROOMY)


@pytest.mark.parametrize("typed", ["\0", "a\0b", "\ud800"])
def test_what_no_process_can_be_told_is_refused_in_a_sentence(shop: Path, typed: str) -> None:
    with pytest.raises(DataError, match="holds a character that is no text"):
        check_capped(shop, ["--column", f"items.csv:title={typed}"], Limits())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what a process writes to")
@pytest.mark.parametrize("limits", [Limits(60, 0.08), Limits(0.2, 2)], ids=["memory", "clock"])
def test_what_takes_more_than_it_may_ends_in_one_sentence(shop: Path, limits: Limits) -> None:
    with pytest.raises(DataError, match=r"could not be read within|take more memory") as refused:
        check_capped(shop, [], limits)
    assert "Traceback" not in str(refused.value)


def test_time_on_processors_is_limited_too() -> None:
    spin = within([sys.executable, "-c", "while True: pass"], minutes=1, cpu_minutes=1 / 60)
    assert subprocess.run(spin, timeout=50, check=False).returncode > 128


@pytest.mark.parametrize("said", ["nan", "0", "-1", "much", "inf"])
def test_limits_are_positive_numbers(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("MICREC_CHECK_GIGABYTES", said)
    with pytest.raises(ConfigError, match="MICREC_CHECK_GIGABYTES"):
        Limits.of_this_server()
