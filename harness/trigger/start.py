"""What `harness trigger` does: an entry, a stream and a folder are put together."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from threading import BoundedSemaphore

import numpy as np
from numpy.typing import NDArray

from harness.card.run import IsolationKind
from harness.data.cache import cache_root
from harness.data.manifest import load_manifest
from harness.errors import UsageError
from harness.files import Progress, file_checksum, no_progress, write_whole
from harness.firmware.artefacts import PROGRAM, decompress
from harness.firmware.backend import FirmwareSettings
from harness.firmware.interpret import started_interpreter
from harness.sandbox.scores import read_scores
from harness.sandbox.tried import open_tried_workspace
from harness.sandbox.workspace import Workspace
from harness.scoring.beside import beside
from harness.scoring.workers import Workers, open_workers
from harness.submission.events import Events, save_parts
from harness.trigger.accept import Score, run_trigger
from harness.trigger.entry import TriggerEntry, find_entry, point_at
from harness.trigger.folder import held
from harness.trigger.records import Steering, TriggerRun, TriggerSettings
from harness.trigger.stream import SECTION_COLUMN, EventSourceOf, Following, sources_of, varied

DEFAULT_FPR = 1e-3
# Where the sources do not say sections; at FPR 1e-3 ten of them are accepted.
DEFAULT_SECTION_EVENTS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggerRequest:
    """What is run, on what, and how the threshold is set.

    Attributes
    ----------
    entry : str
        See `harness.trigger.entry.find_entry`, as for `results`, `challenge` and `program`.
    events : tuple of str
        See `harness.trigger.stream.sources_of`.
    fpr, threshold, rate_hz : float or None
        At most one of them; none: FPR 1e-3.
    input_rate_hz : float or None
        Events of the stream in a second; for `rate_hz` it must be known.
    section_events : int or None
        Cuts sections, whatever the sources say.
    follow_s : float or None
        The last source is followed until no new file came for so long.
    variation : str or None
        See `harness.trigger.stream.varied`.
    jobs, cluster : int, str or None
        So many chunks of events are scored at the same time; or by the workers of a Dask scheduler
        at this address. See `harness.scoring.workers.open_workers`.
    """

    entry: str
    events: tuple[str, ...]
    out: Path
    results: Path = Path("results")
    challenge: str | None = None
    manifests: tuple[Path, ...] = ()
    program: Path | None = None
    fpr: float | None = None
    threshold: float | None = None
    rate_hz: float | None = None
    gain: float = 0.5
    input_rate_hz: float | None = None
    prescale: int = 1
    section_column: str | None = None
    section_events: int | None = None
    follow_s: float | None = None
    variation: str | None = None
    isolation: IsolationKind = "bwrap"
    jobs: int = 1
    cluster: str | None = None


def start_trigger(request: TriggerRequest, *, progress: Progress = no_progress) -> TriggerRun:
    """Run a ranked entry as a trigger; see `harness.trigger.accept.run_trigger`.

    The scores are those of the firmware, bit for bit: its kept program is interpreted in a sandbox,
    and no code of the entry runs.

    Raises
    ------
    HarnessError
        The entry, a source, the settings or the folder are not usable; the message says why.
    """
    _check(request)
    manifest = load_manifest(*request.manifests)
    with open_tried_workspace(request.isolation, cache_root()) as workspace:
        entry = find_entry(
            request.entry,
            manifest,
            results=request.results,
            challenge=request.challenge,
            program=request.program,
            scratch=workspace.new_folder("named-program"),
        )
        following = None if request.follow_s is None else Following(idle_s=request.follow_s)
        sources = sources_of(
            request.events,
            entry.challenge,
            manifest,
            column=request.section_column,
            following=following,
        )
        if request.variation is not None:
            name, rules = request.variation, entry.challenge
            sources = (varied(source, name, rules) for source in sources)
        first = next(sources)
        settings = settings_of(request, entry, first)
        with held(request.out), _scoring(request, entry.program, workspace) as (score, workers):
            return run_trigger(
                chain([first], sources),
                settings,
                score,
                request.out,
                progress=progress,
                is_live=following is not None,
                workers=workers,
            )


@contextmanager
def _scoring(
    request: TriggerRequest, packed: Path, workspace: Workspace
) -> Iterator[tuple[Score, Workers]]:
    """Open what scores chunks of events; if the block fails, the steps that run are ended.

    While chunks are scored here, the next one is read, its step is started and its file is written.
    """
    jobs, cluster = request.jobs, request.cluster
    if cluster is not None:
        with open_workers(jobs, cluster) as workers:
            yield RemoteScore(packed=packed.read_bytes(), isolation=request.isolation), workers
        return
    with beside(jobs + 1) as others:
        score = program_score(packed, replace(workspace, stop=others.stop), at_once=jobs)
        yield score, Workers(executor=others.pool, count=lambda: jobs, room=lambda: jobs)


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteScore:
    """Scores events on another machine, which has harness and nothing of the entry.

    Attributes
    ----------
    packed : bytes
        The kept program.
    """

    packed: bytes
    isolation: IsolationKind

    def __call__(self, parts: Sequence[Events]) -> NDArray[np.float64]:
        """Score events by the program, in a sandbox of this machine."""
        with open_tried_workspace(self.isolation, cache_root()) as workspace:
            packed = workspace.new_folder("sent") / PROGRAM
            write_whole(packed, self.packed)
            return program_score(packed, workspace)(parts)


def _check(request: TriggerRequest) -> None:
    for name, value in (
        ("--fpr", request.fpr),
        ("--threshold", request.threshold),
        ("--rate", request.rate_hz),
        ("--input-rate", request.input_rate_hz),
        ("--gain", request.gain),
        ("--follow", request.follow_s),
    ):
        if value is not None and not math.isfinite(value):
            raise UsageError(f"{name} is {value:g}", expected="a finite number")
    asked = [
        name
        for name, value in (
            ("--fpr", request.fpr),
            ("--threshold", request.threshold),
            ("--rate", request.rate_hz),
        )
        if value is not None
    ]
    if len(asked) > 1:
        raise UsageError(f"{asked[0]} and {asked[1]} exclude each other")
    if request.section_column is not None and request.section_events is not None:
        raise UsageError("--section-column and --section-events exclude each other")


def settings_of(
    request: TriggerRequest, entry: TriggerEntry, first: EventSourceOf
) -> TriggerSettings:
    """Fix everything that decides what is accepted.

    Raises
    ------
    UsageError
        The card has no such working point, or a rate cannot be steered.
    """
    has_sections = first.has_sections and request.section_events is None
    column = SECTION_COLUMN if request.section_column is None else request.section_column
    threshold, is_strict, steering = request.threshold, False, None
    if request.rate_hz is not None:
        steering = _steering(request, entry)
    elif threshold is None:
        point = point_at(entry, DEFAULT_FPR if request.fpr is None else request.fpr)
        threshold, is_strict = point.threshold, point.is_strict
    return TriggerSettings(
        team=entry.card.submission.team,
        challenge=entry.challenge.name,
        layout=entry.challenge.layout,
        program=file_checksum(entry.program),
        threshold=threshold,
        is_strict=is_strict,
        steering=steering,
        section_events=None if has_sections else request.section_events or DEFAULT_SECTION_EVENTS,
        section_column=column if has_sections else None,
        prescale=request.prescale,
        input_rate_hz=request.input_rate_hz,
        variation=request.variation,
        conditions=first.conditions,
    )


def _steering(request: TriggerRequest, entry: TriggerEntry) -> Steering:
    assert request.rate_hz is not None
    if request.input_rate_hz is None:
        raise UsageError(
            "--rate needs --input-rate: how many events of the stream come in a second",
            fix="for a stream of all collisions that is 40e6; for preselected events, their rate",
        )
    if len(entry.points) < 2:
        raise UsageError("a rate is steered between two working points; the card has one at most")
    target = request.rate_hz / request.input_rate_hz
    low, high = entry.points[0].fpr, entry.points[-1].fpr
    if not low <= target <= high:
        raise UsageError(
            f"a rate of {request.rate_hz:g} Hz is a share of {target:.3g} of the events",
            expected=f"between {low:g} and {high:g}, the working points of the card",
            fix=f"ask for {low * request.input_rate_hz:g} to {high * request.input_rate_hz:g} Hz",
        )
    return Steering(
        target=target,
        gain=request.gain,
        shares=tuple(point.fpr for point in entry.points),
        thresholds=tuple(point.threshold for point in entry.points),
    )


def program_score(packed: Path, workspace: Workspace, *, at_once: int = 1) -> Score:
    """Return what scores events by a kept program, in a sandbox; its files are removed again.

    Called in several threads, it interprets so many times `at_once`, and prepares the others.
    """
    program = decompress(packed, workspace.new_folder("program") / "program.json")
    turns = BoundedSemaphore(at_once)

    def score(parts: Sequence[Events]) -> NDArray[np.float64]:
        n_events = sum(map(len, parts))
        folder = workspace.new_folder("stream")
        path = folder / "events.npy"
        # A step of another user gets a copy of a file that it cannot read, and now it is empty.
        path.touch()
        path.chmod(0o644)
        with started_interpreter(
            workspace, FirmwareSettings(), program, path, n_events, name="trigger"
        ) as finish:
            save_parts(path, parts)
            with turns:
                done = finish()
        scores = read_scores(done.outputs["scores"], n_events)
        shutil.rmtree(folder)
        shutil.rmtree(done.outputs["scores"].parent, ignore_errors=True)
        return scores

    return score
