"""What a firmware backend is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.card.records import Firmware, NotMeasured
from harness.challenge import Target
from harness.firmware.delays import ROUTING_SHARE
from harness.sandbox.step import GIB, Limits, RunStep, Usage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.submission.declaration import Precision

__all__ = ["Backend", "Built", "FirmwareRequest", "FirmwareResult", "Settings"]


def _no_progress(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How much is spent on a network's firmware; all are settings of the organiser.

    Attributes
    ----------
    n_workers : int
        Steps that run side by side.
    n_threads : int
        Threads of the interpreter, and processes of the C simulation.
    n_witness_events : int
        Real events that Keras and the simulated Verilog are compared on, tails among them.
    n_csim_events : int
        Real events that hls4ml's C simulation is compared on, those above among them.
    max_attempts : int
        Syntheses, each with a deeper pipeline, until the target's clock is met.
    max_lut : int
        A network that da4ml's cost model puts above this many LUTs is not synthesised.
    routing_share : float
        Share of a path that is allowed for routing.
    has_dsp : bool
        Whether multipliers of two variables may become DSP slices.
    has_hls4ml : bool
        Whether hls4ml is a witness.
    trace_wall_s, synthesis_wall_s, simulation_wall_s : float
        Time limits of single steps.
    memory_bytes, scratch_bytes : int
        Limits of each step.
    """

    n_workers: int = 2
    n_threads: int = 2
    n_witness_events: int = 20_000
    n_csim_events: int = 100_000
    max_attempts: int = 4
    max_lut: int = 300_000
    routing_share: float = ROUTING_SHARE
    has_dsp: bool = True
    has_hls4ml: bool = True
    trace_wall_s: float = 300.0
    synthesis_wall_s: float = 900.0
    simulation_wall_s: float = 900.0
    memory_bytes: int = 4 * GIB
    scratch_bytes: int = 2 * GIB

    def limits(self, wall_s: float) -> Limits:
        """Return the limits of a step that may run for `wall_s`."""
        return Limits(
            wall_s=wall_s,
            cpu_s=8 * wall_s,
            memory_bytes=self.memory_bytes,
            n_processes=512,
            scratch_bytes=self.scratch_bytes,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FirmwareRequest:
    """A network, and what its firmware is made for.

    Attributes
    ----------
    graph, weights : Path
        The exported network.
    target : Target
        Part, clock and limits of the challenge.
    events : Path or None
        float32 .npy to score; without it nothing but the design is made.
    precision : Precision or None
        Words by which a network of plain Keras layers is quantised.
    must_include : ndarray of int64 or None
        Rows of `events` that every witness must see, beside those that the backend chooses.
    run_step : RunStep
        Runs a step in a sandbox.
    folder : Path
        Empty folder for what is made.
    has_implementation : bool
        Whether a vendor backend goes on to place and route.
    """

    graph: Path
    weights: Path
    target: Target
    events: Path | None
    run_step: RunStep
    folder: Path
    precision: Precision | None = None
    must_include: NDArray[np.int64] | None = None
    settings: Settings = field(default_factory=Settings)
    has_implementation: bool = False
    progress: Callable[[str], None] = _no_progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """What a backend made.

    Attributes
    ----------
    report : Firmware or NotMeasured
        NotMeasured for a network that can't be translated, with the reason.
    scores : Path or None
        float64, the firmware's score of each event in the events' order.
    artefacts : tuple of Path
        Files to keep.
    usage : tuple of Usage
        What the steps used.
    """

    report: Firmware | NotMeasured
    scores: Path | None = None
    artefacts: tuple[Path, ...] = ()
    usage: tuple[Usage, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class FirmwareResult:
    """The firmware of a network.

    Attributes
    ----------
    report : Firmware or NotMeasured
        For the score card.
    scores : Path or None
        Raw float64: the score of each event in the events' order, exact multiples of the output's
        step; higher = more anomalous.
    artefacts : tuple of Path
        Verilog, netlist, C++ project, waveform, reports; the report lists them by digest.
    is_cached : bool
        Whether the design was found made.
    usage : tuple of Usage
        What the steps used; empty for a cached result.
    """

    report: Firmware | NotMeasured
    scores: Path | None
    artefacts: tuple[Path, ...]
    is_cached: bool = False
    usage: tuple[Usage, ...] = ()


class Backend(Protocol):
    """Makes the firmware of a network by one flow."""

    def __call__(self, request: FirmwareRequest) -> Built:
        """Make it.

        Raises
        ------
        IntegrityError
            Two witnesses disagree.
        LimitError
            A time or memory limit was reached.
        EnvironmentFaultError
            A tool is missing or failed.
        """
        ...
