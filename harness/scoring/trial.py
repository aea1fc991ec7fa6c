"""A submission tried on made-up events: what ``harness validate --deep`` runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.card.run import IsolationKind
from harness.challenge import Challenge, Target
from harness.data.cache import cache_root
from harness.data.manifest import load_manifest
from harness.errors import InvalidSubmissionError, Problem
from harness.firmware.backend import FirmwareRequest, UntranslatableError
from harness.firmware.translate.translation import SHORT_S, Untranslated, translate
from harness.firmware.witnesses.graph import compare_quickly
from harness.sandbox import Workspace, open_tried_workspace
from harness.scoring.chosen import chosen_challenges
from harness.scoring.integrity import Batch
from harness.scoring.rounding import find_precision
from harness.scoring.scorer import ExportedNetwork, Scorer, extract_network, score_batches
from harness.submission.events import save_events
from harness.submission.export import UNROUNDED, probe_events
from harness.submission.validate import Submission, read_submission

_NO_FIRMWARE = Problem(
    what="this network can be scored, but has no firmware: the entry would not be ranked",
    fix="change the layers above, or hand in to the open division",
)


def try_submission(
    folder: Path,
    *,
    challenge: str | None = None,
    manifests: Sequence[Path] = (),
    isolation: IsolationKind = "bwrap",
    progress: Callable[[str], None] = lambda _: None,
) -> Submission:
    """Run the submission in `folder` on a few made-up events; no data are needed.

    A network is exported, scored and translated into firmware, but not synthesised. An entry of
    the open division scores the events.

    Parameters
    ----------
    challenge : str, optional
        Whose events the made-up ones look like, and whose target the firmware is for; without
        it the first one that the submission declares.

    Other parameters are those of `harness.scoring.pipeline.score`.

    Raises
    ------
    HarnessError
        What is wrong; see `harness.errors`: the class says whose fault it is.
    """
    submission = read_submission(folder, progress)
    if submission.spec.division == "declared":
        progress("a declared entry: there is nothing to run; `harness score` reads its scores")
        return submission
    rules = chosen_challenges(submission.spec, load_manifest(*manifests), challenge)[0]
    with open_tried_workspace(isolation, cache_root()) as workspace:
        staged = submission.stage(workspace.new_folder("submission"))
        if submission.spec.division == "open":
            _score(workspace, Scorer.of_open(staged, rules.layout), rules, progress)
            return submission
        progress(f"export: {submission.source}")
        network = extract_network(workspace, staged, rules, progress, submission.spec.model)
        _score(workspace, Scorer.of_network(network, rules.layout), rules, progress)
        if network.has_unrounded:
            progress("export: model.py, unrounded()")
            plain = extract_network(workspace, staged, rules, progress, function=UNROUNDED)
            _score(workspace, Scorer.of_network(plain, rules.layout), rules, progress)
        if rules.fpga is not None:
            _translate(workspace, network, submission, rules, rules.fpga, progress)
    return submission


def _score(
    workspace: Workspace, scorer: Scorer, rules: Challenge, progress: Callable[[str], None]
) -> None:
    """Score the made-up events; that their scores are all the same is no fault."""
    probes = probe_events(rules.layout.shape)
    progress(f"score: {len(probes)} made-up events")
    events = workspace.new_folder("events") / "events.npy"
    save_events(events, probes)
    batch = Batch(events=events, n_events=len(probes), at_once=len(probes))
    score_batches(workspace, scorer, [batch], "checks", progress)


def _translate(
    workspace: Workspace,
    network: ExportedNetwork,
    submission: Submission,
    rules: Challenge,
    target: Target,
    progress: Callable[[str], None],
) -> None:
    """Translate a network into the program of its firmware, and compare the two.

    Their scores must agree at both ends of every input word, and beyond.
    """
    # No data are needed here, so words are chosen by made-up events; a scoring takes others.
    precision = find_precision(
        submission, network, rules, lambda: probe_events(rules.layout.shape), workspace, progress
    )
    request = FirmwareRequest(
        graph=network.graph,
        weights=network.weights,
        target=target,
        events=None,
        workspace=replace(workspace, folder=workspace.new_folder("firmware")),
        precision=precision,
        progress=lambda line: progress(f"firmware: {line}"),
    )
    try:
        translation = translate(request, has_hls4ml=False, patience_s=3 * SHORT_S)
    except UntranslatableError as error:
        raise InvalidSubmissionError(*error.problems, _NO_FIRMWARE) from error
    if isinstance(translation, Untranslated):
        progress(f"firmware: not compared with Keras: {translation.reason}")
        return
    progress("firmware: comparing it with the network in Keras")
    compare_quickly(request, translation, None)
