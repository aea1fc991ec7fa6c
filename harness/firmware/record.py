"""The record of a network's firmware: its figures, and how each compares with its limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from harness.card.figures import NotMeasured
from harness.card.hardware import Figure, Firmware, ScoreWord, Verdict
from harness.challenge import Evidence, Target
from harness.firmware.parts import part_of

Measured: TypeAlias = Figure | NotMeasured

RESOURCES = ("lut", "ff", "dsp", "bram18")


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """The timing of a design.

    Attributes
    ----------
    latency_cycles, interval_cycles, clock_period_ns : Figure or NotMeasured
        The worst.
    source : str
        How the latency in ns is made of them.
    crossing_ns : Figure or None
        How long one crossing of the logic takes, of a design without a register: 0 cycles.
    """

    latency_cycles: Measured
    interval_cycles: Measured
    clock_period_ns: Measured
    source: str
    crossing_ns: Figure | None = None

    @property
    def latency_ns(self) -> Measured:
        """Latency in ns; no design takes less than one crossing of its logic."""
        if self.crossing_ns is not None:
            return self.crossing_ns
        return nanoseconds(self.latency_cycles, self.clock_period_ns, self.source)

    @property
    def interval_ns(self) -> Measured:
        """Initiation interval in ns."""
        return nanoseconds(self.interval_cycles, self.clock_period_ns, self.source)


def make_record(
    target: Target,
    timing: Timing,
    resources: Mapping[str, Measured],
    *,
    backend: str,
    input_bits: int | NotMeasured,
    output_bits: int | NotMeasured,
    score_word: ScoreWord | None = None,
    notes: tuple[str, ...],
    is_handed_in: bool = False,
) -> Firmware:
    """Put the figures of a design together, with the verdict on each of them.

    Parameters
    ----------
    resources : mapping
        A figure for each of `RESOURCES`.
    """
    return Firmware(
        backend=backend,
        is_handed_in=is_handed_in,
        target=target,
        latency_cycles=timing.latency_cycles,
        interval_cycles=timing.interval_cycles,
        clock_period_ns=timing.clock_period_ns,
        latency_ns=timing.latency_ns,
        **{name: resources[name] for name in RESOURCES},
        available=part_of(target).available,
        input_bits=input_bits,
        output_bits=output_bits,
        score_word=score_word,
        verdicts=judge(target, timing, resources),
        notes=notes,
    )


def resource_figures(
    used: Mapping[str, float], evidence: Evidence, source: str
) -> dict[str, Measured]:
    """Return a figure for each of `RESOURCES`."""
    return {name: Figure(value=used[name], evidence=evidence, source=source) for name in RESOURCES}


def nanoseconds(cycles: Measured, period_ns: Measured, source: str) -> Measured:
    """Multiply cycles by a clock period; the evidence is the weaker of the two."""
    if isinstance(cycles, NotMeasured):
        return cycles
    if isinstance(period_ns, NotMeasured):
        return period_ns
    return cycles.times(period_ns, source)


def judge(target: Target, timing: Timing, resources: Mapping[str, Measured]) -> tuple[Verdict, ...]:
    """Compare each measured figure with the target's limit.

    Returns
    -------
    tuple of Verdict
        ``latency`` and ``interval`` in ns; ``lut``, ``ff``, ``dsp`` and ``bram18`` against the
        challenge's budget, or against the part's total where it has none. One whose limit lies
        within the band of the figure is undecided, and not passed. A figure that was not
        measured gets no verdict; the report says why.
    """
    return tuple(_verdicts(target, timing, resources))


def _verdicts(
    target: Target, timing: Timing, resources: Mapping[str, Measured]
) -> Iterator[Verdict]:
    part = part_of(target).available
    rows: list[tuple[str, float, Measured, str]] = [
        ("latency", target.max_latency_ns, timing.latency_ns, "ns"),
        ("interval", target.max_interval_ns, timing.interval_ns, "ns"),
    ]
    for name in RESOURCES:
        budget = getattr(target.budget, name)
        limit = part[name] if budget is None else budget
        rows.append((name, limit, resources[name], name.upper()))
    for requirement, limit, figure, unit in rows:
        if isinstance(figure, Figure):
            yield Verdict(
                requirement=requirement,
                limit=limit,
                value=figure.value,
                unit=unit,
                is_passed=figure.compare(limit) == "passed",
                is_undecided=figure.compare(limit) == "undecided",
                evidence=figure.evidence,
            )
