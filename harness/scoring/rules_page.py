"""The rules of a challenge as a page for the teams, made from its manifest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from harness.card.text import markdown_text
from harness.challenge import (
    AGGREGATE_TITLES,
    LEARNING_TITLES,
    RESOURCE_TITLES,
    Challenge,
    CpuTarget,
    NoTarget,
    StatedTarget,
    Target,
    TprAtFpr,
    point_text,
)
from harness.scoring.readiness import check_challenge

_MADE = "<!-- Made from data_manifest.yaml by `harness data rules`: change it there. -->"
_INTRODUCTION = (
    "What is checked, and what your code may do, is in `docs/rules.md` of harness. Here is what "
    "this contest decides itself."
)


def rules_page(
    challenge: Challenge, cache: Path | None = None, *, now: datetime | None = None
) -> str:
    """Write the rules that a manifest states, as Markdown.

    Parameters
    ----------
    cache : Path, optional
        Where the number of events is looked up that the manifest does not say.
    """
    parts = [
        f"# Rules of {markdown_text(challenge.title)}",
        _MADE,
        _INTRODUCTION,
        *_section("Events", _events(challenge)),
        *_section("What is ranked", _ranked(challenge, cache, now)),
        *_section("Who is ranked", _limits(challenge)),
        *_section("How to take part", _intake(challenge)),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, lines: Iterator[str]) -> tuple[str, str]:
    return f"## {title}", "\n".join(f"- {line}" for line in lines)


def _events(challenge: Challenge) -> Iterator[str]:
    layout = challenge.layout
    n_objects, n_features = layout.shape
    groups = ", ".join(f"{group.n_slots} × {group.name}" for group in layout.objects)
    yield (
        f"An event has the shape ({n_objects}, {n_features}): {groups}, each with "
        f"{', '.join(layout.features)}."
    )
    if challenge.synthetic:
        yield "The events are synthetic: no result on them predicts one on real data."
    signals = [file for file in challenge.files if file.process in challenge.signals]
    named = [markdown_text(file.title) for file in signals if file.role == "signal"]
    yield f"Signals: {', '.join(named) or 'none is known before the end'}."
    n_hidden = sum(file.role == "hidden" for file in signals)
    if n_hidden:
        yield f"{n_hidden} more are hidden until the contest is opened; they count then, too."
    if challenge.split.kind == "hashed":
        parts = challenge.split
        yield (
            f"Background: {100 * parts.train:g} % to train on, {100 * parts.validation:g} % to "
            f"validate, {100 * parts.test:g} % to test. `harness.data.training_events"
            f'("{challenge.name}")` gives the first.'
        )


def _ranked(challenge: Challenge, cache: Path | None, now: datetime | None) -> Iterator[str]:
    rules, merit = challenge.ranking, challenge.merit or TprAtFpr(fpr=challenge.working_point)
    combined = AGGREGATE_TITLES[rules.combines_by].lower()
    over = f"{combined} over the signals of the " if combined else ""
    better = "smaller" if merit.smaller_is_better else "larger"
    yield f"The {over}{merit.describe()}; {better} is better."
    if rules.signal_weights:
        hidden = set(challenge.processes("hidden"))
        told = (f"{name} {w:g}" for name, w in rules.signal_weights.items() if name not in hidden)
        yield f"Weights: {', '.join(told)}; other signals do not count."
    for cut in check_challenge(challenge, cache, now=now).cuts:
        if cut.is_ranked and cut.n_allowed is not None and merit.at_working_point:
            yield (
                f"About {cut.n_allowed:,} background events of the test part may pass at "
                f"{point_text(challenge.merit, cut.fpr)}."
            )
    yield "Equal entries are ordered by mean AUC, latency and LUT" + (
        "; then the one that was received first is first."
        if rules.tie_break == "received"
        else "; then they share the rank."
    )
    yield "Your latest entry before the deadline counts, never your best."
    yield f"Deadline: {rules.deadline or 'the organiser says it on the day'}."


def _limits(challenge: Challenge) -> Iterator[str]:
    gate = next(target for target in challenge.targets if target.gate)
    yield f"An entry must keep: {_limits_of(gate)}."
    for other in challenge.other_targets:
        limits = StatedTarget(name=other.name, limits=other.limits)
        yield f"It is compared with this, too, which decides no rank: {_limits_of(limits)}."
    rules = challenge.ranking
    if isinstance(gate.limits, Target):
        yield "Ranked are networks of the trigger division, by the scores of their firmware."
        if rules.require_second_translator:
            yield "hls4ml must have checked the scores, too."
        taken = "count" if rules.accept_handed_in else "do not count"
        yield f"Figures of a vendor's tools that a team hands in {taken}."
    yield f"Learning: {', '.join(LEARNING_TITLES[one] for one in rules.learning)}."
    if rules.reference_methods:
        yield f"References, shown without a rank: {', '.join(rules.reference_methods)}."


def _limits_of(target: StatedTarget) -> str:
    limits = target.limits
    if isinstance(limits, NoTarget):
        return "no limit"
    if isinstance(limits, CpuTarget):
        time, memory = limits.max_time_ms, limits.max_memory_mb
        told = [f"{time:g} ms of one event" if time else "", f"{memory:g} MiB" if memory else ""]
        return ", ".join(filter(None, told)) or "a processor, without a limit"
    budget = limits.budget.model_dump()
    uses = [f"{n:,} {RESOURCE_TITLES[name]}" for name, n in budget.items() if n is not None]
    return ", ".join(
        [
            f"{limits.part} with a clock of {limits.clock_period_ns:g} ns",
            f"latency at most {limits.max_latency_ns:g} ns",
            f"initiation interval at most {limits.max_interval_ns:g} ns",
            *uses,
        ]
    )


def _intake(challenge: Challenge) -> Iterator[str]:
    rules = challenge.intake
    yield "`harness new my_team` writes a skeleton: `submissions/my_team`."
    if rules.ownership == "owners":
        yield "Only accounts that `owners` in its submission.yaml names may change a folder."
    else:
        yield "Anyone may change a folder."
    yield f"One pull request or branch changes at most {rules.max_submissions} submissions."
    yield (
        f"On private data a team is scored {rules.max_private_per_day} times a day; the next day "
        "(UTC) what waits is scored."
    )
