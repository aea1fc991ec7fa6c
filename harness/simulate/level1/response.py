"""How the trigger of the stand-in sees particles: two variants, chosen and not fitted to anything.

"Data" and "simulation" differ as a recorded and a simulated detector would: scales, noise, how much
pile-up is subtracted, muons. No number here was measured in a real detector.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Level1Response:
    """Numbers of one variant.

    Attributes
    ----------
    em_scale, had_scale, forward_scale : float
        Response to electrons and photons, to hadrons, and to all beyond |eta| = 3.
    noise_towers : float
        Mean number of towers with noise in a crossing.
    noise_gev : float
        Its mean energy; exponential.
    subtraction : float
        Share of the energy around a jet that is subtracted from it.
    tower_slope : float
        A tower enters the sums above this times the mean energy of its ring in the event.
    muon_efficiency : float
    muon_resolution : float
        Relative, of 1/pT.
    muon_tail : float
        Share of muons whose pT is measured far too high.
    """

    name: str
    em_scale: float = 1.0
    had_scale: float = 0.9
    forward_scale: float = 0.9
    noise_towers: float = 4.0
    noise_gev: float = 1.0
    subtraction: float = 1.0
    tower_slope: float = 3.0
    muon_efficiency: float = 0.93
    muon_resolution: float = 0.20
    muon_tail: float = 0.02


SIMULATION = Level1Response(name="simulation")
DATA = Level1Response(
    name="data",
    em_scale=0.98,
    had_scale=0.94,
    forward_scale=0.98,
    noise_towers=10.0,
    noise_gev=1.4,
    subtraction=0.93,
    tower_slope=2.7,
    muon_efficiency=0.90,
    muon_resolution=0.24,
    muon_tail=0.035,
)
