"""Black boxes and the challenge's result files: everything about them in one call each."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.blackbox.make import (
    BACKGROUND,
    MadeBox,
    Source,
    make_box,
    plan_contents,
    source_file,
    source_of,
)
from harness.blackbox.result import Box, ResultFile, Verdict, judge_result, read_result_file
from harness.blackbox.score import BoxScore, score_result
from harness.blackbox.seal import BoxKey, Secret, check_secret, key_of, open_key, seal_key
from harness.card.records import IsolationKind
from harness.challenge import Challenge
from harness.data import hdf5
from harness.data.cache import cache_root, find_cached, open_ids
from harness.data.events import open_store
from harness.data.manifest import load_manifest
from harness.errors import DataError, Problem, UsageError
from harness.files import Progress, no_progress
from harness.sandbox import open_workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealed:
    """A black box that was made, its key, and where both lie."""

    box: MadeBox
    key: BoxKey
    key_path: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """A result file, the box that it was held against, and what is wrong with it."""

    result: ResultFile
    box: Box
    verdict: Verdict

    def as_dict(self) -> dict[str, object]:
        """Turn it into plain values."""
        return {
            "team": self.result.team,
            "blackbox": self.box.title,
            "n_events": self.box.n_events,
            "n_allowed": self.box.n_allowed,
            "n_named": len(self.result.ids),
            "ids": self.result.ids.tolist(),
            "self_declared": dict(self.result.declared),
            "is_valid": not self.verdict.faults,
            "faults": [str(problem) for problem in self.verdict.faults],
            "remarks": list(self.verdict.remarks),
        }


def make_blackbox(
    challenge: str,
    fractions: Mapping[str, float],
    *,
    out: Path,
    key_path: Path,
    secret: Secret,
    n_events: int | None = None,
    files: Mapping[str, Path] | None = None,
    manifests: Sequence[Path] = (),
    cache: Path | None = None,
    progress: Progress = no_progress,
) -> Sealed:
    """Mix background and hidden signals into a black box, and seal its key.

    Parameters
    ----------
    challenge : str
        Gives the layout, the working point and, where no file is named, the test events.
    fractions : mapping of process to float
        Share of the box that each signal is to be.
    out, key_path : Path
        The box and its key; neither may be there.
    n_events : int, optional
        Events of the box; None: as many as the sources allow.
    files : mapping of process to Path, optional
        HDF5 files to take the events from; ``background`` names that of the background.

    Raises
    ------
    HarnessError
        See `harness.errors`: the class says whose fault it was. No box is left without its key.
    """
    check_secret(secret)
    for path in (out, key_path):
        if path.exists():
            raise UsageError(
                Problem(what="the file is there already", where=str(path), fix="name another")
            )
    rules = load_manifest(*manifests).challenge(challenge)
    background, signals = _sources(rules, fractions, files or {}, cache)
    contents = plan_contents(
        background,
        signals,
        fractions,
        n_events=n_events,
        working_point=rules.working_point,
    )
    generator = np.random.default_rng(secrets.randbits(256))
    box = make_box(
        rules, background, signals, contents, out, generator=generator, progress=progress
    )
    try:
        key = key_of(rules, box, signals)
        seal_key(key, secret, key_path)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    return Sealed(box=box, key=key, key_path=key_path)


def _sources(
    rules: Challenge, fractions: Mapping[str, float], files: Mapping[str, Path], cache: Path | None
) -> tuple[Source, list[Source]]:
    unused = sorted(set(files) - {BACKGROUND, *fractions})
    if unused:
        raise UsageError(
            Problem(
                what=f"a file is given for {', '.join(unused)}, which is not in the box",
                fix=f"give its share too: --signal {unused[0]}=0.001",
            )
        )
    if BACKGROUND in fractions:
        raise UsageError("background is what the signals leave: give no share of it")
    store = None if {BACKGROUND, *fractions} <= set(files) else open_store(rules, cache)

    def source(process: str) -> Source:
        if process in files:
            return source_file(files[process], rules, process)
        assert store is not None
        if process not in rules.signals and process != _background_of(rules):
            raise UsageError(
                Problem(
                    what=f"{rules.name} has no signal {process}",
                    expected=f"one of {', '.join(rules.signals)}",
                    fix=f"or name a file of its events: --from {process}=FILE.h5",
                )
            )
        return source_of(store, process)

    background = source(BACKGROUND if BACKGROUND in files else _background_of(rules))
    return background, [source(name) for name in fractions]


def _background_of(rules: Challenge) -> str:
    names = rules.processes("background")
    if len(names) != 1:
        raise UsageError(
            Problem(
                what=f"{rules.name} has {len(names)} background files",
                fix="name one file of background: --from background=FILE.h5",
            )
        )
    return names[0]


def score_blackbox(
    path: Path, *, key_path: Path, secret: Secret, isolation: IsolationKind = "bwrap"
) -> BoxScore:
    """Score a result file by the key of its black box.

    Raises
    ------
    InvalidSubmissionError
        The file is no result, or names what it may not name: nothing is counted.
    HarnessError
        The key can't be opened, or the sandbox fails.
    """
    key = open_key(key_path, secret)
    return score_result(_read(path, isolation), key)


def import_result(
    path: Path,
    *,
    challenge: str = "adc2021",
    blackbox: Path | None = None,
    manifests: Sequence[Path] = (),
    cache: Path | None = None,
    isolation: IsolationKind = "bwrap",
) -> Imported:
    """Read a result file and say everything that is wrong with it.

    Parameters
    ----------
    path : Path
        ``<team>.h5``.
    challenge : str
        Whose black box it answers.
    blackbox : Path, optional
        The black box's own file; else the challenge's, where it was fetched.

    Raises
    ------
    InvalidSubmissionError
        No list of ids can be read from it.
    """
    rules = load_manifest(*manifests).challenge(challenge)
    box = _box(rules, blackbox, cache)
    result = _read(path, isolation)
    return Imported(result=result, box=box, verdict=judge_result(result, box))


def _read(path: Path, isolation: IsolationKind) -> ResultFile:
    with open_workspace(isolation) as workspace:
        return read_result_file(path, workspace)


def _box(rules: Challenge, blackbox: Path | None, cache: Path | None) -> Box:
    """Describe the box that a result is held against, with its ids where they are here."""
    limits = {
        "working_point": rules.working_point,
        "max_latency_us": rules.target.max_latency_ns / 1000.0,
    }
    if blackbox is not None:
        n_events = hdf5.count_events(blackbox, rules.layout)
        ids = hdf5.read_ids(blackbox, n_events)
        return Box(title=blackbox.name, n_events=n_events, ids=_rising(ids), **limits)
    file = next((file for file in rules.files if file.role == "blackbox"), None)
    if file is None:
        raise UsageError(
            Problem(
                what=f"{rules.name} has no black box",
                fix="give the box's own file: --blackbox FILE.h5",
            )
        )
    root = cache_root(cache)
    record = find_cached(rules, file, root)
    if not isinstance(record, str):
        ids = open_ids(rules, file.process, root)
        return Box(title=file.name, n_events=record.n_events, ids=_rising(ids), **limits)
    if file.n_events is None:
        raise DataError(
            Problem(
                what=f"how many events {file.name} holds is not known: {record}",
                where=f"challenge {rules.name}",
                fix=f"harness fetch {rules.name} --with-blackbox, or --blackbox FILE.h5",
            )
        )
    return Box(title=file.name, n_events=file.n_events, ids=None, **limits)


def _rising(ids: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    return None if ids is None else np.sort(ids)
