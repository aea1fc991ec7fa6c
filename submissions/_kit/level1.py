"""Events of the level-1 trigger to train on: hardware integers, 39 of the 50 objects."""

from __future__ import annotations

from functools import partial

import kit
import numpy as np
from numpy.typing import NDArray

from harness import heads
from harness.data import training_events, validation_events

CHALLENGE = "cmsl1t-sample"
# Every fifth simulated event is held back: the simulated background has one part for both.
HELD_BACK = 5
# Rows of an event: 8 muons, 12 jets, 12 e/gamma, 12 taus, ET, HT, MET, MHT, FET, FHT.
N_OBJECTS = 50

run = partial(kit.run, challenge=CHALLENGE, n_events=1_000_000)


def background(settings: kit.Settings, source: str = "data") -> kit.Background:
    """Read the events to train and to validate on, shape (n, 150).

    Parameters
    ----------
    source : str
        ``data``: both runs; ``simulation``: the simulated zero bias.
    """
    where = {"manifest": settings.manifest}
    if source == "simulation":
        events = np.asarray(training_events(settings.challenge, source=source, **where)[:])
        is_held = np.arange(len(events)) % HELD_BACK == 0
        training, validation = events[~is_held][: settings.n_events], events[is_held]
    else:
        training = training_events(settings.challenge, **where)[: settings.n_events]
        validation = validation_events(settings.challenge, **where)[: kit.N_VALIDATION]
    return kit.Background(
        training=training.reshape(len(training), -1),
        validation=validation.reshape(len(validation), -1),
    )


def objects(events: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the 39 objects, shape (n, 117)."""
    chosen: NDArray[np.float32] = events.reshape(len(events), N_OBJECTS, 3)[:, heads.CMSL1T_ROWS]
    return chosen.reshape(len(events), -1)


def momenta(events: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the momenta of the 39 objects, shape (n, 39)."""
    return objects(events)[:, ::3]
