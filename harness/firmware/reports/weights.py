"""Whether handed-in reports are of the submission's network: its weights in their Keras model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from harness.challenge import Value
from harness.errors import InvalidSubmissionError
from harness.firmware.tools import Files, Report, Request
from harness.sandbox.workspace import Workspace
from harness.submission.graph import parse_graph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class CommonWeights(Value):
    """How many of the submission's weight arrays a handed-in model holds."""

    n_arrays: int = Field(ge=0)
    n_found: int = Field(ge=0)


def compare_models(model: Path | None, graph: Path, weights: Path, workspace: Workspace) -> str:
    """Compare a handed-in Keras model with the submission, weight by weight; return a note.

    Raises
    ------
    InvalidSubmissionError
        It holds none of the submission's weights: it is another design.
    """
    if model is None:
        return "no Keras model lies beside the reports: that they are this network's is not shown"
    found = workspace.run(
        "firmware-compare",
        "harness.firmware.reports.weights:count_common_weights",
        CommonWeights,
        inputs={"model": model, "graph": graph, "weights": weights},
    ).report
    if found.n_arrays and not found.n_found:
        raise InvalidSubmissionError(
            f"the Keras model beside the reports holds none of the submission's "
            f"{found.n_arrays} weight arrays",
            where=model.name,
            expected="the reports of this network",
            fix="synthesise the network that is submitted",
        )
    share = f"{found.n_found} of the submission's {found.n_arrays} weight arrays"
    return f"the Keras model beside the reports holds {share}"


# --- The step -------------------------------------------------------------------------------------


def count_common_weights(_: Request, inputs: Files, __: Files) -> Report:
    """Count the submission's weight arrays that a Keras file holds (entry of a step)."""
    own = set(_exported_arrays(inputs["graph"], inputs["weights"]))
    theirs = set(_keras_arrays(inputs["model"]))
    return {"n_arrays": len(own), "n_found": len(own & theirs)}


def _exported_arrays(graph: Path, weights: Path) -> Iterator[str]:
    """Yield a digest of each kernel and the like: arrays of more than one dimension."""
    import numpy as np

    content, first = weights.read_bytes(), 0
    for weight in parse_graph(graph.read_text()).weights:
        array = np.frombuffer(content[first : first + weight.n_bytes], weight.numpy_type)
        first += weight.n_bytes
        if len(weight.shape) > 1:
            yield _array_digest(array.reshape(weight.shape))


def _keras_arrays(path: Path) -> Iterator[str]:
    """Yield a digest of every array of more than one dimension in an .h5 or .keras file."""
    import io
    import zipfile

    import h5py

    is_archive = zipfile.is_zipfile(path)
    source = io.BytesIO(zipfile.ZipFile(path).read("model.weights.h5")) if is_archive else path
    digests: list[str] = []

    def visit(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim > 1:
            digests.append(_array_digest(item[()]))

    with h5py.File(source, "r") as file:
        file.visititems(visit)
    yield from digests


def _array_digest(array: NDArray[np.generic]) -> str:
    import numpy as np

    values = np.ascontiguousarray(array, "<f4")
    return hashlib.sha256(repr(values.shape).encode() + values.tobytes()).hexdigest()
