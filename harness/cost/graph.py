"""Floating-point operations of a frozen TensorFlow graph, operation by operation.

The formulas are those that TensorFlow's profiler has registered for its operations; here they
are summed by kind of operation, which neither the profiler nor keras-flops reports, and what has
no formula is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf

# They move, name, slice or convert values and compute nothing; the profiler has no formula for
# them and none is missed.
_MOVING = """
    BatchToSpaceND BroadcastTo Cast Concat ConcatV2 Const ExpandDims Fill Gather GatherV2
    Identity IdentityN MirrorPad NoOp OnesLike Pack Pad PadV2 Placeholder PreventGradient Range
    Rank Reshape ReverseV2 Shape ShapeN Size Slice SpaceToBatchND Split SplitV Squeeze
    StopGradient StridedSlice Tile Transpose Unpack ZerosLike
"""
MOVING_OPERATIONS = frozenset(_MOVING.split())
# What they give depends on the shape of an event alone, so nothing behind them is done per event.
_SHAPE_OPERATIONS = frozenset({"Rank", "Shape", "ShapeN", "Size"})


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphFlops:
    """Floating-point operations of one graph.

    Attributes
    ----------
    by_operation : mapping of str to int
        Operations per event, by TensorFlow's name of their kind; without the zeros.
    on_weights : int
        Operations that no event takes part in: done once, not per event.
    uncounted : mapping of str to int
        Kinds of operation that compute something per event and have no formula (or none for an
        unknown shape), with the number of values that they give per event, at least 1 each.
    """

    by_operation: Mapping[str, int] = field(default_factory=dict)
    on_weights: int = 0
    uncounted: Mapping[str, int] = field(default_factory=dict)

    @property
    def per_event(self) -> int:
        """Floating-point operations of one event."""
        return sum(self.by_operation.values())

    @property
    def total(self) -> int:
        """What keras-flops reports: operations per event and those on weights alone."""
        return self.per_event + self.on_weights


def count_graph(graph: tf.Graph) -> GraphFlops:
    """Sum the profiler's formulas over the operations of a frozen `graph` of batch size 1."""
    per_event = _names_depending_on_inputs(graph.get_operations())
    counted: Counter[str] = Counter()
    uncounted: Counter[str] = Counter()
    on_weights = 0
    for operation in graph.get_operations():
        flops = _formula(graph, operation)
        if operation.name not in per_event:
            on_weights += flops or 0
        elif flops is not None:
            counted[operation.type] += flops
        elif operation.type not in MOVING_OPERATIONS:
            uncounted[operation.type] += _n_values(operation)
    return GraphFlops(
        by_operation={kind: n for kind, n in sorted(counted.items()) if n},
        on_weights=on_weights,
        uncounted=dict(sorted(uncounted.items())),
    )


def _formula(graph: tf.Graph, operation: tf.Operation) -> int | None:
    """Return the floating-point operations of one operation; None where there is no formula."""
    from tensorflow.python.framework import ops

    try:
        statistics = ops.get_stats_for_node_def(graph, operation.node_def, "flops")
    except ValueError:  # a shape that is not fully known, or a data format without a formula
        return None
    return None if statistics.value is None else int(statistics.value)


def _names_depending_on_inputs(operations: Iterable[tf.Operation]) -> frozenset[str]:
    """Return the names of the operations that an input reaches (they come in topological order)."""
    reached: set[str] = set()
    for operation in operations:
        sources = (tensor.op for tensor in operation.inputs)
        if operation.type == "Placeholder" or any(
            source.name in reached and source.type not in _SHAPE_OPERATIONS for source in sources
        ):
            reached.add(operation.name)
    return frozenset(reached)


def _n_values(operation: tf.Operation) -> int:
    """Return how many values an operation gives; at least 1, also where its shape is unknown."""
    sizes = (tensor.shape.num_elements() for tensor in operation.outputs)
    return max(1, sum(size or 0 for size in sizes))
