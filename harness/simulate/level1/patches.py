"""Small windows of towers around seeds: what jets, e/gamma and tau clusters are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.simulate.level1.towers import N_ETA, N_PHI, Grid
from harness.simulate.particles import Indices


@dataclass(frozen=True, kw_only=True, slots=True)
class Seeds:
    """Towers around which something is clustered; all columns have the shape (n,)."""

    event: Indices
    eta: Indices
    phi: Indices

    def __len__(self) -> int:
        """Count the seeds."""
        return len(self.event)

    def where(self, is_kept: NDArray[np.bool_]) -> Seeds:
        """Return some of them."""
        return Seeds(event=self.event[is_kept], eta=self.eta[is_kept], phi=self.phi[is_kept])


def find_seeds(grid: Grid, least: float, max_side: int | None = None) -> Seeds:
    """Return the towers of at least `least` steps.

    Parameters
    ----------
    max_side : int, optional
        Towers on each side in eta that may be seeds.
    """
    event, eta, phi = np.nonzero(grid >= least)
    seeds = Seeds(event=event, eta=eta, phi=phi)
    if max_side is None:
        return seeds
    return seeds.where(np.abs(eta - N_ETA / 2 + 0.5) < max_side)


def around(grid: Grid, seeds: Seeds, in_eta: int, in_phi: int) -> Grid:
    """Return the windows around seeds, shape (n, 2 in_eta + 1, 2 in_phi + 1); 0 beyond the edge."""
    rows = seeds.eta[:, None] + np.arange(-in_eta, in_eta + 1)
    columns = (seeds.phi[:, None] + np.arange(-in_phi, in_phi + 1)) % N_PHI
    is_inside = (rows >= 0) & (rows < N_ETA)
    windows: Grid = grid[
        seeds.event[:, None, None], np.clip(rows, 0, N_ETA - 1)[:, :, None], columns[:, None, :]
    ]
    windows[~is_inside] = 0.0
    return windows


def is_largest(windows: Grid) -> NDArray[np.bool_]:
    """Return where the seed is the largest of its window; of equal ones, one alone is.

    It must exceed the towers on one side of a diagonal and be at least those on the other, so of
    two neighbours with equal energy exactly one is the largest.
    """
    _, n_eta, n_phi = windows.shape
    eta = np.arange(n_eta)[:, None] - n_eta // 2
    phi = np.arange(n_phi)[None, :] - n_phi // 2
    must_exceed = (phi > -eta) | ((phi == -eta) & (eta > 0))
    seed = windows[:, n_eta // 2, n_phi // 2][:, None, None]
    passes = np.where(must_exceed, seed > windows, seed >= windows)
    # The seed is at least itself: of its own place nothing more is asked.
    found: NDArray[np.bool_] = np.logical_and.reduce(passes, axis=(1, 2))
    return found
