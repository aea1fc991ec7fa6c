"""What an entry accepts at the challenge's working point, and what today's cuts would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.card.records import Accepted, NotMeasured, Physics, TriggerCuts, WorkingPoint
from harness.challenge import ADC2021_BYTES, Challenge, events_within
from harness.data.events import EventStore
from harness.data.mix import Mixture, read_rows
from harness.data.observables import distributions
from harness.metrics.accepted import compare_with_cuts, cut_values, has_cuts, passing
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
    store: EventStore, mixture: Mixture, scores: Mapping[str, NDArray[np.float64]], physics: Physics
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
    """
    challenge = store.challenge
    point = physics.at(challenge.working_point)
    if not isinstance(point, WorkingPoint):
        why = NotMeasured(not_measured=point.not_measured)
        return Acceptance(accepted=why, cuts=why)
    return Acceptance(
        accepted=_accepted(store, mixture, scores, physics, point),
        cuts=_cuts(store, mixture, physics),
    )


def _accepted(
    store: EventStore,
    mixture: Mixture,
    scores: Mapping[str, NDArray[np.float64]],
    physics: Physics,
    point: WorkingPoint,
) -> Accepted:
    layout = store.challenge.layout
    passed = {
        name: mixture.indices[name][passing(values, point)] for name, values in scores.items()
    }
    return Accepted(
        fpr=point.fpr,
        arithmetic=physics.arithmetic,
        passing=distributions(
            layout, {name: _chunks(store, name, rows) for name, rows in passed.items()}
        ),
        every=distributions(
            layout, {name: _chunks(store, name, mixture.indices[name]) for name in scores}
        ),
        composition=_NO_ORIGIN,
    )


def _cuts(store: EventStore, mixture: Mixture, physics: Physics) -> TriggerCuts | NotMeasured:
    if lacking := store.challenge.layout.lacks("pt"):
        return NotMeasured(not_measured=lacking)
    if not has_cuts(store.challenge.layout):
        return NotMeasured(not_measured="the layout has no electron, muon, met or jet")
    # Cuts are compared by their TPRs alone.
    challenge = store.challenge.model_copy(update={"merit": None})
    hashes = merge_backgrounds(challenge, mixture.hashes)

    def measure(cut_scores: dict[str, NDArray[np.float64]]) -> Physics:
        return evaluate_merged(challenge, cut_scores, hashes, physics.arithmetic)

    return compare_with_cuts(
        physics, _cut_values(challenge, store, mixture), measure, fpr=challenge.working_point
    )


def _cut_values(
    challenge: Challenge, store: EventStore, mixture: Mixture
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Compute what the cuts look at, by process and observable."""
    columns: dict[str, dict[str, NDArray[np.float64]]] = {}
    for process in mixture.processes:
        parts = [
            cut_values(np.asarray(events), challenge.layout)
            for events in _chunks(store, process, mixture.indices[process])
        ]
        for name in parts[0]:
            columns.setdefault(name, {})[process] = np.concatenate([part[name] for part in parts])
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
