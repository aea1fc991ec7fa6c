"""The comment under a pull request, as Markdown.

Everything that it shows may have been written by an attacker: texts are escaped so that they show
as they are, mention nobody and link nowhere, and all together fit into one comment.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from harness.board.added import added_at
from harness.board.boards import Boards
from harness.board.comparison import PairedComparison
from harness.board.contest import Contest, Rulebook
from harness.board.eligibility import judge_against
from harness.board.entry import Entry, fits, point_at, shown_physics
from harness.board.formats import DASH, EVIDENCE_TITLES, amount, figure_of, merit_text, percent
from harness.board.order import Ranked
from harness.board.public import public_part
from harness.board.rows import (
    RateCell,
    SignalCell,
    merit_cells,
    rate_cell,
    synthetic_note,
    titles_of,
)
from harness.board.teams import Teams
from harness.card.declared import declared_facts
from harness.card.figures import NotMeasured
from harness.card.hardware import Figure
from harness.card.physics import Physics
from harness.card.records import ScoreCard
from harness.card.text import markdown_text
from harness.challenge import Challenge, Merit, Target
from harness.ci.artefact import RunArtefact, read_folder
from harness.ci.documents import Plan, Scoring, Summary, ToldProblem, cut
from harness.ci.judgement import Judgement, Opponent, judge, reason_not_shown

MARKER = "<!-- harness: score card -->"
# GitHub's limit is 65,536 characters; bytes are counted to be safe.
MAX_COMMENT_BYTES = 65_536
_MAX_LOG_LINES = 40
_MAX_LOG_CHARACTERS = 4_000
_MAX_SIGNALS = 16
_MAX_PROBLEMS = 20
_MAX_TEXT = 300
_MAX_REMARKS = 8

_FAULTS = {
    1: (
        "your code failed",
        "The end of its own traceback is below; `harness score` shows the same.",
    ),
    2: ("the scorer was called wrongly", "That is the organiser's to mend; nothing was counted."),
    3: (
        "the submission, or what it gave, does not keep the contract",
        "`harness validate` finds most of it in a second; docs/submission.md has every rule.",
    ),
    4: ("a limit of time or memory was reached", "docs/rules.md lists all limits."),
    5: (
        "the platform failed, not the submission",
        "It is tried again with the next push; nothing was counted.",
    ),
    6: (
        "an integrity check failed",
        "A score depended on more than its event: look for counters, clocks, ranks in the batch.",
    ),
    7: (
        "the harness failed, not the submission",
        "Nothing was counted; it is the organiser's to report. The next push tries again.",
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rivals:
    """What a card is compared with: the cards on its board, and the rules that hold there.

    Attributes
    ----------
    others : mapping of challenge to Rivals
        Those of the other challenges that cards may be of.
    """

    entries: Sequence[Entry] = ()
    rulebook: Rulebook = field(default_factory=Rulebook)
    others: Mapping[str, Rivals] = field(default_factory=dict)

    def of(self, challenge: str) -> Rivals:
        """Return what a card of this challenge is compared with."""
        return self.others.get(challenge, self)


def read_rivals(results: Path, rules: Challenge, others: Sequence[Challenge] = ()) -> Rivals:
    """Read the cards of a challenge below `results`, and the rules that hold for them.

    Parameters
    ----------
    others : sequence of Challenge
        Further challenges that cards may be of.
    """
    boards = Boards(results, [rules, *(one for one in others if one.name != rules.name)])
    snapshot = boards.refresh()

    def of(name: str) -> Rivals:
        entries = snapshot.entries.get(name, ())
        return Rivals(entries=entries, rulebook=boards.rulebook(snapshot, name))

    apart = {one.name: of(one.name) for one in others if one.name != rules.name}
    return replace(of(rules.name), others=apart)


def comment_on_folder(folder: Path, rivals: Rivals) -> str:
    """Write the comment of the run that left `folder`, see `intake.write_artefact`."""
    left = read_folder(folder)
    return comment_on(left, rivals)


def comment_on(left: RunArtefact, rivals: Rivals) -> str:
    """Write the comment of the run that left an artefact."""
    return make_comment(left.summary, left.cards, rivals, unread=left.unread, remarks=left.remarks)


def comment_text(text: str, max_characters: int = _MAX_TEXT) -> str:
    """Write text that others wrote for a comment: it shows as it is, and tells nobody.

    A zero-width space keeps ``@name`` and ``#1`` from being a mention or a reference, which forges
    look for after the Markdown was read.

    Examples
    --------
    >>> comment_text("@all <b>")
    '&#64;&#8203;all &#60;b&#62;'
    """
    shown = markdown_text(cut(text, max_characters))
    return shown.replace("&#64;", "&#64;&#8203;").replace("&#35;", "&#35;&#8203;")


def readable(comment: str) -> str:
    """Return a comment for a terminal: without the escapes that a browser would read.

    Examples
    --------
    >>> readable(f"{MARKER} &#64;&#8203;all &#60;b&#62;")
    '@all <b>'
    """
    return html.unescape(comment).replace("\u200b", "").removeprefix(MARKER).strip()


def make_comment(
    summary: Summary,
    cards: Mapping[str, ScoreCard],
    rivals: Rivals,
    *,
    unread: Mapping[str, str] = MappingProxyType({}),
    remarks: Sequence[str] = (),
    is_official: bool = False,
) -> str:
    """Write the comment of one run.

    Parameters
    ----------
    summary : Summary
        The plan, and what came of it.
    cards : mapping of str to ScoreCard
        By `Summary.key_of`: those of the scored submissions.
    rivals : Rivals
        What there was before.
    unread : mapping of str to str
        Why the card of a scored submission is not among them.
    remarks : sequence of str
        What the reader must know of the run itself, such as parts that were left out of it.
    is_official : bool
        The run was the organiser's own: what it shows counts.

    Returns
    -------
    str
        Markdown of at most `MAX_COMMENT_BYTES`; begins with `MARKER`.
    """
    parts = [MARKER, *(f"> {comment_text(remark)}" for remark in remarks[:_MAX_REMARKS])]
    optional: list[tuple[int, str]] = []
    if summary.plan is not None:
        parts += _plan_parts(summary.plan)
        parts += _disqualified(summary.plan, rivals)
    for scoring in summary.scorings:
        key = summary.key_of(scoring)
        card = cards.get(key)
        is_shown = card is not None and card.challenge.name == scoring.challenge
        if scoring.status == "failed" or card is None or not is_shown:
            parts.append(_failure(scoring, unread.get(key, "")))
            if scoring.message:
                optional.append((len(parts), _log(scoring)))
                parts.append("")
            continue
        brief, details = _card_parts(card, rivals.of(card.challenge.name), scoring, summary.plan)
        parts.append(brief)
        optional.append((len(parts), details))
        parts.append("")
    if cards and not is_official:
        parts.append(_UNOFFICIAL)
    return _fitted(parts, optional)


_UNOFFICIAL = (
    "*Unofficial: the run of a pull request shows what to expect. What counts is scored on the "
    "main branch after the merge.*"
)
_CUT = "\n\n*More did not fit into one comment: see the run's log.*"


def _fitted(parts: Sequence[str], optional: Sequence[tuple[int, str]]) -> str:
    """Join the parts and as many of the optional ones as fit: whole ones, so no markup breaks."""
    chosen = list(parts)
    size = sum(len(part.encode()) + 2 for part in chosen) + len(_CUT.encode())
    for place, text in optional:
        size += len(text.encode())
        if size > MAX_COMMENT_BYTES:
            size -= len(text.encode())
            continue
        chosen[place] = text
    while size > MAX_COMMENT_BYTES and len(chosen) > 1:
        size -= len(chosen.pop().encode()) + 2
    is_cut = len(chosen) < len(parts) or any(text and not chosen[place] for place, text in optional)
    return "\n\n".join(part for part in chosen if part) + (_CUT if is_cut else "")


def _plan_parts(plan: Plan) -> list[str]:
    match plan.kind:
        case "other":
            return ["This pull request touches no submission: nothing is scored."]
        case "empty":
            return ["This pull request changes nothing: nothing is scored."]
        case "refused":
            listed = [_problem(problem) for problem in plan.problems[:_MAX_PROBLEMS]]
            more = len(plan.problems) - len(listed)
            listed += [f"- and {more} more"] if more > 0 else []
            return ["## Not scored", "\n".join(listed)]
    lines = [f"- {comment_text(note)}" for note in plan.notes]
    lines += [
        f"- `{one.team}` is deleted: its cards stay listed, without a rank."
        for one in plan.submissions
        if one.change == "deleted"
    ]
    lines += [
        f"- `{one.team}` was `{one.renamed_from}`: it takes its cards along."
        for one in plan.submissions
        if one.renamed_from is not None
    ]
    return ["\n".join(lines)] if lines else []


def _disqualified(plan: Plan, rivals: Rivals) -> list[str]:
    """Say which of the teams may not take part any more, also under a new name."""
    found = {
        name: decision
        for one in (*rivals.others.values(), rivals)
        for name, decision in Teams.of(one.rulebook.decisions).disqualified.items()
    }
    return [
        f"**`{one.team}` is disqualified: {comment_text(found[name].reason)}** No card of it is "
        "ranked. If that is a mistake, write to the organiser."
        for one in plan.submissions
        for name in [one.team if one.team in found else one.renamed_from]
        if name in found
    ]


def _problem(problem: ToldProblem) -> str:
    where = f"{comment_text(problem.where)}: " if problem.where else ""
    lines = f"- {where}{comment_text(problem.what)}"
    for name, text in (("expected", problem.expected), ("to do", problem.fix)):
        lines += f"<br>{name}: {comment_text(text)}" if text else ""
    return lines


def _failure(scoring: Scoring, unread: str) -> str:
    reason, hint = _FAULTS.get(scoring.exit_code, ("it failed", ""))
    if scoring.status == "waiting":
        reason, hint = "it waits", "Nothing was counted; the next push tries it again."
    elif scoring.status != "failed":
        reason, hint = "its card cannot be shown", f"It {comment_text(unread)}."
    head = f"## `{scoring.team}`: not scored on {scoring.challenge}"
    return f"{head}\n\n**{reason.capitalize()}.** {hint}"


def _log(scoring: Scoring) -> str:
    lines = scoring.message[-_MAX_LOG_CHARACTERS:].splitlines()[-_MAX_LOG_LINES:]
    shown = "\n".join(comment_text(line) for line in lines)
    summary = "<details open><summary>Last lines of the log</summary>"
    return f"{summary}\n\n<pre>\n{shown}\n</pre>\n</details>"


def _card_parts(
    card: ScoreCard, rivals: Rivals, scoring: Scoring, plan: Plan | None
) -> tuple[str, str]:
    """Write what everybody reads, and what is folded away."""
    card = public_part(card, rivals.rulebook.decisions.revealed)
    said = card.submission
    lines = [f"## `{said.team}`: {comment_text(said.title)}", _heading(card)]
    if scoring.status == "known":
        lines.append("These files were scored before: this is their card.")
    lines += [f"> {comment_text(reason)}" for reason in card.unofficial_because[:5]]
    challenge = rivals.rulebook.challenge
    if challenge is not None and not fits(card, challenge):
        lines.append("The card is not shown: it was scored on other data than the board's.")
        return "\n\n".join(lines), ""
    if reason := reason_not_shown(card, rivals.entries):
        lines.append(f"The card is not shown: {comment_text(reason)}.")
        return "\n\n".join(lines), ""
    planned = () if plan is None else plan.submissions
    former = next((one.renamed_from for one in planned if one.team == said.team), None)
    found = judge(card, rivals.entries, rulebook=rivals.rulebook, renamed_from=former)
    lines += [_standing(found), _signals(found), _verdict(found)]
    return "\n\n".join(line for line in lines if line), _details(card)


def _heading(card: ScoreCard) -> str:
    challenge = card.challenge
    text = (
        f"{comment_text(challenge.title)}, version {comment_text(challenge.version)}; "
        f"{card.submission.division} division; scored {card.created}."
    )
    note = synthetic_note(is_of_collisions=challenge.is_of_collisions)
    return f"{text} {note}" if challenge.synthetic else text


def _standing(found: Judgement) -> str:
    place = found.place
    if isinstance(place, Ranked):
        span, write = place.merit_span, partial(merit_text, found.contest.merit)
        return (
            f"**Expected rank {place.rank} ({place.best_rank}–{place.worst_rank}) of "
            f"{found.n_ranked}**; merit {write(place.merit)} "
            f"({write(span.lower)} – {write(span.upper)})."
        )
    reasons = "".join(f"\n- {comment_text(reason)}" for reason in place.reasons[:12])
    return f"**Not ranked:**\n{reasons}"


def _signals(found: Judgement) -> str:
    """Write the table of the signals: rate, interval, AUC, against the last and the best entry."""
    physics, contest = shown_physics(found.card), found.contest
    if physics is None:
        return ""
    cells: Mapping[str, SignalCell | RateCell | NotMeasured] = {
        name: rate_cell(physics, name, contest.working_point) for name in contest.signals
    }
    if not contest.merit.at_working_point:
        cells = merit_cells(physics, contest)
    missing = [cell for cell in cells.values() if isinstance(cell, NotMeasured)]
    if len(missing) == len(cells):
        why = missing[0].not_measured if missing else "no signal counts"
        return f"{contest.merit.describe()} was not measured: {comment_text(why)}."
    opponents = _opponents(found)
    header = ["Signal", contest.merit.describe(), "95 % interval", "AUC", *opponents]
    lines = [_row(header), "|" + " --- |" * len(header)]
    titles = titles_of(found.card, contest.signals)
    for name, title in list(titles.items())[:_MAX_SIGNALS]:
        auc = physics.auc.get(name)
        row = [comment_text(title), *_figure_cells(contest.merit, cells[name])]
        row.append(DASH if auc is None else f"{auc.value:.3f}")
        row += [_difference(contest, one.figures.get(name)) for one in opponents.values()]
        lines.append(_row(row))
    if opponents:
        merits = (_difference(contest, one.merit) for one in opponents.values())
        lines.append(_row(["**Merit**", *[""] * 3, *merits]))
    n_more = len(titles) - _MAX_SIGNALS
    rest = f"\n\n{n_more} more signals are in the card." if n_more > 0 else ""
    about = (
        f"\n\nScores of the {physics.arithmetic}{_passing(physics, contest)}. Each comparison is "
        "paired and by itself at 95 %."
    )
    return "\n".join(lines) + rest + _added(physics, contest) + about


def _added(physics: Physics, contest: Contest) -> str:
    """Say what the entry adds to the menu, where there is one."""
    found = added_at(physics, contest, contest.working_point)
    if isinstance(found, NotMeasured):
        return ""
    span, pure = _span_text(found.lower, found.upper), ""
    if not isinstance(found.added, NotMeasured):
        pure_span = _span_text(found.added_lower, found.added_upper)
        pure = f", {percent(found.added)}{pure_span} where the rate that it adds is fixed"
    return (
        f"\n\nAdded to the menu, over the signals: {percent(found.total)}{span} where its total "
        f"rate is fixed{pure}."
    )


def _span_text(lower: float | None, upper: float | None) -> str:
    return "" if lower is None or upper is None else f" ({percent(lower)} – {percent(upper)})"


def _passing(physics: Physics, contest: Contest) -> str:
    point = point_at(physics, contest.working_point)
    if isinstance(point, NotMeasured) or not contest.merit.at_working_point:
        return ""
    return f"; {point.n_passing} of {point.n_allowed} background events that may pass do"


def _opponents(found: Judgement) -> dict[str, Opponent]:
    """Return the entries that the card is compared with, by the title of their column."""
    opponents = {}
    if found.last is not None:
        opponents["against your last entry"] = found.last
    if found.best is not None:
        team = found.contest.team_of(found.best.entry)
        opponents[f"against the best, `{team}`"] = found.best
    return opponents


def _figure_cells(merit: Merit, cell: RateCell | SignalCell | NotMeasured) -> list[str]:
    if isinstance(cell, NotMeasured):
        return [DASH, DASH]
    lower, upper = merit_text(merit, cell.lower), merit_text(merit, cell.upper)
    return [merit_text(merit, figure_of(cell) or 0.0), f"{lower} – {upper}"]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _difference(contest: Contest, comparison: PairedComparison | None) -> str:
    if comparison is None:
        return DASH
    sign = "+" if comparison.difference >= 0 else "−"
    resolved = "resolved" if comparison.is_resolved else "not resolved"
    return f"{sign}{merit_text(contest.merit, abs(comparison.difference))}, {resolved}"


def _verdict(found: Judgement) -> str:
    """Write what the entry costs on the gate against its limits."""
    target = found.contest.target
    what = "Firmware" if isinstance(target, Target) else "Processor"
    required = judge_against(found.card, target, found.contest.rules)
    if isinstance(required, NotMeasured):
        return f"{what}: not measured: {comment_text(required.not_measured)}"
    if not required:
        return ""
    is_within = all(one.is_met for one in required)
    lines = [
        f"**{what}: within the budget.**" if is_within else f"**{what}: OVER THE BUDGET.**",
        "",
        "| Requirement | Value | Limit | Evidence | |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in required:
        value = DASH if one.value is None else f"{amount(one.value)} {one.unit}".strip()
        evidence = DASH if one.evidence is None else EVIDENCE_TITLES[one.evidence]
        verdict = "met" if one.is_met else "**not met**"
        limit = f"{amount(one.limit)} {one.unit}".strip()
        lines.append(_row([one.name, value, limit, evidence, verdict]))
    return "\n".join(lines)


def _details(card: ScoreCard) -> str:
    rows = [*declared_facts(card.submission).items()]
    rows += [("files", card.submission.digest), ("scorer version", str(card.scorer_version))]
    rows.append(("isolation", card.isolation.kind))
    cost = card.cost
    if not isinstance(cost, NotMeasured):
        counts = (("FLOPs", cost.flops), ("MACs", cost.macs), ("bit operations", cost.bops))
        rows.append(("parameters", f"{cost.n_parameters:,}"))
        rows += [(name, f"{n:,}") for name, n in counts if isinstance(n, int)]
    if not isinstance(card.firmware, NotMeasured):
        firmware = card.firmware
        figures = (
            ("latency [cycles]", firmware.latency_cycles),
            ("initiation interval [cycles]", firmware.interval_cycles),
            ("LUT", firmware.lut),
            ("FF", firmware.ff),
            ("DSP", firmware.dsp),
            ("BRAM18", firmware.bram18),
        )
        rows += [
            (name, f"{amount(one.value)} ({EVIDENCE_TITLES[one.evidence]})")
            for name, one in figures
            if isinstance(one, Figure)
        ]
    if not isinstance(card.checks, NotMeasured):
        rows += [(f"check {check.name}", check.outcome) for check in card.checks[:20]]
    rows += [("warning", warning) for warning in card.warnings[:10]]
    table = "".join(f"\n{_row(map(comment_text, pair))}" for pair in rows)
    return (
        "<details><summary>Declaration, cost, firmware, checks</summary>\n\n"
        f"| | |\n| --- | --- |{table}\n\n</details>"
    )
