"""Floating-point operations by keras-flops, adapted to today's TensorFlow and Keras.

keras-flops 0.1.2 gives the figure that the ADC2021 challenge asks for: TensorFlow's profiler on
the frozen graph, with 2 operations for a multiply-accumulate and 1 for adding a bias. It needs
three adaptations, none of which changes what it counts:

* On TensorFlow 2.13 and newer its import fails, since TensorFlow now registers the formula of
  ``AddV2`` itself. The import runs with a registration that keeps TensorFlow's own formula:
  https://github.com/tokusumi/keras-flops/issues/17 and
  https://github.com/tokusumi/keras-flops/issues/19.
* It builds each input's shape by ``[batch] + shape[1:]``. In Keras 3 a shape is a tuple, and the
  sum a TypeError. It receives a model whose inputs are `tf.TensorSpec`.
* The profiler prints its table on standard output. The table is dropped.

It returns the total alone, so the same graph is frozen once more and `harness.cost.graph` names
what is counted in it; the two totals must agree.

Quantisers are identities here: they round, which a float network does not do, so that a quantised
network counts what its plain twin counts. Of a quantiser only its affine map remains, which is
arithmetic of the network (one multiplication and one addition per value).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from pydantic import JsonValue

from harness.card.costs import Compression, Cost
from harness.cost.graph import GraphFlops, count_graph
from harness.cost.operations import count_operations
from harness.errors import HarnessFaultError, IntegrityError, Problem
from harness.sandbox import EarlyStep, Workspace
from harness.sandbox.step import GIB, Limits

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from hgq.quantizer import Quantizer

    Decorator = Callable[[Callable[..., object]], Callable[..., object]]

ENTRY: Final = "harness.cost.flops:count"
# A network of a hundred layers takes 15 s, start of TensorFlow included.
_LIMITS: Final = Limits(wall_s=300.0, cpu_s=600.0, memory_bytes=8 * GIB)
# A float64 still holds every integer up to here, and no trigger network comes near.
_MAX_COUNT: Final = 2**53


def count(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
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
        The fields of `harness.card.costs.Cost`.
    """
    from harness.submission.network import rebuild

    del request, outputs
    cost = cost_of(rebuild(inputs["graph"], inputs["weights"]))
    return cost.model_dump(mode="json")


def warm_up() -> None:
    """Do what `count` needs before any file: import Keras and keras-flops."""
    from harness.submission.network import load_keras

    load_keras()
    _import_keras_flops()


def start_counting(workspace: Workspace) -> AbstractContextManager[EarlyStep]:
    """Start the counting before there is a network; `count_cost` gives it one."""
    # No participant's code runs here: what breaks off is no fault of theirs.
    return workspace.start(
        "cost",
        ENTRY,
        warm_up="harness.cost.flops:warm_up",
        later=("graph", "weights"),
        limits=_LIMITS,
        may_raise=(HarnessFaultError, IntegrityError),
    )


def count_cost(
    workspace: Workspace, graph: Path, weights: Path, early: EarlyStep | None = None
) -> Cost:
    """Count what an exported network costs, in a sandbox.

    Parameters
    ----------
    early : EarlyStep, optional
        What `start_counting` gave.

    Raises
    ------
    InvalidSubmissionError
        The network could not be rebuilt.
    HarnessFaultError
        The counting broke off, or the report is no `Cost`.
    IntegrityError
        The report contradicts itself.
    """
    contents = {"graph": graph, "weights": weights}
    with contextlib.ExitStack() as stack:
        started = early or stack.enter_context(start_counting(workspace))
        cost = workspace.finish(started, Cost, contents=contents).report
    if contradictions := tuple(_contradictions(cost)):
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
        compression=operations.compression,
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
    from hgq.quantizer import Quantizer

    with _replaced(Quantizer, "call", _identity):
        total = profile(model)
        flops = count_graph(_freeze(model))
    if flops.total != total:
        raise IntegrityError(
            f"keras-flops counts {total} operations, the sum over the graph is {flops.total}",
            where="FLOPs",
            fix="report it: a new TensorFlow may count differently",
        )
    return flops


