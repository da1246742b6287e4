"""The gate: masked softmax, strength and divergence by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from micrec_core.method.gate import Gate


@pytest.fixture
def gate() -> Gate:
    gate = Gate(3)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in gate.parameters():
            parameter.normal_(0, 1, generator=generator)
    return gate


SIGNALS = torch.randn(6, 3, 2, generator=torch.Generator().manual_seed(1))
HAS = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0], [0, 0, 1]]).bool()


def by_hand(gate: Gate) -> np.ndarray:
    bias, slope = (p.detach().double().numpy() for p in (gate.bias, gate.slope))
    out = np.zeros((6, 3))
    for row in range(6):
        there = np.flatnonzero(HAS[row].numpy())
        raw = np.exp([bias[m] + slope[m] @ SIGNALS[row, m].double().numpy() for m in there])
        out[row, there] = raw / raw.sum()
    return out


def test_shares_are_a_softmax_over_what_is_there(gate) -> None:
    shares = gate.shares(SIGNALS, HAS).detach().numpy()
    np.testing.assert_allclose(shares, by_hand(gate), atol=1e-6)
    assert not shares[~HAS.numpy()].any()
    np.testing.assert_allclose(shares.sum(1), [1, 1, 1, 0, 1, 1], atol=1e-6)
    assert shares[2].tolist() == [0, 1, 0], "a single modality has all"


def test_strength_scales_the_sum_by_log_degree(gate) -> None:
    weights = gate(SIGNALS, HAS).detach().numpy()
    s = gate.strength.detach().double().numpy()
    strength = np.exp(s[0] + s[1] * SIGNALS[:, 0, 1].double().numpy())
    np.testing.assert_allclose(weights, strength[:, None] * by_hand(gate), rtol=1e-5)


def test_divergence_is_the_mean_kl_from_uniform(gate) -> None:
    shares, terms = by_hand(gate), []
    for row in range(6):
        there = shares[row][HAS[row].numpy()]
        terms.append(sum(p * np.log(p * len(there)) for p in there))
    assert gate.divergence(SIGNALS, HAS).item() == pytest.approx(np.mean(terms), abs=1e-6)


def test_untrained_gate_is_uniform_and_costs_nothing() -> None:
    gate = Gate(3)
    weights = gate(SIGNALS, HAS).detach()
    wanted = HAS / HAS.sum(1, keepdim=True).clamp(min=1)
    torch.testing.assert_close(weights, wanted)
    assert gate.divergence(SIGNALS, HAS).item() == pytest.approx(0, abs=1e-6)


def test_no_gradient_is_nan_where_modalities_are_missing(gate) -> None:
    (gate(SIGNALS, HAS).square().sum() + gate.divergence(SIGNALS, HAS)).backward()
    for name, parameter in gate.named_parameters():
        assert torch.isfinite(parameter.grad).all() and parameter.grad.any(), name


def test_extreme_logits_stay_finite(gate) -> None:
    with torch.no_grad():
        gate.bias.copy_(torch.tensor([300.0, -300.0, 0.0]))
    shares = gate.shares(SIGNALS, HAS)
    loss = gate.divergence(SIGNALS, HAS)
    loss.backward()
    assert torch.isfinite(shares).all() and torch.isfinite(loss)
    assert torch.isfinite(gate.bias.grad).all()
