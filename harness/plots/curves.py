"""ROC curves, distributions of scores, and efficiency against latency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.board.entry import point_at
from harness.card.figures import NotMeasured
from harness.challenge import point_text
from harness.errors import UsageError
from harness.metrics.band import roc_band
from harness.plots.style import colour, label, new_axes, paper_style
from harness.plots.subject import Drawable, Subject, chosen_signals, subject_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_LINES = ("-", "--", "-.", ":")
_SMALL = "x-small"


def roc(*what: Drawable, signals: Sequence[str] | None = None, axes: Axes | None = None) -> Axes:
    """Draw ROC curves with 95 % bands, on logarithmic axes.

    Parameters
    ----------
    *what : card, path of a card, or Evaluation
        Each has a kind of line of its own, each signal a colour.
    signals : sequence of str, optional
        Which signals; all by default.
    axes : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The band is conservative: `harness.metrics.band.roc_band`. It holds the uncertainty of the
        threshold as well. The dotted line is chance; the vertical one the challenge's FPR.

    Raises
    ------
    UsageError
        Nothing to draw was given, or a signal is not there.
    EnvironmentFaultError
        The extra `plots` is not installed.
    """
    with paper_style():
        if not what:
            raise UsageError("no card to draw", expected="one card at least")
        subjects = [subject_of(one) for one in what]
        chosen = chosen_signals(subjects, None if signals is None else list(signals))
        axes = new_axes() if axes is None else axes
        for n, subject in enumerate(subjects):
            for i, signal in enumerate(chosen):
                is_named = len(subjects) > 1
                _curve(axes, subject, signal, colour(i), _LINES[n % len(_LINES)], is_named=is_named)
        lowest = min(min(one.physics.roc[name].fpr) for one in subjects for name in chosen)
        axes.plot([lowest, 1], [lowest, 1], color="0.5", linestyle=":", linewidth=1)
        axes.axvline(subjects[0].working_point, color="0.7", linewidth=1, zorder=0)
        axes.set(xscale="log", yscale="log", xlim=(lowest, 1), ylim=(lowest, 1.5))
        axes.set(xlabel="False positive rate", ylabel="Signal efficiency (TPR)")
        axes.legend(fontsize=_SMALL, loc="lower right")
    return axes


def _curve(
    axes: Axes, subject: Subject, signal: str, shade: str, line: str, *, is_named: bool
) -> None:
    points = subject.physics.roc.get(signal)
    if points is None or not points.fpr:
        raise UsageError(f"{subject.name} holds no ROC curve of {signal}")
    title = label(subject.titles[signal])
    named = f"{label(subject.name)}, {title}" if is_named else title
    axes.plot(points.fpr, points.tpr, color=shade, linestyle=line, label=named)
    n_signal = subject.n_signal(signal)
    if n_signal is not None:
        n_background = subject.physics.n_background
        lower, upper = roc_band(points, n_background=n_background, n_signal=n_signal)
        axes.fill_between(points.fpr, lower, upper, color=shade, alpha=0.2, linewidth=0)


def score_distribution(
    what: Drawable, *, signals: Sequence[str] | None = None, axes: Axes | None = None
) -> Axes:
    """Draw the share of events in each bin of the score, for background and signals.

    Parameters
    ----------
    what : card, path of a card, or Evaluation
    signals, axes
        As for `roc`.

    Returns
    -------
    matplotlib.axes.Axes
        The vertical line is the threshold of the challenge's FPR.

    Raises
    ------
    UsageError
        The card holds no distribution, or a signal is not there.
    EnvironmentFaultError
        The extra `plots` is not installed.
    """
    with paper_style():
        subject = subject_of(what)
        drawn = subject.physics.scores
        if drawn is None:
            raise UsageError(f"{subject.name} holds no distribution of its scores")
        chosen = chosen_signals([subject], None if signals is None else list(signals))
        axes = new_axes() if axes is None else axes
        for i, name in enumerate(["background", *chosen]):
            counts = np.array(drawn.counts[name])
            shares = counts / max(int(counts.sum()), 1)
            style = {"fill": True, "color": "0.85"} if i == 0 else {"color": colour(i - 1)}
            axes.stairs(shares, drawn.edges, label=label(subject.titles.get(name, name)), **style)
        point = point_at(subject.physics, subject.working_point)
        if not isinstance(point, NotMeasured):
            text = point_text(subject.merit, point.fpr)
            axes.axvline(point.threshold, color="0.3", linestyle="--", label=text)
        axes.set(yscale="log", xlabel="Anomaly score", ylabel="Share of events per bin")
        axes.legend(fontsize=_SMALL)
    return axes


def efficiency_latency(board: pd.DataFrame, *, axes: Axes | None = None) -> Axes:
    """Draw the figure of merit of each ranked entry against its latency.

    Parameters
    ----------
    board : pandas.DataFrame
        From `harness.leaderboard`.
    axes : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        Bars are 95 % intervals of each entry by itself.

    Raises
    ------
    UsageError
        No entry of the table is ranked, or none has a latency.
    EnvironmentFaultError
        The extra `plots` is not installed.
    """
    with paper_style():
        wanted = {"rank", "team", "merit", "latency_ns"}
        if missing := wanted - set(board.columns):
            raise UsageError(
                f"the table has no {', '.join(sorted(missing))}",
                expected="what harness.leaderboard returns, of a challenge with an FPGA",
            )
        shown = board.dropna(subset=["rank", "merit", "latency_ns"])
        if shown.empty:
            raise UsageError("no ranked entry of the table has a latency")
        axes = new_axes() if axes is None else axes
        merit = shown["merit"].to_numpy(dtype=float)
        edges = shown.get(["merit_lower", "merit_upper"])
        bars = None
        if edges is not None:
            low, high = edges.to_numpy(dtype=float).T
            bars = np.nan_to_num(np.array([merit - low, high - merit])).clip(min=0)
        latency = shown["latency_ns"].to_numpy(dtype=float)
        axes.errorbar(latency, merit, yerr=bars, fmt="o", capsize=3, color=colour(0))
        for x, y, team in zip(latency, merit, shown["team"], strict=True):
            axes.annotate(
                label(str(team)), (x, y), (4, 4), textcoords="offset points", fontsize="xx-small"
            )
        axes.set(yscale="log", xlabel="Latency [ns]", ylabel="Figure of merit")
    return axes
