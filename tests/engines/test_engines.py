"""What an engine is asked for, and what it says of itself, without any cluster."""

from __future__ import annotations

import sys

import pytest

from micrec_core.cli import main
from micrec_core.engines import HERE, Cluster, opened
from micrec_core.errors import ConfigError


def add(common: int, shard: int) -> int:
    return common + shard


def test_this_process_takes_one_shard_after_the_other() -> None:
    asked: list[int] = []

    def shards():
        for k in range(3):
            asked.append(k)
            yield k

    found = HERE.map(add, 10, shards())
    assert asked == [] and next(found) == 10 and asked == [0]
    assert list(found) == [11, 12]
    with opened("process") as engine:
        assert engine is HERE and not isinstance(engine, Cluster)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("spark", "there is no engine 'spark'; use process or ray"),
        ("process://here", "the engine 'process' has no address; leave '://here' out"),
    ],
)
def test_other_engines_are_refused(spec: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        opened(spec)
    assert str(refused.value) == said


def test_without_ray_it_says_what_to_install(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "r.inter").write_text("user_id:token\titem_id:token\na\tb\n")
    words = ["--domain", f"shop={tmp_path / 'r.inter'}", "--out", str(tmp_path / "out")]
    assert main(["prepare", "recbole", *words, "--engine", "ray"]) == 2
    assert "pip install 'micrec-explorer[scale]'" in capsys.readouterr().err
