"""What an entry accepts at the challenge's working point, and what today's cuts would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.card.accepted import Accepted, Distribution, TriggerCuts
from harness.card.figures import NotMeasured
from harness.card.physics import Physics, WorkingPoint
from harness.challenge import ADC2021_BYTES, Challenge, EventLayout, events_within
from harness.data.events import EventStore
from harness.data.mix import Mixture, read_rows
from harness.data.observables import distributions
from harness.metrics.accepted import compare_with_cuts, cut_scores, cut_values, has_cuts, passing
from harness.metrics.evaluate import BACKGROUND
from harness.scoring.evaluation import evaluate_merged, merge_backgrounds
from harness.submission.events import Events, taken

# So few events are gathered from the memory map; for more, the file is read through.
_FEW_EVENTS = 10_000
_FEW_BYTES = _FEW_EVENTS * ADC2021_BYTES
_NO_ORIGIN = NotMeasured(not_measured="the files do not tell of which process an event is")


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """What an entry accepts, and how it compares with simple cuts at the same rate."""

    accepted: Accepted | NotMeasured
    cuts: TriggerCuts | NotMeasured


def summarise_acceptance(
    store: EventStore,
    mixture: Mixture,
    scores: Mapping[str, NDArray[np.float64]],
    physics: Physics,
    every: Every | None = None,
) -> Acceptance:
    """Describe the events that pass at the challenge's working point.

    Parameters
    ----------
    store : EventStore
        The events; read in chunks.
    mixture : Mixture
        Which of them were scored.
    scores : mapping of process to float64 array, shape (n,)
        Their scores; higher = more anomalous.
    physics : Physics
        What these scores are worth.
    every : Every, optional
        What `read_every` gave, if the events are read already.
    """
    challenge = store.challenge
    point = physics.at(challenge.working_point)
    if not isinstance(point, WorkingPoint):
        why = NotMeasured(not_measured=point.not_measured)
        return Acceptance(accepted=why, cuts=why)
    every = every or read_every(store, mixture)
    return Acceptance(
        accepted=_accepted(store, mixture, scores, physics, point, every),
        cuts=_cuts(challenge, physics, every),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Every:
    """What all scored events give without any score.

    Attributes
    ----------
    counts : tuple of Distribution
        Of all observables.
    cut_values : mapping of process to mapping of observable to array
        What the cuts look at; empty where there is nothing to compare with.
    cuts : Physics or None
        What the cuts are worth on the same events.
    """

    counts: tuple[Distribution, ...]
    cut_values: Mapping[str, Mapping[str, NDArray[np.float64]]]
    cuts: Physics | None


def read_every(
    store: EventStore, mixture: Mixture, is_stopped: Callable[[], bool] = lambda: False
) -> Every:
    """Read all scored events once, and measure the cuts; no score is needed.

    Parameters
    ----------
    is_stopped : callable
        Whether the rest need not be done: the result is of no use then.
    """
    challenge = store.challenge
    is_compared = _why_no_cuts(challenge.layout) is None
    parts: dict[str, list[dict[str, NDArray[np.float64]]]] = {name: [] for name in mixture.rows}

    def read(process: str) -> Iterator[Events]:
        for events in _chunks(store, process, mixture.indices[process]):
            if is_stopped():
                return
            if is_compared:
                parts[process].append(cut_values(np.asarray(events), challenge.layout))
            yield events

    counts = distributions(challenge.layout, {name: read(name) for name in mixture.rows})
    if not is_compared or is_stopped():
        return Every(counts=counts, cut_values={}, cuts=None)
    # Cuts are compared by their TPRs at the working point alone.
    only = {"merit": None, "false_positive_rates": (challenge.working_point,)}
    challenge = challenge.model_copy(update=only)
    values = _joined(challenge, parts)
    cuts = None
    if values[BACKGROUND]:
        hashes = merge_backgrounds(challenge, mixture.hashes)
        # The scores of cuts have no arithmetic; it stands nowhere.
        cuts = evaluate_merged(challenge, cut_scores(values), hashes, "float")
    return Every(counts=counts, cut_values=values, cuts=cuts)


def _accepted(
    store: EventStore,
    mixture: Mixture,
    scores: Mapping[str, NDArray[np.float64]],
    physics: Physics,
    point: WorkingPoint,
    every: Every,
) -> Accepted:
    passed = {
        name: mixture.indices[name][passing(values, point)] for name, values in scores.items()
    }
    return Accepted(
        fpr=point.fpr,
        arithmetic=physics.arithmetic,
        passing=distributions(
            store.challenge.layout,
            {name: _chunks(store, name, rows) for name, rows in passed.items()},
        ),
        every=every.counts,
        composition=_NO_ORIGIN,
    )


def _why_no_cuts(layout: EventLayout) -> NotMeasured | None:
    if lacking := layout.lacks("pt"):
        return NotMeasured(not_measured=lacking)
    if not has_cuts(layout):
        return NotMeasured(not_measured="the layout has no electron, muon, met or jet")
    return None


def _cuts(challenge: Challenge, physics: Physics, every: Every) -> TriggerCuts | NotMeasured:
    if why := _why_no_cuts(challenge.layout):
        return why
    return compare_with_cuts(
        physics, every.cut_values, every.cuts or physics, fpr=challenge.working_point
    )


def _joined(
    challenge: Challenge, parts: Mapping[str, list[dict[str, NDArray[np.float64]]]]
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Join what the cuts look at, chunk by chunk, by process and observable."""
    columns: dict[str, dict[str, NDArray[np.float64]]] = {}
    for process, chunks in parts.items():
        for name in chunks[0]:
            columns.setdefault(name, {})[process] = np.concatenate([one[name] for one in chunks])
    merged = {name: merge_backgrounds(challenge, column) for name, column in columns.items()}
    return {
        process: {name: column[process] for name, column in merged.items()}
        for process in (BACKGROUND, *challenge.signals)
    }


def _chunks(store: EventStore, process: str, rows: NDArray[np.int64]) -> Iterator[Events]:
    """Read chosen events of a process; at least one, perhaps empty, chunk."""
    few = min(_FEW_EVENTS, events_within(_FEW_BYTES, store.challenge.layout.shape))
    if len(rows) > few:
        return read_rows(store, process, rows)
    return iter([taken(store.events(process), rows)])
