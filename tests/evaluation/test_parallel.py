"""Threads that are bounded while several processes work, and as before afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numba
import pytest
import torch
from threadpoolctl import ThreadpoolController

from micrec_core.evaluation.parallel import cores_each, map_pieces, n_cores, sharing_cores


def threads() -> list[int]:
    """Of torch, numba, pieces of work, and every BLAS and OpenMP."""
    own = [torch.get_num_threads(), numba.get_num_threads(), n_cores()]
    pools = [pool["num_threads"] for pool in ThreadpoolController().info()]
    return [*own, *pools]


@pytest.fixture(params=[1, 2])
def of_torch(request: pytest.FixtureRequest) -> Iterator[int]:
    """Threads of torch as somebody else left them."""
    # Numba loads its pool when first asked, and with it sets the threads that torch has.
    numba.get_num_threads()
    found = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(found)


def test_a_share_bounds_every_pool_and_is_given_back(of_torch: int) -> None:
    before = threads()
    with pytest.raises(KeyError), sharing_cores(10**6):
        assert set(threads()) == {1}
        pieces = map_pieces(lambda _: threading.get_ident(), range(4))
        assert set(pieces) == {threading.get_ident()}
        raise KeyError
    assert threads() == before and before[0] == of_torch


def test_one_process_has_all_cores() -> None:
    before = threads()
    with sharing_cores(1):
        assert threads() == before
    assert cores_each(1) == n_cores() and cores_each(10**6) == 1


def test_a_share_is_never_more_than_was_allowed_before(monkeypatch) -> None:
    own = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr("micrec_core.evaluation.parallel.cores_each", lambda processes: 3)
    try:
        with sharing_cores(2):
            assert torch.get_num_threads() == numba.get_num_threads() == n_cores() == 1
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(own)
