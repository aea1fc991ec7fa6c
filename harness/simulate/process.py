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

# What Pythia's process-level veto asks of the hard process, besides its settings.
Demand = Literal["none", "lepton", "bottom", "charm", "light"]
# Whose hadrons give the lepton; see `harness.simulate.decays`.
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
        Events of the hard process that can't pass are dropped before they are showered:
        ``lepton`` wants one charged lepton within reach, ``bottom`` and ``charm`` an outgoing
        b or c quark, ``light`` neither b nor c in or out.
    leptons_of : str
        The leading lepton comes from the decay of a hadron of this flavour.
    beam : str
        Flavour as which beam A enters the hard process; one half of the events is then reflected.
    cap : float
        Weight of such a decay at which an event is kept for sure; see `harness.simulate.decays`.
    parton_cap : float
        Weight that an event with heavy quarks is expected to have at which it is showered to the
        end for sure; see `harness.simulate.vetoes`.
    tau_to_lepton : bool
        W -> tau nu is kept in the proportion in which taus decay to e or mu, and the tau does.
    is_fake : bool
        The lepton is a jet that is taken for an electron.
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


class ProcessCard(Value):
    """A process of one's own, as a YAML file.

    Attributes
    ----------
    settings : tuple of str
        Pythia's settings; only those that `harness.simulate.settings` lists.
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
        It can't be read, or makes a setting that is not allowed; all problems at once.
    """
    try:
        card = read_yaml(path, ProcessCard)
    except DataError as error:
        raise UsageError(*error.problems) from error
    problems = settings_problems(card.settings, str(path))
    if problems:
        raise UsageError(*problems)
    return Process(name=card.name, title=card.title, settings=card.settings)
