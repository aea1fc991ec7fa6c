"""What the detector sees of an event: tracks, cells of two calorimeters, H_T, and the image.

Each particle counts in one channel, as in particle flow: a charged one by its track where that is
found, otherwise by a calorimeter. Efficiencies, resolutions and thresholds of the cells are those
of the Delphes card for CMS; see `harness.simulate.response`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.challenge import ImageLayout
from harness.simulate.jets import cluster
from harness.simulate.particles import (
    CHARGED,
    ELECTRON,
    MUON,
    NEUTRAL,
    PHOTON,
    Column,
    Indices,
    Particles,
    join,
)
from harness.simulate.response import (
    CMS_LIKE,
    JET_RADIUS,
    electromagnetic_resolution,
    hadronic_resolution,
    track_efficiency,
    track_resolution,
)
from harness.submission.events import ENTRY, SparseEvents

CHANNELS = ("tracks", "ecal", "hcal")
LAYOUT = ImageLayout(height=288, width=360, channels=CHANNELS, non_negative=True)
# The image reaches from -2.5 to 2.5 in eta, from -pi to pi in phi.
MAX_ABS_ETA = 2.5
PIXEL_ETA = 2 * MAX_ABS_ETA / LAYOUT.height
PIXEL_PHI = 2 * np.pi / LAYOUT.width
# A cell of the hadron calorimeter is as large as 5 x 5 of the electromagnetic one.
HCAL_SIDE = 5
# Jets may reach beyond the image.
_CELLS_ABS_ETA = 3.0
# Jets in H_T: `JetPTMin` and the tracker of the Delphes card for CMS.
HT_JET_GEV = 20.0
CHARGED_KINDS = (CHARGED, ELECTRON, MUON)

Resolution = Callable[[Column, Column], Column]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What is seen of some events; cells are `Particles` in the middle of the cell.

    Attributes
    ----------
    tracks, ecal, hcal : Particles
        In the order of the events.
    """

    n_events: int
    tracks: Particles
    ecal: Particles
    hcal: Particles

    def of_events(self, is_kept: NDArray[np.bool_]) -> Seen:
        """Return some events, numbered from 0."""
        return Seen(
            n_events=int(is_kept.sum()),
            tracks=self.tracks.of_events(is_kept),
            ecal=self.ecal.of_events(is_kept),
            hcal=self.hcal.of_events(is_kept),
        )


def without_tracks(particles: Particles) -> Particles:
    """Remove charged particles within the tracker: they belong to another vertex."""
    is_charged = np.isin(particles.kind, CHARGED_KINDS)
    return particles.where(~(is_charged & (np.abs(particles.eta) < MAX_ABS_ETA)))


def see(particles: Particles, n_events: int, rng: np.random.Generator) -> Seen:
    """Measure the particles of `n_events` events, which come in the order of the events."""
    is_inside = np.abs(particles.eta) < _CELLS_ABS_ETA
    particles = particles.where(is_inside)
    is_charged = np.isin(particles.kind, CHARGED_KINDS)
    is_track = is_charged & (rng.random(len(particles)) < track_efficiency(particles))
    tracks = particles.where(is_track)
    width = track_resolution(tracks.pt, np.abs(tracks.eta))
    tracks = _scaled(tracks, 1.0 + width * rng.standard_normal(len(tracks)))
    is_em = np.isin(particles.kind, (PHOTON, ELECTRON)) & ~is_track
    is_had = np.isin(particles.kind, (NEUTRAL, CHARGED)) & ~is_track
    return Seen(
        n_events=n_events,
        tracks=tracks.where(tracks.pt > 0),
        # Least energy and significance of a cell: `EnergyMin`, `EnergySignificanceMin` of the card.
        ecal=_cells(particles.where(is_em), 1, electromagnetic_resolution, (0.5, 2.0), rng),
        hcal=_cells(particles.where(is_had), HCAL_SIDE, hadronic_resolution, (1.0, 1.0), rng),
    )


def _scaled(particles: Particles, factor: Column) -> Particles:
    return replace(particles, pt=particles.pt * factor)


