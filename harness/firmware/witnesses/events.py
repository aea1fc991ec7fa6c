"""The events that all witnesses see: high scores, low scores, a sample, the edges of the words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.card.figures import Count
from harness.challenge import Value
from harness.firmware.backend import FirmwareRequest
from harness.firmware.interpret import InterpreterReport, run_interpreter
from harness.firmware.tools import Files, Report, Request, disk_faults, require_package
from harness.firmware.translate.program import count_words, input_formats, load_program
from harness.firmware.translate.translation import Translation
from harness.sandbox.step import MIB
from harness.submission.events import open_rows
from harness.submission.words import FixedPoint

# The highest-scoring share of events that every witness sees, and the lowest.
HIGHEST_SHARE = 0.01
LOWEST_SHARE = 0.001
N_RANDOM_EXTREMES = 1_000
# The choice of events is no secret: it must be the same each time.
_SEED = 20_210_800
# Integers of more bits than this are not exact in the float32 of events.
_EXACT_BITS = 24


class ExtremesReport(Value):
    """How many events at the edges of the input words there are."""

    n_events: Count
    n_inputs: Count


@dataclass(frozen=True, kw_only=True, slots=True)
class CommonEvents:
    """The events that the witnesses are compared on, with the program's scores.

    Attributes
    ----------
    path : Path
        .npy: real events, then those at the edges of the words, then further real ones.
    rows : ndarray of float32, shape (n, n_inputs)
        The same in memory.
    stands_for : ndarray of float64, shape (n_ordinary,)
        For each real event before the edges, how many events of the background it stands for: one
        that was drawn at random stands for those that were not drawn as well, a signal for none.
    all_scores : ndarray of float64, shape (n,)
        The program's.
    words : ndarray of uint32, shape (n_compared, n_words)
        The input port's bits of the events up to the end of the edges, which all witnesses see;
        only the C simulation, which is fast, sees the further ones.
    form : InterpreterReport
        The form of the scores.
    """

    path: Path
    rows: NDArray[np.float32]
    stands_for: NDArray[np.float64]
    all_scores: NDArray[np.float64]
    words: NDArray[np.uint32]
    form: InterpreterReport

    @property
    def n_compared(self) -> int:
        """Events that every witness sees: real ones, then the edges."""
        return len(self.words)

    @property
    def scores(self) -> NDArray[np.float64]:
        """The program's scores of the events that every witness sees."""
        return self.all_scores[: self.n_compared]


def choose_common_events(
    request: FirmwareRequest, translation: Translation, scores: Path | None
) -> CommonEvents:
    """Choose the events that all witnesses see, and score them."""
    settings = request.settings
    extremes = _find_extremes(request, translation)
    ordinary, further, stands_for = extremes[:0], extremes[:0], np.zeros(0)
    if request.events is not None and scores is not None:
        all_scores = np.fromfile(scores, np.float64)
        events = open_rows(request.events)
        wanted = wanted_events(request, all_scores)
        chosen = choose_events(all_scores, settings.n_witness_events, wanted)
        stands_for = numbers_of(all_scores, settings.n_witness_events, wanted)[chosen]
        if request.background is not None:
            stands_for *= np.isin(chosen, request.background)
        many = choose_events(all_scores, settings.n_csim_events, chosen)
        ordinary = np.asarray(events[chosen], np.float32)
        further = np.asarray(events[np.setdiff1d(many, chosen)], np.float32)
    rows = np.concatenate([ordinary, extremes, further])
    path = request.folder / "witnesses.npy"
    np.save(path, rows)
    n_words = count_words(translation.report.input_bits)
    done = run_interpreter(
        request.workspace, settings, translation.program, path, name="witnesses", n_words=n_words
    )
    words = np.fromfile(done.outputs["words"], "<u4").reshape(len(rows), n_words)
    return CommonEvents(
        path=path,
        rows=rows,
        stands_for=stands_for,
        all_scores=np.fromfile(done.outputs["scores"], "<f8"),
        words=words[: len(ordinary) + len(extremes)],
        form=done.report,
    )


def wanted_events(
    request: FirmwareRequest, scores: NDArray[np.float64]
) -> NDArray[np.int64] | None:
    """Return the events that must be compared: those asked for, and those that differ most."""
    if request.network_scores is None:
        return request.must_include
    difference = np.abs(request.network_scores - scores)
    n_different = min(int((difference > 0).sum()), request.settings.n_witness_events)
    most = np.argsort(difference)[len(difference) - n_different :]
    asked = most[:0] if request.must_include is None else request.must_include
    return np.union1d(asked, most)


def _find_extremes(request: FirmwareRequest, translation: Translation) -> NDArray[np.float32]:
    done = request.run(
        "extremes",
        "witnesses.events:list_extremes",
        ExtremesReport,
        request={"is_beyond": not translation.report.is_wire_wider},
        inputs={"program": translation.program},
        outputs={"events": 256 * MIB},
    )
    shape = done.report.n_events, done.report.n_inputs
    return np.fromfile(done.outputs["events"], "<f4").reshape(shape)


