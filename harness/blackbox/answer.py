"""The answer of a submission to a black box: the challenge's own result file, made by scoring.

The black box is scored in a sandbox like any other events. The challenge does not check the figures
that the file declares; here they come from the submission's score card, or the file says that they
were not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.blackbox.box import Box, find_box
from harness.blackbox.reading import ATTRIBUTES
from harness.blackbox.result import DeclaredFigures, write_result
from harness.card.figures import NotMeasured
from harness.card.files import newest_card, read_card
from harness.card.hardware import Figure
from harness.card.records import ScoreCard
from harness.card.run import IsolationKind
from harness.challenge import Challenge
from harness.data import hdf5
from harness.data.cache import cache_root
from harness.data.manifest import load_manifest
from harness.data.unpack import unpack_events
from harness.errors import DataError, IntegrityError, InvalidSubmissionError, UsageError
from harness.files import check_new
from harness.firmware.artefacts import kept_program
from harness.firmware.interpret import score_by_program
from harness.metrics.scores import rank_samples
from harness.metrics.working_point import set_cut
from harness.sandbox import Workspace, open_tried_workspace, read_scores
from harness.scoring.integrity import Batch
from harness.scoring.scorer import Scorer, extract_network, score_batches
from harness.submission.validate import Submission, read_submission

NOT_MEASURED = "not measured"
DEFAULT_CHALLENGE = "adc2021"
Arithmetic = Literal["float", "firmware", "open"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A result file that was written.

    Attributes
    ----------
    arithmetic : str
        Whose scores selected the events: those of the ``float`` network, of the ``firmware`` or of
        an ``open`` entry.
    card : Path or None
        Where the declared figures come from.
    n_tied : int
        Events with the same score that would exceed the allowed number, and were left out.
    """

    path: Path
    team: str
    box: str
    n_events: int
    n_allowed: int
    n_named: int
    n_tied: int
    arithmetic: Arithmetic
    card: Path | None
    declared: DeclaredFigures


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entrant:
    """A submission, and its score card if there is one."""

    submission: Submission
    card: ScoreCard | None
    card_path: Path | None


