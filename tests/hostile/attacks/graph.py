"""Attacks by the exported network: all that reaches the sandbox that holds the events.

A plugin owns the sandbox that it is exported in, so it can write any graph and any weights. Each
attack here changes those of an honest network; `rebuild` must refuse what comes of it, where Keras
alone would load it. All of them are tried in one step, as TensorFlow takes seconds to start.
"""

from __future__ import annotations

import functools
import tempfile
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import InvalidSubmissionError
from harness.sandbox import open_sandbox
from harness.sandbox.step import GIB, Limits, Step, StepResult
from harness.submission.graph import MAX_GRAPH_BYTES, parse_graph
from harness.submission.inference import CHUNK_EVENTS
from harness.submission.network import model_digest
from tests.hostile import bench
from tests.hostile.attack import Attack, Control, NotTried, attack
from tests.hostile.attempt import ENTRY
from tests.hostile.world import World

ALLOWED_ONLY = "a graph names allow-listed layers only, and holds nothing that is evaluated"
ROOMY = Limits(wall_s=300.0, cpu_s=600.0, memory_bytes=8 * GIB)
HONEST = """
import time
import keras

def network():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((57,), name='events')
    hidden = keras.layers.Dense(4, activation='relu', name='hidden')(inputs)
    return keras.Model(inputs, keras.layers.Dense(1, name='score')(hidden), name='honest')
"""
TRIAL = HONEST + textwrap.dedent("""
    import copy, inspect, json, os, pathlib, tempfile
    inspect.getsource = lambda made: 'Keras quotes the source of a lambda in its warning'
    from harness.submission.network import export_network, load_keras, rebuild
    load_keras()
    here = pathlib.Path(tempfile.mkdtemp())
    export_network(network(), here / 'graph', here / 'weights')
    honest_graph = json.loads((here / 'graph').read_text())
    honest_weights = (here / 'weights').read_bytes()

    def layer(graph, name):
        return next(l for l in graph['model']['config']['layers'] if l['name'] == name)

    def tried(change):
        names = {'graph': copy.deepcopy(honest_graph), 'weights': honest_weights, 'layer': layer}
        exec(change, names)
        graph = names.get('text') or json.dumps(names['graph'])
        (here / 'graph').write_text(graph, errors='surrogatepass')
        (here / 'weights').write_bytes(names['weights'])
        return {'guarded': answer(lambda: rebuild(here / 'graph', here / 'weights')),
                'naive': answer(lambda: naive(json.loads(graph)['model']))}

    def naive(config):
        model = keras.saving.deserialize_keras_object(config, safe_mode=False)
        # With weights that need no reading: what Keras would make of the configuration.
        return model(keras.ops.ones((2, 57)))

    def answer(load):
        try:
            load()
        except BaseException as error:
            return f'{type(error).__name__}: {error}'[:300]
        return 'loaded'

    found = {name: tried(change) for name, change in request['changes'].items()}
    found['honest'] = tried('pass')
""")
CHANGES: dict[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What became of one changed graph: ``loaded``, or the error."""

    guarded: str
    naive: str


def _execute(code: str, request: dict[str, object], folder: Path) -> StepResult:
    (folder / "code.py").write_text(code)
    (folder / "out").mkdir()
    step = Step(
        name="graphs",
        entry=ENTRY,
        request=request,  # type: ignore[arg-type]
        inputs={"code": folder / "code.py"},
        outputs={"graph": MAX_GRAPH_BYTES, "weights": 10**6},
        limits=ROOMY,
    )
    return open_sandbox("bwrap").run(step, folder / "out")


@functools.cache
def _answers() -> dict[str, _Answer]:
    """Try all changes in one sandboxed step."""
    with tempfile.TemporaryDirectory() as folder:
        found = _execute(TRIAL, {"changes": CHANGES}, Path(folder)).report["found"]
    assert isinstance(found, dict)
    answers = {name: _Answer(**answer) for name, answer in found.items()}  # type: ignore[arg-type]
    assert answers["honest"].guarded == "loaded", answers["honest"]
    return answers


def _is_rebuilt(name: str) -> Callable[[World, Path], bool]:
    return lambda world, folder: not _answers()[name].guarded.startswith("InvalidSubmissionError")


def _keras_loads(name: str) -> Callable[[Attack, World, Path], bool]:
    return lambda attack_, world, folder: _answers()[name].naive == "loaded"


def _graph_attack(
    name: str, change: str, *, control: Control | None = None, claim: str = ALLOWED_ONLY
) -> None:
    CHANGES[name] = textwrap.dedent(change)
    attack(
        f"graph-{name}",
        kind="graph",
        claim=claim,
        run=_is_rebuilt(name),
        control=control or _keras_loads(name),
    )


LAMBDA = """
    import keras
    lambda_layer = keras.layers.Lambda(lambda x: x * 2, output_shape=(57,), name='hidden')
    nodes = layer(graph, 'hidden')['inbound_nodes']
    made = keras.saving.serialize_keras_object(lambda_layer)
    made.update(name='hidden', inbound_nodes=nodes)
    nodes_of_score = layer(graph, 'score')['inbound_nodes']
    layers = graph['model']['config']['layers']
    layers[1] = json.loads(json.dumps(made))
    layer(graph, 'score')['build_config'] = {'input_shape': [None, 57]}
    weights = b''
    graph['weights'] = []
"""
_graph_attack("lambda-layer", "import json\n" + textwrap.dedent(LAMBDA))
_graph_attack(
    "custom-class",
    """
    layer(graph, 'hidden').update(module='harness_plugin', class_name='Secret',
                                  registered_name='x>Secret')
    """,
    control=NotTried(because="the class would have to be importable"),
)
for name, module, class_name in (
    ("subprocess", "subprocess", "Popen"),
    ("builtins-exec", "builtins", "exec"),
    ("os-system", "os", "system"),
    ("tfsm-layer", "keras.layers", "TFSMLayer"),
    ("torch-module", "keras.layers", "TorchModuleWrapper"),
    ("stateful-rnn", "keras.layers", "LSTM"),
    ("string-lookup", "keras.layers", "StringLookup"),
    ("hashing", "keras.layers", "Hashing"),
    ("random-flip", "keras.layers", "RandomFlip"),
):
    _graph_attack(
        f"layer-{name}",
        f"""
        layer(graph, 'hidden').update(module={module!r}, class_name={class_name!r},
                                      registered_name=None)
        """,
        control=NotTried(because="Keras would need more than the name to load it"),
    )
_graph_attack(
    "activation-from-a-module",
    """
    layer(graph, 'hidden')['config']['activation'] = {
        'module': 'os', 'class_name': 'function', 'config': 'getcwd',
        'registered_name': 'function'}
    """,
    control=NotTried(because="Keras finds the function and fails to call it"),
)
_graph_attack(
    "activation-lambda",
    """
    import keras
    layer(graph, 'hidden')['config']['activation'] = keras.saving.serialize_keras_object(
        lambda x: x)
    """,
)
_graph_attack(
    "training-mode",
    """
    for name in ('hidden', 'score'):
        for node in layer(graph, name)['inbound_nodes']:
            node['kwargs']['training'] = True
    """,
    claim="a layer is as it is at inference: no batch statistics",
)
_graph_attack("two-inputs", "graph['input_shape'] = [19, 3]", control=_keras_loads("two-inputs"))
_graph_attack("more-keys", "graph['code'] = 'import os'")
_graph_attack("another-format", "graph['format'] = 2")
_graph_attack("no-functional-model", "graph['model']['class_name'] = 'Model'")
for name, text in {"a-path": "..\\..\\etc", "markup": "<img src=x onerror=alert(1)>"}.items():
    _graph_attack(
        f"name-with-{name}",
        f"""
        import json
        text = json.dumps(graph).replace('"hidden"', json.dumps({text!r}))
        """,
    )
_graph_attack(
    "hidden-text",
    "layer(graph, 'hidden')['build_config']['note'] = 'import os'",
    claim="a graph has text only where its meaning is known",
)
_graph_attack(
    "duplicate-keys",
    """
    import json
    text = json.dumps(graph).replace('"units": 4', '"units": 4, "units": 4', 1)
    """,
)
_graph_attack(
    "nan-in-the-graph",
    "layer(graph, 'hidden')['config']['lora_alpha'] = float('nan')",
    control=NotTried(because="it depends on the layer what NaN does"),
)
_graph_attack(
    "deep-nesting",
    "text = '{\"model\": ' + '[' * 100_000 + ']' * 100_000 + '}'",
    control=NotTried(because="json.loads fails with a RecursionError, which nobody expects"),
)
_graph_attack(
    "huge-number",
    "layer(graph, 'hidden')['config']['units'] = 10 ** 300",
    control=NotTried(because="no machine has the memory"),
)
_graph_attack("too-few-weights", "weights = weights[:-1]")
_graph_attack("too-many-weights", "weights = weights + bytes(4)")
_graph_attack("weights-of-another-layer", "graph['weights'][0]['path'] = 'score/0:kernel'")
_graph_attack(
    "weights-of-objects",
    "graph['weights'][0]['dtype'] = 'object'",
    claim="weights are numbers of known types, never a pickle",
)
_graph_attack("weights-of-strings", "graph['weights'][0]['dtype'] = 'S8'")
_graph_attack("weights-by-the-terabyte", "graph['weights'][0]['shape'] = [10 ** 6, 10 ** 6]")
_graph_attack("negative-shape", "graph['weights'][0]['shape'] = [-57, -4]")
_graph_attack("weights-listed-twice", "graph['weights'].append(graph['weights'][0])")
_graph_attack(
    "no-ascii",
    """
    import json
    text = json.dumps(graph).replace('honest', 'h\\u202eonest').encode().decode()
    """,
)
_graph_attack(
    "pickle-in-the-place-of-json",
    "import pickle\ntext = pickle.dumps(graph, 0).decode('latin-1')",
    control=NotTried(because="json.loads refuses it too"),
)

# --- what a plugin does to its own export ---

FORGED = HONEST + textwrap.dedent("""
    import atexit, json, os, pathlib, sys
    # The plugin is being imported: the worker, the outputs and the report are in its hands.
    graph = {'format': 1, 'input_shape': [57], 'weights': [], 'model': {
        'class_name': 'Functional', 'module': 'os', 'config': {'layers': []},
        'registered_name': 'system'}}
    pathlib.Path('/out/graph').write_text(json.dumps(graph))
    report = {'model_digest': 'sha256:' + '0' * 64, 'input_shape': [57], 'layers': []}
    os.write(int(sys.argv[1]), json.dumps({'report': report}).encode() + b'\\n')
    import time
    time.sleep(60)
""")


@functools.cache
def _forged_export(source: str) -> tuple[StepResult, Path]:
    """Export a submission whose model.py is `source`."""
    folder = bench.kept_folder()
    submission = folder / "submission"
    submission.mkdir()
    (submission / "model.py").write_text(source)
    (folder / "out").mkdir()
    step = Step(
        name="export",
        entry="harness.submission.export:export_submission",
        request={"event_shape": [19, 3]},
        inputs={"submission": submission},
        outputs={"graph": MAX_GRAPH_BYTES, "weights": 10**6},
        limits=ROOMY,
    )
    return open_sandbox("bwrap").run(step, folder / "out"), folder


def _forged_digest_counts(world: World, folder: Path) -> bool:
    """Whether the digest that a plugin reported is the one of the card."""
    result, _ = _forged_export(FORGED)
    said = result.report["model_digest"]
    return said == model_digest(result.outputs["graph"], result.outputs["weights"])


def _forged_graph_is_scored(world: World, folder: Path) -> bool:
    result, _ = _forged_export(FORGED)
    try:
        bench.score(open_sandbox("bwrap"), "score_network", result.outputs, folder, CHUNK_EVENTS)
    except InvalidSubmissionError:
        return False
    return True


attack(
    "export-forges-its-digest",
    kind="graph",
    claim="the model's digest is made by the parent from the files, whatever the plugin reports",
    run=_forged_digest_counts,
    control=lambda attack_, world, folder: (
        _forged_export(FORGED)[0].report["model_digest"] == "sha256:" + "0" * 64
    ),
)
attack(
    "export-writes-a-graph-of-its-own",
    kind="graph",
    claim="what sandbox B loads is checked there, whatever sandbox A said of it",
    run=_forged_graph_is_scored,
    control=lambda attack_, world, folder: (
        b"system" in _forged_export(FORGED)[0].outputs["graph"].read_bytes()
    ),
)
BATCH_MEAN = textwrap.dedent("""
    import keras
    import harness.submission.export as export
    import harness.submission.network as exported
    # Its own checks can't be trusted: they run where the plugin does.
    export.check_network = lambda *_: []
    exported.check_rebuilt = lambda model: None

    def network():
        inputs = keras.Input((57,))
        pt = keras.layers.Dense(1, kernel_initializer='ones', name='sum')(inputs)
        mean = keras.ops.mean(pt, axis=0, keepdims=True)
        return keras.Model(inputs, keras.ops.subtract(pt, mean))
""")


def _batch_mean_is_scored(world: World, folder: Path) -> bool:
    try:
        result, _ = _forged_export(BATCH_MEAN)
        bench.score(open_sandbox("bwrap"), "score_network", result.outputs, folder, CHUNK_EVENTS)
    except InvalidSubmissionError:
        return False
    return True


def _is_allow_listed(attack_: Attack, world: World, folder: Path) -> bool:
    """Return a control: the list of layers alone does not stop it."""
    result, _ = _forged_export(BATCH_MEAN)
    parse_graph(result.outputs["graph"].read_text())
    return True


attack(
    "network-that-subtracts-the-batch-s-mean",
    kind="graph",
    claim="a score depends on its own event alone, though allow-listed layers could mix events",
    run=_batch_mean_is_scored,
    control=_is_allow_listed,
)
attack(
    "network-that-differs-between-calls",
    kind="graph",
    claim="network() gives the same graph and weights at every call",
    run=lambda world, folder: _is_exported(
        HONEST.replace(
            "set_random_seed(1)", "set_random_seed(None or __import__('time').time_ns() % 2**32)"
        )
    ),
    control=lambda attack_, world, folder: _is_exported(HONEST),
)
attack(
    "layer-whose-call-was-replaced",
    kind="graph",
    claim="the exported network scores like the participant's own, bit for bit",
    run=lambda world, folder: _is_exported(
        HONEST
        + textwrap.dedent("""
        plain = network

        def network():
            model = plain()
            layer = model.get_layer('hidden')
            call = layer.call
            layer.call = lambda x, **_: call(x) * 2
            return keras.Model(model.input, model.get_layer('score')(layer(model.input)))
        """)
    ),
    control=lambda attack_, world, folder: _is_exported(HONEST),
)


def _is_exported(source: str) -> bool:
    try:
        _forged_export(source)
    except InvalidSubmissionError:
        return False
    return True
