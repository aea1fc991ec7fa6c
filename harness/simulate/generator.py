"""Pythia 8: from a process and a seed to stable particles, many events at a time.

Every sample is made in the same way: initial- and final-state showers and hadronisation on,
multiparton interactions off. They cost 4.3 of 5.2 ms of a W event; what they would have given is
laid over the event by `harness.simulate.pileup`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import EnvironmentFaultError, Problem, UsageError
from harness.simulate.decays import HADRONS, Hadrons, decay, stop_decays
from harness.simulate.particles import (
    CHARGED,
    ELECTRON,
    MUON,
    NEUTRAL,
    PHOTON,
    Column,
    Indices,
    Particles,
    concatenate,
)
from harness.simulate.process import Demand, Process

if TYPE_CHECKING:
    from pythia8mc import Event, Pythia, UserHooks

BEAM_ENERGY_GEV = 13_000.0
COMMON = (
    f"Beams:eCM = {BEAM_ENERGY_GEV:g}",
    "PartonLevel:MPI = off",
    "ParticleDecays:mixB = off",
)
# Nothing of a run is printed or checked event by event; both cost time.
_QUIET = ("Print:quiet = on", "Next:numberCount = 0", "Check:event = off", "Random:setSeed = on")
# Particles below this pT are not kept: calorimeters suppress such deposits. [GeV]
MIN_PT_GEV = 0.7
MAX_ABS_ETA = 5.0
# A lepton of the hard process beyond these can't pass the selection, but for a hard recoil.
_LEPTON_PT_GEV, _LEPTON_ABS_ETA = 14.0, 3.3
# Heavy quarks beyond this give no lepton within |eta| < 3.
_QUARK_ABS_ETA = 3.5
# Pythia's seeds lie between 1 and this.
_MAX_SEED = 900_000_000
# Events that Pythia gives up on, one after the other, before we give up on Pythia.
MAX_FAILED_EVENTS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Events of one call of Pythia.

    Attributes
    ----------
    n_events : int
        Number of events; `Particles.event` counts them from 0.
    n_capped : int
        Events that should have been kept more than once.
    particles : Particles
        Visible stable particles within |eta| < 5 and above `MIN_PT_GEV`, without electrons and
        muons.
    leptons : Particles
        Electrons and muons above `MIN_PT_GEV`.
    boost : ndarray of float64, shape (len(leptons),)
        What the identification of each lepton is to be multiplied by.
    chance : ndarray of float64, shape (n_events,)
        Probability with which each event is to be kept.
    """

    n_events: int
    n_capped: int
    particles: Particles
    leptons: Particles
    boost: Column
    chance: Column


@dataclass(frozen=True, kw_only=True, slots=True)
class Generator:
    """One process of Pythia, ready to go."""

    process: Process
    pythia: Pythia
    hooks: UserHooks | None

    @property
    def cross_section_mb(self) -> float:
        """Cross section that Pythia has estimated so far, of the events it has let through [mb].

        Times the cap for leptons of heavy hadrons, so that the share of accepted events makes it
        that of the accepted ones.
        """
        return float(self.pythia.infoPython().sigmaGen()) * self.process.cap

    def next_batch(self, n_events: int, rng: np.random.Generator) -> Batch:
        """Generate up to `n_events`.

        Raises
        ------
        UsageError
            Pythia gives up on every event.
        """
        array = self.pythia.nextBatch(n_events)
        if len(array) == 0:
            raise UsageError(
                Problem(
                    what=f"Pythia gave up on all of {n_events:,} events",
                    where=self.process.name,
                    expected="settings with which events can be made",
                    fix="see what Pythia says with these settings alone",
                )
            )
        return _read_batch(array, self, rng)


def import_pythia() -> Any:  # noqa: ANN401 - a module
    """Import pythia8mc, fastjet and awkward.

    Raises
    ------
    EnvironmentFaultError
        The extra `simulate` is not installed.
    """
    try:
        import awkward  # noqa: F401
        import fastjet  # noqa: F401
        import pythia8mc
    except ImportError as error:
        raise EnvironmentFaultError(
            Problem(
                what=f"fresh events need {error.name}, which is not installed",
                fix="pip install 'harness[simulate]'",
            )
        ) from error
    return pythia8mc


def make_generator(process: Process, seed: int, more: tuple[str, ...] = ()) -> Generator:
    """Set Pythia up for `process`; `seed` is any non-negative number.

    Raises
    ------
    UsageError
        Pythia refuses a setting, or can't start with these.
    """
    module = import_pythia()
    pythia = module.Pythia("", False)
    for line in (*_QUIET, *COMMON, *more, f"Random:seed = {1 + seed % _MAX_SEED}"):
        pythia.readString(line)
    refused = [line for line in process.settings if not pythia.readString(line)]
    if refused:
        raise UsageError(
            *(
                Problem(
                    what=f"Pythia does not know {line!r}",
                    where=process.name,
                    fix="look its name up in Pythia's manual",
                )
                for line in refused
            )
        )
    stop_decays(pythia, process.leptons_of)
    hooks = _hooks_for(module, process, seed)
    if hooks is not None:
        pythia.setUserHooksPtr(hooks)
    if not pythia.init():
        raise UsageError(
            Problem(
                what="Pythia can't start with these settings",
                where=process.name,
                expected="at least one process that is on, with a phase space that is not empty",
                fix="see what Pythia says with these settings alone",
            )
        )
    return Generator(process=process, pythia=pythia, hooks=hooks)


