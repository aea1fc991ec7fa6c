"""What an entry adds to the menu, against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.card.in_trigger import AddedPoint, UnreachedAddedPoint
from harness.card.physics import Physics, WorkingPoint
from harness.challenge import AddedEfficiencyAtRate
from harness.metrics.evaluate import evaluate
from harness.metrics.menu import measure_menu, without_accepted
from harness.metrics.scores import Sample, rank_samples

FPRS = (0.0001, 0.01, 0.05)
N_BACKGROUND, N_SIGNAL = 4000, 600


def draw(seed: int = 1) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Scores, and decisions of a menu that prefers events with high scores."""
    generator = np.random.default_rng(seed)
    scores = {
        "background": generator.standard_normal(N_BACKGROUND),
        "a": generator.standard_normal(N_SIGNAL) + 2.0,
        "b": generator.standard_normal(N_SIGNAL) + 0.5,
    }
    menu = {
        name: generator.random(len(one)) < 0.1 + 0.2 * (one > 2) for name, one in scores.items()
    }
    return scores, menu


def physics_of(scores, menu, **more) -> Physics:
    hashes = {
        name: np.random.default_rng(i).integers(2**63, size=len(one)).astype(np.uint64)
        for i, (name, one) in enumerate(scores.items())
    }
    background = scores["background"]
    return evaluate(
        background,
        {name: one for name, one in scores.items() if name != "background"},
        background_hashes=hashes.pop("background"),
        signal_hashes=hashes,
        false_positive_rates=FPRS,
        working_point=0.01,
        seed=3,
        arithmetic="float",
        accepted=menu,
        **more,
    )


@pytest.mark.parametrize("fpr", FPRS[1:])
def test_at_a_fixed_total_rate_the_threshold_is_the_entry_s_own(fpr: float) -> None:
    scores, menu = draw()
    physics = physics_of(scores, menu)
    point, own = physics.menu.at(fpr, "total"), physics.at(fpr)
    assert isinstance(point, AddedPoint)
    assert isinstance(own, WorkingPoint)
    assert (point.threshold, point.n_allowed) == (own.threshold, own.n_allowed)
    assert point.n_passing == own.n_passing
    for name in ("a", "b"):
        passes = scores[name] >= own.threshold
        # Efficiency of (menu or entry) minus that of the menu.
        expected = np.mean(menu[name] | passes) - np.mean(menu[name])
        assert point.signals[name].value == pytest.approx(expected, abs=1e-12)
        assert point.signals[name].interval.lower <= expected <= point.signals[name].interval.upper
    added = np.mean((scores["background"] >= own.threshold) & ~menu["background"])
    assert point.background.value == pytest.approx(added)
    assert point.background.value < own.fpr_realised


@pytest.mark.parametrize("fpr", FPRS[1:])
def test_at_a_fixed_added_rate_only_what_the_menu_leaves_is_counted(fpr: float) -> None:
    scores, menu = draw()
    physics = physics_of(scores, menu)
    point, total = physics.menu.at(fpr, "added"), physics.menu.at(fpr, "total")
    k = round(fpr * N_BACKGROUND)
    left = np.sort(scores["background"][~menu["background"]])
    assert point.threshold == left[-k]
    assert point.background.n_added == point.n_allowed == k
    assert point.n_passing == np.sum(scores["background"] >= left[-k]) > k
    for name in ("a", "b"):
        expected = np.mean((scores[name] >= left[-k]) & ~menu[name])
        assert point.signals[name].value == pytest.approx(expected)
        # The looser threshold adds no less.
        assert point.signals[name].value >= total.signals[name].value


def test_a_rate_that_no_event_may_have_is_not_measured_and_few_are_low_statistics() -> None:
    physics = physics_of(*draw())
    assert isinstance(physics.menu.at(FPRS[0], "total"), UnreachedAddedPoint)
    assert "not one of them may pass" in physics.menu.at(FPRS[0], "added").not_measured
    assert not physics.menu.at(0.01, "total").is_low_statistics
    scores, menu = draw()
    few = {name: one[:500] for name, one in scores.items()}
    found = physics_of(few, {name: one[:500] for name, one in menu.items()})
    assert found.menu.at(0.01, "added").is_low_statistics


