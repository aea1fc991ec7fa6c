"""What is to be generated: one process, its settings, and how its rare decays are treated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.challenge import Name, Value
from harness.errors import DataError, UsageError
from harness.files import read_yaml
from harness.simulate.settings import MAX_SETTINGS, settings_problems

# What the veto on the hard process requires, besides Pythia's settings.
Demand = Literal["none", "lepton", "bottom", "charm", "light", "central"]
# The flavour whose hadrons give the lepton; see `harness.simulate.decays`.
Flavour = Literal["none", "bottom", "charm"]
# PDG codes of the quarks.
CODES: Mapping[Flavour, int] = {"bottom": 5, "charm": 4}


class Process(Value):
    """One process as Pythia generates it.

    Attributes
    ----------
    settings : tuple of str
        Pythia's settings, on top of `harness.simulate.generator.COMMON`.
    demand : str
        Hard processes that cannot pass are dropped before the shower: ``lepton`` requires a
        charged lepton within the acceptance, ``bottom`` and ``charm`` an outgoing b or c quark,
        ``light`` that no b or c quark comes in or goes out, ``central`` an outgoing particle at
        |eta| < 1.5.
    leptons_of : str
        The leading lepton comes from the decay of a hadron of this flavour.
    beam : str
        The only flavour that beam A has in the hard process; half of the events are then
        reflected, because the quark can come from either beam.
    cap : float
        Weight of such decays at which an event is kept with certainty; see
        `harness.simulate.decays`.
    parton_cap : float
        Expected weight of an event with heavy quarks at which its shower is completed with
        certainty; see `harness.simulate.vetoes`.
    tau_to_lepton : bool
        The settings let taus decay to e or mu only, so W -> tau nu is kept with that branching
        fraction.
    is_fake : bool
        The lepton is a jet that is misidentified as an electron.
    gluino_gev : float or None
        Mass of gluinos that decay to three quarks, where the process makes them.
    """

    name: Name
    title: str = Field(min_length=1, max_length=80)
    settings: tuple[str, ...] = Field(min_length=1, max_length=MAX_SETTINGS)
    demand: Demand = "none"
    leptons_of: Flavour = "none"
    beam: Flavour = "none"
    cap: float = Field(default=1.0, gt=0.0)
    parton_cap: float = Field(default=1.0, gt=0.0)
    tau_to_lepton: bool = False
    is_fake: bool = False
    gluino_gev: float | None = Field(default=None, gt=0, exclude_if=lambda mass: mass is None)


class ProcessCard(Value):
    """A user's process, as a YAML file.

    Attributes
    ----------
    settings : tuple of str
        Pythia's settings; only those that `harness.simulate.settings` allows.
    """

    schema_: Literal[1] = Field(alias="schema")
    name: Name
    title: str = Field(min_length=1, max_length=80)
    settings: tuple[str, ...] = Field(min_length=1, max_length=MAX_SETTINGS)


def read_card(path: Path) -> Process:
    """Read a process from the YAML file at `path`.

    Raises
    ------
    UsageError
        It cannot be read, or makes a setting that is not allowed; all problems at once.
    """
    try:
        card = read_yaml(path, ProcessCard)
    except DataError as error:
        raise UsageError(*error.problems) from error
    problems = settings_problems(card.settings, str(path))
    if problems:
        raise UsageError(*problems)
    return Process(name=card.name, title=card.title, settings=card.settings)
