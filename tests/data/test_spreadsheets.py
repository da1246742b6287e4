"""A text that a spreadsheet would run is text to it, a number stays one; programs may have both."""

import io

import numpy as np
import pandas as pd
import pytest

from micrec_core.data.spreadsheets import CsvFolder, csv_text, without_formulas

FORMULAS = ("=1+1", "+cmd|'/C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1")


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text_in_cells_and_header(text: str) -> None:
    table = pd.DataFrame({"title": [text, "pot"], text: ["a", "b"]})
    found = pd.read_csv(io.StringIO(csv_text(table)))
    made = "'" + text.replace("\r", "\n")
    assert found["title"].tolist() == [made, "pot"]
    assert list(found.columns) == ["title", made]
    assert csv_text(table, exact=True) == table.to_csv(index=False)
    categories = table.astype({"title": "category"})
    assert csv_text(categories) == csv_text(table)
    assert table["title"][0] == text, "the table itself is as it was"


def test_nothing_after_a_carriage_return_begins_a_row() -> None:
    said = csv_text(pd.DataFrame({"title": ["pot\r=1+1", "pan\r\n=1+1"]}))
    assert pd.read_csv(io.StringIO(said))["title"].tolist() == ["pot\n=1+1", "pan\n=1+1"]


def test_numbers_stay_numbers() -> None:
    table = pd.DataFrame(
        {"diff": [-0.5, 2.0], "n": [-1, 3], "said": ["-0.5", "+3e-2"], "gap": [np.nan, -1.0],
         "mixed": [-4, "-x"]}
    )  # fmt: skip
    found = without_formulas(table)
    pd.testing.assert_frame_equal(found.drop(columns="mixed"), table.drop(columns="mixed"))
    assert found["mixed"].tolist() == [-4, "'-x"]
    assert csv_text(table.drop(columns="mixed")) == table.drop(columns="mixed").to_csv(index=False)


def test_a_folder_of_tables(tmp_path) -> None:
    table = pd.DataFrame({"domain": ["=A1"]})
    CsvFolder(tmp_path).write("for people", table)
    CsvFolder(tmp_path, exact=True).write("for programs", table)
    said = [(tmp_path / f"for {who}.csv").read_text() for who in ("people", "programs")]
    assert said == ["domain\n'=A1\n", "domain\n=A1\n"]
