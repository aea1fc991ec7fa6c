"""The index of cards and decisions: reads what is new or changed below `results/`, nothing else.

Names that come from outside, such as those in a web address, are looked up in the index and never
joined to a path.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from harness.board.answers import OPENED_FOLDER, OpenedBox, by_opening, read_box
from harness.board.decisions import FILE_NAME, Decisions, read_decisions
from harness.board.entry import Entry
from harness.board.public import hidden_signals, public_part, without_signals
from harness.board.reach import REACH_FOLDER, Reach, reach_of, read_reach
from harness.board.trigger_reports import TRIGGER_FOLDER, NamedReport, read_report
from harness.card.consistency import flaw_of
from harness.card.figures import NotMeasured
from harness.card.files import CARD_SUFFIX, MAX_CARD_BYTES, read_card
from harness.card.physics import Physics
from harness.card.records import SCHEMA_VERSION, ScoreCard
from harness.card.summary import DataSummary
from harness.errors import DataError
from harness.files import load_json, read_bounded, read_json

SUMMARY_NAME = "summary.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """A file that cannot be read, with the reason; `name` is its path below `results/`."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """What the index held at one moment.

    Attributes
    ----------
    version : int
        Rises whenever anything changed.
    entries : mapping of challenge to tuple of Entry
        The light parts (see `light_part`) of the cards, by challenge, in the order of their keys.
    summaries : mapping of challenge to DataSummary
        What the events of a challenge are.
    decisions : mapping of challenge to Decisions or DataError
        What the organiser decided, or why it cannot be read.
    answers : mapping of challenge to tuple of OpenedBox
        Black boxes that were opened, with all answers to them, by the time of their opening.
    reports : mapping of challenge to tuple of NamedReport
        Reports of `harness cluster` and `harness watch`, by their names.
    final : frozenset of challenge
        Those that were opened: their boards are final.
    default : str or None
        The challenge where none is named; it may have no card.
    """

    version: int
    entries: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    summaries: Mapping[str, DataSummary] = field(default_factory=dict)
    decisions: Mapping[str, Decisions | DataError] = field(default_factory=dict)
    unreadable: tuple[Unreadable, ...] = ()
    answers: Mapping[str, tuple[OpenedBox, ...]] = field(default_factory=dict)
    reports: Mapping[str, tuple[NamedReport, ...]] = field(default_factory=dict)
    final: frozenset[str] = frozenset()
    default: str | None = None

    @property
    def by_front(self) -> list[str]:
        """Challenges with cards: final ones, then the default one, then by their newest cards."""
        newest = {name: max(e.card.created_at for e in self.entries[name]) for name in self.entries}

        def place(name: str) -> tuple[bool, bool, datetime]:
            return name in self.final, name == self.default, newest[name]

        return sorted(newest, key=place, reverse=True)

    def decisions_of(self, challenge: str) -> Decisions:
        """Return what was decided of a challenge.

        Raises
        ------
        DataError
            The file is broken: a board that ignored it would show other ranks.
        """
        found = self.decisions.get(challenge, Decisions())
        if isinstance(found, DataError):
            raise DataError(*found.problems)
        return found


# What lies in folders beside those of the teams; None for a card, of a team of that name.
_READERS: Mapping[str, Callable[[Path], OpenedBox | Reach | NamedReport | None]] = {
    OPENED_FOLDER: read_box,
    REACH_FOLDER: read_reach,
    TRIGGER_FOLDER: read_report,
}

Found: TypeAlias = ScoreCard | DataSummary | OpenedBox | Reach | NamedReport | Unreadable


@dataclass(frozen=True, slots=True)
class _Stamp:
    """A file changed if any of these did; `ctime` tells of a replaced file of equal size."""

    mtime_ns: int
    ctime_ns: int
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """What was read, and how its files looked then."""

    stamps: Mapping[Path, _Stamp] = field(default_factory=dict)
    decisions: Mapping[str, Decisions | DataError] = field(default_factory=dict)
    found: Mapping[Path, Found] = field(default_factory=dict)

    def revealed(self, challenge: str) -> frozenset[str]:
        """Names of the hidden signals that were opened; none where the decisions are broken."""
        made = self.decisions.get(challenge)
        return made.revealed if isinstance(made, Decisions) else frozenset()


class CardIndex:
    """Cards below one folder, kept up to date by looking at sizes and times.

    Parameters
    ----------
    results : Path
        Holds ``<challenge>/<team>/<card>.json``, ``<challenge>/summary.json``, answers to black
        boxes, ``<challenge>/opened/<box>.json``, what `harness reach` measured,
        ``<challenge>/reach/<team>.json``, and reports, ``<challenge>/trigger/<name>.json``;
        may be missing.
    is_private : bool
        Keep the figures of hidden signals; without it they are dropped as a card is read.
    """

    def __init__(self, results: Path, *, is_private: bool = False) -> None:
        self._results = results
        self._is_private = is_private
        self._known = _Known()
        # Names of the hidden signals of each challenge, as its cards have them.
        self._hidden: dict[str, set[str]] = {}
        self._lock = threading.Lock()
        self._snapshot = Snapshot(version=0)

    def refresh(self) -> Snapshot:
        """Read what is new or changed, forget what is gone, return what is there."""
        with self._lock:
            stamps = dict(_stamps(self._results))
            if stamps != self._known.stamps or not self._snapshot.version:
                with _no_collection():
                    self._known = self._read_changes(stamps)
                self._snapshot = self._gather(self._snapshot.version + 1)
            return self._snapshot

    def _read_changes(self, stamps: Mapping[Path, _Stamp]) -> _Known:
        """Read what is not as it was; a card also where another signal is revealed."""
        before = self._known
        decided = [path for path in stamps if self._is_decisions(path)]
        now = _Known(
            stamps=stamps, decisions={path.parent.name: _read_decisions(path) for path in decided}
        )
        found: dict[Path, Found] = {}
        for path, stamp in stamps.items():
            challenge = path.relative_to(self._results).parts[0]
            revealed = now.revealed(challenge)
            is_same = before.stamps.get(path) == stamp and before.revealed(challenge) == revealed
            if path in before.found and is_same:
                found[path] = before.found[path]
            elif path not in decided:
                found[path] = self._read(path, stamp, revealed)
        return replace(now, found=found)

    def _is_decisions(self, path: Path) -> bool:
        return path.name == FILE_NAME and path.parent.parent == self._results

    def _read(self, path: Path, stamp: _Stamp, revealed: frozenset[str]) -> Found:
        name = path.relative_to(self._results).as_posix()
        if path.is_symlink():
            return Unreadable(name=name, reason="is a link, not a file")
        if stamp.size > MAX_CARD_BYTES:
            return Unreadable(name=name, reason=f"larger than {MAX_CARD_BYTES:,} bytes")
        try:
            if path.parent.parent == self._results:
                return _read_summary(path)
            # A team may have the name of such a folder.
            reader = _READERS.get(path.parent.name)
            if reader is not None and (found := reader(path)) is not None:
                return found
            return light_part(self._read_card(path, revealed))
        except DataError as error:
            reason = _newer_schema(path) or error.problems[0].what
            return Unreadable(name=name, reason=reason)

    def _read_card(self, path: Path, revealed: frozenset[str]) -> ScoreCard:
        card = read_card(path)
        challenge, team = path.parent.parent.name, path.parent.name
        if (card.challenge.name, card.submission.team) != (challenge, team):
            raise DataError(
                f"says it is of {card.challenge.name}/{card.submission.team} but lies in "
                f"{challenge}/{team}"
            )
        if reason := flaw_of(card):
            raise DataError(f"its parts contradict each other: {reason}")
        self._hidden.setdefault(challenge, set()).update(hidden_signals(card.challenge))
        return card if self._is_private else public_part(card, revealed)

    def _withheld(self, challenge: str) -> frozenset[str]:
        """Names of the hidden signals that are not to be shown."""
        if self._is_private:
            return frozenset()
        return frozenset(self._hidden.get(challenge, ())) - self._known.revealed(challenge)

    def _gather(self, version: int) -> Snapshot:
        entries: dict[str, list[Entry]] = {}
        summaries: dict[str, DataSummary] = {}
        boxes: dict[str, list[OpenedBox]] = {}
        reaches = [
            without_signals(one, self._withheld(one.challenge))
            for one in self._known.found.values()
            if isinstance(one, Reach)
        ]
        reports: dict[str, list[NamedReport]] = {}
        unreadable = []
        for challenge, made in self._known.decisions.items():
            name = f"{challenge}/{FILE_NAME}"
            if isinstance(made, DataError):
                told = tuple(one.what for one in made.problems)
            else:
                told = made.flaws
            unreadable += [Unreadable(name=name, reason=reason) for reason in told]
        for path, found in sorted(self._known.found.items()):
            if isinstance(found, Unreadable):
                unreadable.append(found)
            elif isinstance(found, DataSummary):
                summaries[found.challenge] = found
            elif isinstance(found, OpenedBox):
                boxes.setdefault(found.challenge, []).append(found)
            elif isinstance(found, NamedReport):
                if found.is_of_any(self._withheld(found.report.challenge)):
                    continue
                reports.setdefault(found.report.challenge, []).append(found)
            elif isinstance(found, ScoreCard):
                key = f"{path.parent.name}/{path.name.removesuffix(CARD_SUFFIX)}"
                entry = Entry(key=key, card=found, reach=reach_of(found, reaches))
                entries.setdefault(found.challenge.name, []).append(entry)
        return Snapshot(
            version=version,
            entries={name: tuple(cards) for name, cards in entries.items()},
            summaries=summaries,
            decisions=self._known.decisions,
            unreadable=tuple(unreadable),
            answers={name: by_opening(some) for name, some in boxes.items()},
            reports={name: tuple(some) for name, some in reports.items()},
        )

    def whole(self, challenge: str, entry: Entry) -> Entry:
        """Read all of a card that the index holds the light part of.

        Where its file is gone or broken by now the light part is returned.
        """
        path = self.path_of(challenge, entry)
        if path is None:
            return entry
        try:
            card = self._read_card(path, self._known.revealed(challenge))
        except DataError:
            return entry
        return replace(entry, card=card)

    def path_of(self, challenge: str, entry: Entry) -> Path | None:
        """Find the file of an entry among the files that were found; never by its name alone."""
        team, _, stem = entry.key.partition("/")
        for path in self._known.found:
            if (path.parent.parent.name, path.parent.name) == (challenge, team) and (
                path.name.removesuffix(CARD_SUFFIX) == stem
            ):
                return path
        return None

    def artefacts_of(self, challenge: str, entry: Entry) -> tuple[Path, ...]:
        """Find the files kept beside a card that it names itself, of the size that it says.

        A card ``<stem>.json`` keeps its artefacts as ``<stem>.<name>`` or in the folder
        ``<stem>/``. What lies there is listed and compared with the card's names: a name in a card
        is never joined to a path.
        """
        firmware = entry.card.firmware
        if isinstance(firmware, NotMeasured):
            return ()
        path = self.path_of(challenge, entry)
        if path is None:
            return ()
        folder, stem = path.parent, path.name.removesuffix(CARD_SUFFIX)
        sizes = {artefact.name: artefact.n_bytes for artefact in firmware.artefacts}
        found = [(item, item.name.removeprefix(f"{stem}.")) for item in _shown(folder)]
        found += [(item, item.name) for item in _shown(folder / stem)]
        return tuple(
            Path(item.path)
            for item, name in found
            if item.is_file(follow_symlinks=False) and sizes.get(name) == item.stat().st_size
        )


@contextmanager
def _no_collection() -> Iterator[None]:
    """Switch the garbage collector off for a while: cards are many objects without cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def light_part(card: ScoreCard) -> ScoreCard:
    """Leave out what only the page of one card shows: a board of hundreds is held in memory.

    What stays is enough to rank the card, to show its row and to draw its place in the history.
    """
    has_firmware = isinstance(card.firmware_physics, Physics)
    left_out = NotMeasured(not_measured="not held by the index")
    return card.model_copy(
        update={
            "float_physics": _light_physics(card.float_physics, is_shown=not has_firmware),
            "firmware_physics": _light_physics(card.firmware_physics, is_shown=True),
            "accepted": left_out,
            "cuts": left_out,
            "stress": left_out,
            "rounded_physics": None,
            "unrounded_physics": None,
        }
    )


