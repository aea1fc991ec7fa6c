"""What a detector makes of one call of Pythia."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from harness.simulate.generator import Generator


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """Events that passed the selection.

    Attributes
    ----------
    events : ndarray of float32, shape (n, *layout.shape)
    n_generated : int
        Events that Pythia has made.
    n_capped : int
        Those that should have been kept more than once.
    """

    events: NDArray[np.float32]
    n_generated: int
    n_capped: int


class Observer(Protocol):
    """Generates events and observes them."""

    def observe(self, generator: Generator, n_events: int, rng: np.random.Generator) -> Observed:
        """Generate up to `n_events`; return those that pass the selection."""
        ...
