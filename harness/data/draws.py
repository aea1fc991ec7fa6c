"""Random numbers that belong to an event: the same in any order, file and number of events."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from harness.challenge import SPLITMIX_STEP, mix64

# The domain of the key; a change of the construction needs another name.
_DOMAIN = b"harness event draws 1\x00"
_MASK = 2**64 - 1


def keyed_uniforms(
    hashes: NDArray[np.uint64], n_draws: int, *, seed: int, label: str
) -> NDArray[np.float64]:
    """Draw numbers uniform in (0, 1) for each event, by its hash.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (n,)
        Keyed hashes of the events' content.
    n_draws : int
        Numbers for each event.
    seed : int
        Of the challenge.
    label : str
        What the numbers are for; another label gives independent ones.

    Returns
    -------
    ndarray of float64, shape (n, n_draws)
    """
    digest = hashlib.sha256(_DOMAIN + seed.to_bytes(8, "little") + label.encode()).digest()
    start = mix64(hashes ^ np.uint64(int.from_bytes(digest[:8], "little")))
    drawn = np.empty((len(hashes), n_draws))
    for index in range(n_draws):
        words = mix64(start + np.uint64((index + 1) * SPLITMIX_STEP & _MASK))
        # 53 bits, and half a step: never 0 or 1.
        drawn[:, index] = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return drawn
