"""A score card on a board, and what of it says which cards may be compared."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from harness.board.reach import Reach
from harness.card.consistency import n_replicates
from harness.card.figures import NotMeasured, UnreachedWorkingPoint
from harness.card.physics import Physics, WorkingPoint
from harness.card.records import ScoreCard
from harness.card.run import ScoredChallenge
from harness.challenge import AnyTarget, Challenge, Target, digest_of_key, fpr_text


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A card and the name that it is listed under: ``<team>/<file name without its ending>``.

    Attributes
    ----------
    reach : Reach or None
        How many events of a signal its firmware needs for 3 sigma, where it was measured.
    """

    key: str
    card: ScoreCard
    reach: Reach | None = None


def is_same_scoring(first: ScoreCard, second: ScoreCard) -> bool:
    """Tell whether two cards are of one scoring: a whole card and its public part are."""
    return _scoring(first) == _scoring(second)


def _scoring(card: ScoreCard) -> tuple[object, ...]:
    said = card.submission
    return card.challenge.name, said.team, said.digest, card.created_at, card.scorer_version


def fits(card: ScoreCard, rules: Challenge) -> bool:
    """Tell whether a card was made with the data, split and seed that a manifest names.

    At which working point is another question: every card has several, and one counts.
    """
    scored = card.challenge
    checksums = {file.process: file.checksum for file in rules.files if file.checksum}
    found = (scored.name, scored.version, digest_of_key(scored.split_key), scored.seed)
    wanted = (rules.name, rules.version, rules.split.key_digest, rules.seed)
    return found == wanted and all(
        file.checksum == checksums.get(file.process, file.checksum) for file in scored.files
    )


def may_be_paired(first: ScoreCard, second: ScoreCard) -> bool:
    """Tell whether the replicates of two cards weigh the same events at the same rate."""
    one, other = first.challenge, second.challenge
    points = (one.working_point, one.merit), (other.working_point, other.merit)
    is_same = data_digest(one) == data_digest(other) and points[0] == points[1]
    return is_same and len(n_replicates(first) | n_replicates(second)) <= 1


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
        digest_of_key(challenge.split_key),
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


def counted_physics(card: ScoreCard, target: AnyTarget) -> Physics | NotMeasured:
    """Return the physics that a target ranks: an FPGA the firmware's, others the scores' own."""
    return card.firmware_physics if isinstance(target, Target) else card.float_physics


def shown_on(card: ScoreCard, target: AnyTarget) -> Physics | None:
    """Return the physics that a board of a target shows: of an FPGA as `shown_physics`."""
    if isinstance(target, Target):
        return shown_physics(card)
    physics = card.float_physics
    return None if isinstance(physics, NotMeasured) else physics


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
