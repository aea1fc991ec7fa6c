"""What is seen at the ports of a simulated design: latency, interval, scores, and their waveform.

The simulation holds one event until the output does not change any more, then gives a new event in
each cycle. So the latency is measured, not assumed: it is the number of clock edges from the first
new input to the first new output. Then every event's score must come out in its turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.firmware.translate.verilog import TOP

_MAX_INTERVAL = 64
_FEW_DIFFERENT = 0.25


class SimulationError(Exception):
    """The simulated Verilog does not do what its program does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waveform:
    """What was seen at the ports of the simulated design.

    Attributes
    ----------
    latency_cycles : int
        Clock edges from an input's arrival to its score, both registers counted.
    interval_cycles : int
        Cycles between two inputs.
    scores : ndarray of int64, shape (n - 1,)
        Score of each event after the held one, in units of the output's step.
    """

    latency_cycles: int
    interval_cycles: int
    scores: NDArray[np.int64]


def measure_waveform(
    trace: NDArray[np.uint64],
    expected: NDArray[np.int64],
    hold: int,
    width: int,
    *,
    is_signed: bool,
) -> Waveform:
    """Read latency, interval and scores off the output port.

    Parameters
    ----------
    trace : ndarray of uint64, shape (hold + n - 1 + drain,)
        The output port after each clock edge.
    expected : ndarray of int64, shape (n,)
        The program's score of each event, in units of the output's step; that of event 0, which
        is held for the first `hold` cycles, differs from that of event 1.
    hold : int
        Cycles for which event 0 was given.
    width : int
        Bits of the output port.
    is_signed : bool
        Whether its top bit is a sign.

    Returns
    -------
    Waveform

    Raises
    ------
    SimulationError
        The output never settles on event 0's score, or never leaves it.
    """
    values = port_values(trace, width, is_signed=is_signed)
    n_stream = len(expected) - 1
    if values[hold - 1] != expected[0]:
        raise SimulationError(
            f"the held event scores {values[hold - 1]} in the simulated Verilog after "
            f"{format_cycles(hold)}, {expected[0]} in the program"
        )
    changes = np.flatnonzero(values[hold:] != expected[0])
    if not len(changes):
        raise SimulationError(
            f"no score came out within {format_cycles(len(values) - hold)} of its event"
        )
    delay = int(changes[0])
    scores = values[hold + delay : hold + delay + n_stream]
    if len(scores) < n_stream:
        raise SimulationError(f"the first score came out only after {format_cycles(delay)}")
    return Waveform(
        latency_cycles=delay + 1, interval_cycles=_interval(scores, expected[1:]), scores=scores
    )


def format_cycles(count: int) -> str:
    """Write a number of clock cycles."""
    return f"{count} cycle{'s' * (count != 1)}"


def _interval(scores: NDArray[np.int64], expected: NDArray[np.int64]) -> int:
    """Return the smallest interval at which every score comes out right; 1 if there is none.

    Between two inputs of a slower design nearly every score is wrong. Where few are, what is wrong
    is the arithmetic.
    """
    if np.mean(scores != expected) < _FEW_DIFFERENT:
        return 1
    for interval in range(1, _MAX_INTERVAL + 1):
        if np.array_equal(scores[::interval], expected[::interval]):
            return interval
    return 1


def port_values(port: NDArray[np.uint64], width: int, *, is_signed: bool) -> NDArray[np.int64]:
    """Read the low `width` bits of a port as numbers, in two's complement if signed.

    Examples
    --------
    >>> port_values(np.array([5, 6, 7], np.uint64), 3, is_signed=True).tolist()
    [-3, -2, -1]
    """
    values = (port & np.uint64((1 << width) - 1)).astype(np.int64)
    top = np.int64(1) << np.int64(width - 1)
    return np.where(values >= top, values - 2 * top, values) if is_signed else values


def write_waveform(
    path: Path,
    words: NDArray[np.uint32],
    trace: NDArray[np.uint64],
    hold: int,
    *,
    input_bits: int,
    output_bits: int,
    latency_cycles: int,
    period_ns: float,
) -> None:
    """Write the latency measurement as a value change dump, for any waveform viewer.

    It shows the ports from four cycles before the first new event to eight after its score.
    """
    first, last = max(0, hold - 4), min(len(trace), hold + latency_cycles + 8)
    half = max(1, round(period_ns * 500))  # ps
    lines = [
        "$timescale 1ps $end",
        f"$scope module {TOP} $end",
        "$var wire 1 c clk $end",
        f"$var wire {input_bits} i model_inp $end",
        f"$var wire {output_bits} o model_out $end",
        "$upscope $end",
        "$enddefinitions $end",
    ]
    for place, cycle in enumerate(range(first, last)):
        event = min(max(0, cycle - hold + 1), len(words) - 1)
        port = sum(int(word) << (32 * index) for index, word in enumerate(words[event]))
        score = int(trace[cycle]) & ((1 << output_bits) - 1)
        lines += [f"#{2 * place * half}", "0c", f"b{port:0{input_bits}b} i"]
        lines += [f"#{(2 * place + 1) * half}", "1c", f"b{score:0{output_bits}b} o"]
    path.write_text("\n".join(lines) + "\n")
