"""A small challenge to score on: the harness's own way from events to checks, in seconds."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from harness.challenge import Challenge
from harness.data.mix import Mixture
from harness.sandbox import Sandbox, Workspace
from harness.scoring.integrity import other_batch
from harness.scoring.measure import ScoredEvents, score_mixture
from harness.scoring.scorer import Scorer
from harness.scoring.stages import ScoringRun, StageClock
from harness.submission.open_scores import OPEN_CHUNK_EVENTS
from tests.events import make_challenge, make_events, toy_file

N_BACKGROUND, N_SIGNAL = 20_000, 2_000


@functools.cache
def challenge() -> Challenge:
    """Return a challenge of one background and one signal."""
    return make_challenge([toy_file(), toy_file("signal.h5", role="signal", process="signal")])


def kept_folder() -> Path:
    """Make a folder that stays until the end of the process."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def mixture() -> Mixture:
    """Return background and signal, mixed; signal has five times the background's pT."""
    rng = np.random.default_rng(3)
    background, signal = make_events(N_BACKGROUND, seed=1), make_events(N_SIGNAL, seed=2)
    signal[..., 0] *= 5
    rows = rng.permutation(N_BACKGROUND + N_SIGNAL)
    events = np.empty((len(rows), *background.shape[1:]), np.float32)
    events[rows] = np.concatenate([background, signal])
    path = kept_folder() / "events.npy"
    np.save(path, events)
    of = {"background": rows[:N_BACKGROUND], "signal": rows[N_BACKGROUND:]}
    return Mixture(
        path=path,
        rows=of,
        indices={name: np.arange(len(found)) for name, found in of.items()},
        hashes={
            name: np.arange(len(found), dtype=np.uint64) + (name == "signal") * 10**6
            for name, found in of.items()
        },
    )


def score(
    sandbox: Sandbox, function: str, inputs: Mapping[str, Path], folder: Path, at_once: int
) -> ScoredEvents:
    """Score the mixture as the harness does, with all checks."""
    folder.mkdir(parents=True, exist_ok=True)
    clock = StageClock(progress=lambda _: None, history=folder / "timings.json", kind="toy")
    run = ScoringRun(
        challenge=challenge(),
        mixture=mixture(),
        workspace=Workspace(run_step=sandbox.run, folder=folder),
        clock=clock,
    )
    scorer = Scorer(
        function=function,  # type: ignore[arg-type]
        inputs=inputs,
        at_once=at_once,
        other_batch=other_batch(run.challenge.layout),
    )
    return score_mixture(run, scorer, has_checks=True)


def score_open(sandbox: Sandbox, source: str, folder: Path) -> ScoredEvents:
    """Score the mixture by an entry of the open division whose model.py is `source`."""
    submission = folder / "submission"
    submission.mkdir(parents=True)
    (submission / "model.py").write_text(source)
    inputs = {"submission": submission}
    return score(sandbox, "score_open", inputs, folder / "steps", OPEN_CHUNK_EVENTS)
