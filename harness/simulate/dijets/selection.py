"""Which events are kept, and what they are kept as."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.challenge import ConstituentLayout, Value


class DijetSelection(Value):
    """Events with a hard jet, as all of their particles.

    Attributes
    ----------
    detector : str
        Whose response and granularity: a key of `harness.simulate.boosted.energy_flow.DETECTORS`.
    radius : float
        Of anti-kT.
    min_pt_gev, max_abs_eta : float
        Of the leading jet.
    max_particle_abs_eta : float
        Particles beyond it are neither clustered nor kept.
    n_constituents : int
        Particles that are kept of an event, those of the largest pT.
    """

    detector: Literal["atlas", "cms"]
    radius: float = Field(gt=0)
    min_pt_gev: float = Field(gt=0)
    max_abs_eta: float = Field(gt=0)
    max_particle_abs_eta: float = Field(gt=0)
    n_constituents: int = Field(ge=1)

    @property
    def layout(self) -> ConstituentLayout:
        """What an event of the file is."""
        return ConstituentLayout(n_constituents=self.n_constituents)
