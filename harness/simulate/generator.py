"""Pythia 8: from a process and a seed to stable particles, many events at a time.

Every sample has initial- and final-state showers and hadronisation on and multiparton interactions
off. Multiparton interactions would take 4.3 of 5.2 ms of a W event; `harness.simulate.pileup`
overlays soft events in their place.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import EnvironmentFaultError, Problem, UsageError, install_extra
from harness.simulate.decays import Decayed, Hadrons, decay, no_decays
from harness.simulate.densities import beam_of_flavour
from harness.simulate.hadrons import HADRONS, stop_decays
from harness.simulate.particles import (
    ELECTRON,
    MUON,
    Column,
    Indices,
    Particles,
    concatenate,
    flat,
    kind_of,
)
from harness.simulate.process import CODES, Process
from harness.simulate.spectrum import gluino_spectrum
from harness.simulate.vetoes import Thinning, make_vetoes

if TYPE_CHECKING:
    from pythia8mc import Pythia, UserHooks

BEAM_ENERGY_GEV = 13_000.0
COMMON = (f"Beams:eCM = {BEAM_ENERGY_GEV:g}", "PartonLevel:MPI = off", "ParticleDecays:mixB = off")
# Printing and checking event by event would cost time.
_QUIET = ("Print:quiet = on", "Next:numberCount = 0", "Check:event = off", "Random:setSeed = on")
# Particles below this pT are not kept: calorimeters suppress such deposits. [GeV]
MIN_PT_GEV = 0.7
MAX_ABS_ETA = 5.0
# Pythia's seeds lie between 1 and this.
_MAX_SEED = 900_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedEvents:
    """Events of one call of Pythia.

    Attributes
    ----------
    n_generated : int
        Events that Pythia has made.
    n_events : int
        Those that are kept; `Particles.event` numbers them from 0.
    n_capped : int
        Events that should have been kept more than once.
    particles : Particles
        Visible stable particles within |eta| < 5 and above `MIN_PT_GEV`, without electrons and
        muons.
    leptons : Particles
        Electrons and muons above `MIN_PT_GEV`.
    boost : ndarray of float64, shape (len(leptons),)
        Factor on the identification of each lepton.
    pull : ndarray of float64, shape (len(leptons),)
        Deviation of each lepton's measurement over its resolution.
    thinning : ndarray of float64, shape (n_events,)
        Probability with which each event was kept during its shower.
    """

    n_generated: int
    n_events: int
    n_capped: int
    particles: Particles
    leptons: Particles
    boost: Column
    pull: Column
    thinning: Column


@dataclass(frozen=True, kw_only=True, slots=True)
class Generator:
    """One process of Pythia, ready to go."""

    process: Process
    pythia: Pythia
    hooks: UserHooks | None
    thinning: Thinning | None

    @property
    def event_mb(self) -> float:
        """Cross section of one accepted event, as Pythia has estimated it so far [mb].

        An accepted event counts for more if leptons of heavy hadrons are capped. It counts twice if
        Pythia takes the heavy quark from beam A only, because it can come from either beam.
        """
        info = self.pythia.infoPython()
        n_events = float(info.nAccepted())
        if self.thinning is not None:
            # Pythia counts events, but hard processes selected by their pT have weights.
            n_events *= self.thinning.selected_weight / info.nSelected()
        n_beams = 1 if self.process.beam == "none" else 2
        return float(info.sigmaGen()) / n_events * self.process.cap * n_beams

    def next_batch(self, n_events: int, rng: np.random.Generator) -> GeneratedEvents:
        """Generate up to `n_events`, and read them.

        Raises
        ------
        UsageError
            Pythia gives up on every event.
        """
        return read_batch(self.next_array(n_events), self, rng)

    def next_array(self, n_events: int) -> Any:  # noqa: ANN401 - an awkward array
        """Generate up to `n_events`.

        Raises
        ------
        UsageError
            Pythia gives up on every event.
        """
        array = self.pythia.nextBatch(n_events)
        if len(array) == 0:
            raise UsageError(
                f"Pythia gave up on all of {n_events:,} events",
                where=self.process.name,
                expected="settings with which events can be made",
                fix="run Pythia with these settings alone and read its messages",
            )
        return array


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
            f"fresh events need {error.name}, which is not installed", fix=install_extra("simulate")
        ) from error
    return pythia8mc


def make_generator(process: Process, seed: int, more: tuple[str, ...] = ()) -> Generator:
    """Set Pythia up for `process`; `seed` is any non-negative number.

    Raises
    ------
    UsageError
        Pythia rejects a setting, or cannot start with these.
    """
    module = import_pythia()
    pythia = module.Pythia("", False)
    for line in (*_QUIET, *COMMON, *more, f"Random:seed = {1 + seed % _MAX_SEED}"):
        pythia.readString(line)
    problems = [
        Problem(
            what=f"Pythia does not know {line!r}",
            where=process.name,
            fix="look its name up in Pythia's manual",
        )
        for line in process.settings
        if not pythia.readString(line)
    ]
    if problems:
        raise UsageError(*problems)
    stop_decays(pythia, process.leptons_of)
    hooks, thinning = make_vetoes(module, pythia, process, seed)
    if hooks is not None:
        pythia.setUserHooksPtr(hooks)
    with _beside(pythia, process):
        has_started = pythia.init()
    if not has_started:
        raise UsageError(
            "Pythia cannot start with these settings",
            where=process.name,
            expected="at least one process that is on, with a phase space that is not empty",
            fix="run Pythia with these settings alone and read its messages",
        )
    return Generator(process=process, pythia=pythia, hooks=hooks, thinning=thinning)


def _beside(pythia: Pythia, process: Process) -> AbstractContextManager[None]:
    """Return what gives Pythia the files of a process while it starts."""
    if process.gluino_gev is not None:
        return gluino_spectrum(pythia, process.gluino_gev)
    if process.beam != "none":
        return beam_of_flavour(pythia, CODES[process.beam])
    return nullcontext()


def read_batch(
    array: Any,  # noqa: ANN401 - an awkward array
    generator: Generator,
    rng: np.random.Generator,
) -> GeneratedEvents:
    """Turn Pythia's array of events into columns, and decay heavy hadrons."""
    import awkward as ak

    record = array["prt"]
    lengths = ak.to_numpy(ak.num(record["id"])).astype(np.int64)
    chosen = np.flatnonzero(flat(record["status"]) > 0)
    event = np.repeat(np.arange(len(lengths)), lengths)[chosen]
    codes = flat(record["id"])[chosen]
    momentum = np.stack([flat(record["p"][name])[chosen] for name in ("px", "py", "pz")], axis=-1)
    if generator.process.beam != "none":
        # The quark may come from either beam.
        momentum[:, 2] *= rng.choice((-1.0, 1.0), len(lengths))[event]
    is_heavy = np.isin(np.abs(codes), HADRONS[generator.process.leptons_of])
    hadrons = Hadrons(
        event=event[is_heavy], code=np.abs(codes[is_heavy]), momentum=momentum[is_heavy]
    )
    thinning = _thinning(array["info"], generator)
    decayed = _decay(array["info"], hadrons, thinning, generator.process, rng)
    is_read = ~is_heavy & decayed.is_kept[event]
    stable = _visible(codes[is_read], event[is_read], momentum[is_read], generator.pythia)
    boost = np.concatenate([np.ones(len(stable)), decayed.boost])
    pull = np.concatenate([np.full(len(stable), np.nan), decayed.pull])
    stable = concatenate([stable, decayed.products]).of_events(decayed.is_kept)
    is_lepton = (stable.kind == ELECTRON) | (stable.kind == MUON)
    is_seen = stable.pt > MIN_PT_GEV
    is_inside = np.abs(stable.eta) < MAX_ABS_ETA
    pull = pull[is_seen & is_lepton]
    return GeneratedEvents(
        n_generated=len(lengths),
        n_events=int(np.count_nonzero(decayed.is_kept)),
        n_capped=int(np.count_nonzero(decayed.chance > 1)),
        particles=stable.where(is_seen & is_inside & ~is_lepton),
        leptons=stable.where(is_seen & is_lepton),
        boost=boost[is_seen & is_lepton],
        pull=np.where(np.isnan(pull), rng.standard_normal(len(pull)), pull),
        thinning=thinning[decayed.is_kept],
    )


