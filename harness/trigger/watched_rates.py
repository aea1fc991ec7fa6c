"""Rates of a stream: of all events, and by conditions of the challenge, such as the pile-up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.board.watch_report import RateByCondition
from harness.challenge import Condition
from harness.metrics.intervals import clopper_pearson
from harness.trigger.reading import read_bins
from harness.trigger.records import TriggerRun

# Counts and trials of all sections.
Table = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """One count of some events of the stream.

    Attributes
    ----------
    words : str
        The beginning of its sentence.
    now, reference : pair of int64 array, shape (n_sections,)
        Counts, and the events that they are of.
    """

    what: str
    words: str
    now: Table
    reference: Table


def read_conditions(
    folder: Path, run: TriggerRun, reference: Path, other: TriggerRun
) -> list[tuple[Condition, NDArray[np.int64], NDArray[np.int64]]]:
    """Read the events by the bins of each condition that both folders know."""
    return [
        (one, read_bins(folder, run, one), read_bins(reference, other, one))
        for one in run.settings.conditions
        if one in other.settings.conditions
    ]


def rates_of(
    table: Mapping[str, NDArray[np.float64]],
    other: Mapping[str, NDArray[np.float64]],
    conditions: Sequence[tuple[Condition, NDArray[np.int64], NDArray[np.int64]]],
) -> Iterator[Rate]:
    """Give the rate of all events, that in each bin of a condition, and how full the bins are."""

    def pair(one: Mapping[str, NDArray[np.float64]]) -> Table:
        return one["n_accepted"].astype(np.int64), one["n_events"].astype(np.int64)

    yield Rate(
        what="rate", words="the rate of accepted events is", now=pair(table), reference=pair(other)
    )
    for one, now, before in conditions:
        unit = f" {one.unit}" if one.unit else ""
        for place, label in enumerate(one.bin_labels):
            where = f"{one.title} {label}{unit}"
            yield Rate(
                what=one.name,
                words=f"the rate of accepted events at {where} is",
                now=(now[1, :, place], now[0, :, place]),
                reference=(before[1, :, place], before[0, :, place]),
            )
            yield Rate(
                what=one.name,
                words=f"events with {where} are",
                now=(now[0, :, place], now[0].sum(axis=1)),
                reference=(before[0, :, place], before[0].sum(axis=1)),
            )


def rates_by(
    condition: Condition, now: NDArray[np.int64], before: NDArray[np.int64]
) -> Iterator[RateByCondition]:
    """Give the rate in each bin of a condition that holds events of both streams."""
    found = zip(
        condition.bin_labels, now.sum(axis=1).T.tolist(), before.sum(axis=1).T.tolist(), strict=True
    )
    for label, (n_events, n_accepted), (n_reference, n_passing) in found:
        if n_events and n_reference:
            yield RateByCondition(
                condition=condition.name,
                title=condition.title,
                unit=condition.unit,
                label=label,
                n_events=n_events,
                n_accepted=n_accepted,
                rate=n_accepted / n_events,
                interval=clopper_pearson(n_accepted, n_events),
                reference_rate=n_passing / n_reference,
                reference_interval=clopper_pearson(n_passing, n_reference),
            )
