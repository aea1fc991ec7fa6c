"""What a participant's `model.py` may do, and how what it does wrong is told."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.errors import InvalidSubmissionError, SubmissionError
from harness.submission import export, network

REQUEST = {"event_shape": [19, 3]}


@pytest.fixture(autouse=True)
def _stay_put(monkeypatch, tmp_path):
    """Undo what importing a plugin does to this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    monkeypatch.setattr("sys.dont_write_bytecode", False)


@pytest.fixture
def outputs(tmp_path):
    return {"graph": tmp_path / "graph", "weights": tmp_path / "weights"}


def run(folder, outputs):
    return export.export_submission(REQUEST, {"submission": folder}, outputs)


def test_a_quantised_submission_is_exported(submission, outputs):
    report = run(submission(), outputs)
    assert report["model_digest"] == network.model_digest(outputs["graph"], outputs["weights"])
    assert report["input_shape"] == [57]
    assert report["layers"][-1] == ["score", "QEinsum"]
    assert json.dumps(report)


# Keras warns of its own files and of NumPy 2.
@pytest.mark.filterwarnings("ignore")
def test_weights_of_another_shape_are_told_by_the_shapes_alone(
    submission, outputs, tmp_path, monkeypatch
):
    folder = submission(
        """
        import os
        import keras
        from hgq.layers import QDense
        def made(n):
            inputs = keras.Input((57,))
            return keras.Model(inputs, QDense(1)(QDense(n, name="first")(inputs)))
        def network():
            path = os.environ["WEIGHTS"]
            made(16).save_weights(path)
            model = made(17)
            model.load_weights(path)
            return model
        """
    )
    monkeypatch.setenv("WEIGHTS", str(tmp_path / "a.weights.h5"))
    with pytest.raises(SubmissionError) as raised:
        run(folder, outputs)
    (problem,) = raised.value.problems
    assert "variable.shape=(57, 17), Received: value.shape=(57, 16)" in problem.what
    assert "<Variable path=first/kernel, shape=(57, 17), dtype=float32>" in problem.what
    assert "value=[" not in problem.what


def test_the_digest_is_the_same_at_every_export(submission, outputs):
    first = run(submission(), outputs)["model_digest"]
    assert run(submission(), outputs)["model_digest"] == first


def test_files_of_the_submission_are_found_by_relative_path_and_import(submission, outputs):
    folder = submission(
        """
        import keras, numpy as np
        from parts import first
        print("chatter " * 1000)
        def network():
            inputs = keras.Input((19, 3))
            score = keras.layers.Dense(1)(keras.layers.Flatten()(first(inputs)))
            model = keras.Model(inputs, score)
            model.set_weights(list(np.load("weights.npz").values()))
            return model
        """,
        **{"parts.py": b"def first(x):\n    return x * 0.5\n"},
    )
    np.savez(folder / "weights.npz", np.ones((57, 1), "f4"), np.zeros(1, "f4"))
    assert run(folder, outputs)["input_shape"] == [19, 3]


def in_network(body: str) -> str:
    """Return a `model.py` whose ``network()`` has this body, with a score to return."""
    return f"""
        import keras
        def network():
            x = keras.Input((57,))
            score = keras.layers.Dense(1, kernel_initializer="ones")
            {body}
    """


SUBMISSION_FAILURES = [
    ("import nowhere_to_be_found\n", r"model.py, line 1: ModuleNotFoundError while"),
    ("import sys\nsys.exit(3)\n", r"called sys.exit\(3\) while model.py was imported"),
    ("raise KeyboardInterrupt\n", "KeyboardInterrupt while"),
    ("class Odd(BaseException): pass\nraise Odd('x')\n", "Odd while model.py was imported: x"),
    (in_network("raise ValueError('no weights')"), r"line 6: ValueError in network\(\): no w"),
    (in_network("import torch"), r"ModuleNotFoundError in network\(\)[^$]*network without it"),
    (in_network("open('weights.h5')"), r"FileNotFoundError in network\(\)"),
    (in_network("return keras.saving.load_model('x.keras')"), r"ValueError in network\(\)"),
    (in_network("exit()"), r"called sys.exit\(None\) in network\(\)"),
    (in_network("return [0] * 10**15"), r"MemoryError in network\(\)"),
    (in_network("return network()"), r"RecursionError in network\(\)"),
]


@pytest.mark.parametrize(("source", "told"), SUBMISSION_FAILURES)
def test_code_that_fails_is_a_failure_of_the_submission(submission, outputs, source, told):
    with pytest.raises(SubmissionError, match=told):
        run(submission(source), outputs)
    assert not outputs["graph"].exists()


INVALID = [
    ("def network(:\n", r"model.py, line 1: syntax error"),
    ("x = 1\n", "has no function network"),
    ("network = 3\n", "network is no function"),
    ("def network(): return 3\n", "returned builtins.int"),
    (in_network("return keras.Model(x, keras.layers.Dense(2)(x))"), r"shape is \(n, 2\)"),
    (in_network("return keras.Model(x, keras.layers.Dense(1)(x))"), "another network at its"),
    (
        in_network("return keras.Model(x, score(x) - keras.ops.mean(score(x)))"),
        "Mean with axis=None",
    ),
    (in_network("return keras.Model(x, keras.ops.cast(score(x), 'float64'))"), "gives float64"),
    (in_network("return keras.Model(x, keras.layers.Lambda(lambda v: v[:, :1])(x))"), "Lambda"),
]


@pytest.mark.parametrize(("source", "told"), INVALID)
def test_a_network_against_the_contract_is_invalid(submission, outputs, source, told):
    with pytest.raises(InvalidSubmissionError, match=told):
        run(submission(source), outputs)


def test_a_missing_model_is_told(tmp_path, outputs):
    with pytest.raises(InvalidSubmissionError, match=r"model.py: no such file"):
        run(tmp_path, outputs)


def test_a_function_under_a_false_name_is_found(submission, outputs):
    source = """
        import keras
        def relu(x):
            return x * x
        def network():
            x = keras.Input((57,))
            return keras.Model(x, keras.layers.Dense(1, "relu", kernel_initializer="ones")(x))
    """
    honest = run(submission(source.replace('"relu"', '"tanh"')), outputs)
    assert honest
    with pytest.raises(InvalidSubmissionError, match="differently"):
        run(submission(source.replace('"relu"', "relu")), outputs)


def test_a_method_changed_after_construction_is_found(submission, outputs):
    source = in_network(
        "score.call = lambda v, **_: v[:, :1] * 7.0\n            return keras.Model(x, score(x))"
    )
    with pytest.raises(InvalidSubmissionError, match="differently"):
        run(submission(source), outputs)


def test_probe_events_look_like_events():
    events = export.probe_events((10, 4))
    assert events.shape == (export.N_PROBES, 10, 4)
    assert events.dtype == np.float32
    assert (events[..., 0] >= 0).all()
    assert (events[:, -1] == 0).all(axis=1).any()
    np.testing.assert_array_equal(events, export.probe_events((10, 4)))
