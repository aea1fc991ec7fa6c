"""Events that are dropped while Pythia makes them, as soon as they cannot pass any more.

Pythia calls a veto three times. After the hard process: does it contain what `Process.demand`
names? When the shower has reached `SHOWER_SCALE_GEV`, before most of its work: heavy quarks have
nearly their final momentum there. And before hadronisation: is a lepton hard enough?

QCD is *thinned*: an event is kept with a probability that rises with the lepton that its partons
are expected to give. The probability to accept the event at the end (`harness.simulate.decays`,
`harness.simulate.detector`) is divided by this probability, so events have no weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.simulate.process import CODES, Demand, Flavour, Process
from harness.simulate.response import ELECTRON_ABS_ETA, MUON_ABS_ETA

if TYPE_CHECKING:
    from pythia8mc import Event, Particle, Pythia, UserHooks

# Scale at which the shower is checked. No b quark is produced below its mass.
SHOWER_SCALE_GEV = 5.0
# A lepton of the hard process beyond these cannot pass the selection, except after a hard recoil.
_HARD_LEPTON_PT_GEV, _LEPTON_ABS_ETA = 14.0, 3.3
# Before hadronisation: only the measurement can still raise a pT above the threshold; |eta| is
# final. Taus decay later. PDG code: pT [GeV], |eta|.
_FINAL_LEPTONS = {
    11: (19.0, ELECTRON_ABS_ETA),
    13: (21.0, MUON_ABS_ETA),
    15: (22.0, ELECTRON_ABS_ETA + 0.1),
}
# Heavy quarks beyond this give no lepton within |eta| < 3.
_QUARK_ABS_ETA = 3.5
# Branching fractions of tau -> e, 17.82 %, and tau -> mu, 17.39 % (PDG 2022).
TAU_TO_LEPTON = 0.1782 + 0.1739
_LIGHT = {1, 2, 3, 21}
# Of 459 jets within |eta| < 1 the hard process had a particle below 1.2.
_CENTRAL_ABS_ETA = 1.5
# Mean weight of the decays of a quark's hadron, for some pT of the quark at that scale [GeV]; for
# light partons ("none") the rate at which their jet is misidentified as an electron, divided by the
# highest rate. Measured with this generator. Only the speed depends on these numbers.
_PARTON_PT_GEV = (20.0, 25.0, 30.0, 35.0, 40.0, 50.0, 60.0, 80.0, 120.0, 200.0)
_EXPECTED: Mapping[Flavour, tuple[float, ...]] = {
    "bottom": (1e-6, 1e-5, 1e-4, 7e-4, 2.4e-3, 7.8e-3, 1.54e-2, 2.45e-2, 3.3e-2, 4e-2),
    "charm": (1e-6, 1e-5, 5e-5, 2e-4, 6e-4, 1.6e-3, 3.6e-3, 9.3e-3, 2.15e-2, 3.6e-2),
    "none": (6e-3, 2e-2, 6e-2, 0.13, 0.18, 0.18, 0.15, 0.1, 0.06, 0.05),
}

# Identifies an event: x1, x2 and the squared pT of its hard process.
Key = tuple[float, float, float]


class Thinning:
    """Keeps events of QCD by their expected weight, and remembers the probabilities.

    Attributes
    ----------
    selected_weight : float
        Sum of the weights of all hard processes that Pythia has selected.
    """

    def __init__(self, pythia: Pythia, process: Process, uniform: Callable[[], float]) -> None:
        self._info = pythia.infoPython
        self._process = process
        self._uniform = uniform
        self._kept: dict[Key, float] = {}
        self.selected_weight = 0.0

    def count(self) -> None:
        """Count a hard process."""
        self.selected_weight += self._info().weight()

    def drops(self, event: Event) -> bool:
        """Decide on an event during its shower."""
        info = self._info()
        weight = expected_weight(event, self._process)
        chance = min(1.0, info.weight() * weight / self._process.parton_cap)
        if self._uniform() >= chance:
            return True
        self._kept[info.x1(), info.x2(), info.pT2Hat()] = chance
        return False

    def take(self, keys: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probabilities of the events that were kept, shape (n,); forget them.

        Parameters
        ----------
        keys : ndarray of float64, shape (n, 3)
        """
        chances = np.array([self._kept[one] for one in map(tuple, keys.tolist())])
        self._kept.clear()
        return chances


