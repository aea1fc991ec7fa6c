"""The answer of a submission to a black box: the challenge's own result file, made by scoring.

The black box is scored in a sandbox as any events are. What is declared in the file, which the
challenge takes on trust, comes from the submission's score card or is said to be not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.blackbox.make import count_named
from harness.blackbox.reading import ATTRIBUTES
from harness.blackbox.result import Declared, write_result
from harness.card.files import CARD_SUFFIX, read_card
from harness.card.records import Figure, Firmware, IsolationKind, NotMeasured, ScoreCard
from harness.challenge import Challenge
from harness.data import hdf5
from harness.data.cache import (
    EVENTS_NAME,
    cache_root,
    find_cached,
    open_ids,
    process_folder,
)
from harness.data.manifest import load_manifest
from harness.data.npy import writing_npy
from harness.data.structure import StructureCheck
from harness.errors import (
    DataError,
    HarnessError,
    IntegrityError,
    InvalidSubmissionError,
    Problem,
    UsageError,
)
from harness.files import file_checksum
from harness.firmware.artefacts import PROGRAM
from harness.firmware.interpret import score_by_program
from harness.metrics.scores import rank_samples
from harness.metrics.working_point import set_cut
from harness.sandbox import Workspace, open_workspace, read_scores
from harness.scoring.integrity import Batch
from harness.scoring.scorer import Scorer, extract_network, score_batches
from harness.submission import Submission, read_submission

NOT_MEASURED = "not measured"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A result file that was written.

    Attributes
    ----------
    arithmetic : str
        Whose scores chose the events: the ``float`` network's, the ``firmware``'s, or those of an
        ``open`` entry.
    card : Path or None
        Where the declared figures come from.
    n_tied : int
        Events of one score that would have gone over the allowed number, and were left out.
    """

    path: Path
    team: str
    box: str
    n_events: int
    n_allowed: int
    n_named: int
    n_tied: int
    arithmetic: Literal["float", "firmware", "open"]
    card: Path | None
    declared: Declared


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    submission: Submission
    card: ScoreCard | None
    card_path: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _BoxEvents:
    """A black box as scoring needs it: events as .npy, and the number of each."""

    title: str
    events: Path
    ids: NDArray[np.int64]


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
    if out.exists():
        raise UsageError(
            Problem(what="the file is there already", where=str(out), fix="name another --out")
        )
    entry = _find_entry(source, submissions, results, challenge)
    name = challenge or (entry.card.challenge.name if entry.card else "adc2021")
    rules = load_manifest(*manifests).challenge(name)
    with open_workspace(isolation) as workspace:
        box = _open_box(rules, blackbox, cache, workspace.folder)
        n_allowed = _allowed(rules, box)
        progress(f"score: {len(box.ids):,} events of {box.title}")
        arithmetic, scores = _score(entry, rules, box, workspace, progress)
    chosen, n_tied = choose(scores, n_allowed)
    if not chosen.any():
        raise InvalidSubmissionError(
            Problem(
                what=f"the highest score is shared by {n_tied:,} events",
                where=f"scores of {box.title}",
                expected=f"at most {n_allowed:,}: ties never buy rate, so no event can be named",
                fix="let the score tell events apart: look for saturation, or too coarse words",
            )
        )
    declared = declare(entry.card)
    write_result(out, box.ids[chosen], declared)
    return Answer(
        path=out,
        team=entry.submission.spec.team,
        box=box.title,
        n_events=len(box.ids),
        n_allowed=n_allowed,
        n_named=int(chosen.sum()),
        n_tied=n_tied,
        arithmetic=arithmetic,
        card=entry.card_path,
        declared=declared,
    )


def choose(scores: NDArray[np.float64], n_allowed: int) -> tuple[NDArray[np.bool_], int]:
    """Choose the events of the highest scores, at most `n_allowed`; ties never buy rate.

    Returns
    -------
    bool array, int
        Which events are chosen, and how many share the score at which the choice stops and were
        left out whole; 0 if the allowed number is used up.

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


def declare(card: ScoreCard | None) -> Declared:
    """Return the attributes of a result file, as a score card measured them.

    Latency is in microseconds, resources in per cent of the part. What was not measured is said to
    be that: 0 would be a claim.
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


def _find_entry(source: Path, submissions: Path, results: Path, challenge: str | None) -> _Entry:
    if source.is_dir():
        submission = read_submission(source)
        path = _newest_card(submission, results / (challenge or "adc2021"))
        card = None if path is None else read_card(path)
        return _Entry(submission=submission, card=card, card_path=path)
    card = read_card(source)
    submission = read_submission(submissions / card.submission.team)
    if submission.digest != card.submission.digest:
        raise IntegrityError(
            Problem(
                what=f"the submission's digest is {submission.digest}",
                where=str(submissions / card.submission.team),
                expected=f"{card.submission.digest}, as the card says",
                fix="restore the submission that the card is of, or score the present one",
            )
        )
    return _Entry(submission=submission, card=card, card_path=source)


