"""What all visitors share: the index of cards, and the boards made from it."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from harness.board.entry import Entry
from harness.board.headline import Headline, headline_of
from harness.board.index import Snapshot
from harness.board.order import Ranking
from harness.board.queued import QueueState
from harness.board.rows import Board, board_of
from leaderboard_app.blocks import Section
from leaderboard_app.settings import Settings, read_settings
from leaderboard_app.views.ranking_table import ranking_model
from leaderboard_app.views.subject import Subject, subject_of
from leaderboard_app.views.submission import submission_sections

T = TypeVar("T")
# Looking at every card's size and time takes some ms for 500 cards: once a second is enough for
# any number of visitors.
_LOOK_EVERY_S = 1.0
_MAX_KEPT = 64


@dataclass(slots=True)
class _Kept(Generic[T]):
    """A few values by key, the oldest dropped first; made once, whoever asks."""

    values: dict[tuple[object, ...], T] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def get(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        with self.lock:
            if key not in self.values:
                while len(self.values) >= _MAX_KEPT:
                    del self.values[next(iter(self.values))]
                self.values[key] = make()
                _rest()
            return self.values[key]


class Shelf:
    """The cards of one results folder, ranked; shared by all visitors of the app.

    Parameters
    ----------
    settings : Settings
        Says which folder, and whether hidden signals are shown.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened = settings.boards()
        self._rankings: _Kept[Ranking] = _Kept()
        self._boards: _Kept[Board] = _Kept()
        self._models: _Kept[str] = _Kept()
        self._sections: _Kept[list[Section]] = _Kept()
        self._headlines: _Kept[Headline] = _Kept()
        self._queues: dict[str, tuple[QueueState, ...]] = {}
        self._looked = self._asked = -1e9
        self._snapshot: Snapshot | None = None
        self._lock = Lock()

    def snapshot(self) -> Snapshot:
        """Return what lies in the folder, at most a second old."""
        with self._lock:
            if self._snapshot is None or time.monotonic() - self._looked > _LOOK_EVERY_S:
                before, self._snapshot = self._snapshot, self._opened.refresh()
                self._looked = time.monotonic()
                if self._snapshot is not before:
                    _rest()
            return self._snapshot

    def queues(self) -> dict[str, tuple[QueueState, ...]]:
        """Return what queues wrote down, at most a second old; it changes no version of cards."""
        with self._lock:
            if time.monotonic() - self._asked > _LOOK_EVERY_S:
                self._queues, self._asked = self._opened.queues(), time.monotonic()
            return self._queues

    def ranking(self, snapshot: Snapshot, challenge: str) -> Ranking:
        """Rank the cards of a challenge."""
        return self._rankings.get(
            (snapshot.version, challenge), lambda: self._opened.ranking(snapshot, challenge)
        )

    def board(self, snapshot: Snapshot, challenge: str, fpr: float) -> Board:
        """Make the rows of a challenge with the TPRs at `fpr`."""
        made = self.ranking(snapshot, challenge)
        return self._boards.get(
            (snapshot.version, challenge, fpr), lambda: board_of(made, shown_point=fpr)
        )

    def model(
        self,
        snapshot: Snapshot,
        challenge: str,
        fpr: float,
        href: Callable[[str, str], str],
        *,
        compare: str,
    ) -> str:
        """Make the JSON that the ranking table draws."""
        board = self.board(snapshot, challenge, fpr)
        return self._models.get(
            (snapshot.version, challenge, fpr),
            lambda: json.dumps(ranking_model(board, href, compare=compare)),
        )

    def headline(self, snapshot: Snapshot, challenge: str) -> Headline:
        """Say what stands above a board, at the point where it ranks."""
        made = self.ranking(snapshot, challenge)
        board = self.board(snapshot, challenge, made.contest.working_point)

        def make() -> Headline:
            first = next(iter(made.ranked), None)
            leading = None if first is None else self._opened.whole(challenge, first.entry).card
            return headline_of(made, board, leading)

        return self._headlines.get((snapshot.version, challenge), make)

    def sections(self, snapshot: Snapshot, challenge: str, entry: Entry) -> list[Section]:
        """Lay out the page of a card."""
        made = self.ranking(snapshot, challenge)
        return self._sections.get(
            (snapshot.version, challenge, entry.key),
            lambda: submission_sections(self.subject(snapshot, challenge, entry, made)),
        )

    def subject(self, snapshot: Snapshot, challenge: str, entry: Entry, made: Ranking) -> Subject:
        """Read all of a card and find its place."""
        whole = self._opened.whole(challenge, entry)
        return subject_of(whole, made, snapshot.entries[challenge])

    def whole_card(self, challenge: str, entry: Entry) -> str:
        """Return all of a card as JSON."""
        return self._opened.whole(challenge, entry).card.model_dump_json(indent=1)

    def artefacts(self, challenge: str, entry: Entry) -> tuple[Path, ...]:
        """Find the firmware files kept beside a card."""
        return self._opened.artefacts_of(challenge, entry)

    def moved(self, snapshot: Snapshot, challenge: str) -> dict[str, str]:
        """Return the present names of teams that were renamed."""
        teams = self.ranking(snapshot, challenge).contest.teams
        return teams.moved([entry.card for entry in self.entries(snapshot, challenge)])

    def entries(self, snapshot: Snapshot, challenge: str) -> tuple[Entry, ...]:
        """Return every card of a challenge, old ones too."""
        return snapshot.entries.get(challenge, ())


def _rest() -> None:
    """Take what was made so far out of the garbage collector's sight.

    Streamlit collects garbage after every run of a page, however small. Going through the objects
    of 500 cards each time would take longer than the page. They hold no cycles: counting
    references alone frees them when they are dropped.
    """
    gc.collect()
    gc.freeze()


@lru_cache(maxsize=4)
def _shelf(settings_json: str) -> Shelf:
    return Shelf(Settings.model_validate_json(settings_json))


def shelf() -> Shelf:
    """Return the shelf of this app."""
    return _shelf(read_settings().model_dump_json())
