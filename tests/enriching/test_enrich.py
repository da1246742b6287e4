"""Descriptions by a model: asked of a stub server, judged, kept, gone on with, and marked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from micrec_core.cli import main
from micrec_core.data import read_dataset
from micrec_core.data.generated import FILE, read_answers, with_generated
from micrec_core.enriching import asking
from micrec_core.enriching.asking import Endpoint
from micrec_core.enriching.enrich import PROMPT, Asked, enrich, estimate, questions
from micrec_core.enriching.judging import fault, plain
from micrec_core.errors import ConfigError, DataError
from tests.data.conftest import write_dataset

Body = dict[str, Any]
# What a small open model may say of the dataset's items: recorded in form, replayed by title.
TRANSCRIPT = json.loads((Path(__file__).with_name("transcript.json")).read_text(encoding="utf-8"))


class Stub(ThreadingHTTPServer):
    """Answers as ``say`` has it: status, body as object or bytes, headers. Keeps questions."""

    def __init__(self, say: Callable[[Body, int], tuple[int, Any, dict[str, str]]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.say, self.asked, self.keys = say, list[Body](), list[str | None]()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Stub

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/v1/chat/completions"
        self.server.asked.append(body)
        self.server.keys.append(self.headers["Authorization"])
        status, said, headers = self.server.say(body, len(self.server.asked))
        data = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Tests read what they ask for."""


def completion(text: str, tokens: tuple[int, int] = (100, 30), **choice: Any) -> Body:
    message = {"role": "assistant", "content": text}
    usage = dict(zip(("prompt_tokens", "completion_tokens"), tokens, strict=True))
    return {"choices": [{"message": message, "finish_reason": "stop"} | choice], "usage": usage}


def title_of(body: Body) -> str:
    content = body["messages"][1]["content"]
    text = content if isinstance(content, str) else content[0]["text"]
    return text.split("Title: ")[1].split("\n")[0]


def replayed(body: Body, _: int) -> tuple[int, Any, dict[str, str]]:
    return 200, completion(TRANSCRIPT.get(title_of(body), "UNKNOWN")), {}


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stub]]:
    servers: list[Stub] = []
    monkeypatch.delenv(asking.KEY, raising=False)
    monkeypatch.setattr(asking, "_wait", lambda state: 0.0)

    def serve(say: Callable[..., Any] = replayed) -> Stub:
        servers.append(Stub(say))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "shop")


ASKED = Asked("stub-1", PROMPT.read_text(encoding="utf-8"))


def written(root: Path, stub: Stub, asked: Asked = ASKED, budget: int = 10**6, at_once: int = 3):
    with Endpoint(stub.url, asked.model) as endpoint:
        return enrich(read_dataset(root), endpoint, asked, budget=budget, at_once=at_once)


def test_a_transcript_replayed_is_written_judged_and_used(serving, shop: Path) -> None:
    stub, before = serving(), {p.name: p.read_bytes() for p in shop.glob("*.csv")}
    came = written(shop, stub)
    assert (came.written, came.left) == (6, 0)
    assert came.refused == {"a refusal": 1, "unknown to the model": 1, "only what it was given": 1,
                            "says the same again and again": 1}  # fmt: skip
    assert len(stub.asked) == 10 and came.tokens_in == 1000
    assert {p.name: p.read_bytes() for p in shop.glob("*.csv")} == before
    plain_data = read_dataset(shop)
    both, generated = (with_generated(plain_data, which) for which in ("both", "generated"))
    food, own = generated.domain("food"), plain_data.domain("food")
    texts, by = generated.written[0].texts, generated.written[0].by
    assert sum(text != "" for text in texts) + sum(t != "" for t in generated.written[1].texts) == 6
    assert all(who.startswith("stub-1, 20") == bool(text) for who, text in zip(by, texts))
    told = [text or said for text, said in zip(texts, own.descriptions, strict=True)]
    assert food.descriptions.tolist() == told
    beside = [f"{s}\n{t}" if s and t else s or t for s, t in zip(own.descriptions, texts)]
    assert both.domain("food").descriptions.tolist() == beside
    assert any("6 descriptions by a model (stub-1, 20" in note for note in generated.notes)
    assert len({plain_data.fingerprint, both.fingerprint, generated.fingerprint}) == 3
    assert with_generated(plain_data, "original") is plain_data
    (record,) = (json.loads(line) for line in (shop / FILE).read_text().splitlines()[:1])
    assert record["model"] == "stub-1" and "authorization" not in json.dumps(record).lower()


def test_what_was_asked_is_not_asked_again_and_what_changed_is(serving, shop: Path) -> None:
    stub = serving()
    with pytest.MonkeyPatch.context() as patch:  # stopped in the middle: the second is away
        patch.setattr(stub, "say", lambda b, n: replayed(b, n) if n < 4 else (500, b"", {}))
        with pytest.raises(DataError, match="what came so far is kept"):
            written(shop, stub, at_once=1)
    assert len(read_answers(shop).told) == 3
    with (shop / FILE).open("ab") as file:  # a line that a stopped process left half written
        file.write(b'{"domain": "fo')
    n = len(stub.asked)
    written(shop, stub)
    assert len(stub.asked) == n + 7 and len(read_answers(shop).told) == 10
    again = written(shop, stub)
    assert (again.written, len(stub.asked)) == (0, n + 7)
    items = (shop / "items.csv").read_text().replace("food no. 2", "Rice bowl")
    (shop / "items.csv").write_text(items)
    dataset = with_generated(read_dataset(shop), "generated")
    assert any("1 generated description not used" in note for note in dataset.notes)
    written(shop, stub)
    assert [title_of(body) for body in stub.asked[n + 7 :]] == ["Rice bowl"]


