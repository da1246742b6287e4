"""Whatever a run's labels, names and texts hold is shown as it is written: no image, link or icon.

Streamlit's Markdown makes links of bare addresses, and icons of :names:, after escapes are gone.
"""

import json
import re

import pandas as pd
import pytest

from micrec_core.bundled import PACKAGE
from micrec_core.names import GENERATED_COLUMNS
from micrec_core.runs import open_run
from micrec_core.ui.widgets import plain
from tests import ui_run
from tests.pages.conftest import PAGES, healthy, words
from tests.pages.shown import HOSTILE, MARK, becomes_more, marked


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory):
    """A made-up run in which every name and text that a dataset or a run brings is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ui_run, "LABELS", {d: f"{d} {HOSTILE}" for d in ui_run.DOMAINS})
        patch.setattr(
            ui_run, "PERSONAS",
            [{"name": HOSTILE, "sentence": HOSTILE, "likes": {"food": ["f3", "f4"]}}],
        )  # fmt: skip
        told = ui_run._info

        def info(*given):
            found = told(*given)
            about = {"name": HOSTILE, "source": HOSTILE, "licence": HOSTILE, "notes": [HOSTILE]}
            found["dataset"] |= about
            return found | {"encoders": dict.fromkeys(("text", "image"), HOSTILE)}

        def catalogue(*given):
            columns = ("title", "description", *GENERATED_COLUMNS)
            return items(*given).assign(**dict.fromkeys(columns, HOSTILE))

        items = ui_run.catalogue
        patch.setattr(ui_run, "_info", info)
        patch.setattr(ui_run, "catalogue", catalogue)
        ui_run.write_run(folder, "tiny")
        ui_run.write_run(folder, "zweit", seed=3)
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_nothing_of_a_run_is_markup(app, hostile_run, page):
    test = app(hostile_run, page)
    healthy(test)
    shown = marked(test)
    for place, text in shown:
        assert not becomes_more(text), (place, text)
    if page in ("overview", "cold_start", "low_degree", "recommendations"):
        assert shown, "the labels are on this page"
    if page in ("recommendations", "cold_start", "modalities"):
        assert "by a model" in words(test), "what a model wrote is marked"


@pytest.mark.parametrize(
    "text",
    ["https://a.example", "HTTP://a.example", "www.a.example", "WwW.a.example", "me@a.example",
     ":material/home:", ":smile:", ":red[x]", "mailto:me@a.example"],
)  # fmt: skip
def test_plain_breaks_what_would_become_more(text):
    said = plain(text)
    assert said.replace("\\", "").replace("\u2060", "") == text
    assert not re.search(r"(?i)https?://|www\.|\w@\w|:[a-z]", said.replace("\\", ""))


def test_plain_leaves_what_is_harmless():
    assert plain("Pots: 3 at 12:30, a b") == "Pots: 3 at 12:30, a b".replace(":", "\\:")


def test_components_of_our_own_make_no_html():
    scripts = [f.read_text() for f in (PACKAGE / "ui" / "components").glob("*.js")]
    assert scripts and not any("innerHTML" in s or "insertAdjacent" in s for s in scripts)


def test_nothing_in_the_report_is_a_link_or_an_image(hostile_run):
    from micrec_core.report.export import report

    html = report(open_run(hostile_run / "tiny"))
    body = re.sub(r"(?s)<script.*?</script>", "", html)
    assert MARK in body
    assert "<img" not in body and "<a " not in body
    for name in re.findall(rf'"name":("[^"]*{MARK}[^"]*")', html):
        assert "<a" not in json.loads(name)


def test_no_figure_has_a_link():
    import plotly.graph_objects as go

    from micrec_core.figures.theme import themed

    link = f'<b>x</b><A href="https://{MARK}.example">y</a>'
    figure = go.Figure()
    custom = pd.DataFrame({"a": [link, "q"], "b": [1, 2]}).to_numpy()
    figure.add_scatter(x=[1, 2], y=[3, 4], name=link, text=[link, "<b>z</b>"], customdata=custom)
    figure.update_layout(
        title={"text": link, "x": 0.3}, annotations=[{"text": "p"}, {"text": link}]
    )
    figure.update_xaxes(ticktext=[link, "b"], tickvals=[1, 2], title_text="kept")
    shown = themed(figure).to_json()
    assert MARK in shown and not re.search(r"(?i)(<|\\u003c)\s*a\b", shown)
    assert figure.layout.title.x == 0.3 and figure.layout.xaxis.title.text == "kept"
    assert figure.data[0].text[1] == "<b>z</b>" and list(figure.data[0].x) == [1, 2]
    assert figure.layout.annotations[0].text == "p"
