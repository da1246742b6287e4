"""The command line: one JSON object or one sentence, and the right exit code."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from micrec_core.cli import main
from micrec_core.errors import Stopped
from micrec_core.protocols import MASKS, PROTOCOLS, Asked, Protocol
from micrec_core.runs import open_run
from micrec_core.sample.generate import generate_sample
from micrec_core.serving import Recommender
from tests.data.conftest import INTERACTIONS, ITEMS, write_dataset
from tests.data.test_bad_tables import BAD

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("--device", "cpu", "--no-umap", "--set", "steps=3")


@pytest.fixture(scope="module", autouse=True)
def small_cache(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Iterator[None]:
    """Features of tests stay out of the user's cache; one thread, for small work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICREC_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    generate_sample(folder / "tiny", users=100, items=(50, 40), seed=3, picture_size=32)
    words = ["train", str(folder / "tiny"), "--out", str(folder / "run"), *QUICK]
    assert main([*words, "--epochs", "2", "--split", "inductive"]) == 0
    return folder


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]):
    """Run a command in this process: (exit code, its JSON object or text, standard error)."""

    def call(*words: object) -> tuple[int, Any, str]:
        capsys.readouterr()
        code = main([str(w) for w in words])
        out, err = capsys.readouterr()
        return code, json.loads(out) if "--json" in words and out else out, err

    return call


def one_sentence(err: str) -> None:
    assert err.endswith("\n") and err.count("\n") == 1, err
    assert "Traceback" not in err


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from micrec_core.cli import main; main(['--help']);"
        "heavy = {'torch', 'numpy', 'pandas', 'scipy', 'numba', 'streamlit'} & set(sys.modules);"
        "sys.exit(bool(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in ("sample", "check", "features", "train", "evaluate", "recommend", "export"):
        assert name in done.stdout


@pytest.mark.parametrize("kind,expected", [(Stopped, 143), (type("Stopped", (Exception,), {}), 1)])
def test_being_stopped_is_told_by_its_class(said, monkeypatch, kind: type, expected: int) -> None:
    def stop(*words: object, **told: object) -> None:
        raise kind

    monkeypatch.setattr("micrec_core.report.export.export_run", stop)
    code, _, err = said("export", "run", "--out", "file")
    assert code == expected
    one_sentence(err)


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_table_is_one_sentence_and_writes_nothing(said, tmp_path: Path, kind: str) -> None:
    root = write_dataset(tmp_path / "shop")
    spoil, expected = BAD[kind]
    spoil(root)
    code, out, err = said("train", root, "--out", tmp_path / "runs" / "made", "--device", "cpu")
    assert (code, out) == (2, "")
    assert expected in err
    one_sentence(err)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train"], "Missing argument"),
        (["trian"], "train"),
        (
            ["train", "DATA", "--out", "RUN", "--set", "learningrate=1"],
            "did you mean 'learning_rate'",
        ),
        (["train", "DATA", "--out", "RUN", "--set", "epochs"], "KEY=VALUE"),
        (["train", "DATA", "--out", "RUN", "--set", "modle.dim=3"], "no section 'modle'"),
        (["train", "DATA", "--out", "RUN", "--set", "dim=0"], "model.dim"),
        (["train", "DATA", "--out", "RUN", "--model", "micerc"], "did you mean 'micrec'"),
        (["train", "DATA", "--out", "RUN", "--without", "texts"], "did you mean 'text'"),
        (["train", "DATA", "--out", "RUN", "--text", "clasic"], "no text encoder 'clasic'"),
        (["train", "DATA", "--out", "RUN", "--device", "gpu"], "no device 'gpu'"),
        (["train", "DATA", "--out", "RUN", "--split", "induct"], "split"),
        (["train", "DATA", "--out", "Big Name!"], "cannot name a run"),
        (["train", "DATA", "--out", "RUN", "--resume"], "no run at"),
        (["train", "DATA", "--out", "RUN", "--epochs", "many"], "--epochs"),
        (["check", "NOWHERE"], "does not exist"),
        (["sample", "--out", "RUN", "--users", "1"], "number of users is 1"),
        (["sample", "--out", "RUN", "--items", "1,2,3"], "one number or two"),
        (["features", "DATA", "--image", "sentence:x"], "no image encoder"),
        (["evaluate", "NOWHERE"], "no run at"),
        (["recommend", "NOWHERE", "--domain", "food", "--user", "u"], "no run at"),
        (["recommend", "NOWHERE", "--domain", "food"], "whom to recommend to"),
        (["recommend", "NOWHERE", "--domain", "food", "--like", "f0"], "DOMAIN:ITEM"),
        (["export", "NOWHERE", "--out", "RUN", "--format", "pdf"], "no format 'pdf'"),
    ],
    ids=lambda value: " ".join(value[:1] + value[-2:]) if isinstance(value, list) else "",
)
def test_a_bad_word_is_one_sentence(said, tmp_path: Path, words: list[str], expected: str) -> None:
    names = {
        "DATA": write_dataset(tmp_path / "shop"),
        "RUN": tmp_path / "made",
        "NOWHERE": tmp_path / "nowhere",
    }
    code, out, err = said(*(names.get(word, word) for word in words))
    assert (code, out) == (2, "")
    assert expected in err
    one_sentence(err)
    assert not (tmp_path / "made").exists()


