"""Same, noise and leak are told apart: on real float32 arithmetic, and on attacks."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from harness.errors import InvalidSubmissionError
from harness.metrics import consistency
from harness.metrics.consistency import (
    FLOAT32_TOLERANCE,
    Batches,
    compare_scores,
    describe_change,
    spread_of,
)

N = 20_000


@pytest.fixture(scope="module")
def layers() -> list[np.ndarray]:
    """The random float32 weights of an autoencoder 57-32-3-32-57."""
    generator = np.random.default_rng(0)
    shapes = [(57, 32), (32, 3), (3, 32), (32, 57)]
    return [generator.normal(size=s, scale=s[0] ** -0.5).astype(np.float32) for s in shapes]


def reconstruction_error(events: np.ndarray, layers: list[np.ndarray]) -> np.ndarray:
    """Score in the precision of events and weights."""
    values = events
    for weights in layers:
        values = np.maximum(values @ weights, 0)
    return np.square(values - events).mean(axis=1).astype(np.float64)


@pytest.fixture(scope="module")
def network(layers):
    return lambda events: reconstruction_error(events, layers)


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    # A heavy tail, as that of transverse momenta.
    return np.random.default_rng(1).exponential(size=(N, 57)).astype(np.float32) ** 3


def in_batches(score, events, size):
    return np.concatenate([score(events[i : i + size]) for i in range(0, len(events), size)])


def numbers(size: int) -> np.ndarray:
    return np.arange(N) // size


def test_the_same_scores_are_the_same(network, events):
    check = compare_scores("repeat", network(events), network(events))

    assert (check.outcome, check.max_difference, check.n_events) == ("same", 0.0, N)


@pytest.mark.parametrize("size", [1, 3, 17, 1000])
def test_another_batch_size_is_noise_at_most_and_far_within_the_tolerance(network, events, size):
    check = compare_scores(
        "batch_size",
        network(events),
        in_batches(network, events, size),
        batches=Batches(reference=numbers(N), other=numbers(size)),
    )

    assert check.outcome in {"same", "noise"}
    assert check.max_difference < FLOAT32_TOLERANCE / 50


def test_another_order_of_the_sums_and_the_exact_ones_are_noise_far_within_the_tolerance(
    network, layers, events
):
    """As another processor would add: what no setting of this one can show for all others."""
    generator, reordered = np.random.default_rng(2), list(layers)
    for number in range(len(layers) - 1):
        order = generator.permutation(reordered[number].shape[1])
        reordered[number] = reordered[number][:, order]
        reordered[number + 1] = reordered[number + 1][order]
    exact = reconstruction_error(events.astype(np.float64), [w.astype(np.float64) for w in layers])

    for other in (reconstruction_error(events, reordered), exact):
        check = compare_scores("x", network(events), other)
        assert check.outcome == "noise"
        assert check.max_difference < FLOAT32_TOLERANCE / 50


def test_the_rounding_of_every_score_to_float32_is_noise():
    scores = np.random.default_rng(1).lognormal(sigma=4, size=N)
    check = compare_scores("x", scores, scores.astype(np.float32))

    assert check.outcome == "noise"
    assert "within the rounding" in check.detail


def test_a_score_that_is_normalised_over_its_batch_is_a_leak(network, events):
    def leaking(events):
        scores = np.log(network(events))
        return (scores - scores.mean()) / scores.std()

    check = compare_scores(
        "batch_size",
        in_batches(leaking, events, 1000),
        in_batches(leaking, events, 250),
        batches=Batches(reference=numbers(1000), other=numbers(250)),
    )

    assert check.outcome == "leak"
    assert "other events of the batch" in check.detail


@pytest.mark.parametrize(("first", "second"), [(500, 100), (100, 500), (100, 100)])
def test_a_leak_within_the_tolerance_is_found_by_the_company_it_keeps(first, second):
    generator = np.random.default_rng(5)
    scores = generator.normal(size=N)
    order = generator.permutation(N) if first == second else np.arange(N)
    batches = Batches(reference=numbers(first), other=np.empty(N, dtype=int))
    batches.other[order] = numbers(second)

    def leaking(batch):
        means = np.bincount(batch, weights=scores) / np.bincount(batch)
        return scores + 0.05 * FLOAT32_TOLERANCE * means[batch]

    before, after = leaking(batches.reference), leaking(batches.other)

    assert compare_scores("x", before, after).outcome == "noise"
    check = compare_scores("x", before, after, batches=batches)
    assert check.outcome == "leak"
    assert check.max_difference < FLOAT32_TOLERANCE


def test_noise_of_one_odd_batch_is_no_leak():
    # The last, shorter batch takes another kernel with a rounding bias of its own.
    generator = np.random.default_rng(5)
    for _ in range(50):
        scores = generator.normal(size=N)
        other = scores.copy()
        other[-137:] *= 1 + 1e-7
        batches = Batches(reference=numbers(N), other=numbers(999))
        assert compare_scores("x", scores, other, batches=batches).outcome == "noise"


def test_random_noise_raises_no_false_alarm():
    generator = np.random.default_rng(5)
    for _ in range(200):
        scores = generator.normal(size=2000)
        other = scores * (1 + generator.normal(scale=1e-6, size=2000))
        batches = Batches(
            reference=np.arange(2000) // 40, other=generator.permutation(np.arange(2000) // 40)
        )
        assert compare_scores("x", scores, other, batches=batches).outcome == "noise"


def test_a_random_number_in_the_score_is_a_leak_that_is_not_called_the_batch():
    generator = np.random.default_rng(5)
    scores = generator.normal(size=N)
    other = scores + generator.normal(scale=0.01, size=N)
    batches = Batches(reference=numbers(100), other=generator.permutation(numbers(100)))
    check = compare_scores("repeat", scores, other, batches=batches)

    assert check.outcome == "leak"
    assert "rounding does not explain" in check.detail


def test_one_changed_event_among_many_is_a_leak():
    scores = np.random.default_rng(5).normal(size=N)
    other = scores.copy()
    other[77] += 0.01

    check = compare_scores("subset", scores, other)

    assert check.outcome == "leak"
    assert f"1 of {N:,} events differ, 1 of them" in check.detail


def test_a_large_score_may_round_by_its_own_size():
    scores = np.append(np.random.default_rng(5).normal(size=999), 1e7)
    other = scores.copy()
    other[-1] = np.nextafter(np.float32(1e7), np.float32(2e7))

    assert other[-1] - scores[-1] >= 1.0
    assert compare_scores("x", scores, other).outcome == "noise"


def test_the_difference_is_told_in_units_of_the_spread():
    # Half the width of the central 68 % of 0, ..., 100 is 34; a score of 40 moves by 1.7.
    scores = np.arange(101.0)
    other = scores.copy()
    other[40] += 1.7

    assert spread_of(scores) == pytest.approx(34.0)
    assert compare_scores("x", scores, other).max_difference == pytest.approx(0.05)


@pytest.mark.parametrize(
    "scores", [np.zeros(5), np.full(5, 3.0), np.array([1e308, -1e308]), np.array([5e-324, 0.0])]
)
def test_extreme_scores_are_compared_without_overflow(scores):
    assert compare_scores("x", scores, scores).outcome == "same"
    assert compare_scores("x", scores, scores[::-1] * 0.5).outcome in {"same", "leak"}


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(InvalidSubmissionError, match="second run"):
        compare_scores("repeat", np.arange(3.0), np.array([0.0, 1.0, np.nan]))


def test_a_wrong_number_of_scores_is_refused():
    with pytest.raises(InvalidSubmissionError, match="3 scores in one run, 2 in the other"):
        compare_scores("repeat", np.arange(3.0), np.arange(2.0))


def test_a_change_of_the_events_is_told_without_a_verdict():
    scores = np.arange(1000.0)
    check = describe_change("phi_rotation", scores, scores + 34.0)

    assert check.outcome == "diagnostic"
    assert "rank correlation 1.0000" in check.detail
    assert describe_change("x", scores, np.ones(1000)).detail.startswith("rank correlation 0.0000")


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_the_rank_correlation_of_the_terminal_is_that_of_scipy_ties_included(decimals):
    rng = np.random.default_rng(decimals)
    before = rng.normal(size=500).round(decimals)
    after = (before + rng.normal(size=500)).round(decimals)

    np.testing.assert_array_equal(consistency._ranks(before), rankdata(before))
    found = consistency._rank_correlation(before, after)
    assert found == pytest.approx(spearmanr(before, after).statistic, abs=1e-12)


def test_what_is_rarely_needed_is_not_imported_for_a_scoring():
    code = (
        "import sys, harness.scoring.pipeline\n"
        "rarely = {'scipy.stats', 'harness.scoring.with_firmware', 'harness.firmware.rtl.build'}\n"
        "print(sorted(rarely & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
