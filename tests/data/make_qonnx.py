"""Make tests/data/onnx/qonnx.npz: what QONNX's own executor gives for the graphs of the tests.

Run it in an environment of its own with ``pip install qonnx==1.0.0``, numpy and onnx:
``python -m tests.data.make_qonnx``. `brev.onnx` and `brev.npz` beside it were made by Brevitas
0.13.4, exported as QONNX: two layers whose scales are powers of two; `r` is what Brevitas gives.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.onnx_zoo import EXACT, SCALED, Graph, events_of

FOLDER = Path(__file__).parent / "onnx"
N_EVENTS = 400


def outputs_of(name: str, events: np.ndarray) -> np.ndarray:
    """Return the scores of one graph, by the executor of QONNX."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model = {**EXACT, **SCALED}[name](Graph())
    sizes = model.graph.input[0].type.tensor_type.shape.dim
    sizes[0].dim_value = len(events)
    shaped = events.reshape([size.dim_value for size in sizes])
    wrapper = ModelWrapper(model).transform(InferShapes())
    (scores,) = execute_onnx(wrapper, {"x": shaped}).values()
    return np.asarray(scores, np.float32).reshape(-1)


if __name__ == "__main__":
    made = events_of(N_EVENTS)
    scores = {name: outputs_of(name, made) for name in (*EXACT, *SCALED)}
    np.savez_compressed(FOLDER / "qonnx.npz", events=made, **scores)
