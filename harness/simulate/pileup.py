"""Soft collisions: a library of minimum-bias events, overlaid as pile-up and as underlying event.

*Pile-up.* A Poisson number of whole inelastic events is laid over each hard one. Charged particles
within the tracker are taken out (charged-hadron subtraction, as in Delphes's pile-up card); what is
left is neutral or forward.

*Underlying event.* In place of multiparton interactions one or two whole non-diffractive events
are laid over the hard one, charged particles and all. Their mean number is set so that the
transverse energy within |eta| < 2.5 that they add to W events is what Pythia's own multiparton
interactions add.

Each overlaid event is turned by a random angle about the beam and reflected at random, so that a
library of tens of thousands serves for millions of events. What is not covered: soft events rarer
than one in the library; a rare one (with a jet of 50 GeV, say) comes again and again.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.simulate.generator import MIN_PT_GEV, make_generator
from harness.simulate.particles import CHARGED, Indices, Particles, join, spans, wrap
from harness.simulate.process import Process

Kind = Literal["inelastic", "nondiffractive"]
KINDS: tuple[Kind, ...] = ("inelastic", "nondiffractive")
# Tracks are found within this |eta| (delphes_card_CMS.tcl, tracking efficiency).
TRACKER_ABS_ETA = 2.5
PILEUP_MEAN = 20.0
# Underlying event: one event always, a second with this probability [see the module's text].
SECOND_EVENT = 0.7
# Events of a library are made in parts of this many, each with a seed of its own. To start Pythia
# costs as much as 3,000 of them.
PART_EVENTS = 5000
LIBRARY_SEED = 13
SETTINGS = {
    "inelastic": ("SoftQCD:inelastic = on",),
    "nondiffractive": ("SoftQCD:nonDiffractive = on",),
}
# The libraries are the only samples with multiparton interactions.
_MORE = ("PartonLevel:MPI = on",)


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftEvents:
    """Soft events one after the other; event n holds the particles starts[n] to starts[n + 1]."""

    starts: Indices
    pt: NDArray[np.float32]
    eta: NDArray[np.float32]
    phi: NDArray[np.float32]
    kind: NDArray[np.int8]

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.starts) - 1

    def without_tracks(self) -> SoftEvents:
        """Take out charged particles within the tracker."""
        is_kept = ~((self.kind == CHARGED) & (np.abs(self.eta) < TRACKER_ABS_ETA))
        before = np.concatenate([[0], np.cumsum(is_kept)])
        return SoftEvents(
            starts=before[self.starts],
            pt=self.pt[is_kept],
            eta=self.eta[is_kept],
            phi=self.phi[is_kept],
            kind=self.kind[is_kept],
        )

    def draw(self, numbers: Indices, rng: np.random.Generator) -> Particles:
        """Draw whole events: `numbers[i]` of them for event i, each turned and reflected."""
        owner = np.repeat(np.arange(len(numbers)), numbers)
        drawn = rng.integers(0, self.n_events, len(owner))
        angle = rng.uniform(-np.pi, np.pi, len(owner))
        sign = rng.integers(0, 2, len(owner)) * 2.0 - 1.0
        lengths = self.starts[drawn + 1] - self.starts[drawn]
        at = spans(self.starts[drawn], lengths)
        return Particles(
            event=np.repeat(owner, lengths),
            pt=self.pt[at].astype(np.float64),
            eta=self.eta[at].astype(np.float64) * np.repeat(sign, lengths),
            phi=wrap(self.phi[at].astype(np.float64) + np.repeat(angle, lengths)),
            kind=self.kind[at],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlay:
    """Both libraries, ready to be laid over events."""

    pileup: SoftEvents
    underlying: SoftEvents

    def draw(self, n_events: int, rng: np.random.Generator) -> tuple[Particles, Indices]:
        """Draw the soft particles of `n_events` events, and the pile-up events in each."""
        n_pileup = rng.poisson(PILEUP_MEAN, n_events)
        n_underlying = 1 + (rng.random(n_events) < SECOND_EVENT)
        soft = (self.pileup.draw(n_pileup, rng), self.underlying.draw(n_underlying, rng))
        return join(soft), n_pileup


def make_part(kind: Kind, part: int, n_events: int) -> SoftEvents:
    """Generate part number `part` of a library."""
    process = Process(name=kind, title=kind, settings=SETTINGS[kind])
    seed = LIBRARY_SEED + 100_000 * (kind == "nondiffractive") + part
    batch = make_generator(process, seed, _MORE).next_batch(n_events, np.random.default_rng(seed))
    particles = join([batch.particles, batch.leptons.where(np.abs(batch.leptons.eta) < 5.0)])
    counts = np.bincount(particles.event, minlength=batch.n_events)
    return SoftEvents(
        starts=np.concatenate([[0], np.cumsum(counts)]),
        pt=particles.pt.astype(np.float32),
        eta=particles.eta.astype(np.float32),
        phi=particles.phi.astype(np.float32),
        kind=particles.kind,
    )


def join_parts(parts: list[SoftEvents]) -> SoftEvents:
    """Lay the parts of a library together."""
    lengths = np.concatenate([np.diff(part.starts) for part in parts])
    return SoftEvents(
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        pt=np.concatenate([part.pt for part in parts]),
        eta=np.concatenate([part.eta for part in parts]),
        phi=np.concatenate([part.phi for part in parts]),
        kind=np.concatenate([part.kind for part in parts]),
    )


def to_bytes(events: SoftEvents) -> bytes:
    """Encode a library or a part of it; equal libraries give equal bytes."""
    stream = io.BytesIO()
    for column in (events.starts, events.pt, events.eta, events.phi, events.kind):
        np.lib.format.write_array(stream, np.ascontiguousarray(column), allow_pickle=False)
    return stream.getvalue()


def read_library(path: Path) -> SoftEvents:
    """Read what `to_bytes` has written.

    Raises
    ------
    OSError, ValueError
        The file is missing or cut short.
    """
    with path.open("rb") as stream:
        columns = [np.lib.format.read_array(stream, allow_pickle=False) for _ in range(5)]
    starts, pt, eta, phi, kind = columns
    return SoftEvents(starts=starts, pt=pt, eta=eta, phi=phi, kind=kind)


def library_name(kind: Kind, n_events: int) -> str:
    """Name a library by all that decides its content."""
    import pythia8mc

    recipe = repr((SETTINGS[kind], _MORE, LIBRARY_SEED, PART_EVENTS, MIN_PT_GEV, n_events))
    version = getattr(pythia8mc, "__version__", "")
    digest = hashlib.sha256(f"{recipe}{version}".encode()).hexdigest()[:12]
    return f"{kind}-{n_events}-{digest}.events"
