"""Toys of the intervals of figures of merit, for which the truth is known; the table in Markdown.

python -m tools.merit_toys              the table of docs/statistics.md, ten minutes
python -m tools.merit_toys --toys 50    the same, rougher

Scores are normal: of background around 0, of signal around a shift, both of width 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from harness.card.physics import SignalMerit
from harness.challenge import (
    AddedEfficiencyAtRate,
    AreaUnderCurve,
    MaxSic,
    Merit,
    MistagAtTpr,
    RejectionAtTpr,
)
from harness.metrics.menu import without_accepted
from harness.metrics.merits import measure_merit
from harness.metrics.rates import BACKGROUND
from harness.metrics.scores import Sample, rank_samples

SEED = 2026
_MENU_SHARE = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class MeritSetting:
    """The sizes of the samples, and how far the signal is shifted."""

    merit: Merit
    n_background: int
    n_signal: int
    shift: float

    @property
    def truth(self) -> float:
        """The figure of infinitely many events."""
        match self.merit:
            case AddedEfficiencyAtRate(fpr=fpr, fixed=fixed):
                cut = norm.isf(fpr if fixed == "total" else fpr / (1 - _MENU_SHARE))
                return float((1 - _MENU_SHARE) * norm.sf(cut - self.shift))
            case MistagAtTpr(tpr=tpr):
                return float(norm.sf(norm.isf(tpr) + self.shift))
            case RejectionAtTpr(tpr=tpr):
                return float(1 / norm.sf(norm.isf(tpr) + self.shift))
            case MaxSic(min_background=n_least):
                cuts = np.linspace(-6, norm.isf(n_least / self.n_background), 20_001)
                return float((norm.sf(cuts - self.shift) / np.sqrt(norm.sf(cuts))).max())
            case AreaUnderCurve():
                return float(norm.cdf(self.shift / np.sqrt(2)))
        raise ValueError(self.merit)


RATE = AddedEfficiencyAtRate(rate_khz=1, input_rate_khz=1000)
TOTAL = AddedEfficiencyAtRate(rate_khz=1, input_rate_khz=1000, fixed="total")
GRID = (
    MeritSetting(merit=RATE, n_background=20_000, n_signal=1000, shift=1.0),
    MeritSetting(merit=RATE, n_background=50_000, n_signal=1000, shift=2.0),
    MeritSetting(merit=TOTAL, n_background=20_000, n_signal=1000, shift=1.0),
    MeritSetting(merit=TOTAL, n_background=50_000, n_signal=1000, shift=2.0),
    MeritSetting(merit=MistagAtTpr(tpr=0.4), n_background=20_000, n_signal=60, shift=2.5),
    MeritSetting(merit=MistagAtTpr(tpr=0.4), n_background=20_000, n_signal=200, shift=2.5),
    MeritSetting(merit=MistagAtTpr(tpr=0.4), n_background=20_000, n_signal=1000, shift=2.5),
    MeritSetting(merit=RejectionAtTpr(tpr=0.3), n_background=20_000, n_signal=5000, shift=3.0),
    MeritSetting(merit=RejectionAtTpr(tpr=0.3), n_background=20_000, n_signal=5000, shift=2.0),
    MeritSetting(merit=MaxSic(), n_background=20_000, n_signal=1000, shift=2.0),
    MeritSetting(merit=MaxSic(), n_background=20_000, n_signal=1000, shift=1.0),
    MeritSetting(merit=MaxSic(), n_background=20_000, n_signal=5000, shift=1.0),
    MeritSetting(merit=MaxSic(), n_background=20_000, n_signal=1000, shift=0.2),
    MeritSetting(merit=AreaUnderCurve(), n_background=20_000, n_signal=1000, shift=1.0),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class MeritCoverage:
    """How often intervals hold the truth.

    Attributes
    ----------
    covered, below, above : float
        Shares of the intervals that hold the truth, lie below it, and lie above it.
    mean : float
        Of the figures.
    """

    setting: MeritSetting
    n_toys: int
    covered: float
    below: float
    above: float
    mean: float


def measure_coverage(setting: MeritSetting, *, n_toys: int, seed: int) -> MeritCoverage:
    """Run `n_toys` toys and count the intervals that hold the truth."""
    generator = np.random.default_rng(seed)
    found = [_run(setting, generator) for _ in range(n_toys)]
    # A largest SIC of 1.00001, at a cut that all but everything passes, is 1.
    below = sum(one.interval.upper < setting.truth * (1 - 1e-4) for one in found) / n_toys
    above = sum(one.interval.lower > setting.truth for one in found) / n_toys
    return MeritCoverage(
        setting=setting,
        n_toys=n_toys,
        covered=1 - below - above,
        below=below,
        above=above,
        mean=float(np.mean([one.value for one in found])),
    )


def _run(setting: MeritSetting, generator: np.random.Generator) -> SignalMerit:
    samples = {
        BACKGROUND: _draw(setting.n_background, 0.0, generator),
        "signal": _draw(setting.n_signal, setting.shift, generator),
    }
    menu = {
        name: generator.random(sample.n_events) < _MENU_SHARE for name, sample in samples.items()
    }
    seed = int(generator.integers(2**62))
    left = without_accepted(samples, menu, largest_fpr=RATE.fpr)
    measured = measure_merit(setting.merit, samples, seed=seed, unaccepted=left)
    found = None if measured is None else measured.signals["signal"]
    if not isinstance(found, SignalMerit):
        raise TypeError(f"{setting.merit} was not measured: {found}")
    return found


def _draw(n_events: int, shift: float, generator: np.random.Generator) -> Sample:
    scores = generator.standard_normal(n_events) + shift
    hashes = generator.integers(2**64, size=n_events, dtype=np.uint64)
    return Sample(scores=scores, hashes=hashes, ranked=rank_samples([scores])[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tools.merit_toys")
    parser.add_argument("--toys", type=int, default=400)
    n_toys = parser.parse_args(arguments).toys
    print("| merit | background | signal | truth | mean of the figures | holds | below | above |")
    print("|" + " --- |" * 8)
    for setting in GRID:
        found = measure_coverage(setting, n_toys=n_toys, seed=SEED)
        print(
            f"| {setting.merit.describe()} | {setting.n_background:,} | {setting.n_signal:,} "
            f"| {setting.truth:.4g} | {found.mean:.4g} | {found.covered:.1%} | {found.below:.1%} "
            f"| {found.above:.1%} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
