"""What a queue of submissions is doing, as it writes it down itself beside the cards.

Each queue has a file of its own for each challenge, ``results/.queue/<challenge>@<queue>.state``,
and writes it whole every few seconds while it works. It is the state of a machine, not a result: no
index of cards reads it, and no board's branch keeps it. What a run said is not in it, as a run on
private data may say anything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypeAlias, cast, get_args

from pydantic import Field

from harness.challenge import Name, Utc, Value, instant
from harness.errors import DataError
from harness.files import read_json

FOLDER = ".queue"
SUFFIX = ".state"
# A queue that was not heard of for so long was killed, or its machine was.
SILENT_AFTER = timedelta(seconds=60)
_MAX_BYTES = 8 * 1024**2
_MAX_QUEUES = 100

State: TypeAlias = Literal["queued", "running", "scored", "failed", "left"]
STATES: tuple[State, ...] = ("queued", "running", "scored", "failed", "left")
# A stage of a scoring, as its clock announces it; no other word of a log is passed on.
Stage: TypeAlias = Literal[
    "data", "export", "reports", "precision", "cost", "score", "metrics", "checks",
    "reconstruction", "unrounded", "firmware", "firmware-metrics", "rounded", "processor", "fresh",
    "stress", "acceptance",
]  # fmt: skip
STAGES: tuple[Stage, ...] = get_args(Stage)
_ANNOUNCED = re.compile(rf"^({'|'.join(STAGES)}): (done in )?", re.MULTILINE)
MAX_ENTRIES = 10_000


class QueuedEntry(Value):
    """One submission on its way to its card.

    Attributes
    ----------
    state : str
        ``left``: another scorer or a later run does it.
    stage : str or None
        The stage that runs, or in which it failed; None where that is not known.
    since : str
        When it came into this state.
    """

    team: Name
    state: State
    stage: Stage | None = None
    since: Utc


class QueueState(Value):
    """One queue at one moment.

    Attributes
    ----------
    written : str
        When it was heard of last.
    ended : str or None
        None: it was still working.
    """

    schema_version: Literal[1] = 1
    challenge: Name
    started: Utc
    written: Utc
    ended: Utc | None = None
    entries: tuple[QueuedEntry, ...] = Field(default=(), max_length=MAX_ENTRIES)

    def is_silent(self, now: datetime) -> bool:
        """Tell whether it ended without a word."""
        return self.ended is None and now - instant(self.written) > SILENT_AFTER

    def counts(self) -> dict[State, int]:
        """Count the submissions in each state."""
        found = Counter(one.state for one in self.entries)
        return {state: found[state] for state in STATES}

    def by_stage(self) -> dict[str, tuple[int, int]]:
        """Count what runs and what failed in each stage; that of no known stage is under "".

        Examples
        --------
        >>> at = "2026-03-01T12:00:00Z"
        >>> said = [("a", "running", "score"), ("b", "failed", "score"), ("c", "failed", None)]
        >>> state = QueueState(challenge="c", started=at, written=at, entries=tuple(
        ...     QueuedEntry(team=team, state=state, stage=stage, since=at)
        ...     for team, state, stage in said))
        >>> state.by_stage()
        {'score': (1, 1), '': (0, 1)}
        """
        counted = [one for one in self.entries if one.state in {"running", "failed"}]
        found = Counter((one.stage or "", one.state) for one in counted)
        stages = dict.fromkeys(one.stage or "" for one in counted)
        return {name: (found[name, "running"], found[name, "failed"]) for name in stages}


def stage_in(log: str) -> Stage | None:
    r"""Return the stage that the log of a scoring announced last and that is not done.

    While events are scored, the cost is counted beside them: then scoring is the stage.

    Examples
    --------
    >>> stage_in("data: open the sample\ndata: done in 0.1 s\nexport: network()\nerror: a line")
    'export'
    >>> stage_in("score: events\ncost: count\ncost: done in 0.1 s\nerror: a line")
    'score'
    """
    open_stages: dict[Stage, None] = {}
    last: Stage | None = None
    for name, is_done in cast("list[tuple[Stage, str]]", _ANNOUNCED.findall(log)):
        last = name
        open_stages.pop(name, None)
        if not is_done:
            open_stages[name] = None
    return [*open_stages][-1] if open_stages else last


def read_queues(results: Path) -> dict[str, tuple[QueueState, ...]]:
    """Read what queues wrote down, by challenge, the one that began last first.

    A file that cannot be read is left out: its queue writes it again within seconds.
    """
    states = sorted(_states(results / FOLDER), key=lambda one: instant(one.started), reverse=True)
    names = dict.fromkeys(one.challenge for one in states)
    return {name: tuple(one for one in states if one.challenge == name) for name in names}


def _states(folder: Path) -> Iterator[QueueState]:
    for path in sorted(folder.glob(f"*{SUFFIX}"))[:_MAX_QUEUES]:
        with suppress(DataError):
            yield read_json(path, QueueState, max_bytes=_MAX_BYTES)


def listed(states: Sequence[QueueState]) -> list[QueuedEntry]:
    """List the submissions of some queues: what runs, waits, failed, and was scored, each once.

    Of a submission that two queues name the newer word counts.
    """
    latest: dict[str, QueuedEntry] = {}
    for entry in (one for state in reversed(states) for one in state.entries):
        known = latest.get(entry.team)
        if known is None or instant(entry.since) >= instant(known.since):
            latest[entry.team] = entry
    order: tuple[State, ...] = ("running", "queued", "failed", "left", "scored")
    return sorted(latest.values(), key=lambda one: (order.index(one.state), one.team))
