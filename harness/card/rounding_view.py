"""What rounding a network costs its physics, and the words, in a terminal."""

from __future__ import annotations

from rich.console import RenderableType

from harness.card.figures import NotMeasured
from harness.card.hardware import FixedWidths
from harness.card.physics import Physics, WorkingPoint
from harness.card.records import ScoreCard
from harness.card.run import ScoredChallenge
from harness.card.terminal import DASH, interval_text, rate_text, table
from harness.challenge import input_rate_khz, point_text


def rounding_view(card: ScoreCard) -> list[RenderableType]:
    """Draw the words of a rounded network and its figures before and after; else nothing."""
    if card.precision is None and card.unrounded_physics is None:
        return []
    parts: list[RenderableType] = [] if card.precision is None else [_words(card.precision)]
    before, after, where = _before_and_after(card)
    if isinstance(before, Physics) and isinstance(after, Physics):
        parts.append(_figures(before, after, where, card.challenge))
    return parts


def _before_and_after(card: ScoreCard) -> tuple[Physics | NotMeasured, Physics | NotMeasured, str]:
    """Return the figures of the float network, of the rounded one, and where that computes."""
    if card.unrounded_physics is not None:
        has_firmware = isinstance(card.firmware_physics, Physics)
        after = card.firmware_physics if has_firmware else card.float_physics
        return card.unrounded_physics, after, "its firmware" if has_firmware else "in Keras"
    if card.rounded_physics is not None:
        return card.float_physics, card.rounded_physics, "in Keras"
    return card.float_physics, card.firmware_physics, "its firmware"


def _words(widths: FixedWidths) -> RenderableType:
    whose = "chosen by the ranges of training events" if widths.is_chosen else "as declared"
    rows = [
        ("input", "", ", ".join(widths.input)),
        *(
            (name, words.get("weights", ""), words.get("activations", ""))
            for name, words in widths.layers.items()
        ),
        ("every other layer", widths.weights, widths.activations),
    ]
    return table(f"fixed-point words, {whose}", ("layer", "weights", "activations"), rows)


def _figures(
    before: Physics, after: Physics, rounded: str, challenge: ScoredChallenge
) -> RenderableType:
    """Draw AUC and TPR of each signal, of the float network and of the rounded one."""
    fpr = _common_rate(before, after, challenge.working_point)
    is_rate = input_rate_khz(challenge.merit) is not None
    rates = f"TPR at {point_text(challenge.merit, fpr) if is_rate else f'FPR {fpr:.0e}'}"
    rows = [
        (
            signal,
            *(_auc(physics, signal) for physics in (before, after)),
            *(_rate(physics, signal, fpr) for physics in (before, after)),
        )
        for signal in before.auc
    ]
    return table(
        f"what rounding costs: the float network, and the rounded one ({rounded})",
        ("signal", "AUC float", "AUC rounded", f"{rates} float", "rounded"),
        rows,
        caption="95 % intervals, each of one figure: both columns are of the same events",
    )


def _common_rate(before: Physics, after: Physics, working_point: float) -> float:
    """Return the working point, or where few events may pass there the next rate above it."""
    rates = sorted(
        point.fpr
        for point in before.working_points
        if _measured(before, point.fpr) and _measured(after, point.fpr)
    )
    return next((fpr for fpr in rates if fpr >= working_point), working_point)


def _measured(physics: Physics, fpr: float) -> WorkingPoint | None:
    point = physics.at(fpr)
    return point if isinstance(point, WorkingPoint) and not point.is_low_statistics else None


def _auc(physics: Physics, signal: str) -> str:
    auc = physics.auc[signal]
    return f"{auc.value:.4f}\n[{auc.interval.lower:.4f}, {auc.interval.upper:.4f}]"


def _rate(physics: Physics, signal: str, fpr: float) -> str:
    point = _measured(physics, fpr)
    if point is None:
        return DASH
    rate = point.rates[signal]
    return f"{rate_text(rate.tpr)}\n{interval_text(rate.interval)}"
