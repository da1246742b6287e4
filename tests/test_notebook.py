"""The front door: light to import, and what docs/python.md says of it is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import micrec_core as mc

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "python.md"


def test_importing_loads_nothing_heavy() -> None:
    heavy = ("numpy", "pandas", "torch", "numba", "scipy", "pydantic", "streamlit")
    code = f"import sys, micrec_core; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_and_documented() -> None:
    for name in set(mc.__all__) - {"__version__", "SAMPLE_DATA", "SAMPLE_RUN"}:
        assert getattr(mc, name).__doc__, name
    assert set(mc.__all__) <= set(dir(mc))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        mc.trian  # noqa: B018


@pytest.mark.usefixtures("one_thread")
@pytest.mark.filterwarnings("ignore")
def test_the_snippets_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(snippets) >= 4
    names: dict[str, object] = {}
    for number, code in enumerate(snippets):
        exec(compile(code, f"{PAGE.name}, snippet {number}", "exec"), names)
    run, rec, best = names["run"], names["rec"], names["best"]
    assert isinstance(run, mc.Run) and isinstance(rec, mc.Recommender)
    assert "micrec" in repr(run) and "<table" in run._repr_html_() and "Recommender" in repr(rec)
    sources = [c for c in best.columns if c not in ("item_id", "title", "score")]
    assert best[sources].sum(axis=1).to_numpy() == pytest.approx(best["score"].to_numpy(), rel=1e-4)
    everyone = names["everyone"]
    assert list(everyone.columns) == ["user_id", "rank", "item_id", "title", "score"]
    assert everyone["rank"].max() == 10
