"""What a cut on the score does to the spectrum of the mass."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from harness.card.figures import NotMeasured
from harness.metrics.sculpting import (
    distance_to_uncut,
    divergence,
    mean_by_score,
    spectra_behind_cuts,
)
from tests.mass import MASS, falling, samples_of


def test_the_divergence_is_that_of_scipy():
    first, second = np.array([5, 0, 3, 9]), np.array([1, 4, 0, 20])
    assert divergence(first, second) == pytest.approx(jensenshannon(first, second, base=2) ** 2)


def test_a_cut_that_knows_nothing_of_the_mass_is_as_far_as_chance():
    generator = np.random.default_rng(1)
    shape = np.exp(-np.arange(30) / 6)
    every = generator.multinomial(20_000, shape / shape.sum())
    passing = generator.multivariate_hypergeometric(every, 400)

    found = distance_to_uncut(passing, every, generator)

    assert found.found > 0.08, "few events are always apart"
    assert found.by_chance.lower < found.found < found.by_chance.upper
    assert found.p_value > 0.02
    assert found.interval.lower == 0.0
    assert found.value < 0.06


def test_a_cut_on_the_mass_is_far():
    generator = np.random.default_rng(1)
    every = np.full(20, 500)
    passing = np.where(np.arange(20) < 5, 500, 0)

    found = distance_to_uncut(passing, every, generator)

    p, q = passing / passing.sum(), every / every.sum()
    assert found.value == pytest.approx(jensenshannon(p, q, base=2), abs=0.01)
    assert found.p_value < 0.002
    assert found.interval.lower > 0.5


def test_few_events_have_no_distance():
    found = distance_to_uncut(np.array([3, 4]), np.array([30, 40]), np.random.default_rng(0))
    assert found == NotMeasured(not_measured="7 events pass, 20 are needed")


def test_mean_mass_follows_a_score_that_is_the_mass_and_not_one_that_is_not():
    generator = np.random.default_rng(2)
    masses = falling(5000, generator)
    sculpted = samples_of({"background": masses})["background"]
    blind = samples_of({"background": generator.uniform(size=5000)})["background"]

    means = [one.mean for one in mean_by_score(sculpted, masses) if isinstance(one.mean, float)]
    assert means == sorted(means)
    assert means[-1] > 2 * means[0]
    held = [
        one.interval.lower <= masses.mean() <= one.interval.upper
        for one in mean_by_score(blind, masses)
        if one.interval is not None
    ]
    assert len(held) >= 11
    assert sum(held) >= len(held) - 2


def test_tied_scores_are_one_bin_and_events_are_counted_once():
    masses = np.arange(1000.0)
    tied = samples_of({"background": np.repeat([0.0, 1.0], [700, 300])})["background"]

    found = mean_by_score(tied, masses)

    assert [one.n_events for one in found] == [700, 300]
    assert [(one.loose, one.tight) for one in found] == [(1.0, 0.3), (0.3, 0.0)]
    assert found[0].mean == pytest.approx(349.5)


def test_spectra_count_all_events_also_those_beyond():
    generator = np.random.default_rng(3)
    masses = {"background": generator.gamma(2.0, 110.0, 4000), "loud": np.full(50, 400.0)}
    masses["background"][:7] = np.nan
    samples = samples_of({name: generator.normal(size=len(m)) for name, m in masses.items()})

    every, tight = spectra_behind_cuts(samples, masses, MASS.edges, (0.1,), generator)

    assert sum(every.counts["background"]) + sum(every.beyond["background"]) == 3993
    assert every.beyond["background"][0] == int((masses["background"] < 100).sum())
    assert tight.n_passing == 400
    assert max(every.counts["loud"]) == 50
