"""The step that looks at a saved model, before a submission with it is written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from harness.challenge import Value
from harness.errors import InvalidSubmissionError
from harness.submission.contract import input_shapes
from harness.submission.export import probe_events
from harness.submission.network import load_keras
from harness.submission.saved.build import build_saved

if TYPE_CHECKING:
    import keras

REFERENCE = "x: the inputs; y: what the model gives for them in the program that trained it"


class Comparison(Value):
    """How far what is read is from outputs that the participant saved.

    Attributes
    ----------
    n_outputs, n_differing : int
        Numbers that were compared, and those that are not the same bit for bit.
    largest : float
        Largest difference.
    spread : float
        Standard deviation of the saved outputs.
    """

    n_outputs: int
    n_differing: int
    largest: float
    spread: float


class SavedReport(Value):
    """What `look_at_saved` reports.

    Attributes
    ----------
    input_shape : tuple of int
        Of one event.
    output_shapes : tuple
        Of each output.
    has_words : bool
        Whether layers of QKeras are in it.
    plain_layers : tuple of str
        Layers whose arithmetic needs ``precision`` to become firmware.
    fraction_bits : int
        Bits after the point of the first quantiser.
    largest_weight, largest_value : float
        Largest absolute kernel or bias, and value between layers, for made-up events.
    comparison : Comparison or None
        With saved outputs.
    """

    input_shape: tuple[int, ...]
    output_shapes: tuple[tuple[int, ...], ...]
    has_words: bool
    plain_layers: tuple[str, ...]
    fraction_bits: int
    largest_weight: float
    largest_value: float
    comparison: Comparison | None = None


def look_at_saved(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Read a saved model and describe it.

    Parameters
    ----------
    request : mapping
        ``model``, ``weights`` and ``reference``: names of files, or None; ``outputs``: names of
        layers; ``event_shape``: of the challenge.
    inputs : mapping
        ``folder``: holds the files.

    Returns
    -------
    dict
        The fields of `SavedReport`.

    Raises
    ------
    InvalidSubmissionError
        The model cannot be read, or does not take the challenge's events.
    """
    del outputs
    load_keras()
    folder = inputs["folder"]
    weights, reference = request.get("weights"), request.get("reference")
    model = build_saved(
        folder / str(request["model"]),
        None if weights is None else folder / str(weights),
        cast("list[str]", request["outputs"]),
    )
    shape = cast("list[int]", request["event_shape"])
    event_shape = tuple(shape)
    _check_shape(model, event_shape, str(request["model"]))
    report = _describe(model, event_shape)
    if reference is not None:
        report["comparison"] = _compare(model, folder / str(reference))
    return report


def _check_shape(model: keras.Model, event_shape: tuple[int, ...], name: str) -> None:
    allowed = input_shapes(event_shape)
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    if len(shapes) == 1 and shapes[0] in allowed:
        return
    raise InvalidSubmissionError(
        f"takes {', '.join(map(str, shapes))}",
        where=name,
        expected="one input of the shape " + " or ".join(map(str, allowed)),
        fix="write model.py by hand: select the inputs there (heads.combine), and call "
        "heads.from_keras(...) with them; docs/coming-from.md has an example",
    )


def _describe(model: keras.Model, event_shape: tuple[int, ...]) -> dict[str, Any]:
    import keras

    x = probe_events(event_shape).reshape(-1, *model.input_shape[1:])
    tensors = [node for layer in model.layers for node in _outputs_of(layer)]
    values = keras.Function(model.inputs, tensors)([x])
    words = [layer for layer in model.layers if type(layer).__name__ == "Quantizer"]
    return {
        "input_shape": list(model.input_shape[1:]),
        "output_shapes": [list(tensor.shape[1:]) for tensor in model.outputs],
        "has_words": any(type(layer).__module__.startswith("hgq") for layer in model.layers),
        "plain_layers": [layer.name for layer in model.layers if _needs_precision(layer)],
        "fraction_bits": int(np.max(words[0].quantizer.kif[2])) if words else 0,
        "largest_weight": _largest(
            [weight.value for weight in model.weights if weight.name.endswith(("kernel", "bias"))]
        ),
        "largest_value": _largest(values),
    }


def _outputs_of(layer: keras.layers.Layer) -> list[Any]:
    output = layer.output if not hasattr(layer, "layers") else []
    return list(output) if isinstance(output, list | tuple) else [output]


_FREE = frozenset(
    """
    InputLayer Flatten Reshape Permute Concatenate Dropout ZeroPadding1D ZeroPadding2D Cropping1D
    Cropping2D UpSampling1D UpSampling2D RepeatVector ReLU Identity GaussianNoise GaussianDropout
    SpatialDropout1D SpatialDropout2D AlphaDropout ActivityRegularization
    """.split()  # noqa: SIM905 a table of names
)


def _needs_precision(layer: keras.layers.Layer) -> bool:
    if hasattr(layer, "layers"):
        return any(_needs_precision(inner) for inner in layer.layers)
    is_plain = type(layer).__module__.startswith("keras.src.layers")
    return is_plain and type(layer).__name__ not in _FREE


def _largest(arrays: Any) -> float:  # noqa: ANN401 tensors of Keras
    sizes = [float(np.abs(np.asarray(array)).max()) for array in arrays if np.size(array)]
    largest = max(sizes, default=0.0)
    return largest if math.isfinite(largest) else 0.0


def _compare(model: keras.Model, path: Path) -> dict[str, Any]:
    x, y = _read_reference(path)
    if x.shape[1:] != tuple(model.input_shape[1:]) or len(model.outputs) != 1:
        raise InvalidSubmissionError(
            f"x has the shape {x.shape}", where=path.name, expected=f"(n, *{model.input_shape[1:]})"
        )
    found = np.asarray(model(x.astype(np.float32), training=False), np.float64)
    if found.shape != y.shape:
        raise InvalidSubmissionError(
            f"y has the shape {y.shape}", where=path.name, expected=str(found.shape)
        )
    return {
        "n_outputs": int(y.size),
        "n_differing": int((found != y).sum()),
        "largest": float(np.abs(found - y).max(initial=0.0)),
        "spread": float(np.std(y.astype(np.float64))) if y.size else 0.0,
    }


def _read_reference(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import zipfile

    try:
        with np.load(path, allow_pickle=False) as file:
            x, y = np.asarray(file["x"]), np.asarray(file["y"])
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise InvalidSubmissionError(
            f"cannot be read: {str(error)[:120]}",
            where=path.name,
            expected=f"an .npz with {REFERENCE}",
            fix='np.savez("outputs.npz", x=x, y=model.predict(x)) where the model was trained',
        ) from error
    if (
        x.dtype.kind != "f"
        or y.dtype.kind != "f"
        or not (np.isfinite(x).all() & np.isfinite(y).all())
    ):
        raise InvalidSubmissionError("x or y is no finite floating number", where=path.name)
    return x.astype(np.float64), y.astype(np.float64)
