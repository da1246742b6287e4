"""Columns by other names, other marks and other encodings: offered, mapped, remembered."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from micrec_core.cli import main
from micrec_core.config import RunSettings
from micrec_core.data import Dataset, read_dataset
from micrec_core.data.about import read_about, remember
from micrec_core.data.dialect import Dialect
from micrec_core.errors import ConfigError, DataError
from micrec_core.training.prepare import load_dataset

OTHER = {
    "public": {"user_id": "reviewerID", "item_id": "asin", "title": "product_title"},
    "shop": {"user_id": "customer_id", "item_id": "product_id", "domain": "category"},
    "short": {"user_id": "uid", "item_id": "iid", "title": "name"},
    "steam": {"user_id": "steamid", "item_id": "app_id", "title": "app_name"},
}


def renamed(rows: list[dict[str, str]], names: dict[str, str]) -> list[dict[str, str]]:
    return [{names.get(k, k): v for k, v in row.items()} for row in rows]


def mends(message: str) -> list[str]:
    """The options that a refusal names, as they are typed."""
    return re.findall(r"(--map [^\s,]+=\S+?)(?=[\s,)]|$)", message)


@pytest.fixture
def plain(tmp_path: Path, write: Callable[..., Path]) -> Dataset:
    return read_dataset(write(tmp_path / "plain"))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".tsv.gz"])
@pytest.mark.parametrize("kind", OTHER)
def test_the_mend_that_is_offered_reads_the_tables(
    tmp_path: Path, write, rows, plain: Dataset, one_sentence, kind: str, suffix: str
) -> None:
    items, interactions = (renamed(table, OTHER[kind]) for table in rows)
    root = write(tmp_path / "d", suffix, items=items, interactions=interactions)
    typed: list[str] = []
    for _ in range(3):  # a table at a time
        try:
            found = read_dataset(root, dialect=Dialect.of(typed))
            break
        except DataError as error:
            one_sentence(str(error))
            new = [word.removeprefix("--map ") for word in mends(str(error))]
            assert new, str(error)
            typed += new
    assert found.fingerprint == plain.fingerprint
    assert {w.split("=")[0] for w in typed} == set(OTHER[kind])


def test_check_remembers_the_names_for_all_who_read_later(
    tmp_path: Path, write, rows, plain: Dataset, capsys
) -> None:
    items, interactions = (renamed(table, OTHER["public"]) for table in rows)
    root = write(
        tmp_path / "d", items=items, interactions=interactions,
        toml='name = "mine"\n[domains]\nfood = "Food"\nkitchen = "Kitchen"\n',
    )  # fmt: skip
    words = [w for k, v in OTHER["public"].items() for w in ("--map", f"{k}={v}")]
    assert main(["check", str(root), *words]) == 0
    assert read_dataset(root).fingerprint == plain.fingerprint
    about = read_about(root)
    assert about.name == "mine" and about.domains == {"food": "Food", "kitchen": "Kitchen"}
    remember(root, about.dialect)
    assert (root / "dataset.toml").read_text().count("[tables]") == 1
    assert main(["check", str(root)]) == 0
    capsys.readouterr()


def test_train_reads_by_the_names_too_and_remembers_them(
    tmp_path: Path, write, rows, plain: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    items, interactions = (renamed(table, OTHER["public"]) for table in rows)
    root = write(tmp_path / "d", items=items, interactions=interactions)
    words = [w for k, v in OTHER["public"].items() for w in ("--map", f"{k}={v}")]
    told: list[Dataset] = []

    def stand_in(data: Dataset | Path, out: Path, settings: RunSettings, *_: object, **__: object):
        told.append(load_dataset(data, settings)[0])
        raise ConfigError("read; that is all")

    monkeypatch.setattr("micrec_core.running.tune.train_tuned", stand_in)
    train = ["train", str(root), "--out", str(tmp_path / "run"), "--set", "k_core=1"]
    assert main([*train, *words]) == 2 and main(train) == 2
    assert [d.fingerprint for d in told] == [plain.fingerprint] * 2


def test_names_of_recbole_settings_are_understood() -> None:
    given = Dialect.of(["USER_ID_FIELD=uid", "TIME_FIELD=when", "item_id=a", "item_id=b"])
    assert given.columns == {"user_id": ("uid",), "timestamp": ("when",), "item_id": ("a", "b")}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["user_id=nobody"], "no table has a column 'nobody'"),
        (["item_id=item_idd"], "write 'item_id'"),
        (["titel=name"], "write title"),
        (["user_id"], "not of the form OURS=THEIRS"),
        (["user_id=title"], "beside 'title'"),
    ],
)
def test_a_name_that_stands_for_nothing_is_refused(
    tmp_path: Path, write, rows, words: list[str], sentence: str, one_sentence
) -> None:
    items, interactions = rows
    for row in interactions:
        row["title"] = "x"
    root = write(tmp_path / "d", items=items, interactions=interactions)
    with pytest.raises((DataError, ConfigError)) as caught:
        read_dataset(root, dialect=Dialect.of(words))
    one_sentence(str(caught.value))
    assert sentence in str(caught.value)


def test_content_tells_what_names_do_not(tmp_path: Path, write, rows) -> None:
    items, interactions = rows
    many = [{**row, "user_id": f"{row['user_id']}-{n}"} for n in range(6) for row in interactions]
    items = renamed(items, {"title": "c1"})
    root = write(tmp_path / "d", items=items, interactions=renamed(many, {"user_id": "c2"}))
    with pytest.raises(DataError, match="--map title=c1"):
        read_dataset(root)
    with pytest.raises(DataError, match="--map user_id=c2"):
        read_dataset(root, dialect=Dialect.of(["title=c1"]))
    assert read_dataset(root, dialect=Dialect.of(["title=c1", "user_id=c2"])).domains


def test_an_unused_column_that_looks_like_ours_is_offered(tmp_path: Path, write, rows) -> None:
    items, interactions = rows
    log = renamed(interactions, {"timestamp": "unixReviewTime"})
    root = write(tmp_path / "d", items=items, interactions=log)
    assert any("say --map timestamp=unixReviewTime" in note for note in read_dataset(root).notes)
    mapped = read_dataset(root, dialect=Dialect.of(["timestamp=unixReviewTime"]))
    assert any("per user by time" in note for note in mapped.notes)


def excel(rows: list[dict[str, str]], decimal: bool = True) -> bytes:
    """As Excel saves csv where the decimal mark is a comma."""
    lines = [";".join(rows[0])]
    for row in rows:
        cells = [v.replace(".", ",") if k == "rating" and decimal else v for k, v in row.items()]
        quoted = ['"' + c.replace('"', '""') + '"' if re.search('[;"\n]', c) else c for c in cells]
        lines.append(";".join(quoted))
    return b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\r\n"


@pytest.fixture
def rated(rows) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    items, interactions = rows
    for k, row in enumerate(interactions):
        row["rating"] = f"{1 + k % 5}.5"
    return items, interactions


def test_excel_with_semicolons_reads_as_its_plain_csv(tmp_path: Path, write, rated) -> None:
    items, interactions = rated
    reference = read_dataset(
        write(tmp_path / "p", items=items, interactions=interactions), rating_threshold=2.5
    )
    root = write(tmp_path / "d")
    for name, table in (("items", items), ("interactions", interactions)):
        (root / f"{name}.csv").write_bytes(excel(table))
    found = read_dataset(root, rating_threshold=2.5)
    assert found.fingerprint == reference.fingerprint
    assert "The columns of items.csv are separated by semicolons." in found.notes
    # ``sep=`` above the header, and a file joined to another with its mark and header.
    half = len(interactions) // 2
    both = b"sep=;\r\n" + excel(interactions[:half]) + excel(interactions[half:])
    (root / "interactions.csv").write_bytes(both)
    joined = read_dataset(root, rating_threshold=2.5)
    assert joined.fingerprint == reference.fingerprint
    assert "Left out 1 line of interactions.csv that repeat its header." in joined.notes


def test_a_decimal_comma_is_offered_where_it_is_met(tmp_path: Path, write, rated) -> None:
    items, interactions = rated
    for row in interactions:
        row["rating"] = row["rating"].replace(".", ",")
    root = write(tmp_path / "d", ".tsv", items=items, interactions=interactions)
    with pytest.raises(DataError, match="say --decimal ,"):
        read_dataset(root)
    assert read_dataset(root, dialect=Dialect.of(decimal=","), rating_threshold=2.5).domains


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "latin-1", "shift_jis"])
def test_other_encodings_are_asked_for_and_read(tmp_path: Path, write, rows, encoding) -> None:
    items, interactions = rows
    items[1]["title"] = "\u30dd\u30c3\u30c8" if encoding == "shift_jis" else "Caf\u00e9"
    reference = read_dataset(write(tmp_path / "p", items=items, interactions=interactions))
    root = write(tmp_path / "d", items=items, interactions=interactions)
    for path in root.glob("*.csv"):
        path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    with pytest.raises(DataError, match="--encoding"):
        read_dataset(root)
    assert read_dataset(root, dialect=Dialect.of(encoding=encoding)).fingerprint == (
        reference.fingerprint
    )


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le"])
def test_one_table_in_another_encoding(tmp_path: Path, write, rows, encoding: str) -> None:
    items, interactions = rows
    items[1]["title"] = "Caf\u00e9"
    for row in interactions:
        row["user_id"] = row["user_id"].replace("v4", "Andr\u00e9")
    reference = read_dataset(write(tmp_path / "p", items=items, interactions=interactions))
    for other in ("items.csv", "interactions.csv"):
        root = write(tmp_path / other, items=items, interactions=interactions)
        text = (root / other).read_text(encoding="utf-8")
        (root / other).write_bytes(text.encode(encoding))
        found = read_dataset(root, dialect=Dialect.of(encoding=encoding))
        assert found.fingerprint == reference.fingerprint


@pytest.mark.parametrize(("mark", "word"), [("|", "bar"), ("\t", "tab"), (" ", "space")])
def test_another_separator_is_named_and_the_mend_works(
    tmp_path: Path, write, rows, mark: str, word: str
) -> None:
    items, interactions = rows
    root = write(tmp_path / "d", items=items, interactions=interactions)
    for path in root.glob("*.csv"):
        path.write_text(path.read_text().replace(mark, "").replace(",", mark))
    with pytest.raises(DataError, match=f"say --separator {word}"):
        read_dataset(root)
    assert read_dataset(root, dialect=Dialect.of(separator=word)).domains


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ('[tables]\nseperator = ";"', "no setting 'seperator' of"),
        ('[tables]\nseparator = "ab"', "the separator is 'ab'"),
        ('[tables]\nencoding = "utf-7000"', "no encoding 'utf-7000'"),
        ('[tables]\ndecimal = "x"', "the decimal mark is 'x'"),
        ("[tables.columns]\nuser_id = 3", "not named by text"),
        ('[tables.columns]\nusr = "a"', "no column 'usr'"),
        ("tables = 3", "a table, [tables]"),
    ],
)
def test_what_dataset_toml_says_wrongly(tmp_path: Path, write, toml, sentence, one_sentence):
    with pytest.raises(DataError) as caught:
        read_dataset(write(tmp_path / "d", toml=toml))
    assert sentence in str(caught.value) and str(caught.value).startswith("dataset.toml")
    one_sentence(str(caught.value))
