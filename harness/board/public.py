"""What the public may see of a card: all but the hidden signals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

from harness.card.records import (
    Accepted,
    Distribution,
    Firmware,
    NotMeasured,
    Physics,
    ScoreCard,
    ScoredChallenge,
    TriggerCuts,
    WorkingPoint,
)
from harness.challenge import RankingRules

T = TypeVar("T")
_WITHHELD = "withheld until the organiser opens the hidden signals"


def hidden_signals(challenge: ScoredChallenge) -> frozenset[str]:
    """Names of the processes whose figures only the organiser may see."""
    return frozenset(file.process for file in challenge.files if file.role == "hidden")


def public_part(card: ScoreCard, revealed: Collection[str] = ()) -> ScoreCard:
    """Return `card` without any figure or text that tells of a hidden signal.

    Parameters
    ----------
    revealed : collection of str
        Hidden signals that the organiser has opened: they are shown.
    """
    hidden = hidden_signals(card.challenge) - frozenset(revealed)
    if not hidden:
        return card
    secrets = hidden | {file.title for file in card.challenge.files if file.process in hidden}
    secrets |= {file.name for file in card.challenge.files if file.process in hidden}
    return card.model_copy(
        update={
            "challenge": _challenge(card.challenge, hidden),
            "float_physics": _physics(card.float_physics, hidden),
            "firmware_physics": _physics(card.firmware_physics, hidden),
            "firmware": _firmware(card.firmware, hidden, secrets),
            "accepted": _accepted(card.accepted, hidden),
            "cuts": _cuts(card.cuts, hidden),
            "warnings": _texts(card.warnings, secrets),
            "unofficial_because": _texts(card.unofficial_because, secrets),
            "checks": card.checks
            if isinstance(card.checks, NotMeasured)
            else tuple(
                check.model_copy(update={"detail": _text(check.detail, secrets)})
                for check in card.checks
            ),
        }
    )


def public_rules(rules: RankingRules, hidden: Collection[str]) -> RankingRules:
    """Return rules that weigh no hidden signal, nor name one."""
    kept: RankingRules = rules.model_copy(
        update={"signal_weights": _without(rules.signal_weights, hidden)}
    )
    return kept


def _without(values: Mapping[str, T], hidden: Collection[str]) -> dict[str, T]:
    return {name: value for name, value in values.items() if name not in hidden}


def _text(text: str, secrets: Collection[str]) -> str:
    return _WITHHELD if any(secret and secret in text for secret in secrets) else text


def _texts(texts: tuple[str, ...], secrets: Collection[str]) -> tuple[str, ...]:
    return tuple(_text(text, secrets) for text in texts)


def _challenge(challenge: ScoredChallenge, hidden: Collection[str]) -> ScoredChallenge:
    rules = public_rules(challenge.ranking, hidden)
    files = tuple(file for file in challenge.files if file.process not in hidden)
    return challenge.model_copy(update={"files": files, "ranking": rules})


def _physics(physics: Physics | NotMeasured, hidden: Collection[str]) -> Physics | NotMeasured:
    if isinstance(physics, NotMeasured):
        return physics
    scores = physics.scores
    if scores is not None:
        scores = scores.model_copy(update={"counts": _without(scores.counts, hidden)})
    return physics.model_copy(
        update={
            "auc": _without(physics.auc, hidden),
            "working_points": tuple(_point(point, hidden) for point in physics.working_points),
            "replicates": _without(physics.replicates, hidden),
            "roc": _without(physics.roc, hidden),
            "scores": scores,
        }
    )


def _point(point: T, hidden: Collection[str]) -> T:
    if isinstance(point, WorkingPoint):
        return point.model_copy(update={"rates": _without(point.rates, hidden)})
    return point


def _firmware(
    firmware: Firmware | NotMeasured, hidden: Collection[str], secrets: Collection[str]
) -> Firmware | NotMeasured:
    if isinstance(firmware, NotMeasured):
        return firmware
    return firmware.model_copy(
        update={
            "overflow": _without(firmware.overflow, hidden),
            "notes": _texts(firmware.notes, secrets),
        }
    )


def _distributions(
    distributions: tuple[Distribution, ...], hidden: Collection[str]
) -> tuple[Distribution, ...]:
    return tuple(
        one.model_copy(update={"counts": _without(one.counts, hidden)}) for one in distributions
    )


def _accepted(accepted: Accepted | NotMeasured, hidden: Collection[str]) -> Accepted | NotMeasured:
    if isinstance(accepted, NotMeasured):
        return accepted
    return accepted.model_copy(
        update={
            "passing": _distributions(accepted.passing, hidden),
            "every": _distributions(accepted.every, hidden),
        }
    )


def _cuts(cuts: TriggerCuts | NotMeasured, hidden: Collection[str]) -> TriggerCuts | NotMeasured:
    if isinstance(cuts, NotMeasured):
        return cuts
    return cuts.model_copy(
        update={"point": _point(cuts.point, hidden), "gain": _without(cuts.gain, hidden)}
    )
