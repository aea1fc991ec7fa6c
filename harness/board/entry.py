"""A score card on a board, and what of it says which cards may be compared."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from harness.card.records import (
    NotMeasured,
    Physics,
    ScoreCard,
    ScoredChallenge,
    UnreachedWorkingPoint,
    WorkingPoint,
)
from harness.challenge import Challenge


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A card and the name that it is listed under: ``<team>/<file name without its ending>``."""

    key: str
    card: ScoreCard


def is_same_scoring(first: ScoreCard, second: ScoreCard) -> bool:
    """Tell whether two cards are of one scoring: a whole card and its public part are."""
    return _scoring(first) == _scoring(second)


def _scoring(card: ScoreCard) -> tuple[object, ...]:
    said = card.submission
    return card.challenge.name, said.team, said.digest, card.created_at, card.scorer_version


def fpr_text(value: float) -> str:
    """Write a false positive rate as a power of ten.

    Examples
    --------
    >>> fpr_text(1e-5), fpr_text(3e-4), fpr_text(2.5e-5)
    ('1e-5', '3e-4', '2.5e-5')
    """
    mantissa, exponent = f"{value:.5e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def fits(card: ScoreCard, rules: Challenge) -> bool:
    """Tell whether a card was made with the data, split and seed that a manifest names.

    At which working point is another question: every card has several, and one counts.
    """
    scored = card.challenge
    checksums = {file.process: file.checksum for file in rules.files if file.checksum}
    return (scored.name, scored.version, scored.split_key, scored.seed) == (
        *(rules.name, rules.version, rules.split.key, rules.seed),
    ) and all(file.checksum == checksums.get(file.process, file.checksum) for file in scored.files)


def may_be_paired(first: ScoreCard, second: ScoreCard) -> bool:
    """Tell whether the replicates of two cards weigh the same events at the same rate."""
    one, other = first.challenge, second.challenge
    return data_digest(one) == data_digest(other) and one.working_point == other.working_point


def data_digest(challenge: ScoredChallenge) -> str:
    """Digest what must be equal for two cards to be of the same events: data, split and seed.

    Hidden signals are left out: they change no figure of the others.
    """
    files = sorted(
        (file.process, file.checksum) for file in challenge.files if file.role != "hidden"
    )
    facts = [
        challenge.name,
        challenge.version,
        challenge.seed,
        challenge.split_key,
        challenge.split_fractions,
        files,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def signals_of(card: ScoreCard) -> tuple[str, ...]:
    """Names of the signals that a card speaks of, in the order of its files."""
    named = tuple(
        file.process for file in card.challenge.files if file.role in {"signal", "hidden"}
    )
    if named:
        return named
    physics = shown_physics(card)
    return () if physics is None else tuple(physics.auc)


def shown_physics(card: ScoreCard) -> Physics | None:
    """Return the firmware's physics, or the float network's where there is no firmware."""
    for physics in (card.firmware_physics, card.float_physics):
        if not isinstance(physics, NotMeasured):
            return physics
    return None


def point_at(physics: Physics | None, fpr: float) -> WorkingPoint | NotMeasured:
    """Return the working point at `fpr`, or why there is none."""
    if physics is None:
        return NotMeasured(not_measured="no scores")
    try:
        point = physics.at(fpr)
    except KeyError:
        return NotMeasured(not_measured=f"no working point at FPR {fpr_text(fpr)}")
    if isinstance(point, UnreachedWorkingPoint):
        return NotMeasured(not_measured=point.not_measured)
    return point
