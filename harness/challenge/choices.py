"""What a participant may choose of the firmware, beside the network itself.

What each choice does: docs/submission.md. The defaults are what a submission without choices gets.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.challenge.values import Value

# What computes a product of two values: DSP slices, or LUTs and carry chains.
Products = Literal["dsp", "fabric"]
# A pipeline of more stages than operations is never made; this bounds what a file can ask for.
MAX_CYCLES = 1_000


class FirmwareChoices(Value):
    """The block ``firmware`` of `submission.yaml`, and what the card says of it.

    Attributes
    ----------
    products : str
        ``dsp``: products of two values, such as the squares of a score, take DSP slices.
        ``fabric``: LUTs. Products with weights are adders in any case.
    latency_cycles : int or None
        Clock cycles from an input to its score, as the target counts them; None: as many as the
        target's clock needs.
    """

    products: Products = "dsp"
    latency_cycles: Annotated[int, Field(ge=1, le=MAX_CYCLES)] | None = None

    def describe(self) -> tuple[str, ...]:
        """Say in sentences what differs from the defaults.

        Examples
        --------
        >>> FirmwareChoices().describe()
        ()
        >>> FirmwareChoices(products="fabric").describe()
        ('chosen: products of two values in LUTs, not in DSP slices',)
        """
        said = []
        if self.products == "fabric":
            said.append("chosen: products of two values in LUTs, not in DSP slices")
        if self.latency_cycles is not None:
            cycles = "1 cycle" if self.latency_cycles == 1 else f"{self.latency_cycles} cycles"
            said.append(f"chosen: a latency of {cycles}")
        return tuple(said)