def expected_weight(event: Event, process: Process) -> float:
    """Return the expected weight of decays of heavy quarks, or of jets taken for electrons."""
    codes = _LIGHT if process.is_fake else {CODES[process.leptons_of]}
    expected = _EXPECTED["none" if process.is_fake else process.leptons_of]
    total = 0.0
    for n in range(3, event.size()):
        parton = event[n]
        if parton.idAbs() in codes and parton.isFinal() and abs(parton.eta()) < _QUARK_ABS_ETA:
            total += float(np.interp(parton.pT(), _PARTON_PT_GEV, expected))
    return total


def make_vetoes(
    module: Any,  # noqa: ANN401 - a module without types
    pythia: Pythia,
    process: Process,
    seed: int,
) -> tuple[UserHooks | None, Thinning | None]:
    """Return the vetoes that Pythia calls for `process`, and its thinning; None for no veto."""
    if process.demand == "none":
        return None, None
    uniform = np.random.default_rng([seed, 1]).random
    is_thinned = process.is_fake or process.leptons_of != "none"
    thinning = Thinning(pythia, process, uniform) if is_thinned else None
    wants_lepton = process.demand == "lepton"

    class Vetoes(module.UserHooks):  # type: ignore[misc] # a base class without types
        def canVetoProcessLevel(self) -> bool:  # noqa: N802 - Pythia's names
            return True

        def doVetoProcessLevel(self, event: Event) -> bool:  # noqa: N802
            if thinning is not None:
                thinning.count()
            return not _is_wanted(event, process, uniform)

        def canVetoPT(self) -> bool:  # noqa: N802
            return thinning is not None

        def scaleVetoPT(self) -> float:  # noqa: N802
            return SHOWER_SCALE_GEV

        def doVetoPT(self, _: int, event: Event) -> bool:  # noqa: N802
            return thinning is not None and thinning.drops(event)

        def canVetoPartonLevel(self) -> bool:  # noqa: N802
            return wants_lepton

        def doVetoPartonLevel(self, event: Event) -> bool:  # noqa: N802
            return not _has_final_lepton(event)

    hooks: UserHooks = Vetoes()
    return hooks, thinning


def _is_wanted(event: Event, process: Process, uniform: Callable[[], float]) -> bool:
    """Whether a hard process may pass; a tau is kept with its branching fraction to e or mu."""
    if not _DEMANDS[process.demand](event):
        return False
    return not (process.tau_to_lepton and _has_tau(event)) or uniform() <= TAU_TO_LEPTON


def _has_tau(event: Event) -> bool:
    return any(event[n].idAbs() == 15 for n in range(5, event.size()))


def _has_lepton(event: Event) -> bool:
    """Whether a charged lepton of the hard process lies within the acceptance."""
    return any(
        particle.idAbs() in {11, 13, 15}
        and particle.pT() > _HARD_LEPTON_PT_GEV
        and abs(particle.eta()) < _LEPTON_ABS_ETA
        for particle in map(event.__getitem__, range(5, event.size()))
    )


def _has_final_lepton(event: Event) -> bool:
    """Whether a charged lepton may pass, before hadronisation."""
    return any(map(_may_pass, map(event.__getitem__, range(event.size() - 1, 4, -1))))


def _may_pass(particle: Particle) -> bool:
    limits = _FINAL_LEPTONS.get(particle.idAbs())
    if limits is None or not particle.isFinal():
        return False
    pt, abs_eta = limits
    return bool(particle.pT() > pt and abs(particle.eta()) < abs_eta)


def _gives(event: Event, code: int) -> bool:
    """Whether an outgoing quark lies within the acceptance; one in dozens of events passes."""
    return any(
        quark.idAbs() == code and abs(quark.eta()) < _QUARK_ABS_ETA
        for quark in (event[5], event[6])
    )


def _holds(event: Event, *codes: int) -> bool:
    return any(event[n].idAbs() in codes for n in (3, 4, 5, 6))


_DEMANDS: Mapping[Demand, Callable[[Event], bool]] = {
    "none": lambda _: True,
    "lepton": _has_lepton,
    "bottom": lambda event: _gives(event, 5),
    "charm": lambda event: _gives(event, 4) and not _holds(event, 5),
    "light": lambda event: not _holds(event, 4, 5),
    "central": lambda event: any(abs(event[n].eta()) < _CENTRAL_ABS_ETA for n in (5, 6)),
}
