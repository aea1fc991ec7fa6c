"""Attacks by graphs of allowed layers whose score of an event depends on other events.

Each is exported without the guards. `rebuild` must refuse it; without the guards it is rebuilt, and
the score of one event changes with its company or with its place in the batch. All of them are
tried in one step, as TensorFlow takes seconds to start.
"""

from __future__ import annotations

import functools
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

from harness.sandbox import open_sandbox
from harness.sandbox.step import GIB, Limits, Step
from tests.hostile.attack import Attack, attack
from tests.hostile.attempt import ENTRY
from tests.hostile.world import World

APART = "no operation of a graph mixes axis 0, the events"
NARROW = "a network computes in float32 or narrower types, which hide no small effects"
TRUE_SHAPES = "the shapes that the check of the graph reads are those that are computed"
NO_LAYER_INSIDE = "a layer stands in the list of layers alone, where the check of the graph sees it"

TRIAL = """
import json, pathlib, tempfile
import numpy as np
from harness.submission import graph as graphs, network
network.load_keras()
import keras
from keras import layers, ops

here = pathlib.Path(tempfile.mkdtemp())
# As if sorting were on the list: its rule must stop it, too.
graphs.ALLOWED = {**graphs.ALLOWED, ('keras.src.ops.numpy', 'Sort', 'Sort'): True}
GUARDS = ((network, 'check_rebuilt'), (graphs, '_place_problems'))
kept = [getattr(*guard) for guard in GUARDS]
# As many events as inputs, so that axes can be mistaken for each other. The first is far away.
events = np.random.default_rng(1).normal(size=(57, 57)).astype('f4')
events[0, 0] = 2e4

def set_guards(are_on):
    for (module, name), function in zip(GUARDS, kept):
        setattr(module, name, function if are_on else lambda *arguments: ())

def tried(body, change):
    keras.utils.clear_session()
    set_guards(False)
    x = keras.Input((57,), name='events')
    names = {**globals(), 'x': x, 'pt': layers.Dense(1, kernel_initializer='ones')(x)}
    exec(body, names)
    network.export_network(keras.Model(x, names['score']), here / 'graph', here / 'weights')
    graph = json.loads((here / 'graph').read_text())
    layers_of_graph = graph['model']['config']['layers']
    exec(change, {'by_name': {layer['name']: layer for layer in layers_of_graph}})
    (here / 'graph').write_text(json.dumps(graph))
    naive = answer(naively)
    set_guards(True)
    return {'guarded': answer(lambda: rebuilt() and 'rebuilt'), 'naive': naive}

def rebuilt():
    return network.rebuild(here / 'graph', here / 'weights')

def answer(asked):
    try:
        return asked()
    except BaseException as error:
        return f'{type(error).__name__}: {error}'[:300]

def naively():
    model = rebuilt()
    def scored(given):
        return np.asarray(model(given)).reshape(57)
    others = np.concatenate([events[:1], 3 * events[1:]])
    first = {float(scored(events)[0]), float(scored(others)[0]), float(scored(events[::-1])[-1])}
    return 'depends' if len(first) > 1 else str(model.outputs[0].dtype)

found = {name: tried(*attack) for name, attack in request['attacks'].items()}
found['honest'] = tried('score = pt', '')
"""
ATTACKS: dict[str, tuple[str, str]] = {}


@functools.cache
def _answers() -> dict[str, dict[str, str]]:
    """Try all attacks in one sandboxed step."""
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder, "code.py")
        code.write_text(TRIAL)
        Path(folder, "out").mkdir()
        step = Step(
            name="graphs",
            entry=ENTRY,
            request={"attacks": {name: list(attack) for name, attack in ATTACKS.items()}},
            inputs={"code": code},
            outputs={},
            limits=Limits(wall_s=300.0, cpu_s=600.0, memory_bytes=8 * GIB),
        )
        found = open_sandbox("bwrap").run(step, Path(folder, "out")).report["found"]
    assert isinstance(found, dict)
    assert found["honest"] == {"guarded": "rebuilt", "naive": "float32"}, found["honest"]
    return found  # type: ignore[return-value]


def _is_rebuilt(name: str) -> Callable[[World, Path], bool]:
    refused = "InvalidSubmissionError: graph"
    return lambda world, folder: not _answers()[name]["guarded"].startswith(refused)


def _naively(name: str, found: str) -> Callable[[Attack, World, Path], bool]:
    return lambda attack_, world, folder: _answers()[name]["naive"] == found


