"""What a participant may choose of the firmware, beside the network itself.

What each choice does: docs/submission.md. The defaults are what a submission without choices gets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from harness.challenge.values import Value

# What computes a product of two values: DSP slices, or LUTs and carry chains.
Products = Literal["dsp", "fabric"]
# How hls4ml writes products with weights, and how values go from layer to layer. See
# https://fastmachinelearning.org/hls4ml/api/configuration.html
Strategy = Literal["latency", "resource", "distributed_arithmetic"]
IoType = Literal["io_parallel", "io_stream"]
# A pipeline of more stages than operations is never made; this bounds what a file can ask for.
MAX_CYCLES = 1_000
# As often as a layer of this many weights could use one multiplier.
MAX_REUSE = 1_000_000

ReuseFactor = Annotated[int, Field(ge=1, le=MAX_REUSE)]
LayerName = Annotated[str, Field(max_length=128)]


class LayerChoices(Value):
    """What is chosen of one layer, in place of the choice for the whole network."""

    strategy: Strategy | None = None
    reuse_factor: ReuseFactor | None = None


class FirmwareChoices(Value):
    """The block ``firmware`` of `submission.yaml`, and what the card says of it.

    The first two are of the netlist that harness makes, the others of hls4ml's own flow: of its C
    simulation, and of what a vendor's tool synthesises.

    Attributes
    ----------
    products : str
        ``dsp``: products of two values, such as the squares of a score, take DSP slices.
        ``fabric``: LUTs. Products with weights are adders in any case.
    latency_cycles : int or None
        Clock cycles from an input to its score, as the target counts them; None: as many as the
        target's clock needs.
    strategy : str
        How hls4ml writes products with weights.
    reuse_factor : int
        How often one multiplier is used for an event; the initiation interval grows with it.
    io_type : str
        Whether all values of a layer go to the next one at once, or one after the other.
    layers : dict
        Choices for single layers, by their names.
    """

    products: Products = "dsp"
    latency_cycles: Annotated[int, Field(ge=1, le=MAX_CYCLES)] | None = None
    strategy: Strategy = "latency"
    reuse_factor: ReuseFactor = 1
    io_type: IoType = "io_parallel"
    layers: dict[LayerName, LayerChoices] = Field(default_factory=dict, max_length=1_000)

    @field_validator("reuse_factor")
    @classmethod
    def _fits_the_strategy(cls, value: int, info: ValidationInfo) -> int:
        if value > 1 and info.data.get("strategy") == "distributed_arithmetic":
            raise ValueError(_NOTHING_TO_REUSE)
        return value

    @field_validator("layers")
    @classmethod
    def _fit_their_strategies(
        cls, layers: dict[str, LayerChoices], info: ValidationInfo
    ) -> dict[str, LayerChoices]:
        for name, own in layers.items():
            strategy = own.strategy or info.data.get("strategy")
            reuse_factor = own.reuse_factor or info.data.get("reuse_factor", 1)
            if strategy == "distributed_arithmetic" and reuse_factor > 1:
                raise ValueError(f"layer {name}: {_NOTHING_TO_REUSE}")
        return layers

    @property
    def largest_reuse(self) -> int:
        """The largest reuse factor of any layer."""
        own = (layer.reuse_factor or 1 for layer in self.layers.values())
        return max(self.reuse_factor, *own) if self.layers else self.reuse_factor

    def describe(self, *, has_netlist: bool = True) -> tuple[str, ...]:
        """Say in sentences what differs from the defaults.

        Parameters
        ----------
        has_netlist : bool
            Whether harness makes the netlist; otherwise a vendor's tool makes it of hls4ml's code.

        Examples
        --------
        >>> FirmwareChoices().describe()
        ()
        >>> FirmwareChoices(products="fabric").describe()
        ('chosen: products of two values in LUTs, not in DSP slices',)
        >>> FirmwareChoices(strategy="resource", reuse_factor=4).describe(has_netlist=False)
        ("chosen of hls4ml's flow: strategy resource, reuse factor 4",)
        >>> FirmwareChoices(latency_cycles=8).describe(has_netlist=False)
        ("chosen, but not used, as the vendor's tool plans the pipeline: a latency of 8 cycles",)
        """
        return tuple(self._said(has_netlist=has_netlist))

    def _said(self, *, has_netlist: bool) -> Iterator[str]:
        of_netlist = []
        if self.products == "fabric":
            of_netlist.append("products of two values in LUTs, not in DSP slices")
        if self.latency_cycles is not None:
            cycles = "1 cycle" if self.latency_cycles == 1 else f"{self.latency_cycles} cycles"
            of_netlist.append(f"a latency of {cycles}")
        if has_netlist:
            yield from (f"chosen: {one}" for one in of_netlist)
        elif of_netlist:
            yield (
                "chosen, but not used, as the vendor's tool plans the pipeline: "
                f"{'; '.join(of_netlist)}"
            )
        default = FirmwareChoices()
        said = []
        if self.strategy != default.strategy:
            said.append(f"strategy {self.strategy}")
        if self.reuse_factor != default.reuse_factor:
            said.append(f"reuse factor {self.reuse_factor}")
        if self.io_type != default.io_type:
            said.append(self.io_type)
        if self.layers:
            said.append(f"other choices for {', '.join(self.layers)[:200]}")
        if said:
            where = "; the netlist, which is da4ml's, does not depend on it" if has_netlist else ""
            yield f"chosen of hls4ml's flow: {', '.join(said)}{where}"


_NOTHING_TO_REUSE = (
    "`distributed_arithmetic` has no multipliers to reuse: set `reuse_factor: 1`, or take the "
    "strategy `resource`"
)
