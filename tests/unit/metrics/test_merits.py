"""Figures of merit other than a rate at a working point, against brute force and known answers."""

from __future__ import annotations

import numpy as np
import pytest

from harness.card.figures import NotMeasured
from harness.card.physics import SignalMerit
from harness.challenge import (
    AddedEfficiencyAtRate,
    AreaUnderCurve,
    EfficiencyAtRate,
    MaxSic,
    Merit,
    MistagAtTpr,
    RejectionAtTpr,
)
from harness.metrics.dealt import deal_whole_signal
from harness.metrics.evaluate import evaluate
from harness.metrics.menu import without_accepted
from harness.metrics.merits import measure_merit
from harness.metrics.replicates import bucket_weights, deal
from harness.metrics.scores import Sample, rank_samples

SEED = 5


def sample(scores: np.ndarray, seed: int) -> Sample:
    hashes = np.random.default_rng(seed).integers(2**63, size=len(scores)).astype(np.uint64)
    values = np.asarray(scores, dtype=np.float64)
    return Sample(scores=values, hashes=hashes, ranked=rank_samples([values])[0])


def gaussians(n_background: int = 5000, n_signal: int = 800, shift: float = 1.5, seed: int = 0):
    generator = np.random.default_rng(seed)
    return {
        "background": sample(generator.standard_normal(n_background), seed + 1),
        "s": sample(generator.standard_normal(n_signal) + shift, seed + 2),
    }


def measured(merit: Merit, samples, **more) -> SignalMerit:
    left = without_accepted(samples, more, largest_fpr=merit.fpr) if more else None
    found = measure_merit(merit, samples, seed=SEED, unaccepted=left)
    assert found is not None
    assert isinstance(found.signals["s"], SignalMerit)
    return found.signals["s"]


def replicates(merit: Merit, samples) -> np.ndarray:
    found = measure_merit(merit, samples, seed=SEED)
    assert found is not None
    return np.array(found.replicates["s"])


def test_the_mistag_is_that_of_the_highest_cut_that_keeps_the_efficiency():
    samples = gaussians()
    found = measured(MistagAtTpr(tpr=0.4), samples)
    threshold = np.sort(samples["s"].scores)[-320]
    assert found.value == np.mean(samples["background"].scores >= threshold)
    assert found.n_signal == 320
    assert not found.is_low_statistics
    assert found.interval.lower < found.value < found.interval.upper


def test_a_constant_score_mistags_everything_and_rejects_nothing():
    samples = {"background": sample(np.zeros(1000), 1), "s": sample(np.zeros(100), 2)}
    assert measured(MistagAtTpr(tpr=0.3), samples).value == 1.0
    assert measured(RejectionAtTpr(tpr=0.3), samples).value == 1.0


def test_a_rejection_is_one_over_the_mistag_with_its_interval_turned_round():
    samples = gaussians()
    mistag, rejection = (measured(kind(tpr=0.3), samples) for kind in (MistagAtTpr, RejectionAtTpr))
    assert rejection.value == 1 / mistag.value
    assert rejection.interval.lower == 1 / mistag.interval.upper
    assert rejection.interval.upper == 1 / mistag.interval.lower


def test_no_passing_background_counts_as_one_event_and_is_low_statistics():
    samples = {"background": sample(np.arange(1000.0), 1), "s": sample(np.arange(2e3, 2.1e3), 2)}
    found = measured(RejectionAtTpr(tpr=0.3), samples)
    assert (found.value, found.is_low_statistics) == (1000.0, True)
    assert np.isfinite(found.interval.upper)
    assert (replicates(RejectionAtTpr(tpr=0.3), samples) <= 2000).all()


def test_replicates_of_a_mistag_are_those_of_weighted_events():
    samples = gaussians(n_background=400, n_signal=150)
    fast = replicates(MistagAtTpr(tpr=0.4), samples)
    signal, background = samples["s"], samples["background"]
    weights = bucket_weights(SEED)[:, deal(signal.hashes, SEED)]
    dealt = deal_whole_signal(signal, seed=SEED)
    order = np.argsort(-signal.scores)
    for row in range(0, 500, 50):
        reached = np.cumsum(weights[row][order])
        first = np.argmax(reached >= 0.4 * weights[row].sum() - 1e-9)
        threshold = signal.scores[order][first]
        assert dealt.thresholds(0.4)[row] == threshold
        # The background has weights of its own, which average to one.
        assert fast[row] == pytest.approx(
            np.mean(background.scores >= threshold), rel=0.6, abs=0.02
        )


