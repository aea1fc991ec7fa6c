"""Shards: a score that depends on its company differs from shard to shard, however it is hidden."""

from functools import partial

import numpy as np
import pytest

from harness.errors import InvalidSubmissionError
from harness.metrics.consistency import check_resolution
from harness.scoring import shards as module
from harness.scoring.shards import Shards
from tests.unit.scoring.toy import N_BACKGROUND, N_SIGNAL, Process, sum_of_pt, working_point


class Run:
    """Scores the mixture in shards, each by a scorer of its own."""

    def __init__(self, mixture, folder, make_scorer, seed=5):
        self.files = []
        self.at_once = []
        self.make_scorer = make_scorer
        generator = np.random.default_rng(seed)
        self.shards = Shards.draw(mixture, ("background",), self.score, folder, generator)

    def score(self, events, n_events, at_once):
        self.files.append((events.name, n_events))
        self.at_once.append(at_once)
        return Process(self.make_scorer()).score(events, at_once)

    def checks(self, *, n_passing=300, others=()):
        scores = self.shards.score_all()
        self.shards.score_again(scores, list(others))
        threshold = np.sort(scores)[-n_passing]
        found = self.shards.compare(scores, [working_point(float(threshold))])
        return scores, {check.name: check.outcome for check in found}


@pytest.fixture
def run(mixture, tmp_path):
    return lambda make_scorer, **settings: Run(mixture, tmp_path, make_scorer, **settings)


def every_event(mixture):
    return np.load(mixture.path)


def test_an_honest_score_is_that_of_one_run_over_all_events(run, mixture):
    scores, outcomes = run(lambda: sum_of_pt).checks()

    np.testing.assert_array_equal(scores, sum_of_pt(every_event(mixture)))
    assert outcomes == {"input": "same", "sentinels": "same", "highest": "same"}


def test_other_events_come_back_in_their_order(run, mixture):
    some = [every_event(mixture)[:700] * np.float32(2.0), every_event(mixture)[:90]]
    one = run(lambda: sum_of_pt)
    scores = one.shards.score_all()

    found = one.shards.score_again(scores, some)

    for events, of_these in zip(some, found, strict=True):
        np.testing.assert_array_equal(of_these, sum_of_pt(events))


def test_a_constant_hides_nothing(run):
    """What a mean over the company adds, under a constant of ten thousand million."""

    def make_scorer():
        return lambda events: sum_of_pt(events) * (1 + 1e-3 * sum_of_pt(events).mean()) + 1e10

    assert run(make_scorer).checks()[1]["sentinels"] == "leak"


class DecidesOnce:
    """Looks at the first batch of its process, and keeps what it has seen for all others."""

    def __init__(self):
        self.scale = None

    def __call__(self, events):
        if self.scale is None:
            self.scale = (sum_of_pt(events) > 150.0).mean()
        return sum_of_pt(events) + 100.0 * self.scale * events[:, 0, 0]


class ChoosesOnce(DecidesOnce):
    """Chooses one of two scores from its company, a single bit."""

    def __call__(self, events):
        if self.scale is None:
            self.scale = (sum_of_pt(events) > 150.0).mean() > 0.05
        return sum_of_pt(events) if self.scale else events[:, 0, 0].astype(float)


class TrainsWhileScoring(DecidesOnce):
    """Scores by the distance from the mean of its whole shard."""

    def __call__(self, events):
        if self.scale is None:
            self.scale = events.mean(axis=0)
        return ((events - self.scale) ** 2).sum(axis=(1, 2)).astype(float)


class BetraysTheTail:
    """Hides a rank within the company where the spread of all scores is wide."""

    def __call__(self, events):
        wide = (np.abs(events[:, 1, 1]) * 1e7) % 1e6
        is_high = sum_of_pt(events) > 200.0
        ranks = np.argsort(np.argsort(sum_of_pt(events) % 7.0)) / len(events)
        return np.where(is_high, 1e6 + ranks, wide)


