"""A submission written around a saved model: what ``harness new --from-keras`` does."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from harness.card.run import IsolationKind
from harness.challenge import Challenge
from harness.data.cache import cache_root
from harness.errors import UsageError
from harness.files import disk_fault, replacing_folder
from harness.sandbox import open_tried_workspace
from harness.sandbox.step import GIB, Limits
from harness.submission.saved.look import SavedReport
from harness.submission.skeleton import check_new, declaration_text, input_words_of

_LIMITS = Limits(wall_s=300.0, memory_bytes=6 * GIB)
_PT_BITS, _WEIGHT_BITS, _VALUE_BITS = 14, 10, 14
_MODEL = '''"""The network of {team}: {file}, read by harness, and the score of what it gives."""

import keras

from harness import heads


def network() -> keras.Model:
    """Return the trained network; the harness calls only this function."""
    inputs = keras.Input({shape}, name="event")
{words}    # The file's network gets the events as they are. If you scaled them before the training,
    # do the same with x here: a normalisation is part of the network.
    output = heads.from_keras({call})(x)
    return keras.Model(inputs, {score})
'''
_WORDS = """    # The words in which {features} reach the chip; they are cut, not rounded.
    x = heads.input_words(inputs, {words})
"""
_README = """# {team}

`model.py` reads `{file}` by `heads.from_keras`: as data, in a sandbox. It adds the score.

1. `harness validate --deep .` builds the network and its firmware on made-up events.
2. `harness score . --quick` scores a part of the events in seconds; without `--quick`, all of
   them, with the firmware.
3. Fill in `submission.yaml`, and repeat.
"""


def new_from_keras(
    team: str,
    folder: Path,
    challenge: Challenge,
    model: Path,
    *,
    weights: Path | None = None,
    outputs: Sequence[str] = (),
    reference: Path | None = None,
    isolation: IsolationKind = "bwrap",
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Path, SavedReport]:
    """Look at a saved model in a sandbox, and write a submission whose network it is.

    Parameters
    ----------
    team, folder, challenge
        As for `harness.submission.skeleton.new_submission`.
    model, weights : Path
        The saved model: ``.h5``, ``.keras``, or ``model.json`` with its weights.
    outputs : sequence of str
        Layers whose outputs are taken in place of the model's.
    reference : Path, optional
        An ``.npz`` of inputs ``x`` and outputs ``y`` of the program that trained the model.

    Returns
    -------
    Path, SavedReport
        The new folder, and what was seen.

    Raises
    ------
    UsageError
        The name is not allowed, a file is missing, or the folder exists; nothing was written.
    InvalidSubmissionError
        The model cannot be read: every layer that is in the way is named; nothing was written.
    """
    target = check_new(team, folder)
    files = [path for path in (model, weights, reference) if path is not None]
    for path in files:
        if not path.is_file():
            raise UsageError("no such file", where=str(path), fix="check the path")
    if len({path.name for path in files}) < len(files):
        raise UsageError("two of the files have the same name", where=str(model))
    with open_tried_workspace(isolation, cache_root()) as workspace:
        progress(f"reading {model.name} in a sandbox")
        staged = workspace.new_folder("saved")
        for path in files:
            _copy(path, staged / path.name)
        found = workspace.run(
            "saved-model",
            "harness.submission.saved.look:look_at_saved",
            SavedReport,
            request={
                "model": model.name,
                "weights": weights.name if weights else None,
                "reference": reference.name if reference else None,
                "outputs": list(outputs),
                "event_shape": list(challenge.layout.shape),
            },
            inputs={"folder": staged},
            limits=_LIMITS,
        ).report
        with replacing_folder(target) as new:
            for path in filter(None, (model, weights)):
                _copy(staged / path.name, new / path.name)
            texts = {
                "model.py": _model_text(team, challenge, model, weights, outputs, found),
                "submission.yaml": declaration_text(team, challenge, f"The network in {model.name}")
                + _precision_text(found),
                "README.md": _README.format(team=team, file=model.name),
            }
            for name, text in texts.items():
                (new / name).write_text(text, encoding="utf-8", newline="\n")
    return target, found


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise disk_fault(source, error) from error


def _model_text(
    team: str,
    challenge: Challenge,
    model: Path,
    weights: Path | None,
    outputs: Sequence[str],
    found: SavedReport,
) -> str:
    words = "    x = inputs\n"
    if found.has_words:
        listed = ", ".join(json.dumps(w) for w in input_words_of(challenge, found.fraction_bits))
        features = ", ".join(challenge.layout.features)
        words = _WORDS.format(features=features, words=f"[{listed}]")
    call = [json.dumps(model.name)]
    if weights is not None:
        call.append(f"weights={json.dumps(weights.name)}")
    if outputs:
        call.append(f"outputs={json.dumps(list(outputs))}")
    return _MODEL.format(
        team=team,
        file=model.name.replace('"""', ""),
        shape=tuple(found.input_shape),
        words=words,
        call=", ".join(call),
        score=score_line(found),
    )


def score_line(found: SavedReport) -> str:
    """Return the expression of the score of ``output``: what the shapes suggest.

    Examples
    --------
    >>> from types import SimpleNamespace as Report
    >>> score_line(Report(input_shape=(57,), output_shapes=((1,),), has_words=True))
    'output'
    """
    shapes = found.output_shapes
    if len(shapes) > 1:
        is_pair = len(shapes) == 2 and shapes[0] == shapes[1]
        return "heads.kl_divergence(*output)" if is_pair else "heads.sum_of_squares(output[0])"
    n_outputs, is_flat = math.prod(shapes[0]), len(found.input_shape) == len(shapes[0]) == 1
    output = "output" if len(shapes[0]) == 1 else "keras.layers.Flatten()(output)"
    if n_outputs == 1:
        return output
    if n_outputs != math.prod(found.input_shape):
        squares, mean = f"keras.ops.square({output})", f"heads.sum_of_squares({output})"
        return mean if found.has_words else f"keras.ops.sum({squares}, axis=-1, keepdims=True)"
    x = "x" if is_flat else "keras.layers.Flatten()(x)"
    if found.has_words:
        return f'heads.mean_squared_error({x}, {output}, word="fixed<9,9>")'
    return f"keras.ops.mean(keras.ops.square({x} - {output}), axis=-1, keepdims=True)"


def _precision_text(found: SavedReport) -> str:
    """Return the words of plain layers, wide enough for what was seen.

    A product of the two and a sum of some of them stay within the 32 bits that can be compared.
    """
    if not found.plain_layers:
        return ""
    weights, values = (
        int(np.frexp(size)[1]) + 1 for size in (found.largest_weight, found.largest_value)
    )
    values, weights = min(max(values, 4), 12), min(max(weights, 2), 6)
    return (
        "# Plain layers are rounded to these words: choose shorter ones for a smaller netlist.\n"
        "precision:\n"
        f'  input: "fixed<{_PT_BITS + 6},{_PT_BITS}>"\n'
        f'  weights: "fixed<{_WEIGHT_BITS},{weights}>"\n'
        f'  activations: "fixed<{_VALUE_BITS},{values}>"\n'
    )
