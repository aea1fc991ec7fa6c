"""A fault of the detector is found and named; without one there are few alarms, as is stated."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import hypergeom

from harness.board.watch_report import NOT_KNOWN
from harness.challenge import Condition
from harness.data.manifest import load_manifest
from harness.errors import UsageError
from harness.trigger import trials
from harness.trigger.accept import run_trigger
from harness.trigger.alarms import (
    DAY_S,
    SECTION_S,
    WINDOWS,
    Watched,
    alarm_p,
    change_point,
    p_values,
    raise_alarms,
)
from harness.trigger.folder import AcceptedEvents, held, read_run
from harness.trigger.page import watch_page
from harness.trigger.passes import Family
from harness.trigger.properties import Properties, Spectrum, properties_of
from harness.trigger.trials import TRIALS, fault_of
from harness.trigger.watch import _alarm, _which, watch_folder
from tests.events import LAYOUT, make_events
from tests.trigger_streams import met_score, settings, source

SAMPLE = load_manifest().challenge("sample")
N_SECTIONS, N_IN_SECTION = 24, 400


def accepted(events: np.ndarray) -> AcceptedEvents:
    n = np.arange(len(events))
    return AcceptedEvents(
        events=events,
        sections=n,
        rows=n,
        scores=met_score([events]),
        thresholds=np.zeros(len(n)),
        sources=np.full(len(n), "toy"),
    )


def run(folder: Path, events: np.ndarray, **changes: object) -> Path:
    given = settings(**{"threshold": 0.0, "section_events": N_IN_SECTION, **changes})
    with held(folder):
        run_trigger([source("a.h5", events, piece=5_000)], given, met_score, folder)
    return folder


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    return run(tmp_path_factory.mktemp("reference"), make_events(12_000, seed=31))


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    events = make_events(N_SECTIONS * N_IN_SECTION, seed=32)
    return run(tmp_path_factory.mktemp("good"), events)


def test_a_count_is_compared_by_the_hypergeometric_tail():
    watched = Watched(
        counts=np.array([[30]]), trials=np.array([100]), reference=np.array([50]),
        reference_trials=1_000,
    )  # fmt: skip

    p, is_more = p_values(watched, 1)

    assert p[0, 0] == pytest.approx(hypergeom.sf(29, 1_100, 80, 100))
    assert is_more[0, 0]


def test_windows_add_up_the_last_sections():
    """No single section is far off, four of them are."""
    counts = np.array([[10], [10], [17], [17], [17], [17]])
    watched = Watched(
        counts=counts, trials=np.full(6, 100), reference=np.array([1_000]), reference_trials=10_000
    )
    (raised,) = raise_alarms(watched, 5e-5)

    assert (raised.at, raised.is_more) == (5, True)
    assert p_values(watched, 1)[0].min() > 1e-3


def test_the_change_point_is_where_the_share_changes():
    counts = np.concatenate([np.full(30, 50), np.full(12, 35)])
    assert change_point(counts, np.full(42, 1_000), 0.05) == 30


@pytest.mark.parametrize("n_block", [7, 40, 300])
def test_blocks_of_sections_give_what_all_of_them_at_once_give(n_block):
    """Windows reach over the ends of blocks; the change comes before, at and after them."""
    generator = np.random.default_rng(9)
    trials = generator.integers(80, 120, 300)
    shares = np.full((300, 6), 0.2)
    for column, first in enumerate((5, 39, 40, 41, 250)):
        shares[first:, column] = 0.4 if column % 2 else 0.05
    counts = generator.binomial(trials[:, None], shares)
    reference = np.full(6, 2_000)
    watched = Watched(counts=counts, trials=trials, reference=reference, reference_trials=10_000)
    family = Family(reference=reference, reference_trials=10_000, p_alarm=1e-5, n_sections=300)
    ends = [slice(first, first + n_block) for first in range(0, 300, n_block)]

    for some in ends:
        family.feed(counts[some], trials[some])
    tracing = family.trace()
    for some in ends:
        tracing.feed(counts[some], trials[some])

    assert family.raised == raise_alarms(watched, 1e-5)
    assert len(family.raised) == 5
    for raised in family.raised:
        traced = tracing.found()[raised.prop]
        whole = change_point(counts[:, raised.prop], trials, 0.2)
        assert traced.start == min(whole, raised.at)
        np.testing.assert_array_equal(traced.before, counts[: traced.start].sum(axis=0))
        assert traced.before_trials == trials[: traced.start].sum()
    groups = np.array_split(np.arange(300), 100)
    np.testing.assert_array_equal(family.grouped, [counts[some].sum(axis=0) for some in groups])
    np.testing.assert_array_equal(family.grouped_trials, [trials[some].sum() for some in groups])


def test_memory_of_the_watch_does_not_grow_with_the_number_of_sections():
    family = Family(
        reference=np.ones(500, np.int64), reference_trials=100, p_alarm=1e-9, n_sections=100_000
    )
    for _ in range(20):
        family.feed(np.zeros((256, 500), np.int64), np.full(256, 10))
    arrays = [getattr(family, name) for name in family.__slots__]
    n_bytes = sum(one.nbytes for one in arrays if isinstance(one, np.ndarray))
    assert n_bytes < 200 * 500 * 8


def test_events_are_counted_in_blocks_as_they_are_at_once(monkeypatch):
    monkeypatch.setattr("harness.trigger.properties._BLOCK_SECTIONS", 4)
    known = accepted(make_events(60, seed=1))
    found = replace(known, sections=np.sort(np.arange(60) % 15))
    properties = properties_of(LAYOUT, known)
    sections = np.arange(23)
    parts = [found.part(first, first + 7) for first in range(0, 60, 7)]

    whole = properties.count(parts, sections)
    blocks = list(properties.blocks(parts, sections))

    assert [len(one.sections) for one in blocks] == [4] * 5 + [3]
    np.testing.assert_array_equal(np.concatenate([one.n_events for one in blocks]), whole.n_events)
    for name, counts in whole.maps.items():
        np.testing.assert_array_equal(np.concatenate([one.maps[name] for one in blocks]), counts)


def test_nothing_is_said_of_events_like_the_reference(good, reference):
    report = watch_folder(good, reference)
    assert report.alarms == ()
    assert report.verdict == f"as in the reference, in {N_SECTIONS} sections"


@pytest.mark.parametrize(
    ("trial", "words"),
    [
        ("dead_region", "jets at eta"),
        ("hot_cell", "electrons at eta 1.0 to 1.5, phi 2.0 to 2.4 are"),
        ("noise", "number of electrons"),
        ("pile_up", "number of jets"),
    ],
)
def test_a_fault_is_found_and_named_within_twenty_sections(
    good, reference, monkeypatch, trial, words
):
    # The toys have two electrons each, and sections of 400 events.
    monkeypatch.setattr(trials, "NOISE_SHARE", 0.5)

    report = watch_folder(good, reference, fault=fault_of(trial, SAMPLE), trial=trial)

    assert report.trial_from == N_SECTIONS // 2
    first = next(alarm for alarm in report.alarms if words in alarm.sentence)
    assert report.trial_from <= first.raised < N_SECTIONS
    assert abs(first.since - report.trial_from) <= 2
    assert f"since section {first.since}" in first.sentence


def test_the_page_shows_each_alarm_with_its_pictures(good, reference):
    report = watch_folder(good, reference, fault=fault_of("dead_region", SAMPLE), trial="x")
    page = watch_page(report)
    jets = next(alarm for alarm in report.alarms if alarm.what == "jet")

    assert all(escape(alarm.sentence) in page for alarm in report.alarms)
    assert page.count("<svg") == len(report.alarms) + sum(bool(one.map) for one in report.alarms)
    assert "<script" not in page
    assert not re.search(r"(src|href)=|https?://|url\(", page)
    # Phi from 0 to 20 degrees is the ninth column: it lacks what the others have.
    ratios = np.reshape(jets.map, (16, 16))
    assert np.median(ratios[:, 8]) < 0.5
    assert np.median(ratios) > 0.7
    before, after = np.array_split(jets.trend, 2)
    assert before.mean() > 1.5 * after.mean()


def test_a_scale_of_pt_moves_every_filled_slot_and_no_other():
    events = accepted(make_events(50, seed=3))
    changed = fault_of("pt_scale", SAMPLE)(events).events

    np.testing.assert_allclose(changed[..., 0], events.events[..., 0] * 1.03, rtol=1e-6)
    np.testing.assert_array_equal(changed[..., 1:], events.events[..., 1:])


@pytest.mark.parametrize("trial", sorted(TRIALS))
def test_a_fault_leaves_events_that_the_layout_allows(trial):
    events = accepted(make_events(300, seed=3))
    changed = fault_of(trial, SAMPLE)(events).events

    assert changed.shape == events.events.shape
    assert np.isfinite(changed).all()
    assert (changed != events.events).any()
    assert (changed[..., 1:][changed[..., 0] == 0] == 0).all()


def test_a_rate_that_rises_is_an_alarm_of_its_own(tmp_path):
    quiet = make_events(16_000, seed=41)
    loud = quiet[:8_000].copy()
    loud[4_000:, 0, 0] *= 1.5
    report = watch_folder(
        run(tmp_path / "now", loud, threshold=40.0), run(tmp_path / "before", quiet, threshold=40.0)
    )
    first = next(alarm for alarm in report.alarms if alarm.family == "rate")

    assert "the rate of accepted events is" in first.sentence
    assert "more since section" in first.sentence
    assert 10 <= first.raised <= 12


NPV = Condition(name="npv", title="Pile-up", column="nPV", edges=(20.0, 40.0, 50.0, 60.0))


def piled_up(folder: Path, n_events: int, *, seed: int, loss_at_high: float = 0.0) -> Path:
    """Run a trigger on events whose pile-up is known, of which it loses some at high pile-up."""
    generator = np.random.default_rng(seed)
    events = make_events(n_events, seed=seed)
    pile_up = generator.uniform(15.0, 65.0, n_events)
    pile_up[::1000] = np.nan
    is_lost = (pile_up >= 50.0) & (generator.random(n_events) < loss_at_high)
    events[is_lost, 0, 0] = 1.0
    given = settings(threshold=20.0, section_events=1_000, conditions=(NPV,))
    with held(folder):
        name = "a.h5"
        run_trigger([source(name, events, beside={"npv": pile_up})], given, met_score, folder)
    return folder


def test_the_rate_by_pile_up_is_counted_and_a_loss_at_high_pile_up_is_named(tmp_path):
    good = piled_up(tmp_path / "good", 12_000, seed=51)
    bad = piled_up(tmp_path / "bad", 12_000, seed=52, loss_at_high=0.5)

    quiet = watch_folder(piled_up(tmp_path / "again", 12_000, seed=53), good)
    report = watch_folder(bad, good)

    assert quiet.alarms == ()
    low, middle, high = report.conditions
    assert [one.label for one in report.conditions] == ["20 to 40", "40 to 50", "50 to 60"]
    # What is beyond is in the outermost bins; the twelve without a number are in none.
    assert low.n_events + middle.n_events + high.n_events == 12_000 - 12
    assert middle.n_events == pytest.approx(12_000 / 5, rel=0.1)
    assert high.rate == pytest.approx(high.reference_rate / 2, rel=0.15)
    assert low.interval.lower < low.reference_rate < low.interval.upper
    assert any(
        one.sentence.startswith("the rate of accepted events at Pile-up 50 to 60 is")
        for one in report.alarms
    )
    assert "Pile-up 50 to 60" in watch_page(report)
    assert read_run(bad).settings.conditions == (NPV,)


def test_without_the_pile_up_its_dependence_is_not_known(good, reference):
    report = watch_folder(good, reference)
    assert report.conditions == ()
    assert NOT_KNOWN in watch_page(report)


def test_a_reference_with_other_settings_and_an_unknown_trial_are_refused(tmp_path, good):
    other = run(tmp_path, make_events(500, seed=2), threshold=1.0)
    with pytest.raises(UsageError, match="its threshold is another"):
        watch_folder(good, other)
    with pytest.raises(UsageError, match="no trial 'earthquake'"):
        fault_of("earthquake", SAMPLE)


@pytest.mark.parametrize("unit", ["m^{2}", "{", "{0.__class__}"])
def test_braces_in_a_unit_are_text(unit):
    spectrum = Spectrum(name="area", title="Area", unit=unit, cuts=np.array([3.0]))
    counts = np.concatenate([np.full(10, 20), np.full(10, 60)])
    family = Family(
        reference=np.array([2_000]), reference_trials=10_000, p_alarm=1e-5, n_sections=20
    )
    family.feed(counts[:, None], np.full(20, 100))
    tracing = family.trace()
    tracing.feed(counts[:, None], np.full(20, 100))
    (raised,) = family.raised
    when = raised, tracing.found()[0]

    alarm = _alarm("spectrum", "area", family, when, np.arange(20), [0], _which(spectrum, 0))

    assert alarm.sentence == (
        f"events with area of at least 3 {unit} are 3 times as many since section 10 "
        "(600 events, 200 expected)"
    )


# --- false alarms -------------------------------------------------------------------------------


def matrix_of(properties: Properties, population: AcceptedEvents) -> dict[str, np.ndarray]:
    """Which properties each event of a population has, by family; shape (n, n_properties)."""
    counts = properties.count([population], population.sections)
    return {
        "occupancy": np.hstack(list(counts.maps.values())).astype(np.uint8),
        "spectrum": np.hstack(list(counts.spectra.values())).astype(np.uint8),
    }


def false_alarms(
    *, n_days: int, n_sections: int, n_in_section: int, per_day: float, seed: int
) -> int:
    """Count the alarms of days whose events, and reference, are drawn from one population."""
    generator = np.random.default_rng(seed)
    population = accepted(make_events(5_000, seed=seed))
    matrices = matrix_of(properties_of(LAYOUT, population), population)
    n_alarms = 0
    for _ in range(n_days):
        reference = generator.integers(0, 5_000, 20_000)
        rows = generator.integers(0, 5_000, (n_sections, n_in_section))
        for matrix in matrices.values():
            watched = Watched(
                counts=np.stack([matrix[some].sum(axis=0, dtype=np.int64) for some in rows]),
                trials=np.full(n_sections, n_in_section),
                reference=matrix[reference].sum(axis=0, dtype=np.int64),
                reference_trials=20_000,
            )
            cut = alarm_p(matrix.shape[1], per_day=per_day / 2)
            n_alarms += len({raised.at for raised in raise_alarms(watched, cut)})
    return n_alarms


def test_there_are_no_more_false_alarms_than_stated_reduced():
    """A tenth of a day at a budget of 100 alarms a day: at most ten are expected."""
    n_sections = int(DAY_S / SECTION_S / 10)
    found = false_alarms(n_days=1, n_sections=n_sections, n_in_section=50, per_day=100.0, seed=6)
    assert found <= 20


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_there_are_no_more_false_alarms_than_stated_in_ten_days():
    """At a budget of one a day; 19 or more of an expected ten happen in one of a hundred trials."""
    n_sections = int(DAY_S / SECTION_S)
    found = false_alarms(n_days=10, n_sections=n_sections, n_in_section=60, per_day=1.0, seed=7)
    assert found <= 18


def test_the_bound_is_that_of_boole():
    n_tests = 800 * len(WINDOWS) * 2 * DAY_S / SECTION_S
    assert alarm_p(800, per_day=1.0) * n_tests == pytest.approx(1.0)


def test_an_event_with_two_objects_in_a_cell_counts_once():
    events = np.zeros((1, *LAYOUT.shape), np.float32)
    events[0, 9:11] = [[50.0, 0.1, 0.1], [40.0, 0.2, 0.2]]
    known = accepted(np.concatenate([events, make_events(50, seed=1)]))
    one = replace(known, **{name: getattr(known, name)[:1] for name in known.__slots__})

    counts = properties_of(LAYOUT, known).count([one], np.array([0]))

    assert counts.maps["jet"].sum() == 1
