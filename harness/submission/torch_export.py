"""The step that turns a PyTorch model into an ONNX file, on the machine of its author.

PyTorch is a package of the participant: nothing that scores imports it.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from harness.challenge import Value
from harness.errors import InvalidSubmissionError, SubmissionError
from harness.submission.contract import input_shapes
from harness.submission.plugin import blamed_on_submission, find_function, message_of

# Events of an export whose number of events cannot be left open: no size of an event.
_N_EVENTS = 7
# How checkpoints of training loops call the weights that they hold.
_STATE_KEYS = ("state_dict", "model_state_dict", "model", "weights")


class TorchReport(Value):
    """What `export_torch` reports."""

    input_shape: tuple[int, ...]


def export_torch(
    request: Mapping[str, JsonValue], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, JsonValue]:
    """Build a PyTorch model, export it as ONNX, and score events with it (entry of a step).

    Parameters
    ----------
    request : mapping
        ``file`` and ``name``: where the model is made, such as ``model.py`` and ``Net``;
        ``event_shape``: ``[n_objects, n_features]``; ``weights``: the name of the checkpoint.
    inputs : mapping
        ``source``: the folder of the file; ``weights``: the checkpoint; ``events``: float32, of
        shape (n, n_objects, n_features).
    outputs : mapping
        ``model``: the ONNX file; ``scores``: float64, one for each event.

    Raises
    ------
    InvalidSubmissionError
        The model does not give one number for each event.
    SubmissionError
        The participant's code failed.
    """
    import torch

    file, name = str(request["file"]), str(request["name"])
    sizes = cast("list[int]", request["event_shape"])
    shown = str(request["weights"])
    model = _load(inputs["source"].resolve(), file, name, inputs["weights"], shown)
    events = np.load(inputs["events"])
    shape = _input_shape(model, events, (sizes[0], sizes[1]), f"{file}, {name}")
    example = torch.from_numpy(events[:_N_EVENTS].reshape(-1, *shape))
    with blamed_on_submission(inputs["source"], "while it was exported"):
        _export(model, example, outputs["model"])
    _scores(model, events.reshape(-1, *shape)).tofile(outputs["scores"])
    return {"input_shape": list(shape)}


def _load(folder: Path, file: str, name: str, weights: Path, shown: str) -> Any:  # noqa: ANN401 of PyTorch
    """Return the model with its weights, as it scores; `shown` is what their file is called."""
    make = find_function(_import(folder, file), name)
    with blamed_on_submission(folder, f"in {name}()"):
        model: Any = make()
    state = _read_state(weights, shown)
    try:
        owner, state = find_owner(model, state)
        owner.load_state_dict(state)
    except Exception as error:
        # PyTorch raises RuntimeError of shapes and names, AttributeError where it is no module.
        raise SubmissionError(
            f"{type(error).__name__}: {message_of(error)}",
            where=shown,
            expected=f"the weights of {name}, or of one of the modules in it",
            fix=f"build in {name} the network that was trained, as self.network = Trained(), and "
            "compute the score in forward(); constants of the score go in by "
            "register_buffer(..., persistent=False)",
        ) from error
    return model.eval()


def find_owner(model: Any, state: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:  # noqa: ANN401
    """Return the module of a model that weights belong to, and the weights by its names.

    The network that was trained may be a part of the model, which computes the score around it.
    Tools put words before each name: ``module.`` of `DataParallel`, ``_orig_mod.`` of
    `torch.compile`, the name of the network in a module of Lightning.

    Returns
    -------
    module, mapping
        The outermost module with exactly these names and all parameters of the model, so that none
        stays as it was drawn, and the weights; where there is none, the model itself and the
        weights as they are.
    """
    shorter = [*_without_words(state)]
    n_parameters = len([*model.parameters()])
    for _, module in model.named_modules():
        if len([*module.parameters()]) < n_parameters:
            continue
        names = module.state_dict().keys()
        for one in shorter:
            if names and names == one.keys():
                return module, one
    return model, state


def _without_words(state: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield weights by their names, and without the words that all names begin with."""
    while state:
        yield state
        words = {name.partition(".")[0] if "." in name else None for name in state}
        if len(words) > 1 or None in words:
            return
        state = {name.partition(".")[2]: value for name, value in state.items()}


def _import(folder: Path, file: str) -> Any:  # noqa: ANN401 a module
    spec = importlib.util.spec_from_file_location(Path(file).stem, folder / file)
    if spec is None or spec.loader is None:
        raise InvalidSubmissionError("is no Python file", where=file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(folder))
    with blamed_on_submission(folder, f"while {file} was imported"):
        spec.loader.exec_module(module)
    return module


def _read_state(weights: Path, shown: str) -> Mapping[str, Any]:
    """Read weights and nothing else: no code of a pickle runs."""
    import torch

    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:
        # What it raises depends on what is in the file; PyTorch then explains how to run its code.
        reason = message_of(error).partition(". ")[0]
        raise SubmissionError(
            f"cannot be read as weights: {type(error).__name__}: {reason}",
            where=shown,
            expected="a dictionary of tensors; a whole model or other objects are not unpickled",
            fix="save the weights alone where the model was trained: "
            "torch.save(model.state_dict(), 'best.pth')",
        ) from error
    for key in _STATE_KEYS:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    return cast("Mapping[str, Any]", state)


def _input_shape(
    model: Callable[..., Any], events: NDArray[np.float32], event_shape: tuple[int, int], where: str
) -> tuple[int, ...]:
    """Return the shape of events for which the model gives one number each."""
    tried = []
    for shape in (*input_shapes(event_shape), (1, *event_shape)):
        try:
            scores = _scores(model, events[:_N_EVENTS].reshape(-1, *shape))
        except InvalidSubmissionError as error:
            tried.append(f"{shape}: {error.problems[0].what}")
        except Exception as error:  # noqa: BLE001 another shape is tried
            tried.append(f"{shape}: {message_of(error)[:100]}")
        else:
            if len(scores) == min(_N_EVENTS, len(events)):
                return shape
    raise InvalidSubmissionError(
        "gives no anomaly score for any shape of an event; " + "; ".join(tried),
        where=where,
        expected="forward(events) that returns a tensor of shape (n,) or (n, 1)",
        fix="compute the score in forward(), such as ((x - decoded) ** 2).mean(dim=1); "
        "docs/coming-from.md has examples",
    )


def _scores(model: Callable[..., Any], events: NDArray[np.float32]) -> NDArray[np.float64]:
    import torch

    with torch.no_grad():
        made = model(torch.from_numpy(events))
    if not isinstance(made, torch.Tensor) or tuple(made.shape[1:]) not in ((), (1,)):
        shown = tuple(made.shape) if isinstance(made, torch.Tensor) else type(made).__name__
        raise InvalidSubmissionError(f"returns {shown}")
    return np.asarray(made.reshape(-1).numpy(), np.float64)


def _export(model: Any, example: Any, path: Path) -> None:  # noqa: ANN401 of PyTorch
    """Export with an open number of events; where that fails, with a fixed one."""
    import torch

    failed: list[Exception] = []
    for axes in _axes():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    model,
                    (example,),
                    str(path),
                    input_names=["event"],
                    output_names=["score"],
                    dynamic_shapes=axes,
                    dynamo=True,
                    external_data=False,
                    verbose=False,
                )
        except Exception as error:  # noqa: BLE001 the other form is tried
            failed.append(error)
        else:
            return
    raise failed[-1]


def _axes() -> Iterator[Any]:
    import torch

    yield ({0: torch.export.Dim.DYNAMIC},)
    yield None
