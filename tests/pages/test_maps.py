"""The maps of people and of items, by Plotly and linked in the browser."""

import pandas as pd
import pytest

from micrec_core.runs import RunWriter, list_runs
from micrec_core.ui import components, item_maps, library
from tests import ui_run
from tests.pages.conftest import healthy, words
from tests.ui_run import write_run

pytestmark = pytest.mark.parametrize(
    "drawn",
    [
        "plotly",
        pytest.param(
            "", marks=pytest.mark.skipif(not components.has_maps(), reason="maps are not built")
        ),
    ],
)


@pytest.fixture(autouse=True)
def by(monkeypatch, drawn):
    monkeypatch.setenv("MICREC_MAPS", drawn)


def test_selected_people_have_something_in_common(app, full_run):
    test = app(full_run, "alignment", sel=["u3", "u7", "u9"], user="u3")
    healthy(test)
    assert "What the 3 selected people have in common" in [s.value for s in test.subheader]
    assert "Who moved most" in [h.value for h in test.header]
    table = next(d.value for d in test.dataframe if "closer" in d.value)
    assert table["closer"].is_monotonic_decreasing and len(table) == 120


def test_items_of_both_domains(app, full_run):
    test = app(full_run, "alignment", al_of="Items", items=["food~f3", "kitchen~k9", "no~f1"])
    healthy(test)
    assert "Showing 120 of 120 items. 2 selected." in words(test)
    assert test.query_params["items"] == ["food~f3", "kitchen~k9"]
    assert "What the 2 selected items have in common" in [s.value for s in test.subheader]
    test.button(key="al_items_clear").click().run()
    assert " 0 selected." in words(test) and "items" not in test.query_params
    opened = library.open_listed(list_runs(full_run)[0])
    assert item_maps._how_many(opened, 118, 118).endswith("(on no map, for they have neither: 2).")


def test_what_a_selection_has_in_common_is_of_columns_too(app, written):
    tea = [f"food~f{i}" for i in range(1, 60, 2)]
    test = app(written("columns", columns=True), "alignment", al_of="Items", items=tea)
    healthy(test)
    told = pd.concat([d.value for d in test.dataframe if "difference" in d.value])
    row = told.set_index("what").loc["shelf: Shop > Tea"]
    assert (row["here"], round(row["rest"], 1)) == (100, 33.3), "half of Kitchen has it too"


def test_one_domain_has_a_map_of_its_items(app, tmp_path):
    write_run(tmp_path, "one", domains=("food",))
    test = app(tmp_path, "alignment")
    healthy(test)
    assert "Showing 60 of 60 items. 0 selected." in words(test)


def test_a_film_that_is_not_whole_is_not_played(app, tmp_path, drawn):
    path = write_run(tmp_path, "some", leave_out=("snapshots/film",))
    film = ui_run._film(ui_run.N_USERS)
    writer = RunWriter.amend(path)
    writer.write_parquet("snapshots/film.parquet", film.assign(row=film["row"] // 2))
    writer.finish()
    healthy(app(tmp_path, "alignment"))
