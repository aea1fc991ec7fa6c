"""What an entry runs on, and the limits that it must keep there: an FPGA, a CPU, or neither."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from harness.challenge.values import Name, Positive, Value


class Budget(Value):
    """The most of each resource that an entry may use; None where the challenge sets no limit."""

    lut: int | None = Field(default=None, ge=1)
    ff: int | None = Field(default=None, ge=1)
    dsp: int | None = Field(default=None, ge=0)
    bram18: int | None = Field(default=None, ge=0)


# How each resource of `Budget` is printed, in the order of every table.
RESOURCE_TITLES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram18": "BRAM18"}


Family = Literal["ultrascale+", "7series"]


class PartTotals(Value):
    """What an FPGA holds over all its dies, and of which family it is."""

    family: Family
    lut: int = Field(ge=1)
    ff: int = Field(ge=1)
    dsp: int = Field(ge=0)
    bram18: int = Field(ge=0)


class Target(Value):
    """An FPGA: part, clock, time limits and the share of the part to be used.

    Attributes
    ----------
    totals : PartTotals or None
        What the part holds; None: it is one of `harness.firmware.parts`.
    count_registers : str
        Which registers at the ends of a design its latency counts, where harness makes it. A
        trigger that puts modules one behind the other counts each register between them once.
    """

    # Left out of what is written: cards and boards had FPGA targets alone at first.
    kind: Literal["fpga"] = Field(default="fpga", exclude=True)
    part: str = Field(min_length=1, max_length=64)
    totals: PartTotals | None = Field(default=None, exclude_if=lambda totals: totals is None)
    clock_period_ns: Positive
    max_latency_ns: Positive
    max_interval_ns: Positive
    budget: Budget
    count_registers: Literal["input", "output", "both"] = Field(
        default="both", exclude_if=lambda counted: counted == "both"
    )

    @property
    def n_uncounted_registers(self) -> int:
        """How many of the input and the output register the latency leaves out."""
        return 0 if self.count_registers == "both" else 1


class CpuTarget(Value):
    """A processor: limits of the time and memory of one event, scored by itself.

    Attributes
    ----------
    max_time_ms : float or None
        Processor time of one event; None: shown, not judged.
    max_memory_mb : float or None
        Memory of the process that scores, in units of 2**20 bytes.
    """

    kind: Literal["cpu"] = "cpu"
    max_time_ms: Positive | None = None
    max_memory_mb: Positive | None = None


class NoTarget(Value):
    """Nothing: the figure of merit alone counts."""

    kind: Literal["none"] = "none"


def _kind_of(value: object) -> object:
    if isinstance(value, dict):
        return value.get("kind", "fpga")
    return getattr(value, "kind", None)


AnyTarget = Annotated[
    Annotated[Target, Tag("fpga")]
    | Annotated[CpuTarget, Tag("cpu")]
    | Annotated[NoTarget, Tag("none")],
    Discriminator(_kind_of),
]


class StatedTarget(Value):
    """One of a challenge's targets; in the manifest, name and gate stand beside the limits.

    Attributes
    ----------
    gate : bool
        An entry that does not keep its limits is not ranked. Entries are judged against the others
        as well, which decides nothing.
    """

    # What stands beside name and gate in a manifest are the fields of the limits.
    model_config = ConfigDict(
        json_schema_extra=lambda schema: schema.update(additionalProperties=True, required=[])
    )

    name: Name
    gate: bool = False
    limits: AnyTarget

    @model_validator(mode="before")
    @classmethod
    def _limits_stand_beside(cls, value: object) -> object:
        if isinstance(value, Target | CpuTarget | NoTarget):
            return {"name": value.kind, "limits": value}
        if not isinstance(value, dict) or "limits" in value:
            return value
        limits = {name: one for name, one in value.items() if name not in {"name", "gate"}}
        own = {name: one for name, one in value.items() if name in {"name", "gate"}}
        return {"name": limits.get("kind", "fpga"), **own, "limits": limits}
