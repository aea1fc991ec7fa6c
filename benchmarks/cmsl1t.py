"""The CMS level-1 release of 2026: Parquet into the cache, against Arrow alone in the same run.

    python benchmarks/cmsl1t.py [--quick] [--json FILE]

Drawn events in the layout of the Hub: six calorimeter objects of each kind on average and a muon in
half of the events, 178 algorithms.
*Arrow alone* reads the same columns of the same files and keeps nothing. *Into the cache* is all
that a fetch does: rules, structure, hash of the split, checksum, seals and decisions. Memory is the
most that the process ever held (VmHWM). The speeds that are compared are those of processor
seconds, all threads together: a busy machine disturbs them less than the wall clock, which is shown
as well.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from _table import Goal, Options, Report, publish, read_options
from numpy.typing import NDArray
from pyarrow import parquet

from harness.challenge import Challenge, DataFile, Part
from harness.data.cache import lock_process, store_events
from harness.data.level1.columns import COLLECTIONS, hub_file
from harness.data.level1.disk import HubDisk
from harness.data.level1.reading import open_data_set
from harness.data.manifest import load_manifest

N_EVENTS, N_QUICK = 2_000_000, 100_000
N_ALGORITHMS = 178
MEAN_OBJECTS = {"muon": 0.5, "jet": 6, "egamma": 6, "tau": 6}
# Rows that are drawn at a time, and repeated.
TILE = 50_000
DATA_SET = "ZB_run396102"
PART: Part = "test"
MIN_SHARE, MAX_MB = 1 / 3, 1_000


def main() -> int:
    """Run the benchmark."""
    options = read_options(__doc__ or "")
    n_events = N_QUICK if options.quick else N_EVENTS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, n_events)
        measured = {
            "Arrow alone": best_of(arrow_alone, folder, n_events),
            "into the cache": best_of(into_cache, folder, n_events),
        }
        n_bytes = sum(path.stat().st_size for path in folder.glob("data/**/*.parquet"))
    return publish(report(measured, n_events, n_bytes, options), options)


def report(
    measured: dict[str, tuple[float, float, float]], n_events: int, n_bytes: int, options: Options
) -> Report:
    """Put the figures into a table with what is asked of them."""
    share = measured["Arrow alone"][1] / measured["into the cache"][1]
    return Report(
        name="cmsl1t",
        title=f"{n_events:,} events of the CMS level-1 release, {n_bytes / 1e6:.0f} MB of Parquet",
        columns=("way", "s", "processor s", "events/s", "peak MB"),
        rows=tuple(
            (way, wall_s, cpu_s, n_events / wall_s, peak_mb)
            for way, (wall_s, cpu_s, peak_mb) in measured.items()
        ),
        goals=(
            Goal(
                name="speed over that of Arrow alone", value=share, relation=">=", limit=MIN_SHARE
            ),
            Goal(
                name="memory", value=measured["into the cache"][2], relation="<=", limit=MAX_MB,
                unit=" MB",
            ),
        ),
        conditions={"quick": str(options.quick), "algorithms": N_ALGORITHMS},
    )  # fmt: skip


def arrow_alone(folder: Path, n_events: int) -> tuple[float, float]:
    """Read all columns that a fetch reads; return its seconds and processor seconds."""
    files = [folder / hub_file(DATA_SET, PART, 0, 1, seeds=seeds) for seeds in (False, True)]
    wanted = [one.column(branch) for one in COLLECTIONS for branch in one.branches.values()]
    wanted += ["L1bit", "run", "nPV_True", "order", "split"]
    seeds = list(HubDisk(root=folder).seeds(DATA_SET, PART)[0].columns.values())
    start, cpu = time.perf_counter(), time.process_time()
    n_rows = 0
    for path, columns in zip(files, (wanted, seeds), strict=True):
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=columns):
                n_rows += batch.num_rows
    assert n_rows == 2 * n_events
    return time.perf_counter() - start, time.process_time() - cpu


def into_cache(folder: Path, n_events: int) -> tuple[float, float]:
    """Do what a fetch does with a data set; return its seconds and processor seconds."""
    challenge = one_data_set(n_events)
    root = folder / "cache"
    start, cpu = time.perf_counter(), time.process_time()
    lock_process(challenge, challenge.files[0].process, root)
    source = open_data_set(challenge, challenge.files[0], folder, (PART,))
    store_events(challenge, challenge.files[0], source, root)
    return time.perf_counter() - start, time.process_time() - cpu


def one_data_set(n_events: int) -> Challenge:
    """Return the challenge with one part of one data set."""
    like = load_manifest().challenge("cmsl1t")
    (first, *_) = like.files
    file = DataFile(
        name=first.name, role="background", process=first.process, title=first.title,
        part_events={PART: n_events},
    )  # fmt: skip
    return like.model_copy(update={"files": (file,)})


def write_files(folder: Path, n_events: int) -> None:
    """Write events and seeds, row group after row group of the same drawn rows."""
    events, seeds = draw_tile()
    for table, is_seeds in ((events, False), (seeds, True)):
        path = folder / hub_file(DATA_SET, PART, 0, 1, seeds=is_seeds)
        path.parent.mkdir(parents=True, exist_ok=True)
        several = pa.concat_tables([table] * (n_events // TILE))
        parquet.write_table(several, path, compression="snappy")


def draw_tile() -> tuple[pa.Table, pa.Table]:
    """Draw the events and the decisions of one tile."""
    generator = np.random.default_rng(1)
    layout = load_manifest().challenge("cmsl1t").layout
    columns: dict[str, pa.Array] = {}
    for one in COLLECTIONS:
        slots = layout.slots[one.kind]
        capacity = slots.stop - slots.start
        counts = (
            np.ones(TILE, np.int64)
            if capacity == 1
            else np.minimum(generator.poisson(MEAN_OBJECTS[one.kind], TILE), capacity)
        )
        for name in (*one.branches.values(), *one.others):
            columns[one.column(name)] = lists(generator, counts)
    order = generator.permutation(TILE).astype(np.int64)
    menu = generator.random(TILE) < 0.2
    plain = {
        "run": pa.array(np.full(TILE, 396102, np.uint32)),
        "nPV_True": pa.array(generator.uniform(30, 60, TILE).astype(np.float32)),
        "split": pa.array([PART] * TILE),
        "order": pa.array(order),
        "L1bit": pa.array(menu),
    }
    decisions = {
        f"L1_Algorithm{number}": pa.array(generator.random(TILE) < 1e-3)
        for number in range(N_ALGORITHMS)
    }
    beside = {"L1bit": plain["L1bit"], "order": plain["order"]}
    return pa.table({**columns, **plain}), pa.table({**decisions, **beside})


def lists(generator: np.random.Generator, counts: NDArray[np.int64]) -> pa.Array:
    """Draw a list of hardware integers for each event."""
    offsets = np.concatenate([[0], np.cumsum(counts)])
    values = generator.integers(1, 144, int(offsets[-1])).astype(np.int16)
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))


def best_of(
    call: Callable[[Path, int], tuple[float, float]], *arguments: object, repeats: int = 3
) -> tuple[float, float, float]:
    """Run a call in processes of its own: the least seconds, processor seconds, most memory."""
    found = [in_child(call, *arguments) for _ in range(repeats)]
    wall_s, cpu_s, peak_mb = zip(*found, strict=True)
    return min(wall_s), min(cpu_s), max(peak_mb)


def in_child(
    call: Callable[[Path, int], tuple[float, float]], *arguments: object
) -> tuple[float, float, float]:
    """Run `call` in a process of its own: its seconds, processor seconds and peak memory in MB."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_run_and_send, args=(sending, call, arguments))
    process.start()
    sending.close()
    try:
        wall_s, cpu_s, peak_mb = receiving.recv()
    except EOFError:
        sys.exit(f"{call.__name__} failed")
    finally:
        process.join()
    return wall_s, cpu_s, peak_mb


def _run_and_send(
    sending: multiprocessing.connection.Connection,
    call: Callable[..., tuple[float, float]],
    arguments: tuple[object, ...],
) -> None:
    wall_s, cpu_s = call(*arguments)
    status = Path("/proc/self/status").read_text("utf-8")
    peak_kib = next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)
    sending.send((wall_s, cpu_s, peak_kib * 1024 / 1e6))


if __name__ == "__main__":
    sys.exit(main())
