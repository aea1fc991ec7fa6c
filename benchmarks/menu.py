"""What the figures of a menu and of stability add to a scoring, at the size of the CMS release.

    python benchmarks/menu.py [--quick] [--json FILE]

4.2 M background events of two runs and 20 signals of 260 k. The whole record is made without and
with a menu (added efficiency at five working points, as total and as added rate, with replicates)
and conditions (run, and pile-up in 12 bins). A scoring without them is taken to be three of its
parts: as many events mixed, the inference of a dense autoencoder 117-32-16-8 by the function of the
step that scores, and the record. A real one also starts TensorFlow three times and checks the
scores, so that the share here is an upper limit.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _table import Goal, Report, Timed, publish, read_options, timed
from numpy.typing import NDArray

from harness.card.physics import Physics
from harness.challenge import Condition, EfficiencyAtRate, EventLayout, ObjectGroup
from harness.data.mix import scatter_events
from harness.metrics.evaluate import BACKGROUND, evaluate
from harness.submission.inference import CHUNK_EVENTS, CHUNKS_AT_A_TIME, compile_network
from harness.submission.jobs import Job, score_job

INPUT_RATE_KHZ = 28_608.8064
MERIT = EfficiencyAtRate(rate_khz=1.0, input_rate_khz=INPUT_RATE_KHZ)
FALSE_POSITIVE_RATES = tuple(rate / INPUT_RATE_KHZ for rate in (0.01, 0.1, 0.25, 0.5, 1.0))
CONDITIONS = (
    Condition(name="run", title="Run", column="run"),
    Condition(name="pile_up", title="Pile-up", column="nPV", edges=tuple(range(20, 81, 5))),
)
N_SIGNALS = 20
# Shares of background and of signal that the menu accepts.
MENU_SHARE, SIGNAL_SHARE = 0.004, 0.3
N_INPUTS = 117
# More than the caches of a processor hold; repeated.
N_TILE = 524_288
REPEATS = 3
MAX_SHARE = 0.10


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """Scores, float32 numbers in float64 arrays, with all that stands beside the events."""

    scores: Mapping[str, NDArray[np.float64]]
    hashes: Mapping[str, NDArray[np.uint64]]
    menu: Mapping[str, NDArray[np.bool_]]
    conditions: Mapping[str, NDArray[np.float64]]

    @property
    def n_events(self) -> int:
        """Events of all samples."""
        return sum(map(len, self.scores.values()))


def draw(n_background: int, n_signal: int, seed: int = 2026) -> Drawn:
    """Draw normal scores; the signals lie 0.2 to 2.1 above the background."""
    generator = np.random.default_rng(seed)
    centres = {BACKGROUND: 0.0, **{f"signal{i}": 0.2 + 0.1 * i for i in range(N_SIGNALS)}}
    counts = {name: n_signal if centre else n_background for name, centre in centres.items()}
    shares = {name: SIGNAL_SHARE if centre else MENU_SHARE for name, centre in centres.items()}
    return Drawn(
        scores={
            name: generator.normal(centre, size=counts[name]).astype("f4").astype("f8")
            for name, centre in centres.items()
        },
        hashes={name: generator.integers(2**64, size=n, dtype="u8") for name, n in counts.items()},
        menu={name: generator.random(n) < shares[name] for name, n in counts.items()},
        conditions={
            "run": np.repeat([396_102.0, 398_183.0], n_background // 2),
            "pile_up": generator.uniform(20.0, 80.0, n_background),
        },
    )


def record(drawn: Drawn, *, is_whole: bool) -> Physics:
    """Make the record of a card; `is_whole`: with the menu and the conditions."""
    return evaluate(
        drawn.scores[BACKGROUND],
        {name: one for name, one in drawn.scores.items() if name != BACKGROUND},
        background_hashes=drawn.hashes[BACKGROUND],
        signal_hashes=drawn.hashes,
        false_positive_rates=FALSE_POSITIVE_RATES,
        working_point=MERIT.fpr,
        seed=1,
        arithmetic="float",
        merit=MERIT,
        accepted=drawn.menu if is_whole else None,
        conditions=CONDITIONS if is_whole else (),
        values=drawn.conditions if is_whole else None,
    )


def inference(n_events: int, folder: Path) -> Callable[[], None]:
    """Return what scores `n_events` events by a small autoencoder, as a step of a scoring does."""
    import keras

    inputs = keras.Input((N_INPUTS,))
    layer = inputs
    for width in (32, 16, 8, 16, 32):
        layer = keras.layers.Dense(width, activation="relu")(layer)
    decoded = keras.layers.Dense(N_INPUTS)(layer)
    model = keras.Model(inputs, keras.ops.mean(keras.ops.square(inputs - decoded), axis=1))
    tile = np.random.default_rng(1).standard_normal((N_TILE, N_INPUTS), dtype="f4")
    np.save(folder / "events.npy", tile)
    scorer, _ = compile_network(model, CHUNK_EVENTS)
    job = Job(events="events", scores="scores", chunk=CHUNK_EVENTS)

    def run() -> None:
        for _ in range(-(-n_events // N_TILE)):
            events = np.load(folder / "events.npy", mmap_mode="r")
            score_job(
                scorer,
                events,
                job,
                {"scores": folder / "scores"},
                chunks_at_a_time=CHUNKS_AT_A_TIME,
            )

    return run


def mixing(n_events: int, folder: Path) -> Callable[[], None]:
    """Return what writes `n_events` events in a secret order, as every scoring does."""
    groups = (("muon", 8), ("jet", 12), ("egamma", 12), ("tau", 7))
    layout = EventLayout(objects=tuple(ObjectGroup(name=n, n_slots=k) for n, k in groups))
    events = np.random.default_rng(1).standard_normal((N_TILE, *layout.shape), dtype="f4")
    places = np.random.default_rng(2).permutation(N_TILE)

    def run() -> None:
        for _ in range(-(-n_events // N_TILE)):
            pieces = (events[start : start + 65_536] for start in range(0, N_TILE, 65_536))
            scatter_events(folder / "mixture.npy", layout, pieces, places, [])

    return run


def main() -> int:
    """Measure, print and keep."""
    options = read_options(__doc__ or "")
    n_background, n_signal = (200_000, 12_000) if options.quick else (4_200_000, 260_000)
    drawn = draw(n_background, n_signal)
    plain = timed(lambda: record(drawn, is_whole=False), repeats=REPEATS)
    whole = timed(lambda: record(drawn, is_whole=True), repeats=REPEATS)
    with tempfile.TemporaryDirectory() as name:
        network = timed(inference(drawn.n_events, Path(name)), repeats=REPEATS)
        mixed = timed(mixing(drawn.n_events, Path(name)), repeats=REPEATS)
    added_s = whole.cpu_s - plain.cpu_s
    report = Report(
        name="menu",
        title="The figures of a menu and of stability",
        columns=("what", "wall [s]", "processor [s]"),
        rows=(
            _row("the same events mixed", mixed),
            _row("their inference", network),
            _row("record without a menu", plain),
            _row("record with menu and conditions", whole),
        ),
        goals=(
            Goal(
                name="added to mixing, inference and record (processor time)",
                value=added_s / (mixed.cpu_s + network.cpu_s + plain.cpu_s),
                relation="<=",
                limit=MAX_SHARE,
            ),
        ),
        conditions={
            "background": n_background,
            "signal": n_signal,
            "signals": N_SIGNALS,
            "working points": len(FALSE_POSITIVE_RATES),
        },
    )
    return publish(report, options)


def _row(name: str, measured: Timed[object]) -> tuple[str, float, float]:
    return name, measured.best_s, measured.cpu_s


if __name__ == "__main__":
    sys.exit(main())