def test_a_budget_is_told_before_and_kept_to(serving, shop: Path, capsys) -> None:
    stub = serving()
    words = ["enrich", str(shop), "--model", "m", "--endpoint", stub.url, "--prices", "1,2"]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    ahead = told["estimate"]
    assert not stub.asked and told["outcome"] is None and not (shop / FILE).exists()
    assert ahead["questions"] == 10 and ahead["tokens_out"] == 2000 and not ahead["measured"]
    assert ahead["cost"] == pytest.approx((ahead["tokens_in"] + 2 * 2000) / 1e6)
    assert main([*words, "--budget", "700", "--at-once", "2", "--json"]) == 0
    came = json.loads(capsys.readouterr().out)["outcome"]
    assert came["tokens_in"] + came["tokens_out"] <= 700 and 0 < len(stub.asked) < 10
    assert came["left"] == 10 - len(stub.asked)
    assert came["cost"] == pytest.approx((came["tokens_in"] + 2 * came["tokens_out"]) / 1e6)
    found = questions(read_dataset(shop), Asked("m", ASKED.prompt))
    assert estimate(found, Asked("m", ASKED.prompt), read_answers(shop), 1).measured
    assert main([*words, "--budget", "100000"]) == 0
    out = capsys.readouterr().out
    assert "descriptions written, marked as a model's" in out and "not used: a refusal" in out


def test_a_busy_endpoint_is_asked_again_and_a_closed_one_named(
    serving, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = serving(lambda b, n: (429, {}, {"Retry-After": "1"}) if n % 2 else replayed(b, n))
    assert written(shop, busy, at_once=1).written == 6
    monkeypatch.setenv(asking.KEY, "secret-1")
    closed = serving(lambda b, n: (401, {"error": {"message": "no such key"}}, {}))
    with pytest.raises(ConfigError, match="401 .'no such key'.; check --endpoint") as caught:
        written(shop, closed, Asked("other", "Say what it is."))
    assert set(closed.keys) == {"Bearer secret-1"} and len(closed.asked) <= 3
    assert "secret-1" not in str(caught.value) + (shop / FILE).read_text()
    moved = serving(lambda b, n: (302, b"", {"Location": busy.url}))
    with pytest.raises(ConfigError, match="302"):
        written(shop, moved, Asked("other", "Say what it is."))
    with pytest.raises(ConfigError, match="unencrypted"):
        Endpoint("http://models.example/v1", "m")
    with pytest.raises(ConfigError, match="no address"):
        Endpoint("models.example", "m")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"<html>not JSON", "not of the form of an answer"),
        ({"choices": []}, "not of the form of an answer"),
        (completion("x", (1, 1)) | {"choices": [{"message": {"content": ["a"]}}]}, "not of the"),
        (b'{"choices": ' + b"[" * 5000, "not of the form of an answer"),
        (b" " * (asking.MAX_BYTES + 1), "too large an answer"),
        (completion("A cup of", finish_reason="length"), "cut off"),
        (completion("", message={"content": None, "refusal": "No."}), "a refusal"),
        (completion('=HYPERLINK("http://x.example","A fine cup for tea")'), "begins as a formula"),
        (completion("<script>alert(1)</script>"), "too short"),
    ],
)  # fmt: skip
def test_hostile_answers_are_no_descriptions(serving, shop: Path, said: Any, why: str) -> None:
    came = written(shop, serving(lambda b, n: (200, said, {})))
    assert came.written == 0 and [w for w in came.refused if w.startswith(why)], came.refused
    with pytest.raises(DataError, match="micrec enrich"):
        with_generated(read_dataset(shop), "generated")


def test_markup_goes_and_words_stay() -> None:
    raw = (
        "<think>hm</think>## Cup\n- A **large** [cup](http://x.example) of `steel`\n<b>for</b> tea"
    )
    assert plain(raw) == "Cup A large cup of steel for tea"
    assert len(plain("word " * 10**6)) <= 2000
    assert fault("A sturdy cup of steel for hot tea and coffee.", "Title: Cup") == ""
    assert fault("I can’t tell what this is.", "Title: x") == "a refusal"
    assert fault("1234 5678 !!!! ???? 1234 5678", "Title: x") == "hardly any words"


def test_pictures_are_shown_where_it_is_asked(serving, shop: Path) -> None:
    stub = serving()
    written(shop, stub, Asked("eyes", ASKED.prompt, pictures=True))
    shown = [b["messages"][1]["content"] for b in stub.asked]
    parts = [content for content in shown if not isinstance(content, str)]
    assert len(parts) == 2 and len(shown) == 10
    assert all(p[1]["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/") for p in parts)


@pytest.mark.parametrize("line", [b"no JSON\n", b'{"domain": 1}\n', b"[1]\n", b'"a"\n'])
def test_a_spoilt_line_is_named(shop: Path, line: bytes, one_sentence) -> None:
    (shop / FILE).write_bytes(line)
    with pytest.raises(DataError, match=f"{FILE}, line 1 is no answer") as caught:
        read_answers(shop)
    one_sentence(str(caught.value))
