"""Which jets of an event are kept, and what they are kept as."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.challenge import ConstituentLayout, Value

N_CONSTITUENTS = 200
LAYOUT = ConstituentLayout(n_constituents=N_CONSTITUENTS)


class JetSelection(Value):
    """One jet of each event, or none.

    Attributes
    ----------
    detector : str
        Whose response and granularity: a key of `harness.simulate.boosted.energy_flow.DETECTORS`.
    radius : float
        Of anti-kT.
    either : bool
        One of the two leading jets, in a random order, the first that passes; else the leading one.
    heavy_code : int or None
        PDG code of the particle that the jet must lie close to; None: of no particle.
    match_radius : float
        How close its momentum before the decay must be, in eta and phi.
    merge_radius : float or None
        How close to the jet all quarks of its decay must be; None: anywhere.
    """

    detector: Literal["atlas", "cms"]
    radius: float = Field(gt=0)
    min_pt_gev: float = Field(gt=0)
    max_pt_gev: float = Field(gt=0)
    max_abs_eta: float = Field(gt=0)
    either: bool = False
    heavy_code: int | None = None
    match_radius: float = Field(default=0.8, gt=0)
    merge_radius: float | None = Field(default=None, gt=0)

    @property
    def layout(self) -> ConstituentLayout:
        """What a jet of the file is."""
        return LAYOUT
