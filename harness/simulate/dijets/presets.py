"""Events as those of the LHC Olympics 2020: background, its signal, and two more for black boxes.

The R&D set (Zenodo 2629073, arXiv:2101.08320) is QCD of two jets, and W' (3.5 TeV) to X (500 GeV)
and Y (100 GeV), each to two quarks; 13 TeV, no pile-up, no multiparton interactions, a leading jet
of radius 1.0. Its record says that this jet has more than 1.3 TeV; in the files the pT begins at
1,200 GeV, which is what is taken here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.simulate.dijets.selection import DijetSelection
from harness.simulate.process import Process

# As in the files of the R&D set.
N_PARTICLES = 700
LHCO = DijetSelection(
    detector="cms", radius=1.0, min_pt_gev=1200.0, max_abs_eta=2.5, max_particle_abs_eta=2.5,
    n_constituents=N_PARTICLES,
)  # fmt: skip

# Jets gain pT by radiation of the initial state and lose it out of their radius.
_QCD = ("HardQCD:all = on", "PhaseSpace:pTHatMin = 1000.")
# ATLAS's central tune with NNPDF2.3 LO (ATL-PHYS-PUB-2014-021): the background of a black box is
# similar to that of the R&D set, and not the same.
_A14 = ("Tune:pp = 21",)
_TWO_PRONGS = ("2 -1", "1 -1")
# A gluon beside two quarks: three prongs, isotropic in the rest frame of the decay.
_THREE_PRONGS = ("2 -1 21", "1 -1 21")


@dataclass(frozen=True, kw_only=True, slots=True)
class DijetSample:
    """A process, and which of its events are kept."""

    process: Process
    selection: DijetSelection


def resonance(
    mass_gev: float, heavier_gev: float, lighter_gev: float, decays: tuple[str, str] = _TWO_PRONGS
) -> tuple[str, ...]:
    """Return Pythia's settings for W' to X Y and their decays, all of them narrow.

    Pythia has no such process: its W' is given one decay, to the H+ (X) and A (Y) of its two
    doublets, whose masses and decays are replaced too. Decays are isotropic (meMode 100).

    Examples
    --------
    >>> resonance(3500.0, 500.0, 100.0)[1]
    '34:m0 = 3500'
    """
    settings = ["NewGaugeBoson:ffbar2Wprime = on"]
    for code, mass in ((34, mass_gev), (37, heavier_gev), (36, lighter_gev)):
        settings += [f"{code}:m0 = {mass:g}", f"{code}:mWidth = 1.", f"{code}:mMin = 50."]
        settings += [f"{code}:doForceWidth = on"]
    heavier, lighter = decays
    return (
        *settings,
        "34:onMode = off",
        "34:addChannel = 1 1. 100 37 36",
        f"37:oneChannel = 1 1. 100 {heavier}",
        f"36:oneChannel = 1 1. 100 {lighter}",
    )


def _sample(name: str, title: str, *settings: str) -> DijetSample:
    process = Process(name=name, title=title, settings=settings)
    return DijetSample(process=process, selection=LHCO)


_ALL = (
    _sample("lhco_qcd", "QCD", *_QCD),
    _sample("lhco_wprime", "W′ (3.5 TeV) → XY", *resonance(3500.0, 500.0, 100.0)),
    _sample(
        "lhco_threeprong",
        "W′ (4.2 TeV) → XY, X, Y → qqg",
        *resonance(4200.0, 600.0, 300.0, _THREE_PRONGS),
    ),
    _sample("lhco_qcd_a14", "QCD, A14", *_A14, *_QCD),
)
DIJET_SAMPLES: Mapping[str, DijetSample] = {one.process.name: one for one in _ALL}
