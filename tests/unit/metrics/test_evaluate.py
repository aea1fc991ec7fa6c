"""The physics record: hand-worked, against slow twins, at the edges, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from harness.card.figures import UnreachedWorkingPoint
from harness.card.physics import Physics, WorkingPoint
from harness.challenge import mix64
from harness.errors import DataError, InvalidSubmissionError
from harness.metrics.evaluate import evaluate
from harness.metrics.intervals import clopper_pearson

RATES = (1e-3, 1e-2, 1e-1)


def draw_hashes(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(2**64, size=n, dtype=np.uint64)


def measure(background, signals, *, rates=RATES, working_point=1e-2, **changes) -> Physics:
    arguments = {
        "background_hashes": draw_hashes(len(background), 1),
        "signal_hashes": {name: draw_hashes(len(scores), 2) for name, scores in signals.items()},
        "false_positive_rates": rates,
        "working_point": working_point,
        "seed": 5,
        "arithmetic": "float",
    }
    return evaluate(background, signals, **{**arguments, **changes})


@pytest.fixture(scope="module")
def samples():
    generator = np.random.default_rng(0)
    return generator.normal(size=9_999), {
        "near": generator.normal(0.5, size=3000),
        "far": generator.normal(2.5, size=2000),
    }


@pytest.fixture(scope="module")
def physics(samples) -> Physics:
    return measure(*samples)


def test_every_figure_of_a_sample_worked_by_hand():
    # k = floor(0.1 * 20) = 2: the threshold is the second largest of 1, ..., 19.
    physics = measure(
        np.arange(1.0, 20.0), {"s": [17.5, 18.0, 30.0, 0.0]}, rates=(0.1,), working_point=0.1
    )
    point = physics.at(0.1)

    assert isinstance(point, WorkingPoint)
    assert (point.threshold, point.is_strict, point.n_allowed, point.n_passing) == (
        18.0,
        False,
        2,
        2,
    )
    assert point.fpr_realised == 2 / 19
    assert point.is_low_statistics
    rate = point.rates["s"]
    assert (rate.n_passing, rate.n_events, rate.tpr) == (2, 4, 0.5)
    assert rate.significance_improvement == 0.5 / math.sqrt(0.1)
    # 17.5 beats 17; 18 beats 17 and ties with 1; 30 beats 19; 0 beats none: 53.5 of 76.
    assert physics.auc["s"].value == 53.5 / 76
    assert physics.n_background == 19
    assert len(physics.replicates["s"]) == 500


def test_auc_and_tpr_are_those_of_slow_twins(samples, physics):
    background, signals = samples
    for name, scores in signals.items():
        labels = np.repeat([0, 1], [len(background), len(scores)])
        expected = roc_auc_score(labels, np.concatenate([background, scores]))
        assert physics.auc[name].value == pytest.approx(expected, abs=1e-12)
        for fpr, k in zip(RATES, (10, 100, 1000), strict=True):
            threshold = np.sort(background)[-k]
            assert physics.at(fpr).threshold == threshold
            assert physics.at(fpr).rates[name].tpr == np.mean(scores >= threshold)


def test_the_realised_rate_is_at_most_the_allowed_one_and_reported(physics):
    for point, k in zip(physics.working_points, (10, 100, 1000), strict=True):
        assert (point.n_allowed, point.n_passing) == (k, k)
        assert point.fpr_realised == k / 9_999


def test_intervals_hold_the_estimate_and_say_how_they_were_made(physics):
    for point in physics.working_points:
        for rate in point.rates.values():
            assert rate.interval.lower <= rate.tpr <= rate.interval.upper
            is_bootstrap = point.n_allowed >= 20 and rate.n_passing >= 10
            assert rate.interval.method == (
                "Poisson bootstrap" if is_bootstrap else "order statistics x Clopper-Pearson"
            )


def test_bootstrap_intervals_are_the_percentiles_of_the_kept_replicates(physics):
    for name, replicates in physics.replicates.items():
        interval = physics.at(1e-2).rates[name].interval
        assert [interval.lower, interval.upper] == pytest.approx(
            np.quantile(replicates, [0.025, 0.975], method="weibull")
        )


def test_replicates_scatter_about_the_estimate(physics):
    for name, replicates in physics.replicates.items():
        spread = np.std(replicates)
        assert np.mean(replicates) == pytest.approx(physics.at(1e-2).rates[name].tpr, abs=spread)
        assert spread > 0


def test_the_same_scores_give_the_same_record_bit_for_bit(samples, physics):
    assert measure(*samples) == physics


def test_one_signal_alone_gives_the_same_figures_as_among_others(samples, physics):
    background, signals = samples
    alone = measure(background, {"far": signals["far"]})

    assert alone.auc["far"] == physics.auc["far"]
    assert alone.replicates["far"] == physics.replicates["far"]
    assert alone.at(1e-2).rates["far"] == physics.at(1e-2).rates["far"]


def test_another_seed_gives_other_replicates_and_the_same_estimates(samples, physics):
    other = measure(*samples, seed=6)

    assert other.replicates["far"] != physics.replicates["far"]
    assert other.at(1e-2).rates["far"].tpr == physics.at(1e-2).rates["far"].tpr


def test_the_record_is_the_same_in_float32_as_in_float64(samples):
    background, signals = samples
    narrow = background.astype(np.float32), {k: v.astype(np.float32) for k, v in signals.items()}
    # A background score below all others that is no float32 makes everything be sorted as float64.
    wide = np.append(narrow[0].astype(np.float64), -5.1)
    hashes = draw_hashes(len(wide), 1)

    first = measure(np.append(narrow[0], np.float32(-5.25)), narrow[1], background_hashes=hashes)
    second = measure(wide, narrow[1], background_hashes=hashes)

    assert first.working_points == second.working_points
    assert first.replicates == second.replicates
    assert first.auc == second.auc
    assert first.roc == second.roc


def test_a_constant_score_earns_nothing():
    physics = measure(
        np.full(99_999, 0.7), {"s": np.full(5000, 0.7)}, rates=(1e-5, 1e-3), working_point=1e-3
    )

    assert physics.auc["s"].value == 0.5
    for point in physics.working_points:
        assert (point.n_passing, point.is_strict) == (0, True)
        assert point.rates["s"].tpr == 0.0
        assert point.rates["s"].interval.lower == 0.0
        assert point.rates["s"].interval.upper == clopper_pearson(0, 5000, level=0.975).upper
    assert set(physics.replicates["s"]) == {0.0}
    assert set(physics.roc["s"].tpr[:-1]) == {0.0}


def test_two_valued_scores_buy_no_rate_by_ties():
    generator = np.random.default_rng(3)
    background = (generator.random(50_000) < 0.01).astype(float)
    physics = measure(background, {"s": (generator.random(4000) < 0.5).astype(float)})

    assert physics.at(1e-3).n_passing == 0
    assert physics.at(1e-3).rates["s"].tpr == 0.0
    assert physics.at(1e-1).n_passing == np.sum(background == 1.0) <= 5000
    assert physics.at(1e-1).rates["s"].tpr == pytest.approx(0.5, abs=0.05)


def test_a_rate_that_the_background_cannot_decide_is_not_measured():
    physics = measure(
        np.arange(998.0), {"s": np.arange(10.0)}, rates=(1e-3, 1e-2), working_point=1e-3
    )
    point = physics.at(1e-3)

    assert isinstance(point, UnreachedWorkingPoint)
    assert "998 test background events" in point.not_measured
    assert "999 events" in point.not_measured
    assert physics.replicates == {}
    assert isinstance(physics.at(1e-2), WorkingPoint)


@pytest.mark.parametrize(("n_background", "is_low"), [(998, True), (999, False)])
def test_fewer_than_ten_allowed_events_are_marked(n_background, is_low):
    physics = measure(np.arange(float(n_background)), {"s": np.arange(10.0)}, rates=(1e-2,))

    assert physics.at(1e-2).is_low_statistics is is_low


def test_without_a_signal_there_are_thresholds_and_no_rates():
    physics = measure(np.arange(2000.0), {})

    assert physics.auc == physics.replicates == physics.roc == {}
    assert physics.at(1e-2).n_passing == 20
    assert physics.at(1e-2).rates == {}
    assert set(physics.scores.counts) == {"background"}


def test_one_event_of_each_gives_a_record():
    physics = measure([1.0], {"s": [2.0]}, rates=(0.5,), working_point=0.5)

    assert physics.at(0.5).rates["s"].tpr == 1.0
    assert physics.at(0.5).is_low_statistics


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["background", "s"])
def test_scores_that_are_not_finite_are_refused(where, bad):
    scores = {"background": np.arange(100.0), "s": np.arange(100.0)}
    scores[where] = np.append(scores[where][1:], bad)

    with pytest.raises(InvalidSubmissionError, match=f"scores of {where}"):
        measure(scores["background"], {"s": scores["s"]})


@pytest.mark.parametrize(("background", "signal"), [([], [1.0]), ([1.0], [])])
def test_a_sample_without_events_is_refused(background, signal):
    with pytest.raises(DataError, match="no event"):
        measure(background, {"s": signal})


def test_a_wrong_number_of_scores_is_refused():
    with pytest.raises(InvalidSubmissionError, match="99 scores for 100 events"):
        measure(np.arange(100.0), {"s": np.arange(99.0)}, signal_hashes={"s": draw_hashes(100)})


def test_a_signal_named_background_is_refused():
    with pytest.raises(DataError, match="another name"):
        measure(np.arange(100.0), {"background": np.arange(99.0)})


def test_a_rate_of_one_is_refused():
    with pytest.raises(DataError, match="between 0 and 1"):
        measure(np.arange(100.0), {"s": np.arange(99.0)}, rates=(1.0,), working_point=1.0)


def test_the_record_survives_its_file(physics):
    assert Physics.model_validate_json(physics.model_dump_json()) == physics


def test_the_record_of_a_fixed_sample_never_changes():
    # Cards of one scorer version are ranked together: if these figures have to change, raise
    # harness.card.records.SCORER_VERSION.
    hashes = mix64(np.arange(60_000, dtype=np.uint64))
    uniform = (hashes >> np.uint64(40)).astype(np.float64) / 2**24
    background, signal = uniform[:50_000], np.sqrt(uniform[50_000:])
    physics = measure(
        background,
        {"s": signal},
        background_hashes=hashes[:50_000],
        signal_hashes={"s": hashes[50_000:]},
    )
    rate = physics.at(1e-2).rates["s"]

    assert physics.auc["s"].value == 0.67063681
    assert rate.n_passing == 206
    assert [rate.interval.lower, rate.interval.upper] == pytest.approx(
        [0.017494603297929262, 0.023680201346140073], rel=1e-12
    )
    assert physics.replicates["s"][:3] == (
        0.01851118590378143,
        0.024277223733252744,
        0.019408688656476266,
    )
    assert sum(physics.replicates["s"]) == pytest.approx(10.311709714568002, rel=1e-12)