def _light_physics(physics: Physics | NotMeasured, *, is_shown: bool) -> Physics | NotMeasured:
    if isinstance(physics, NotMeasured):
        return physics
    replicates = physics.replicates if is_shown else {}
    return physics.model_copy(update={"roc": {}, "scores": None, "replicates": replicates})


def _stamps(results: Path) -> Iterator[tuple[Path, _Stamp]]:
    """Find cards two folders down, summaries and decisions one; hidden names are skipped."""
    for challenge in _folders(results):
        known = {challenge / SUMMARY_NAME, challenge / FILE_NAME}
        paths = [path for path in _json_files(challenge) if path in known]
        for team in _folders(challenge):
            paths += _json_files(team)
        for path in paths:
            try:
                yield path, _stamp(path)
            except OSError:
                # Gone between listing and looking: it is as if it had never been there.
                continue


def _folders(folder: Path) -> list[Path]:
    return [Path(item.path) for item in _shown(folder) if item.is_dir(follow_symlinks=False)]


def _json_files(folder: Path) -> list[Path]:
    return [
        Path(item.path)
        for item in _shown(folder)
        if item.name.endswith(CARD_SUFFIX) and not item.is_dir(follow_symlinks=False)
    ]


def _shown(folder: Path) -> list[os.DirEntry[str]]:
    """List a folder by name, without hidden names; one that cannot be read holds nothing."""
    try:
        with os.scandir(folder) as listing:
            found = [item for item in listing if not item.name.startswith(".")]
    except OSError:
        return []
    return sorted(found, key=lambda item: item.name)


def _stamp(path: Path) -> _Stamp:
    status = path.lstat()
    return _Stamp(status.st_mtime_ns, status.st_ctime_ns, status.st_size)


def _read_decisions(path: Path) -> Decisions | DataError:
    """Read what was decided, or why it cannot be read: who ranks the cards must not ignore it."""
    try:
        return read_decisions(path.parent.parent, path.parent.name)
    except DataError as error:
        return error


def _read_summary(path: Path) -> DataSummary:
    summary = read_json(path, DataSummary, max_bytes=MAX_CARD_BYTES)
    if summary.challenge != path.parent.name:
        raise DataError(f"says it is of {summary.challenge} but lies in {path.parent.name}")
    return summary


def _newer_schema(path: Path) -> str:
    """Say if a file that could not be read was written by a later harness; empty if not."""
    try:
        content = load_json(
            read_bounded(path, MAX_CARD_BYTES), source=str(path), max_bytes=MAX_CARD_BYTES
        )
    except DataError:
        return ""
    version = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        return (
            f"made by a newer harness: schema version {version}, this one reads up to "
            f"{SCHEMA_VERSION}; update harness"
        )
    return ""