def test_a_menu_that_accepts_all_leaves_nothing_and_one_that_accepts_none_all() -> None:
    scores, menu = draw()
    every = physics_of(scores, {name: np.ones_like(one) for name, one in menu.items()})
    assert {
        one.value
        for fixed in ("total", "added")
        for one in every.menu.at(0.01, fixed).signals.values()
    } == {0.0}
    none = physics_of(scores, {name: np.zeros_like(one) for name, one in menu.items()})
    rates = none.at(0.01).rates
    for fixed in ("total", "added"):
        found = none.menu.at(0.01, fixed).signals
        assert {n: (one.value, one.interval) for n, one in found.items()} == {
            n: (one.tpr, one.interval) for n, one in rates.items()
        }
    # The replicates are those of the rate itself: entries are paired by them.
    assert none.menu.replicates == none.replicates


@pytest.mark.parametrize("fixed", ["total", "added"])
def test_what_is_ranked_is_the_figure_beside(fixed: str) -> None:
    merit = AddedEfficiencyAtRate(rate_khz=1, input_rate_khz=100, fixed=fixed)
    physics = physics_of(*draw(), merit=merit)
    beside = physics.menu.at(0.01, fixed).signals
    for name, one in physics.merit.signals.items():
        assert (one.value, one.interval) == (beside[name].value, beside[name].interval)
        assert one.n_signal == beside[name].n_added
    assert physics.merit.replicates == physics.menu.replicates_of(fixed)


def test_without_a_menu_nothing_is_said_of_one() -> None:
    scores, _ = draw()
    physics = physics_of(scores, None)
    assert physics.menu is None
    assert "menu" not in physics.model_dump(mode="json")
    assert "stability" not in physics.model_dump(mode="json")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.97, 0.999])
def test_a_menu_that_takes_nearly_all_high_scores_is_measured_as_any_other(share: float) -> None:
    # Many events: only the upper tail of the background is put in order at first.
    generator = np.random.default_rng(4)
    scores = {
        "background": generator.standard_normal(60_000),
        "a": generator.standard_normal(N_SIGNAL) + 2.0,
    }
    cut = np.quantile(scores["background"], 1 - share) if share else np.inf
    menu = {name: one >= cut for name, one in scores.items()}
    physics = physics_of(scores, menu)
    for fpr in FPRS[1:]:
        k = round(fpr * 60_000)
        left = np.sort(np.where(menu["background"], -np.inf, scores["background"]))
        point = physics.menu.at(fpr, "added")
        n_left = int((~menu["background"]).sum())
        if n_left < k:
            assert (point.is_strict, point.background.n_added) == (False, n_left)
            continue
        assert point.threshold == left[-k]
        assert point.background.n_added == k
        assert point.n_passing == np.sum(scores["background"] >= left[-k])
        expected = np.mean((scores["a"] >= left[-k]) & ~menu["a"])
        assert point.signals["a"].value == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_upper_tails_give_the_figures_of_whole_samples(dtype: type) -> None:
    generator = np.random.default_rng(5)
    scores = {
        name: np.round(generator.standard_normal(n) + shift, 2).astype(dtype).astype(float)
        for name, n, shift in (("background", 50_000, 0.0), ("a", 900, 2.0))
    }
    menu = {name: generator.random(len(one)) < 0.3 for name, one in scores.items()}
    found = {
        name: Sample(
            scores=one, hashes=np.arange(len(one), dtype=np.uint64), ranked=rank_samples([one])[0]
        )
        for name, one in scores.items()
    }
    tails = without_accepted(found, menu, largest_fpr=FPRS[-1])
    assert len(tails.left["background"].ranked.ascending) < 40_000
    few, every = (
        measure_menu(one, FPRS, working_point=0.01, seed=3) for one in (tails, tails.whole())
    )
    assert few == every
