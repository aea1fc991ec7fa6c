"""What a network costs, and what a processor takes for it."""

from __future__ import annotations

from pydantic import Field

from harness.card.figures import Count, NotMeasured, Probability
from harness.challenge import Value


class Compression(Value):
    """The weights that values are multiplied by (the kernels), after quantisation.

    Attributes
    ----------
    n_weights, n_zero : int
        All of them, and those that are zero.
    zero_share : float
        The second by the first.
    bits_per_weight : float
        Mean width of those that are not zero, sign bit included; 0 if all are zero.
    """

    n_weights: Count
    n_zero: Count
    zero_share: Probability
    bits_per_weight: float = Field(ge=0)


class Cost(Value):
    """What one event costs the network.

    Attributes
    ----------
    flops : int or NotMeasured
        Floating-point operations as TensorFlow's profiler counts them (MAC = 2).
    flops_on_weights : int
        Operations on weights alone, such as batch normalisation's scale: done once, not per
        event, and so not among `flops`; keras-flops's own total is the sum of both.
    uncounted_operations : mapping of str to int
        Graph operations that the profiler has no formula for, with the number of values that
        they give per event.
    bops : int or NotMeasured
        Bit operations: sum over multiplications of the product of the operands' widths.
    weight_bits : int
        Bits to store all weights at their own widths.
    compression : Compression, NotMeasured or None
        The zeros among the weights and the bits of the others. Older cards have none.
    """

    n_parameters: Count
    n_trainable: Count
    flops: Count | NotMeasured
    flops_by_operation: dict[str, Count] = Field(default_factory=dict)
    flops_on_weights: Count = 0
    uncounted_operations: dict[str, Count] = Field(default_factory=dict)
    macs: Count | NotMeasured
    bops: Count | NotMeasured
    weight_bits: Count | NotMeasured
    compression: Compression | NotMeasured | None = Field(
        default=None, exclude_if=lambda found: found is None
    )


class ProcessorUse(Value):
    """What one event costs a processor, scored by itself.

    Attributes
    ----------
    time_ms, lowest_ms, highest_ms : float
        Processor time of one event: the median of `repeats` measurements, and the ends of all.
    reference_ms : float
        Processor time of a fixed calculation in the same minute, by which machines can be compared.
    peak_memory_mb : float
        Of the process that scores, in units of 2**20 bytes.
    wall_ms : float or None
        Time that passed for one event, by the median: whatever else ran on the machine is in it.
        Older cards have none.
    """

    time_ms: float = Field(ge=0)
    lowest_ms: float = Field(ge=0)
    highest_ms: float = Field(ge=0)
    repeats: Count
    n_events: Count
    reference_ms: float = Field(gt=0)
    peak_memory_mb: float = Field(ge=0)
    wall_ms: float | None = Field(default=None, ge=0, exclude_if=lambda wall: wall is None)

    @property
    def in_references(self) -> float:
        """Processor time of one event, in times of the fixed calculation."""
        return self.time_ms / self.reference_ms
