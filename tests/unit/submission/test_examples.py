"""The entries of `docs/examples` compute what they say, and the same bits in the netlist."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from harness.submission import network
from harness.submission.contract import check_network
from harness.submission.validate import validate

network.load_keras()

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


@pytest.fixture(scope="module")
def mass():
    return runpy.run_path(str(EXAMPLES / "dijet_mass" / "model.py"))["network"]()


def two_jets(n_events: int) -> np.ndarray:
    """Return events with two jets, of which no value lies beyond the words of the example."""
    random = np.random.default_rng(8)
    events = np.zeros((n_events, 19, 3), np.float32)
    events[:, 9:11, 0] = random.uniform(200, 900, (n_events, 2))
    events[:, 9:11, 1:] = random.uniform(-2.4, 2.4, (n_events, 2, 2))
    return events


def exact_mass(events: np.ndarray) -> np.ndarray:
    """Return the mass of four-momenta, another way than the example's."""
    pt, eta, phi = np.moveaxis(events[:, 9:11].astype(np.float64), -1, 0)
    p = np.stack([pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)])
    energy, *momentum = p.sum(axis=2)
    return np.sqrt(np.maximum(energy**2 - sum(part**2 for part in momentum), 0))


def test_the_dijet_mass_has_no_static_fault_and_keeps_the_contract(mass):
    assert validate(EXAMPLES / "dijet_mass") == []
    assert check_network(mass, (19, 3)) == []


def test_the_dijet_mass_is_the_mass_of_the_two_jets(mass):
    events = two_jets(2_000)
    found = np.asarray(mass(events.reshape(-1, 57))).ravel()
    exact = exact_mass(events)

    is_within = (exact > 300) & (exact < 3_000)
    error = np.abs(found - exact)[is_within] / exact[is_within]
    assert is_within.sum() > 1_000
    assert np.median(error) < 0.02
    assert error.max() < 0.25
    assert found.max() <= 4_095
    assert float(np.asarray(mass(np.zeros((1, 57), np.float32)))[0, 0]) == 0


def test_the_dijet_mass_is_the_same_bits_in_the_netlist(mass):
    from da4ml.converter import trace_model
    from da4ml.trace import comb_trace

    events = np.concatenate([two_jets(500), 4 * two_jets(100)]).reshape(-1, 57)
    events = np.concatenate([events, np.random.default_rng(1).normal(0, 300, (200, 57))])
    program = comb_trace(*trace_model(mass))

    netlist = program.predict(events.astype(np.float64)).ravel()
    np.testing.assert_array_equal(netlist, np.asarray(mass(events.astype(np.float32))).ravel())