def test_the_largest_sic_is_chosen_on_one_half_of_the_events_and_measured_on_the_other():
    samples = gaussians(n_background=3000, n_signal=300, shift=2.0)
    parts = {name: deal(one.hashes, SEED) % 2 for name, one in samples.items()}
    halves = [
        [samples[name].scores[parts[name] == number] for name in ("background", "s")]
        for number in (0, 1)
    ]

    def sic(half, cut: float) -> tuple[float, int]:
        n_passing = np.count_nonzero(half[0] >= cut)
        return np.mean(half[1] >= cut) / np.sqrt(max(n_passing, 1) / len(half[0])), n_passing

    total = 0.0
    for chooser, judge in (halves, halves[::-1]):
        curve = {cut: sic(chooser, cut) for cut in np.concatenate(chooser)}
        best = max((cut for cut in curve if curve[cut][1] >= 25), key=lambda cut: curve[cut][0])
        total += sic(judge, best)[0]
    found = measured(MaxSic(min_background=50), samples)
    assert found.value == pytest.approx(total / 2, rel=1e-12)


def test_the_largest_sic_of_noise_is_not_above_one():
    values = [
        measured(MaxSic(min_background=10), gaussians(400, 100, shift=0.0, seed=seed)).value
        for seed in range(40)
    ]
    assert np.mean(values) < 1.0 + 3 * np.std(values) / np.sqrt(len(values))


def test_a_useless_score_has_a_sic_of_one_and_few_background_none():
    samples = {"background": sample(np.zeros(1000), 1), "s": sample(np.zeros(100), 2)}
    assert measured(MaxSic(min_background=10), samples).value == 1.0
    few = {"background": sample(np.arange(150.0), 1), "s": sample(np.arange(50.0), 2)}
    found = measure_merit(MaxSic(min_background=100), few, seed=SEED)
    assert found is not None
    assert isinstance(found.signals["s"], NotMeasured)
    assert "150 background events" in found.signals["s"].not_measured


def test_the_area_and_its_replicates_agree_with_weighted_pairs():
    samples = gaussians(n_background=400, n_signal=200, shift=1.0)
    background, signal = samples["background"], samples["s"]
    won = (signal.scores[:, None] > background.scores).mean()
    assert measured(AreaUnderCurve(), samples).value == pytest.approx(won)
    found = replicates(AreaUnderCurve(), samples)
    # DeLong's interval and the replicates are two ways to the same width.
    interval = measured(AreaUnderCurve(), samples).interval
    assert np.std(found) == pytest.approx((interval.upper - interval.lower) / 3.92, rel=0.15)


def test_added_efficiency_counts_only_what_the_menu_leaves():
    samples = gaussians()
    merit = AddedEfficiencyAtRate(rate_khz=10.0, input_rate_khz=1000.0)
    menu = {
        name: np.random.default_rng(3).random(one.n_events) < 0.3 for name, one in samples.items()
    }
    found = measured(merit, samples, **menu)
    background = np.sort(samples["background"].scores[~menu["background"]])
    cut = background[-50]
    assert found.value == np.mean((samples["s"].scores >= cut) & ~menu["s"])
    assert found.n_background == 50
    nothing = measured(merit, samples, **{name: np.ones_like(one) for name, one in menu.items()})
    assert nothing.value == 0.0


def test_without_a_menu_the_added_efficiency_is_the_efficiency():
    samples = gaussians()
    menu = {name: np.zeros(one.n_events, dtype=bool) for name, one in samples.items()}
    added = measured(AddedEfficiencyAtRate(rate_khz=1, input_rate_khz=100), samples, **menu)
    physics = evaluate(
        samples["background"].scores,
        {"s": samples["s"].scores},
        background_hashes=samples["background"].hashes,
        signal_hashes={"s": samples["s"].hashes},
        false_positive_rates=[0.01],
        working_point=0.01,
        seed=SEED,
        arithmetic="float",
        merit=EfficiencyAtRate(rate_khz=1, input_rate_khz=100),
    )
    rate = physics.at(0.01).rates["s"]
    assert (added.value, added.interval) == (rate.tpr, rate.interval)
    assert physics.merit is None


@pytest.mark.parametrize(
    "merit", [MistagAtTpr(tpr=0.4), RejectionAtTpr(tpr=0.3), MaxSic(), AreaUnderCurve()]
)
def test_replicates_do_not_hang_on_the_order_of_the_events(merit):
    samples = gaussians()
    turned = {
        name: Sample(scores=one.scores[::-1], hashes=one.hashes[::-1], ranked=one.ranked)
        for name, one in samples.items()
    }
    assert replicates(merit, samples) == pytest.approx(replicates(merit, turned), rel=1e-12)
