"""The score of a list of chosen events: true signals by the key, intervals, significance."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri_exp

from harness.blackbox.box import Box
from harness.blackbox.result import ResultFile, check_result, read_result_file
from harness.blackbox.seal import BoxKey, Secret, open_key
from harness.card.figures import Count, Interval, Probability
from harness.card.run import IsolationKind
from harness.challenge import Name, Value
from harness.data.cache import cache_root
from harness.errors import InvalidSubmissionError, UsageError
from harness.metrics.intervals import clopper_pearson
from harness.sandbox import open_tried_workspace


class FoundSignal(Value):
    """How much of one signal was found.

    Attributes
    ----------
    efficiency : float
        ``n_found / n_events``.
    interval : Interval
        Of the efficiency, for the events of the box as a sample (Clopper-Pearson).
    significance_improvement : float
        Efficiency / sqrt(rate), the rate being the share of the box that is named.
    p_value : float
        Probability that as many events named at random hold as many of this signal, or more.
    significance : float
        The same in one-sided standard deviations of a Gaussian; 0 if no more than by chance.
    """

    process: Name
    title: str
    n_events: Count
    n_found: Count
    efficiency: Probability
    interval: Interval
    significance_improvement: float
    p_value: Probability
    significance: float


class BoxScore(Value):
    """The score of a result.

    Attributes
    ----------
    n_named, n_allowed : int
        Events that the result names, and that it may name.
    n_background : int
        Background events among those named.
    fpr, fpr_interval
        Their share of the background of the box.
    purity, purity_interval
        Share of the named events that is signal.
    together : FoundSignal
        All signals as one.
    declared : dict
        Figures that the team declares; nothing is scored by them.
    """

    team: str
    challenge: Name
    synthetic: bool
    box: str
    n_events: Count
    n_allowed: Count
    n_named: Count
    n_background: Count
    fpr: Probability
    fpr_interval: Interval
    purity: Probability
    purity_interval: Interval
    signals: tuple[FoundSignal, ...]
    together: FoundSignal
    declared: dict[str, int | float | str]
    remarks: tuple[str, ...]


def score_blackbox(
    path: Path, *, key_path: Path, secret: Secret, isolation: IsolationKind = "bwrap"
) -> BoxScore:
    """Score a result file by the key of its black box.

    Raises
    ------
    InvalidSubmissionError
        The file is no result, or names what it may not name: nothing is counted.
    HarnessError
        The key cannot be opened, or the sandbox fails.
    """
    key = open_key(key_path, secret)
    with open_tried_workspace(isolation, cache_root()) as workspace:
        result = read_result_file(path, workspace)
    return score_result(result, key)


def box_of(key: BoxKey) -> Box:
    """Return the box that a key belongs to."""
    return Box(
        title=key.box_name,
        n_events=key.n_events,
        working_point=key.working_point,
        max_latency_us=key.max_latency_us,
        ids=np.arange(key.n_events, dtype=np.int64),
    )


def score_result(result: ResultFile, key: BoxKey) -> BoxScore:
    """Count the true signal events that a result names.

    Raises
    ------
    InvalidSubmissionError
        The result names too many events, none, one twice or one that is not in the box: all
        faults are reported, and nothing is counted.
    UsageError
        The box holds no signal.
    """
    check = check_result(result, box_of(key))
    if check.faults:
        raise InvalidSubmissionError(*check.faults)
    if not key.signals:
        raise UsageError(
            f"{key.box_name} holds no signal: there are no events to find",
            fix="score claims: harness blackbox open",
        )
    n_named = len(result.ids)
    signals = [
        _found(signal.title, signal.process, signal.ids, result, key) for signal in key.signals
    ]
    every = np.concatenate([signal.ids for signal in key.signals])
    together = _found("all signals", "signal", every, result, key)
    n_background = n_named - together.n_found
    n_all_background = key.n_events - key.n_signal
    return BoxScore(
        team=result.team,
        challenge=key.challenge,
        synthetic=key.synthetic,
        box=key.box_checksum,
        n_events=key.n_events,
        n_allowed=key.n_allowed,
        n_named=n_named,
        n_background=n_background,
        fpr=n_background / n_all_background,
        fpr_interval=clopper_pearson(n_background, n_all_background),
        purity=together.n_found / n_named,
        purity_interval=clopper_pearson(together.n_found, n_named),
        signals=tuple(signals),
        together=together,
        declared=dict(result.declared),
        remarks=check.remarks,
    )


def _found(
    title: str, process: str, ids: NDArray[np.int64], result: ResultFile, key: BoxKey
) -> FoundSignal:
    n_events, n_named = len(ids), len(result.ids)
    n_found = int(np.isin(result.ids, ids).sum())
    log_p = log_chance(n_found, n_named=n_named, n_signal=n_events, n_events=key.n_events)
    return FoundSignal(
        process=process,
        title=title,
        n_events=n_events,
        n_found=n_found,
        efficiency=n_found / n_events,
        interval=clopper_pearson(n_found, n_events),
        significance_improvement=n_found / n_events / math.sqrt(n_named / key.n_events),
        p_value=min(1.0, math.exp(log_p)),
        significance=to_significance(log_p),
    )


def log_chance(n_found: int, *, n_named: int, n_signal: int, n_events: int) -> float:
    """Return the logarithm of the probability to find as many signal events by chance, or more.

    Of `n_events` events `n_signal` are signal, and `n_named` are drawn at random without
    replacement: the number of signal events among them is hypergeometric. This is Fisher's exact
    test, one-sided.

    References
    ----------
    R. A. Fisher, J. R. Stat. Soc. 85 (1922) 87, doi:10.2307/2340521.

    Examples
    --------
    >>> import math
    >>> round(math.exp(log_chance(2, n_named=2, n_signal=2, n_events=4)), 6)  # 1 of 6 pairs
    0.166667
    """
    if n_found <= 0:
        return 0.0
    from scipy.stats import hypergeom

    return float(min(0.0, hypergeom.logsf(n_found - 1, n_events, n_signal, n_named)))


def to_significance(log_p: float) -> float:
    """Return the one-sided Gaussian significance of a p-value given by its logarithm.

    0 for a p-value of a half or more: no more than by chance.

    Examples
    --------
    >>> import math
    >>> round(to_significance(math.log(2.866516e-7)), 4), to_significance(0.0)
    (5.0, 0.0)
    """
    return max(0.0, float(-ndtri_exp(log_p)))
