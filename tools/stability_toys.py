"""Toys of the intervals of rates under conditions, for which the truth is known; in Markdown.

python -m tools.stability_toys              the table of docs/statistics.md, a minute
python -m tools.stability_toys --toys 200   the same, rougher

Scores of background are normal. In one bin, or run, they are shifted: its rate at any threshold is
known. A fifth of the events is accepted by a menu. Every interval is compared with the true figure
at the threshold that the toy set: the threshold of a trigger is fixed, its rate is asked for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from harness.card.figures import Interval
from harness.card.in_trigger import Drift
from harness.metrics.intervals import clopper_pearson
from harness.metrics.scores import rank_samples
from harness.metrics.stability import drift_in_bin, drift_of_transfer, rate_interval
from harness.metrics.working_point import count_allowed, set_cut

SEED = 2026
FIGURES = ("rate in all", "rate in a bin", "rate added", "drift in a bin", "drift of a transfer")
_MENU_SHARE = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class StabilitySetting:
    """Events of background, how many may pass, and the bin that is shifted.

    Attributes
    ----------
    share : float
        Of the events in the bin.
    shift : float
        Of the scores in the bin.
    """

    n_events: int
    n_allowed: int
    share: float
    shift: float

    def __str__(self) -> str:
        """Name the setting."""
        return f"k={self.n_allowed} share={self.share:g} shift={self.shift:g}"


GRID = tuple(
    StabilitySetting(n_events=n_events, n_allowed=n_allowed, share=share, shift=shift)
    for n_events, n_allowed in ((20_000, 10), (20_000, 50), (40_000, 150))
    for share in (0.05, 0.5)
    for shift in (0.0, 0.3)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class StabilityCoverage:
    """Share of the toys whose interval holds the true figure, by figure."""

    setting: StabilitySetting
    n_toys: int
    covered: dict[str, float]


def measure_coverage(setting: StabilitySetting, *, n_toys: int, seed: int) -> StabilityCoverage:
    """Run `n_toys` toys and count the intervals that hold the truth."""
    generator = np.random.default_rng(seed)
    runs = [_run(setting, generator) for _ in range(n_toys)]
    return StabilityCoverage(
        setting=setting,
        n_toys=n_toys,
        covered={name: float(np.mean([run[name] for run in runs])) for name in FIGURES},
    )


def _run(setting: StabilitySetting, generator: np.random.Generator) -> dict[str, bool]:
    n, n_in = setting.n_events, round(setting.share * setting.n_events)
    scores = generator.standard_normal(n)
    scores[:n_in] += setting.shift
    is_accepted = generator.random(n) < _MENU_SHARE
    ranked, inside, outside = rank_samples([scores, scores[:n_in], scores[n_in:]])
    cut = set_cut(ranked, setting.n_allowed)
    t, n_all = cut.threshold, cut.n_passing(ranked)
    true_in, true_out = norm.sf(t - setting.shift), norm.sf(t)
    true_all = (n_in * true_in + (n - n_in) * true_out) / n
    n_added = int(np.sum((scores >= t) & ~is_accepted))
    n_bin = cut.n_passing(inside)
    # The other way: the threshold is set outside of the bin and applied in it.
    allowed = count_allowed(setting.n_allowed / n, n - n_in)
    own = set_cut(outside, allowed)
    ratio = norm.sf(own.threshold - setting.shift) / norm.sf(own.threshold)
    moved = drift_of_transfer(own.n_passing(outside), n - n_in, own.n_passing(inside), n_in)
    drift = drift_in_bin(n_bin, n_in, n_all, n)
    return {
        "rate in all": _holds(rate_interval(n_all, n), true_all),
        "rate in a bin": _holds(rate_interval(n_bin, n_in), true_in),
        "rate added": _holds(clopper_pearson(n_added, n), (1 - _MENU_SHARE) * true_all),
        "drift in a bin": isinstance(drift, Drift)
        and _holds(drift.interval, true_in / true_all - 1),
        "drift of a transfer": isinstance(moved, Drift) and _holds(moved.interval, ratio - 1),
    }


def _holds(interval: Interval, truth: float) -> bool:
    return bool(interval.lower <= truth <= interval.upper)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tools.stability_toys")
    parser.add_argument("--toys", type=int, default=1000)
    n_toys = parser.parse_args(arguments).toys
    print("| background | k | share of the bin | shift | " + " | ".join(FIGURES) + " |")
    print("|" + " --- |" * (4 + len(FIGURES)))
    for setting in GRID:
        found = measure_coverage(setting, n_toys=n_toys, seed=SEED)
        print(
            f"| {setting.n_events:,} | {setting.n_allowed} | {setting.share:.0%} "
            f"| {setting.shift:g} | "
            + " | ".join(f"{found.covered[name]:.1%}" for name in FIGURES)
            + " |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
