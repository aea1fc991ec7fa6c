"""Floating-point operations by keras-flops, adapted to today's TensorFlow and Keras.

keras-flops 0.1.2 gives the figure that the ADC2021 challenge asks for: TensorFlow's profiler on
the frozen graph, with 2 operations for a multiply-accumulate and 1 for adding a bias. It needs
three adaptations, none of which changes what it counts:

* On TensorFlow 2.13 and newer its import fails, since TensorFlow now registers the formula of
  ``AddV2`` itself. The import runs with a registration that leaves TensorFlow's own formula in
  place: https://github.com/tokusumi/keras-flops/issues/17 and
  https://github.com/tokusumi/keras-flops/issues/19.
* It builds each input's shape by ``[batch] + shape[1:]``. In Keras 3 a shape is a tuple, and the
  sum a TypeError. It is handed a model whose inputs are `tf.TensorSpec`.
* It returns the total alone, and the profiler prints its table on standard output. The graph
  that it freezes is kept, so that `harness.cost.graph` can name what was counted; the table is
  dropped.

Quantisers are identities here: they round, which a float network does not do, so that a quantised
network counts what its plain twin counts. Of a quantiser only its affine map remains, which is
arithmetic of the network (one multiplication and one addition per value).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue, ValidationError

from harness.card.records import Cost
from harness.cost.graph import GraphFlops, count_graph
from harness.cost.operations import count_operations
from harness.errors import IntegrityError, InvalidSubmissionError, Problem
from harness.sandbox.step import GIB, Limits, RunStep, Step

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

ENTRY: Final = "harness.cost.flops:count"
# A network of a hundred layers takes 15 s, start of TensorFlow included.
_LIMITS: Final = Limits(wall_s=300.0, cpu_s=600.0, memory_bytes=8 * GIB)
# A float64 still holds every integer up to here, and no trigger network comes near.
_MAX_COUNT: Final = 2**53


def count(
    request: Mapping[str, JsonValue],
    inputs: Mapping[str, Path],
    outputs: Mapping[str, Path],
) -> dict[str, JsonValue]:
    """Count what the network in the files `graph` and `weights` costs; runs in a sandbox.

    Parameters
    ----------
    request, outputs : mapping
        Not used.
    inputs : mapping of str to Path
        ``graph`` and ``weights``: the exported network.

    Returns
    -------
    dict
        The fields of `harness.card.records.Cost`.
    """
    from harness.submission.network import rebuild

    del request, outputs
    cost = cost_of(rebuild(inputs["graph"], inputs["weights"]))
    return cost.model_dump(mode="json")


def count_cost(graph: Path, weights: Path, *, run_step: RunStep, folder: Path) -> Cost:
    """Count what an exported network costs, in a sandbox.

    Parameters
    ----------
    graph, weights : Path
        The exported network.
    run_step : RunStep
        Runs the step in a sandbox.
    folder : Path
        An empty folder for what the step writes (nothing).

    Raises
    ------
    InvalidSubmissionError
        The network could not be rebuilt, or the report is no `Cost`.
    IntegrityError
        The report contradicts itself.
    """
    step = Step(
        name="cost", entry=ENTRY, inputs={"graph": graph, "weights": weights}, limits=_LIMITS
    )
    return read_cost(run_step(step, folder).report)


def read_cost(report: Mapping[str, JsonValue]) -> Cost:
    """Read the report of `count`, believing nothing but what fits together.

    Raises
    ------
    InvalidSubmissionError
        It is no `Cost`.
    IntegrityError
        Its figures contradict each other.
    """
    try:
        cost = Cost.model_validate_json(json.dumps(report), strict=True)
    except ValidationError as error:
        problems = [
            Problem(
                what=str(fault["msg"]),
                where="cost: " + ".".join(str(part) for part in fault["loc"]),
                expected="the report of the harness's own count",
                fix="score again; if it stays, report it with the step's log",
            )
            for fault in error.errors(include_url=False, include_input=False)
        ]
        raise InvalidSubmissionError(*problems[:10]) from error
    contradictions = tuple(_contradictions(cost))
    if contradictions:
        raise IntegrityError(*(Problem(what=text, where="cost") for text in contradictions))
    return cost


def cost_of(model: keras.Model) -> Cost:
    """Count what one event costs `model`."""
    flops = count_flops(model)
    operations = count_operations(model)
    return Cost(
        n_parameters=operations.n_parameters,
        n_trainable=operations.n_trainable,
        flops=flops.per_event,
        flops_by_operation=dict(flops.by_operation),
        flops_on_weights=flops.on_weights,
        uncounted_operations=dict(flops.uncounted),
        macs=operations.macs,
        bops=operations.bops,
        weight_bits=operations.weight_bits,
    )


def count_flops(model: keras.Model) -> GraphFlops:
    """Count the floating-point operations of one event through `model`, by keras-flops.

    Quantisers count as identities; see the head of this module.

    Raises
    ------
    IntegrityError
        keras-flops and the sum over the operations of the same graph disagree.

    References
    ----------
    keras-flops, https://github.com/tokusumi/keras-flops
    """
    with keras_flops_adapted() as (get_flops, graphs), quantisers_as_identity(), _silent_stdout():
        total = get_flops(_profiled(model))
    flops = count_graph(graphs[-1])
    if flops.total != total:
        raise IntegrityError(
            Problem(
                what=f"keras-flops counts {total} operations, the sum over the graph is "
                f"{flops.total}",
                where="FLOPs",
                fix="report it: a new TensorFlow may count differently",
            )
        )
    return flops


@contextlib.contextmanager
def keras_flops_adapted() -> Iterator[tuple[Callable[[keras.Model], int], list[tf.Graph]]]:
    """Give keras-flops's `get_flops` and the list that receives the graphs it profiles."""
    _import_keras_flops()
    from keras_flops import flops_calculation

    freeze = flops_calculation.convert_variables_to_constants_v2_as_graph
    graphs: list[tf.Graph] = []

    def freeze_and_keep(function: object) -> object:
        frozen, definition = freeze(function)
        graphs.append(frozen.graph)
        return frozen, definition

    flops_calculation.convert_variables_to_constants_v2_as_graph = freeze_and_keep
    try:
        yield flops_calculation.get_flops, graphs
    finally:
        flops_calculation.convert_variables_to_constants_v2_as_graph = freeze


