"""Answers are the recommender's own; keys, limits and a swap hold; nothing sent breaks it."""

from __future__ import annotations

import base64
import io
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from micrec_core.api.buckets import Buckets, InFile, InProcess, Store
from micrec_core.api.door import ADMIN_KEYS, KEYS, Limits, limits_of
from micrec_core.api.messages import MAX_LIST, MAX_PEOPLE, ListRequest
from micrec_core.api.service import make_service
from micrec_core.api.shelf import Shelf, places_of
from micrec_core.bundled import SAMPLE_RUN
from micrec_core.data.picture_files import MAX_PIXELS
from micrec_core.errors import ConfigError, RunError
from micrec_core.serving import Recommender

LIKES = {"food": ["food-0001", "food-0206"]}
KEY, ADMIN = "k" * 20, "a" * 20
Limited = Callable[[Limits], TestClient]


def picture(colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(stream, "PNG")
    return stream.getvalue()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


PEOPLE: dict[str, dict[str, Any]] = {
    "known": {"user": "u0005"},
    "made up": {"likes": LIKES},
    "known with more": {"user": "u0005", "likes": LIKES},
    "by text": {"text": "a charcoal pot"},
    "by picture": {"image": encoded(picture())},
    "nobody": {},
}


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("domain", ["food", "kitchen"])
def test_lists_are_those_of_the_library(
    client: TestClient, recommender: Recommender, who: str, domain: str
) -> None:
    said = dict(PEOPLE[who])
    found = client.post("/runs/sample/recommend", json={"domain": domain, "k": 5, **said}).json()
    image = base64.b64decode(said["image"]) if "image" in said else None
    user = recommender.user(
        id=said.get("user"), likes=said.get("likes"), text=said.get("text"), image=image
    )
    wanted = recommender.recommend(user, domain, k=5)
    assert [item["item_id"] for item in found["items"]] == wanted.items["item_id"].tolist()
    assert (found["kind"], found["note"]) == (wanted.kind, wanted.note)
    for item, score in zip(found["items"], wanted.items["score"], strict=True):
        assert item["score"] == pytest.approx(score)
        assert sum(item["parts"].values()) == pytest.approx(score)


def test_reasons_and_the_rest_add_up(client: TestClient) -> None:
    asked = {"domain": "food", "item": "food-0044", "user": "u0005", "most": 3}
    found = client.post("/runs/sample/explain", json=asked).json()
    assert len(found["reasons"]) == 3
    told = sum(reason["contribution"] for reason in found["reasons"])
    assert told + found["rest"] == pytest.approx(found["score"])
    assert sum(found["parts"].values()) == pytest.approx(found["score"])


def test_a_new_item_is_placed_as_the_library_places_it(
    client: TestClient, recommender: Recommender
) -> None:
    asked = {"domain": "food", "text": "Moroccan spice blend", "users": ["u0005"], "k": 4}
    found = client.post("/runs/sample/new-items", json=asked | {"person": {"likes": LIKES}}).json()
    item = recommender.new_item("food", text="Moroccan spice blend", users=["u0005"])
    rank, score, of = recommender.rank(recommender.user(likes=LIKES), "food", item)
    assert found["place"] == {"rank": rank, "score": pytest.approx(score), "of": of}
    wanted = recommender.similar("food", item, 4)["item_id"].tolist()
    assert [like["item_id"] for like in found["similar"]] == wanted


def test_a_batch_says_who_could_not_be_served(client: TestClient) -> None:
    asked = {"domain": "food", "k": 2, "people": [{"user": "u0005"}, {"user": "nobody here"}]}
    first, second = client.post("/runs/sample/batch", json=asked).json()["answers"]
    assert len(first["items"]) == 2
    assert "there is no user 'nobody here'" in second["detail"]


HOSTILE: dict[str, Any] = {
    "no such domain": {"domain": "no\u0000thing"},
    "no such item": {"domain": "food", "likes": {"food": ["food-0001' OR 1=1 --"]}},
    "list too long": {"domain": "food", "k": MAX_LIST + 1},
    "no number": {"domain": "food", "k": "NaN"},
    "more than is known": {"domain": "food", "path": "/etc/passwd"},
    "no picture": {"domain": "food", "image": encoded(b"<svg onload=alert(1)>")},
    "half a picture": {"domain": "food", "image": encoded(picture()[:60])},
    "empty id": {"domain": "food", "user": ""},
    "half a character": '{"domain": "food", "text": "\\ud800"}',
    "half a character as a name": '{"domain": "food", "likes": {"\\ud800": ["a"]}}',
    "a name without end": {"domain": "food", "x" * 100_000: 1},
    "a domain without end": {"domain": "food", "likes": {"x" * 100_000: ["a"]}},
    "deep": '{"domain": ' + "[" * 50_000,
    "digits": '{"domain": "food", "k": ' + "9" * 10_000 + "}",
    "no json": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_wrong_is_told_in_a_sentence(client: TestClient, what: str) -> None:
    sent = HOSTILE[what]
    body = {"json": sent} if isinstance(sent, dict) else {"content": sent}
    found = client.post(
        "/runs/sample/recommend", headers={"Content-Type": "application/json"}, **body
    )
    assert found.status_code in (400, 422), found.text
    assert list(found.json()) == ["detail"] and len(found.json()["detail"]) < 500


def test_who_leaves_much_out_does_not_hold_others_up() -> None:
    """Each of ten thousand is looked up: two hundred milliseconds in which nobody is answered."""
    assert ListRequest(domain="food", exclude=["a"] * 100).is_quick
    assert not ListRequest(domain="food", exclude=["a"] * 101).is_quick


def test_a_picture_of_too_many_pixels_is_not_decoded(client: TestClient) -> None:
    side = int(MAX_PIXELS**0.5) + 1
    stream = io.BytesIO()
    Image.new("1", (side, side)).save(stream, "PNG")
    asked = {"domain": "food", "image": encoded(stream.getvalue())}
    found = client.post("/runs/sample/recommend", json=asked)
    assert found.status_code == 422 and "million pixels" in found.json()["detail"]


def test_too_many_people_are_refused(client: TestClient) -> None:
    asked = {"domain": "food", "people": [{}] * (MAX_PEOPLE + 1)}
    assert client.post("/runs/sample/batch", json=asked).status_code == 422


def test_a_body_is_not_read_beyond_its_limit(limited: Limited) -> None:
    client, read = limited(Limits(max_body=1000)), 0

    def pieces():
        nonlocal read
        for _ in range(100):
            read += 500
            yield b" " * 500

    json = {"Content-Type": "application/json"}
    for content in (b" " * 2000, pieces()):
        found = client.post("/runs/sample/recommend", content=content, headers=json)
        assert found.status_code == 413, found.text


def test_keys(limited: Limited, monkeypatch: pytest.MonkeyPatch) -> None:
    client = limited(limits_of({KEYS: f"other-key-of-some, {KEY}", ADMIN_KEYS: ADMIN}))
    asked = {"domain": "food", "user": "u0005"}

    def status(authorization: str | None, path: str = "/runs/sample/recommend") -> int:
        headers = {} if authorization is None else {"Authorization": authorization}
        call = client.get if path != "/runs/sample/recommend" else client.post
        more = {} if call == client.get else {"json": asked}
        return call(path, headers=headers, **more).status_code

    for given in (None, "", "Bearer", "Bearer " + "x" * 20, f"Basic {KEY}", f"Bearer {KEY[:-1]}"):
        assert status(given) == 401
    assert status(f"Bearer {KEY}") == status(f"bearer {ADMIN}") == 200
    assert status(None, "/health") == 200
    assert status(None, "/metrics") == status(None, "/openapi.json") == 401
    swap = {"json": {"run": "sample"}, "headers": {"Authorization": f"Bearer {KEY}"}}
    assert client.put("/runs/sample", **swap).status_code == 403
    with pytest.raises(ConfigError, match="under 16 characters"):
        limits_of({KEYS: "short"})


def test_the_rate_is_held_and_a_batch_counts_in_full(
    limited: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("micrec_core.api.buckets.time.monotonic", lambda: now)
    client = limited(Limits(rate=2.0))
    statuses = [client.get("/runs").status_code for _ in range(6)]
    assert statuses == [200] * 4 + [429] * 2
    now += 1.0
    asked = {"domain": "food", "k": 1, "people": [{"user": "u0005"}] * 5}
    assert client.post("/runs/sample/batch", json=asked).status_code == 200
    refused = client.get("/runs")
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) >= 2
    assert client.get("/health").status_code == 200
    now += 4.0
    assert client.get("/runs").status_code == 200


def test_buckets_forget_clients_they_have_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("micrec_core.api.buckets._MAX_CLIENTS", 3)
    kept = InProcess()
    buckets = Buckets(1.0, kept)
    for number in range(50):
        buckets.wait(f"client {number}")
    assert len(kept) == 3


def test_processes_hold_a_rate_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = 100.0
    monkeypatch.setattr("micrec_core.api.buckets.time.monotonic", lambda: now)

    def waits(*stores: Store) -> list[bool]:
        buckets = [Buckets(2.0, store) for store in stores]
        return [bool(buckets[n % len(buckets)].wait("one")) for n in range(6)]

    first, second = InFile(tmp_path / "rates"), InFile(tmp_path / "rates")
    assert waits(first, second) == waits(InProcess()) == [False] * 4 + [True] * 2
    # Nobody's bucket is another's, and of far too many somebody is forgotten and nothing grows.
    size = (tmp_path / "rates").stat().st_size
    clients = Buckets(2.0, first)
    assert not any(clients.wait(f"client {number}") for number in range(2000))
    monkeypatch.setattr("micrec_core.api.buckets._SLOTS", 16)
    for number in range(100):
        clients.wait(f"another {number}")
    assert (tmp_path / "rates").stat().st_size == size
    now += 2.0
    Buckets(2.0, second).charge("one", 5)
    assert Buckets(2.0, first).wait("one") > 0


def test_watching(limited: Limited) -> None:
    client = limited(Limits())
    for path in ("/runs/sample", "/runs/none", "/runs/other", "/nowhere"):
        client.get(path)
    told = client.get("/metrics").text
    assert 'micrec_requests_total{route="/runs/{run}",status="404"} 2.0' in told
    assert 'micrec_requests_total{route="none",status="404"} 1.0' in told
    assert "nowhere" not in told
    assert client.get("/health").json()["runs"] == ["sample"]


# Swapping ----------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A folder with two copies of a run, and a damaged one."""
    for name in ("old", "new", "damaged"):
        shutil.copytree(SAMPLE_RUN, tmp_path / name)
    (tmp_path / "damaged" / "serving.json").write_text("{}")
    return tmp_path


def test_a_swap_lets_no_request_fail(two: Path) -> None:
    shelf = Shelf(places_of([f"shop={two / 'old'}"]))
    client = TestClient(make_service(shelf, limits_of({ADMIN_KEYS: ADMIN})))
    client.headers["Authorization"] = f"Bearer {ADMIN}"
    before = shelf.get("shop")
    stop, statuses = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            asked = {"domain": "food", "user": "u0005", "k": 3}
            statuses.append(client.post("/runs/shop/recommend", json=asked).status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        found = client.put("/runs/shop", json={"run": "new"})
        assert found.status_code == 200 and found.json()["run"] == "new"
        assert client.get("/runs/shop").json()["run"] == "new"
        for wrong, why in (
            ("damaged", "not what was written"),
            ("../old", "name"),
            ("no", "no run"),
        ):
            refused = client.put("/runs/shop", json={"run": wrong})
            assert refused.status_code == 422 and why in refused.json()["detail"]
    finally:
        stop.set()
        thread.join()
    after = shelf.get("shop")
    assert before is not None and after is not None and after is not before
    assert after.run.name == "new"
    assert statuses and set(statuses) == {200}
    assert client.put("/runs/none", json={"run": "new"}).status_code == 404
    assert 'micrec_swaps_total{name="shop"} 1.0' in client.get("/metrics").text


def test_names_of_served_runs(tmp_path: Path) -> None:
    found = places_of([f"{tmp_path}/a", f"shop={tmp_path}/a"])
    assert found == {"a": tmp_path / "a", "shop": tmp_path / "a"}
    with pytest.raises(ConfigError, match="two runs are called 'a'"):
        places_of([f"{tmp_path}/a", f"{tmp_path}/b/a"])
    with pytest.raises(ConfigError, match="NAME=RUN"):
        places_of(["=x"])
    with pytest.raises(ConfigError):
        Shelf({"../x": SAMPLE_RUN})
    with pytest.raises(RunError):
        Shelf({"x": tmp_path / "nothing"})


def test_scores_are_finite_numbers(client: TestClient) -> None:
    found = client.post("/runs/sample/recommend", json={"domain": "food", "k": MAX_LIST}).json()
    scores = np.array([item["score"] for item in found["items"]])
    assert len(scores) > 400 and np.isfinite(scores).all()
