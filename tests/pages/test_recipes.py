"""Each recipe of docs/recipes.md as it stands there, from raw files to a run on an opened page."""

from __future__ import annotations

import gzip
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from micrec_core.bundled import BASE
from micrec_core.cli import main
from micrec_core.data import Domain, read_dataset
from micrec_core.data.generated import FILE as GENERATED
from micrec_core.data.generated import content_of
from micrec_core.data.raw import FORMATS
from micrec_core.names import CATALOGUE
from micrec_core.runs import open_run
from tests.data.raw_forms import HEADERS, product_line, review_line
from tests.pages.conftest import ROUTER, healthy

pytestmark = pytest.mark.usefixtures("one_thread")
REAL = BASE / "../shared/data"
RECIPES = BASE / "docs" / "recipes.md"
USERS, ITEMS, EACH = 8, 9, 6
TITLE = "Caf\u00e9 no. {}"
# Headers that a row of the table implies and that others of its format have not.
OWN_HEADERS = {
    "amazon2023 ratings": ("user_id,parent_asin,rating,timestamp", ""),
    "csv": ("who,what,rating,timestamp", "what,title,description"),
}
# RecBole's knowledge of two items.
KNOWN = {
    "kg": ["head_id:token\trelation_id:token\ttail_id:token", "m1\tgenre\ttea", "m2\tgenre\ttea"],
    "link": ["item_id:token\tentity_id:token", "1\tm1", "2\tm2"],
}


def recipes() -> dict[str, str]:
    """What is typed -> the row that says so; what a row says beside its first command, too."""
    found = {}
    for row in RECIPES.read_text(encoding="utf-8").splitlines():
        if command := re.match(r"\| ([^|]+) \| `(\w+ --domain [^`]+)`(.*)\|", row):
            first, *forms = command[2].split()[0], *re.findall(r"\(or `(\w+)`", command[3])
            typed = [command[2].replace(first, form, 1) for form in (first, *forms)]
            if "their csv too" in command[3]:
                typed += [one.replace(".json.gz", ".csv", 1) for one in typed]
            found |= dict.fromkeys(typed, command[1])
        elif command := re.match(r"\| ([^|]+) \| the same; `book.kg`", row):
            found["recbole --domain known=book.inter,book.item"] = command[1]
    return found


def name_of(command: str) -> str:
    """The format and the first file, as a test's id."""
    return " ".join(command.split(",")[0].split()[::2])


