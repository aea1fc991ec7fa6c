"""Faults of a detector, put into accepted events to see whether `harness watch` finds them.

Their sizes are choices of this benchmark. The scores stay as they were, so that a fault is seen by
what it does to the objects alone; at a trigger it would change what is accepted as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.challenge import Challenge, EventLayout
from harness.data.variations import event_variations, vary_events, why_not
from harness.errors import UsageError
from harness.trigger.folder import AcceptedEvents

PT_SCALE = 1.03
HOT_SHARE, NOISE_SHARE = 0.02, 0.05
HOT_ETA, HOT_PHI = 1.2, 2.2
PILE_UP_MEAN = 1.0
_SOFT_GEV = (15.0, 30.0)

Trial = Callable[[AcceptedEvents, Challenge, np.random.Generator], NDArray[np.float32]]


def fault_of(
    name: str, challenge: Challenge, *, seed: int = 1
) -> Callable[[AcceptedEvents], AcceptedEvents]:
    """Return what puts a fault into events; into the same ones always the same fault.

    Raises
    ------
    UsageError
        There is no such fault, or the events have not what it needs.
    """
    if name not in TRIALS:
        raise UsageError(f"no trial {name!r}", expected=f"one of {', '.join(TRIALS)}")
    if lacking := challenge.layout.lacks("pt", "eta", "phi"):
        raise UsageError(f"no trial {name} for these events: {lacking}")

    def fault(accepted: AcceptedEvents) -> AcceptedEvents:
        # The watch reads them twice.
        first = [int(one[0]) % 2**63 for one in (accepted.sections, accepted.rows) if len(one)]
        generator = np.random.default_rng([seed, *first])
        return replace(accepted, events=TRIALS[name](accepted, challenge, generator))

    return fault


def _dead_region(
    accepted: AcceptedEvents, challenge: Challenge, _: np.random.Generator
) -> NDArray[np.float32]:
    """Lose a sector of the calorimeter, as `--stress` does."""
    variation = next(one for one in event_variations() if one.name == "dead_region")
    if reason := why_not(variation, challenge):
        raise UsageError(f"no trial dead_region for these events: {reason}")
    hashes = accepted.rows.astype(np.uint64)
    return vary_events(variation, accepted.events, hashes, challenge).events


def _pt_scale(
    accepted: AcceptedEvents, challenge: Challenge, _: np.random.Generator
) -> NDArray[np.float32]:
    layout = challenge.layout
    return layout.put(accepted.events, "pt", layout.values(accepted.events, "pt") * PT_SCALE)


def _hot_cell(
    accepted: AcceptedEvents, challenge: Challenge, generator: np.random.Generator
) -> NDArray[np.float32]:
    chosen = np.flatnonzero(generator.random(len(accepted)) < HOT_SHARE)
    eta = HOT_ETA + generator.uniform(-0.05, 0.05, len(chosen))
    phi = HOT_PHI + generator.uniform(-0.05, 0.05, len(chosen))
    return _add(accepted.events, challenge.layout, chosen, eta, phi, generator)


def _noise(
    accepted: AcceptedEvents, challenge: Challenge, generator: np.random.Generator
) -> NDArray[np.float32]:
    chosen = np.flatnonzero(generator.random(len(accepted)) < NOISE_SHARE)
    eta = generator.uniform(-2.5, 2.5, len(chosen))
    phi = generator.uniform(-3.1, 3.1, len(chosen))
    return _add(accepted.events, challenge.layout, chosen, eta, phi, generator)


def _pile_up(
    accepted: AcceptedEvents, challenge: Challenge, generator: np.random.Generator
) -> NDArray[np.float32]:
    events = accepted.events
    numbers = generator.poisson(PILE_UP_MEAN, len(accepted))
    for more in range(1, int(numbers.max(initial=0)) + 1):
        chosen = np.flatnonzero(numbers >= more)
        eta = generator.uniform(-4.0, 4.0, len(chosen))
        phi = generator.uniform(-3.1, 3.1, len(chosen))
        events = _add(events, challenge.layout, chosen, eta, phi, generator, is_jet=True)
    return events


TRIALS: Mapping[str, Trial] = {
    "dead_region": _dead_region,
    "hot_cell": _hot_cell,
    "noise": _noise,
    "pt_scale": _pt_scale,
    "pile_up": _pile_up,
}


def _add(
    events: NDArray[np.float32],
    layout: EventLayout,
    chosen: NDArray[np.int64],
    eta: NDArray[np.float64],
    phi: NDArray[np.float64],
    generator: np.random.Generator,
    *,
    is_jet: bool = False,
) -> NDArray[np.float32]:
    """Put a soft object into the first empty slot of a kind, in events that have one."""
    several = [group for group in layout.objects if group.n_slots > 1 and not group.is_sum]
    if not several:
        raise UsageError("the events have no kind of object of which an event has several")
    kind = (several[-1] if is_jet else several[0]).name
    slots = layout.slots[kind]
    is_empty = layout.values(events, "pt")[chosen, slots] <= 0
    has_room = is_empty.any(axis=1)
    rows = chosen[has_room]
    places = slots.start + np.argmax(is_empty[has_room], axis=1)
    pt = generator.uniform(*_SOFT_GEV, len(rows))
    changed = events
    for name, values in (("pt", pt), ("eta", eta[has_room]), ("phi", phi[has_room])):
        column = layout.values(changed, name).astype(np.float64).copy()
        column[rows, places] = values
        changed = layout.put(changed, name, column)
    return changed