def _thinning(info: Any, generator: Generator) -> Column:  # noqa: ANN401 - an awkward array
    """Return the probability with which each event was kept during its shower."""
    import awkward as ak

    keys = np.stack([ak.to_numpy(info[name]) for name in ("x1", "x2", "pT2Hat")], axis=-1)
    if generator.thinning is None:
        return np.ones(len(keys))
    return generator.thinning.take(keys)


def _decay(
    info: Any,  # noqa: ANN401 - an awkward array
    hadrons: Hadrons,
    thinning: Column,
    process: Process,
    rng: np.random.Generator,
) -> Decayed:
    """Decay the heavy hadrons that Pythia left undecayed; keep events that may pass."""
    import awkward as ak

    if process.leptons_of == "none":
        return no_decays(len(thinning))
    weight = ak.to_numpy(info["weights"][:, 0]) / thinning
    return decay(hadrons, weight, process.leptons_of, process.cap, rng)


def _visible(
    codes: NDArray[np.int32], event: Indices, momentum: NDArray[np.float64], pythia: Pythia
) -> Particles:
    """Return the particles that a detector can see."""
    kind = visible_kinds(codes, pythia)
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


def visible_kinds(codes: NDArray[np.int32], pythia: Pythia) -> NDArray[np.int8]:
    """Return the kind of each stable particle; -1 for what no detector sees."""
    distinct, place = np.unique(codes, return_inverse=True)
    table = np.array([kind_of(int(code), pythia) for code in distinct], np.int8)
    kinds: NDArray[np.int8] = table[place]
    return kinds
