"""Events of four objects, mixed, and scorers of them that run as in a sandbox."""

from __future__ import annotations

import numpy as np

from harness.card.physics import WorkingPoint
from harness.challenge import EventLayout, ObjectGroup
from harness.data.mix import Mixture

LAYOUT = EventLayout(
    objects=(ObjectGroup(name="met", n_slots=1), ObjectGroup(name="jet", n_slots=3))
)
N_BACKGROUND, N_SIGNAL = 30_000, 4_000


def make_events(n_events, rng, *, scale):
    """Events of four objects: pt falling, eta and phi uniform, some slots empty."""
    pt = -np.sort(-rng.exponential(scale, size=(n_events, 4)), axis=1)
    pt[rng.random((n_events, 4)) < 0.3] = 0.0
    eta = rng.uniform(-2.0, 2.0, size=(n_events, 4)) * (pt > 0)
    phi = rng.uniform(-3.1, 3.1, size=(n_events, 4)) * (pt > 0)
    return np.stack([pt, eta, phi], axis=-1).astype(np.float32)


def mix(folder) -> Mixture:
    """Mix background and signal: signal has three times the background's pT."""
    rng = np.random.default_rng(11)
    background = make_events(N_BACKGROUND, rng, scale=20.0)
    signal = make_events(N_SIGNAL, rng, scale=60.0)
    rows = rng.permutation(N_BACKGROUND + N_SIGNAL)
    events = np.empty((len(rows), 4, 3), np.float32)
    events[rows] = np.concatenate([background, signal])
    path = folder / "events.npy"
    np.save(path, events)
    of = {"background": rows[:N_BACKGROUND], "signal": rows[N_BACKGROUND:]}
    return Mixture(
        path=path,
        rows=of,
        indices={name: np.arange(len(found)) for name, found in of.items()},
        hashes={name: np.arange(len(found), dtype=np.uint64) for name, found in of.items()},
    )


class Process:
    """Scores files in chunks, as the sandbox does; a new object is a fresh process."""

    def __init__(self, scorer):
        self.scorer = scorer

    def __call__(self, batches):
        return [self.score(batch.events, batch.at_once) for batch in batches]

    def score(self, path, at_once):
        events = np.load(path)
        chunks = [events[start : start + at_once] for start in range(0, len(events), at_once)]
        return np.concatenate([np.asarray(self.scorer(chunk), np.float64) for chunk in chunks])


def sum_of_pt(events):
    """Score honestly."""
    return events[:, :, 0].sum(axis=1, dtype=np.float64)


def working_point(threshold, *, is_strict=False) -> WorkingPoint:
    """Return a cut at a threshold."""
    return WorkingPoint(
        fpr=1e-3,
        threshold=threshold,
        is_strict=is_strict,
        n_allowed=30,
        n_passing=30,
        fpr_realised=1e-3,
        is_low_statistics=False,
        rates={},
    )
