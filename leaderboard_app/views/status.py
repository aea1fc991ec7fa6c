"""Status of a contest: its phases and deadline, what its queue is doing, the newest cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from harness.board.contest import Contest
from harness.board.entry import Entry
from harness.board.formats import DASH
from harness.board.order import Ranking
from harness.board.phases import phases_of
from harness.board.public import hidden_signals
from harness.board.queued import QueueState, State, listed
from leaderboard_app.blocks import Block, Facts, Note, Section, Table, Until

TITLE = "Status"
NO_QUEUE = (
    "No queue has scored here lately. While a queue works (harness ci score --all, or harness ci "
    "publish), this page shows what it is doing."
)
_STATES: Mapping[State, str] = {
    "queued": "Queued",
    "running": "Running",
    "scored": "Scored",
    "failed": "Failed",
    "left": "Left to another scorer or a later run",
}
_MOST_LISTED = 200
_N_NEWEST = 10


def status_sections(
    made: Ranking | None, entries: Sequence[Entry], queues: Sequence[QueueState], now: datetime
) -> list[Section]:
    """Lay out where a contest stands.

    Parameters
    ----------
    made : Ranking or None
        None where no card is there yet.
    entries : sequence of Entry
        All cards of the challenge, old ones too.
    """
    sections = [] if made is None else [_phase_section(made.contest, entries, now)]
    sections.append(_queue_section(queues, now))
    if made is not None:
        sections.append(_newest_section(made, entries))
    return sections


def _phase_section(contest: Contest, entries: Sequence[Entry], now: datetime) -> Section:
    has_hidden = any(hidden_signals(one.card.challenge) for one in entries)
    phases = phases_of(contest, now, has_hidden=has_hidden)
    deadline = contest.rules.deadline
    until = [] if deadline is None else [Until(title="Deadline", when=deadline)]
    table = Table(
        columns=("Phase", "From", "Until", "What it means"),
        rows=[
            (
                f"{one.name} (now)" if one.is_now else one.name,
                one.starts or DASH,
                one.ends or DASH,
                one.meaning,
            )
            for one in phases
        ],
        caption="Times in UTC",
        words=frozenset({3}),
    )
    return Section(title="Deadline and phases", blocks=(*until, table))


def _queue_section(queues: Sequence[QueueState], now: datetime) -> Section:
    if not queues:
        return Section(title="Queue", blocks=(Note(text=NO_QUEUE),))
    silent = [one for one in queues if one.is_silent(now)]
    heard = [one for one in queues if one not in silent]
    blocks: list[Block] = [
        Note(
            text=f"The queue that began at {one.started} was heard of last at {one.written}: it or "
            "its machine has ended. What it had not finished is not shown as running.",
            tone="warn",
        )
        for one in silent
    ]
    shown = [*heard, *(_finished(one) for one in silent)]
    counts = {state: sum(one.counts()[state] for one in shown) for state in _STATES}
    blocks.append(Facts(rows=[(_STATES[name], str(n)) for name, n in counts.items()]))
    blocks += [*_stage_table(shown), *_entry_table(shown)]
    heard_at = max(one.written for one in queues)
    is_over = all(one.ended is not None for one in heard)
    lead = "Nothing is being scored now." if is_over else "Submissions are being scored now."
    return Section(title="Queue", lead=f"{lead} As of {heard_at}.", blocks=tuple(blocks))


def _finished(state: QueueState) -> QueueState:
    """Return a queue without what it had not finished."""
    done = tuple(one for one in state.entries if one.state not in {"queued", "running"})
    return state.model_copy(update={"entries": done})


def _stage_table(states: Sequence[QueueState]) -> list[Table]:
    found: dict[str, tuple[int, int]] = {}
    for state in states:
        for name, (running, failed) in state.by_stage().items():
            before = found.get(name, (0, 0))
            found[name] = (before[0] + running, before[1] + failed)
    if not found:
        return []
    rows = [(name or "not known", str(one), str(other)) for name, (one, other) in found.items()]
    return [Table(columns=("Stage", "Running", "Failed"), rows=rows, caption="By stage")]


def _entry_table(states: Sequence[QueueState]) -> list[Table]:
    entries = listed(states)
    if not entries:
        return []
    n_left_out = len(entries) - _MOST_LISTED
    rest = f"; {n_left_out:,} more are not listed" if n_left_out > 0 else ""
    return [
        Table(
            columns=("Team", "State", "Stage", "Since"),
            rows=[
                (one.team, _STATES[one.state], one.stage or DASH, one.since)
                for one in entries[:_MOST_LISTED]
            ],
            caption=f"Submissions of the queue; times in UTC{rest}",
            words=frozenset({1, 2}),
        )
    ]


def _newest_section(made: Ranking, entries: Sequence[Entry]) -> Section:
    newest = sorted(entries, key=lambda one: one.card.order, reverse=True)[:_N_NEWEST]
    ranks = {one.entry.key: str(one.rank) for one in made.ranked}
    counting = {one.entry.key for one in made.listed}
    rows = [
        (
            made.contest.team_of(one) + (" (newest)" if i == 0 else ""),
            one.card.created,
            one.card.submission.title,
            ranks.get(one.key, "not ranked" if one.key in counting else "older card"),
        )
        for i, one in enumerate(newest)
    ]
    return Section(
        title="Newest cards",
        blocks=(
            Table(
                columns=("Team", "Scored", "Title", "Rank"),
                rows=rows,
                caption="Times in UTC",
                words=frozenset({2}),
            ),
        ),
    )
