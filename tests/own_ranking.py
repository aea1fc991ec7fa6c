"""A ranking computed without `harness.board`: from the JSON of cards and of the decisions alone.

It is slow and simple, and knows the rules that docs/rules.md and docs/organise.md tell. It takes
for granted what the cards of `tests.cards` have: a division, isolation, and firmware within limits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

Ranks = dict[str, int | None]
Json = Mapping[str, Any]


def own_ranking(
    results: Path, challenge: str, *, working_point: float, signals: Sequence[str]
) -> Ranks:
    """Rank the teams of a folder of results; equal ones by the time of their receipt."""
    place = results / challenge
    written = place / "decisions.json"
    decisions = json.loads(written.read_text())["decisions"] if written.exists() else []
    cards = {f"{path.parent.name}/{path.stem}": _read(path) for path in place.glob("*/*.json")}
    retracted, deadline = _retracted(cards, decisions), _deadline(decisions)
    scorer_version = max((card["scorer_version"] for card in cards.values()), default=0)
    teams: dict[str, list[tuple[tuple[Any, ...], Json]]] = {}
    ranks: Ranks = {}
    for key, card in cards.items():
        name = _present_name(card, decisions)
        is_late = deadline is not None and _received(card) > deadline
        is_valid = not (is_late or key in retracted or _is_out(name, card, decisions))
        is_of_point = card["challenge"]["working_point"] == working_point
        is_of_scorer = card["scorer_version"] == scorer_version
        is_comparable = is_valid and is_of_point and is_of_scorer
        order = (is_comparable, is_valid, _received(card), _time(card["created"]))
        teams.setdefault(name, []).append((order, card))
    merits = {}
    for name, found in teams.items():
        ranks[name] = None
        order, card = max(found, key=lambda one: one[0])
        if order[0]:
            merits[name] = _key(card, working_point, signals)
    for name, key in merits.items():
        ranks[name] = 1 + sum(other < key for other in merits.values())
    return ranks


def _read(path: Path) -> Json:
    card: Json = json.loads(path.read_text(encoding="utf-8"))
    return card


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _received(card: Json) -> datetime:
    return _time(card["submission"]["received"] or card["created"])


def _files(card: Json) -> tuple[str, str]:
    return card["submission"]["team"], card["submission"]["digest"]


def _deadline(decisions: Iterable[Json]) -> datetime | None:
    made = [one for one in decisions if one["kind"] in {"freeze", "thaw"}]
    return _time(made[-1]["deadline"]) if made and made[-1]["kind"] == "freeze" else None


def _retracted(cards: Mapping[str, Json], decisions: Iterable[Json]) -> set[str]:
    found: set[tuple[str, str]] = set()
    for one in decisions:
        if one["kind"] == "retract":
            found.add(_files(cards[one["card"]]))
        if one["kind"] == "reinstate":
            found.discard(_files(cards[one["card"]]))
    return {key for key, card in cards.items() if _files(card) in found}


def _present_name(card: Json, decisions: Iterable[Json]) -> str:
    name: str = card["submission"]["team"]
    for one in decisions:
        if (
            one["kind"] == "rename"
            and one["team"] == name
            and _received(card) <= _time(one["decided"])
        ):
            name = one["to"]
    return name


def _is_out(name: str, card: Json, decisions: Iterable[Json]) -> bool:
    """Whether the team was withdrawn and did not come back, or was disqualified."""
    names, banned, is_withdrawn = {name, card["submission"]["team"]}, set(), False
    for one in decisions:
        if one["kind"] in {"withdraw", "readmit"} and one["team"] in names:
            is_withdrawn = one["kind"] == "withdraw"
        if one["kind"] == "disqualify":
            banned.add(one["team"])
        if one["kind"] == "rename" and one["team"] in banned:
            banned.add(one["to"])
    return is_withdrawn or name in banned


def _key(card: Json, working_point: float, signals: Sequence[str]) -> tuple[Any, ...]:
    """The geometric mean of the TPRs, mean AUC, latency, LUT and receipt; the least is the best."""
    physics, firmware = card["firmware_physics"], card["firmware"]
    (point,) = (one for one in physics["working_points"] if one["fpr"] == working_point)
    rates = [max(point["rates"][name]["tpr"], working_point) for name in signals]
    merit = math.prod(rates) ** (1 / len(rates))
    auc = sum(physics["auc"][name]["value"] for name in signals) / len(signals)
    cost = firmware["latency_ns"]["value"], firmware["lut"]["value"]
    return -round(merit, 10), -round(auc, 10), *cost, _received(card)
