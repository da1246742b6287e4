"""The run that comes with the app, served."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from micrec_core.api.door import Limits
from micrec_core.api.service import make_service
from micrec_core.api.shelf import Shelf
from micrec_core.bundled import SAMPLE_RUN
from micrec_core.serving import Recommender


@pytest.fixture(scope="session")
def shelf() -> Shelf:
    return Shelf({"sample": SAMPLE_RUN})


@pytest.fixture(scope="session")
def recommender(shelf: Shelf) -> Recommender:
    served = shelf.get("sample")
    assert served is not None
    return served.recommender


@pytest.fixture(scope="session")
def service(shelf: Shelf) -> FastAPI:
    return make_service(shelf)


@pytest.fixture(scope="session")
def client(service: FastAPI) -> TestClient:
    return TestClient(service)


@pytest.fixture(scope="session")
def limited(shelf: Shelf) -> Callable[[Limits], TestClient]:
    """A client of a service with limits of its own."""
    return lambda limits: TestClient(make_service(shelf, limits))
