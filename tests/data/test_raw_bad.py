"""Raw files that are not what they must be: one sentence, and nothing is left behind."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from micrec_core.data import check_images, read_dataset
from micrec_core.data.raw import Options, Source, lines, prepare
from micrec_core.errors import ConfigError, DataError, MicrecError
from tests.data.test_raw import REVIEWS, expected, write_lines, write_raw, written

Spoil = Callable[[Path], object]
GOOD = {"user_id": "u0", "parent_asin": "f0", "rating": 5.0, "timestamp": 1}
HEADER = "user_id:token\titem_id:token\trating:float"


def line(**change: object) -> str:
    """A review of 2023, but for one thing."""
    return json.dumps(GOOD | change)


def second(*added: str) -> Spoil:
    """A good review of 2023, then these lines."""
    return lambda path: write_lines(path, [line(), *added])


def put(data: bytes) -> Spoil:
    return lambda path: path.write_bytes(data)


def squeezed(data: bytes, keep: int | None = None, more: bytes = b"") -> Spoil:
    """What is called food.jsonl, compressed and perhaps cut, under its name with .gz."""

    def spoil(path: Path) -> None:
        path.unlink()
        packed = gzip.compress(data)
        path.with_name(path.name + ".gz").write_bytes(packed[:keep] + more)

    return spoil


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


# A spoilt file of food's reviews, or of its products where the format is followed by a plus.
BAD: dict[str, tuple[str, Spoil, str]] = {
    "nothing there": ("amazon2023", lambda p: p.unlink(), "food.jsonl' does not exist"),
    "a folder": ("amazon2023", folder, "food.jsonl' is a folder"),
    "empty": ("amazon2023", put(b""), "food.jsonl is empty"),
    "blank": ("amazon2023", put(b"\n \r\n\t\n"), "food.jsonl is empty"),
    "compressed under a plain name": ("amazon2023", put(gzip.compress(b"a")), "the ending .gz"),
    "a parquet file": ("amazon2023", put(b"PAR1\x15"), "food.jsonl: the content is a parquet"),
    "UTF-16": ("amazon2023", put(line().encode("utf-16")), "food.jsonl, line 1"),
    "plain under .gz": (
        "amazon2023",
        lambda p: p.rename(p.with_name(p.name + ".gz")),
        "food.jsonl.gz is not a gzip file",
    ),
    "cut short": ("amazon2023", squeezed(b"\n" * 99, -9), "line 1 or later: the gzip file is cut"),
    "cut in its middle": ("amazon2023", squeezed(os.urandom(9999), 5000), "cut short or damaged"),
    "rubbish after the end": (
        "amazon2023",
        squeezed(line().encode() + b"\n", None, b"rubbish"),
        "food.jsonl.gz, line 1 or later: the gzip file is",
    ),
    "not UTF-8": ("amazon2023", put(line().encode() + b'\n{"a": "\xe9"}'), "food.jsonl, line 2"),
    "not JSON": ("amazon2023", second("", "{'user_id': 1}"), "food.jsonl, line 3"),
    "a list": ("amazon2023", second("[1]"), "line 2: the line is not a JSON object"),
    "nested too deep": ("amazon2023", second("[" * 10**5), "food.jsonl, line 2"),
    "key missing": ("amazon2023", second('{"user_id": "u"}'), "line 2: there is no 'parent_asin'"),
    "another version": (
        "amazon2018",
        second(),
        "no 'reviewerID' among 'user_id', 'parent_asin', 'rating', 'timestamp'; "
        "give reviews of Amazon Reviews 2018",
    ),
    "products for reviews": ("amazon2023+", second(), "line 1: the line has a 'user_id'"),
    "id is null": ("amazon2023", second(line(user_id=None)), "line 2: 'user_id' is 'None'"),
    "id is a list": ("amazon2023", second(line(parent_asin=["f0"])), "food.jsonl, line 2"),
    "id is empty": ("amazon2023", second(line(user_id="")), "food.jsonl, line 2"),
    "id is padded": ("amazon2023", second(line(user_id=" u")), "has white space around it"),
    "id with a tab": ("amazon2023", second(line(user_id="u\tv")), "holds a control character"),
    "id with a line separator": ("amazon2023", second(line(user_id="u\u2028v")), "line 2"),
    "id with half a character": ("amazon2023", second(line(user_id="\ud83c")), "half a character"),
    "id too long": ("amazon2023", second(line(user_id="u" * 513)), "has 513 characters"),
    "rating is a word": ("amazon2023", second(line(rating="good")), "line 2: 'rating' is 'good'"),
    "rating is true": ("amazon2023", second(line(rating=True)), "food.jsonl, line 2"),
    "rating is NaN": ("amazon2023", second(line(rating=float("nan"))), "food.jsonl, line 2"),
    "no rating": ("amazon2023", second(line().replace("rating", "stars")), "there is no 'rating'"),
    "time too large": ("amazon2023", second(line(timestamp=10**400)), "food.jsonl, line 2"),
    "time is null": ("amazon2023", second(line(timestamp=None)), "food.jsonl, line 2"),
    "a call for a literal": (
        "amazon2014+",
        lambda p: write_lines(p, ["__import__('os').mkdir('called')"]),
        "food_meta.jsonl, line 1: the line is not a JSON object or a Python dict",
    ),
    "a literal too deep": ("amazon2014+", lambda p: write_lines(p, ["-" * 10**6]), "line 1"),
    "literals of 2018": ("amazon2018+", lambda p: write_lines(p, ["{'asin': 'f0'}"]), "line 1"),
    "no type": ("recbole", lambda p: write_lines(p, ["user_id\titem_id", "u\ti"]), "line 1"),
    "no item": ("recbole", lambda p: write_lines(p, ["user_id:token\tthing:token"]), "'item_id'"),
    "no title": ("recbole+", lambda p: write_lines(p, ["item_id:token\tx:float"]), "'title'"),
    "header only": ("recbole", lambda p: write_lines(p, [HEADER]), "food.inter has a header but"),
    "header not UTF-8": ("recbole", put(b"user_id:token\t\xff"), "food.inter, line 1"),
    "too few fields": ("recbole", lambda p: write_lines(p, [HEADER, "u\tf0"]), "line 2: there are"),
    "rating of nothing": ("recbole", lambda p: write_lines(p, [HEADER, "u\tf0\t"]), "rating is ''"),
    "rating infinite": ("recbole", lambda p: write_lines(p, [HEADER, "u\tf0\tinf"]), "line 2"),
    "empty field": ("recbole", lambda p: write_lines(p, [HEADER, "\tf0\t1"]), "an id is empty"),
    "files of two shops": (
        "amazon2023",
        lambda p: write_lines(p, [line(parent_asin="x")]),
        "no item of food.jsonl is in food_meta.jsonl",
    ),
}  # fmt: skip


def spoilt(root: Path, kind: str) -> tuple[str, list[Source], str]:
    form, spoil, said = BAD[kind]
    sources = write_raw(root, form.rstrip("+"))
    path = sources[0].items if form.endswith("+") else sources[0].interactions
    spoil(path)
    packed = path.with_name(path.name + ".gz")
    if packed.exists():
        sources[0] = replace(sources[0], interactions=packed)
    return form.rstrip("+"), sources, said


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_in_one_sentence(
    tmp_path: Path, one_sentence: Callable[[str], None], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    form, sources, said = spoilt(tmp_path / "raw", kind)
    with pytest.raises(DataError) as caught:
        prepare(form, sources, tmp_path / "sets" / "out")
    message = str(caught.value)
    assert said in message
    one_sentence(message.replace(str(tmp_path), ""))
    assert {p.name for p in tmp_path.iterdir()} <= {"raw", "sets"}
    assert not list(tmp_path.glob("sets/*"))


def test_bad_lines_are_skipped_counted_and_told(tmp_path: Path) -> None:
    sources = write_raw(tmp_path, "amazon2023")
    good = sources[0].interactions.read_text().splitlines()
    bad = ["{", line(rating=None), line(user_id=" u"), '{"user_id": "u"}', "\x00"]
    write_lines(sources[0].interactions, [good[0], *bad, *good[1:]])
    write_lines(sources[1].items, ["[]", *sources[1].items.read_text().splitlines()])
    made = prepare("amazon2023", sources, tmp_path / "out", Options(bad_lines="skip"))
    assert written(tmp_path / "out") == expected(REVIEWS)
    assert made["domains"]["food"]["dropped"] == {"bad line": 5, "repeated": 1}
    assert made["domains"]["kitchen"]["metadata"]["bad line"] == 1
    assert made["notes"] == [
        "Skipped 5 lines of food.jsonl, the first: food.jsonl, line 2: an object goes on over the "
        "end of the line; write it on one, as jq -c does.",
        "Skipped 1 line of kitchen_meta.jsonl, the first: kitchen_meta.jsonl, line 1: the line is "
        "not a JSON object; write one on each line.",
    ]


@pytest.mark.parametrize("kind", ["cut in its middle", "another version", "header only", "empty"])
def test_skipping_lines_hides_no_broken_file(tmp_path: Path, kind: str) -> None:
    form, sources, _ = spoilt(tmp_path, kind)
    with pytest.raises(DataError):
        prepare(form, sources, tmp_path / "out", Options(bad_lines="skip"))


def test_a_line_without_end_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = write_raw(tmp_path, "amazon2023")
    monkeypatch.setattr(lines, "MAX_LINE", 1 << 20)
    write_lines(sources[0].interactions, [line(), "x" * (2 << 20)])
    with pytest.raises(DataError, match=r"food.jsonl, line 2: the line is longer than 1 MiB"):
        prepare("amazon2023", sources, tmp_path / "out", Options(bad_lines="skip"))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "-a", "a=b", "a\n", "a:b", "x" * 65])
def test_odd_names_are_refused(tmp_path: Path, name: str) -> None:
    sources = write_raw(tmp_path, "amazon2023")
    with pytest.raises(ConfigError, match="the domain cannot be called"):
        prepare("amazon2023", [replace(sources[0], name=name), sources[1]], tmp_path / "out")


def test_options_and_sources_that_cannot_be(
    tmp_path: Path, one_sentence: Callable[[str], None]
) -> None:
    sources = write_raw(tmp_path / "raw", "amazon2023")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    cases: list[tuple[str, dict]] = [
        ("no domain is given", {"sources": []}),
        ("is given twice", {"sources": sources[:1] * 2}),
        ("did you mean 'amazon2018'", {"form": "amazon2108"}),
        ("--unknown-items is 'eror'", {"options": Options(unknown_items="eror")}),
        ("--bad-lines is 'drop'", {"options": Options(bad_lines="drop")}),
        ("--tables is 'tsv'", {"options": Options(tables="tsv")}),
        ("--k-core is -1", {"options": Options(k_core=-1)}),
        ("--min-rating is nan", {"options": Options(min_rating=float("nan"))}),
        ("no rating of 6 or more", {"options": Options(min_rating=6)}),
        ("'food' in its 3-core", {"options": Options(k_core=3)}),
        ("is not empty", {"out": tmp_path / "full"}),
        ("is a file", {"out": tmp_path / "full" / "a"}),
        ("no folder of pictures", {"sources": [replace(sources[0], pictures=tmp_path / "no")]}),
    ]
    for said, change in cases:
        words = {"form": "amazon2023", "sources": sources, "out": tmp_path / "new"} | change
        if len(words["sources"]) == 1 and "pictures" in said:
            words["sources"] = [*words["sources"], sources[1]]
        with pytest.raises(MicrecError) as caught:
            prepare(**words)
        assert said in str(caught.value)
        one_sentence(str(caught.value).replace(str(tmp_path), ""))
    assert {p.name for p in tmp_path.iterdir()} == {"raw", "full"}


def test_a_rating_threshold_without_ratings_or_with_unknown_items_only(tmp_path: Path) -> None:
    sources = write_raw(tmp_path, "recbole")
    write_lines(sources[0].interactions, ["user_id:token\titem_id:token", "u\tf0"])
    with pytest.raises(DataError, match="food.inter has no rating; leave --min-rating out"):
        prepare("recbole", sources, tmp_path / "out", Options(min_rating=3))
    write_lines(sources[0].interactions, [HEADER, "u\tf0\t1", "u\tx\t5"])
    with pytest.raises(DataError, match="that is rated well enough"):
        prepare("recbole", sources, tmp_path / "out", Options(3, unknown_items="drop"))


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    sources = write_raw(tmp_path / "raw", "amazon2023")

    def interrupt(what: str, done: int, total: int) -> None:
        if what == "writing interactions":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare("amazon2023", sources, tmp_path / "out", progress=interrupt)
    assert [p.name for p in tmp_path.iterdir()] == ["raw"]


def picture(path: Path, colour: int = 0) -> bytes:
    Image.new("RGB", (8, 8), (colour, 90, 30)).save(path, format="PNG")
    return path.read_bytes()


@pytest.mark.parametrize("form", ["amazon2018", "recbole"])
def test_pictures_are_copied(tmp_path: Path, form: str) -> None:
    sources = write_raw(tmp_path, form)
    shots = tmp_path / "shots"
    shots.mkdir()
    first = picture(shots / "f0.PNG")
    picture(shots / "f0.webp", 9)
    picture(shots / "f1.2.png")
    (shots / "notes.txt").touch()
    sources[0] = replace(sources[0], pictures=shots)
    made = prepare(form, sources, tmp_path / "out")
    dataset = read_dataset(tmp_path / "out")
    assert dataset.domains[0].images.tolist() == ["images/food/f0.PNG", "", ""]
    assert (tmp_path / "out" / "images" / "food" / "f0.PNG").read_bytes() == first
    assert check_images(dataset) == {"food": 1, "kitchen": 0}
    about = made["domains"]["food"]
    counts = dict.fromkeys(("unreadable", "linked", "unnameable"), 0)
    assert about["pictures"] == counts | {"copied": 1, "unused": 1}
    assert about["without_image"] == 2 and "pictures" not in made["domains"]["kitchen"]


def test_ids_are_no_paths_and_bad_pictures_stay_behind(tmp_path: Path) -> None:
    picture(tmp_path / "secret.png")
    shots = tmp_path / "raw" / "shots"
    shots.mkdir(parents=True)
    odd = [
        "../../secret",
        "/etc/passwd",
        "..",
        "a\\b",
        "é&'\"",
        "link",
        "broken",
        "pipe",
        "dir",
        "",
    ]
    ids = [i for i in odd if i]
    food = [("u0", item, 5.0, 1) for item in ids]
    reviews = {"food": food, "kitchen": REVIEWS["kitchen"]}
    products = {"food": [(i, i, "") for i in ids], "kitchen": [("k0", "Pot", "")]}
    sources = write_raw(tmp_path / "raw", "amazon2023", reviews, products)
    for name in ("a\\b.png", "é&'\".png", "...png", ".png"):
        picture(shots / name)
    (shots / "link.png").symlink_to(tmp_path / "secret.png")
    (shots / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    os.mkfifo(shots / "pipe.png")
    (shots / "dir.png").mkdir()
    sources[0] = replace(sources[0], pictures=shots)
    made = prepare("amazon2023", sources, tmp_path / "out")
    counts = made["domains"]["food"]["pictures"]
    # ``...png`` and ``.png`` are hidden files.
    assert counts == {"copied": 1, "unreadable": 1, "linked": 1, "unnameable": 1, "unused": 0}
    domain = read_dataset(tmp_path / "out").domains[0]
    shown = {i: p for i, p in zip(domain.item_ids, domain.images, strict=True) if p}
    assert shown == {"é&'\"": "images/food/é&'\".png"}
    copied = sorted(p.name for p in (tmp_path / "out" / "images").rglob("*") if p.is_file())
    assert copied == ["é&'\".png"]


@pytest.mark.parametrize("place", ["010/{}.jpg", "a/b/{}.JPEG", "{}.avif"])
def test_pictures_are_found_in_folders_below(tmp_path: Path, place: str) -> None:
    sources = write_raw(tmp_path / "raw", "recbole")
    file = tmp_path / "shots" / place.format("f0")
    file.parent.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(file, "AVIF" if place.endswith("avif") else "JPEG")
    file.with_name("._f1.jpg").write_bytes(b"what a Mac leaves behind")
    sources[0] = replace(sources[0], pictures=tmp_path / "shots")
    counts = prepare("recbole", sources, tmp_path / "out")["domains"]["food"]["pictures"]
    assert counts == dict.fromkeys(counts, 0) | {"copied": 1}
    assert read_dataset(tmp_path / "out").domains[0].images[0] == f"images/food/{file.name}"


@pytest.mark.parametrize("name", ["F0.jpg", "photo.jpg", "f0.txt"])
def test_pictures_of_which_none_is_taken_are_refused(
    tmp_path: Path, name: str, one_sentence
) -> None:
    sources = write_raw(tmp_path / "raw", "recbole")
    shots = tmp_path / "shots"
    shots.mkdir()
    Image.new("RGB", (8, 8)).save(shots / name, "JPEG")
    sources[0] = replace(sources[0], pictures=shots)
    with pytest.raises(DataError) as caught:
        prepare("recbole", sources, tmp_path / "out")
    one_sentence(str(caught.value))
    found = "holds no .jpg" if name.endswith("txt") else f"(there is '{name}', and an item 'f0')"
    assert found in str(caught.value) and not (tmp_path / "out").exists()
    (shots / name).rename(shots / "f0.jpg")  # the mend
    assert prepare("recbole", sources, tmp_path / "out")["domains"]["food"]["pictures"]["copied"]
