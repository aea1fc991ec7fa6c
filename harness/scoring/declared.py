"""Scores that harness did not compute: evaluated, and compared with cards or with each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.board.comparison import Span
from harness.board.contest import Contest, Rulebook, contest_of_challenge
from harness.board.entry import Entry, fits, may_be_paired, shown_on
from harness.board.formats import merit_text, percent
from harness.board.merit import has_replicates, merit_at, merit_replicates, span_of
from harness.board.pair import Comparison, Side, compare_sides
from harness.board.public import public_challenge, public_part
from harness.board.reveal import revealed_signals
from harness.card.figures import NotMeasured, UnreachedWorkingPoint
from harness.card.files import CARD_SUFFIX, read_card
from harness.card.html import table_html
from harness.card.physics import Physics
from harness.card.records import ScoreCard
from harness.card.run import IsolationKind
from harness.challenge import Challenge, point_text
from harness.data.cache import cache_root
from harness.data.manifest import load_manifest
from harness.data.published import PublishedTest, published_test
from harness.errors import UsageError
from harness.metrics.evaluate import BACKGROUND
from harness.metrics.working_point import tie_warnings
from harness.sandbox import open_tried_workspace
from harness.scoring.evaluation import evaluate_scores, merge_backgrounds
from harness.scoring.score_files import check_score_file, read_score_file

if TYPE_CHECKING:
    import pandas as pd

Files: TypeAlias = str | PathLike[str]
DECLARED_NOTE = "declared: these scores were read, not computed by harness; they are never ranked"
_ARRAY = "scores"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """What scores of the public test events are worth.

    Attributes
    ----------
    name : str
        What the scores are called.
    contest : Contest
        By what the challenge ranks.
    n_events : int
        Events that have a score.
    physics : Physics
        AUC, TPR at the working points, ROC, merit and replicates, as on a card.
    against : tuple of Comparison
        Compared with the cards that were named.
    notes : tuple of str
        What a reader should know.
    """

    name: str
    title: str
    contest: Contest
    n_events: int
    physics: Physics
    against: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def challenge(self) -> str:
        """Name of the challenge."""
        return self.contest.challenge

    @property
    def merit(self) -> float | NotMeasured:
        """The figure of merit: what a challenge ranks, of all signals together."""
        return merit_at(self.physics, self.contest)

    @property
    def merit_span(self) -> Span | None:
        """The interval of `merit`; None where that was not measured."""
        physics, merit = self.physics, self.merit
        if isinstance(merit, NotMeasured):
            return None
        if not all(has_replicates(physics, self.contest, name) for name in self.contest.signals):
            return None
        return span_of(merit_replicates(physics, self.contest), merit)

    @property
    def merit_line(self) -> str:
        """The figure of merit with its interval, in words."""
        merit, span, what = self.merit, self.merit_span, self.contest.merit
        if isinstance(merit, NotMeasured):
            return f"merit not measured: {merit.not_measured}"
        edges = (
            ""
            if span is None
            else f" [{merit_text(what, span.lower)}, {merit_text(what, span.upper)}]"
        )
        return f"merit {merit_text(what, merit)}{edges}: {what.describe()}"

    def merit_rows(self) -> list[tuple[str, str, str]]:
        """Return the merit of each signal with its interval, where it is no rate of the table."""
        what, rows = self.contest.merit, []
        for name, one in (self.physics.merit.signals if self.physics.merit else {}).items():
            if isinstance(one, NotMeasured):
                rows.append((name, "not measured", one.not_measured))
                continue
            lower, upper = (merit_text(what, x) for x in (one.interval.lower, one.interval.upper))
            rows.append((name, merit_text(what, one.value), f"{lower} to {upper}"))
        return rows

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each signal and figure, with its 95 % interval."""
        import pandas as pd

        columns = ["signal", "figure", "fpr", "value", "lower", "upper"]
        return pd.DataFrame([*self._figures()], columns=columns)

    def _figures(self) -> Iterator[tuple[str, str, float | None, float, float, float]]:
        for name, auc in self.physics.auc.items():
            yield name, "AUC", None, auc.value, auc.interval.lower, auc.interval.upper
        for point in self.physics.working_points:
            if isinstance(point, UnreachedWorkingPoint):
                continue
            for name, rate in point.rates.items():
                yield name, "TPR", point.fpr, rate.tpr, rate.interval.lower, rate.interval.upper
        for name, merit in (self.physics.merit.signals if self.physics.merit else {}).items():
            if not isinstance(merit, NotMeasured):
                what = self.contest.merit.describe()
                yield name, what, None, merit.value, merit.interval.lower, merit.interval.upper

    def __repr__(self) -> str:
        """Say in a line what the scores are worth: the fields hold thousands of numbers."""
        return (
            f"<Evaluation of {self.name!r}, {self.n_events:,} events of {self.challenge}: "
            f"{self.merit_line}; to_frame() has every figure>"
        )

    def _repr_html_(self) -> str:
        """Show the figures in a notebook."""
        header = ("signal", "figure", "value", "95 % interval")
        rows = [
            (
                name,
                what if fpr is None else f"{what} at {point_text(self.contest.merit, fpr)}",
                *_cells(fpr, *values),
            )
            for name, what, fpr, *values in self._figures()
        ]
        title = f"{self.name}: {self.title}, {self.n_events:,} test events"
        shown = table_html(title, header, rows, notes=[self.merit_line, *self.notes])
        return shown + "".join(one._repr_html_() for one in self.against)


