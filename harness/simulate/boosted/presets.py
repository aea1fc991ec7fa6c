"""The samples of jets that the harness knows by name: a process and a selection each.

`toptag_*` are as the public reference set of top tagging (arXiv:1902.09914, section 2): 14 TeV,
ATLAS's detector, no multiparton interactions, no pile-up, the leading jet. `anomaly_*` are as in
the study of autoencoders (arXiv:1808.08992; its jets: arXiv:1803.00107): 13 TeV, CMS's detector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.simulate.boosted.selection import JetSelection
from harness.simulate.process import Process

TOP_CODE, GLUINO_CODE = 6, 1000021
# 400 GeV, as in arXiv:1808.08992.
GLUINO_GEV = 400.0

_TOPTAG = JetSelection(
    detector="atlas", radius=0.8, min_pt_gev=550.0, max_pt_gev=650.0, max_abs_eta=2.0
)
_TOPTAG_TOP = _TOPTAG.model_copy(
    update={"heavy_code": TOP_CODE, "match_radius": 0.8, "merge_radius": 0.8}
)
_ANOMALY = JetSelection(
    detector="cms", radius=1.0, min_pt_gev=800.0, max_pt_gev=900.0, max_abs_eta=1.0, either=True
)
_ANOMALY_TOP = _ANOMALY.model_copy(
    update={"heavy_code": TOP_CODE, "match_radius": 0.6, "merge_radius": 0.6}
)
_ANOMALY_GLUINO = _ANOMALY.model_copy(update={"heavy_code": GLUINO_CODE, "match_radius": 0.6})

_QCD = ("HardQCD:all = on",)
_TOPS = ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", "24:onMode = off", "24:onIfAny = 1 2 3 4 5")
_GLUINOS = ("SUSY:gg2gluinogluino = on", "SUSY:qqbar2gluinogluino = on")
_REFERENCE_BEAM = "Beams:eCM = 14000."
# Jets get pT by radiation of the initial state and lose it out of their radius: these hard
# processes contain those that give a jet in the window, but for a few per cent.
_TOPTAG_PT = ("PhaseSpace:pTHatMin = 500.", "PhaseSpace:pTHatMax = 800.")
_ANOMALY_PT = ("PhaseSpace:pTHatMin = 720.", "PhaseSpace:pTHatMax = 1100.")
# Other Monte Carlos: settings that come before those of a process. A14 is ATLAS's central tune with
# NNPDF2.3 LO (ATL-PHYS-PUB-2014-021), whose showers radiate less; Vincia is another shower
# (arXiv:2003.00702).
VARIATIONS: Mapping[str, tuple[str, ...]] = {
    "a14": ("Tune:pp = 21",),
    "vincia": ("PartonShowers:model = 2",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class JetSample:
    """A process, and which of its jets are kept."""

    process: Process
    selection: JetSelection


def _sample(
    name: str,
    title: str,
    settings: tuple[str, ...],
    selection: JetSelection,
    gluino_gev: float | None = None,
) -> JetSample:
    process = Process(
        name=name,
        title=title,
        settings=settings,
        demand="central" if selection.max_abs_eta <= 1 else "none",
        gluino_gev=gluino_gev,
    )
    return JetSample(process=process, selection=selection)


def _varied(sample: JetSample, variation: str) -> JetSample:
    process = sample.process
    changed = process.model_copy(
        update={
            "name": f"{process.name}_{variation}",
            "title": f"{process.title}, {variation.capitalize()}",
            "settings": (*VARIATIONS[variation], *process.settings),
        }
    )
    return JetSample(process=changed, selection=sample.selection)


_ANOMALY_QCD = _sample("anomaly_qcd", "QCD", (*_QCD, *_ANOMALY_PT), _ANOMALY)
_ANOMALY_TOPS = _sample("anomaly_top", "Top", (*_TOPS, *_ANOMALY_PT), _ANOMALY_TOP)
_ALL = (
    _sample("toptag_qcd", "QCD", (_REFERENCE_BEAM, *_QCD, *_TOPTAG_PT), _TOPTAG),
    _sample("toptag_top", "Top", (_REFERENCE_BEAM, *_TOPS, *_TOPTAG_PT), _TOPTAG_TOP),
    _ANOMALY_QCD,
    _ANOMALY_TOPS,
    _sample(
        "anomaly_gluino",
        "g̃ (400 GeV) → qqq",
        (*_GLUINOS, *_ANOMALY_PT),
        _ANOMALY_GLUINO,
        gluino_gev=GLUINO_GEV,
    ),
    *(_varied(one, name) for name in VARIATIONS for one in (_ANOMALY_QCD, _ANOMALY_TOPS)),
)
JET_SAMPLES: Mapping[str, JetSample] = {one.process.name: one for one in _ALL}
