"""What must hold for any scores whatever."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.card.physics import Physics, WorkingPoint
from harness.metrics.consistency import compare_scores
from harness.metrics.evaluate import evaluate
from harness.metrics.histogram import score_histogram
from harness.metrics.replicates import poisson_weights
from harness.metrics.scores import RankedScores
from harness.metrics.working_point import count_allowed, set_cut

finite = st.floats(allow_nan=False, allow_infinity=False)
# Integers of a small range: ties are the rule, and a monotone map keeps them exactly.
levels = st.integers(-20, 20)


def ranked(scores) -> RankedScores:
    ascending = np.sort(np.asarray(scores, dtype=float))
    return RankedScores(ascending=ascending, n_events=len(ascending))


def measure(background, signal) -> Physics:
    def hashes(n, seed):
        return np.random.default_rng(seed).integers(2**64, size=n, dtype=np.uint64)

    return evaluate(
        background,
        {"s": signal},
        background_hashes=hashes(len(background), 1),
        signal_hashes={"s": hashes(len(signal), 2)},
        false_positive_rates=(0.05, 0.2, 0.6),
        working_point=0.2,
        seed=3,
        arithmetic="float",
    )


def monotone_maps():
    return st.sampled_from(
        [
            lambda x: 3.0 * x - 7.0,
            lambda x: x**3,
            lambda x: np.exp(x / 7.0),
            lambda x: np.arctan(x / 9.0),
            lambda x: np.sign(x) * np.log1p(np.abs(x)) * 1e-30,
            lambda x: np.float32(x) * np.float32(0.125),
        ]
    )


@settings(max_examples=40)
@given(
    background=st.lists(levels, min_size=1, max_size=200),
    signal=st.lists(levels, min_size=1, max_size=60),
    rescale=monotone_maps(),
)
def test_a_strictly_monotone_rescaling_changes_nothing_but_the_thresholds(
    background, signal, rescale
):
    background, signal = np.array(background, dtype=float), np.array(signal, dtype=float)
    first, second = measure(background, signal), measure(rescale(background), rescale(signal))

    assert first.auc == second.auc
    assert first.roc == second.roc
    assert first.replicates == second.replicates
    for before, after in zip(first.working_points, second.working_points, strict=True):
        expected = before
        if isinstance(before, WorkingPoint):
            threshold = float(rescale(np.array([before.threshold]))[0])
            expected = before.model_copy(update={"threshold": threshold})
        assert after == expected


@settings(max_examples=200)
@given(
    background=st.lists(st.one_of(finite, levels.map(float)), min_size=1, max_size=80),
    fpr=st.floats(1e-3, 0.999),
)
def test_at_most_the_allowed_background_passes_and_no_looser_score_would_do(background, fpr):
    sample = ranked(background)
    k = count_allowed(fpr, sample.n_events)
    if k < 1:
        return
    cut = set_cut(sample, k)

    assert cut.n_passing(sample) <= k
    assert cut.n_passing(sample) / sample.n_events <= fpr * (1 + 1 / sample.n_events) + 1e-12
    lower = [score for score in background if score < cut.threshold or cut.is_strict]
    if lower:
        assert sample.n_at_least(max(lower)) > k


@settings(max_examples=30)
@given(
    background=st.lists(levels, min_size=1, max_size=150),
    signal=st.lists(levels, min_size=1, max_size=60),
)
def test_every_record_is_consistent(background, signal):
    physics = measure(np.array(background, dtype=float), np.array(signal, dtype=float))

    mirrored = measure(-np.array(background, dtype=float), -np.array(signal, dtype=float))
    assert physics.auc["s"].value + mirrored.auc["s"].value == pytest.approx(1.0, abs=1e-15)
    auc = physics.auc["s"]
    assert 0.0 <= auc.interval.lower <= auc.value <= auc.interval.upper <= 1.0
    assert list(physics.roc["s"].tpr) == sorted(physics.roc["s"].tpr)
    roc = dict(zip(physics.roc["s"].fpr, physics.roc["s"].tpr, strict=True))
    assert roc[1.0] == 1.0
    for point in physics.working_points:
        if isinstance(point, WorkingPoint):
            rate = point.rates["s"]
            assert 0.0 <= rate.interval.lower <= rate.tpr <= rate.interval.upper <= 1.0
    assert sum(physics.scores.counts["s"]) == len(signal)
    assert sum(physics.scores.counts["background"]) == len(background)
    assert Physics.model_validate_json(physics.model_dump_json()) == physics


@settings(max_examples=200)
@given(
    background=st.lists(finite, min_size=1, max_size=50),
    signal=st.lists(finite, min_size=1, max_size=50),
)
def test_every_finite_score_has_its_bin(background, signal):
    histogram = score_histogram({"background": ranked(background), "s": ranked(signal)})

    assert sum(histogram.counts["background"]) == len(background)
    assert sum(histogram.counts["s"]) == len(signal)
    assert np.all(np.diff(histogram.edges) > 0)
    assert np.isfinite(histogram.edges).all()


@settings(max_examples=200)
@given(scores=st.lists(finite, min_size=1, max_size=50), factor=st.floats(0.5, 2.0))
def test_any_two_finite_runs_are_compared(scores, factor):
    first = np.array(scores)
    with np.errstate(over="ignore"):
        second = np.clip(first * factor, -1.7e308, 1.7e308)
    check = compare_scores("x", first, second)

    assert (check.outcome == "same") == np.array_equal(first, second)
    assert np.isfinite(check.max_difference)


@settings(max_examples=50)
@given(
    keys=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20),
    seed=st.integers(0, 2**63 - 1),
)
def test_weights_are_small_counts_for_any_key_and_seed(keys, seed):
    weights = poisson_weights(np.array(keys, dtype=np.uint64), range(500), seed=seed, stream=1)

    assert weights.shape == (500, len(keys))
    assert weights.max() <= 8