def test_an_unexpected_failure_is_one_sentence_too(
    said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("twice\nover")

    monkeypatch.setattr("micrec_core.data.read_dataset", broken)
    monkeypatch.delenv("MICREC_DEBUG", raising=False)
    code, out, err = said("check", tmp_path)
    assert (code, out) == (1, "") and "ZeroDivisionError: twice" in err
    one_sentence(err)
    monkeypatch.setenv("MICREC_DEBUG", "1")
    assert "Traceback" in said("check", tmp_path)[2]


def test_sample_and_check_and_features(said, tmp_path: Path) -> None:
    out = tmp_path / "made"
    code, made, _ = said("sample", "--out", out, "--users", 60, "--items", "30,24", "--json")
    assert code == 0 and made["users"] == 60 and made["domains"]["kitchen"]["items"] == 24
    code, about, err = said("check", out, "--json")
    assert (code, err) == (0, "") and about["n_items"] == 54 and about["synthetic"] is True
    code, found, _ = said("features", out, "--json", "--device", "cpu")
    assert code == 0 and set(found["modalities"]) == {"text", "image"}
    assert found["modalities"]["text"]["items"] == 54
    again = said("features", out, "--json", "--device", "cpu")[1]
    assert again["fingerprint"] == found["fingerprint"]
    (out / "images" / "food-0000.webp").write_bytes(b"no picture")
    code, _, err = said("check", out)
    assert code == 2 and "food-0000.webp" in err
    assert said("check", out, "--no-pictures")[0] == 0


def test_a_check_of_tables_from_anyone_is_held_to_its_limits(
    said, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = said("check", place / "tiny", "--json")[1]
    code, capped, err = said("check", place / "tiny", "--capped", "--json")
    assert (code, err) == (0, "") and capped["n_interactions"] == free["n_interactions"]
    monkeypatch.setenv("MICREC_CHECK_SECONDS", "0.2")
    code, _, err = said("check", place / "tiny", "--capped")
    assert code == 2 and "could not be read within" in err


def test_train_and_evaluate_print_the_shape_of_the_design(
    said, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A line of the registry is all that a protocol takes.
    held_out = Asked(lambda s: s.valid, hidden=lambda s: (s.train,))
    monkeypatch.setitem(PROTOCOLS, "held-out", Protocol("Held out", "What?", (held_out,)))
    out = place / "json"
    words = ["train", place / "tiny", "--out", out, "--epochs", 1, *QUICK]
    code, made, _ = said(*words, "--json", "--set", "dim=16", "--without", "image,contrast")
    assert code == 0
    assert made["run"] == str(out) and made["model"] == "micrec" and made["best_epoch"] == 1
    assert made["variant"] == "image+contrast" and made["seconds"] > 0
    assert set(made["metrics"]) == {"known", "held-out"}
    value = made["metrics"]["known"]["food"]["ndcg@20"]
    assert set(value) == {"mean", "low", "high", "n"} and 0 <= value["low"] <= value["high"] <= 1
    code, measured, _ = said("evaluate", out, "--json")
    assert code == 0 and measured["metrics"] == made["metrics"]
    code, measured, _ = said("evaluate", out, "--dataset", place / "tiny", "--mask", "train",
                             "--json", "--device", "cpu")  # fmt: skip
    lower = measured["metrics"]["known"]["food"]["ndcg@20"]
    assert code == 0 and measured["mask"] == "train" and lower["mean"] < value["mean"]
    assert json.loads((out / "run.json").read_text())["mask"] == "all", "the run stays as it is"
    code, _, err = said("evaluate", out, "--mask", "train")
    assert code == 2 and "give --dataset to measure under 'train'" in err
    code, _, err = said("evaluate", out, "--mask", "test")
    assert code == 2 and "there is no mask 'test'; there are: all and train" in err
    code, lines, _ = said("evaluate", place / "run", "--protocol", "cold-domain")
    assert MASKS["all"] in lines
    assert code == 0 and "cold-domain" in lines and "known" not in lines
    code, _, err = said(*words)
    assert code == 2 and "exists already" in err


@pytest.mark.parametrize(
    "who",
    [
        ["--like", "food:food-0001", "--like", "kitchen:kitchen-0002"],
        ["--text", "green tea and rice"],
        ["--image", "PICTURE"],
    ],
)
def test_recommend_to_anyone(said, place: Path, who: list[str]) -> None:
    picture = next((place / "tiny" / "images").glob("food-*.webp"))
    words = [picture if w == "PICTURE" else w for w in who]
    code, found, err = said(
        "recommend", place / "run", "--domain", "food", *words, "--k", 5, "--explain", "--json"
    )
    assert (code, err) == (0, "")
    assert found["domain"] == "food" and len(found["items"]) == 5 and found["milliseconds"] > 0
    for item in found["items"]:
        assert sum(item["parts"].values()) == pytest.approx(item["score"], rel=1e-4, abs=1e-6)
        assert item["reasons"] and "contribution" in item["reasons"][0]
    code, text, _ = said("recommend", place / "run", "--domain", "food", *words)
    assert code == 0 and len(text.splitlines()) == 12


def test_lists_of_everyone_go_to_a_file(said, place: Path) -> None:
    out = place / "lists.parquet"
    words = "recommend-all", place / "run", "--domain", "food", "--out", out, "--k", 3
    code, text, _ = said(*words)
    lists = pd.read_parquet(out)
    assert code == 0 and f"lists of {lists['user_id'].nunique()} users" in text
    assert list(lists.columns) == ["user_id", "rank", "item_id", "title", "score"]
    assert lists["rank"].max() == 3


def test_recommend_refuses_strangers(said, place: Path) -> None:
    for words in (
        ["--domain", "food", "--user", "nobody-knows"],
        ["--domain", "fod", "--text", "tea"],
        ["--domain", "food", "--like", "food:none"],
        ["--domain", "food", "--image", str(place / "none.png")],
        ["--domain", "food", "--text", "tea", "--k", "0"],
    ):
        code, out, err = said("recommend", place / "run", *words)
        assert (code, out) == (2, ""), words
        one_sentence(err)


def test_a_picture_for_a_model_without_pictures_is_refused(
    said, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Recommender.open(open_run(place / "run"))
    opened.modalities = ("text",)
    monkeypatch.setattr(Recommender, "open", lambda _: opened)
    picture = next((place / "tiny" / "images").glob("food-*.webp"))
    words = ["recommend", place / "run", "--domain", "food", "--text", "tea"]
    code, out, err = said(*words, "--image", picture)
    assert (code, out) == (2, "")
    assert "takes text, so --image cannot act; leave it out" in err
    one_sentence(err)
    assert said(*words)[0] == 0  # the mend


def test_a_terminal_that_is_not_utf8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items, interactions = (
        [{**row, "domain": row["domain"].replace("kitchen", "k\u00fcche")} for row in table]
        for table in (ITEMS, INTERACTIONS)
    )
    root = write_dataset(tmp_path / "d", items=items, interactions=interactions)
    for more in ([], ["--json"]):
        terminal = io.TextIOWrapper(io.BytesIO(), "ascii")
        monkeypatch.setattr(sys, "stdout", terminal)
        assert main(["check", str(root), *more]) == 0
        written = terminal.buffer.getvalue()
        if more:
            domains = json.loads(written)["domains"]
            assert [d["name"] for d in domains] == ["food", "k\u00fcche"]
        else:
            assert b"k\\xfcche" in written


@pytest.mark.parametrize("command", ["train", "features"])
def test_help_tells_how_vectors_are_supplied(capsys, command: str) -> None:
    assert main([command, "--help"]) == 0
    said = " ".join(capsys.readouterr().out.replace("\u2502", " ").split())
    assert "precomputed:" in said


def test_runs_below_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from micrec_core.ui.library import runs_folder

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MICREC_RUNS", "~/mine")
    assert runs_folder() == tmp_path / "mine"


def test_a_home_that_the_shell_left_to_the_program(
    capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dataset(tmp_path / "raw")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "raw")
    words = ["prepare", "csv", "--domain=shop=~/raw/interactions.csv", "--out=~/made"]
    assert main(words) == 0 and (tmp_path / "made" / "dataset.toml").is_file()
    assert not Path("~").exists()


def test_export_names_its_files(said, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    code, made, _ = said("export", place / "run", "--out", out, "--json")
    assert code == 0 and made["files"] == [str(out)] and out.stat().st_size > 10_000


def test_as_a_program(place: Path) -> None:
    words = [sys.executable, "-m", "micrec_core", "evaluate", str(place / "run"), "--json"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.count("\n") == 1
    assert json.loads(done.stdout)["model"] == "micrec"


def test_a_full_disk_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x/items.csv")

    monkeypatch.setattr("micrec_core.sample.generate.generate_sample", full)
    assert main(["sample", "--out", "x"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "'/x/items.csv' cannot be read or written (No space" in said
