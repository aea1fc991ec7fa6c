"""An answer to a black box as physics: is there something new, at which mass, how much of it.

The answer is a small YAML file; the key of the box scores it. What a team names beside it, the
events of a result file, is scored by `harness.blackbox.score`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from harness.blackbox.score import log_chance, to_significance
from harness.blackbox.seal import BoxKey, KeySignal, Secret, open_key
from harness.board.answers import (
    ClaimedFigure,
    Measured,
    OpenedBox,
    ScoredClaim,
    ScoredCluster,
    TrueSignal,
    in_order,
    opened_path,
)
from harness.challenge import Name, Value, utc
from harness.errors import DataError, InvalidSubmissionError, Problem, UsageError
from harness.files import check_new, file_checksum, make_folder, read_yaml, write_json
from harness.metrics.intervals import clopper_pearson


class ClaimedCluster(Value):
    """Events that a team takes for the new physics, such as a cluster of `harness cluster`.

    Attributes
    ----------
    label : str
        What the team calls it.
    events : tuple of int
        ``EvtId`` of its events, each once.
    """

    label: str = Field(default="", max_length=200)
    events: tuple[Annotated[int, Field(ge=0, lt=2**53, strict=True)], ...] = Field(min_length=1)


class Claim(Value):
    """What a team says of a black box.

    Attributes
    ----------
    challenge : str
        Whose box it is.
    new_physics : bool
        Whether there is any.
    mass_gev : Measured or None
        Of the new particle [GeV].
    n_events : Measured or None
        Its events in the box.
    cross_section_fb : Measured or None
        In place of the number of events [fb].
    cluster : ClaimedCluster or None
        The events that are the new physics, or some of them.
    method : str
        How it was found, in a few words.
    """

    team: Name
    challenge: Name
    new_physics: bool
    mass_gev: Measured | None = None
    n_events: Measured | None = None
    cross_section_fb: Measured | None = None
    cluster: ClaimedCluster | None = None
    method: str = Field(default="", max_length=2000)

    @model_validator(mode="after")
    def _fits_together(self) -> Claim:
        figures = (self.mass_gev, self.n_events, self.cross_section_fb, self.cluster)
        if not self.new_physics and any(one is not None for one in figures):
            raise ValueError(
                "new_physics is false: there is no mass and no number to claim, nor a cluster"
            )
        if self.new_physics and self.mass_gev is None and self.cluster is None:
            raise ValueError(
                "new_physics is true: claim its mass_gev, with an uncertainty, or a cluster"
            )
        if self.n_events is not None and self.cross_section_fb is not None:
            raise ValueError("claim n_events or cross_section_fb, not both")
        return self


def read_claim(path: Path) -> Claim:
    """Read the answer of a team.

    Raises
    ------
    InvalidSubmissionError
        It is no such file; everything that is wrong is said at once.
    """
    try:
        return read_yaml(path, Claim)
    except DataError as error:
        raise InvalidSubmissionError(*error.problems) from error


def open_box(
    claims: Sequence[Path],
    *,
    key_path: Path,
    secret: Secret,
    results: Path,
    box_path: Path | None = None,
) -> tuple[OpenedBox, Path]:
    """Score the answers of all teams, and write them where the board finds them.

    Parameters
    ----------
    claims : sequence of Path
        One file a team.
    box_path : Path, optional
        The box, to compare its checksum with that of the key.

    Raises
    ------
    InvalidSubmissionError
        An answer is none, or is to another challenge, or a team answers twice.
    UsageError
        The box was opened before.
    DataError
        The key does not fit the box.
    """
    key = open_key(key_path, secret)
    if box_path is not None:
        check_fits(key, box_path)
    path = opened_path(results, key.challenge, key.box_name)
    check_new(path)
    read = [read_claim(one) for one in claims]
    _check_claims(read, claims, key)
    opened = OpenedBox(
        challenge=key.challenge,
        challenge_title=key.challenge_title,
        synthetic=key.synthetic,
        box_name=key.box_name,
        box_checksum=key.box_checksum,
        opened=utc(datetime.now(UTC)),
        n_events=key.n_events,
        signals=tuple(_true(signal) for signal in key.signals),
        luminosity_fb=key.luminosity_fb,
        claims=in_order([score_claim(one, key) for one in read]),
    )
    make_folder(path.parent)
    write_json(path, opened, indent=2)
    return opened, path


def check_fits(key: BoxKey, box_path: Path) -> None:
    """Refuse a key that is not of this box.

    Raises
    ------
    DataError
        The box has another checksum than the one that the key belongs to.
    """
    if not box_path.is_file():
        raise UsageError("there is no such file", where=str(box_path))
    checksum = file_checksum(box_path)
    if checksum != key.box_checksum:
        raise DataError(
            f"the key is of {key.box_name} with {key.box_checksum}",
            where=str(box_path),
            expected=f"the key of this box, which has {checksum}",
            fix="name the key that was made with the box, or the box as it was published",
        )


def _check_claims(claims: Sequence[Claim], paths: Sequence[Path], key: BoxKey) -> None:
    problems = [
        Problem(
            what=f"it answers a box of {claim.challenge}",
            where=str(path),
            expected=f"one of {key.challenge}, as the key",
        )
        for claim, path in zip(claims, paths, strict=True)
        if claim.challenge != key.challenge
    ]
    problems += [
        Problem(what=what, where=str(path), expected="EvtId of the box, each once")
        for claim, path in zip(claims, paths, strict=True)
        for what in _cluster_faults(claim, key)
    ]
    teams = [claim.team for claim in claims]
    problems += [
        Problem(what=f"{team} answers {teams.count(team)} times", expected="one answer a team")
        for team in sorted(set(teams))
        if teams.count(team) > 1
    ]
    if problems:
        raise InvalidSubmissionError(*problems)


def _cluster_faults(claim: Claim, key: BoxKey) -> Iterator[str]:
    """Say which events of a cluster cannot be those of the box."""
    events = () if claim.cluster is None else claim.cluster.events
    if len(set(events)) < len(events):
        yield f"its cluster names {len(events) - len(set(events)):,} events twice"
    beyond = [one for one in events if one >= key.n_events]
    if beyond:
        yield f"its cluster names event {beyond[0]}; the box holds {key.n_events:,}"


def score_claim(claim: Claim, key: BoxKey) -> ScoredClaim:
    """Compare an answer with the truth.

    The mass and the number are those of the signal with the most events in the box.
    """
    leading = max(key.signals, key=lambda one: one.n_events, default=None)
    is_right = claim.new_physics == (leading is not None)
    figures: dict[str, ClaimedFigure] = {}
    remarks: list[str] = []
    if claim.new_physics and leading is None:
        remarks.append("the box holds no signal: there is nothing to compare the figures with")
    elif leading is not None:
        for name, claimed in _claimed(claim):
            true = _truth(name, leading, key)
            if true is None:
                remarks.append(f"the key does not say the {_TITLES[name]}")
            else:
                figures[name] = compare(claimed, true)
    return ScoredClaim(
        team=claim.team,
        new_physics=claim.new_physics,
        is_right=is_right,
        cluster=None if claim.cluster is None else score_cluster(claim.cluster, key),
        method=claim.method,
        remarks=tuple(remarks),
        **figures,
    )


def score_cluster(claimed: ClaimedCluster, key: BoxKey) -> ScoredCluster:
    """Count the signal events of a cluster, and compare their number with chance."""
    ids = np.concatenate([np.zeros(0, np.int64), *(signal.ids for signal in key.signals)])
    n_events = len(claimed.events)
    n_signal = int(np.isin(np.asarray(claimed.events, np.int64), ids).sum())
    log_p = log_chance(n_signal, n_named=n_events, n_signal=len(ids), n_events=key.n_events)
    return ScoredCluster(
        label=claimed.label,
        n_events=n_events,
        n_signal=n_signal,
        purity=n_signal / n_events,
        purity_interval=clopper_pearson(n_signal, n_events),
        efficiency=n_signal / len(ids) if len(ids) else None,
        efficiency_interval=clopper_pearson(n_signal, len(ids)) if len(ids) else None,
        p_value=min(1.0, math.exp(log_p)),
        significance=to_significance(log_p),
    )


_TITLES = {
    "mass_gev": "mass",
    "n_events": "number of events",
    "cross_section_fb": "luminosity, so that there is no cross-section",
}


def _claimed(claim: Claim) -> list[tuple[str, Measured]]:
    stated = [(name, getattr(claim, name)) for name in _TITLES]
    return [(name, value) for name, value in stated if value is not None]


def _truth(name: str, signal: KeySignal, key: BoxKey) -> float | None:
    if name == "mass_gev":
        return signal.mass_gev
    if name == "n_events":
        return float(signal.n_events)
    return None if key.luminosity_fb is None else signal.n_events / key.luminosity_fb


def compare(claimed: Measured, true: float) -> ClaimedFigure:
    """Compare a claimed number with the true one.

    Examples
    --------
    >>> found = compare(Measured(value=3600.0, uncertainty=50.0), 3500.0)
    >>> found.pull, round(found.log_score, 4)
    (2.0, -2.2485)
    """
    pull = (claimed.value - true) / claimed.uncertainty
    log_score = pull**2 / 2 + math.log(claimed.uncertainty / true)
    return ClaimedFigure(claimed=claimed, true=true, pull=pull, log_score=log_score)


def _true(signal: KeySignal) -> TrueSignal:
    return TrueSignal(
        process=signal.process,
        title=signal.title,
        n_events=signal.n_events,
        mass_gev=signal.mass_gev,
    )
