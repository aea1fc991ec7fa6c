"""Toy files with what stands beside the events: run, pile-up, the menu and its algorithms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from harness.challenge import Challenge, Condition, DataFile, Piece
from tests.events import make_challenge, make_events, toy_file, write_hdf5

RUNS = (396102, 398183)
CONDITIONS = (
    Condition(name="run", title="Run", column="run"),
    Condition(name="pile_up", title="Pile-up", column="nPV_True", edges=(20, 40, 50, 60, 80)),
)
# More than eight: a second byte begins.
ALGORITHMS = tuple(f"L1_Single{number}" for number in range(11))


def write_beside(
    path: Path,
    n_events: int,
    *,
    seed: int,
    scale: float = 1.0,
    names: Sequence[str] = ALGORITHMS,
    runs: Sequence[int] = RUNS,
) -> NDArray[np.bool_]:
    """Write events with all that may stand beside them; return the decisions by algorithm.

    An algorithm asks for a harder leading muon than the one before it; the menu is their OR.
    """
    generator = np.random.default_rng(seed)
    events = make_events(n_events, seed=seed) * np.float32([scale, 1, 1])
    write_hdf5(path, events)
    cuts = 10.0 + 5.0 * np.arange(len(names))
    passed = events[:, 5, 0, None] > cuts
    with h5py.File(path, "r+") as file:
        file["run"] = np.sort(generator.choice(runs, n_events)).astype(np.uint32)
        file["nPV_True"] = generator.uniform(15.0, 85.0, n_events).astype(np.float32)
        file["L1bit"] = passed.any(axis=1)
        file["algorithms"] = passed.astype(np.uint8)
        file["algorithms"].attrs["names"] = list(names)
    return passed


def challenge_beside(*, pieces: Sequence[str] = (), name: str = "toy") -> Challenge:
    """Return a challenge over ``background.h5`` (or `pieces`) and ``heavy.h5``."""
    background = toy_file("background.h5")
    if pieces:
        background = DataFile(
            name="background",
            role="background",
            process="background",
            title="background",
            pieces=tuple(Piece(name=piece) for piece in pieces),
        )
    made = make_challenge(
        [background, toy_file("heavy.h5", role="signal", process="heavy")], name=name
    )
    stated = {"menu": "L1bit", "algorithms": "algorithms", "conditions": CONDITIONS}
    return Challenge.model_validate(
        {**made.model_dump(mode="json"), **{k: _plain(v) for k, v in stated.items()}}
    )


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [one.model_dump(mode="json") for one in value]
    return value
