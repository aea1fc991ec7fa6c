"""The boards of a results folder: every challenge in it, ranked as the organiser decided.

Whole cards of a challenge that was opened lie beside the results, in a folder called ``opened``.
There the challenge's final board is made from, in place of the one of the public parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from harness.board.contest import Rulebook
from harness.board.entry import Entry
from harness.board.index import CardIndex, Snapshot
from harness.board.order import Ranking, rank
from harness.board.queued import QueueState, read_queues
from harness.challenge import Challenge

T = TypeVar("T")
OPENED = "opened"


class Boards:
    """The boards of one results folder, kept up to date with its files.

    Parameters
    ----------
    results : Path
        Holds cards, summaries and decisions; may be missing.
    challenges : iterable of Challenge
        Those of the manifest. A challenge of the results that is not among them is ranked by the
        rules of its newest card; decisions apply to it as well.
    is_private : bool
        Show hidden signals: for the organiser alone.
    default : str, optional
        Name of the challenge that is shown first, unless one was opened.
    """

    def __init__(
        self,
        results: Path,
        challenges: Iterable[Challenge] = (),
        *,
        is_private: bool = False,
        default: str | None = None,
    ) -> None:
        self.results = results
        self._index = CardIndex(results, is_private=is_private)
        self._opened = CardIndex(results.absolute().with_name(OPENED), is_private=is_private)
        self._challenges = {challenge.name: challenge for challenge in challenges}
        self.is_private = is_private
        self._default = default
        self._snapshot = Snapshot(version=0)

    def refresh(self) -> Snapshot:
        """Read what is new or changed, and return what is there now."""
        shown, opened = self._index.refresh(), self._opened.refresh()
        version = shown.version + opened.version
        if self._snapshot.version != version:
            decided = {
                name: made for name, made in opened.decisions.items() if name in opened.entries
            }
            self._snapshot = Snapshot(
                version=version,
                entries={**self._open_ones(shown.entries), **opened.entries},
                summaries=shown.summaries,
                decisions={**shown.decisions, **decided},
                unreadable=(*shown.unreadable, *opened.unreadable),
                answers={**shown.answers, **opened.answers},
                reports=self._open_ones(shown.reports),
                final=frozenset(opened.entries),
                default=self._default,
            )
        return self._snapshot

    def _open_ones(self, found: Mapping[str, T]) -> dict[str, T]:
        """Leave out the challenges that show nothing until they are opened."""
        closed = self._closed()
        return {name: some for name, some in found.items() if name not in closed}

    def _closed(self) -> set[str]:
        if self.is_private:
            return set()
        return {one.name for one in self._challenges.values() if one.private == "until_open"}

    def queues(self) -> dict[str, tuple[QueueState, ...]]:
        """Return what queues of these results wrote down of the challenges that are shown."""
        closed = self._closed()
        found = read_queues(self.results)
        return {name: found[name] for name in found if name not in closed}

    def rulebook(self, snapshot: Snapshot, challenge: str) -> Rulebook:
        """Return what rules a challenge, whether it has cards or not.

        Raises
        ------
        DataError
            Its decisions cannot be read: a board that ignored them would show other ranks.
        """
        return Rulebook(
            challenge=self._challenges.get(challenge),
            decisions=snapshot.decisions_of(challenge),
            is_private=self.is_private,
            is_final=challenge in snapshot.final,
        )

    def ranking(self, snapshot: Snapshot, challenge: str) -> Ranking:
        """Rank the cards of a challenge that has some.

        Raises
        ------
        DataError
            See `rulebook`.
        """
        entries = snapshot.entries[challenge]
        contest = self.rulebook(snapshot, challenge).contest_of(entries)
        return rank(entries, contest)

    def whole(self, challenge: str, entry: Entry) -> Entry:
        """Read all of a card, see `CardIndex.whole`."""
        return self._index_of(challenge).whole(challenge, entry)

    def artefacts_of(self, challenge: str, entry: Entry) -> tuple[Path, ...]:
        """Find the files kept beside a card, see `CardIndex.artefacts_of`."""
        return self._index_of(challenge).artefacts_of(challenge, entry)

    def path_of(self, challenge: str, entry: Entry) -> Path | None:
        """Find the file of a card, see `CardIndex.path_of`."""
        return self._index_of(challenge).path_of(challenge, entry)

    def _index_of(self, challenge: str) -> CardIndex:
        return self._opened if challenge in self._opened.refresh().entries else self._index