def _hooks_for(module: Any, process: Process, seed: int) -> UserHooks | None:  # noqa: ANN401
    """Return the veto on the hard process, if `process` has one."""
    if process.demand == "none" and not process.tau_to_lepton:
        return None
    wanted = _DEMANDS[process.demand]
    uniform = np.random.default_rng([seed, 1]).random

    class Veto(module.UserHooks):  # type: ignore[misc] # a base class without types
        def canVetoProcessLevel(self) -> bool:  # noqa: N802 - Pythia's name
            return True

        def doVetoProcessLevel(self, event: Event) -> bool:  # noqa: N802 - Pythia's name
            if not wanted(event):
                return True
            return process.tau_to_lepton and _has_tau(event) and uniform() > TAU_TO_LEPTON

    hooks: UserHooks = Veto()
    return hooks


# Branching fractions of tau -> e, 17.82 %, and tau -> mu, 17.39 % (PDG 2022).
TAU_TO_LEPTON = 0.1782 + 0.1739


def _has_tau(event: Event) -> bool:
    return any(event[n].idAbs() == 15 for n in range(5, event.size()))


def _has_lepton(event: Event) -> bool:
    """Whether a charged lepton of the hard process lies within reach of the selection."""
    for n in range(5, event.size()):
        particle = event[n]
        is_lepton = particle.idAbs() in {11, 13, 15}
        if is_lepton and particle.pT() > _LEPTON_PT_GEV and abs(particle.eta()) < _LEPTON_ABS_ETA:
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


_DEMANDS: dict[Demand, Callable[[Event], bool]] = {
    "none": lambda _: True,
    "lepton": _has_lepton,
    "bottom": _gives_bottom,
    "charm": _gives_charm,
    "light": lambda event: not _holds(event, 4, 5),
}


def _read_batch(
    array: Any,  # noqa: ANN401 - an awkward array
    generator: Generator,
    rng: np.random.Generator,
) -> Batch:
    """Turn Pythia's array of events into columns, and let heavy hadrons decay."""
    import awkward as ak

    record = array["prt"]
    lengths = ak.to_numpy(ak.num(record["id"])).astype(np.int64)
    n_events = len(lengths)
    event = np.repeat(np.arange(n_events), lengths)
    chosen = np.flatnonzero(_flat(record["status"]) > 0)
    codes, event = _flat(record["id"])[chosen], event[chosen]
    momentum = np.stack([_flat(record["p"][name])[chosen] for name in ("px", "py", "pz")], axis=-1)
    process = generator.process
    is_heavy = np.isin(np.abs(codes), HADRONS[process.leptons_of])
    stable = _visible(codes[~is_heavy], event[~is_heavy], momentum[~is_heavy], generator.pythia)
    boost, chance = np.ones(len(stable)), np.ones(n_events)
    if process.leptons_of != "none":
        hadrons = Hadrons(
            event=event[is_heavy], code=np.abs(codes[is_heavy]), momentum=momentum[is_heavy]
        )
        weight = ak.to_numpy(array["info"]["weights"][:, 0])
        decayed = decay(hadrons, weight, n_events, process.leptons_of, process.cap, rng)
        chance = decayed.chance
        stable = concatenate([stable, decayed.products])
        boost = np.concatenate([boost, decayed.boost])
    is_seen = stable.pt > MIN_PT_GEV
    is_lepton = (stable.kind == ELECTRON) | (stable.kind == MUON)
    is_inside = np.abs(stable.eta) < MAX_ABS_ETA
    return Batch(
        n_events=n_events,
        n_capped=int(np.count_nonzero(chance > 1)),
        particles=stable.where(is_seen & is_inside & ~is_lepton),
        leptons=stable.where(is_seen & is_lepton),
        boost=boost[is_seen & is_lepton],
        chance=chance,
    )


def _visible(
    codes: NDArray[np.int32],
    event: Indices,
    momentum: NDArray[np.float64],
    pythia: Pythia,
) -> Particles:
    """Return the particles that a detector can see."""
    kind = _kinds(codes, pythia)
    px, py, pz = momentum.T
    pt = np.hypot(px, py)
    is_seen = (kind >= 0) & (pt > MIN_PT_GEV)
    return Particles(
        event=event[is_seen],
        pt=pt[is_seen],
        eta=np.arcsinh(pz[is_seen] / pt[is_seen]),
        phi=np.arctan2(py[is_seen], px[is_seen]),
        kind=kind[is_seen],
    )


def _flat(column: Any) -> NDArray[Any]:  # noqa: ANN401 - an awkward array
    import awkward as ak

    values: NDArray[Any] = ak.to_numpy(ak.flatten(column))
    return values


def _kinds(codes: NDArray[np.int32], pythia: Pythia) -> NDArray[np.int8]:
    """Tell the kind of each stable particle; -1 for what no detector sees."""
    distinct, place = np.unique(codes, return_inverse=True)
    table = np.array([_kind(int(code), pythia) for code in distinct], np.int8)
    kinds: NDArray[np.int8] = table[place]
    return kinds


def _kind(code: int, pythia: Pythia) -> int:
    known = {11: ELECTRON, 13: MUON, 22: PHOTON}.get(abs(code))
    if known is not None:
        return known
    if not pythia.particleData.isVisible(code):
        return -1
    return CHARGED if pythia.particleData.charge(code) != 0 else NEUTRAL
