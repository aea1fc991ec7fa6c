"""A main branch that is published through the command line, with scoring that takes no time."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.card.files import parse_card
from harness.card.run import ScoredChallenge
from harness.ci import intake
from harness.ci.process import ScoringOutcome, ScoringRequest
from harness.errors import DataError
from tests import ci_stand_in
from tests.outputs import harness, site_ranks
from tests.repositories import GitRepository, submission

Score = Callable[[ScoringRequest], ScoringOutcome]


class MainBranch:
    """A repository and its board; each card is a day newer than the one before.

    Parameters
    ----------
    challenge : ScoredChallenge, optional
        What the cards say that they were scored on.

    Attributes
    ----------
    dates : iterator of str
        What the clock of the scoring machine says, for one card after the other.
    received : str or None
        When the cards claim that they were received.
    """

    def __init__(
        self,
        place: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        teams: Sequence[str] = ("old",),
        challenge: ScoredChallenge | None = None,
    ) -> None:
        self.board = place / "board"
        files: dict[str, bytes] = {}
        for team in teams:
            files |= self.files(team)
        self.repository = GitRepository.init(place / "clone", files)
        self.challenge = challenge
        self.score: Score = ci_stand_in.score
        self.dates: Iterator[str] = (f"2026-03-{day:02}" for day in itertools.count(1))
        self.received: str | None = None
        own = functools.partial(intake.ScoringSettings, score=self._score)
        monkeypatch.setattr(intake, "ScoringSettings", own)

    def _score(self, request: ScoringRequest) -> ScoringOutcome:
        made = self.score(request)
        if made.card is None:
            return made
        try:
            card = parse_card(made.card, source="the stand-in")
        except DataError:
            return made
        changes: dict[str, object] = {"created": f"{next(self.dates)}T12:00:00Z"}
        if self.received is not None:
            changes["submission"] = card.submission.model_copy(update={"received": self.received})
        if self.challenge is not None:
            changes["challenge"] = self.challenge
        return replace(made, card=card.model_copy(update=changes).model_dump_json().encode())

    def files(self, team: str, note: bytes = b"") -> dict[str, bytes]:
        return {**submission(team), f"submissions/{team}/note.txt": note}

    def rename(self, old: str, new: str) -> None:
        gone = dict.fromkeys(self.files(old))
        self.repository.commit("main", {**gone, **self.files(new)})

    def command(self, name: str, *arguments: str | Path) -> tuple[str | Path, ...]:
        """A command on the board and the commits of the main branch."""
        where = ("--repository", self.repository.folder, "--board", self.board)
        return ("ci", name, *where, "--commit", "main", *arguments)

    def publish(self) -> dict[str, int | None]:
        harness(*self.command("publish", "--challenge", "sample"))
        return site_ranks(self.board / "docs", "sample")["board.json"]
