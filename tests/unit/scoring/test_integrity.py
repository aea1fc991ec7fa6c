"""Integrity: every way of cheating that the checks are there for is found, and honesty is not."""

from dataclasses import replace

import numpy as np
import pytest

from harness.challenge import EventLayout
from harness.errors import InvalidSubmissionError, Problem, SubmissionError
from harness.files import fast_digest
from harness.scoring.integrity import OTHER_BATCH, Scored, Sizes, check_integrity
from harness.scoring.symmetry import recall_warnings
from tests.unit.scoring.toy import LAYOUT, N_BACKGROUND, N_SIGNAL, Process, sum_of_pt, working_point

SIZES = Sizes(compared=20_000, alone=40, turned=2_000)
SAME = ("batch_size", "repeat", "order", "subset", "background_alone", "alone")
AT_ONCE = 512


class Harness:
    """Runs the checks on a scorer; counts the processes that they start."""

    def __init__(self, mixture, folder, make_scorer):
        self.mixture, self.folder, self.make_scorer = mixture, folder, make_scorer
        self.n_processes = 0
        self.names = []

    def score_batches(self, batches):
        self.n_processes += 1
        self.names.append([batch.events.stem for batch in batches])
        return Process(self.make_scorer())(batches)

    def checks(self, *, point=None, sizes=SIZES, layout=LAYOUT, digest=None):
        before = digest or fast_digest(self.mixture.path)
        scores = Process(self.make_scorer()).score(self.mixture.path, AT_ONCE)
        scored = Scored(
            mixture=self.mixture, scores=scores, background=("background",), at_once=AT_ONCE
        )
        found = check_integrity(
            scored,
            digest=before,
            layout=layout,
            points=() if point is None else (point,),
            score=self.score_batches,
            folder=self.folder,
            generator=np.random.default_rng(5),
            sizes=sizes,
        )
        return {check.name: check for check in found}


@pytest.fixture
def harness(mixture, tmp_path):
    return lambda make_scorer: Harness(mixture, tmp_path, make_scorer)


def outcomes(checks):
    return {name: checks[name].outcome for name in SAME}


def test_an_honest_score_is_the_same_in_every_way(harness):
    checks = harness(lambda: sum_of_pt).checks()
    assert outcomes(checks) == dict.fromkeys(SAME, "same")
    assert checks["input"].outcome == "same"
    assert checks["alone"].n_events == 40
    assert checks["batch_size"].n_events == 20_000
    assert checks["subset"].n_events == 10_000


def test_all_checks_take_one_process(harness):
    run = harness(lambda: sum_of_pt)
    run.checks()
    assert run.n_processes == 1
    assert run.names[0][:2] == ["batch_size", "batch_size"]


def test_rounding_that_hangs_on_the_batch_is_noise(harness):
    """Sums in float32, in an order that depends on how many events are scored at once."""

    def scorer(events):
        pt = events[:, :, 0]
        order = [0, 1, 2, 3] if len(events) == AT_ONCE else [3, 1, 2, 0]
        total = np.zeros(len(events), np.float32)
        for column in order:
            total = total + pt[:, column] / np.float32(3.0)
        return total

    checks = harness(lambda: scorer).checks()
    assert checks["batch_size"].outcome == "noise"
    assert 0 < checks["batch_size"].max_difference < 1e-5
    assert checks["repeat"].outcome in ("same", "noise")
    assert "leak" not in outcomes(checks).values()


class CountsCalls:
    def __init__(self):
        self.n_calls = 0

    def __call__(self, events):
        self.n_calls += 1
        return sum_of_pt(events) + self.n_calls


class RemembersEvents:
    """Gives an event that it has met before another score."""

    def __init__(self):
        self.seen = set()

    def __call__(self, events):
        keys = [event.tobytes() for event in events]
        known = np.array([key in self.seen for key in keys])
        self.seen.update(keys)
        return sum_of_pt(events) + 100.0 * known


def centred_in_batch(events):
    score = sum_of_pt(events)
    return score - score.mean()


def ranked_in_batch(events):
    return np.argsort(np.argsort(sum_of_pt(events))) / len(events)


def by_position(events):
    return sum_of_pt(events) + np.linspace(0.0, 50.0, len(events))


def random_score():
    rng = np.random.default_rng()
    return lambda events: sum_of_pt(events) + rng.normal(size=len(events))


def smeared_by_neighbours(events):
    return sum_of_pt(events) + 0.1 * np.roll(sum_of_pt(events), 1)