def _mixing(
    name: str, body: str, *, change: str = "", claim: str = APART, naive: str = "depends"
) -> None:
    ATTACKS[name] = textwrap.dedent(body), textwrap.dedent(change)
    attack(
        f"mixing-{name}",
        kind="graph",
        claim=claim,
        run=_is_rebuilt(name),
        control=_naively(name, naive),
    )


_mixing(
    "batch-mean-behind-a-large-constant",
    """
    mean = ops.mean(pt, axis=0, keepdims=True)
    score = ops.cast(pt, 'float64') + 1e-3 * ops.cast(mean, 'float64') + 1e8
    """,
)
_mixing(
    "batch-mean-behind-a-rare-condition",
    """
    mean = ops.mean(pt, axis=0, keepdims=True)
    score = ops.where(x[:, :1] > 1e4, pt - mean, pt)
    """,
)
_mixing("sum-of-all", "score = pt + ops.sum(x)")
_mixing("softmax-along-the-events", "score = ops.softmax(1e-5 * pt, axis=0)")
_mixing("sort-along-the-events", "score = ops.sort(pt, axis=0)")
_mixing(
    "layer-normalisation-along-the-events",
    "score = layers.LayerNormalization(axis=0, center=False, scale=False)(pt)",
)
_mixing("norm-of-all", "score = layers.UnitNormalization(axis=[0, 1])(pt)")
_mixing(
    "reshape-across-events-and-back",
    """
    triples = ops.sum(ops.reshape(x, (-1, 171)), axis=-1, keepdims=True)
    score = pt + ops.reshape(ops.repeat(triples, 3, axis=-1), (-1, 1))
    """,
)
_mixing("events-in-reverse", "score = pt - pt[::-1, :]")
_mixing("neighbour-in-the-batch", "score = pt - ops.concatenate([pt[1:, :], pt[:1, :]], axis=0)")
_mixing("einsum-over-the-events", "score = pt + ops.einsum('bi,cj->bj', x, pt)")
_mixing("einsum-of-an-ellipsis", "score = pt + ops.einsum('...i,kj->...j', x, pt)")
_mixing("matmul-over-the-events", "score = ops.matmul(ops.expand_dims(x, 1), x)[:, 0, :1]")
_mixing("scores-as-weights-of-inputs", "score = ops.sum(x + pt[:, 0], axis=-1, keepdims=True)")
_mixing(
    "score-taken-for-a-bias",
    # Of as many events as inputs, Keras adds the scores of all events to the inputs of each.
    "score = ops.sum(x + pt, axis=-1, keepdims=True)",
)
_mixing(
    "mean-within-a-nested-model",
    """
    inner = keras.Input((1,))
    nested = keras.Model(inner, inner - ops.mean(inner, axis=0, keepdims=True))
    score = nested(pt)
    """,
)
_mixing(
    "norm-within-a-nested-sequential-model",
    "score = keras.Sequential([keras.Input((1,)), layers.UnitNormalization(axis=0)])(pt)",
)
_mixing(
    "softmax-of-one-number-for-each-event",
    "score = layers.Activation('softmax')(1e-5 * ops.sum(x, axis=-1))",
)
_mixing(
    "constant-for-each-place-in-the-batch", "score = pt + np.arange(57, dtype='float32')[:, None]"
)
_mixing(
    "setting-for-each-place-in-the-batch",
    "score = layers.Rescaling(np.arange(57, dtype='float32')[:, None])(pt)",
    claim=TRUE_SHAPES,
)
for name, activation in {
    "layer": "layers.Softmax(axis=0)",
    "operation": "keras.src.ops.nn.Softmax(axis=0)",
}.items():
    _mixing(
        f"{name}-as-activation",
        f"score = layers.Dense(1, activation={activation})(1e-5 * x)",
        claim=NO_LAYER_INSIDE,
    )
_mixing(
    "layer-built-for-another-shape",
    """
    # Built for (n, 1, 57), it makes (1, n, 57) of its input: axis 1 is then the events.
    moved = layers.Normalization(name='moved')(x)
    total = ops.sum(moved, axis=1, keepdims=True)
    score = ops.reshape(ops.max(pt + total, axis=-1, keepdims=True), (-1, 1))
    """,
    change="by_name['moved']['build_config']['input_shape'] = [None, 1, 57]",
    claim=TRUE_SHAPES,
)
_mixing("float64", "score = ops.cast(pt, 'float64')", claim=NARROW, naive="float64")
_mixing(
    "layer-in-float64",
    "score = layers.Dense(1, dtype='float64')(pt)",
    claim=NARROW,
    naive="float64",
)
_mixing("constant-of-float64", "score = pt + np.ones((1, 1))", claim=NARROW, naive="float64")