def _cells(fpr: float | None, value: float, lower: float, upper: float) -> tuple[str, str]:
    write = "{:.4g}".format if fpr is None else percent
    return write(value), f"{write(lower)} to {write(upper)}"


ScoresOrCard: TypeAlias = Union[ArrayLike, Files, ScoreCard, Evaluation]  # noqa: UP007


def evaluate(
    scores: ArrayLike | Files,
    challenge: str = "sample",
    *,
    ids: ArrayLike | None = None,
    against: Sequence[Files | ScoreCard] = (),
    name: str | None = None,
    manifests: Sequence[Files] = (),
    cache: Files | None = None,
    isolation: IsolationKind = "bwrap",
) -> Evaluation:
    """Measure what scores of the public test events are worth; nothing is written.

    Parameters
    ----------
    scores : array_like, shape (n_events,), or path
        One number for each event of `harness.data.test_events`; higher = more anomalous. Or a file
        of them: npy, npz, HDF5, Parquet or CSV, with `scores` and perhaps `ids`.
    challenge : str
        Name of a challenge of the manifest.
    ids : array_like of int, shape (n_events,), optional
        The row of each score's event in `test_events`; without it the scores are in that order.
    against : sequence of path or ScoreCard
        Cards that the scores are compared with.
    name : str, optional
        What the scores are called; by default the name of the file.
    manifests : sequence of path
        Manifests beside the shipped one.
    cache : path, optional
        Where decoded events are kept.
    isolation : str
        Of the step that reads a file.

    Raises
    ------
    InvalidSubmissionError
        There is not one finite number for each event.
    UsageError
        There is no such challenge, or a card is not of the same events.
    """
    rules = load_manifest(*map(Path, manifests)).challenge(challenge)
    cards = [_whole_card(card) for card in against]
    for card in cards:
        _check_card(card, rules)
    if isinstance(scores, str | PathLike):
        check_score_file(Path(scores))
    found = published_test(rules, None if cache is None else Path(cache))
    ordered, called = _in_order(scores, ids, found, cache, isolation)
    contest = contest_of_challenge(found.challenge)
    separate = found.separate(ordered)
    physics = evaluate_scores(found.challenge, separate, found.hashes, "float", found.beside)
    side = Side(name=name or called, physics=physics)
    background = merge_backgrounds(found.challenge, separate)[BACKGROUND]
    return Evaluation(
        name=side.name,
        title=rules.title,
        contest=contest,
        n_events=found.n_events,
        physics=physics,
        against=tuple(compare_sides(side, _side_of(card, challenge), contest) for card in cards),
        notes=(DECLARED_NOTE, *tie_warnings(background, physics.at(rules.working_point))),
    )


def _in_order(
    scores: ArrayLike | Files,
    ids: ArrayLike | None,
    found: PublishedTest,
    cache: Files | None,
    isolation: IsolationKind,
) -> tuple[NDArray[np.float64], str]:
    """Return the scores in the published order, and what they are called."""
    if not isinstance(scores, str | PathLike):
        return found.in_order(scores, ids, where=_ARRAY), _ARRAY
    path = Path(scores)
    if ids is not None:
        raise UsageError("a file has its own ids", where=str(path), fix="leave `ids` out")
    root = cache_root(None if cache is None else Path(cache))
    with open_tried_workspace(isolation, root) as workspace:
        table = read_score_file(path, found.n_events, workspace)
    return found.in_order(table.scores, table.ids, where=str(path)), path.name


