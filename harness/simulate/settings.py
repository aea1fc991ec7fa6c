"""Which of Pythia's settings a card may make: a list of allowed names, forms and values.

Pythia's settings can read files (`LHEF`, `SLHA`, parton densities), load shared libraries
(`Init:plugins`) and write. A card comes from somebody else, so everything that is not listed here
is rejected, whether it is harmful or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.errors import Problem

# Families of settings that select and shape the physics; none of them names a file.
FAMILIES = frozenset(
    {
        "BottomoniumShower", "Bottomonium", "Charmonium", "ContactInteractions", "Dark", "DM",
        "ExcitedFermion", "ExtraDimensionsG*", "ExtraDimensionsLED", "ExtraDimensionsTEV",
        "ExtraDimensionsUnpart", "FourthBottom", "FourthPair", "FourthTop", "HardQCD", "Higgs",
        "HiggsA3", "HiggsBSM", "HiggsH1", "HiggsH2", "HiggsHchg", "HiggsSM", "HiddenValley",
        "LeftRightSymmmetry", "LeptoQuark", "NewGaugeBoson", "NewGaugeInteraction", "Onia",
        "PhaseSpace", "PhotonCollision", "PromptPhoton", "ResonanceWidths", "SigmaProcess",
        "StandardModel", "TauDecays", "TimeShower", "SpaceShower", "Top", "WeakBosonAndParton",
        "WeakBosonExchange", "WeakDoubleBoson", "WeakSingleBoson", "WeakZ0", "Wprime", "Zprime",
    }
)  # fmt: skip
# Properties of a particle and of its decay channels.
PROPERTIES = frozenset(
    {
        "m0", "mWidth", "mMin", "mMax", "tau0", "mayDecay", "isResonance", "doForceWidth",
        "isVisible", "doExternalDecay", "onMode", "offIfAny", "offIfAll", "offIfMatch", "onIfAny",
        "onIfAll", "onIfMatch", "onPosIfAny", "onNegIfAny", "oneChannel", "addChannel",
        "all", "new", "products", "bRatio", "meMode", "rescaleBR",
    }
)  # fmt: skip
MAX_SETTINGS = 200

_SETTING = re.compile(r"^(?P<family>[A-Za-z][A-Za-z0-9*]*):(?P<name>[A-Za-z0-9(){},*+\-]+)$")
_PARTICLE = re.compile(r"^(?P<id>[0-9]{1,8}):(?:[0-9]{1,3}:)?(?P<property>[A-Za-z0-9]+)$")
_VALUE = re.compile(r"^[A-Za-z0-9_.+\-{}, ]{1,200}$")
# A later Pythia may add a setting that names a file to a listed family.
_NAMES_A_FILE = re.compile(r"file|path|dir|plugin|lhef|slha|lhapdf", re.IGNORECASE)


def settings_problems(settings: Iterable[str], source: str) -> tuple[Problem, ...]:
    """Return what is wrong with the settings of a card, one problem for each line.

    Parameters
    ----------
    settings : iterable of str
        Lines as Pythia reads them, ``Family:name = value`` or ``id:property = value``.
    source : str
        File name, for messages.

    Examples
    --------
    >>> settings_problems(["HardQCD:all = on", "25:m0 = 50."], "card.yaml")
    ()
    >>> print(settings_problems(["Init:plugins = {lib.so::F}"], "card.yaml")[0].what)
    the setting Init:plugins is not allowed
    """
    found = [_problem_of(line, f"{source}, settings[{n}]") for n, line in enumerate(settings)]
    return tuple(problem for problem in found if problem is not None)


def _problem_of(line: str, where: str) -> Problem | None:
    name, equals, value = (part.strip() for part in line.partition("="))
    if not equals:
        return Problem(
            what=f"{line[:80]!r} is no setting", where=where, expected="`Family:name = value`"
        )
    if not _is_allowed(name):
        return Problem(
            what=f"the setting {name[:80]} is not allowed",
            where=where,
            expected="a setting that chooses or shapes a process, or a property of a particle; "
            "none that reads files, loads code, seeds, prints or changes the beams",
            fix="remove it; docs/simulate.md lists the families",
        )
    if not _VALUE.match(value):
        return Problem(
            what=f"the value {value[:80]!r} of {name} is not allowed",
            where=where,
            expected="letters, digits, blanks and any of _ . + - { } ,",
        )
    return None


def _is_allowed(name: str) -> bool:
    particle = _PARTICLE.match(name)
    if particle:
        return particle["property"] in PROPERTIES
    setting = _SETTING.match(name)
    return (
        setting is not None
        and setting["family"] in FAMILIES
        and not _NAMES_A_FILE.search(setting["name"])
    )
