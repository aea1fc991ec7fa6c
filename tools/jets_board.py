"""Print the tables of the baselines of jets and dijets, for the docs, from their newest cards.

python -m tools.jets_board             all challenges
python -m tools.jets_board CHALLENGE   one
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.card.figures import Interval, NotMeasured, UnreachedWorkingPoint
from harness.card.files import read_card
from harness.card.mass import MassFigures
from harness.card.physics import MeasuredMerit, Physics
from harness.card.records import ScoreCard
from tools.pages import ROOT, table

# The folders of each challenge's baselines begin so.
CHALLENGES = {
    "jets-toptag-sample": "jets_",
    "jets-anomaly-sample": "jets_",
    "jets-inverse-sample": "jets_",
    "lhco-sample": "lhco_",
}
# Digits of a figure of merit; none of the others.
DIGITS = {"max_sic": 2}


def newest_cards(challenge: str, results: Path = ROOT / "results") -> dict[str, ScoreCard]:
    """Return the newest card of each team; their names begin with the time."""
    folders = sorted((results / challenge).glob(f"{CHALLENGES[challenge]}*"))
    return {folder.name: read_card(max(folder.glob("*.json"))) for folder in folders}


def with_interval(value: float, limits: Interval, *, digits: int, factor: float = 1.0) -> str:
    """Write a figure, multiplied by `factor`, with its interval."""
    middle, lower, upper = (
        f"{factor * one:.{digits}f}" for one in (value, limits.lower, limits.upper)
    )
    return f"{middle} ({lower} to {upper})"


def columns(card: ScoreCard) -> Iterator[tuple[str, str]]:
    """Give the header and the text of each figure of a card."""
    physics = card.float_physics
    if not isinstance(physics, NotMeasured):
        for name, auc in physics.auc.items():
            yield f"AUC, {name}", with_interval(auc.value, auc.interval, digits=4)
        for name, share in (physics.accuracy or {}).items():
            yield f"accuracy, {name}", with_interval(share.value, share.interval, digits=4)
        if physics.merit is not None and physics.merit.merit.kind != "auc":
            yield from _merit(physics.merit)
        else:
            yield from _efficiencies(physics)
        if physics.mass is not None:
            yield from _in_window(physics.mass)
    cost = card.cost
    known = None if isinstance(cost, NotMeasured) else cost.n_parameters
    yield "parameters", "not measured" if known is None else f"{known:,}"


def _merit(merit: MeasuredMerit) -> Iterator[tuple[str, str]]:
    kind = merit.merit.kind
    for name, found in merit.signals.items():
        text = "not measured"
        if not isinstance(found, NotMeasured):
            text = with_interval(found.value, found.interval, digits=DIGITS.get(kind, 0))
        yield f"{merit.merit.describe()}, {name}", text


def _in_window(mass: MassFigures) -> Iterator[tuple[str, str]]:
    for region in mass.regions:
        if region.name != "inside":
            continue
        for name, found in region.signals.items():
            if found.auc_interval is not None and not isinstance(found.auc, NotMeasured):
                yield (
                    f"AUC in the window, {name}",
                    with_interval(found.auc, found.auc_interval, digits=4),
                )
            best = found.largest
            if not isinstance(best, NotMeasured):
                text = with_interval(best.value, best.interval, digits=2)
                yield f"max SIC in the window, {name}", text


def _efficiencies(physics: Physics) -> Iterator[tuple[str, str]]:
    for point in physics.working_points:
        if not isinstance(point, UnreachedWorkingPoint):
            for name, rate in point.rates.items():
                text = with_interval(rate.tpr, rate.interval, digits=1, factor=100)
                yield f"TPR [%] at FPR {point.fpr:g}, {name}", text


def board(cards: Mapping[str, ScoreCard]) -> str:
    """Return the table of a challenge in Markdown."""
    rows = {team: dict(columns(card)) for team, card in cards.items()}
    headers = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [(team, *(row.get(name, "") for name in headers)) for team, row in rows.items()]
    return table(("entry", *headers), lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables of the challenges that are named, or of all."""
    for challenge in (sys.argv[1:] if arguments is None else arguments) or CHALLENGES:
        cards = newest_cards(challenge)
        if cards:
            print(f"\n{challenge}\n\n{board(cards)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
