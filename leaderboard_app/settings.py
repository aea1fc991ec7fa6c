"""Settings of the pages' process, passed to it as JSON in one environment variable."""

from __future__ import annotations

import base64
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from harness.board.boards import Boards
from harness.challenge import Challenge, Value

VARIABLE = "HARNESS_LEADERBOARD"
GUIDE = Path(__file__).parent.parent / "docs" / "participate.md"
GLOSSARY = GUIDE.with_name("glossary.md")


class Settings(Value):
    """What the app shows, and to whom.

    Attributes
    ----------
    results : str
        Folder of the cards; nothing else of it is read.
    is_private : bool
        Show the figures of hidden signals: for the organiser alone.
    challenges : tuple of Challenge
        Those of the manifest, for `Boards`.
    default_challenge : str or None
        The one that is shown first, unless one was opened.
    refresh_s : float
        How often an open page looks for new cards.
    """

    results: str = "results"
    is_private: bool = False
    challenges: tuple[Challenge, ...] = ()
    default_challenge: str | None = None
    refresh_s: float = Field(default=4.0, gt=0)

    def boards(self) -> Boards:
        """Open the boards that are shown."""
        return Boards(
            Path(self.results),
            self.challenges,
            is_private=self.is_private,
            default=self.default_challenge,
        )


def packed_settings(settings: Settings) -> str:
    """Write settings for one variable of the environment, which holds 128 KiB on Linux.

    All of them, compressed: left out where it is the default, the kind of a merit would be lost.
    """
    return base64.b85encode(zlib.compress(settings.model_dump_json().encode(), 9)).decode()


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings that `serve` passed on, packed or not; without any, the defaults."""
    text = environment.get(VARIABLE)
    if text is None:
        return Settings()
    whole = text if text.startswith("{") else zlib.decompress(base64.b85decode(text))
    return Settings.model_validate_json(whole)
