"""What is made: two runs of "data", a simulated twin of them, and signals.

The names are those of the release, so that the same manifest reads the stand-in and the real files.
Nothing else is: the "runs" are crossings simulated here, with pile-up and a response chosen here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.challenge import Part
from harness.simulate.level1.response import DATA, SIMULATION, Level1Response
from harness.simulate.process import Process

Kind = Literal["zerobias", "background", "signal"]

# Beam energy, multiparton interactions: other than in the events of ADC2021.
PYTHIA_SETTINGS = ("Beams:eCM = 13600.", "PartonLevel:MPI = on")
# Inelastic events come from a library up to this pT of the hardest parton collision, and are
# generated afresh above: a hard jet must not appear twice. [GeV]
HARD_GEV = 20.0
SOFT = Process(name="inelastic", title="inelastic", settings=("SoftQCD:inelastic = on",))
HARD = Process(
    name="hard",
    title="QCD above 20 GeV",
    settings=("HardQCD:all = on", f"PhaseSpace:pTHatMin = {HARD_GEV:g}"),
)
WEAK = Process(
    name="weak",
    title="W, Z/γ*",
    settings=(
        "WeakSingleBoson:ffbar2W = on",
        "WeakSingleBoson:ffbar2gmZ = on",
        "PhaseSpace:mHatMin = 40.",
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PileUp:
    """Mean number of inelastic collisions in a crossing.

    Attributes
    ----------
    first, last : float
        In recorded data, of the first and the last luminosity section; it falls linearly. In
        simulations, the least and the largest number, each as likely as those between.
    n_sections : int
        Luminosity sections; 0 in simulations, where each event has a mean of its own.
    """

    first: float
    last: float
    n_sections: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSet:
    """One data set of the stand-in.

    Attributes
    ----------
    process : Process or None
        What every event holds beside pile-up; None: nothing, a zero-bias crossing.
    shares : mapping of part to float
        Of the events; they add up to 1.
    run : int
        Number of the run; 1 in simulations.
    scale : float
        Events, of those of a run.
    """

    name: str
    kind: Kind
    title: str
    process: Process | None = None
    response: Level1Response = SIMULATION
    pile_up: PileUp = field(default_factory=lambda: PileUp(first=45, last=69))
    shares: Mapping[Part, float] = field(default_factory=lambda: {"validation": 0.6, "test": 0.4})
    run: int = 1
    scale: float = 0.1

    @property
    def is_recorded(self) -> bool:
        """Whether it stands for recorded data."""
        return self.kind == "zerobias"


def _signal(name: str, title: str, *settings: str) -> DataSet:
    # A process is named in lower case, a data set as in the release.
    process = Process(
        name=name.lower().replace("_", "").replace("-", ""), title=title, settings=settings
    )
    return DataSet(
        name=name,
        kind="signal",
        title=title,
        process=process,
        shares={"validation": 0.1, "test": 0.9},
    )


_SCALAR = ("25:m0 = 125.", "25:onMode = off")
_RUN_SHARES: Mapping[Part, float] = {"train": 0.4, "validation": 0.1, "test": 0.5}
DATA_SETS = (
    DataSet(
        name="ZB_run396102",
        kind="zerobias",
        title="Zero bias, run 396102",
        response=DATA,
        pile_up=PileUp(first=64.0, last=56.0, n_sections=40),
        shares=_RUN_SHARES,
        run=396102,
        scale=1.0,
    ),
    DataSet(
        name="ZB_run398183",
        kind="zerobias",
        title="Zero bias, run 398183",
        response=DATA,
        pile_up=PileUp(first=58.0, last=48.0, n_sections=40),
        shares=_RUN_SHARES,
        run=398183,
        scale=1.0,
    ),
    DataSet(
        name="SingleNeutrino_E-10-gun",
        kind="background",
        title="Simulated zero bias",
        scale=0.5,
    ),
    _signal(
        "GluGluHto2Tau_Par-MH-125", "H → ττ", "HiggsSM:gg2H = on", *_SCALAR, "25:onIfAny = 15"
    ),
    _signal("TTHto2B_Par-MH-125", "tt̄H, H → bb̄", "HiggsSM:gg2Httbar = on",
            "HiggsSM:qqbar2Httbar = on", *_SCALAR, "25:onIfAny = 5"),
    _signal(
        "WtoTauto3Mu", "W → τν, τ → 3μ", "WeakSingleBoson:ffbar2W = on", "24:onMode = off",
        "24:onIfAny = 15", "TauDecays:mode = 0", "15:oneChannel = 1 1. 0 13 13 -13",
    ),
    _signal(
        "haa-4b-ma15", "h → aa → 4b, a (15 GeV)", "HiggsSM:gg2H = on", "25:m0 = 125.",
        "25:mWidth = 0.01", "25:doForceWidth = on", "25:onMode = off",
        "25:addChannel = 1 1. 100 36 36", "36:m0 = 15.", "36:mWidth = 0.001", "36:mMin = 12.",
        "36:doForceWidth = on", "36:oneChannel = 1 1. 100 5 -5",
    ),
    _signal(
        "VBFHto2B_Par-MH-125", "VBF H → bb̄", "HiggsSM:ff2Hff(t:ZZ) = on",
        "HiggsSM:ff2Hff(t:WW) = on", *_SCALAR, "25:onIfAny = 5",
    ),
    _signal(
        "SUSYGluGluToBBHToBB_Par-M-600", "bb̄H (600 GeV), H → bb̄", "Higgs:useBSM = on",
        "HiggsBSM:gg2H2bbbar = on", "HiggsBSM:qqbar2H2bbbar = on", "35:m0 = 600.",
        "35:mWidth = 6.", "35:doForceWidth = on", "35:onMode = off", "35:onIfAny = 5",
    ),
)  # fmt: skip
BY_NAME: Mapping[str, DataSet] = {one.name: one for one in DATA_SETS}