def write(path: Path, lines: list[str], encoding: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(f"{line}\n" for line in lines).encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def look_alike(root: Path, command: str) -> None:
    """Files of the names that the command has, written as those of its format are."""
    words = shlex.split(command)
    form, encoding = words[0], "latin-1" if "latin-1" in words else "utf-8"
    ratings, _, shelf = words[words.index("--domain") + 1].partition("=")[2].partition(",")
    # Digits, since MMRec numbers its users and items and MovieLens does too.
    log = [(f"{u}", f"{(u + k) % ITEMS}", float(1 + (u + k) % 5), 1_600_000_000 + 86_400 * k + u)
           for u in range(USERS) for k in range(EACH)]  # fmt: skip
    alone = form.startswith("amazon") and ".csv" in ratings
    of_two = "{1},{0},{2},{3}" if form == "amazon2018" else "{},{},{},{}"
    lines = [
        of_two.format(u, i, r, t) if alone else review_line(form, (u, i, r, t))
        for u, i, r, t in log
    ]
    if alone:
        order = "{1},{0},{2},{3}" if form == "amazon2018" else "{},{},{},{}"
        lines = [order.format(*review) for review in log]
    heads = OWN_HEADERS.get(f"{form} ratings" if alone else form, HEADERS.get(form, ("", "")))
    parts = {"": lines}
    if ".train." in ratings:  # a user's last two in files of their own
        of = lambda keep: [line for k, line in enumerate(lines) if k % EACH in keep]  # noqa: E731
        parts = {"train": of(range(EACH - 2)), "valid": of([EACH - 2]), "test": of([EACH - 1])}
    if form == "mmrec":
        marks = [*[0] * (EACH - 2), 1, 2]
        parts = {"": [f"{line}\t{marks[k % EACH]}" for k, line in enumerate(lines)]}
        heads = (f"{heads[0]}\tx_label", heads[1])
        (root / ratings).parent.mkdir(parents=True)
        vectors = np.random.default_rng(0).normal(size=(ITEMS, 4))
        np.save((root / ratings).parent / "image_feat.npy", vectors)
    for part, some in parts.items():
        path = root / ratings.replace("train", part or "train")
        write(path, [*filter(None, heads[:1]), *some], encoding)
    products = [product_line(form, (f"{i}", TITLE.format(i), "Green tea")) for i in range(ITEMS)]
    if shelf:
        write(root / shelf, [*filter(None, heads[1:]), *products], encoding)
    if "known=" in command:
        for kind, rows in KNOWN.items():
            (root / f"book.{kind}").write_text("\n".join(rows) + "\n")
    if "--images" in words:
        folder = root / words[words.index("--images") + 1].partition("=")[2]
        folder.mkdir()
        for i in range(ITEMS):
            Image.new("RGB", (8, 8), (20 * i, 60, 30)).save(folder / f"{i}.jpg")


def titles(command: str) -> list[str]:
    """Where there is a file of items, its own; the items' ids elsewhere."""
    return [TITLE.format(i) if "," in command else f"{i}" for i in range(ITEMS)]


def prepared(command: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> Domain:
    """The one domain of what ``prepare`` makes of such files, which ``train`` would accept."""
    look_alike(root, command)
    monkeypatch.chdir(root)
    assert main(["prepare", *shlex.split(command), "--out", "data/mine"]) == 0
    assert main(["check", "data/mine"]) == 0
    (domain,) = read_dataset("data/mine").domains
    return domain


@pytest.mark.parametrize("command", recipes(), ids=name_of)
def test_a_recipe_leads_to_a_page(command, monkeypatch, tmp_path) -> None:
    from streamlit.testing.v1 import AppTest

    domain = prepared(command, tmp_path, monkeypatch)
    assert (domain.n_users, domain.n_items, len(domain.edges)) == (USERS, ITEMS, USERS * EACH)
    assert sorted(domain.titles) == titles(command)
    assert all("images" not in command or paths for paths in domain.images)
    quick = ["--epochs", "1", "--set", "steps=1", "--set", "dim=4", "--no-baselines", "--no-umap"]
    more = ["--image", "precomputed:image.parquet"] if command.startswith("mmrec") else []
    if command.startswith("csv"):  # of whose first item a model wrote
        said = {"domain": domain.name, "item_id": domain.item_ids[0], "key": "k", "model": "m"}
        said |= {"of": content_of(domain.titles[0], domain.descriptions[0]), "date": "2026-11-29"}
        said |= {"description_generated": "A drink of leaves.", "refused": ""}
        Path("data/mine", GENERATED).write_text(json.dumps(said) + "\n")
        more = ["--descriptions", "both"]
    if "known=" in command:
        more = ["--knowledge", "walks"]
    words = ["data/mine", "--out", "runs/mine", "--device", "cpu", "--cache", "cache"]
    assert main(["train", *words, *quick, *more]) == 0
    run = open_run("runs/mine")
    assert ("image" in run.info.encoders) == bool(re.search("^mmrec|^hm", command))
    assert ("knowledge" in run.info.encoders) == ("known=" in command)
    items = run.frame(CATALOGUE)
    assert sorted(items["title"]) == titles(command)
    assert ("generated_by" in items) == ("both" in more)
    said = [] if domain.attributes is None else domain.attributes.tolist()
    assert [*items.get("further_columns", [])] == (said if any(said) else [])
    if "both" in more:
        marked = items.set_index("item_id").loc[domain.item_ids[0]]
        assert marked["description"] == "Green tea" and marked["generated_by"] == "m, 2026-11-29"
        assert marked["description_generated"] == "A drink of leaves."
        assert "1 description by a model (m, 2026-11-29)." in run.info.dataset.notes
    monkeypatch.setenv("MICREC_BUNDLED", str(tmp_path / "none"))
    monkeypatch.setenv("MICREC_RUNS", str(tmp_path / "runs"))
    test = AppTest.from_file(ROUTER, default_timeout=60).run()
    healthy(test)
    assert not test.error, [e.value for e in test.error]


def test_no_recipe_is_overlooked() -> None:
    table = RECIPES.read_text(encoding="utf-8").splitlines()
    rows = [row for row in table if row.startswith("|") and "--domain" in row]
    assert len(set(recipes().values())) == len(rows) + 1, "and RecBole's with its knowledge"
    assert {command.split()[0] for command in recipes()} == set(FORMATS)


@pytest.mark.skipif(not (REAL / "ml100k_recbole").exists(), reason="the real data are not here")
def test_a_real_file_of_recbole(monkeypatch, tmp_path) -> None:
    files = ",".join(str(REAL / "ml100k_recbole" / f"ml-100k.{kind}") for kind in ("inter", "item"))
    monkeypatch.chdir(tmp_path)
    assert main(["prepare", "recbole", "--domain", f"films={files}", "--out", "data/mine"]) == 0
    (domain,) = read_dataset("data/mine").domains
    assert (domain.n_users, domain.n_items, len(domain.edges)) == (943, 1_682, 100_000)
    assert domain.titles[list(domain.item_ids).index("1")] == "Toy Story"
