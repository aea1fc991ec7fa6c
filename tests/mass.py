"""Toy jets whose mass is known, and a challenge over them with a bump hunt."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.card.physics import Physics
from harness.challenge import BumpHunt, Challenge, ConstituentLayout, MassObservable, StatedTarget
from harness.data.hdf5_writer import write_events
from harness.metrics.evaluate import evaluate
from harness.metrics.scores import Sample, rank_samples
from tests.events import make_challenge, toy_file

LAYOUT = ConstituentLayout(n_constituents=4)
MASS = MassObservable(
    kind="constituents",
    title="Jet mass",
    lower=100.0,
    upper=800.0,
    n_bins=40,
    window=(380.0, 430.0),
    background_efficiencies=(0.1, 0.05),
    hunt=BumpHunt(injected={"loud": 0.02}),
)


def falling(n_events: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw masses of a smooth, falling spectrum from 100 to 800."""
    drawn = generator.gamma(2.0, 110.0, 4 * n_events)
    return drawn[(drawn > 100.0) & (drawn < 800.0)][:n_events]


def two_prongs(masses: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float32]:
    """Make jets of two massless constituents of these masses, shape (n, 4, 3)."""
    n_events = len(masses)
    opening = generator.uniform(0.4, 0.8, n_events)
    share = generator.uniform(0.3, 0.5, n_events)
    # m^2 = 2 pT1 pT2 (cosh(eta1 - eta2) - cos(phi1 - phi2))
    total = masses / np.sqrt(2 * share * (1 - share) * (np.cosh(opening) - 1))
    events = np.zeros((n_events, 4, 3), np.float32)
    eta = generator.uniform(-1.0, 1.0, n_events)
    phi = generator.uniform(-3.0, 3.0, n_events)
    events[:, 0] = np.stack([total * (1 - share), eta, phi], axis=-1)
    events[:, 1] = np.stack([total * share, eta + opening, phi], axis=-1)
    return events


def mass_challenge(**changes: Any) -> Challenge:
    """Return a challenge over ``background.h5`` and ``loud.h5`` that states a mass."""
    files = [toy_file("background.h5"), toy_file("loud.h5", process="loud", role="signal")]
    stated: dict[str, Any] = {
        **make_challenge(files).model_dump(mode="json"),
        "layout": LAYOUT.model_dump(mode="json"),
        "mass": MASS.model_dump(mode="json"),
        "merit": {"kind": "max_sic", "min_background": 20},
        "targets": [StatedTarget(name="none", gate=True, limits={"kind": "none"}).model_dump()],
    }
    del stated["collision_rate_hz"]
    return Challenge.model_validate(stated | changes)


def write_jets(folder: Path, n_background: int, n_signal: int) -> None:
    """Write the files of `mass_challenge`: the signal has a mass of about 405."""
    generator = np.random.default_rng(4)
    masses = {
        "background": falling(n_background, generator),
        "loud": generator.normal(405.0, 12.0, n_signal),
    }
    for name, one in masses.items():
        jets = two_prongs(one, generator)
        write_events(folder / f"{name}.h5", LAYOUT, [jets], n_events=len(jets))


def samples_of(scores: dict[str, NDArray[np.float64]]) -> dict[str, Sample]:
    """Return samples of these scores, with hashes of their own."""
    generator = np.random.default_rng(8)
    ranked = rank_samples(list(scores.values()))
    return {
        name: Sample(
            scores=values,
            hashes=generator.integers(0, 2**63, len(values)).astype(np.uint64),
            ranked=one,
        )
        for (name, values), one in zip(scores.items(), ranked, strict=True)
    }


@cache
def mass_physics(slope: float = 0.0) -> Physics:
    """Return the physics of a score that rises with the mass by `slope`; it knows the signal."""
    generator = np.random.default_rng(1)
    masses = {"background": falling(5000, generator), "loud": generator.normal(405.0, 12.0, 400)}
    scores = {
        name: generator.normal(1.5 * (name == "loud"), 1.0, len(one)) + slope * one / 100.0
        for name, one in masses.items()
    }
    hashes = {name: np.arange(len(one), dtype=np.uint64) * 7 for name, one in masses.items()}
    return evaluate(
        scores["background"],
        {"loud": scores["loud"]},
        background_hashes=hashes["background"],
        signal_hashes={"loud": hashes["loud"]},
        false_positive_rates=(1e-2, 1e-1),
        working_point=1e-2,
        seed=3,
        arithmetic="float",
        mass=MASS,
        masses=masses,
    )
