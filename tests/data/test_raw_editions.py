"""Editions of public data: ratings alone, a split in files, numbers with vectors, names."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from micrec_core.cli import main
from micrec_core.data import read_dataset
from micrec_core.data.dialect import Dialect
from micrec_core.data.raw import Options, Source, prepare
from micrec_core.errors import ConfigError, DataError
from micrec_core.modalities.dataset import encode_dataset
from micrec_core.modalities.precomputed import PrecomputedVectors

# (user, item, rating, time), enough of each user to be split.
LOG = {
    name: [(f"u{u}", f"{name[0]}{(u + k) % 6}", float(3 + k % 3), 1_600_000_000 + 60 * u + k)
           for u in range(6) for k in range(4)]
    for name in ("food", "garden")
}  # fmt: skip
TITLES = {name: {f"{name[0]}{k}": f"{name} thing {k}" for k in range(6)} for name in LOG}


def write(root: Path, files: dict[str, Sequence[str]]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        (root / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def metadata(root: Path, key: str) -> None:
    for name, titles in TITLES.items():
        lines = [json.dumps({key: i, "asin": i, "title": t}) for i, t in titles.items()]
        write(root, {f"meta_{name}.jsonl": lines})


def sources(root: Path, log: str, items: str | None) -> list[Source]:
    return [
        Source(n, root / log.format(n), None if items is None else root / items.format(n))
        for n in LOG
    ]


EDITIONS = {
    "amazon2023": ("user_id,parent_asin,rating,timestamp", "{0},{1},{2},{3}000"),
    "amazon2018": ("", "{1},{0},{2},{3}"),
    "amazon2014": ("", "{0},{1},{2},{3}"),
}


@pytest.mark.parametrize("with_history", [False, True])
@pytest.mark.parametrize("form", EDITIONS)
def test_the_edition_with_ratings_alone(tmp_path: Path, form: str, with_history: bool) -> None:
    header, line = EDITIONS[form]
    if with_history:  # as the official split has it, which has a header
        header, line = (
            "user_id,parent_asin,rating,timestamp,history",
            EDITIONS["amazon2023"][1] + ",",
        )
    key = "parent_asin" if form == "amazon2023" else "asin"
    metadata(tmp_path, key)
    for name, log in LOG.items():
        lines = [line.format(*row) for row in log]
        write(tmp_path, {f"{name}.csv": [header, *lines] if header else lines})
    prepare(form, sources(tmp_path, "{}.csv", "meta_{}.jsonl"), tmp_path / "out")
    dataset = read_dataset(tmp_path / "out")
    for domain in dataset.domains:
        users, items = domain.user_ids[domain.edges.user], domain.item_ids[domain.edges.item]
        assert {*zip(users, items, strict=True)} == {row[:2] for row in LOG[domain.name]}
        assert set(domain.titles) == set(TITLES[domain.name].values())


def atomic(
    root: Path, names: str = "user_id item_id rating timestamp", title: str = "title"
) -> None:
    heads = [f"{n}:{'token' if k < 2 else 'float'}" for k, n in enumerate(names.split())]
    for name, log in LOG.items():
        lines = ["\t".join(map(str, row)) for row in log]
        write(root, {f"{name}.inter": ["\t".join(heads), *lines]})
        shelf = [f"{i}\t{t}" for i, t in TITLES[name].items()]
        head = f"{names.split()[1]}:token\t{title}:token_seq"
        write(root, {f"{name}.item": [head, *shelf]})


@pytest.mark.parametrize(
    ("names", "title"),
    [
        ("user_id item_id rating timestamp", "book_title"),
        ("user_id product_id play_hours timestamp", "app_name"),
        ("user_id business_id stars date", "item_name"),
        ("session_id item_id rating timestamp", "title"),
    ],
)
def test_fields_that_recbole_lets_one_name(tmp_path: Path, names: str, title: str) -> None:
    atomic(tmp_path, names, title)
    prepare("recbole", sources(tmp_path, "{}.inter", "{}.item"), tmp_path / "out")
    food = read_dataset(tmp_path / "out", rating_threshold=4).domain("food")
    assert set(food.titles) == set(TITLES["food"].values())
    assert len(food.edges) == sum(row[2] >= 4 for row in LOG["food"])


def test_names_that_nobody_knows_are_mapped_and_noted(tmp_path: Path) -> None:
    atomic(tmp_path, "wer was wie wann", "heisst")
    files = sources(tmp_path, "{}.inter", "{}.item")
    with pytest.raises(DataError, match="--map user_id=NAME"):
        prepare("recbole", files, tmp_path / "out")
    words = ["USER_ID_FIELD=wer", "ITEM_ID_FIELD=was", "rating=wie", "timestamp=wann"]
    options = Options(dialect=Dialect.of([*words, "title=heisst"]))
    prepare("recbole", files, tmp_path / "out", options)
    dataset = read_dataset(tmp_path / "out")
    assert dataset.domain("food").n_items == 6 and "wer read as user_id" in dataset.source
    options = Options(dialect=Dialect.of([*words, "title=heisst", "description=nirgends"]))
    with pytest.raises(DataError, match="no table has a column 'nirgends'"):
        prepare("recbole", files, tmp_path / "again", options)


def test_a_file_of_interactions_alone(tmp_path: Path, capsys) -> None:
    atomic(tmp_path)
    words = [w for n in LOG for w in ("--domain", f"{n}={tmp_path / n}.inter")]
    assert main(["prepare", "recbole", *words, "--out", str(tmp_path / "out")]) == 0
    assert "6 titled by id" in capsys.readouterr().out
    assert set(read_dataset(tmp_path / "out").domain("food").titles) == set(TITLES["food"])
    words += ["--unknown-items", "drop", "--out", str(tmp_path / "more")]
    assert main(["prepare", "recbole", *words]) == 2
    assert "leave the option out" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["{}.inter", "{}.train.inter"])
def test_the_split_of_a_benchmark_stays_a_split(tmp_path: Path, given: str) -> None:
    atomic(tmp_path)
    for name in LOG:
        head, *lines = (tmp_path / f"{name}.inter").read_text().splitlines()
        (tmp_path / f"{name}.inter").unlink()
        for part, keep in (("train", (0, 1)), ("valid", (2,)), ("test", (3,))):
            mine = [line for k, line in enumerate(lines) if k % 4 in keep]
            write(tmp_path, {f"{name}.{part}.inter": [head, *mine]})
    made = prepare("recbole", sources(tmp_path, given, "{}.item"), tmp_path / "out")
    assert list(made["domains"]) == ["food", "garden"]
    dataset = read_dataset(tmp_path / "out")
    assert "The split is the table's own." in dataset.notes
    assert [np.bincount(d.split).tolist() for d in dataset.domains] == [[12, 6, 6]] * 2


def mmrec(root: Path, wide: int = 8, x_label: bool = True) -> dict[str, np.ndarray]:
    made = {}
    for seed, (name, log) in enumerate(LOG.items()):
        lines = [
            f"{u[1:]}\t{i[1:]}\t{rating}\t{time}" + (f"\t{(0, 0, 1, 2)[k % 4]}" if x_label else "")
            for k, (u, i, rating, time) in enumerate(log)
        ]
        head = "userID\titemID\trating\ttimestamp" + ("\tx_label" if x_label else "")
        shelf = [f"{i[1:]}\t{t}" for i, t in TITLES[name].items()]
        folder = root / name
        write(
            folder,
            {
                f"{name}.inter": [head, *lines],
                f"{name}.item": ["item_id:token\ttitle:token_seq", *shelf],
            },
        )
        made[name] = np.random.default_rng(seed).normal(size=(6, wide))
        np.save(folder / "image_feat.npy", made[name])
    return made  # fmt: skip


@pytest.mark.parametrize("items", ["{0}/{0}.item", None])
def test_a_folder_of_mmrec_with_its_split_and_vectors(tmp_path: Path, items: str | None) -> None:
    vectors = mmrec(tmp_path)
    made = prepare("mmrec", sources(tmp_path, "{0}/{0}.inter", items), tmp_path / "out")
    (note,) = [n for n in made["notes"] if "vectors" in n]
    dataset = read_dataset(tmp_path / "out")
    assert [np.bincount(d.split).tolist() for d in dataset.domains] == [[12, 6, 6]] * 2
    option, spec = re.search(r"(--image) (\S+)\.$", note).groups()  # type: ignore[union-attr]
    assert option == "--image"
    assert all(m.present.all() for m in encode_dataset(dataset, {"image": spec}).matrices["image"])
    found = PrecomputedVectors(spec.removeprefix("precomputed:"), "image").rows(dataset).dense
    raw = [vectors[d.name][[int(i) for i in d.item_ids]] for d in dataset.domains]
    wanted = np.concatenate([r / np.linalg.norm(r, axis=1, keepdims=True) for r in raw])
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_vectors_that_do_not_fit_are_refused(tmp_path: Path, one_sentence) -> None:
    mmrec(tmp_path)
    files = sources(tmp_path, "{0}/{0}.inter", None)
    path = tmp_path / "food" / "image_feat.npy"
    for bad, sentence in (
        (np.zeros((3, 8)), "3 rows and no row of the item"),
        (np.zeros((6, 5)), "5 wide in food and 8 wide in garden"),
        (np.zeros(6), "give a matrix of numbers"),
    ):
        np.save(path, bad)
        with pytest.raises(DataError, match=sentence) as caught:
            prepare("mmrec", files, tmp_path / "out")
        one_sentence(str(caught.value))
    path.unlink()
    assert prepare("mmrec", files, tmp_path / "out")


def test_times_in_two_units_are_refused_with_a_line_of_each(tmp_path: Path, one_sentence) -> None:
    atomic(tmp_path)
    path = tmp_path / "food.inter"
    lines = path.read_text().splitlines()
    lines[9] += "000"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="line 2, as seconds.* line 10, as milliseconds") as caught:
        prepare("recbole", sources(tmp_path, "{}.inter", "{}.item"), tmp_path / "out")
    one_sentence(str(caught.value))


@pytest.mark.parametrize(("mark", "word"), [(",", "commas"), (";", "semicolons"), (" ", "spaces")])
def test_a_wrong_separator_is_named(tmp_path: Path, mark: str, word: str, one_sentence) -> None:
    atomic(tmp_path)
    for path in tmp_path.glob("*.inter"):
        path.write_text(path.read_text().replace("\t", mark))
    files = [replace(s, items=None) for s in sources(tmp_path, "{}.inter", "{}.item")]
    with pytest.raises(DataError, match=f"separated by {word}") as caught:
        prepare("recbole", files, tmp_path / "out")
    one_sentence(str(caught.value))
    option = re.search(r"--separator (\w+)", str(caught.value))
    assert option
    assert prepare("recbole", files, tmp_path / "out", Options(dialect=Dialect.of((), option[1])))


def test_fields_over_several_lines_and_other_encodings(tmp_path: Path) -> None:
    for name, log in LOG.items():
        write(
            tmp_path, {f"{name}.csv": ["uid,iid,stars,ts", *(",".join(map(str, r)) for r in log)]}
        )
        with (tmp_path / f"{name}_items.csv").open("w", newline="", encoding="cp1252") as file:
            rows = [(i, f"Caf\u00e9 {t}", 'one\n"two"\nthree') for i, t in TITLES[name].items()]
            csv.writer(file).writerows([("iid", "name", "text"), *rows])
    files = sources(tmp_path, "{}.csv", "{}_items.csv")
    with pytest.raises(DataError, match="--encoding"):
        prepare("csv", files, tmp_path / "out")
    prepare("csv", files, tmp_path / "out", Options(dialect=Dialect.of(encoding="cp1252")))
    food = read_dataset(tmp_path / "out").domain("food")
    assert food.titles[0] == "Caf\u00e9 food thing 0" and food.descriptions[0] == 'one "two" three'


def test_records_by_other_names(tmp_path: Path) -> None:
    for name, log in LOG.items():
        keys = ("who", "what", "stars", "when")
        write(
            tmp_path, {f"{name}.json": [json.dumps(dict(zip(keys, r, strict=True))) for r in log]}
        )
        shelf = [json.dumps({"what": i, "called": t}) for i, t in TITLES[name].items()]
        write(tmp_path, {f"meta_{name}.json": shelf})
    words = ["user_id=who", "item_id=what", "timestamp=when", "title=called", "rating=stars"]
    options = Options(dialect=Dialect.of(words))
    prepare("yelp", sources(tmp_path, "{}.json", "meta_{}.json"), tmp_path / "out", options)
    assert set(read_dataset(tmp_path / "out").domain("food").titles) == set(TITLES["food"].values())


def test_one_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises((DataError, ConfigError), match="does not exist"):
        prepare("recbole", sources(tmp_path, "{}.inter", None), tmp_path / "out")
