"""``prepare`` as it is typed: one JSON object or a few lines, one sentence for what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from micrec_core.cli import main
from micrec_core.cli.preparing import sources
from micrec_core.data.raw import Source
from micrec_core.errors import ConfigError
from micrec_core.names import ONE_DOMAIN
from tests.data.test_raw import write_raw
from tests.data.test_raw_bad import picture


@pytest.fixture
def domains(tmp_path: Path) -> list[str]:
    """The words for two domains of 2023."""
    found = write_raw(tmp_path / "raw", "amazon2023", suffix=".gz")
    return [w for s in found for w in ("--domain", f"{s.name}={s.interactions},{s.items}")]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]):
    """Run a command in this process: (exit code, its JSON object or text, standard error)."""

    def call(*words: object) -> tuple[int, Any, str]:
        code = main([str(w) for w in words])
        out, err = capsys.readouterr()
        return code, json.loads(out) if "--json" in words and out else out, err

    return call


def test_one_object_and_a_dataset_that_check_takes(said, tmp_path: Path, domains) -> None:
    shots = tmp_path / "shots"
    shots.mkdir()
    picture(shots / "k0.png")
    out = tmp_path / "new" / "out"
    code, made, err = said(
        "prepare", "amazon2023", *domains, "--out", out, "--images", f"kitchen={shots}",
        "--min-rating", 3, "--k-core", 1, "--unknown-items", "drop", "--tables", "parquet",
        "--json",
    )  # fmt: skip
    assert code == 0 and "reading food.jsonl.gz" in err
    assert (made["out"], made["format"], made["tables"]) == (str(out), "amazon2023", "parquet")
    food = made["domains"]["food"]
    assert (food["users"], food["items"], food["interactions"]) == (1, 2, 2)
    assert food["dropped"] == {"bad line": 0, "low rating": 1, "unknown item": 1, "repeated": 1}
    assert made["domains"]["kitchen"]["pictures"]["copied"] == 1
    assert made["overlap"] == 1 and made["notes"] == [] and made["seconds"] >= 0
    code, about, err = said("check", out, "--json")
    assert code == 2 and "no validation interaction" in err  # sound, and too small to train on
    assert not about["synthetic"] and about["refusal"] == err.strip()
    assert [d["n_interactions"] for d in about["domains"]] == [2, 3]
    assert "ratings of 3 or more; only items with metadata" in about["source"]


def test_lines_for_people(said, tmp_path: Path, domains) -> None:
    code, out, _ = said("prepare", "amazon2023", *domains, "--out", tmp_path / "out")
    assert code == 0
    lines = out.splitlines()
    assert lines[1].split() == ["food", "3", "3", "4", "1", "repeated"]
    assert lines[2].split() == ["kitchen", "3", "2", "3", "nothing"]
    assert lines[-1] == f"2 users are in two domains; written to {tmp_path / 'out'}"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (["prepare", "amazon2018"], "food.jsonl.gz, line 1: there is no 'reviewerID'"),
        (["prepare", "amazon"], "no raw format 'amazon'"),
        (["--out", "FULL"], "is not empty"),
        (["--min-rating", "high"], "--min-rating"),
        (["--k-core", "9"], "9-core"),
        (["--domain", "books=b.jsonl,m.jsonl"], "'b.jsonl' does not exist"),
        (["--domain", "food=b.jsonl,m.jsonl"], "'food' is given twice"),
        (["--domain", "a/b=b.jsonl,m.jsonl"], "cannot be called 'a/b'"),
        (["--domain", "books"], "not of the form --domain NAME=REVIEWS,META"),
        (["--domain", "books=b.jsonl"], "'b.jsonl' does not exist"),
        (["--domain", "books=b.jsonl,"], "not two files"),
        (["--domain", "books=b,c,d"], "not two files"),
        (["--images", "fod=."], "write 'food'"),
        (["--images", "food"], "not of the form --images NAME=DIR"),
        (["--images", "food=nowhere"], "no folder of pictures"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_a_bad_word_is_one_sentence_and_writes_nothing(
    said, tmp_path: Path, domains, change: list[str], expected: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    words = ["prepare", "amazon2023", *domains, "--out", str(tmp_path / "out")]
    change = [str(tmp_path / "full") if w == "FULL" else w for w in change]
    words = [*change, *words[2:]] if change[0] == "prepare" else [*words, *change]
    code, out, err = said(*words, "--json")
    assert (code, out) == (2, "") and expected in err
    assert err.splitlines()[-1] and "Traceback" not in err
    assert {p.name for p in tmp_path.iterdir()} == {"raw", "full"}


def test_a_missing_domain_or_folder_is_asked_for(said, tmp_path: Path, domains) -> None:
    assert "--domain" in said("prepare", "amazon2023", "--out", tmp_path / "out")[2]
    assert "--out" in said("prepare", "amazon2023", *domains)[2]


def test_one_domain_is_a_dataset(said, tmp_path: Path, domains) -> None:
    out = tmp_path / "out"
    code, lines, _ = said("prepare", "amazon2023", *domains[:2], "--out", out)
    assert code == 0 and ONE_DOMAIN in lines
    assert lines.splitlines()[-1] == f"written to {out}"
    _, lines, err = said("check", out)
    assert ONE_DOMAIN in lines and "users train both" not in lines
    assert "no validation interaction" in err  # sound, and too small to train on


def test_files_with_commas_are_told_apart(tmp_path: Path) -> None:
    found = write_raw(tmp_path / "a,b", "amazon2023")
    typed = [f"{s.name}={s.interactions},{s.items}" for s in found]
    assert sources(typed, [f"food={tmp_path}"]) == [
        Source("food", found[0].interactions, found[0].items, tmp_path),
        found[1],
    ]
    shutil.rmtree(tmp_path / "a,b")
    with pytest.raises(ConfigError, match="not two files"):
        sources(typed, [])
    with pytest.raises(ConfigError, match="there twice for 'a'"):
        sources(["a=b,c"], ["a=.", "a=."])
