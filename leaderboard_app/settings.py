"""What a leaderboard is told when it starts; handed over as JSON in one environment variable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from harness.challenge import Name, RankingRules, Target, Value

VARIABLE = "HARNESS_LEADERBOARD"
GUIDE = Path(__file__).parent.parent / "docs" / "participate.md"
GLOSSARY = GUIDE.with_name("glossary.md")


class ContestRules(Value):
    """Rules of one challenge in place of those in its cards: the manifest's."""

    rules: RankingRules
    target: Target


class Settings(Value):
    """What the app shows, and to whom.

    Attributes
    ----------
    results : str
        Folder of the cards; nothing else of it is read.
    is_private : bool
        Show the figures of hidden signals: for the organiser alone.
    contests : mapping of challenge to ContestRules
        Challenges without an entry are ranked by the rules in their newest card.
    refresh_s : float
        How often an open page looks for new cards.
    """

    results: str = "results"
    is_private: bool = False
    contests: dict[Name, ContestRules] = Field(default_factory=dict)
    refresh_s: float = Field(default=4.0, gt=0)


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings that `serve` handed over; the defaults where there are none."""
    text = environment.get(VARIABLE)
    return Settings() if text is None else Settings.model_validate_json(text)
