"""What of a challenge's manifest would spoil a contest, found before anything is scored."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

from harness.challenge import RESOURCE_TITLES, Challenge, Merit, Target, instant
from harness.data.inventory import take_inventory
from harness.data.manifest import Manifest
from harness.errors import Problem, UsageError
from harness.firmware.parts import part_of
from harness.metrics.working_point import LOW_STATISTICS, count_allowed


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedCut:
    """How many background events of the test part may pass at one rate; None: not known yet."""

    fpr: float
    n_allowed: int | None
    is_ranked: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """What a challenge will be ranked by, and what is wrong with it.

    Attributes
    ----------
    n_test : int or None
        Background events that the test part is expected to have; None where neither the manifest
        nor the cache says how many events there are.
    is_here : bool
        Whether all files are in the cache.
    part_text : str
        The FPGA with what it holds.
    """

    challenge: str
    n_test: int | None
    cuts: tuple[ExpectedCut, ...]
    signals: tuple[str, ...]
    weights: dict[str, float]
    part: str | None
    part_text: str
    deadline: str | None
    is_here: bool
    merit: Merit | None
    problems: tuple[Problem, ...]


def check_challenge(
    challenge: Challenge, cache: Path | None = None, *, now: datetime | None = None
) -> Readiness:
    """Check a challenge for what validates and still spoils a contest.

    Only its rules and the number of its events are looked at; no event is read.
    """
    manifest = Manifest(schema=1, challenges=(challenge,))
    (status,) = take_inventory(manifest, cache)
    counts = {file.name: file.n_events for file in status.files if file.role == "background"}
    n_test = _expected_test(challenge, counts)
    cuts = tuple(
        ExpectedCut(
            fpr=fpr,
            n_allowed=None if n_test is None else count_allowed(fpr, n_test),
            is_ranked=fpr == challenge.working_point,
        )
        for fpr in challenge.false_positive_rates
    )
    problems = (
        *_wrong_rules(challenge),
        *_too_few(challenge, n_test),
        *_over(challenge, now or datetime.now(UTC)),
    )
    return Readiness(
        challenge=challenge.name,
        n_test=n_test,
        cuts=cuts,
        signals=challenge.signals,
        weights=dict(challenge.ranking.signal_weights),
        part=None if challenge.fpga is None else challenge.fpga.part,
        part_text=_part_text(challenge.fpga),
        deadline=challenge.ranking.deadline,
        is_here=status.is_ready,
        merit=challenge.merit,
        problems=problems,
    )


def _part_text(target: Target | None) -> str:
    """Name a part with its family and totals; a part that is not known by its name alone."""
    if target is None:
        return "none"
    try:
        part = part_of(target)
    except UsageError:
        return target.part
    held = ", ".join(f"{part.available[name]:,} {title}" for name, title in RESOURCE_TITLES.items())
    return f"{target.part} ({part.family}): {held}"


def refuse_wrong_rules(challenge: Challenge) -> None:
    """Refuse a challenge that names what does not exist, before anything is scored.

    Raises
    ------
    UsageError
        With every such thing.
    """
    _refuse(_wrong_rules(challenge))


def refuse_unrankable(challenge: Challenge, cache: Path | None = None) -> None:
    """Refuse a challenge on which nobody could be ranked, before anything is scored.

    Raises
    ------
    UsageError
        Its rules name what does not exist, or its test part is too small for its working point.
    """
    found = check_challenge(challenge, cache)
    _refuse([*_wrong_rules(challenge), *_too_few(challenge, found.n_test)])


def cannot_be_scored(rules: Challenge) -> str:
    """Say why a challenge that teams declare cannot be scored here in public; empty if it can."""
    if secret := secret_of(rules):
        return f"{rules.name} {secret}: the organiser scores it by `--challenge {rules.name}`"
    found = check_challenge(rules)
    if not found.is_here:
        return f"the data of {rules.name} are not on this machine: run `harness fetch {rules.name}`"
    try:
        refuse_unrankable(rules)
    except UsageError as error:
        return f"nobody would be ranked: {error.problems[0]}"
    return ""


def secret_of(rules: Challenge) -> str:
    """Say what a challenge keeps secret; empty if nothing."""
    if rules.private == "until_open":
        return "shows nothing until it is opened"
    n_hidden = len(rules.processes("hidden"))
    return f"hides {n_hidden} signals" if n_hidden else ""


def _refuse(problems: Iterator[Problem] | Sequence[Problem]) -> None:
    if found := tuple(problems):
        raise UsageError(*found)


def _expected_test(challenge: Challenge, counts: Mapping[str, int | None]) -> int | None:
    of_parts = {file.name: file.part_events for file in challenge.files if file.part_events}
    if counts.keys() <= of_parts.keys():
        counts = {name: of_parts[name]["test"] for name in counts if "test" in of_parts[name]}
    elif challenge.split.kind == "published":
        parts = {file.name: file.part for file in challenge.files}
        if any(parts[name] is None for name in counts):
            return None
        counts = {name: count for name, count in counts.items() if parts[name] == "test"}
    known = [count for count in counts.values() if count is not None]
    if len(known) < len(counts):
        return None
    if challenge.split.kind == "published":
        return sum(known)
    # As a decimal number: 0.29 of 100 is 29.
    return int(sum(known) * Fraction(repr(challenge.split.test)))


def _wrong_rules(challenge: Challenge) -> Iterator[Problem]:
    if not challenge.signals:
        yield _problem(challenge, "files", "no file has the role signal or hidden")
    yield from _wrong_weights(challenge)
    yield from _wrong_targets(challenge)


def _wrong_weights(challenge: Challenge) -> Iterator[Problem]:
    known = challenge.processes("signal")
    named = [*known, *(["a hidden one"] if challenge.processes("hidden") else [])]
    for name in challenge.ranking.signal_weights:
        if name not in challenge.signals:
            close = difflib.get_close_matches(name, known, n=1)
            yield _problem(
                *(challenge, "ranking.signal_weights", f"no signal is called {name!r}"),
                expected=f"one of {', '.join(named)}",
                fix=f"did you mean {close[0]}?" if close else "",
            )


def _wrong_targets(challenge: Challenge) -> Iterator[Problem]:
    for stated in challenge.targets:
        if isinstance(stated.limits, Target):
            yield from _wrong_target(challenge, stated.limits)


def _wrong_target(challenge: Challenge, target: Target) -> Iterator[Problem]:
    try:
        part = part_of(target)
    except UsageError as error:
        found = error.problems[0]
        details = {"expected": found.expected, "fix": found.fix}
        yield _problem(challenge, "target.part", found.what, **details)
    else:
        for name, title in RESOURCE_TITLES.items():
            budget, held = getattr(target.budget, name), part.available[name]
            if budget is not None and budget > held:
                what = f"{budget:,} {title}, of which {target.part} has {held:,}"
                yield _problem(challenge, f"target.budget.{name}", what)
    limits = {"max_latency_ns": target.max_latency_ns, "max_interval_ns": target.max_interval_ns}
    for name, limit in limits.items():
        if limit < target.clock_period_ns:
            yield _problem(
                *(challenge, f"target.{name}"),
                f"{limit:g} ns is less than one clock period, so no firmware keeps it",
                expected=f"at least {target.clock_period_ns:g} ns",
            )


def _too_few(challenge: Challenge, n_test: int | None) -> Iterator[Problem]:
    if n_test is None:
        return
    point = challenge.working_point
    n_allowed = count_allowed(point, n_test)
    if n_allowed < LOW_STATISTICS:
        yield _problem(
            challenge,
            "working_point",
            f"{n_allowed} of the {n_test:,} background events that the test part is expected to "
            f"have may pass at FPR {point:g}, so nobody is ranked",
            expected=f"at least {LOW_STATISTICS}",
            fix="more background, a larger test part, or a larger working point",
        )


def _over(challenge: Challenge, now: datetime) -> Iterator[Problem]:
    deadline = challenge.ranking.deadline
    if deadline is not None and instant(deadline) <= now:
        yield _problem(
            challenge,
            "ranking.deadline",
            f"{deadline} is over: what is received now does not count",
        )


def _problem(
    challenge: Challenge, field: str, what: str, *, expected: str = "", fix: str = ""
) -> Problem:
    return Problem(what=what, where=f"{challenge.name}, {field}", expected=expected, fix=fix)