def compare(
    first: ScoresOrCard,
    second: ScoresOrCard,
    challenge: str | None = None,
    *,
    manifests: Sequence[Files] = (),
    cache: Files | None = None,
    isolation: IsolationKind = "bwrap",
) -> Comparison:
    """Compare two cards, or scores, over paired replicates of the same events.

    Parameters
    ----------
    first, second : card, path of a card, Evaluation, scores or path of scores
        A path that ends in ``.json`` is a card; everything else is what `evaluate` takes. Of a card
        the scores that count are compared: the firmware's, where there are any.
    challenge : str, optional
        For scores; by default that of the other side, or the sample.
    manifests, cache, isolation
        As for `evaluate`.

    Raises
    ------
    UsageError
        The two are not of the same events, working point and merit.
    """
    sides = [_as_card(one) for one in (first, second)]
    cards = [one for one in sides if isinstance(one, ScoreCard)]
    if len(cards) == 2:
        return _compare_cards(cards[0], cards[1], manifests)
    known = [one.challenge for one in sides if isinstance(one, Evaluation)]
    chosen = challenge or next(iter([*(card.challenge.name for card in cards), *known]), "sample")
    rules = load_manifest(*map(Path, manifests)).challenge(chosen)
    for card in cards:
        _check_card(card, rules)
    measured = [
        one
        if isinstance(one, ScoreCard | Evaluation)
        else evaluate(one, chosen, manifests=manifests, cache=cache, isolation=isolation)
        for one in sides
    ]
    made = [_side_of(one, chosen, number) for number, one in enumerate(measured, start=1)]
    return compare_sides(made[0], made[1], contest_of_challenge(public_challenge(rules)))


def _as_card(one: ScoresOrCard) -> ArrayLike | Files | ScoreCard | Evaluation:
    is_card = isinstance(one, str | PathLike) and Path(one).suffix == CARD_SUFFIX
    return _whole_card(one) if is_card or isinstance(one, ScoreCard) else one  # type: ignore[arg-type]


def _whole_card(card: Files | ScoreCard) -> ScoreCard:
    """Read a card; without hidden signals that were not opened."""
    if isinstance(card, ScoreCard):
        return public_part(card)
    path = Path(card)
    read = read_card(path)
    results = path.absolute().parent.parent.parent
    return public_part(read, revealed_signals(results, read.challenge.name))


def _side_of(card: ScoreCard | Evaluation, challenge: str, number: int = 1) -> Side:
    if isinstance(card, Evaluation):
        if card.challenge != challenge:
            raise UsageError(f"{card.name} is of {card.challenge}, not of {challenge}")
        called = f"{_ARRAY} {number}" if card.name == _ARRAY else card.name
        return Side(name=called, physics=card.physics)
    physics = shown_on(card, card.challenge.target)
    said = card.submission
    if physics is None:
        raise UsageError(f"the card of {said.team} holds no scores")
    return Side(name=f"{said.team}, {card.created}, {physics.arithmetic}", physics=physics)


def _compare_cards(first: ScoreCard, second: ScoreCard, manifests: Sequence[Files]) -> Comparison:
    if not may_be_paired(first, second):
        raise UsageError(
            f"the cards of {first.submission.team} ({first.challenge.name}) and "
            f"{second.submission.team} ({second.challenge.name}) cannot be compared in pairs",
            expected="cards of the same data, working point and merit",
            fix="score both submissions again with this harness",
        )
    known = load_manifest(*map(Path, manifests)).challenges
    rules = next((one for one in known if one.name == first.challenge.name), None)
    entries = [Entry(key=str(n), card=card) for n, card in enumerate((first, second))]
    contest = Rulebook(challenge=rules if rules and fits(first, rules) else None)
    sides = [_side_of(card, card.challenge.name) for card in (first, second)]
    return compare_sides(sides[0], sides[1], contest.contest_of(entries))


def _check_card(card: ScoreCard, rules: Challenge) -> None:
    """Refuse a card whose replicates do not weigh the events of `rules`."""
    made = card.challenge
    is_same = (made.working_point, made.merit) == (rules.working_point, rules.merit)
    if not (fits(card, rules) and is_same):
        raise UsageError(
            f"the card of {card.submission.team} is of {made.name} {made.version}",
            expected=f"a card of {rules.name} {rules.version}, with its working point and merit",
            fix=f"score that submission again: harness score ... --challenge {rules.name}",
        )