@disk_faults()
def list_extremes(request: Request, inputs: Files, outputs: Files) -> Report:
    """Write events at the edges of a program's input words (entry of a step).

    Request: ``is_beyond``, see `extreme_events`. Inputs: ``program``. Outputs: ``events`` (float32,
    rows of inputs, no header).
    """
    require_package("da4ml")
    formats = input_formats(load_program(inputs["program"]))
    events = extreme_events(formats, is_beyond=request["is_beyond"])
    np.ascontiguousarray(events, "<f4").tofile(outputs["events"])
    return {"n_events": len(events), "n_inputs": events.shape[1]}


# --- The choice -----------------------------------------------------------------------------------


def choose_events(
    scores: NDArray[np.float64], n_events: int, must_include: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Choose events for a comparison: the highest scores, some of the lowest, the rest at random.

    Parameters
    ----------
    scores : ndarray of float64, shape (n,)
        Of all events, in no particular order of processes.
    n_events : int
        How many to choose; more if `must_include` asks for about as many or more.
    must_include : ndarray of int64, optional
        Events to choose in any case.

    Returns
    -------
    ndarray of int64
        Rising, without repetition.
    """
    chosen = _chosen_in_any_case(scores, n_events, must_include)
    generator = np.random.default_rng(_SEED)
    others, n_drawn = np.flatnonzero(~chosen), _n_drawn(chosen, n_events)
    chosen[generator.choice(others, n_drawn, replace=False)] = True
    return np.flatnonzero(chosen)


def _n_drawn(is_certain: NDArray[np.bool_], n_events: int) -> int:
    """Return how many events are drawn at random: what is missing, a tenth in any case."""
    n_certain = int(is_certain.sum())
    return min(max(n_events - n_certain, n_events // 10), len(is_certain) - n_certain)


def _chosen_in_any_case(
    scores: NDArray[np.float64], n_events: int, must_include: NDArray[np.int64] | None
) -> NDArray[np.bool_]:
    """Return which events are asked for, or have one of the highest or lowest scores."""
    n_all = len(scores)
    chosen = np.zeros(n_all, bool)
    if must_include is not None:
        chosen[must_include] = True
    order = np.argsort(scores, kind="stable")
    n_highest = min(max(1, round(HIGHEST_SHARE * n_all)), max(1, n_events // 2))
    chosen[order[n_all - n_highest :]] = True
    chosen[order[: min(round(LOWEST_SHARE * n_all), n_events // 10)]] = True
    return chosen


def numbers_of(
    scores: NDArray[np.float64], n_events: int, must_include: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return for each event how many of all it stands for if `choose_events` chooses it.

    Sums over the chosen events, weighted so, are those over all events but for the chance of the
    draw (D. G. Horvitz and D. J. Thompson, doi:10.1080/01621459.1952.10483446).
    """
    is_certain = _chosen_in_any_case(scores, n_events, must_include)
    n_others, n_drawn = len(scores) - int(is_certain.sum()), _n_drawn(is_certain, n_events)
    return np.where(is_certain, 1.0, n_others / max(1, n_drawn))


def extreme_events(
    formats: Sequence[FixedPoint], n_random: int = N_RANDOM_EXTREMES, *, is_beyond: bool = True
) -> NDArray[np.float32]:
    """Make events at the edges of the input words, and anywhere in and beyond them.

    Parameters
    ----------
    formats : sequence of FixedPoint
        Word of each input; one of no bits is unused.
    n_random : int
        Events with every input anywhere in its word; and as many up to four times outside it.
    is_beyond : bool
        Whether there are events outside the words, which wrap into them. A wire that is wider than
        the word of the network, which saturates, holds every input: nothing is beyond it.

    Returns
    -------
    ndarray of float32, shape (n, n_inputs)
        All zero; all lowest; all highest; each input alone at its lowest, at its highest and one
        step above; halfway between steps; and the random ones.
    """
    steps = np.array([form.step for form in formats])
    lowest = np.array([form.lowest if form.width else 0.0 for form in formats])
    highest = np.array([form.highest if form.width else 0.0 for form in formats])
    beyond = [highest + steps, lowest - steps] if is_beyond else []
    rows = [np.zeros_like(steps), lowest, highest, *beyond, steps / 2]
    used = [column for column, form in enumerate(formats) if form.width]
    rows += list(_one_at_a_time(used, lowest, highest, *beyond[:1]))
    generator = np.random.default_rng(_SEED)
    n_steps = np.array([2.0 ** min(form.width, _EXACT_BITS) for form in formats])
    for reach in (1, 4) if is_beyond else (1, 1):
        whole = np.floor(generator.random((n_random, len(steps))) * reach * n_steps)
        rows += list(reach * lowest + whole * steps)
    return np.asarray(rows, np.float32)


def _one_at_a_time(
    columns: Sequence[int], *values: NDArray[np.float64]
) -> Iterator[NDArray[np.float64]]:
    for value in values:
        for column in columns:
            row = np.zeros_like(value)
            row[column] = value[column]
            yield row
