"""What `harness validate` says of a submission that has no fault: what it lacks, what was not seen.

A note refuses nothing. It is said where a participant would learn of it only after a scoring.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

from harness.submission.digest import read_regular
from harness.submission.validate import Submission

# Layers of Keras that compute with weights: in the trigger division they are rounded to words.
_NAMES = """
    Dense EinsumDense Conv1D Conv2D DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D
    BatchNormalization Normalization Rescaling
"""
_PLAIN_LAYERS = frozenset(_NAMES.split())
NO_PRECISION = (
    "submission.yaml has no `precision`, and model.py builds plain layers of Keras: without it the "
    "network is scored, but it has no firmware and is not ranked. Write `precision: auto`, and the "
    "words are chosen by training events, or state them (docs/submission.md)"
)
NO_OWNERS = (
    "submission.yaml names no `owners`: put your account there before the first full score. A pull "
    "request needs it, and a file that changes afterwards is another entry, to be scored again"
)
NOT_RUN = (
    "not looked at, as none of it was run: what network() builds, its weights, its scores and its "
    "firmware; `harness validate {folder} --deep` runs it on made-up events"
)
NOT_RUN_OPEN = (
    "not looked at, as none of it was run: what score(events) returns; "
    "`harness validate {folder} --deep` runs it on made-up events"
)


def notes_on(submission: Submission, *, has_fpga: bool, was_run: bool) -> Iterator[str]:
    """Yield what a participant should know of a submission without faults.

    Parameters
    ----------
    has_fpga : bool
        Whether a challenge that it is scored on asks for firmware.
    was_run : bool
        Whether the submission was run on made-up events as well.
    """
    spec = submission.spec
    is_trigger = spec.division == "trigger"
    if is_trigger and has_fpga and spec.precision is None and _is_plain(submission):
        yield NO_PRECISION
    if not spec.owners:
        yield NO_OWNERS
    if not was_run:
        yield (NOT_RUN if is_trigger else NOT_RUN_OPEN).format(folder=submission.folder)


def _is_plain(submission: Submission) -> bool:
    """Say whether the source certainly builds layers of Keras, and imports none of HGQ2."""
    sources = [path for path in submission.files if path.suffix == ".py"]
    trees = {path: _parse(submission, path) for path in sources}
    if any("hgq" in _imported(tree) for tree in trees.values()):
        return False
    model = trees.get(PurePosixPath("model.py"))
    return model is not None and any(_is_plain_call(node) for node in ast.walk(model))


def _parse(submission: Submission, path: PurePosixPath) -> ast.Module:
    # `read_submission` has parsed it before, so that it is Python.
    return ast.parse(read_regular(submission.folder / path))


def _imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def _is_plain_call(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in _PLAIN_LAYERS
