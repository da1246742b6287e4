"""The service keeps what its OpenAPI page promises, whatever is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings

from micrec_core.api.door import KEYS, Limits, limits_of

schemathesis = pytest.importorskip("schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")
POSITIVE = schemathesis.GenerationMode.POSITIVE
QUESTIONS = 5
KEY = "a key of the contract's own"


def test_any_request_gets_an_answer_of_the_page(limited: Callable[[Limits], TestClient]) -> None:
    """Status, content type and body are as told, no key no answer, nothing fails within."""
    service = limited(limits_of({KEYS: KEY})).app
    page = schemathesis.openapi.from_asgi(
        "/openapi.json", service, headers={"Authorization": f"Bearer {KEY}"}
    )
    # A user who is well-formed and not known is told so, which is no acceptance.
    unchecked = [checks.positive_data_acceptance]
    asked: dict[str, int] = {}
    for found in page.get_all_operations():
        operation = found.ok()
        modes = list(schemathesis.GenerationMode) if operation.body else [POSITIVE]
        for mode in modes:
            _ask(operation.as_strategy(generation_mode=mode), unchecked, asked)
    assert sum("{run}" in path for path in asked) >= QUESTIONS


def _ask(cases: Any, unchecked: list[Any], asked: dict[str, int]) -> None:
    @settings(
        max_examples=5, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=cases)
    def ask(case: Any) -> None:
        if "run" in (case.path_parameters or {}):
            case.path_parameters["run"] = "sample"
        case.call_and_validate(
            headers={"Authorization": f"Bearer {KEY}"}, excluded_checks=unchecked
        )
        asked[case.path] = asked.get(case.path, 0) + 1

    ask()


def test_every_example_is_answered(client: TestClient) -> None:
    page, asked = client.get("/openapi.json").json(), 0
    for path, methods in page["paths"].items():
        if "post" not in methods:
            continue
        body = methods["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        for example in page["components"]["schemas"][body.rpartition("/")[2]]["examples"]:
            found = client.post(path.format(run="sample"), json=example)
            assert found.status_code == 200, (path, found.text)
            asked += 1
    assert asked >= 8
