"""Accepted events of the data and of the expectation, made comparable.

Both went through the same trigger, from the same threshold on, and every event of the expectation
stands for as many of its stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError, UsageError
from harness.trigger.folder import AcceptedEvents, check_same, join_accepted, read_run
from harness.trigger.reading import read_all, read_sections
from harness.trigger.records import TriggerRun

# Accepted events of the expectation that are needed at least, and of the data.
MIN_EXPECTED, MIN_OBSERVED = 200, 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """Observed and expected events with the same threshold.

    Attributes
    ----------
    observed, expected : AcceptedEvents
    origins : array of text, shape (len(expected),)
        The folder of each expected event.
    exposure, expected_exposure : float
        Events of the two streams, over their prescales.
    threshold : float
        Scores below it are left out of both; where an event at its threshold is rejected, also
        those at it.
    """

    observed: AcceptedEvents
    expected: AcceptedEvents
    origins: NDArray[np.str_]
    exposure: float
    expected_exposure: float
    threshold: float


def read_pool(
    folder: Path, expected: Sequence[Path], *, alike: Sequence[Path] = ()
) -> tuple[TriggerRun, Pool]:
    """Read accepted events, and those of the expectation, from the highest of their thresholds on.

    Parameters
    ----------
    alike : sequence of Path
        Other expectations: their prescale must be that of `expected`, and their thresholds count.

    Raises
    ------
    UsageError
        They were accepted by another entry, or by another challenge's; or folders of the
        expectation have different prescales.
    DataError
        There are too few of them; the message says how many are needed.
    """
    run = read_run(folder)
    others = [read_run(each) for each in expected]
    for path, other in zip(expected, others, strict=True):
        check_same(
            (folder, run),
            (path, other),
            ("program", "challenge", "layout", "is_strict"),
            expected="simulated events that went through the same trigger",
            fix="harness trigger with the same entry on simulated events",
        )
    beside = [(path, read_run(path)) for path in alike]
    _check_prescales([*zip(expected, others, strict=True), *beside])
    # Of every section, also of one that kept nothing: its events count in the exposure.
    thresholds = [
        read_sections(path, each)["threshold"].max(initial=-np.inf)
        for path, each in ((folder, run), *zip(expected, others, strict=True), *beside)
    ]
    threshold = float(max(thresholds))
    is_strict = run.settings.is_strict
    observed = from_threshold(read_all(folder, run), threshold, is_strict=is_strict)
    found = [
        from_threshold(read_all(path, other), threshold, is_strict=is_strict)
        for path, other in zip(expected, others, strict=True)
    ]
    joined = join_accepted(found, run.settings.layout.shape)
    exposure = run.n_events / run.settings.prescale
    exposures = sum(other.n_events / other.settings.prescale for other in others)
    _check_numbers(observed, joined, exposures, expected)
    pool = Pool(
        observed=observed,
        expected=joined,
        origins=np.repeat([path.name for path in expected], [len(each) for each in found]),
        exposure=exposure,
        expected_exposure=exposures,
        threshold=threshold,
    )
    return run, pool


def _check_prescales(folders: Sequence[tuple[Path, TriggerRun]]) -> None:
    """Check that each accepted event of the expectation stands for as many of its stream."""
    for path, other in folders[1:]:
        first_path, first = folders[0]
        if other.settings.prescale != first.settings.prescale:
            raise UsageError(
                f"its prescale is {other.settings.prescale}, that of {first_path} "
                f"is {first.settings.prescale}",
                where=str(path),
                expected="one prescale in all folders of --expected and --varied: otherwise their "
                "mixture is not that of their streams",
                fix=f"harness trigger --prescale {first.settings.prescale} on these events",
            )


def from_threshold(
    accepted: AcceptedEvents, threshold: float, *, is_strict: bool
) -> AcceptedEvents:
    """Leave out accepted events that a higher threshold rejects."""
    keep = accepted.scores > threshold if is_strict else accepted.scores >= threshold
    return accepted.where(keep)


def _check_numbers(
    observed: AcceptedEvents, expected: AcceptedEvents, exposure: float, folders: Sequence[Path]
) -> None:
    if len(observed) < MIN_OBSERVED:
        raise DataError(
            f"{len(observed):,} accepted events",
            expected=f"at least {MIN_OBSERVED}",
            fix="lower the threshold, or give the trigger more events",
        )
    if len(expected) < MIN_EXPECTED:
        factor = MIN_EXPECTED / max(len(expected), 1)
        raise DataError(
            f"the expectation holds {len(expected):,} accepted events of {exposure:,.0f}",
            where=", ".join(map(str, folders)),
            expected=f"at least {MIN_EXPECTED}",
            fix=f"simulate about {factor:.1f} times as many, {exposure * factor:,.0f} events",
        )