def export_answer(
    source: Path,
    out: Path,
    *,
    challenge: str | None = None,
    blackbox: Path | None = None,
    manifests: Sequence[Path] = (),
    results: Path = Path("results"),
    submissions: Path = Path("submissions"),
    cache: Path | None = None,
    isolation: IsolationKind = "bwrap",
    progress: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Score a black box with a submission, and write the challenge's result file.

    Parameters
    ----------
    source : Path
        A submission's folder, or a score card, whose submission lies below `submissions`.
    out : Path
        The result file; may not be there.
    challenge : str, optional
        Whose black box it is; the card's challenge, or ``adc2021``.
    blackbox : Path, optional
        The black box's own file; else the challenge's, where it was fetched.

    Raises
    ------
    HarnessError
        See `harness.errors`: the class says whose fault it was. No file is written.
    """
    check_new(out)
    entrant = _find_entrant(
        source, submissions, results / (challenge or DEFAULT_CHALLENGE), progress
    )
    name = challenge or (entrant.card.challenge.name if entrant.card else DEFAULT_CHALLENGE)
    rules = load_manifest(*manifests).challenge(name)
    box = find_box(rules, blackbox, cache)
    ids = _ids(rules, box)
    with open_tried_workspace(isolation, cache_root(cache)) as workspace:
        events = box.events or _unpack(rules, blackbox, workspace.folder)
        progress(f"score: {len(ids):,} events of {box.title}")
        arithmetic, scores = _score(entrant, rules, events, len(ids), workspace, progress)
    chosen, n_tied = choose(scores, box.n_allowed)
    _check_chosen(chosen, n_tied, box)
    declared = declare(entrant.card)
    write_result(out, ids[chosen], declared)
    return Answer(
        path=out,
        team=entrant.submission.spec.team,
        box=box.title,
        n_events=len(ids),
        n_allowed=box.n_allowed,
        n_named=int(chosen.sum()),
        n_tied=n_tied,
        arithmetic=arithmetic,
        card=entrant.card_path,
        declared=declared,
    )


def _check_chosen(chosen: NDArray[np.bool_], n_tied: int, box: Box) -> None:
    if not chosen.any():
        raise InvalidSubmissionError(
            f"the highest score is shared by {n_tied:,} events",
            where=f"scores of {box.title}",
            expected=f"at most {box.n_allowed:,}: ties never buy rate, so no id can be named",
            fix="give different events different scores: look for saturation or coarse words",
        )


def choose(scores: NDArray[np.float64], n_allowed: int) -> tuple[NDArray[np.bool_], int]:
    """Select the events of the highest scores, at most `n_allowed`; ties never buy rate.

    Returns
    -------
    bool array, int
        Which events are selected, and how many share the next score and were all left out; 0 if
        the allowed number is reached.

    Examples
    --------
    >>> choose(np.array([1.0, 5.0, 3.0, 3.0]), 2)[0].tolist()
    [False, True, False, False]
    """
    (ranked,) = rank_samples([scores])
    cut = set_cut(ranked, min(n_allowed, len(scores)))
    is_chosen = scores > cut.threshold if cut.is_strict else scores >= cut.threshold
    n_chosen = int(is_chosen.sum())
    if n_chosen == min(n_allowed, len(scores)):
        return is_chosen, 0
    left_out = scores[~is_chosen]
    return is_chosen, int((left_out == left_out.max()).sum())


def declare(card: ScoreCard | None) -> DeclaredFigures:
    """Return the attributes of a result file, as a score card measured them.

    Latency is in microseconds, resources in per cent of the part. A figure that was not measured is
    the text ``not measured``, because 0 would be a claim.
    """
    stated: dict[str, int | float | str] = dict.fromkeys(ATTRIBUTES, NOT_MEASURED)
    if card is None:
        return stated
    if not isinstance(card.cost, NotMeasured) and isinstance(card.cost.flops, int):
        stated["FLOPs"] = card.cost.flops
    firmware = card.firmware
    if isinstance(firmware, NotMeasured):
        return stated
    stated["Device"] = firmware.target.part
    if isinstance(firmware.latency_ns, Figure):
        stated["Latency"] = firmware.latency_ns.value / 1000.0
    for name, figure in (
        ("DSP", firmware.dsp),
        ("LUT", firmware.lut),
        ("FF", firmware.ff),
        ("BRAM", firmware.bram18),
    ):
        available = firmware.available.get("bram18" if name == "BRAM" else name.lower())
        if isinstance(figure, Figure) and available:
            stated[name] = 100.0 * figure.value / available
    return stated


# --- which submission, which card ---------------------------------------------------------------


def _find_entrant(
    source: Path, submissions: Path, cards: Path, progress: Callable[[str], None]
) -> _Entrant:
    if source.is_dir():
        submission = read_submission(source, progress)
        path = newest_card(cards / submission.spec.team, submission.digest)
        card = None if path is None else read_card(path)
        return _Entrant(submission=submission, card=card, card_path=path)
    card = read_card(source)
    submission = read_submission(submissions / card.submission.team, progress)
    if submission.digest != card.submission.digest:
        raise IntegrityError(
            f"the submission's digest is {submission.digest}",
            where=str(submissions / card.submission.team),
            expected=f"{card.submission.digest}, as the card says",
            fix="restore the submission of the card, or score the present one",
        )
    return _Entrant(submission=submission, card=card, card_path=source)


# --- the box ------------------------------------------------------------------------------------


def _ids(rules: Challenge, box: Box) -> NDArray[np.int64]:
    """Return the number of each event, if the box is here and an answer can name any."""
    if box.missing:
        raise DataError(
            f"the black box of {rules.name} is not here: {box.missing}",
            fix=f"harness fetch {rules.name} --with-blackbox, or give --blackbox FILE.h5",
        )
    if box.ids is None:
        raise DataError(
            f"it holds no {hdf5.IDS}: its events have no numbers that a result could name",
            where=box.title,
            expected=f"a black box, with {hdf5.IDS}",
            fix="use the right file; if an older harness fetched the box, fetch it again",
        )
    if box.n_allowed < 1:
        raise DataError(
            f"of {box.n_events:,} events none may be named at {box.working_point:g}",
            where=box.title,
            expected="a larger black box",
        )
    return box.ids


def _unpack(rules: Challenge, path: Path | None, scratch: Path) -> Path:
    """Write the events of a file to .npy in bounded memory, and check them as a fetch does."""
    assert path is not None  # a box is in the cache or in a file
    unpacked = scratch / "box.npy"
    unpack_events(path, rules.layout, unpacked)
    return unpacked


# --- scoring ------------------------------------------------------------------------------------


def _score(
    entrant: _Entrant,
    rules: Challenge,
    events: Path,
    n_events: int,
    workspace: Workspace,
    progress: Callable[[str], None],
) -> tuple[Arithmetic, NDArray[np.float64]]:
    program = None
    if entrant.card is not None and entrant.card_path is not None:
        program = kept_program(entrant.card, entrant.card_path)
    if program is not None:
        path = score_by_program(program, events, workspace)
        return "firmware", read_scores(path, n_events)
    if entrant.submission.spec.division == "declared":
        raise UsageError("a declared entry is scores alone: it cannot score a black box")
    staged = entrant.submission.stage(workspace.new_folder("submission"))
    is_open = entrant.submission.spec.division == "open"
    if is_open:
        scorer = Scorer.of_open(staged, rules.layout)
    else:
        network = extract_network(workspace, staged, rules, progress, entrant.submission.spec.model)
        scorer = Scorer.of_network(network, rules.layout)
    batch = Batch(events=events, n_events=n_events, at_once=scorer.at_once)
    (scores,), _ = score_batches(workspace, scorer, [batch], "score", progress)
    return ("open" if is_open else "float"), scores
