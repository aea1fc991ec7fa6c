"""Soft collisions: a library of minimum-bias events, overlaid as pile-up and as underlying event.

*Pile-up.* A Poisson number of inelastic events is added to each hard one. Charged particles within
the tracker are removed (charged-hadron subtraction, as in Delphes's pile-up card); the rest is
neutral or forward.

*Underlying event.* In place of multiparton interactions, one or two non-diffractive events are
added to the hard one, including their charged particles. Their mean number is such that they add
the same transverse energy within |eta| < 2.5 to W events as Pythia's own multiparton interactions.

Each soft event is rotated by a random angle about the beam and reflected at random, so a library of
tens of thousands is enough for millions of events. Not covered: soft events rarer than one in the
library; a rare one (with a jet of 50 GeV, say) is used many times.
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

SoftKind = Literal["inelastic", "nondiffractive"]
KINDS: tuple[SoftKind, ...] = ("inelastic", "nondiffractive")
# Tracks are found within this |eta| (delphes_card_CMS.tcl, tracking efficiency).
TRACKER_ABS_ETA = 2.5
PILEUP_MEAN = 20.0
# Underlying event: always one event, and a second with this probability [see the module's text].
SECOND_EVENT = 0.7
# Events in one part of a library; each part has its own seed. Starting Pythia takes as long as
# making 3,000 events.
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
        """Remove charged particles within the tracker."""
        is_kept = ~((self.kind == CHARGED) & (np.abs(self.eta) < TRACKER_ABS_ETA))
        before = np.concatenate([[0], np.cumsum(is_kept)])
        return SoftEvents(
            starts=before[self.starts], **{name: getattr(self, name)[is_kept] for name in _COLUMNS}
        )

    def draw(self, numbers: Indices, rng: np.random.Generator) -> Particles:
        """Draw `numbers[i]` soft events for event i, each rotated and reflected."""
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


_COLUMNS = ("pt", "eta", "phi", "kind")


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlay:
    """Both libraries, ready to draw from."""

    pileup: SoftEvents
    underlying: SoftEvents

    def draw(self, n_events: int, rng: np.random.Generator) -> tuple[Particles, Indices]:
        """Draw the soft particles of `n_events` events, and the pile-up events in each."""
        n_pileup = rng.poisson(PILEUP_MEAN, n_events)
        n_underlying = 1 + (rng.random(n_events) < SECOND_EVENT)
        soft = (self.pileup.draw(n_pileup, rng), self.underlying.draw(n_underlying, rng))
        return join(soft), n_pileup


def make_part(kind: SoftKind, part: int, n_events: int) -> SoftEvents:
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
    """Join the parts of a library."""
    lengths = np.concatenate([np.diff(part.starts) for part in parts])
    return SoftEvents(
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS},
    )


def to_bytes(events: SoftEvents) -> bytes:
    """Encode a library or a part of it; equal libraries give equal bytes."""
    stream = io.BytesIO()
    for name in ("starts", *_COLUMNS):
        column = np.ascontiguousarray(getattr(events, name))
        np.lib.format.write_array(stream, column, allow_pickle=False)
    return stream.getvalue()


def read_library(path: Path) -> SoftEvents:
    """Read what `to_bytes` wrote.

    Raises
    ------
    OSError, ValueError
        The file is missing or cut short.
    """
    with path.open("rb") as stream:
        names = ("starts", *_COLUMNS)
        columns = {name: np.lib.format.read_array(stream, allow_pickle=False) for name in names}
    return SoftEvents(**columns)


def library_name(kind: SoftKind, n_events: int) -> str:
    """Name a library by everything that determines its content."""
    import pythia8mc

    recipe = repr((SETTINGS[kind], _MORE, LIBRARY_SEED, PART_EVENTS, MIN_PT_GEV, n_events))
    version = getattr(pythia8mc, "__version__", "")
    digest = hashlib.sha256(f"{recipe}{version}".encode()).hexdigest()[:12]
    return f"{kind}-{n_events}-{digest}.events"
