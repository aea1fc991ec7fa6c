"""Toys of the interval of what an entry adds to a menu, over several signals; a table in Markdown.

python -m tools.added_toys              the table of docs/statistics.md, five minutes
python -m tools.added_toys --toys 50    the same, rougher

Scores are normal: of background around 0, of each signal around a shift, all of width 1. A menu
accepts a fifth of the events of each, whatever their scores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from harness.board.added import combined_span
from harness.board.aggregate import aggregate
from harness.card.in_trigger import AddedPoint
from harness.challenge import Aggregate
from harness.metrics.menu import FIXED, Fixed, measure_menu, without_accepted
from harness.metrics.rates import BACKGROUND
from harness.metrics.scores import Sample, rank_samples

SEED = 2026
FPR = 1e-3
_MENU_SHARE = 0.2
_N_SIGNAL = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class AddedSetting:
    """Which rate is fixed, how many background events there are, how far signals are shifted."""

    fixed: Fixed
    n_background: int
    shifts: tuple[float, ...]
    combines_by: Aggregate = "geometric_mean"

    @property
    def truth(self) -> float:
        """The combined figure of infinitely many events."""
        cut = norm.isf(FPR if self.fixed == "total" else FPR / (1 - _MENU_SHARE))
        rates = (float((1 - _MENU_SHARE) * norm.sf(cut - shift)) for shift in self.shifts)
        return self.combine([max(rate, FPR) for rate in rates])

    def combine(self, rates: Sequence[float]) -> float:
        """Combine the rates of the signals."""
        return aggregate(self.combines_by, rates, [1.0] * len(rates), smaller_is_better=False)


_COMBINED: tuple[tuple[tuple[float, ...], Aggregate], ...] = (
    ((1.0, 1.5, 2.0, 2.5), "geometric_mean"),
    ((0.5, 1.0, 2.0, 3.0), "worst_quarter"),
)
GRID = tuple(
    AddedSetting(fixed=fixed, n_background=n_background, shifts=shifts, combines_by=kind)
    for fixed in FIXED
    for n_background in (10_000, 20_000, 150_000)
    for shifts, kind in _COMBINED
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AddedCoverage:
    """How often intervals hold the truth.

    Attributes
    ----------
    covered, below, above : float
        Shares of the intervals that hold the truth, lie below it, and lie above it.
    mean : float
        Of the figures.
    """

    setting: AddedSetting
    n_toys: int
    covered: float
    below: float
    above: float
    mean: float


def measure_coverage(setting: AddedSetting, *, n_toys: int, seed: int) -> AddedCoverage:
    """Run `n_toys` toys and count the intervals that hold the truth."""
    generator = np.random.default_rng(seed)
    found = np.array([_run(setting, generator) for _ in range(n_toys)])
    below, above = found[:, 2] < setting.truth, found[:, 1] > setting.truth
    return AddedCoverage(
        setting=setting,
        n_toys=n_toys,
        covered=1 - float((below | above).mean()),
        below=float(below.mean()),
        above=float(above.mean()),
        mean=float(found[:, 0].mean()),
    )


def _run(setting: AddedSetting, generator: np.random.Generator) -> tuple[float, float, float]:
    """Return the figure of one toy, and the ends of its interval."""
    samples = {BACKGROUND: _draw(setting.n_background, 0.0, generator)}
    samples |= {
        f"signal{i}": _draw(_N_SIGNAL, shift, generator) for i, shift in enumerate(setting.shifts)
    }
    menu = {
        name: generator.random(sample.n_events) < _MENU_SHARE for name, sample in samples.items()
    }
    gain = measure_menu(
        without_accepted(samples, menu, largest_fpr=FPR),
        [FPR],
        working_point=FPR,
        seed=int(generator.integers(2**62)),
    )
    point = gain.at(FPR, setting.fixed)
    if not isinstance(point, AddedPoint):
        raise TypeError(f"{setting} was not measured: {point.not_measured}")
    value = setting.combine([max(rate.value, FPR) for rate in point.signals.values()])
    span = combined_span(
        np.array([gain.replicates_of(setting.fixed)[name] for name in point.signals]),
        setting.combines_by,
        np.ones(len(setting.shifts)),
        fpr=FPR,
        value=value,
    )
    return value, span.lower, span.upper


def _draw(n_events: int, shift: float, generator: np.random.Generator) -> Sample:
    scores = generator.standard_normal(n_events) + shift
    hashes = generator.integers(2**64, size=n_events, dtype=np.uint64)
    return Sample(scores=scores, hashes=hashes, ranked=rank_samples([scores])[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tools.added_toys")
    parser.add_argument("--toys", type=int, default=300)
    n_toys = parser.parse_args(arguments).toys
    print(
        "| fixed | combined by | background | truth | mean of the figures | holds | below | above |"
    )
    print("|" + " --- |" * 8)
    for setting in GRID:
        found = measure_coverage(setting, n_toys=n_toys, seed=SEED)
        print(
            f"| {setting.fixed} rate | {setting.combines_by.replace('_', ' ')} "
            f"| {setting.n_background:,} | {setting.truth:.4g} | {found.mean:.4g} "
            f"| {found.covered:.1%} | {found.below:.1%} | {found.above:.1%} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
