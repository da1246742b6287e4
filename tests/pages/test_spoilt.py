"""A run of which no file is damaged, and what it says is: pages say so and stay pages."""

import logging

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from micrec_core.errors import RunError
from micrec_core.ui.looks import BROKEN
from micrec_core.ui.viewer import View, Viewer
from tests.pages import spoilt


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spoilt")
    spoilt.lay_out(folder)
    yield folder
    logging.disable(logging.NOTSET)


# A table's column under another name, a snapshot without its
# second domain, a catalogue without ids (whose refusal was lost in a fragment): each was "This app
# has encountered an error". `make fuzz` tries many more.
@pytest.mark.parametrize("seed", [21, 27, 29])
def test_a_page_says_what_it_cannot_draw(place, seed):
    name, _ = spoilt.spoil(place, seed)
    with pytest.raises(RunError, match=r"cannot be drawn|damaged|without the column"):
        spoilt.use(place, name)
    spoilt.mend(place, name)


# Whether the linked maps are built or not: those drew them all the same.
@pytest.mark.parametrize("maps", ["", "plotly"])
def test_nobody_is_drawn_in_two_places_at_once(place, monkeypatch, maps):
    monkeypatch.setenv("MICREC_MAPS", maps)
    name, how = spoilt.spoil(place, 17)
    assert (name, how) == ("snapshots/layouts.parquet", "rows twice")
    with pytest.raises(RunError, match=r"layouts\.parquet that places somebody twice \(epoch \d"):
        spoilt.use(place, name)
    spoilt.mend(place, name)


def test_a_page_that_breaks_off_is_no_healthy_one():
    message = ForwardMsg()
    message.delta.new_element.alert.body, message.delta.new_element.alert.icon = "No.", BROKEN
    view = View("overview")
    Viewer(None, 1)._take(message, view, 0.1)
    assert view.error == "No."
    message.delta.new_element.alert.icon = ":material/error:"
    view = View("overview")
    Viewer(None, 1)._take(message, view, 0.1)
    assert not view.error
