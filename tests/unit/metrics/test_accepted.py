"""Today's cuts at equal rate, against a slow search and hand-worked events."""

from __future__ import annotations

import numpy as np
import pytest

from harness.card.accepted import Gain, TriggerCuts
from harness.card.figures import NotMeasured
from harness.card.physics import WorkingPoint
from harness.challenge import EventLayout, ObjectGroup
from harness.metrics import accepted as acceptance
from harness.metrics.evaluate import evaluate

LAYOUT = EventLayout(
    objects=(
        ObjectGroup(name="met", n_slots=1),
        ObjectGroup(name="electron", n_slots=2),
        ObjectGroup(name="muon", n_slots=1),
        ObjectGroup(name="jet", n_slots=3),
    )
)
FPR = 0.01


def events_with(pts: list[list[float]]) -> np.ndarray:
    events = np.zeros((len(pts), 7, 3), dtype=np.float32)
    events[:, :, 0] = pts
    return events


def random_values(rng: np.random.Generator, n: int, scale: float) -> dict[str, np.ndarray]:
    # Rounded, so that values tie.
    return {
        name: np.round(rng.exponential(scale * mean, n))
        for name, mean in (("lepton_pt", 30.0), ("met", 40.0), ("ht", 90.0))
    }


def sample(seed: int = 1) -> dict[str, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return {
        "background": random_values(rng, 2_000, 1.0),
        "near": random_values(rng, 500, 1.3),
        "far": random_values(rng, 500, 2.5),
    }


def measure(scores: dict[str, np.ndarray]):
    hashes = {
        name: np.random.default_rng(i).integers(0, 2**63, len(column), dtype=np.uint64)
        for i, (name, column) in enumerate(scores.items())
    }
    return evaluate(
        scores["background"],
        {name: column for name, column in scores.items() if name != "background"},
        background_hashes=hashes["background"],
        signal_hashes=hashes,
        false_positive_rates=[FPR],
        working_point=FPR,
        seed=3,
        arithmetic="float",
    )


def of_cuts(measure, values):
    """Return what the cuts themselves are worth."""
    return measure(acceptance.cut_scores(values))


def test_the_cuts_look_at_leptons_missing_momentum_and_jets():
    #        met   electrons   mu   jets
    event = [35.0, 24.0, 3.0, 31.0, 50.0, 20.0, 0.0]

    values = acceptance.cut_values(events_with([event]), LAYOUT)

    assert {name: column.tolist() for name, column in values.items()} == {
        "lepton_pt": [31.0],
        "met": [35.0],
        "ht": [70.0],
    }


def test_objects_that_a_layout_lacks_are_left_out():
    layout = EventLayout(objects=(ObjectGroup(name="jet", n_slots=7),))
    assert list(acceptance.cut_values(events_with([[1.0] * 7]), layout)) == ["ht"]


def test_the_score_counts_the_background_that_reaches_the_best_observable():
    values = {
        "background": {"met": np.array([10.0, 20.0, 30.0]), "ht": np.array([9.0, 9.0, 1.0])},
        "signal": {"met": np.array([25.0, 5.0, 40.0]), "ht": np.array([0.0, 9.0, 0.0])},
    }

    scores = acceptance.cut_scores(values)

    # met 25 reaches the background's 20, which two reach; ht 9 does the same; met 40 reaches 30.
    assert scores["signal"].tolist() == [-2.0, -2.0, -1.0]
    assert scores["background"].tolist() == [-2.0, -2.0, -1.0]


def test_the_cuts_are_those_that_a_slow_search_finds():
    values = sample()
    background = values["background"]
    n_allowed = int(FPR * 2_001)

    made = acceptance.compare_with_cuts(
        of_cuts(measure, values), values, of_cuts(measure, values), fpr=FPR
    )

    # Lower all cuts together, one background event each at a time, while the rate allows it.
    best: dict[str, float] = {}
    for n_each in range(n_allowed + 1):
        cuts = {
            name: min(
                (value for value in column if (column >= value).sum() <= n_each), default=np.inf
            )
            for name, column in background.items()
        }
        any_passes = np.any([background[name] >= cuts[name] for name in cuts], axis=0)
        if any_passes.sum() <= n_allowed:
            best = cuts
    assert isinstance(made, TriggerCuts)
    assert made.thresholds == best
    passes = np.any([values["far"][name] >= best[name] for name in best], axis=0)
    assert made.point.rates["far"].n_passing == passes.sum()
    assert made.point.n_passing <= n_allowed


def test_the_cuts_gain_nothing_over_themselves():
    values = sample()
    itself = of_cuts(measure, values)

    made = acceptance.compare_with_cuts(itself, values, of_cuts(measure, values), fpr=FPR)

    gain = made.gain["far"]
    assert isinstance(gain, Gain)
    assert (gain.ratio, gain.interval.lower, gain.interval.upper) == (1.0, 1.0, 1.0)


def test_a_better_entry_gains_with_an_interval_that_says_so():
    values = sample()
    scores = {name: columns["met"] for name, columns in values.items()}
    scores["far"] = scores["far"] + 1_000.0

    made = acceptance.compare_with_cuts(measure(scores), values, of_cuts(measure, values), fpr=FPR)

    gain = made.gain["far"]
    assert gain.ratio == pytest.approx(1.0 / made.point.rates["far"].tpr)
    assert 1.0 < gain.interval.lower < gain.ratio < gain.interval.upper


def test_what_can_not_be_measured_says_why():
    values = sample()
    physics = of_cuts(measure, values)
    nothing = {name: {} for name in values}
    assert isinstance(acceptance.compare_with_cuts(physics, nothing, physics, fpr=FPR), NotMeasured)
    values["never"] = {name: np.zeros(10) for name in values["near"]}
    made = acceptance.compare_with_cuts(
        of_cuts(measure, values), values, of_cuts(measure, values), fpr=FPR
    )
    assert made.gain["never"] == NotMeasured(not_measured="the cuts accept no event of this signal")


@pytest.mark.parametrize(("is_strict", "expected"), [(False, [0, 1, 1]), (True, [0, 0, 1])])
def test_an_event_at_the_threshold_passes_unless_the_cut_is_strict(is_strict, expected):
    point = WorkingPoint(
        fpr=0.1,
        threshold=2.0,
        is_strict=is_strict,
        n_allowed=1,
        n_passing=1,
        fpr_realised=0.1,
        is_low_statistics=True,
        rates={},
    )
    assert acceptance.passing(np.array([1.0, 2.0, 3.0]), point).astype(int).tolist() == expected
