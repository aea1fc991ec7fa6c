"""The smooth fit and the search for a bump."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import kstest

from harness.card.figures import NotMeasured
from harness.challenge import SmoothFit
from harness.metrics.bump_hunt import hunt_bump, plan_hunt
from harness.metrics.significance import local_significance, p_of
from harness.metrics.smooth_fit import choose_terms, fit_smooth, terms_of
from tests.mass import MASS

PLAN = plan_hunt(MASS)
CENTRES = (PLAN.edges[1:] + PLAN.edges[:-1]) / 2
SHAPE = CENTRES * np.exp(-CENTRES / 110)
SHAPE /= SHAPE.sum()


def test_the_significance_without_uncertainty_is_that_of_a_poisson_likelihood():
    n, b = 130, 100.0
    expected = math.sqrt(2 * (n * math.log(n / b) - (n - b)))
    assert float(local_significance(n, b, 0.0)) == pytest.approx(expected, rel=1e-6)


def test_the_significance_is_that_of_two_poisson_counts_found_by_minimising():
    n, b, sigma = 130.0, 100.0, 10.0
    tau, auxiliary = b / sigma**2, b**2 / sigma**2

    def negative(parameters, *, has_signal):
        background = math.exp(parameters[0])
        signal = parameters[1] if has_signal else 0.0
        total = background + signal
        return (
            total - n * math.log(total) + tau * background - auxiliary * math.log(tau * background)
        )

    free = minimize(lambda x: negative(x, has_signal=True), [4.5, 20.0], method="Nelder-Mead",
                    options={"xatol": 1e-9, "fatol": 1e-10})  # fmt: skip
    none = minimize(lambda x: negative(x, has_signal=False), [4.5], method="Nelder-Mead",
                    options={"xatol": 1e-9, "fatol": 1e-10})  # fmt: skip
    q0 = 2 * (none.fun - free.fun)
    assert float(local_significance(n, b, sigma)) == pytest.approx(math.sqrt(q0), rel=1e-4)


def test_the_fit_is_the_largest_likelihood():
    counts = np.random.default_rng(3).poisson(3000 * SHAPE).astype(float)
    terms = terms_of(SmoothFit(), PLAN.edges, 4)
    outside = np.ones(40)
    outside[PLAN.stated] = 0.0

    fitted = fit_smooth(counts[None], terms, np.diff(PLAN.edges), outside)

    def negative(parameters):
        expected = np.exp(terms @ parameters)
        return float((outside * (expected - counts * np.log(expected))).sum())

    start = terms.T @ np.log(fitted.expected[0])
    other = minimize(negative, start + 0.1, method="BFGS", options={"gtol": 1e-8})
    assert np.allclose(np.exp(terms @ other.x), fitted.expected[0], rtol=1e-3)
    curvature = terms.T @ ((outside * fitted.expected[0])[:, None] * terms)
    assert np.allclose(np.linalg.inv(curvature), fitted.covariance[0], rtol=1e-3)


def test_the_dijet_function_is_fitted_exactly_where_it_is_the_truth():
    fit = SmoothFit(kind="dijet", collision_energy=13_000)
    edges = np.geomspace(2500.0, 6000.0, 41)
    x = (edges[1:] + edges[:-1]) / 2 / 13_000
    truth = 1e-2 * (1 - x) ** 9 / x ** (5 + 0.2 * np.log(x)) * np.diff(edges)
    terms = terms_of(fit, edges, 4)
    fitted = fit_smooth(truth[None], terms, np.diff(edges), np.ones(40))
    assert np.allclose(fitted.expected[0], truth, rtol=1e-5)


def test_a_richer_spectrum_gets_more_parameters():
    outside = np.ones(40)
    wavy = SHAPE * (1 + 0.3 * np.sin(CENTRES / 90))
    plain = choose_terms(SmoothFit(max_parameters=8), 500 * SHAPE, PLAN.edges, outside)
    rich = choose_terms(SmoothFit(max_parameters=8), 5e5 * wavy, PLAN.edges, outside)
    assert plain.shape[1] == 4
    assert rich.shape[1] == 8


def p_values(n_spectra: int, n_events: int, n_toys: int):
    """Hunt in spectra without a signal."""
    generator = np.random.default_rng(11)
    scans = [
        hunt_bump(generator.poisson(n_events * SHAPE), PLAN, generator, n_toys=n_toys)
        for _ in range(n_spectra)
    ]
    return [np.array(one) for one in zip(
        *((scan.stated.p_value, scan.global_p, scan.goodness) for scan in scans), strict=True
    )]  # fmt: skip


def test_without_a_signal_p_values_are_uniform():
    local, everywhere, goodness = p_values(30, 4000, 40)
    for found in (local, everywhere, goodness):
        assert kstest(found, "uniform").pvalue > 1e-3
        assert (found < 0.5).mean() == pytest.approx(0.5, abs=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("n_events", [400, 4000])
def test_without_a_signal_p_values_are_uniform_in_many_toys(n_events):
    local, everywhere, goodness = p_values(250, n_events, 100)
    assert (local < 0.05).mean() == pytest.approx(0.05, abs=0.04)
    assert (everywhere < 0.05).mean() < 0.09
    assert kstest(goodness, "uniform").pvalue > 1e-3


def test_a_bump_is_found_where_it_is():
    generator = np.random.default_rng(5)
    counts = generator.poisson(4000 * SHAPE)
    counts[PLAN.stated] += 40

    found = hunt_bump(counts, PLAN, generator)

    assert found.stated.z > 4.0
    assert found.largest.lower <= 405 <= found.largest.upper
    assert found.stated.p_value == pytest.approx(p_of(found.stated.z))
    assert found.stated.p_value < found.global_p < 0.02
    assert "upcrossings" in found.global_interval.method
    assert found.global_interval.lower <= found.global_p <= found.global_interval.upper


def test_a_spectrum_that_no_smooth_function_fits_says_so():
    counts = np.where(np.arange(40) < 12, 0, np.round(4000 * SHAPE)).astype(int)
    found = hunt_bump(counts, PLAN, np.random.default_rng(2), n_toys=100)
    assert found.goodness < 0.02


def test_few_events_are_not_hunted_in():
    found = hunt_bump(np.ones(40, int), PLAN, np.random.default_rng(0))
    assert isinstance(found, NotMeasured)
    assert "37 events outside the window" in found.not_measured


@pytest.mark.parametrize("counts", [np.eye(40, dtype=int)[5] * 500, np.full(40, 10**6)])
def test_odd_spectra_give_finite_figures(counts):
    found = hunt_bump(counts, PLAN, np.random.default_rng(0), n_toys=20)
    figures = [found.global_p, found.goodness, found.stated.z, found.largest.z, *found.fitted]
    assert np.isfinite(figures).all()
