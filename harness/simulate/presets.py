"""The processes that the harness knows by name.

The mix of the background and the masses of the four signals are those of the challenge; see
`QCD_SPLIT` for the sources of QCD.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.simulate.process import Process

BACKGROUND = "background"
# The challenge's mix.
MIX = {"w": 0.592, "qcd": 0.338, "z": 0.067, "tt": 0.003}

W = Process(
    name="w",
    title="W → ℓν, ℓ = e, μ, τ",
    settings=(
        "WeakSingleBoson:ffbar2W = on",
        "24:onMode = off",
        "24:onIfAny = 11 13 15",
        "15:onMode = off",
        "15:onIfAny = 11 13",
    ),
    demand="lepton",
    tau_to_lepton=True,
)
Z = Process(
    name="z",
    title="Z/γ* → ℓℓ, ℓ = e, μ, τ",
    settings=(
        "WeakSingleBoson:ffbar2gmZ = on",
        "PhaseSpace:mHatMin = 40.",
        "23:onMode = off",
        "23:onIfAny = 11 13 15",
        "TauDecays:mode = 0",
    ),
    demand="lepton",
)
TOP = Process(name="tt", title="tt̄", settings=("Top:gg2ttbar = on", "Top:qqbar2ttbar = on"))
# A b or c quark of the hard process is produced there, or comes out of a proton (excited).
_EXCITED = ("HardQCD:qg2qg = on", "HardQCD:qq2qq = on")


def _biased(power: float, min_pt_gev: float) -> tuple[str, ...]:
    """Select hard processes more often the harder they are; Pythia gives the weights."""
    return (
        f"PhaseSpace:pTHatMin = {min_pt_gev}",
        "PhaseSpace:bias2Selection = on",
        f"PhaseSpace:bias2SelectionPow = {power}",
        "PhaseSpace:bias2SelectionRef = 50.",
    )


QCD_BOTTOM_PAIR = Process(
    name="qcd_bottom_pair",
    title="QCD, gg, qq̄ → bb̄, b → ℓ",
    settings=("HardQCD:gg2bbbar = on", "HardQCD:qqbar2bbbar = on", *_biased(2.0, 35.0)),
    demand="bottom",
    leptons_of="bottom",
    cap=0.04,
    parton_cap=0.01,
)
QCD_BOTTOM = Process(
    name="qcd_bottom",
    title="QCD, b out of a proton, b → ℓ",
    settings=(*_EXCITED, *_biased(1.0, 35.0)),
    demand="bottom",
    leptons_of="bottom",
    beam="bottom",
    cap=0.035,
    parton_cap=0.009,
)
QCD_CHARM_PAIR = Process(
    name="qcd_charm_pair",
    title="QCD, gg, qq̄ → cc̄, c → ℓ",
    settings=("HardQCD:gg2ccbar = on", "HardQCD:qqbar2ccbar = on", *_biased(1.0, 40.0)),
    demand="charm",
    leptons_of="charm",
    cap=0.04,
    parton_cap=0.004,
)
QCD_CHARM = Process(
    name="qcd_charm",
    title="QCD, c out of a proton, c → ℓ",
    settings=(*_EXCITED, *_biased(1.0, 40.0)),
    demand="charm",
    leptons_of="charm",
    beam="charm",
    cap=0.03,
    parton_cap=0.0035,
)
# The splitting is enhanced twelve times. Pythia gives each event the weight that corrects for it,
# and that weight enters the probability to keep the event.
QCD_TO_BOTTOM = Process(
    name="qcd_to_bottom",
    title="QCD, g → bb̄ in the shower, b → ℓ",
    settings=(
        "HardQCD:gg2gg = on",
        "HardQCD:qg2qg = on",
        "HardQCD:qqbar2gg = on",
        *_biased(1.0, 60.0),
        "Enhancements:doEnhance = on",
        "EnhancedSplittings:List = {fsr:G2BB=12.0}",
    ),
    demand="light",
    leptons_of="bottom",
    cap=0.005,
    parton_cap=0.002,
)
# The real background has more jets above 150 GeV than the processes above give.
QCD_HARD = Process(
    name="qcd_hard",
    title="QCD, hard b quark → ℓ",
    settings=(*_EXCITED, *_biased(2.0, 130.0)),
    demand="bottom",
    leptons_of="bottom",
    beam="bottom",
    cap=0.007,
    parton_cap=0.0028,
)
QCD_FAKE = Process(
    name="qcd_fake",
    title="QCD, a jet taken for an electron",
    settings=("HardQCD:all = on", "PhaseSpace:pTHatMin = 25."),
    demand="light",
    is_fake=True,
    parton_cap=0.16,
)
# Shares of QCD's sources among its accepted events. Those of heavy quarks are in proportion to
# their cross sections after the selection. That of misidentified jets is tuned to the share of
# events with an electron in the real background, that of hard quarks to the pT of its leading jet.
QCD_SPLIT = {
    QCD_BOTTOM: 0.374,
    QCD_BOTTOM_PAIR: 0.112,
    QCD_CHARM: 0.099,
    QCD_CHARM_PAIR: 0.019,
    QCD_TO_BOTTOM: 0.096,
    QCD_HARD: 0.09,
    QCD_FAKE: 0.21,
}
COMPONENTS: Mapping[Process, float] = {
    W: MIX["w"],
    Z: MIX["z"],
    TOP: MIX["tt"],
    **{process: MIX["qcd"] * share for process, share in QCD_SPLIT.items()},
}
# The same background with other parameters of Pythia, to check how stable a rate is: settings that
# come before those of each process. A14 is ATLAS's central tune with NNPDF2.3 LO
# (ATL-PHYS-PUB-2014-021).
TUNES: Mapping[str, tuple[str, ...]] = {"background_a14": ("Tune:pp = 21",)}


def with_tune(name: str) -> Mapping[Process, float]:
    """Return the background's components under one of `TUNES`."""
    return {
        process.model_copy(update={"settings": (*TUNES[name], *process.settings)}): share
        for process, share in COMPONENTS.items()
    }


