"""Events of the LHC Olympics' kind to train on: observables of two jets, small networks in NumPy.

A ``train.py`` beside a ``model.py`` imports it from here; nothing of it runs when an entry is
scored. What it gives by default is the mixture of the challenge: background with a little signal
and no label.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.data import training_events, validation_events
from harness.jets import dijet_features, dijet_observables

CHALLENGE = "lhco-sample"
# Where the resonance is looked for, and the bands beside it [GeV].
REGION, BANDS = (3300.0, 3700.0), ((2800.0, 3300.0), (3700.0, 4400.0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What the command line of a ``train.py`` says."""

    challenge: str
    manifest: Path | None
    seed: int
    output: Path


def run(train: Callable[[Settings], None], *, output: Path, description: str | None) -> None:
    """Read the command line, train, say how long it took."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--challenge", default=CHALLENGE)
    parser.add_argument("--manifest", type=Path, help="a manifest that holds the challenge")
    parser.add_argument("--seed", type=int, default=57)
    parser.add_argument("--output", type=Path, default=output, help="the file of weights to write")
    told = parser.parse_args()
    wall, cpu = time.monotonic(), time.process_time()
    train(Settings(**vars(told)))
    print(
        f"wrote {told.output.name} after {time.monotonic() - wall:.0f} s, "
        f"{time.process_time() - cpu:.0f} s of processor time"
    )


def mixture(settings: Settings) -> NDArray[np.float64]:
    """Return observables of the events to train on, shape (n, 5); see `dijet_observables`."""
    events = training_events(settings.challenge, manifest=settings.manifest)
    return _observables(events)


def held_back(settings: Settings) -> NDArray[np.float64]:
    """Return observables of the validation part of the mixture."""
    return _observables(validation_events(settings.challenge, manifest=settings.manifest))


def labelled(settings: Settings, signal: str = "wprime") -> tuple[NDArray[np.float64], ...]:
    """Return observables of background alone and of signal alone: for a control."""
    where = {"manifest": settings.manifest}
    background = training_events(settings.challenge, s_over_b=0.0, **where)
    return (
        _observables(background),
        _observables(training_events(settings.challenge, signal=signal, **where)),
    )


def _observables(events: NDArray[np.float32]) -> NDArray[np.float64]:
    return dijet_observables(dijet_features(np.asarray(events)))


def in_region(observables: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which events are in the signal region."""
    mass = observables[:, 4]
    inside: NDArray[np.bool_] = (mass >= REGION[0]) & (mass < REGION[1])
    return inside


def in_bands(observables: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which events are in one of the sidebands."""
    mass = observables[:, 4]
    inside: NDArray[np.bool_] = np.any([(mass >= low) & (mass < high) for low, high in BANDS], 0)
    return inside


def scaled(
    inputs: NDArray[np.float64], mean: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return inputs in units of their spread; masses by their logarithms."""
    return (logarithms(inputs) - mean) / spread


def logarithms(inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the four inputs, of the two masses the logarithm of 1 GeV + mass."""
    return np.column_stack([np.log1p(inputs[:, :2]), inputs[:, 2:4]])


def scale_of(inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and spread of the inputs."""
    values = logarithms(inputs)
    return values.mean(axis=0), values.std(axis=0)


def layers_of(networks: Sequence[object], output: Path, **more: NDArray[np.float64]) -> None:
    """Write the layers of some networks of scikit-learn, which all have one architecture."""
    layers = {}
    for depth in range(len(networks[0].coefs_)):
        layers[f"w{depth}"] = np.stack([one.coefs_[depth] for one in networks])
        layers[f"b{depth}"] = np.stack([one.intercepts_[depth] for one in networks])
    rounded = {name: value.astype(np.float32) for name, value in layers.items()}
    np.savez_compressed(output, **rounded, **more)
