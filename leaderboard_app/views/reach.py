"""What an entry needs for evidence (3 sigma, global) after the trigger."""

from __future__ import annotations

from harness.board.reach import Comparison, Reach, reach_text, span_text
from harness.board.rows import titles_of
from harness.card.text import visible
from leaderboard_app.blocks import Block, Note, Section, Table
from leaderboard_app.views.common import interval_text
from leaderboard_app.views.subject import Subject


def reach_section(subject: Subject) -> Section:
    """Show how many injected events are found; empty where nobody measured it."""
    found = subject.entry.reach
    if found is None:
        return Section(title="")
    shown = [name for name in subject.contest.signals if name in found.signals]
    rows = [
        _signal_row(visible(title), name, found)
        for name, title in titles_of(subject.card, shown).items()
    ]
    return Section(
        title="Reach of evidence (3 sigma, global)",
        lead=_lead(found),
        blocks=(
            Table(
                columns=("Signal", "Injected events", "95 % interval", "Accepted of the signal"),
                rows=rows,
                caption="Injected events, accepted or not, at which half of the trials end in "
                "evidence; intervals of the trials, which share one pool of accepted events",
            ),
            *_without_signal(found),
        ),
    )


def _lead(found: Reach) -> str:
    beside = (
        f", also beside the expectation with {', '.join(found.variations)}"
        if found.variations
        else ""
    )
    return (
        f"The entry ran as a trigger on {found.exposure:,.0f} background events and accepted "
        f"{found.n_observed:,}. They are clustered and compared with {found.n_simulated:,} "
        f"accepted of {found.expected_exposure:,.0f} simulated ones. Evidence (3 sigma) is a "
        f"global p-value of at most {found.level:g}{beside}."
    )


def _signal_row(title: str, name: str, found: Reach) -> list[str]:
    one = found.signals[name]
    return [
        title,
        reach_text(one.n_injected, one.n_events),
        span_text(one.lower, one.upper, one.n_events),
        f"{one.n_accepted:,} of {one.n_events:,}",
    ]


def _without_signal(found: Reach) -> list[Block]:
    """Say how often 3 sigma is claimed without a signal, and what other background ends in."""
    false = found.false_claims
    share = interval_text(
        false.n_found / false.n_trials, false.interval.lower, false.interval.upper
    )
    blocks: list[Block] = [
        Note(
            text=f"3 sigma is claimed without a signal in {false.n_found:,} of "
            f"{false.n_trials:,} trials, {share}."
        )
    ]
    if found.comparisons:
        varied = list(found.variations)
        blocks.append(
            Table(
                columns=(
                    "Without a signal",
                    "Accepted",
                    "Expected",
                    "Global p",
                    *varied,
                    "Verdict",
                ),
                rows=[_comparison_row(one, varied) for one in found.comparisons],
                caption="Background as it is, compared with the expectation",
                words=frozenset({4 + len(varied)}),
            )
        )
    blocks += [
        Note(
            text=f"Without a signal, {visible(one.title)} gives 3 sigma (global) all the same.",
            tone="warn",
        )
        for one in found.comparisons
        if one.is_claimed
    ]
    return blocks


def _comparison_row(one: Comparison, varied: list[str]) -> list[str]:
    p_values = [one.global_p, *(one.varied_p[name] for name in varied)]
    return [
        visible(one.title),
        f"{one.n_observed:,}",
        f"{one.expected:,.0f}",
        *(f"{p:.2g}" for p in p_values),
        one.verdict,
    ]
