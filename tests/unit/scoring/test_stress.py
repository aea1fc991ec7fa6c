"""The rate at fixed thresholds on varied background, against a slow count of the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.card.figures import NotMeasured, UnreachedWorkingPoint
from harness.card.stress import SkippedVariation
from harness.challenge import Preselection
from harness.data.cache import cache_root
from harness.data.events import EventStore, open_store
from harness.data.mix import write_mixture
from harness.data.variations import event_variations, vary_events
from harness.metrics.intervals import clopper_pearson
from harness.scoring.evaluation import evaluate_scores
from harness.scoring.stress import measure_stress
from tests.events import make_challenge, make_events, toy_file
from tests.unit.data.conftest import put_in_cache

PRESELECTION = Preselection(
    leading=("electron", "muon"), leading_pt_gev=10.0, object_pt_gev={"jet": 5.0}
)
# Pile-up, jets and leptons all change the score.
WEIGHTS = np.r_[2.0, np.ones(8), np.full(10, 0.5)]


def score_of(events):
    return events[..., 0].astype(np.float64) @ WEIGHTS


class Counted:
    """Scores a file, and counts the events that it was given."""

    def __init__(self):
        self.n_events = 0

    def __call__(self, path: Path, n_events: int):
        events = np.load(path, allow_pickle=False)
        assert len(events) == n_events
        self.n_events += n_events
        return score_of(events)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> EventStore:
    files = [
        toy_file(),
        toy_file("a.h5", role="signal", process="a"),
        toy_file("tune.h5", role="variation", process="other_tune"),
        toy_file("absent.h5", role="variation", process="absent"),
    ]
    challenge = make_challenge(files).model_copy(update={"preselection": PRESELECTION})
    root = cache_root(tmp_path_factory.mktemp("cache"))
    events = make_events(3000, seed=1)
    # Every nominal event passes the preselection.
    events[:, 1] = np.where(events[:, [1], 0] < 10, np.float32([12, 0.5, 0.25]), events[:, 1])
    is_harder = events[:, 2:5, 0] > events[:, [1], 0]
    events[:, 2:5][is_harder] = 0
    put_in_cache(challenge, files[0], root, events)
    put_in_cache(challenge, files[1], root, make_events(200, seed=2))
    put_in_cache(challenge, files[2], root, make_events(1000, seed=3) * np.float32([1.5, 1, 1]))
    return open_store(challenge, root)


@pytest.fixture(scope="module")
def measured(store, tmp_path_factory):
    """Nominal events and scores, their physics, and the stress of it."""
    folder = tmp_path_factory.mktemp("stress")
    mixture = write_mixture(
        store, store.challenge, folder / "mix.npy", generator=np.random.default_rng(1)
    )
    scores = {
        name: score_of(store.events(name)[mixture.indices[name]]) for name in ("background", "a")
    }
    physics = evaluate_scores(store.challenge, scores, mixture.hashes, "float")
    score = Counted()
    stress = measure_stress(store, mixture, physics, scores, score=score, folder=folder)
    assert [path.name for path in folder.iterdir()] == ["mix.npy"]
    return mixture, scores["background"], physics, stress, score


def named(stress, name):
    return next(one for one in stress.variations if one.name == name)


@pytest.mark.parametrize("variation", event_variations(), ids=lambda one: one.name)
def test_counts_are_those_of_varying_and_scoring_every_event(store, measured, variation):
    mixture, nominal, physics, stress, _ = measured
    events = np.asarray(store.events("background")[mixture.indices["background"]])
    varied = vary_events(variation, events, mixture.hashes["background"], store.challenge)

    found = named(stress, variation.name)

    assert found.n_events == len(events)
    assert found.n_selected == varied.is_selected.sum()
    for rate in found.rates:
        threshold = physics.at(rate.fpr).threshold
        passes = (score_of(varied.events) >= threshold) & varied.is_selected
        passed = nominal >= threshold
        assert rate.n_passing == passes.sum()
        assert rate.n_gained == (passes & ~passed).sum()
        assert rate.n_lost == (passed & ~passes).sum()
        assert rate.fpr_realised == passes.sum() / len(events)
        assert rate.interval == clopper_pearson(int(passes.sum()), len(events))
        assert rate.ratio == pytest.approx(passes.sum() / passed.sum())


def test_the_variations_move_this_score(measured):
    """The comparison above would hold for variations that change nothing."""
    stress = measured[3]
    assert named(stress, "jet_scale_up").rates[-1].n_gained > 0
    assert named(stress, "jet_scale_down").rates[-1].n_lost > 0
    assert named(stress, "electron_loss").n_selected < named(stress, "electron_loss").n_events


def test_only_what_a_variation_changes_is_scored_again(measured):
    mixture, nominal, _, _, score = measured
    # Five variations of each event, and 1,000 events of the other tune.
    assert 1000 < score.n_events < 5 * len(nominal) + 1000
    assert mixture.n_events < score.n_events


def test_another_simulation_is_scored_by_its_own_events(store, measured):
    physics, stress = measured[2], measured[3]
    scores = score_of(store.events("other_tune"))

    found = named(stress, "other_tune")

    assert found.n_events == 1000
    for rate in found.rates:
        n_passing = int((scores >= physics.at(rate.fpr).threshold).sum())
        assert (rate.n_passing, rate.fpr_realised) == (n_passing, n_passing / 1000)
        assert rate.n_gained is None


def test_a_file_that_is_not_here_is_said_to_be_missing(measured):
    absent = named(measured[3], "absent")

    assert isinstance(absent, SkippedVariation)
    assert "absent.h5 is not here: harness fetch toy" in absent.not_measured


def test_a_second_run_gives_the_same_record(store, measured, tmp_path):
    _, nominal, physics, stress, _ = measured
    other = write_mixture(
        store, store.challenge, tmp_path / "mix.npy", generator=np.random.default_rng(9)
    )

    signal = score_of(store.events("a")[other.indices["a"]])
    again = measure_stress(
        store,
        other,
        physics,
        {"background": nominal, "a": signal},
        score=Counted(),
        folder=tmp_path,
    )

    assert again == stress


def test_without_a_threshold_there_is_nothing_to_measure(store, measured, tmp_path):
    mixture, nominal, physics, _, _ = measured
    unreached = physics.model_copy(
        update={"working_points": (UnreachedWorkingPoint(fpr=1e-2, not_measured="too few"),)}
    )

    found = measure_stress(
        store, mixture, unreached, {"background": nominal}, score=Counted(), folder=tmp_path
    )

    assert isinstance(found, NotMeasured)
    assert "no working point was reached" in found.not_measured


def test_scores_that_are_all_tied_have_no_ratio(store, measured, tmp_path):
    mixture, nominal, _, _, _ = measured
    tied = {"background": np.zeros(len(nominal)), "a": np.zeros(200)}
    physics = evaluate_scores(store.challenge, tied, mixture.hashes, "float")

    stress = measure_stress(
        store, mixture, physics, tied, score=lambda _, n: np.zeros(n), folder=tmp_path
    )

    rate = named(stress, "met_smearing").rates[0]
    assert rate.n_passing == 0
    assert isinstance(rate.ratio, NotMeasured)