@pytest.mark.parametrize(
    "make_scorer", [DecidesOnce, ChoosesOnce, TrainsWhileScoring, BetraysTheTail]
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_a_process_learns_from_its_shard_shows(run, make_scorer, seed):
    assert "leak" in run(make_scorer, seed=seed).checks()[1].values()


def test_a_hidden_tail_is_found_by_the_cut_alone(run, monkeypatch):
    """Within the tolerance of the spread, so only who passes the cut tells."""
    monkeypatch.setattr("harness.metrics.consistency._CROSSING_SHARE", 1.0)
    assert run(BetraysTheTail).checks()[1]["highest"] == "noise"


@pytest.mark.parametrize("seed", range(5, 9))
def test_a_sentinel_that_sets_the_cut_crosses_it_once_however_often_it_is_scored(
    run, mixture, seed
):
    """Rounding lifts or lowers it in every shard: one event, not one for each shard."""
    signs = iter([1, -1] * 20)
    one = run(lambda: partial(rounded, 1e-6 * next(signs)), seed=seed)
    n_above = (sum_of_pt(every_event(mixture)) > sentinel_score(one, mixture)).sum()

    outcomes = one.checks(n_passing=int(n_above) + 1)[1]

    assert outcomes == {"input": "same", "sentinels": "noise", "highest": "noise"}


def rounded(shift, events):
    return sum_of_pt(events) + shift


def sentinel_score(run, mixture):
    """The 20th highest score of a sentinel: a single event crosses a cut that few pass."""
    return np.sort(sum_of_pt(every_event(mixture)[run.shards.sentinels]))[-20]


def test_a_single_event_of_the_highest_that_differs_is_found(run, mixture):
    highest = np.sort(sum_of_pt(every_event(mixture)))[-1]

    class Betrays:
        def __init__(self):
            self.shift = np.random.default_rng().uniform(1.0, 2.0)

        def __call__(self, events):
            return sum_of_pt(events) * np.where(sum_of_pt(events) >= highest, self.shift, 1.0)

    assert run(Betrays).checks()[1]["highest"] == "leak"


def test_nothing_tells_one_shard_from_another(run, mixture):
    one = run(lambda: sum_of_pt)
    one.checks(others=[every_event(mixture)[:20_000]])

    assert len(one.files) >= module.MIN_SHARDS + 2
    assert {name for name, _ in one.files} == {"shard.npy"}
    sizes = [n_events for _, n_events in one.files]
    # The sizes of the last ones, which are no official scores, lie among those of the others.
    assert min(sizes[:4]) * 0.4 < min(sizes[4:])
    assert max(sizes[4:]) < 2.5 * max(sizes[:4])
    assert len(set(one.at_once)) == len(one.at_once)


def test_shards_differ_in_their_share_of_signal_and_one_has_none(run, mixture):
    known = {event.tobytes() for event in every_event(mixture)[mixture.rows["signal"]]}
    shares = []

    def watch(events):
        shares.append(np.mean([event.tobytes() in known for event in events]))
        return sum_of_pt(events)

    one = run(lambda: watch)
    one.score = lambda events, n_events, at_once: watch(np.load(events))
    one.shards.score = one.score
    one.shards.score_all()

    n_sentinels = len(one.shards.sentinels)
    overall = N_SIGNAL / (N_BACKGROUND + N_SIGNAL)
    assert min(shares) < 2 * overall * n_sentinels / (N_BACKGROUND / module.MIN_SHARDS)
    assert max(shares) > 1.3 * overall


def test_the_same_score_for_all_events_is_refused(run):
    with pytest.raises(InvalidSubmissionError, match="all 34000 events have the score 1"):
        run(lambda: lambda events: np.ones(len(events))).checks()


def test_a_constant_that_swallowed_the_scores_is_refused():
    scores = np.random.default_rng(1).normal(size=1000)

    check_resolution(scores + 1e8)
    for swallowed in (scores + 1e13, (scores + 1e5).astype(np.float32).astype(np.float64)):
        with pytest.raises(InvalidSubmissionError, match="subtract the constant"):
            check_resolution(swallowed)
