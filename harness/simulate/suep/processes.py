"""What is made: QCD, and a scalar of four masses that decays to many soft dark mesons.

Masses, temperature, the chain of decays and its branching fractions are those of arXiv:2306.13595.
QCD is not weighted: every event counts once, as the cross section has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.errors import UsageError
from harness.simulate.process import Process

# Mean number of inelastic collisions beside the hard one, and the selection [arXiv:2306.13595].
PILEUP_MEAN = 50.0
MIN_HT_GEV = 500.0
# The hard process of QCD begins here: softer ones seldom give an H_T of 500 GeV; see docs/suep.md.
MIN_PT_HAT_GEV = 170.0
# Code of the scalar, which Pythia makes by gluon fusion and leaves undecayed.
SCALAR = 25


@dataclass(frozen=True, kw_only=True, slots=True)
class SuepProcess:
    """One process of the challenge.

    Attributes
    ----------
    mass_gev : float or None
        Of the scalar; None: QCD.
    published : float
        Share of generated events that pass the selection, as printed in the published study. That
        of QCD belongs to a spectrum that was made flatter.
    share : float
        Events, of those of QCD.
    """

    process: Process
    published: float
    mass_gev: float | None = None
    share: float = 0.25

    @property
    def name(self) -> str:
        """Name of its file and in the manifest."""
        return self.process.name


def _suep(mass: int, published: float) -> SuepProcess:
    settings = (
        "HiggsSM:gg2H = on", f"{SCALAR}:m0 = {mass}.", f"{SCALAR}:mWidth = 0.01",
        f"{SCALAR}:doForceWidth = on", f"{SCALAR}:mayDecay = off", f"{SCALAR}:isVisible = off",
    )  # fmt: skip
    process = Process(name=f"suep_{mass}", title=f"SUEP, {mass} GeV", settings=settings)
    return SuepProcess(process=process, mass_gev=mass, published=published)


QCD = SuepProcess(
    process=Process(
        name="qcd",
        title="QCD",
        settings=("HardQCD:all = on", f"PhaseSpace:pTHatMin = {MIN_PT_HAT_GEV:g}"),
    ),
    published=0.85,
    share=1.0,
)
PROCESSES = (QCD, _suep(125, 0.021), _suep(400, 0.104), _suep(700, 0.184), _suep(1000, 0.227))
BY_NAME: Mapping[str, SuepProcess] = {one.name: one for one in PROCESSES}


def find(name: str) -> SuepProcess:
    """Return a process by its name.

    Raises
    ------
    UsageError
        There is none.
    """
    if name not in BY_NAME:
        raise UsageError(f"there is no process {name}", expected=", ".join(BY_NAME))
    return BY_NAME[name]