def _newest_card(submission: Submission, folder: Path) -> Path | None:
    """Find the newest card of exactly this submission; names of cards sort as their times do."""
    for path in sorted((folder / submission.spec.team).glob(f"*{CARD_SUFFIX}"), reverse=True):
        try:
            if read_card(path).submission.digest == submission.digest:
                return path
        except HarnessError:
            continue
    return None


# --- the box ------------------------------------------------------------------------------------


def _open_box(
    rules: Challenge, blackbox: Path | None, cache: Path | None, scratch: Path
) -> _BoxEvents:
    if blackbox is not None:
        return _unpack_box(rules, blackbox, scratch)
    file = next((file for file in rules.files if file.role == "blackbox"), None)
    root = cache_root(cache)
    found = "the challenge has none" if file is None else find_cached(rules, file, root)
    if file is None or isinstance(found, str):
        raise DataError(
            Problem(
                what=f"the black box of {rules.name} is not here: {found}",
                fix=f"harness fetch {rules.name} --with-blackbox, or give --blackbox FILE.h5",
            )
        )
    ids = open_ids(rules, file.process, root)
    if ids is None:
        raise DataError(_without_ids(file.name))
    events = process_folder(rules, file.process, root) / EVENTS_NAME
    return _BoxEvents(title=file.name, events=events, ids=ids)


def _unpack_box(rules: Challenge, path: Path, scratch: Path) -> _BoxEvents:
    """Write the events of a file to .npy in bounded memory, and check them as a fetch does."""
    n_events = hdf5.count_events(path, rules.layout)
    ids = hdf5.read_ids(path, n_events)
    if ids is None:
        raise DataError(_without_ids(str(path)))
    shape = (n_events, *rules.layout.shape)
    check = StructureCheck(source=path.name, layout=rules.layout)
    with writing_npy(scratch / "box.npy", shape, is_kept=False) as stream:
        for events, classes in hdf5.read_chunks(path, rules.layout):
            check.add(events, classes)
            stream.write(np.ascontiguousarray(events + np.float32(0.0), "<f4").data)
    return _BoxEvents(title=path.name, events=scratch / "box.npy", ids=ids)


def _without_ids(name: str) -> Problem:
    return Problem(
        what=f"it holds no {hdf5.IDS}: its events have no number to be named by",
        where=name,
        expected=f"a black box, with {hdf5.IDS}",
        fix="is it the right file? A box that was fetched by an older harness: fetch it again",
    )


def _allowed(rules: Challenge, box: _BoxEvents) -> int:
    n_allowed = count_named(rules.working_point, len(box.ids))
    if n_allowed < 1:
        raise DataError(
            Problem(
                what=f"of {len(box.ids):,} events none may be named at {rules.working_point:g}",
                where=box.title,
                expected="a larger black box",
            )
        )
    return n_allowed


# --- scoring ------------------------------------------------------------------------------------


def _score(
    entry: _Entry,
    rules: Challenge,
    box: _BoxEvents,
    workspace: Workspace,
    progress: Callable[[str], None],
) -> tuple[Literal["float", "firmware", "open"], NDArray[np.float64]]:
    program = _kept_program(entry)
    if program is not None:
        path = score_by_program(program, box.events, workspace)
        return "firmware", read_scores(path, len(box.ids))
    staged = entry.submission.stage(workspace.new_folder("submission"))
    is_open = entry.submission.spec.division == "open"
    if is_open:
        scorer = Scorer.of_open(staged)
    else:
        scorer = Scorer.of_network(extract_network(workspace, staged, rules))
    batch = Batch(events=box.events, n_events=len(box.ids), at_once=scorer.at_once)
    (scores,), _ = score_batches(workspace, scorer, [batch], "score", progress)
    return ("open" if is_open else "float"), scores


def _kept_program(entry: _Entry) -> Path | None:
    """Find the firmware's program beside the card, if it is the one that the card names."""
    if entry.card is None or entry.card_path is None:
        return None
    firmware = entry.card.firmware
    if not isinstance(firmware, Firmware) or isinstance(entry.card.firmware_physics, NotMeasured):
        return None
    named = {artefact.name: artefact.sha256 for artefact in firmware.artefacts}
    path = entry.card_path.with_suffix("") / PROGRAM
    is_sound = path.is_file() and file_checksum(path) == f"sha256:{named.get(PROGRAM)}"
    return path if is_sound else None
