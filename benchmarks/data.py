"""Data at scale: split hash, decoding of the sample, conversion of HDF5, mixture.

    python benchmarks/data.py [--quick] [--json FILE]

Full size: 13,451,915 background events (ADC2021 v2) and 7 million scored events, made by tiling
drawn events, whose sizes and fill are those of busy events: more bytes than the real ones. Needs
8 GB on the disk of the temporary folder. Memory is the most that the process ever held (VmHWM).
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
from _table import Cell, Goal, Options, Report, publish, read_options
from numpy.typing import NDArray

from harness.challenge import Challenge, DataFile, Split, events_within
from harness.data import hdf5
from harness.data.cache import lock_process, store_events
from harness.data.event_source import EventSource
from harness.data.events import open_store
from harness.data.manifest import load_manifest
from harness.data.mix import write_mixture
from harness.data.npy import CHUNK_BYTES
from harness.data.sample_coding import dequantise, quantise
from harness.data.split import event_hashes

N_BACKGROUND = 13_451_915
N_SCORED = 7_000_000
QUICK_SHARE = 0.02
TILE_EVENTS = 65_536
CHECKSUM = "sha256:" + "0" * 64


def main() -> int:
    """Run the benchmark."""
    options = read_options(__doc__.splitlines()[0])
    share = QUICK_SHARE if options.quick else 1.0
    n_background, n_scored = int(N_BACKGROUND * share), int(N_SCORED * share)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = write_source(folder / "source.h5", n_background)
        measured = [
            ("hash for the split", n_background, *in_child(hash_events, n_background)),
            ("decode the sample", 2_340_000, *in_child(decode_sample, folder)),
            ("convert HDF5", n_background, *in_child(convert, source, folder, n_background)),
            ("mix", n_scored, *in_child(mix, folder, n_background, n_scored)),
        ]
    return publish(report(measured, options), options)


def report(measured: list[tuple[str, int, float, float]], options: Options) -> Report:
    """Put the figures into a table with the goals that they are held against."""
    seconds = {name: wall_s for name, _, wall_s, _ in measured}
    memory = {name: peak_mb for name, _, _, peak_mb in measured}
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, n_events, wall_s, n_events / wall_s, peak_mb)
        for name, n_events, wall_s, peak_mb in measured
    )
    return Report(
        name="data",
        title="Data at scale, one process each",
        columns=("stage", "events", "s", "events/s", "peak MB"),
        rows=rows,
        goals=(
            Goal(
                name="split hash", value=seconds["hash for the split"], relation="<=", limit=5,
                unit=" s",
            ),
            Goal(
                name="decode the sample", value=seconds["decode the sample"], relation="<=",
                limit=15, unit=" s",
            ),
            Goal(
                name="memory of the conversion", value=memory["convert HDF5"], relation="<=",
                limit=1000, unit=" MB",
            ),
            Goal(
                name="memory of the mixture", value=memory["mix"], relation="<=", limit=2000,
                unit=" MB",
            ),
        ),
        conditions={"quick": str(options.quick), "HDF5": "gzip 1, shuffle, chunks of 4,096 events"},
    )  # fmt: skip


def in_child(call: Callable[..., float], *arguments: object) -> tuple[float, float]:
    """Run `call` in a process of its own: the seconds that it returns, its peak memory in MB."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_run_and_send, args=(sending, call, arguments))
    process.start()
    sending.close()
    try:
        wall_s, peak_mb = receiving.recv()
    except EOFError:
        sys.exit(f"{call.__name__} failed")
    finally:
        process.join()
    return wall_s, peak_mb


def hash_events(n_events: int) -> float:
    """Hash `n_events` events on one core."""
    tile = draw_tile()
    start = time.perf_counter()
    for first in range(0, n_events, TILE_EVENTS):
        event_hashes(tile[: n_events - first], "key")
    return time.perf_counter() - start


def decode_sample(folder: Path) -> float:
    """Decode the embedded sample into an empty cache."""
    start = time.perf_counter()
    open_store(load_manifest().challenge("sample"), folder / "sample")
    return time.perf_counter() - start


