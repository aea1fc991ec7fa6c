"""The contract of a firmware backend: what it is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, TypeVar

from pydantic import Field, JsonValue

from harness.card.figures import Band, NotMeasured
from harness.card.hardware import Firmware
from harness.challenge import Family, FirmwareChoices, Target, Value
from harness.errors import (
    EnvironmentFaultError,
    HarnessFaultError,
    IntegrityError,
    InvalidSubmissionError,
)
from harness.firmware.delays import ROUTED_SHARES, ROUTING_SHARE, logic_budget_ns, period_ns
from harness.firmware.parts import grade_of, part_of
from harness.firmware.tools import system_tools
from harness.firmware.wires import GRADE_FACTORS, ROUTED_BAND, WIRED_FAMILIES
from harness.sandbox.step import GIB, Limits, StepResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.sandbox.workspace import Workspace
    from harness.submission.declaration import Precision

Report = TypeVar("Report", bound=Value)
# Texts and sizes in what a step reports.
Text = Annotated[str, Field(max_length=2000)]
Amount = Annotated[float, Field(ge=0)]

# A step may take this much longer than the tools that it runs.
_AFTER_TOOLS_S = 60.0


class UntranslatableError(InvalidSubmissionError):
    """The network has no firmware; the message names the layer and what to use instead."""


# No participant's code runs in the steps of the firmware, so they may blame the machine, and what
# they did not expect is a fault of the harness.
FAULTS = (EnvironmentFaultError, HarnessFaultError, IntegrityError, UntranslatableError)


def _no_progress(_: str) -> None:
    """Ignore it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FirmwareSettings:
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
    latency_cycles : int or None
        A latency in place of the one that the participant chose, if any.
    has_latency_search : bool
        Whether pipelines of other depths are synthesised too, for the smallest latency in ns.
    max_lut : int
        A network that da4ml's cost model puts above this many LUTs is not synthesised.
    routing_share : float
        Share of a path that is allowed for routing in a plan, and in a family without wires.
    has_dsp : bool
        Whether multipliers of two variables may become DSP slices.
    has_hls4ml : bool
        Whether hls4ml is a witness.
    trace_wall_s, synthesis_wall_s, simulation_wall_s : float
        Time limits of single steps.
    memory_bytes, scratch_bytes : int
        Limits of each step.
    vendor_wall_s : float
        Time limit of each program of a vendor: C synthesis, place and route.
    vendor_memory_bytes : int
        Memory limit of the step that runs them.
    has_host_licence : bool
        Whether that step, and no other, has the machine's name and network for its licence.
    """

    n_workers: int = 2
    n_threads: int = 2
    n_witness_events: int = 20_000
    n_csim_events: int = 100_000
    max_attempts: int = 4
    latency_cycles: int | None = None
    has_latency_search: bool = False
    max_lut: int = 300_000
    routing_share: float = ROUTING_SHARE
    has_dsp: bool = True
    has_hls4ml: bool = True
    trace_wall_s: float = 300.0
    synthesis_wall_s: float = 900.0
    simulation_wall_s: float = 900.0
    memory_bytes: int = 4 * GIB
    scratch_bytes: int = 2 * GIB
    vendor_wall_s: float = 4 * 3600.0
    vendor_memory_bytes: int = 32 * GIB
    has_host_licence: bool = False

    def limits(self, wall_s: float, memory_bytes: int | None = None) -> Limits:
        """Return the limits of a step that may run for `wall_s`."""
        return Limits(
            wall_s=wall_s,
            cpu_s=8 * wall_s,
            memory_bytes=memory_bytes or self.memory_bytes,
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
        float32 .npy, events first; all of them are scored. Without it only the design is made.
    workspace : Workspace
        Runs every tool in a sandbox; its folder holds what is made.
    precision : Precision or None
        Words by which a network of plain Keras layers is quantised.
    choices : FirmwareChoices
        What the participant chose of the firmware.
    must_include : ndarray of int64 or None
        Rows of `events` that every witness must see, beside those that the backend chooses.
    background : ndarray of int64 or None
        Rows of `events` that are background, of which overflow is reported; None: all of them.
    network_scores : ndarray of float64 or None
        What the network itself gives for each of `events`: every witness sees the events whose
        score the firmware computes otherwise. None if the firmware is of a rounded network.
    settings : FirmwareSettings
        Limits of time, memory and effort.
    has_implementation : bool
        Whether a vendor backend goes on to place and route.
    progress : callable
        Receives one line for each piece of work that begins.
    """

    graph: Path
    weights: Path
    target: Target
    events: Path | None
    workspace: Workspace
    precision: Precision | None = None
    choices: FirmwareChoices = field(default_factory=FirmwareChoices)
    must_include: NDArray[np.int64] | None = None
    background: NDArray[np.int64] | None = None
    network_scores: NDArray[np.float64] | None = None
    settings: FirmwareSettings = field(default_factory=FirmwareSettings)
    has_implementation: bool = False
    progress: Callable[[str], None] = _no_progress

    @property
    def family(self) -> Family:
        """Family of the target's part."""
        return part_of(self.target).family

    @property
    def chosen_cycles(self) -> int | None:
        """The latency that was chosen, as the target counts it; None: what its clock needs."""
        if self.settings.latency_cycles is None:
            return self.choices.latency_cycles
        return self.settings.latency_cycles

    @property
    def chosen_stages(self) -> int | None:
        """The stages of a pipeline of that latency; None: what the target's clock needs."""
        cycles = self.chosen_cycles
        return None if cycles is None else cycles - self.latency_of(0)

    def latency_of(self, n_stages: int) -> int:
        """Return the latency of a pipeline in cycles, as the target counts it."""
        return n_stages + 1 - self.target.n_uncounted_registers

    @property
    def has_dsp(self) -> bool:
        """Whether products of two values may become DSP slices."""
        return self.settings.has_dsp and self.choices.products == "dsp"

    @property
    def logic_budget_ns(self) -> float:
        """What the cells of a path may take of the target's clock period, as UltraScale+ cells.

        An event comes in every cycle, so the upper edge of the period's band must keep the target's
        interval as well.
        """
        share, target = self.settings.routing_share, self.target
        return min(
            logic_budget_ns(target.clock_period_ns, share, self.family),
            logic_budget_ns(target.max_interval_ns, max(share, *ROUTED_SHARES), self.family),
        )

    def period_ns(self, logic_ns: float) -> float:
        """Return the clock period of a plan whose cells would take `logic_ns` on UltraScale+."""
        return period_ns(logic_ns, self.settings.routing_share, self.family)

    def period_band(self, logic_ns: float) -> Band:
        """Return what a plan's period would be by the shares of routing in routed designs."""
        shares = (self.settings.routing_share, *ROUTED_SHARES)
        periods = [period_ns(logic_ns, share, self.family) for share in shares]
        return Band(lower=min(periods), upper=max(periods))

    def netlist_period(self, logic_ns: float, wired_ns: float) -> tuple[float, Band]:
        """Return the clock period of a finished netlist, and its band.

        Parameters
        ----------
        logic_ns : float
            What the cells of its longest path would take, as pipelines are planned.
        wired_ns : float
            What cells and wires of its longest path take on UltraScale+ of grade -2.
        """
        if self.family not in WIRED_FAMILIES:
            return self.period_ns(logic_ns), self.period_band(logic_ns)
        low, high = ROUTED_BAND
        period_ns = wired_ns * GRADE_FACTORS[grade_of(self.target)]
        return period_ns, Band(lower=low * period_ns, upper=high * period_ns)

    def part_of_clock(self, logic_ns: float, wired_ns: float) -> float:
        """Return how much of what it may take the longest path takes: at most 1 keeps the clock.

        Neither the plan, nor the period with wires, nor the upper edge of its band may take more.
        """
        period_ns, band = self.netlist_period(logic_ns, wired_ns)
        return max(
            logic_ns / self.logic_budget_ns,
            period_ns / self.target.clock_period_ns,
            band.upper / self.target.max_interval_ns,
        )

    @property
    def words(self) -> JsonValue:
        """The precision as a step receives it."""
        return None if self.precision is None else self.precision.model_dump(mode="json")

    @property
    def folder(self) -> Path:
        """Where files of this request lie."""
        return self.workspace.folder

    def run(
        self,
        name: str,
        entry: str,
        model: type[Report],
        *,
        inputs: Mapping[str, Path],
        request: Mapping[str, JsonValue] | None = None,
        outputs: Mapping[str, int] | None = None,
        tools_s: float | None = None,
        n_tools: int = 1,
        memory_bytes: int | None = None,
        more_tools: tuple[Path, ...] = (),
        sees_host: bool = False,
    ) -> StepResult[Report]:
        """Run a step of the firmware.

        Parameters
        ----------
        name, entry : str
            Without ``firmware-`` and ``harness.firmware.``, which all of them begin with.
        tools_s : float, optional
            For a step that runs external programs: it sees those of the host, and receives this
            time limit of each as ``timeout_s``.
        n_tools : int
            Programs that it runs one after the other.
        memory_bytes : int, optional
            In place of the limit of other steps.
        more_tools : tuple of Path
            Further host paths that the step sees.
        sees_host : bool
            See `harness.sandbox.step.Step`.

        Raises
        ------
        UntranslatableError
            The step found that the network cannot be translated.
        HarnessError
            The step failed, by whose fault it was.
        """
        wall_s, tools, stated = self.settings.trace_wall_s, more_tools, dict(request or {})
        if tools_s is not None:
            wall_s, tools = n_tools * tools_s + _AFTER_TOOLS_S, (*system_tools(), *more_tools)
            stated["timeout_s"] = tools_s
        return self.workspace.run(
            f"firmware-{name}",
            f"harness.firmware.{entry}",
            model,
            request=stated,
            inputs=inputs,
            outputs=outputs,
            limits=self.settings.limits(wall_s, memory_bytes),
            tools=tools,
            sees_host=sees_host,
            may_raise=FAULTS,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FirmwareResult:
    """The firmware of a network.

    Attributes
    ----------
    report : Firmware or NotMeasured
        For the score card; NotMeasured for a network that cannot be translated, with the reason.
    scores : Path or None
        Raw float64: the score of each event in the events' order, exact multiples of the output's
        step; higher = more anomalous.
    artefacts : tuple of Path
        Files to keep: Verilog, netlist, C++ project, waveform, vendor's reports. The report of
        `synthesise` lists them by digest.
    is_cached : bool
        Whether the design was found in the cache.
    is_cut_short : bool
        Whether a limit of time or size ended it: it is not kept in the cache.
    """

    report: Firmware | NotMeasured
    scores: Path | None = None
    artefacts: tuple[Path, ...] = ()
    is_cached: bool = False
    is_cut_short: bool = False


class Backend(Protocol):
    """Makes the firmware of a network by one flow."""

    def __call__(self, request: FirmwareRequest) -> FirmwareResult:
        """Make it.

        Raises
        ------
        UntranslatableError
            The flow knows no firmware for this network.
        IntegrityError
            Two witnesses disagree.
        LimitError
            A limit of time or memory was reached.
        EnvironmentFaultError
            A tool is missing or failed.
        """
        ...
