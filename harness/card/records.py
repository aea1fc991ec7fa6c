"""The score card: the one immutable record of a scoring, and all that it holds.

A card is read by the leaderboard, the ranking and the pull-request comment, so every figure
carries what is needed to judge it: an interval, an evidence, or the reason why it is missing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from harness.card.accepted import Accepted, TriggerCuts
from harness.card.checks import Check
from harness.card.costs import Cost, ProcessorUse
from harness.card.figures import Interval, NotMeasured, Text
from harness.card.hardware import Artefact, ComparedScores, Figure, Firmware, FixedWidths
from harness.card.html import table_html
from harness.card.images import Reconstruction
from harness.card.physics import Physics, WorkingPoint
from harness.card.run import (
    Digest,
    Environment,
    IsolationRecord,
    ScoredChallenge,
    StepUsage,
    Submitted,
)
from harness.card.stress import Stress
from harness.challenge import Name, Utc, Value, instant, point_text

SCHEMA_VERSION = 1


# Raised whenever the same scores would give other figures; only cards of one version are ranked
# together.
SCORER_VERSION = 1


def _edges(interval: Interval) -> str:
    return f"[{interval.lower:.3g}, {interval.upper:.3g}]"


class ScoreCard(Value):
    """The record of one scoring.

    Attributes
    ----------
    scorer_version : int
        Cards of different scorer versions are never ranked together.
    sequence : int or None
        Counts the cards of a challenge in the order in which one folder of results got them; of two
        cards there, that of the higher number is the later, whatever the clock said. Cards of
        earlier harnesses have none.
    is_official : bool
        Whether the whole data set was scored in isolation with every stage that the division
        asks for; why not is in `unofficial_because`.
    """

    schema_version: Literal[1] = 1
    scorer_version: int = SCORER_VERSION
    created: Utc
    sequence: Annotated[int, Field(ge=1, le=2**53)] | None = None
    is_official: bool
    unofficial_because: tuple[Text, ...] = ()
    submission: Submitted
    challenge: ScoredChallenge
    model_digest: Digest | NotMeasured
    float_physics: Physics | NotMeasured
    firmware_physics: Physics | NotMeasured
    cost: Cost | NotMeasured
    firmware: Firmware | NotMeasured
    checks: tuple[Check, ...] | NotMeasured
    isolation: IsolationRecord
    usage: dict[Name, StepUsage]
    environment: Environment
    scores: Artefact | NotMeasured
    accepted: Accepted | NotMeasured = NotMeasured(not_measured="not recorded by this scoring")
    cuts: TriggerCuts | NotMeasured = NotMeasured(not_measured="not recorded by this scoring")
    stress: Stress | NotMeasured = NotMeasured(not_measured="not recorded by this scoring")
    processor: ProcessorUse | NotMeasured | None = Field(
        default=None, exclude_if=lambda found: found is None
    )
    reconstruction: Reconstruction | None = Field(default=None, exclude_if=lambda one: one is None)
    precision: FixedWidths | None = Field(default=None, exclude_if=lambda one: one is None)
    rounded_physics: Physics | None = Field(default=None, exclude_if=lambda one: one is None)
    unrounded_physics: Physics | None = Field(default=None, exclude_if=lambda one: one is None)
    compared: ComparedScores | NotMeasured = NotMeasured(
        not_measured="not recorded by this scoring"
    )
    warnings: tuple[Text, ...] = ()

    def __repr__(self) -> str:
        """Say in a line whose card this is: its fields hold thousands of numbers."""
        kind = "official" if self.is_official else "unofficial"
        return (
            f"<ScoreCard of {self.submission.team} on {self.challenge.name}, {kind}, "
            f"{self.created}; `harness show FILE` prints it>"
        )

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """Show the figures that count in a notebook; text of the team is made harmless."""
        shown = [self.firmware_physics, self.float_physics]
        physics = next((one for one in shown if isinstance(one, Physics)), None)
        said, about = self.submission, self.challenge
        header, rows, notes = ["signal", "AUC"], [], [f"{said.division} division, {self.created}"]
        if not self.is_official:
            notes.append("unofficial: " + "; ".join(self.unofficial_because))
        if physics is not None:
            points = [one for one in physics.working_points if isinstance(one, WorkingPoint)]
            header += [f"TPR at {point_text(about.merit, point.fpr)}" for point in points]
            for name, auc in physics.auc.items():
                rates = [point.rates[name] for point in points]
                cells = [f"{one.tpr:.3g} {_edges(one.interval)}" for one in rates]
                rows.append([name, f"{auc.value:.4f} {_edges(auc.interval)}", *cells])
            notes.append(f"scores: {physics.arithmetic}; 95 % intervals")
        if isinstance(self.firmware, Firmware):
            figures = {"latency [ns]": self.firmware.latency_ns, "LUT": self.firmware.lut}
            found = [f"{k} {v.value:,.6g}" for k, v in figures.items() if isinstance(v, Figure)]
            notes.append(", ".join(found))
        return table_html(f"{said.team}: {said.title} ({about.title})", header, rows, notes=notes)

    @property
    def created_at(self) -> datetime:
        """The instant of `created`."""
        return instant(self.created)

    @property
    def order(self) -> tuple[int, datetime]:
        """What says which of two cards is the later: the counter, then the clock."""
        return self.sequence or 0, self.created_at

    @property
    def received_at(self) -> datetime:
        """When it was handed in, which counts for the deadline; else when it was scored."""
        return instant(self.submission.received or self.created)