_SCALAR = ("25:mWidth = 0.01", "25:doForceWidth = on", "25:onMode = off")
SIGNALS = (
    Process(
        name="ato4l",
        title="A → 4ℓ",
        settings=(
            "HiggsSM:gg2H = on", "25:m0 = 50.", *_SCALAR, "25:onIfMatch = 23 23",
            "23:mMin = 1.", "23:onMode = off", "23:onIfAny = 11 13",
        ),
    ),
    Process(
        name="lq",
        title="LQ → bτ",
        settings=(
            "LeptoQuark:gg2LQLQbar = on", "LeptoQuark:qqbar2LQLQbar = on", "42:m0 = 80.",
            "42:mMin = 60.", "42:0:products = 5 15",
        ),
    ),
    Process(
        name="h0",
        title="h⁰ → ττ",
        settings=("HiggsSM:gg2H = on", "25:m0 = 60.", *_SCALAR, "25:onIfAny = 15"),
    ),
    Process(
        name="hplus",
        title="h⁺ → τν",
        settings=(
            "Higgs:useBSM = on", "HiggsBSM:allH+- = on", "37:m0 = 60.", "37:mMin = 40.",
            "37:onMode = off", "37:onIfAny = 15",
        ),
    ),
)  # fmt: skip
OTHERS = (
    Process(
        name="zprime",
        title="Z′ (500 GeV) → ℓℓ",
        settings=(
            "NewGaugeBoson:ffbar2gmZZprime = on", "Zprime:gmZmode = 3", "32:m0 = 500.",
            "32:onMode = off", "32:onIfAny = 11 13",
        ),
    ),
    Process(
        name="softbomb",
        title="W h, h (125 GeV) → soft bomb",
        settings=(
            # A strongly coupled hidden sector radiates many soft mesons, which decay to visible
            # particles; the W gives the lepton that the preselection needs.
            "HiggsSM:ffbar2HW = on", "25:m0 = 125.", *_SCALAR,
            "25:addChannel = 1 1. 100 4900101 -4900101",
            "24:onMode = off", "24:onIfAny = 11 13",
            "HiddenValley:Ngauge = 3", "HiddenValley:nFlav = 1", "HiddenValley:FSR = on",
            "HiddenValley:fragment = on", "HiddenValley:alphaOrder = 1",
            "HiddenValley:Lambda = 1.", "HiddenValley:pTminFSR = 1.1",
            "HiddenValley:probVector = 0.", "4900101:m0 = 0.5", "4900111:m0 = 1.",
            "4900111:onMode = off", "4900111:oneChannel = 1 0.4 0 11 -11",
            "4900111:addChannel = 1 0.4 0 13 -13", "4900111:addChannel = 1 0.2 0 211 -211",
        ),
    ),
    Process(
        name="leptonjets",
        title="h (125 GeV) → γ_d γ_d, γ_d (2 GeV) → ℓℓ",
        settings=(
            "HiggsSM:gg2H = on", "25:m0 = 125.", *_SCALAR,
            "25:addChannel = 1 1. 100 4900022 4900022", "4900022:m0 = 2.",
            "4900022:mWidth = 0.", "4900022:mayDecay = on", "4900022:isResonance = off",
            "4900022:oneChannel = 1 0.4 0 11 -11", "4900022:addChannel = 1 0.4 0 13 -13",
            "4900022:addChannel = 1 0.2 0 211 -211",
        ),
    ),
)  # fmt: skip
NAMED: Mapping[str, Process] = {process.name: process for process in (*SIGNALS, *OTHERS)}