def _import_keras_flops() -> None:
    """Import keras-flops, leaving the formulas that TensorFlow has registered itself."""
    if "keras_flops" in sys.modules:
        return
    from tensorflow.python.framework import ops

    register = ops.RegisterStatistics

    class RegisterIfNew(register):  # type: ignore[misc, valid-type]
        """Registers a formula unless TensorFlow has one for the operation."""

        def __call__(self, formula: Callable[..., object]) -> Callable[..., object]:
            with contextlib.suppress(KeyError):
                super().__call__(formula)
            return formula

    ops.RegisterStatistics = RegisterIfNew
    try:
        import keras_flops  # noqa: F401
    finally:
        ops.RegisterStatistics = register


@contextlib.contextmanager
def quantisers_as_identity() -> Iterator[None]:
    """Let every HGQ2 quantiser hand its input on; only its affine map is still applied."""
    from hgq.quantizer import Quantizer

    quantise = Quantizer.call

    def hand_on(self: Quantizer, inputs: tf.Tensor, training: object = None) -> tf.Tensor:
        del training
        if self.affine is None:
            return inputs
        scale, shift = self.affine
        return inputs * scale + shift

    Quantizer.call = hand_on
    try:
        yield
    finally:
        Quantizer.call = quantise


def _profiled(model: keras.Model) -> keras.Model:
    """Wrap `model` so that its inputs have the form that keras-flops expects."""
    import keras
    import tensorflow as tf

    class Profiled(keras.Model):  # type: ignore[misc] # Keras has no types
        """A model in inference whose inputs are `tf.TensorSpec`."""

        @property
        def inputs(self) -> list[tf.TensorSpec]:
            """Shape and dtype of each input, batch first."""
            return [tf.TensorSpec((None, *given.shape[1:]), given.dtype) for given in model.inputs]

        def call(self, tensors: list[tf.Tensor]) -> tf.Tensor:
            """Run the wrapped model in inference."""
            return model(keras.tree.pack_sequence_as(model.input, tensors), training=False)

    return Profiled()


@contextlib.contextmanager
def _silent_stdout() -> Iterator[None]:
    """Drop what is written to file descriptor 1: the profiler prints its table from C++."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _contradictions(cost: Cost) -> Iterator[str]:
    """Tell what cannot be true of one network."""
    if isinstance(cost.flops, int) and cost.flops != sum(cost.flops_by_operation.values()):
        yield f"{cost.flops} FLOPs, but {sum(cost.flops_by_operation.values())} by operation"
    if cost.n_trainable > cost.n_parameters:
        yield f"{cost.n_trainable} trainable of {cost.n_parameters} parameters"
    figures = (cost.n_parameters, cost.flops, cost.macs, cost.bops, cost.weight_bits)
    counts = [figure for figure in figures if isinstance(figure, int)]
    if any(value > _MAX_COUNT for value in counts):
        yield f"a count of {max(counts)}"
