"""The import in the background, beside a page's run that changes sys.path."""

import sys
from pathlib import Path

from streamlit.runtime.scriptrunner.exec_code import modified_sys_path

from micrec_core.ui import serve

APP = Path(__file__).parents[2] / "app.py"


def test_the_import_waits_until_the_search_path_stays_as_it_is(monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(serve, "import_module", lambda name: seen.append(list(sys.path)))
    home = str(APP.parent)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", home)])
    serve.warm_up.clear()
    with modified_sys_path(str(APP)):
        thread = serve.warm_up()
        thread.join(0.2)
        assert thread.is_alive() and not seen
    thread.join(5)
    assert seen == [list(sys.path)] and sys.path.count(home) == 1
    with modified_sys_path(str(APP)):
        assert seen == [list(sys.path)]
    assert seen == [list(sys.path)]
    serve.warm_up.clear()
