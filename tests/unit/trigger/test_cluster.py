"""Clusters: the global p-value is uniform on expectation alone, and a signal is found."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binomtest, kstest

from harness.errors import DataError, UsageError
from harness.trigger.accept import run_trigger
from harness.trigger.cells import Excess, find_cells, measure_excess
from harness.trigger.cluster import _verdict, cluster_events
from harness.trigger.folder import held, read_run
from harness.trigger.page import cluster_page
from harness.trigger.pool import read_pool
from harness.trigger.reading import read_all, read_sections
from harness.trigger.records import Steering
from tests.events import make_events
from tests.trigger_streams import accept, met_score, settings, signal_events, source

SHARE = 0.4


def accepted(folder: Path, events, **changes) -> Path:
    return accept(folder, events, "a.h5", **changes)


@pytest.fixture(scope="module")
def expectation(tmp_path_factory) -> Path:
    return accepted(tmp_path_factory.mktemp("expected"), make_events(6_000, seed=21))


@pytest.fixture(scope="module")
def found(tmp_path_factory, expectation):
    events = np.concatenate([make_events(4_000, seed=22), signal_events(60)])
    folder = accepted(tmp_path_factory.mktemp("data"), events, input_rate_hz=1000.0)
    return cluster_events(folder, [expectation], n_toys=2_000)


def p_values(n_trials: int, *, is_shape_only: bool, seed: int) -> np.ndarray:
    """Global p-values of trials in which the labels are drawn by lot."""
    generator = np.random.default_rng(seed)
    found = []
    for trial in range(n_trials):
        points = generator.standard_normal((400, 3)) * [1.0, 1.0, 0.2]
        points[:, 1] = np.exp(points[:, 1])
        is_observed = generator.random(len(points)) < SHARE
        excess = measure_excess(
            find_cells(points, seed=trial),
            is_observed,
            observed_share=None if is_shape_only else SHARE,
            n_toys=199,
            generator=generator,
        )
        found.append(excess.global_p)
    return np.array(found)


def assert_uniform(found: np.ndarray) -> None:
    assert kstest(found, "uniform").pvalue > 0.01
    for level in (0.05, 0.2):
        n_below = int((found <= level).sum())
        assert binomtest(n_below, len(found), level).pvalue > 0.005


@pytest.mark.parametrize("is_shape_only", [False, True])
def test_the_global_p_value_is_uniform_on_expectation_alone_reduced(is_shape_only):
    assert_uniform(p_values(25, is_shape_only=is_shape_only, seed=3))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_global_p_value_of_whole_reports_is_uniform_in_200_trials(tmp_path):
    found = []
    for trial in range(200):
        observed = accepted(tmp_path / f"data{trial}", make_events(2_000, seed=1_000 + trial))
        expected = accepted(tmp_path / f"mc{trial}", make_events(3_000, seed=5_000 + trial))
        found.append(cluster_events(observed, [expected], n_toys=999, seed=trial).global_p)
    assert_uniform(np.array(found))


def test_the_order_of_events_does_not_change_the_cells():
    """Observed events are given first: k-means, which picks starts by position, must not see it."""
    generator = np.random.default_rng(5)
    points = generator.standard_normal((900, 3))
    points[100:150] = points[:50]
    points[200] = -0.0
    points[300] = 0.0
    order = generator.permutation(len(points))

    found = find_cells(points, seed=2)
    permuted = find_cells(points[order], seed=2)

    assert len(found.names) > 100
    assert permuted.names == found.names
    np.testing.assert_array_equal(
        permuted.members[permuted.atoms], found.members[found.atoms][order]
    )
    held = found.members[found.atoms]
    np.testing.assert_array_equal(held[100:150], held[:50])


def test_the_local_p_value_of_one_cell_is_the_binomial_one():
    """All events in one place: ten of them, four of which were observed."""
    is_observed = np.arange(10) < 4
    excess = measure_excess(
        find_cells(np.zeros((10, 2)), seed=1),
        is_observed,
        observed_share=0.25,
        n_toys=20_000,
        generator=np.random.default_rng(1),
    )

    by_hand = binomtest(4, 10, 0.25, alternative="greater").pvalue
    assert excess.local_p.tolist() == [pytest.approx(by_hand)]
    assert excess.global_p == pytest.approx(by_hand, abs=0.015)


def test_a_signal_is_found_and_gets_cuts_that_select_it(found):
    assert "is unexpected" in found.verdict
    assert found.global_p < 0.00135
    best = found.clusters[0]
    assert best.name == found.unexpected
    assert best.n_observed >= 50
    assert best.expected_interval.lower <= best.expected <= best.expected_interval.upper
    proposed = found.trigger
    assert proposed is not None
    assert all(len(cuts) <= 3 for cuts in proposed.rules)
    assert proposed.efficiency.share > 0.8
    assert proposed.background.share < 0.05
    assert proposed.rate_hz is not None
    low, rate, high = proposed.rate_hz
    assert low <= rate <= high
    assert rate == pytest.approx(1000.0 * proposed.input_share)
    assert len(found.typical) == 10
    assert min(event.row for event in found.typical) >= 4_000


def test_without_a_signal_nothing_is_unexpected(tmp_path, expectation):
    folder = accepted(tmp_path, make_events(4_000, seed=23))

    report = cluster_events(folder, [expectation], n_toys=1_000)

    assert report.verdict == f"nothing unexpected, global p = {report.global_p:.2g}"
    assert (report.unexpected, report.trigger, report.typical) == (None, None, ())


def test_what_a_variation_of_the_expectation_explains_is_not_unexpected(tmp_path, expectation):
    """The data are as a variation of the simulation has them: MET is a fifth larger."""
    more = make_events(4_000, seed=26)
    more[:, 0, 0] *= 1.2
    other = make_events(6_000, seed=27)
    other[:, 0, 0] *= 1.2
    data, varied = accepted(tmp_path / "data", more), accepted(tmp_path / "varied", other)

    alone = cluster_events(data, [expectation], n_toys=1_000)
    both = cluster_events(data, [expectation], n_toys=1_000, varied=[varied])

    assert "is unexpected" in alone.verdict
    assert both.global_p == alone.global_p <= alone.level
    assert both.varied_p[str(varied)] > both.level
    assert both.verdict.startswith("nothing unexpected")
    assert both.unexpected is None
    # The envelope of all events holds the data: one in 4,000 of 6,000, twice.
    (every,) = (one for one in both.clusters if one.name == "all/0")
    assert every.varied[str(varied)] == pytest.approx(every.n_observed, rel=0.1)
    assert every.envelope == (every.expected, every.varied[str(varied)])
    page = cluster_page(both)
    assert "with variations" in page
    assert f"{every.envelope[0]:.1f} to {every.envelope[1]:.1f}" in page


def test_clustered_events_lie_in_the_regions_of_their_own_cells():
    """So the envelope and the nominal number are of one region, also where a cell has no centre."""
    generator = np.random.default_rng(6)
    points = generator.standard_normal((700, 3))
    points[:40] = generator.normal(3.0, 0.05, (40, 3))
    cells = find_cells(points, seed=1)
    is_some = generator.random(700) < 0.3

    np.testing.assert_array_equal(cells.count_others(points[is_some]), cells.count(is_some))
    assert any(name.startswith("hdbscan/") for name in cells.names)
    dense = [at for at, name in enumerate(cells.names) if name.startswith("hdbscan/")]
    near = cells.count_others(np.full((5, 3), 3.0))
    assert [near[at] for at in dense if cells.holds(at)[0]] == [5]


def test_the_same_seed_gives_the_same_report(tmp_path, expectation):
    folder = accepted(tmp_path, make_events(4_000, seed=23))
    one, other = (cluster_events(folder, [expectation], n_toys=800, seed=4) for _ in range(2))
    assert one == other


def test_the_page_needs_no_other_host_and_escapes_names(found):
    hostile = found.typical[0].model_copy(update={"source": "<script>alert(1)</script>"})
    page = cluster_page(found.model_copy(update={"typical": (hostile,)}))

    assert "<script" not in page
    assert not re.search(r"(src|href)=|https?://|url\(", page)
    assert found.verdict in page
    # One typical event is left.
    assert page.count("<svg") == len(found.spectra) + 1
    drawn = hostile.shown.objects
    assert page.count("<circle") == sum(one.kind != "met" for one in drawn) > 5
    assert page.count("stroke-dasharray") == sum(one.kind == "met" for one in drawn) == 1


def test_the_report_is_json_that_is_read_again(found):
    again = type(found).model_validate_json(found.model_dump_json())
    assert again == found
    assert json.loads(found.model_dump_json())["unexpected"] == found.unexpected


def test_an_expectation_that_is_too_small_says_what_is_needed(tmp_path, expectation):
    few = accepted(tmp_path, make_events(300, seed=24))
    with pytest.raises(DataError, match="the expectation holds") as raised:
        cluster_events(expectation, [few])
    assert "times as many" in raised.value.problems[0].fix


def test_an_expectation_of_another_trigger_and_too_few_toys_are_refused(tmp_path, expectation):
    given = settings(threshold=40.0).model_copy(update={"program": "sha256:1"})
    with held(tmp_path):
        run_trigger([source("a.h5", 3_000)], given, met_score, tmp_path)
    with pytest.raises(UsageError, match="its program is another"):
        cluster_events(expectation, [tmp_path])
    with pytest.raises(UsageError, match="toys cannot give"):
        cluster_events(expectation, [expectation], n_toys=100)


def test_a_lower_threshold_of_the_expectation_is_raised_to_that_of_the_data(tmp_path, expectation):
    folder = accepted(tmp_path, make_events(8_000, seed=25), threshold=60.0)

    report = cluster_events(folder, [expectation], n_toys=800, level=0.01)

    assert report.threshold == 60.0
    assert report.n_observed == read_run(folder).n_kept
    assert report.n_simulated < read_run(expectation).n_kept / 2


def test_events_at_the_common_threshold_are_left_out_where_the_trigger_is_strict(tmp_path):
    """Scores are whole: many events lie at the higher threshold itself, which rejected them."""
    events = make_events(6_000, seed=28)
    events[:, 0, 0] = np.round(events[:, 0, 0] / 10.0) * 10.0
    high = accepted(tmp_path / "high", events, threshold=60.0, is_strict=True)
    low = accepted(tmp_path / "low", events, threshold=40.0, is_strict=True)

    _, pool = read_pool(high, [low])

    assert (pool.observed.scores.min(), pool.expected.scores.min()) == (70.0, 70.0)
    assert len(pool.observed) == len(pool.expected)


def test_the_threshold_of_a_section_that_kept_nothing_counts(tmp_path, expectation):
    """The third section follows one that accepts far too much: its threshold passes nothing."""
    loud = make_events(3_000, seed=29)
    loud[1_000:2_000, 0, 0] += 200.0
    loud[2_000:, 0, 0] = 1.0
    given = Steering(target=0.2, gain=1.0, shares=(0.05, 0.5), thresholds=(60.0, 20.0))
    folder = accepted(tmp_path, loud, threshold=None, steering=given, section_events=1_000)
    run = read_run(folder)
    thresholds = read_sections(folder, run)["threshold"]
    kept = read_all(folder, run).thresholds
    assert thresholds.max() > kept.max()

    _, pool = read_pool(folder, [expectation])

    assert pool.threshold == thresholds.max()


def test_expectations_with_different_prescales_are_refused(tmp_path, expectation):
    """Put together they would be another mixture than their streams are."""
    data = accepted(tmp_path / "data", make_events(4_000, seed=23))
    other = accepted(tmp_path / "other", make_events(4_000, seed=24), prescale=2)

    for options in (
        {"expected": [expectation, other]},
        {"expected": [expectation], "varied": [other]},
    ):
        with pytest.raises(UsageError, match="its prescale is 2") as raised:
            cluster_events(data, n_toys=800, **options)
        assert raised.value.problems[0].where == str(other)
        assert "--prescale 1" in raised.value.problems[0].fix


def test_a_p_value_is_a_bound_only_if_that_of_each_comparison_that_decides_is():
    """The variation decides, and its toys were as extreme: more of them give no smaller value."""
    nominal = Excess(
        n_observed=np.array([30]), n_expected=np.array([10]), local_p=np.array([1e-9]),
        global_p=1e-4, is_smallest=True,
    )  # fmt: skip
    resolved = replace(nominal, global_p=1e-3, is_smallest=False)
    compared = SimpleNamespace(scale=1.0, cells=SimpleNamespace(names=("all/0",)))

    assert "(at least 3.7 sigma)" in _verdict([nominal], compared, 0)
    assert "(at least 3.7 sigma)" in _verdict([nominal, nominal], compared, 0)
    assert "(3.1 sigma)" in _verdict([nominal, resolved], compared, 0)
    assert "(3.1 sigma)" in _verdict([resolved, nominal], compared, 0)


@pytest.mark.parametrize("seed", ["-1", "4294967296"])
def test_a_seed_that_k_means_cannot_take_is_refused_before_anything_is_read(tmp_path, seed):
    from click.testing import CliRunner

    from harness.cli.trigger import cluster, reach

    # FOLDER need not be there: the option is read first.
    for command, more in ((cluster, []), (reach, ["--signal", "lq=there"])):
        words = [str(tmp_path), "--expected", str(tmp_path), *more, "--seed", seed]
        done = CliRunner().invoke(command, words)
        assert done.exit_code == 2
        assert "is not in the range" in done.output