@pytest.mark.parametrize(
    ("make_scorer", "found_by"),
    [
        (CountsCalls, {"subset", "repeat", "batch_size", "order", "background_alone", "alone"}),
        (RemembersEvents, {"subset", "repeat", "order", "background_alone", "alone"}),
        (lambda: centred_in_batch, {"subset", "batch_size", "order", "background_alone", "alone"}),
        (lambda: ranked_in_batch, {"subset", "batch_size", "order", "background_alone", "alone"}),
        (lambda: by_position, {"subset", "batch_size", "order", "background_alone", "alone"}),
        (random_score, {"subset", "repeat", "batch_size", "order", "background_alone", "alone"}),
        (lambda: smeared_by_neighbours, {"subset", "order", "background_alone", "alone"}),
    ],
    ids=["counter", "cache", "centred", "ranked", "position", "random", "neighbours"],
)
def test_a_score_that_depends_on_more_than_its_event_is_a_leak(harness, make_scorer, found_by):
    found = outcomes(harness(make_scorer).checks())
    assert {name for name, outcome in found.items() if outcome == "leak"} >= found_by


def test_a_leak_below_the_rounding_is_found_where_it_goes_with_the_batch(harness):
    """A thousandth of a per mille of the batch's mean: too small for the tolerance alone."""

    def scorer(events):
        score = sum_of_pt(events)
        return score + 1e-4 * score.mean()

    checks = harness(lambda: scorer).checks()
    assert checks["batch_size"].outcome == "leak"
    assert checks["batch_size"].max_difference < 2.0**-13
    assert "other events of the batch" in checks["batch_size"].detail


def test_a_changed_input_is_found(harness, mixture):
    original = mixture.path.read_bytes()

    class Vandal:
        """Writes into its input, once it has scored it."""

        def __call__(self, events):
            with mixture.path.open("r+b") as file:
                file.seek(-4, 2)
                file.write(b"\x00\x00\x80?")
            return sum_of_pt(events)

    try:
        assert harness(Vandal).checks()["input"].outcome == "leak"
    finally:
        mixture.path.write_bytes(original)
    assert harness(lambda: sum_of_pt).checks()["input"].outcome == "same"


# --- which events ------------------------------------------------------------------------------


def test_the_events_of_the_highest_scores_are_among_the_compared(harness, mixture, tmp_path):
    """A scorer that betrays its five highest events alone is found with 2,000 of 34,000."""
    every = np.sort(sum_of_pt(np.load(mixture.path)))

    class BetraysTheTop:
        def __init__(self):
            self.n_calls = 0

        def __call__(self, events):
            self.n_calls += 1
            score = sum_of_pt(events)
            return np.where(score >= every[-5], score + self.n_calls, score)

    checks = harness(BetraysTheTop).checks(sizes=Sizes(compared=2_000, alone=10, turned=100))
    assert checks["repeat"].outcome == "leak"


def test_small_data_are_compared_whole(harness):
    checks = harness(lambda: sum_of_pt).checks(sizes=Sizes(compared=10**6, alone=5, turned=10**6))
    assert checks["order"].n_events == N_BACKGROUND + N_SIGNAL
    assert checks["background_alone"].n_events == N_BACKGROUND
    assert checks["phi_rotation"].n_events == N_SIGNAL


def test_background_of_one_score_is_not_scored_alone(harness):
    """All background below a step: a constant output would be refused as a broken network."""

    def step(events):
        return (sum_of_pt(events) > 400.0).astype(float)

    checks = harness(lambda: step).checks()
    assert "background_alone" not in checks
    assert checks["order"].outcome == "same"


def test_batches_are_of_the_sizes_that_they_say(mixture, tmp_path):
    seen = {}

    def watch(batches):
        for batch in batches:
            assert len(np.load(batch.events)) == batch.n_events
            seen.setdefault(batch.events.stem, []).append(batch.at_once)
        return Process(sum_of_pt)(batches)

    scores = Process(sum_of_pt).score(mixture.path, AT_ONCE)
    check_integrity(
        Scored(mixture=mixture, scores=scores, background=("background",), at_once=AT_ONCE),
        digest="",
        layout=LAYOUT,
        points=(),
        score=watch,
        folder=tmp_path,
        generator=np.random.default_rng(1),
        sizes=replace(SIZES, turned_at_once=4_096),
    )
    assert seen == {
        "batch_size": [OTHER_BATCH, OTHER_BATCH],
        "order": [OTHER_BATCH],
        "subset": [OTHER_BATCH],
        "background_alone": [OTHER_BATCH],
        "alone": [1],
        "phi_rotation": [4_096],
        "eta_flip": [4_096],
        "pt_shift": [4_096],
    }
    order = np.load(tmp_path / "order.npy")
    batches = np.load(tmp_path / "batch_size.npy")
    assert not np.array_equal(order, batches)
    np.testing.assert_array_equal(np.sort(sum_of_pt(order)), np.sort(sum_of_pt(batches)))


# --- diagnostics -------------------------------------------------------------------------------


def test_a_symmetric_score_keeps_its_rates(harness):
    checks = harness(lambda: sum_of_pt).checks(point=working_point(150.0))
    for name in ("phi_rotation", "eta_flip"):
        assert checks[name].outcome == "diagnostic"
        assert checks[name].max_difference == 0.0
        before, after = rates_of(checks[name], "signal")
        assert 5 < before == after < 95