def convert(source: Path, folder: Path, n_events: int) -> float:
    """Convert the HDF5 file to the cache, as `fetch` does."""
    challenge = make_challenge(n_events)
    layout = challenge.layout
    start = time.perf_counter()
    chunks = EventSource(
        chunks=hdf5.read_chunks(source, layout),
        n_events=hdf5.count_events(source, layout),
        checksum=CHECKSUM,
    )
    with lock_process(challenge, "background", folder):
        store_events(challenge, challenge.files[0], chunks, folder)
    return time.perf_counter() - start


def mix(folder: Path, n_background: int, n_scored: int) -> float:
    """Write the mixture of `n_scored` test events of the converted background."""
    challenge = make_challenge(n_background, test=n_scored / n_background)
    store = open_store(challenge, folder)
    start = time.perf_counter()
    write_mixture(store, challenge, folder / "mix.npy", generator=np.random.default_rng(1))
    return time.perf_counter() - start


def make_challenge(n_events: int, test: float = 0.5) -> Challenge:
    """Make a challenge of one background file."""
    like = load_manifest().challenge("sample")
    file = DataFile(
        name="source.h5", role="background", process="background", title="b", n_events=n_events
    )
    split = Split(key="benchmark", train=1.0 - test, validation=0.0, test=test)
    return like.model_copy(update={"name": "benchmark", "files": (file,), "split": split})


def draw_tile() -> NDArray[np.float32]:
    """Draw events of about two objects of each kind: pT falls, empty slots are zero."""
    generator = np.random.default_rng(1)
    events = np.zeros((TILE_EVENTS, 19, 3))
    events[:, 0, 0] = generator.exponential(35.0, TILE_EVENTS)
    for slots in (slice(1, 5), slice(5, 9), slice(9, 19)):
        n_slots = slots.stop - slots.start
        n_filled = np.minimum(generator.poisson(1.0, TILE_EVENTS), n_slots)
        is_filled = np.arange(n_slots) < n_filled[:, None]
        drawn = 20.0 + generator.exponential(30.0, (TILE_EVENTS, n_slots))
        pt = -np.sort(-drawn * is_filled, axis=1)
        angles = generator.uniform(-3.0, 3.0, (TILE_EVENTS, n_slots, 2)) * is_filled[..., None]
        events[:, slots] = np.concatenate([pt[..., None], angles], axis=-1)
    return dequantise(quantise(events))


def tiles(n_events: int) -> Iterator[NDArray[np.float64]]:
    """Give tiles of drawn events with a class column, `n_events` in all."""
    events = draw_tile()
    kinds = np.repeat([1.0, 2.0, 3.0, 4.0], [1, 4, 4, 10]) * (events[..., 0] > 0)
    tile = np.concatenate([events.astype(np.float64), kinds[..., None]], axis=-1)
    for first in range(0, n_events, TILE_EVENTS):
        yield tile[: n_events - first]


def write_source(path: Path, n_events: int) -> Path:
    """Write an HDF5 file in the layout of ADC2021; equal chunks are compressed once."""
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(
            "Particles",
            shape=(n_events, 19, 4),
            dtype="f8",
            chunks=(4096, 19, 4),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
        first = 0
        compressed: list[tuple[int, bytes]] = []
        for tile in tiles(n_events):
            if len(tile) < TILE_EVENTS or not compressed:
                dataset[first : first + len(tile)] = tile
            if len(tile) == TILE_EVENTS and not compressed:
                compressed = [
                    dataset.id.read_direct_chunk((offset, 0, 0))
                    for offset in range(0, TILE_EVENTS, 4096)
                ]
            elif len(tile) == TILE_EVENTS:
                for index, (mask, chunk) in enumerate(compressed):
                    dataset.id.write_direct_chunk((first + index * 4096, 0, 0), chunk, mask)
            first += len(tile)
    return path


def _run_and_send(
    sending: multiprocessing.connection.Connection,
    call: Callable[..., float],
    arguments: tuple[object, ...],
) -> None:
    wall_s = call(*arguments)
    status = Path("/proc/self/status").read_text("utf-8")
    peak_kib = next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)
    sending.send((wall_s, peak_kib * 1024 / 1e6))


if __name__ == "__main__":
    assert events_within(CHUNK_BYTES, (19, 3)) == TILE_EVENTS
    sys.exit(main())
