"""The client that docs/api-server.md shows, as it stands there, against a server that is running;
and what ``micrec serve`` refuses to do."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from micrec_core import bundled, cli
from micrec_core.api.door import KEYS, limits_of
from micrec_core.api.service import make_service
from micrec_core.api.shelf import Shelf
from micrec_core.cli import live

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api-server.md"
KEY = "a-key-for-the-recipe"


def test_the_recipe_runs_as_it_is_written(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = make_service(shelf, limits_of({KEYS: KEY}))
    server = uvicorn.Server(uvicorn.Config(service, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + 30
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        picture = next((bundled.SAMPLE_DATA / "images").glob("kitchen-*.webp"))
        monkeypatch.setenv("MICREC_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("MICREC_KEY", KEY)
        monkeypatch.setenv("PICTURE", str(picture))
        (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
        names: dict[str, Any] = {}
        exec(compile(block, str(PAGE), "exec"), names)
        assert names["made_up"]["kind"] == "warm" and len(names["shown"]["items"]) == 10
        assert len(capsys.readouterr().out.splitlines()) == 10
        with pytest.raises(RuntimeError, match="422: there is no user"):
            names["ask"]("recommend", domain="food", user="nobody")
    finally:
        server.should_exit = True
        thread.join()


def test_every_address_of_the_page_is_told(shelf: Shelf) -> None:
    told = set(re.findall(r"(?:GET|POST|PUT) (/[\w/.-]*)", PAGE.read_text(encoding="utf-8")))
    there = {path.replace("{run}", "NAME") for path in make_service(shelf).openapi()["paths"]}
    assert told == there | {"/openapi.json"}


def test_without_keys_it_serves_this_machine_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    began: list[dict[str, Any]] = []
    monkeypatch.setattr(uvicorn, "run", lambda service, **options: began.append(options))
    monkeypatch.delenv(KEYS, raising=False)
    words = ["serve", str(bundled.SAMPLE_RUN), "--port", "8123"]
    assert cli.main([*words, "--host", "0.0.0.0"]) == 2
    assert KEYS in capsys.readouterr().err and not began
    assert cli.main(words) == 0
    monkeypatch.setenv(KEYS, KEY)
    assert cli.main([*words, "--host", "0.0.0.0"]) == 0
    assert [(o["host"], o["port"]) for o in began] == [("127.0.0.1", 8123), ("0.0.0.0", 8123)]


def test_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live, "find_spec", lambda name: None)
    assert cli.main(["serve", str(bundled.SAMPLE_RUN)]) == 2
    assert "pip install 'micrec-explorer[api]'" in capsys.readouterr().err
