"""`harness new --from-torch`: a PyTorch model as a submission whose scores were compared."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.card.run import IsolationKind
from harness.challenge import Challenge
from harness.data.cache import cache_root
from harness.data.manifest import load_manifest
from harness.data.training import training_events
from harness.errors import EnvironmentFaultError, SubmissionError, UsageError
from harness.files import read_bounded
from harness.sandbox import Workspace, open_tried_workspace
from harness.sandbox.scores import BYTES_PER_SCORE, read_scores
from harness.sandbox.step import GIB, Limits
from harness.scoring.integrity import Batch
from harness.scoring.scorer import Scorer, extract_network, score_batches
from harness.submission.digest import MAX_FILE_BYTES
from harness.submission.skeleton import ONNX_NAME, check_new, new_onnx_submission
from harness.submission.torch_export import TorchReport

# Training events whose scores are compared, and how far float32 may round them differently, as a
# share of the spread of the scores.
N_COMPARED = 10_000
MAX_DIFFERENCE = 1e-4
_LIMITS = Limits(wall_s=600.0, memory_bytes=16 * GIB)


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """A submission that was made of a PyTorch model.

    Attributes
    ----------
    folder : Path
        Where it lies.
    n_compared : int
        Training events that PyTorch and the network of the submission both scored.
    difference : float
        The largest difference of the two scores, as a share of their spread.
    """

    folder: Path
    n_compared: int
    difference: float


def submission_from_torch(
    team: str,
    submissions: Path,
    *,
    source: str,
    weights: Path,
    challenge: str = "sample",
    manifests: Sequence[Path] = (),
    isolation: IsolationKind = "bwrap",
    progress: Callable[[str], None] = lambda _: None,
) -> Imported:
    """Export a PyTorch model, compare its scores before and after, and write a submission.

    Parameters
    ----------
    team : str
        Name of the new folder in `submissions`.
    source : str
        Where the model is made: ``model.py:Net``, a class or function without arguments.
    weights : Path
        What ``torch.save(model.state_dict(), path)`` wrote.

    Other parameters are those of `harness.scoring.pipeline.score`.

    Raises
    ------
    HarnessError
        See `harness.errors`: the class says whose fault it was. Nothing is written then.
    """
    file, name = _split(source)
    _check_files(file, weights)
    target = check_new(team, submissions)
    if missing := [one for one in ("torch", "onnxscript") if find_spec(one) is None]:
        raise EnvironmentFaultError(
            f"the Python of harness, {sys.executable}, does not have {' and '.join(missing)}",
            expected="PyTorch beside harness, for the export alone",
            fix=f"{sys.executable} -m pip install {' '.join(missing)}; or, where you have PyTorch, "
            "torch.onnx.export(model, (event,), 'model.onnx', external_data=False) of one event, "
            "and here harness new TEAM --from-onnx model.onnx",
        )
    rules = load_manifest(*manifests).challenge(challenge)
    events = _events(rules, manifests)
    with open_tried_workspace(isolation, cache_root()) as workspace:
        progress(f"export: {name} of {file.name}, by PyTorch")
        model, before = _export(workspace, rules, file, name, weights, events, progress)
        progress(f"compare: {len(events):,} training events")
        after = _score(workspace, rules, model, events, progress)
        difference = _difference(before, after)
        folder = new_onnx_submission(team, submissions, rules, model, file)
    assert folder == target
    return Imported(folder=folder, n_compared=len(events), difference=difference)


def _split(source: str) -> tuple[Path, str]:
    path, separator, name = source.rpartition(":")
    if not separator or not name.isidentifier():
        raise UsageError(
            f"{source[:80]!r} names no class",
            where="--from-torch",
            expected="a file and a class or function in it: model.py:Net",
            fix="write the name of the class after a colon",
        )
    return Path(path), name


def _check_files(file: Path, weights: Path) -> None:
    for path, what in ((file, "--from-torch"), (weights, "--weights")):
        if not path.is_file():
            raise UsageError(f"no such file: {path}", where=what, fix="check the path")


def _events(rules: Challenge, manifests: Sequence[Path]) -> NDArray[np.float32]:
    chosen = training_events(rules, manifest=manifests[-1] if manifests else None)
    return np.asarray(chosen[:N_COMPARED], np.float32)


def _export(
    workspace: Workspace,
    rules: Challenge,
    file: Path,
    name: str,
    weights: Path,
    events: NDArray[np.float32],
    progress: Callable[[str], None],
) -> tuple[bytes, NDArray[np.float64]]:
    """Run PyTorch in a step; return the ONNX file and the scores of the events."""
    from harness.sandbox.log import show_printed

    kept = workspace.new_folder("events") / "events.npy"
    np.save(kept, events, allow_pickle=False)
    done = workspace.run(
        "torch",
        "harness.submission.torch_export:export_torch",
        TorchReport,
        request={
            "file": file.name,
            "name": name,
            "event_shape": list(rules.layout.shape),
            "weights": weights.name,
        },
        inputs={"source": file.resolve().parent, "weights": weights.resolve(), "events": kept},
        outputs={"model": MAX_FILE_BYTES, "scores": BYTES_PER_SCORE * len(events)},
        limits=_LIMITS,
        printed=show_printed(progress, file.name),
    )
    model = read_bounded(done.outputs["model"], MAX_FILE_BYTES)
    return model, read_scores(done.outputs["scores"], len(events))


def _score(
    workspace: Workspace,
    rules: Challenge,
    model: bytes,
    events: NDArray[np.float32],
    progress: Callable[[str], None],
) -> NDArray[np.float64]:
    """Score the events by the network that the ONNX file becomes."""
    staged = workspace.new_folder("submission")
    (staged / ONNX_NAME).write_bytes(model)
    network = extract_network(workspace, staged, rules, progress, ONNX_NAME)
    kept = workspace.new_folder("compared") / "events.npy"
    np.save(kept, events, allow_pickle=False)
    batch = Batch(events=kept, n_events=len(events), at_once=len(events))
    scorer = Scorer.of_network(network, rules.layout)
    (scores,), _ = score_batches(workspace, scorer, [batch], "checks")
    return scores


def _difference(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Return the largest difference of two scores as a share of their spread.

    Raises
    ------
    SubmissionError
        It is more than float32 rounds.
    """
    spread = float(before.std()) or 1.0
    difference = float(np.abs(before - after).max()) / spread
    if difference <= MAX_DIFFERENCE:
        return difference
    worst = int(np.argmax(np.abs(before - after)))
    raise SubmissionError(
        f"PyTorch gives {before[worst]:g} and the exported network {after[worst]:g} for the "
        f"training event {worst}: {difference:.1e} of the spread of the scores",
        where=ONNX_NAME,
        expected=f"at most {MAX_DIFFERENCE:g}",
        fix="call model.eval(), draw nothing at random in forward(), and compute in float32",
    )
