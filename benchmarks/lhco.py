"""Tables of pandas of the size of the LHC Olympics against h5py alone; a scoring against inference.

python benchmarks/lhco.py [--events N] [--folder FOLDER]
python benchmarks/lhco.py --scoring [--events N]

makes a table as the R&D set is, compressed by Blosc, reads it by h5py, converts it into the cache
as a fetch does, and prints the ratio of the processor times and the peak of the memory. 1,100,000
events make the 2.5 GB of the real file. The conversion of each process should take no more than
twice the time of reading, in 1 GB.

With --scoring, the deep set of `jets.py` is scored on repeated events of `lhco-sample`. It should
take no more than three times the bare network, in 2 GB. The masses of the events are made before,
since that is done once for a cache.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from jets import scored

from harness.data.cache import lock_process, store_events
from harness.data.constituent_tables import open_table_source
from harness.data.events import EventStore
from harness.data.manifest import load_manifest

N_COLUMNS = 2101
_ROWS = 2_000


def write_table(path: Path, n_events: int) -> None:
    """Write events as PyTables does: chunks of a few rows, Blosc.

    Numbers have the digits of float32, as Delphes' have. The number of particles has the mean and
    the spread of 150 events of QCD of the stand-in: 184 and 63.
    """
    import hdf5plugin

    generator = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        file.create_group("df").attrs["pandas_type"] = np.bytes_(b"frame")
        file["df/axis0"] = file["df/block0_items"] = np.arange(N_COLUMNS)
        values = file.create_dataset(
            "df/block0_values", (n_events, N_COLUMNS), "f8", chunks=(3, N_COLUMNS),
            **hdf5plugin.Blosc(cname="blosclz", clevel=9),
        )  # fmt: skip
        for start in range(0, n_events, _ROWS):
            n_rows = min(_ROWS, n_events - start)
            block = np.zeros((n_rows, 700, 3))
            counts = np.clip(generator.gamma(8.5, 21.6, n_rows).astype(int), 20, 700)
            n_filled = counts.max()
            block[:, :n_filled, 0] = -np.sort(-generator.exponential(20.0, (n_rows, n_filled)))
            block[:, :n_filled, 1:] = generator.normal(0, 1, (n_rows, n_filled, 2))
            block[np.arange(700) >= counts[:, None]] = 0.0
            block = block.astype(np.float32)
            labels = generator.random(n_rows) < 1 / 11
            values[start : start + n_rows] = np.column_stack([block.reshape(n_rows, -1), labels])


def read_alone(path: Path) -> float:
    """Read all numbers by h5py; return the processor time [s]."""
    import hdf5plugin  # noqa: F401 - for what its import does

    began = time.process_time()
    with h5py.File(path) as file:
        values = file["df/block0_values"]
        for start in range(0, len(values), 999):
            values[start : start + 999]
    return time.process_time() - began


def convert(path: Path, process: str, root: Path) -> tuple[float, int]:
    """Convert one process into the cache; return the processor time [s] and its events."""
    import hdf5plugin  # noqa: F401 - for what its import does

    challenge = load_manifest().challenge("lhco")
    found = next(file for file in challenge.files if file.process == process)
    file = found.model_copy(update={"name": path.name, "n_events": None})
    with h5py.File(path) as table:
        n_events = int((table["df/block0_values"][:, 2100] == file.label).sum())
    file = file.model_copy(update={"n_events": n_events})
    began = time.process_time()
    source = open_table_source(challenge, file, file, path, "sha256:" + "0" * 64)
    with lock_process(challenge, process, root):
        record = store_events(challenge, file, source, root)
    return time.process_time() - began, record.n_events


def make_masses(store: EventStore) -> None:
    """Make the masses of all events, as the first scoring with a cache does; print the time."""
    began = time.process_time()
    for process in store.processes:
        store.mass(process)
    print(f"masses, once for a cache: {time.process_time() - began:.1f} s of processor time")


def print_scoring(folder: Path, n_events: int) -> None:
    """Score a network, and print what took how long."""
    run = scored(folder, n_events, "lhco-sample", before=make_masses)
    bare_s = run.steps["score"]["score_s"]
    print(f"{n_events:,} events scored in {run.wall_s:.1f} s, {run.wall_s / bare_s:.2f} times bare")
    steps = sum(step["cpu_s"] for name, step in run.steps.items() if name != "score")
    in_all, network_s = run.cpu_s + steps, run.steps["score"]["cpu_s"]
    print(f"processor time {in_all:.1f} s, {in_all / network_s:.2f} times the step that scores")
    for part in run.parts():
        print(f"  {part.seconds:8.2f} s  {part.name}")
    largest = max(run.parent_peak_bytes, run.steps[run.largest_step]["peak_bytes"])
    print(f"peak {largest / 1e6:,.0f} MB; by stage: {dict(run.stages)}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--scoring", action="store_true", help="measure a scoring instead")
    parser.add_argument("--process", help="convert this one: what the command runs by itself")
    arguments = parser.parse_args()
    if arguments.process:
        # A process of its own, whose memory is that of the conversion.
        seconds, n_events = convert(
            arguments.folder / "table.h5", arguments.process, arguments.folder / "cache"
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{seconds:.2f} {n_events} {peak}")
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        if arguments.scoring:
            print_scoring(Path(folder), arguments.events)
            return
        path = Path(folder) / "table.h5"
        write_table(path, arguments.events)
        alone = read_alone(path)
        print(
            f"{arguments.events:,} events, {path.stat().st_size / 1e6:,.0f} MB; h5py: {alone:.2f} s"
        )
        for process in ("background", "wprime"):
            command = [sys.executable, __file__, "--folder", folder, "--process", process]
            told = subprocess.run(
                command, check=True, capture_output=True, text=True
            ).stdout.split()
            ratio = float(told[0]) / alone
            print(f"{process}: {int(told[1]):,} events in {told[0]} s, {ratio:.2f} times reading")
            print(f"{process}: peak {int(told[2]):,} MB")


if __name__ == "__main__":
    main()
