"""Answers to a black box after its opening: what each team claimed, and what was true.

They lie beside the cards, in ``results/<challenge>/opened/<box>.json``; a board shows them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from harness.board.beside_cards import read_beside
from harness.board.formats import DASH, percent
from harness.card.figures import Count, Interval, Probability
from harness.card.run import Digest
from harness.challenge import Name, Positive, Utc, Value
from harness.files import read_json

OPENED_FOLDER = "opened"
_SUFFIX = ".json"
ANSWER_HEADER = (
    "team", "new physics", "mass [GeV]", "true mass", "pull", "score", "events or cross-section",
    "true number", "pull", "score",
)  # fmt: skip


CLUSTER_HEADER = (
    "team", "cluster", "events", "signal", "purity", "share of the signal", "significance",
)  # fmt: skip


class Measured(Value):
    """A number that a team claims, with its uncertainty: one standard deviation."""

    value: Positive
    uncertainty: Positive


class ClaimedFigure(Value):
    """A claimed number beside the true one.

    Attributes
    ----------
    pull : float
        ``(claimed - true) / uncertainty``.
    log_score : float
        ``pull^2 / 2 + ln(uncertainty / true)``: the negative logarithm of the Gaussian density at
        the truth, but for a constant. Smaller is better. Neither too small nor too large an
        uncertainty gains by it: it is a proper scoring rule.

    References
    ----------
    T. Gneiting, A. E. Raftery, "Strictly proper scoring rules, prediction, and estimation",
    doi:10.1198/016214506000001437.
    """

    claimed: Measured
    true: Positive
    pull: float
    log_score: float


class ScoredCluster(Value):
    """A cluster of events that is claimed to be the new physics, scored by the key.

    Attributes
    ----------
    label : str
        As the team calls it.
    n_signal : int
        Its events that are signal, of any process in the box.
    purity, efficiency : float
        ``n_signal`` of its events, and of all signal events of the box; None without signal.
    p_value : float
        Probability that as many events drawn at random hold as many signal events, or more.
    significance : float
        The same in one-sided standard deviations of a Gaussian; 0 if no more than by chance.
    """

    label: Annotated[str, Field(max_length=200)]
    n_events: Count
    n_signal: Count
    purity: Probability
    purity_interval: Interval
    efficiency: Probability | None
    efficiency_interval: Interval | None
    p_value: Probability
    significance: float


class ScoredClaim(Value):
    """One answer, scored by the key.

    Attributes
    ----------
    is_right : bool
        Whether it says rightly that there is new physics, or that there is none.
    mass_gev, n_events, cross_section_fb : ClaimedFigure or None
        None where it was not claimed, or there is nothing to compare it with.
    cluster : ScoredCluster or None
        Where one was claimed.
    remarks : tuple of str
        Why a claimed figure is not compared.
    """

    team: Name
    new_physics: bool
    is_right: bool
    mass_gev: ClaimedFigure | None = None
    n_events: ClaimedFigure | None = None
    cross_section_fb: ClaimedFigure | None = None
    cluster: ScoredCluster | None = Field(default=None, exclude_if=lambda one: one is None)
    method: str = ""
    remarks: tuple[str, ...] = ()


class TrueSignal(Value):
    """What was in the box."""

    process: Name
    title: str
    n_events: Count
    mass_gev: Positive | None = None


class OpenedBox(Value):
    """A box after its opening, and all answers to it.

    Attributes
    ----------
    luminosity_fb : float or None
        Integrated luminosity that the box stands for [1/fb], where a cross-section was asked for.
    claims : tuple of ScoredClaim
        In the order of `in_order`.
    """

    version: int = Field(default=1, ge=1, le=1)
    challenge: Name
    challenge_title: str
    synthetic: bool
    box_name: str
    box_checksum: Digest
    opened: Utc
    n_events: Count
    signals: tuple[TrueSignal, ...]
    luminosity_fb: Positive | None = None
    claims: tuple[ScoredClaim, ...]

    @property
    def leading(self) -> TrueSignal | None:
        """The signal with the most events, with which claims are compared; None without one."""
        return max(self.signals, key=lambda one: one.n_events, default=None)


def in_order(claims: Sequence[ScoredClaim]) -> tuple[ScoredClaim, ...]:
    """Order claims: right ones first, then by the score of the mass, then by that of the number.

    A figure that is not there comes after every one that is.
    """

    def place(claim: ScoredClaim) -> tuple[bool, float, float, str]:
        number = claim.n_events or claim.cross_section_fb
        scores = [math.inf if one is None else one.log_score for one in (claim.mass_gev, number)]
        return not claim.is_right, scores[0], scores[1], claim.team

    return tuple(sorted(claims, key=place))


def opened_path(results: Path, challenge: str, box_name: str) -> Path:
    """Return the file of an opened box."""
    return results / challenge / OPENED_FOLDER / f"{Path(box_name).stem}{_SUFFIX}"


def read_opened(results: Path, challenge: str) -> tuple[OpenedBox, ...]:
    """Read the boxes of a challenge that were opened, by the time of their opening.

    Raises
    ------
    DataError
        A file is broken.
    """
    folder = results / challenge / OPENED_FOLDER
    paths = sorted(folder.glob(f"*{_SUFFIX}")) if folder.is_dir() else []
    return by_opening([read_json(path, OpenedBox) for path in paths])


def by_opening(boxes: Sequence[OpenedBox]) -> tuple[OpenedBox, ...]:
    """Order boxes by the time of their opening."""
    return tuple(sorted(boxes, key=lambda one: one.opened))


def read_box(path: Path) -> OpenedBox | None:
    """Read a file of a board if it is a box; see `read_beside`."""
    return read_beside(path, lambda content: OpenedBox if "box_name" in content else None)


def contents_text(opened: OpenedBox) -> str:
    """Say what was in a box."""
    return (
        "; ".join(
            f"{one.n_events:,} events of {one.title}"
            + ("" if one.mass_gev is None else f" ({one.mass_gev:,g} GeV)")
            for one in opened.signals
        )
        or "no signal"
    )


def remarks_of(opened: OpenedBox) -> tuple[str, ...]:
    """Say why figures that teams claimed are not compared."""
    return tuple(f"{one.team}: {remark}" for one in opened.claims for remark in one.remarks)


def answer_row(claim: ScoredClaim) -> tuple[str, ...]:
    """Return the cells of one answer, under `ANSWER_HEADER`."""
    said = "yes" if claim.new_physics else "no"
    number = _figure_cells(claim.n_events)
    if claim.cross_section_fb is not None:
        number = _figure_cells(claim.cross_section_fb, unit=" fb")
    verdict = f"{said}, {'right' if claim.is_right else 'wrong'}"
    return (claim.team, verdict, *_figure_cells(claim.mass_gev), *number)


def cluster_rows(opened: OpenedBox) -> list[tuple[str, ...]]:
    """Return the cells of all claimed clusters, under `CLUSTER_HEADER`."""
    return [
        (
            claim.team,
            found.label,
            f"{found.n_events:,}",
            f"{found.n_signal:,}",
            _share_cell(found.purity, found.purity_interval),
            _share_cell(found.efficiency, found.efficiency_interval),
            f"{found.significance:.1f} σ",
        )
        for claim in opened.claims
        if (found := claim.cluster) is not None
    ]


def _share_cell(share: float | None, interval: Interval | None) -> str:
    if share is None or interval is None:
        return DASH
    return f"{percent(share)} ({percent(interval.lower)} to {percent(interval.upper)})"


def _figure_cells(figure: ClaimedFigure | None, *, unit: str = "") -> tuple[str, ...]:
    if figure is None:
        return (DASH, DASH, DASH, DASH)
    claimed = f"{figure.claimed.value:,g} ± {figure.claimed.uncertainty:,g}{unit}"
    return claimed, f"{figure.true:,g}{unit}", f"{figure.pull:+.2f}", f"{figure.log_score:.2f}"
