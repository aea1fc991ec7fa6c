"""A challenge's requirements held against the figures of a network's firmware."""

from __future__ import annotations

from collections.abc import Iterator

from harness.card.records import Figure, NotMeasured, Verdict
from harness.challenge import EVIDENCE_LADDER, Evidence, Target
from harness.firmware.parts import find_part

__all__ = ["judge", "nanoseconds"]

Measured = Figure | NotMeasured


def nanoseconds(cycles: Measured, period_ns: Measured, source: str) -> Measured:
    """Multiply cycles by a clock period; the evidence is the weaker of the two."""
    if isinstance(cycles, NotMeasured):
        return cycles
    if isinstance(period_ns, NotMeasured):
        return period_ns
    evidence = min(cycles.evidence, period_ns.evidence, key=EVIDENCE_LADDER.index)
    return Figure(value=cycles.value * period_ns.value, evidence=evidence, source=source)


def judge(
    target: Target,
    *,
    latency_ns: Measured,
    interval_ns: Measured,
    lut: Measured,
    ff: Measured,
    dsp: Measured,
    bram18: Measured,
) -> tuple[Verdict, ...]:
    """Hold each measured figure against the target's limit.

    Returns
    -------
    tuple of Verdict
        ``latency`` and ``interval`` in ns; ``lut``, ``ff``, ``dsp`` and ``bram18`` where the
        challenge has a budget, and against the part's total where it has none. A figure that was
        not measured gets no verdict; the report says why.
    """
    part = find_part(target.part).available
    budget = target.budget
    rows: list[tuple[str, float, Measured, str]] = [
        ("latency", target.max_latency_ns, latency_ns, "ns"),
        ("interval", target.max_interval_ns, interval_ns, "ns"),
        ("lut", budget.lut if budget.lut is not None else part["lut"], lut, "LUT"),
        ("ff", budget.ff if budget.ff is not None else part["ff"], ff, "FF"),
        ("dsp", budget.dsp if budget.dsp is not None else part["dsp"], dsp, "DSP"),
        (
            "bram18",
            budget.bram18 if budget.bram18 is not None else part["bram18"],
            bram18,
            "BRAM18",
        ),
    ]
    return tuple(_verdicts(rows))


def _verdicts(rows: list[tuple[str, float, Measured, str]]) -> Iterator[Verdict]:
    for requirement, limit, figure, unit in rows:
        if isinstance(figure, Figure):
            evidence: Evidence = figure.evidence
            yield Verdict(
                requirement=requirement,
                limit=limit,
                value=figure.value,
                unit=unit,
                is_passed=figure.value <= limit,
                evidence=evidence,
            )