def _cells(
    particles: Particles,
    side: int,
    resolution: Resolution,
    least: tuple[float, float],
    rng: np.random.Generator,
) -> Particles:
    """Add up particles in cells of ``side x side`` pixels, smear, and drop what is noise.

    Cells lie symmetrically about eta = 0.
    """
    n_phi, offset = LAYOUT.width // side, 1_000
    in_eta = np.floor(particles.eta / (side * PIXEL_ETA)).astype(np.int64) + offset
    in_phi = np.floor((particles.phi + np.pi) / (side * PIXEL_PHI)).astype(np.int64) % n_phi
    code = (particles.event * 2 * offset + in_eta) * n_phi + in_phi
    found, place = np.unique(code, return_inverse=True)
    eta = ((found // n_phi) % (2 * offset) - offset + 0.5) * side * PIXEL_ETA
    phi = (found % n_phi + 0.5) * side * PIXEL_PHI - np.pi
    energy: Column = np.bincount(
        place, particles.pt * np.cosh(particles.eta), minlength=len(found)
    ).astype(np.float64)
    width = resolution(energy, np.abs(eta))
    energy = energy * (1.0 + width * rng.standard_normal(len(energy)))
    is_positive = energy > 0
    width = np.where(is_positive, resolution(np.maximum(energy, 1e-9), np.abs(eta)), np.inf)
    is_kept = is_positive & (energy > least[0]) & (least[1] * width < 1.0)
    every = Particles(
        event=found // (2 * offset * n_phi),
        pt=energy / np.cosh(eta),
        eta=eta,
        phi=phi,
        kind=np.full(len(found), NEUTRAL if side > 1 else PHOTON, np.int8),
    )
    return every.where(is_kept)


def transverse_sum(seen: Seen, n_pileup: Indices) -> Column:
    """Return H_T of each event [GeV]: jets above 20 GeV within |eta| < 2.5.

    The mean pile-up is subtracted from each jet.

    Parameters
    ----------
    n_pileup : ndarray of int64, shape (n_events,)
        Pile-up collisions in each event.
    """
    jets = cluster(join([seen.tracks, seen.ecal, seen.hcal]), seen.n_events, JET_RADIUS)
    pt = jets.pt - CMS_LIKE.pileup_offset_gev * n_pileup[jets.event]
    counts = (pt > HT_JET_GEV) & (np.abs(jets.eta) < MAX_ABS_ETA)
    summed: Column = np.bincount(jets.event[counts], pt[counts], minlength=seen.n_events).astype(
        np.float64
    )
    return summed


def draw_images(seen: Seen) -> SparseEvents:
    """Return the images: transverse energy [GeV] in each pixel of each channel."""
    parts = [_pixels(seen.tracks, 0), _pixels(seen.ecal, 1), _spread(seen.hcal, 2)]
    event, index, value = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    n_values = int(np.prod(LAYOUT.shape))
    code, place = np.unique(event * n_values + index, return_inverse=True)
    entries = np.empty(len(code), ENTRY)
    entries["index"] = code % n_values
    entries["value"] = np.bincount(place, value, minlength=len(code))
    bounds = np.searchsorted(code, np.arange(seen.n_events + 1) * n_values).astype(np.int64)
    return SparseEvents(entries, bounds, LAYOUT.shape)


def _pixels(objects: Particles, channel: int) -> tuple[Indices, Indices, Column]:
    """Return event, place and energy of objects as small as a pixel."""
    inside = objects.where(np.abs(objects.eta) < MAX_ABS_ETA)
    row = np.floor((inside.eta + MAX_ABS_ETA) / PIXEL_ETA).astype(np.int64)
    column = np.floor((inside.phi + np.pi) / PIXEL_PHI).astype(np.int64) % LAYOUT.width
    row = np.minimum(row, LAYOUT.height - 1)
    return inside.event, _index(row, column, channel), inside.pt


def _spread(cells: Particles, channel: int) -> tuple[Indices, Indices, Column]:
    """Return event, place and energy of the pixels of cells: equal parts of the cell's energy.

    The outermost cells reach beyond the image; their energy is divided by their pixels within it.
    """
    middle = LAYOUT.height // 2
    first = np.floor(cells.eta / (HCAL_SIDE * PIXEL_ETA)).astype(np.int64) * HCAL_SIDE + middle
    begin, end = np.maximum(first, 0), np.minimum(first + HCAL_SIDE, LAYOUT.height)
    n_rows = end - begin
    is_inside = n_rows > 0
    begin, n_rows, cells = begin[is_inside], n_rows[is_inside], cells.where(is_inside)
    column = np.floor((cells.phi + np.pi) / PIXEL_PHI).astype(np.int64) // HCAL_SIDE * HCAL_SIDE
    row_in, column_in = np.divmod(np.arange(HCAL_SIDE**2), HCAL_SIDE)
    is_there = row_in < n_rows[:, None]
    rows, columns = begin[:, None] + row_in, column[:, None] + column_in
    energy = np.broadcast_to((cells.pt / (n_rows * HCAL_SIDE))[:, None], is_there.shape)
    event = np.broadcast_to(cells.event[:, None], is_there.shape)
    return event[is_there], _index(rows, columns, channel)[is_there], energy[is_there]


def _index(row: Indices, column: Indices, channel: int) -> Indices:
    index: Indices = (row * LAYOUT.width + column) * len(CHANNELS) + channel
    return index
