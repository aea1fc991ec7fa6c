"""Images without their zeros, made dense chunk by chunk, against plain NumPy in the same run.

    python benchmarks/layouts.py [--quick] [--json FILE]

The images have 288 x 360 pixels of three channels, of which 3,000 values are not zero. *Sparse
file* is what the sandbox does: it reads a chunk of `harness.submission.events` and makes it dense.
*NumPy, image by image* is the obvious way: zeros, and one assignment for each image. *Dense file*
copies the same chunks from a .npy of all values.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _table import Goal, Report, publish, read_options, timed
from numpy.typing import NDArray

from harness.challenge import ADC2021_BYTES, events_within
from harness.submission.events import ENTRY, SparseEvents, forget_read, open_events, save_events
from harness.submission.inference import CHUNK_EVENTS

SHAPE = (288, 360, 3)
N_VALUES = int(np.prod(SHAPE))
N_FILLED = 3_000
MAX_RATIO = 1.5


def main() -> int:
    """Run the benchmark."""
    options = read_options(__doc__ or "")
    n_events = 120 if options.quick else 1_200
    with tempfile.TemporaryDirectory() as name:
        sparse, dense = Path(name) / "sparse.npy", Path(name) / "dense.npy"
        images = draw_images(n_events)
        save_events(sparse, images)
        save_events(dense, images[:])
        found = {
            "sparse file": timed(lambda: read_chunks(sparse)),
            "NumPy, image by image": timed(lambda: fill_one_by_one(images)),
            "dense file": timed(lambda: read_chunks(dense)),
        }
        n_bytes = {
            "sparse file": sparse.stat().st_size,
            "NumPy, image by image": 0,
            "dense file": dense.stat().st_size,
        }
    if len({one.result for one in found.values()}) != 1:
        sys.exit("the ways give other images")
    ratio = found["sparse file"].best_s / found["NumPy, image by image"].best_s
    report = Report(
        name="layouts",
        title=f"{n_events:,} images made dense, chunks of {chunk_events()}",
        columns=("way", "s", "images/s", "MB on the disk"),
        rows=tuple(
            (way, one.best_s, n_events / one.best_s, n_bytes[way] / 1e6)
            for way, one in found.items()
        ),
        goals=(
            Goal(
                name="sparse file over NumPy, image by image", value=ratio, relation="<=",
                limit=MAX_RATIO, unit="",
            ),
        ),
        conditions={"quick": str(options.quick)},
    )  # fmt: skip
    return publish(report, options)


def chunk_events() -> int:
    """Count the images that a network is given at once."""
    return events_within(CHUNK_EVENTS * ADC2021_BYTES, SHAPE)


def draw_images(n_events: int) -> SparseEvents:
    """Draw images of `N_FILLED` values each that are not zero."""
    generator = np.random.default_rng(1)
    entries = np.empty(n_events * N_FILLED, ENTRY)
    step = N_VALUES // N_FILLED
    places = np.arange(N_FILLED) * step + generator.integers(0, step, (n_events, N_FILLED))
    entries["index"] = places.ravel()
    entries["value"] = 1.0 + generator.random(len(entries), np.float32)
    return SparseEvents(entries, np.arange(n_events + 1) * N_FILLED, SHAPE)


def read_chunks(path: Path) -> float:
    """Read all images chunk by chunk; return a sum by which the ways are compared."""
    events = open_events(path)
    # What is sparse is a new array as soon as it is indexed; what is mapped must be copied.
    copy = np.asarray if isinstance(events, SparseEvents) else np.array
    return _summed(len(events), lambda chunk: copy(events[chunk]), lambda: forget_read(events))


def fill_one_by_one(images: SparseEvents) -> float:
    """Fill zeros with the entries of one image after the other."""

    def fill(chunk: slice) -> NDArray[np.float32]:
        dense = np.zeros((chunk.stop - chunk.start, N_VALUES), np.float32)
        for row, event in enumerate(range(chunk.start, chunk.stop)):
            entries = images.entries[images.bounds[event] : images.bounds[event + 1]]
            dense[row, entries["index"]] = entries["value"]
        return dense.reshape(-1, *SHAPE)

    return _summed(len(images), fill, lambda: None)


def _summed(
    n_events: int, read: Callable[[slice], NDArray[np.float32]], forget: Callable[[], None]
) -> float:
    total, at_once = 0.0, chunk_events()
    for start in range(0, n_events, at_once):
        dense = read(slice(start, min(start + at_once, n_events)))
        total += float(dense[0, 0].sum() + dense[-1, -1].sum())
        forget()
    return total


if __name__ == "__main__":
    sys.exit(main())
