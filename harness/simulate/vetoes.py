"""Events that are dropped while Pythia makes them, as soon as it shows that they can't pass.

Three times Pythia asks. After the hard process: does it hold what `Process.demand` names? When the
shower has come down to `SHOWER_SCALE_GEV`, before most of its work: heavy quarks lie there nearly
as hard as they will. And before hadronisation: is a lepton hard enough?

QCD is *thinned*: an event goes on with a probability that rises with the lepton that its partons
are expected to give. That probability is kept, and the probability to accept the event at last
(`harness.simulate.decays`, `harness.simulate.detector`) is divided by it; so nothing is weighted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.simulate.process import CODES, Demand, Flavour, Process
from harness.simulate.response import ELECTRON_ABS_ETA, MUON_ABS_ETA

if TYPE_CHECKING:
    from pythia8mc import Event, Pythia, UserHooks

# Scale at which the shower is looked at. Below the mass of a b quark none is made.
SHOWER_SCALE_GEV = 5.0
# A lepton of the hard process beyond these can't pass the selection, but for a hard recoil.
_HARD_LEPTON_PT_GEV, _LEPTON_ABS_ETA = 14.0, 3.3
# Before hadronisation only the measurement can lift one above the threshold; |eta| stays. Taus give
# their lepton later. PDG code: pT [GeV], |eta|.
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
# Mean weight of the decays of the hadron from a quark, at some pT of the quark at that scale [GeV];
# of light partons ("none") how often their jet is taken for an electron, over the highest rate.
# Measured with this generator. Only the speed depends on them.
_PARTON_PT_GEV = (20.0, 25.0, 30.0, 35.0, 40.0, 50.0, 60.0, 80.0, 120.0, 200.0)
_EXPECTED: Mapping[Flavour, tuple[float, ...]] = {
    "bottom": (1e-6, 1e-5, 1e-4, 7e-4, 2.4e-3, 7.8e-3, 1.54e-2, 2.45e-2, 3.3e-2, 4e-2),
    "charm": (1e-6, 1e-5, 5e-5, 2e-4, 6e-4, 1.6e-3, 3.6e-3, 9.3e-3, 2.15e-2, 3.6e-2),
    "none": (6e-3, 2e-2, 6e-2, 0.13, 0.18, 0.18, 0.15, 0.1, 0.06, 0.05),
}

# Identifies an event: x1, x2 and the squared pT of its hard process.
Key = tuple[float, float, float]


class Thinning:
    """Keeps events of QCD by what they promise, and remembers with which probabilities.

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
        """Decide on an event in the midst of its shower."""
        info = self._info()
        weight = expected_weight(event, self._process)
        chance = min(1.0, info.weight() * weight / self._process.parton_cap)
        if self._uniform() >= chance:
            return True
        self._kept[info.x1(), info.x2(), info.pT2Hat()] = chance
        return False

    def take(self, keys: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probabilities of the events that were let through, shape (n,); forget them.

        Parameters
        ----------
        keys : ndarray of float64, shape (n, 3)
        """
        chances = np.array([self._kept[one] for one in map(tuple, keys.tolist())])
        self._kept.clear()
        return chances


def expected_weight(event: Event, process: Process) -> float:
    """Tell what the decays of heavy quarks will weigh, or how often a jet will be an electron."""
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
    """Return what Pythia is to ask for `process`; None if nothing."""
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
    """Tell whether a hard process may pass; taus are kept as often as they decay to e or mu."""
    if not _DEMANDS[process.demand](event):
        return False
    return not (process.tau_to_lepton and _has_tau(event)) or uniform() <= TAU_TO_LEPTON


def _has_tau(event: Event) -> bool:
    return any(event[n].idAbs() == 15 for n in range(5, event.size()))


def _has_lepton(event: Event) -> bool:
    """Whether a charged lepton of the hard process lies within reach of the selection."""
    for n in range(5, event.size()):
        particle = event[n]
        is_lepton = particle.idAbs() in {11, 13, 15}
        if (
            is_lepton
            and particle.pT() > _HARD_LEPTON_PT_GEV
            and abs(particle.eta()) < _LEPTON_ABS_ETA
        ):
            return True
    return False


def _has_final_lepton(event: Event) -> bool:
    """Whether a charged lepton may pass, as it is before hadronisation."""
    for n in range(event.size() - 1, 4, -1):
        particle = event[n]
        limits = _FINAL_LEPTONS.get(particle.idAbs())
        if limits is None or not particle.isFinal():
            continue
        if particle.pT() > limits[0] and abs(particle.eta()) < limits[1]:
            return True
    return False


def _gives_bottom(event: Event) -> bool:
    """Whether an outgoing b quark lies within reach; asked dozens of times for each yes."""
    for n in (5, 6):
        quark = event[n]
        if quark.idAbs() == 5 and abs(quark.eta()) < _QUARK_ABS_ETA:
            return True
    return False


def _gives_charm(event: Event) -> bool:
    """Whether an outgoing c quark lies within reach, and no b quark takes part."""
    for n in (5, 6):
        quark = event[n]
        if quark.idAbs() == 4 and abs(quark.eta()) < _QUARK_ABS_ETA:
            return not _holds(event, 5)
    return False


def _holds(event: Event, *codes: int) -> bool:
    return any(event[n].idAbs() in codes for n in (3, 4, 5, 6))


_DEMANDS: Mapping[Demand, Callable[[Event], bool]] = {
    "none": lambda _: True,
    "lepton": _has_lepton,
    "bottom": _gives_bottom,
    "charm": _gives_charm,
    "light": lambda event: not _holds(event, 4, 5),
}