def profile(model: keras.Model) -> int:
    """Return what keras-flops counts for `model`, quantisers included."""
    get_flops = _import_keras_flops()
    with _silent_stdout():
        return int(get_flops(_with_shapes(model)))


def _import_keras_flops() -> Callable[[keras.Model], int]:
    """Import keras-flops with a registration that keeps TensorFlow's own formulas."""
    from tensorflow.python.framework import ops

    with _replaced(ops, "RegisterStatistics", _register_if_new(ops.RegisterStatistics)):
        from keras_flops import get_flops
    return cast("Callable[[keras.Model], int]", get_flops)


def _register_if_new(register: Callable[..., Decorator]) -> Callable[..., Decorator]:
    """Return a `register` of formulas that keeps the one that TensorFlow has."""

    def decorator(operation: str, statistic: str) -> Decorator:
        def keep(formula: Callable[..., object]) -> Callable[..., object]:
            with contextlib.suppress(KeyError):
                register(operation, statistic)(formula)
            return formula

        return keep

    return decorator


def _with_shapes(model: keras.Model) -> keras.Model:
    """Wrap `model` so that its inputs have the form that keras-flops expects."""
    import keras

    class WithShapes(keras.Model):  # type: ignore[misc] # Keras has no types
        """A model in inference whose inputs are `tf.TensorSpec`."""

        inputs = _specs(model, batch=None)

        def call(self, tensors: list[tf.Tensor]) -> tf.Tensor:
            """Run the wrapped model in inference."""
            return _infer(model, tensors)

    return WithShapes()


def _freeze(model: keras.Model) -> tf.Graph:
    """Return the graph of one event, frozen as keras-flops freezes it."""
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants

    def infer(tensors: list[tf.Tensor]) -> tf.Tensor:
        return _infer(model, tensors)

    traced = tf.function(infer).get_concrete_function(_specs(model, batch=1))
    frozen, _ = convert_to_constants.convert_variables_to_constants_v2_as_graph(traced)
    return frozen.graph


def _specs(model: keras.Model, batch: int | None) -> list[tf.TensorSpec]:
    """Return shape and dtype of each input of `model`, batch first."""
    import tensorflow as tf

    return [tf.TensorSpec((batch, *given.shape[1:]), given.dtype) for given in model.inputs]


def _infer(model: keras.Model, tensors: list[tf.Tensor]) -> tf.Tensor:
    import keras

    return model(keras.tree.pack_sequence_as(model.input, tensors), training=False)


def _identity(quantiser: Quantizer, inputs: tf.Tensor, training: object = None) -> tf.Tensor:
    """Pass a quantiser's input on; only its affine map is still applied."""
    del training
    if quantiser.affine is None:
        return inputs
    scale, shift = quantiser.affine
    return inputs * scale + shift


@contextlib.contextmanager
def _replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """Set an attribute of a library for a while."""
    kept = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, kept)


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
    """Say what cannot be true of one network."""
    if isinstance(cost.flops, int) and cost.flops != sum(cost.flops_by_operation.values()):
        yield f"{cost.flops} FLOPs, but {sum(cost.flops_by_operation.values())} by operation"
    if cost.n_trainable > cost.n_parameters:
        yield f"{cost.n_trainable} trainable of {cost.n_parameters} parameters"
    if isinstance(cost.compression, Compression):
        yield from _impossible_shares(cost.compression, cost.n_parameters)
    figures = (cost.n_parameters, cost.flops, cost.macs, cost.bops, cost.weight_bits)
    counts = [figure for figure in figures if isinstance(figure, int)]
    if any(value > _MAX_COUNT for value in counts):
        yield f"a count of {max(counts)}"


def _impossible_shares(found: Compression, n_parameters: int) -> Iterator[str]:
    """Say what cannot be true of the kernels of a network."""
    if found.n_weights > n_parameters:
        yield f"{found.n_weights} weights in kernels of {n_parameters} parameters"
    if abs(found.zero_share * found.n_weights - found.n_zero) > 0.5:
        yield f"{found.n_zero} of {found.n_weights} weights zero, a share of {found.zero_share:g}"