def rates_of(check, process):
    rate = check.rates[process]
    assert f"{process} {100 * rate.before:.3g} -> {100 * rate.after:.3g} %" in check.detail
    assert rate.difference.lower <= rate.after - rate.before <= rate.difference.upper
    return [100 * rate.before, 100 * rate.after]


def test_a_memory_of_the_test_events_shows_as_a_lost_rate(harness, mixture):
    """Knows every signal event by heart; turned or mirrored, they are new to it."""
    known = {event.tobytes() for event in np.load(mixture.path)[mixture.rows["signal"]]}

    def scorer(events):
        return np.array([float(event.tobytes() in known) for event in events])

    checks = harness(lambda: scorer).checks(point=working_point(0.5))
    assert outcomes(checks)["subset"] == "same"
    for name in ("phi_rotation", "eta_flip", "pt_shift"):
        before, after = rates_of(checks[name], "signal")
        assert before == 100.0
        assert after < 10.0
    (warning,) = recall_warnings(tuple(checks.values()))
    assert "the TPR of signal falls from 100 to" in warning


def test_a_memory_of_rounded_momenta_shows_where_they_are_moved(harness, mixture):
    """Knows the pT of every signal event to 1 %; angles are not looked at."""

    def rounded(events):
        pt = np.round(np.log(np.maximum(events[:, :, 0], 1e-3)) * 500).astype(int)
        return [row.tobytes() for row in pt]

    known = set(rounded(np.load(mixture.path)[mixture.rows["signal"]]))

    def scorer(events):
        return np.array([float(key in known) for key in rounded(events)])

    checks = harness(lambda: scorer).checks(point=working_point(0.5))

    assert rates_of(checks["phi_rotation"], "signal") == [100.0, 100.0]
    assert rates_of(checks["eta_flip"], "signal") == [100.0, 100.0]
    assert rates_of(checks["pt_shift"], "signal")[1] < 50.0
    assert len(list(recall_warnings(tuple(checks.values())))) == 1


def test_an_honest_score_gives_no_warning(harness):
    for point in (working_point(150.0), working_point(10.0)):
        checks = harness(lambda: sum_of_pt).checks(point=point)
        assert list(recall_warnings(tuple(checks.values()))) == []


def test_a_strict_cut_is_passed_from_above(harness):
    def plateau(events):
        return np.minimum(sum_of_pt(events), 10.0)

    loose = harness(lambda: plateau).checks(point=working_point(10.0))
    strict = harness(lambda: plateau).checks(point=working_point(10.0, is_strict=True))
    assert rates_of(loose["eta_flip"], "signal")[0] > 90.0
    assert rates_of(strict["eta_flip"], "signal") == [0.0, 0.0]


def test_without_a_working_point_the_diagnostics_say_so(harness):
    assert "not reached" in harness(lambda: sum_of_pt).checks()["eta_flip"].detail


def test_a_layout_without_angles_has_no_symmetries(harness):
    layout = EventLayout(objects=LAYOUT.objects, features=("energy", "mass", "charge"))
    checks = harness(lambda: sum_of_pt).checks(layout=layout)
    assert set(checks) == {"input", *SAME, "phi_rotation", "eta_flip", "pt_shift"}
    assert checks["phi_rotation"].detail == "not measured: the layout has no pt and phi"
    assert checks["eta_flip"].n_events == 0


@pytest.mark.parametrize("kind", [InvalidSubmissionError, SubmissionError])
def test_a_failure_on_turned_events_costs_the_diagnostics_alone(harness, kind):
    """Mirrored events have what the scorer has never seen; the comparisons still count."""
    run = harness(lambda: sum_of_pt)
    whole = run.score_batches

    def fails_if_turned(batches):
        if any(batch.events.stem == "phi_rotation" for batch in batches):
            raise kind(Problem(what="3 scores are NaN"))
        return whole(batches)

    run.score_batches = fails_if_turned
    checks = run.checks()
    assert outcomes(checks) == dict.fromkeys(SAME, "same")
    assert checks["phi_rotation"].n_events == 0
    assert "3 scores are NaN" in checks["phi_rotation"].detail


def test_a_failure_on_the_same_events_is_the_submissions(harness):
    def fails(batches):
        raise SubmissionError("division by zero")

    run = harness(lambda: sum_of_pt)
    run.score_batches = fails
    with pytest.raises(SubmissionError, match="division by zero"):
        run.checks()


def test_sizes_shrink_for_a_slow_scorer_and_never_below_five_thousand():
    assert Sizes.within(2.0, events_per_s=1e9) == Sizes()
    slow = Sizes.within(2.0, events_per_s=116_000.0)
    assert (slow.compared, slow.turned) == (8_000, 16_000)
    assert Sizes.within(2.0, events_per_s=1.0).compared == 5_000
