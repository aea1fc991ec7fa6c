"""How many events of a signal it takes that trigger and clusters find it.

Trials inject events among background, until half of the trials end in evidence; trials without a
signal say how often that happens by chance. What was tried is written after each point, so that a
run that was killed goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.board.reach import Comparison, FalseClaims, Reach, SignalReach, TrialPoint
from harness.challenge import is_name
from harness.errors import UsageError
from harness.files import Progress, no_progress, read_json, write_json
from harness.metrics.half_point import HalfPoint, half_point
from harness.metrics.intervals import clopper_pearson
from harness.trigger.cluster import THREE_SIGMA, cluster_events
from harness.trigger.folder import held, read_run
from harness.trigger.injection import TrialPool, draw_trial, is_found
from harness.trigger.reach_pool import ReachPool, ReachStreams, read_streams
from harness.trigger.reach_records import ReachRun, ReachSettings

NO_SIGNAL, THE_DATA = "no_signal", "the data"
# Three of 2,223, the data among them, are just below 3 sigma: the level is used in full.
N_TOYS = 2_222
N_TRIALS, N_NULL = 150, 200
# Toys of the comparisons that say a p-value, at least: those of a trial end at the level.
N_COMPARED = 10_000
# Trials of a point: while the number is looked for, near it, without a signal.
_N_FIRST, _N_NEAR, _N_WITHOUT = 8, 15, 25
# So many trials with all events there are, half of them not found, and it takes more.
_N_WITH_ALL = 40
# Around the number that is found so far: there a probit's half point is measured best.
_FACTORS = (1.0, 0.8, 1.25)
# The first number that is tried: as many are accepted as so many standard deviations.
_FIRST_SIGMA = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ReachOptions:
    """How much is tried.

    Attributes
    ----------
    level : float
        Global p-value at which evidence is claimed, at most: 3 sigma.
    n_toys : int
        Of each comparison.
    n_trials, n_null : int
        Of each signal at least, and without a signal.
    """

    level: float = THREE_SIGMA
    n_toys: int = N_TOYS
    n_trials: int = N_TRIALS
    n_null: int = N_NULL
    seed: int = 1


def measure_reach(
    streams: ReachStreams,
    options: ReachOptions = ReachOptions(),
    *,
    progress: Progress = no_progress,
) -> Reach:
    """Measure how many events of each signal half of the trials find, and the false claims.

    A trial draws which accepted background events are the data and which the expectation; their
    streams are exchangeable without a signal. It finds what `harness cluster` finds. The trials are
    kept in ``reach-*.json`` of the folder of the data. The intervals are those of the trials, which
    share one pool of accepted events.

    Raises
    ------
    UsageError, DataError
        See `read_streams`; or so few toys cannot give a p-value of the level, or a name is none.
    """
    _check_names(streams)
    if 1 / (options.n_toys + 1) > options.level:
        raise UsageError(
            f"{options.n_toys:,} toys cannot give a p-value below {options.level:g}",
            fix=f"--toys {int(np.ceil(1 / options.level)):,} at least",
        )
    pool = read_streams(streams)
    with held(streams.data):
        path, run = _begin(streams.data, pool, options)
        trying = _Trying(path=path, pool=pool.trials, run=run, options=options, progress=progress)
        null = trying.without_signal()
        signals = {name: trying.with_signal(name) for name in streams.signals}
    n_found, n_trials = sum(one.n_found for one in null), sum(one.n_trials for one in null)
    return Reach(
        team=pool.run.settings.team,
        challenge=pool.run.settings.challenge,
        program=pool.run.settings.program,
        threshold=pool.threshold,
        exposure=pool.trials.exposure,
        expected_exposure=pool.trials.expected_exposure,
        n_observed=pool.n_observed,
        n_simulated=pool.n_simulated,
        level=options.level,
        n_toys=options.n_toys,
        seed=options.seed,
        variations=tuple(streams.varied),
        signals=signals,
        false_claims=FalseClaims(
            n_found=n_found, n_trials=n_trials, interval=clopper_pearson(n_found, n_trials)
        ),
        comparisons=tuple(_comparisons(streams, options)),
    )


def _check_names(streams: ReachStreams) -> None:
    """Check what the record will say, before the hours that it takes."""
    for name in (*streams.signals, *streams.varied):
        if not is_name(name) or name == NO_SIGNAL:
            raise UsageError(
                f"{name!r} cannot name a signal or a variation",
                expected="lower-case letters, digits, dots, hyphens and underscores, not "
                f"{NO_SIGNAL}",
            )
    if THE_DATA in streams.others:
        raise UsageError(f"{THE_DATA!r} are compared already", fix="give --other another title")


def _begin(folder: Path, pool: ReachPool, options: ReachOptions) -> tuple[Path, ReachRun]:
    """Return the trials that were made so far, and their file; those of another signal are left."""
    settings = ReachSettings(
        program=pool.run.settings.program,
        background=pool.background,
        level=options.level,
        n_toys=options.n_toys,
        seed=options.seed,
    )
    digest = hashlib.sha256(settings.model_dump_json().encode()).hexdigest()
    path = folder / f"reach-{digest[:16]}.json"
    run = ReachRun(settings=settings)
    if path.exists():
        run = read_json(path, ReachRun, expected="trials of harness reach", fix=f"remove {path}")
    same = {name for name, one in pool.signals.items() if run.signals.get(name) == one}
    points = {
        name: points
        for name, points in run.points.items()
        if name == NO_SIGNAL or name in same or name not in pool.signals
    }
    return path, run.model_copy(
        update={"points": points, "signals": {**run.signals, **pool.signals}}
    )


@dataclass(kw_only=True, slots=True)
class _Trying:
    """Trials, written after each point."""

    path: Path
    pool: TrialPool
    run: ReachRun
    options: ReachOptions
    progress: Progress

    def without_signal(self) -> tuple[TrialPoint, ...]:
        """Try without a signal."""
        n_null = self.options.n_null
        while (n_done := sum(one.n_trials for one in self._points(NO_SIGNAL))) < n_null:
            self._try(NO_SIGNAL, 0, min(_N_WITHOUT, n_null - n_done), n_null)
        return self._points(NO_SIGNAL)

    def with_signal(self, name: str) -> SignalReach:
        """Try until the number that half of the trials find is known."""
        signal = self.pool.signals[name]
        n_trials = self.options.n_trials
        first = first_number(self.pool, name)
        if len(signal.values):
            while (
                chosen := next_point(self._points(name), first, signal.n_events, n_trials)
            ) is not None:
                self._try(name, *chosen, n_trials)
        return reach_in(self._points(name), signal.n_events, len(signal.values))

    def _points(self, name: str) -> tuple[TrialPoint, ...]:
        return self.run.points.get(name, ())

    def _try(self, name: str, n_injected: int, n_trials: int, n_wanted: int) -> None:
        """Make the trials of one point and write them."""
        points, options = self._points(name), self.options
        n_done = sum(one.n_trials for one in points)
        n_found = 0
        for number in range(n_trials):
            # Of the trial alone: a run that goes on makes the same ones.
            generator = np.random.default_rng([options.seed, *name.encode(), n_done + number])
            trial = draw_trial(
                self.pool,
                generator,
                signal=None if name == NO_SIGNAL else name,
                n_injected=n_injected,
            )
            n_found += is_found(self.pool, trial, level=options.level, n_toys=options.n_toys)
            self.progress(f"trials {name}", n_done + number + 1, n_wanted, "trials")
        point = TrialPoint(n_injected=n_injected, n_found=n_found, n_trials=n_trials)
        self.run = self.run.model_copy(
            update={"points": {**self.run.points, name: (*points, point)}}
        )
        write_json(self.path, self.run)


def first_number(pool: TrialPool, name: str) -> int:
    """Return where to begin: so many events that some standard deviations of the data pass."""
    signal = pool.signals[name]
    share = pool.exposure / (pool.exposure + pool.expected_exposure)
    n_data = share * len(pool.background.values)
    wanted = _FIRST_SIGMA * np.sqrt(n_data) * signal.n_events / max(len(signal.values), 1)
    return int(np.clip(wanted, 1, signal.n_events))


def next_point(
    points: Sequence[TrialPoint], first: int, n_events: int, n_wanted: int
) -> tuple[int, int] | None:
    """Return how many events to inject next and in how many trials; None: enough was tried.

    The number is doubled or halved until half of the trials find it on one side and not on the
    other; then trials are made around the half point of all so far.

    Parameters
    ----------
    first : int
        Where to begin.
    n_events : int
        As many events there are.
    n_wanted : int
        Trials in all.
    """
    if not points:
        return first, _N_FIRST
    shares = dict(_shares(points))
    below = [number for number, share in shares.items() if share < 0.5]
    above = [number for number, share in shares.items() if share >= 0.5]
    n_tried = sum(one.n_trials for one in points)
    if not above:
        if max(below) < n_events:
            return min(2 * max(below), n_events), _N_FIRST
        n_with_all = sum(one.n_trials for one in points if one.n_injected == n_events)
        return None if n_with_all >= _N_WITH_ALL else (n_events, _N_FIRST)
    if not below and min(above) > 1:
        return max(min(above) // 2, 1), _N_FIRST
    if n_tried >= n_wanted:
        return None
    near = _half(points).value * _FACTORS[len(points) % len(_FACTORS)]
    return int(np.clip(round(near), 1, n_events)), _N_NEAR


def _shares(points: Sequence[TrialPoint]) -> Iterator[tuple[int, float]]:
    """Give the share of trials at each number that found it."""
    for number in sorted({one.n_injected for one in points}):
        same = [one for one in points if one.n_injected == number]
        yield number, sum(one.n_found for one in same) / sum(one.n_trials for one in same)


def _half(points: Sequence[TrialPoint]) -> HalfPoint:
    return half_point(
        [one.n_injected for one in points],
        [one.n_found for one in points],
        [one.n_trials for one in points],
    )


def reach_in(points: Sequence[TrialPoint], n_events: int, n_accepted: int) -> SignalReach:
    """Return the number that half of the trials find, from all points."""
    value, lower, upper = None, None, None
    if points:
        found = _half(points)
        # One event is the fewest that can be injected.
        value, lower, upper = (
            None if edge is None or edge > n_events else max(edge, 1.0)
            for edge in (found.value, found.lower or 1.0, found.upper)
        )
    return SignalReach(
        n_events=n_events,
        n_accepted=n_accepted,
        n_injected=value,
        lower=lower,
        upper=upper,
        points=tuple(points),
    )


def _comparisons(streams: ReachStreams, options: ReachOptions) -> Iterator[Comparison]:
    """Compare the data as they are with the expectation, and what stands in for them."""
    varied = {name: expected for name, (_, expected) in streams.varied.items()}
    for title, folder in {THE_DATA: streams.data, **streams.others}.items():
        report = cluster_events(
            folder, [streams.expected], level=options.level, seed=options.seed,
            n_toys=max(options.n_toys, N_COMPARED), varied=tuple(varied.values()),
        )  # fmt: skip
        varied_p = {name: report.varied_p[str(path)] for name, path in varied.items()}
        every = next(one for one in report.clusters if one.name.startswith("all/"))
        run = read_run(folder)
        yield Comparison(
            title=title,
            n_events=run.n_events,
            n_observed=report.n_observed,
            expected=every.expected,
            global_p=report.global_p,
            varied_p=varied_p,
            is_claimed=max(report.global_p, *varied_p.values(), 0.0) <= options.level,
        )
