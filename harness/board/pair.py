"""Two sets of scores of the same events compared, signal by signal, over paired replicates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.board.comparison import PairedComparison, compare_rate
from harness.board.contest import Contest
from harness.board.entry import point_at
from harness.board.formats import percent
from harness.board.merit import compare_merit, compare_signal, is_comparable_signal
from harness.card.figures import NotMeasured
from harness.card.html import table_html
from harness.card.physics import Physics
from harness.challenge import TprAtFpr

if TYPE_CHECKING:
    import pandas as pd

ALL_SIGNALS = "all signals"
PAIRED_NOTE = (
    "95 % for each line by itself; both scored the same events, and what both accept cancels."
)
HEADER = ("figure", "first", "second", "difference", "first/second", "resolved")


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of the two: what it is called, and the physics that counts of it."""

    name: str
    physics: Physics


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedFigure:
    """One figure of both.

    Attributes
    ----------
    signal : str
        Its name, or `ALL_SIGNALS` for the figure of merit.
    figure : str
        What is compared: "TPR at FPR 1e-5".
    is_share : bool
        It is printed in per cent.
    found : PairedComparison
        Both values, first minus second, and first over second, with their intervals.
    """

    signal: str
    figure: str
    is_share: bool
    found: PairedComparison


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two sets of scores of one challenge, compared.

    Attributes
    ----------
    first, second : str
        What they are called.
    figures : tuple of ComparedFigure
        The figure of merit, then that of each signal that both were scored on.
    """

    challenge: str
    first: str
    second: str
    figures: tuple[ComparedFigure, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each figure: its values, difference and ratio with 95 % intervals."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "signal": one.signal,
                    "figure": one.figure,
                    "first": one.found.first,
                    "second": one.found.second,
                    "difference": one.found.difference,
                    "difference_lower": one.found.difference_span.lower,
                    "difference_upper": one.found.difference_span.upper,
                    "ratio": one.found.ratio,
                    "ratio_lower": one.found.ratio_span.lower,
                    "ratio_upper": one.found.ratio_span.upper,
                    "is_resolved": one.found.is_resolved,
                }
                for one in self.figures
            ]
        )

    @property
    def title(self) -> str:
        """Who is compared."""
        return f"{self.challenge}: {self.first} (first), {self.second} (second)"

    def rows(self) -> list[tuple[str, ...]]:
        """Return what a table shows under `HEADER`."""
        return [_row(one) for one in self.figures]

    def __repr__(self) -> str:
        """Write the table as text: in a console and by `print`."""
        return "\n".join([f"<Comparison of {self.title}", *map(" | ".join, self.rows()), ">"])

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        return table_html(self.title, HEADER, self.rows(), notes=[PAIRED_NOTE])


def _row(one: ComparedFigure) -> tuple[str, ...]:
    write = percent if one.is_share else "{:.4g}".format
    found = one.found
    span = found.difference_span
    lower, upper = (write(edge).removesuffix(" %") for edge in (span.lower, span.upper))
    # The unit follows the interval: 0.12 [0.06, 0.20] %.
    middle, space, unit = write(found.difference).partition(" ")
    difference = f"{middle} [{lower}, {upper}]{space}{unit}"
    ratio = f"{found.ratio:.3g} [{found.ratio_span.lower:.3g}, {found.ratio_span.upper:.3g}]"
    return (
        f"{one.signal}: {one.figure}",
        write(found.first),
        write(found.second),
        difference,
        ratio,
        "yes" if found.is_resolved else "no",
    )


def compare_sides(first: Side, second: Side, contest: Contest) -> Comparison:
    """Compare two physics records whose replicates weigh the same events.

    Signals that one of them lacks are left out, and so is the figure of merit then.
    """
    return Comparison(
        challenge=contest.challenge,
        first=first.name,
        second=second.name,
        figures=tuple(_figures(first.physics, second.physics, contest)),
    )


def _figures(first: Physics, second: Physics, contest: Contest) -> Iterator[ComparedFigure]:
    merit = contest.merit
    both = [
        name
        for name in contest.signals
        if is_comparable_signal(first, contest, name)
        and is_comparable_signal(second, contest, name)
    ]
    if both and both == list(contest.signals):
        yield ComparedFigure(
            signal=ALL_SIGNALS,
            figure=f"merit, {merit.describe()}",
            is_share=merit.is_share,
            found=compare_merit(first, second, contest),
        )
    for name in both:
        yield ComparedFigure(
            signal=name,
            figure=merit.describe(),
            is_share=merit.is_share,
            found=compare_signal(first, second, name, contest),
        )
    if not merit.at_working_point:
        yield from _rates(first, second, contest)


def _rates(first: Physics, second: Physics, contest: Contest) -> Iterator[ComparedFigure]:
    """Compare the TPRs at the working point where something else is ranked."""
    fpr = contest.working_point
    if any(isinstance(point_at(one, fpr), NotMeasured) for one in (first, second)):
        return
    for name in contest.signals:
        if first.replicates.get(name) and second.replicates.get(name):
            yield ComparedFigure(
                signal=name,
                figure=TprAtFpr(fpr=fpr).describe(),
                is_share=True,
                found=compare_rate(first, second, name, fpr),
            )
