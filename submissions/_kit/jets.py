"""Jets to train on: with labels where the challenge has them, and without."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import kit
import numpy as np
from numpy.typing import NDArray

from harness.data import load_manifest, training_events, validation_events

TOPTAG = "jets-toptag-sample"
ANOMALY = "jets-anomaly-sample"
INVERSE = "jets-inverse-sample"

Jets = NDArray[np.float32]

run = partial(kit.run, n_events=100_000, may_mix=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """Jets of both classes, mixed; float32 of shape (n, m, 3) with pT [GeV], eta, phi.

    Attributes
    ----------
    jets, validation : ndarray
    labels, validation_labels : ndarray of float32, shape (n, 1)
        1: signal.
    """

    jets: Jets
    labels: Jets
    validation: Jets
    validation_labels: Jets


def background(settings: kit.Settings) -> kit.Background:
    """Read the jets without labels, with the signals that the command line mixes in."""
    plain = pure(settings)
    return kit.Background(
        training=contaminated(plain.training, settings), validation=plain.validation
    )


def pure(settings: kit.Settings) -> kit.Background:
    """Read the jets of the background: at most ``settings.n_events`` to train on."""
    where = {"manifest": settings.manifest}
    return kit.Background(
        training=np.asarray(training_events(settings.challenge, **where)[: settings.n_events]),
        validation=np.asarray(validation_events(settings.challenge, **where)[: kit.N_VALIDATION]),
    )


def contaminated(training: Jets, settings: kit.Settings) -> Jets:
    """Mix the first jets of a file of signals in, so that they are `settings.share` of all."""
    n_mixed = round(len(training) * settings.share / (1.0 - settings.share))
    if not n_mixed:
        return training
    if settings.mixed_in is None:
        raise SystemExit("--share needs --mixed-in: a file of `harness simulate jets`")
    signals = read_simulated(settings.mixed_in, training.shape[1])
    if len(signals) < n_mixed:
        raise SystemExit(f"{settings.mixed_in} has {len(signals):,} jets, {n_mixed:,} are needed")
    return mixed(training, signals[:n_mixed], settings.seed)[0]


def labelled(settings: kit.Settings) -> Labelled:
    """Read the training parts of background and signals, at most ``settings.n_events`` of each."""
    where = {"manifest": settings.manifest}
    signals = load_manifest(settings.manifest).challenge(settings.challenge).signals
    plain = pure(settings)
    of_signals = [
        tuple(
            np.asarray(part(settings.challenge, signal=name, **where)[: settings.n_events])
            for part in (training_events, validation_events)
        )
        for name in signals
    ]
    training, validation = (np.concatenate(part) for part in zip(*of_signals, strict=True))
    jets, labels = mixed(plain.training, training, settings.seed)
    held, held_labels = mixed(plain.validation, validation, settings.seed)
    return Labelled(jets=jets, labels=labels, validation=held, validation_labels=held_labels)


def labelled_of(folder: Path, names: tuple[str, ...], settings: kit.Settings) -> Labelled:
    """Put files of signals, simulated for this, beside the jets without labels.

    Parameters
    ----------
    folder : Path
        It holds ``NAME.h5`` of each name, as `harness simulate jets` wrote them; every tenth jet
        is kept for validation.
    """
    plain = pure(settings)
    n_constituents = plain.training.shape[1]
    signals = np.concatenate(
        [read_simulated(folder / f"{name}.h5", n_constituents) for name in names]
    )
    is_held = np.arange(len(signals)) % 10 == 0
    jets, labels = mixed(plain.training, signals[~is_held], settings.seed)
    held, held_labels = mixed(plain.validation, signals[is_held], settings.seed)
    return Labelled(jets=jets, labels=labels, validation=held, validation_labels=held_labels)


def read_simulated(path: Path, n_constituents: int) -> Jets:
    """Read a file of `harness simulate jets`."""
    import h5py

    with h5py.File(path) as file:
        return dense(file["Particles"], n_constituents)


def dense(group: object, n_constituents: int) -> Jets:
    """Return jets that lie in a file without their empty rows."""
    starts, values = np.asarray(group["indptr"]), np.asarray(group["value"], np.float32)
    sizes = np.diff(starts)
    place = np.arange(len(values)) - np.repeat(starts[:-1], sizes)
    jets = np.zeros((len(sizes), n_constituents, values.shape[1]), np.float32)
    jets[np.repeat(np.arange(len(sizes)), sizes), place] = values
    return jets


def mixed(background: Jets, signal: Jets, seed: int) -> tuple[Jets, Jets]:
    """Mix two classes; return jets and labels, 1 for signal."""
    jets = np.concatenate([background, signal])
    labels = np.repeat(np.float32([0, 1]), [len(background), len(signal)])
    order = np.random.default_rng(seed).permutation(len(jets))
    return jets[order], labels[order, None]
