"""What the public may see of a card: all but the hidden signals."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar, cast

from pydantic import BaseModel

from harness.card.records import ScoreCard
from harness.card.run import ScoredChallenge
from harness.challenge import Challenge, MassObservable, RankingRules, digest_of_key

T = TypeVar("T")
_WITHHELD = "withheld until the organiser opens the hidden signals"
# Fields, at any depth of a card, with sentences of the scorer. They may name a signal.
_SENTENCES = frozenset({"warnings", "unofficial_because", "notes", "detail", "not_measured"})


def hidden_signals(challenge: ScoredChallenge) -> frozenset[str]:
    """Names of the processes whose figures only the organiser may see."""
    return frozenset(file.process for file in challenge.files if file.role == "hidden")


def public_part(card: ScoreCard, revealed: Collection[str] = ()) -> ScoreCard:
    """Return `card` without any figure or sentence about a hidden signal, nor the split's key.

    Figures are found by their key, in every mapping of the card, so that a new field is public
    only without the hidden signals.

    Parameters
    ----------
    revealed : collection of str
        Hidden signals that the organiser has opened: they are shown.
    """
    hidden = hidden_signals(card.challenge) - frozenset(revealed)
    key = digest_of_key(card.challenge.split_key)
    challenge = card.challenge.model_copy(update={"split_key": key})
    if not hidden:
        is_same = key == card.challenge.split_key
        return card if is_same else card.model_copy(update={"challenge": challenge})
    files = [file for file in card.challenge.files if file.process in hidden]
    words = hidden | {file.title for file in files} | {file.name for file in files}
    shown = tuple(file for file in card.challenge.files if file not in files)
    challenge = challenge.model_copy(update={"files": shown})
    return _without(card.model_copy(update={"challenge": challenge}), hidden, words - {""})


def public_rules(rules: RankingRules, hidden: Collection[str]) -> RankingRules:
    """Return rules that weigh no hidden signal, nor name one."""
    return _without(rules, frozenset(hidden), frozenset())


def without_signals(record: T, hidden: frozenset[str]) -> T:
    """Return what was measured beside a card without figures of these signals."""
    return _without(record, hidden, frozenset()) if hidden else record


def public_challenge(challenge: Challenge) -> Challenge:
    """Return a challenge without its hidden signals, for whoever scores public events alone."""
    hidden = {file.process for file in challenge.files if file.role == "hidden"}
    shown = tuple(file for file in challenge.files if file.process not in hidden)
    rules = public_rules(challenge.ranking, hidden)
    mass = None if challenge.mass is None else _public_mass(challenge.mass, hidden)
    return challenge.model_copy(update={"files": shown, "ranking": rules, "mass": mass})


def _public_mass(mass: MassObservable, hidden: Collection[str]) -> MassObservable:
    """Return a mass in whose spectrum no hidden signal is injected."""
    shown = _without(mass, frozenset(hidden), frozenset())
    is_empty = shown.hunt is not None and not shown.hunt.injected
    return shown.model_copy(update={"hunt": None}) if is_empty else shown


def _without(
    value: T, hidden: frozenset[str], words: frozenset[str], *, is_text: bool = False
) -> T:
    """Drop what a hidden signal is the key of, and replace sentences with one of `words`."""
    shown: object = value
    match value:
        case BaseModel():
            fields = {
                name: _without(getattr(value, name), hidden, words, is_text=name in _SENTENCES)
                for name in type(value).model_fields
            }
            shown = value.model_copy(update=fields)
        case dict():
            kept = {key: one for key, one in value.items() if key not in hidden}
            shown = {key: _without(one, hidden, words) for key, one in kept.items()}
        case tuple() if value and not isinstance(value[0], int | float):
            shown = tuple(_without(one, hidden, words, is_text=is_text) for one in value)
        case str() if is_text and any(word in value for word in words):
            shown = _WITHHELD
    return cast("T", shown)
