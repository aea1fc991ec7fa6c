"""What rounding costs a network: one at fixed widths, or beside what it was before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.card.figures import NotMeasured
from harness.card.hardware import FixedWidths
from harness.challenge import Challenge
from harness.data.events import EventStore
from harness.firmware.backend import FirmwareRequest, UntranslatableError
from harness.sandbox import Workspace
from harness.sandbox.scores import read_scores
from harness.scoring.assembly import Measurements, SubmissionRun
from harness.scoring.evaluation import evaluate_scores
from harness.scoring.integrity import Batch
from harness.scoring.scorer import ExportedNetwork, Scorer, extract_network, score_batches
from harness.submission.declaration import AUTO, Precision
from harness.submission.export import UNROUNDED
from harness.submission.validate import Submission


def find_precision(
    submission: Submission,
    network: ExportedNetwork,
    rules: Challenge,
    events: Callable[[], NDArray[np.float32]],
    workspace: Workspace,
    tell: Callable[[str], None],
) -> Precision | None:
    """Return the words of a network: those declared, or with ``auto`` those chosen for it.

    Parameters
    ----------
    events : callable
        Returns events to choose by, shape (n, n_objects, n_features); see `training_part`. It is
        called where words are to be chosen, and only there.

    Returns
    -------
    Precision or None
        None where none is declared, or none is needed.
    """
    said = submission.spec.precision
    if isinstance(said, Precision) or said is None or rules.fpga is None:
        return said if isinstance(said, Precision) else None
    tell("choosing the words of the network by the ranges that events take in it")
    folder = workspace.new_folder("precision")
    path = folder / "training.npy"
    np.save(path, events(), allow_pickle=False)
    request = FirmwareRequest(
        graph=network.graph,
        weights=network.weights,
        target=rules.fpga,
        events=None,
        workspace=replace(workspace, folder=folder),
    )
    from harness.firmware.translate.ranges import choose_precision

    return choose_precision(request, path, n_features=rules.layout.shape[1])


def training_part(store: EventStore, rules: Challenge) -> NDArray[np.float32]:
    """Return events of the training part of the background, and never one that is scored."""
    from harness.firmware.translate.ranges import N_EVENTS

    n_each = -(-N_EVENTS // len(rules.processes("background")))
    parts = [store.select(name, "train")[:n_each] for name in rules.processes("background")]
    return np.concatenate([np.asarray(part, np.float32) for part in parts])


def precision_of(run: SubmissionRun, network: ExportedNetwork) -> Precision | None:
    """Return the words of the network of a run: as declared, or chosen by training events."""
    said = run.submission.spec.precision
    if said is None or isinstance(said, Precision):
        return said
    with run.stage("precision", "words chosen by training events") as workspace:
        return find_precision(
            run.submission,
            network,
            run.challenge,
            lambda: training_part(run.store, run.challenge),
            workspace,
            run.clock.tell,
        )


def as_record(run: SubmissionRun, precision: Precision | None) -> FixedWidths | None:
    """Return the words as a card keeps them."""
    if precision is None:
        return None
    content = precision.model_dump(mode="json", exclude_none=True)
    return FixedWidths(is_chosen=run.submission.spec.precision == AUTO, **content)


def with_unrounded(run: SubmissionRun, staged: Path, measured: Measurements) -> Measurements:
    """Measure the physics of a network before it was rounded: ``unrounded()`` of `model.py`.

    It is not ranked and costs nothing; beside that of the network it says what rounding cost.
    """
    with run.stage("unrounded", "the network before it was rounded") as workspace:
        network = extract_network(
            workspace, staged, run.challenge, run.clock.tell, function=UNROUNDED
        )
        scorer = Scorer.of_network(network, run.challenge.layout)
        n_events = run.mixture.n_events
        batch = Batch(events=run.mixture.path, n_events=n_events, at_once=scorer.at_once)
        (by_row,), _ = score_batches(workspace, scorer, [batch], "score", run.clock.tell)
    physics = evaluate_scores(
        run.challenge, run.mixture.separate(by_row), run.mixture.hashes, "float", run.mixture.beside
    )
    # Nobody is ranked by it, so nobody is compared with it.
    return replace(measured, unrounded_physics=physics.model_copy(update={"replicates": {}}))


def with_rounding(
    run: SubmissionRun, network: ExportedNetwork, measured: Measurements, precision: Precision
) -> Measurements:
    """Measure the physics of the network at fixed widths in Keras, where no firmware is made.

    A network that has no form at fixed widths keeps its other figures; the card says why.
    """
    from harness.firmware.witnesses.graph import score_quantised

    if run.challenge.fpga is None:
        return measured
    with run.stage("rounded", "the network at fixed widths, in Keras") as workspace:
        request = FirmwareRequest(
            graph=network.graph,
            weights=network.weights,
            target=run.challenge.fpga,
            events=run.mixture.path,
            workspace=replace(workspace, folder=workspace.new_folder("rounded")),
            precision=precision,
        )
        try:
            by_row = read_scores(score_quantised(request), run.mixture.n_events)
        except UntranslatableError as error:
            return replace(measured, firmware=NotMeasured(not_measured=str(error)))
    scores = run.mixture.separate(by_row)
    physics = evaluate_scores(
        run.challenge, scores, run.mixture.hashes, "firmware", run.mixture.beside
    )
    return replace(measured, rounded_physics=physics)
