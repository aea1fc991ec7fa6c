"""The recipe of the embedded stand-in of the CMS level-1 data, `cmsl1t-sample`.

python -m tools.cmsl1t_sample simulate FOLDER [--jobs J]   Parquet files; can be continued
python -m tools.cmsl1t_sample build FOLDER                 the sample, its entries for a manifest
python -m tools.cmsl1t_sample facts                        the table of docs/cmsl1t.md
python -m tools.cmsl1t_sample slice                        a few events, which a test makes again

`build` reads the Parquet files as `harness fetch` does, with the same rules, and decodes what it
wrote again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from harness.challenge import PARTS, Challenge, DataFile
from harness.cli.progress import progress_bars
from harness.data.event_source import EventSource
from harness.data.events import open_store
from harness.data.level1.columns import COLLECTIONS
from harness.data.level1.reading import open_data_set
from harness.data.manifest import load_manifest
from harness.data.sample import SampleMember, decode_member, read_beside, read_members, write_sample
from harness.data.sample_columns import SampleBeside
from harness.files import package_version
from harness.simulate.level1.crossings import Collider, open_library
from harness.simulate.level1.datasets import BY_NAME
from harness.simulate.level1.events import make_events
from harness.simulate.level1.manifest import make_level1_manifest
from harness.simulate.level1.plan import Level1Plan, make_level1_plan
from harness.simulate.level1.run import simulate_level1
from tools.pages import ROOT, table
from tools.recipe_commands import recipe_parser

N_EVENTS, SEED = 34_000, 20260
# The hard limit on the file, in bytes.
MAX_BYTES = 8_000_000
FILE_NAME = "cmsl1t_sample.events"
OUT = ROOT / "harness" / "data" / "files" / FILE_NAME
SLICE = ROOT / "tests" / "golden" / "simulate" / "cmsl1t_slice.json"
SLICE_SETS = ("ZB_run396102", "WtoTauto3Mu")
SLICE_EVENTS, SLICE_LIBRARY = 6, 150


def plan() -> Level1Plan:
    """Return what the sample is made of."""
    return make_level1_plan(N_EVENTS, seed=SEED)


def build(folder: Path, made: Level1Plan, out: Path) -> None:
    """Write the sample from the Parquet files in `folder`, and check it against them."""
    (challenge,) = make_level1_manifest(made).challenges
    beside: dict[str, SampleBeside] = {}
    processes = []
    for file in challenge.files:
        source = _open(challenge, file, folder)
        beside[file.process] = _beside(source)
        processes.append((file.process, _steps(source)))
    write_sample(out, challenge.layout, processes, beside)
    n_bytes = out.stat().st_size
    print(f"{out}: {n_bytes:,} bytes", file=sys.stderr)
    if n_bytes > MAX_BYTES:
        sys.exit(f"larger than {MAX_BYTES:,} bytes")
    members = read_members(out, challenge.layout)
    for file, member in zip(challenge.files, members, strict=True):
        _check(challenge, file, folder, out, member)
    out.with_name(f"{out.stem}.provenance.json").write_text(provenance_text(made), "utf-8")
    entries = [_entry(file, read_beside(out, one).parts, one)
               for file, one in zip(challenge.files, members, strict=True)]  # fmt: skip
    print(yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=100))


def provenance_text(made: Level1Plan) -> str:
    """Say how the sample was made."""
    packages = ("pythia8mc", "numpy", "pyarrow", "awkward")
    document = {
        "synthetic": True,
        "made_by": "harness simulate cmsl1t",
        "plan": made.model_dump(mode="json"),
        "plan_digest": made.digest,
        "versions": {name: package_version(name) for name in packages},
    }
    return json.dumps(document, indent=1) + "\n"


def _open(challenge: Challenge, file: DataFile, folder: Path) -> EventSource:
    return open_data_set(challenge, file, folder, tuple(file.part_events))


def _steps(source: EventSource) -> Iterator[NDArray[np.int16]]:
    # One chunk: columns of a whole process are compressed best.
    events = np.concatenate([np.asarray(chunk) for chunk, _ in source.chunks])
    yield events.astype(np.int16)


def _beside(source: EventSource) -> SampleBeside:
    algorithms = {}
    if source.algorithms is not None:
        decisions = np.concatenate(list(source.algorithms.chunks))
        algorithms = dict(zip(source.algorithms.names, decisions.T, strict=True))
    # The columns of the release have the names of the challenge's.
    columns = {"run": "run", "npv": "nPV_True"}
    return SampleBeside(
        parts=source.parts,
        menu=source.menu,
        conditions={
            columns[name]: np.concatenate(list(values))
            for name, values in source.conditions.items()
        },
        algorithms=algorithms,
    )


def _check(
    challenge: Challenge, file: DataFile, folder: Path, out: Path, member: SampleMember
) -> None:
    """Compare every decoded event, and all that is beside it, with the Parquet files."""
    source = _open(challenge, file, folder)
    wanted = _beside(source)
    events = np.concatenate([np.asarray(chunk) for chunk, _ in source.chunks])
    found = read_beside(out, member)
    decoded = np.concatenate(list(decode_member(out, member, challenge.layout)))
    pairs = [(events, decoded), (wanted.parts, found.parts), (wanted.menu, found.menu)]
    is_same = all(np.array_equal(np.asarray(one), np.asarray(other)) for one, other in pairs)
    is_same &= all(
        np.array_equal(values, found.conditions[name]) for name, values in wanted.conditions.items()
    )
    if found.algorithms is not None:
        decisions = np.concatenate(list(found.algorithms.chunks))
        is_same &= np.array_equal(np.stack(list(wanted.algorithms.values()), 1), decisions)
    if not is_same:
        sys.exit(f"{file.process} is not what was written")
    n_repeated = len(decoded) - len(np.unique(decoded.reshape(len(decoded), -1), axis=0))
    print(f"{file.process}: {len(decoded):,} events, {n_repeated} repeated", file=sys.stderr)


def _entry(
    file: DataFile, parts: NDArray[np.int8] | None, member: SampleMember
) -> dict[str, object]:
    counts = np.bincount([] if parts is None else parts, minlength=len(PARTS)).tolist()
    return {
        "name": f"{file.name}.events",
        "role": file.role,
        "process": file.process,
        "title": file.title,
        "url": f"package:{FILE_NAME}",
        "checksum": member.checksum,
        "part_events": {part: count for part, count in zip(PARTS, counts, strict=True) if count},
    }


def make_slice(n_library: int = SLICE_LIBRARY) -> dict[str, dict[str, list[list[int]]]]:
    """Make the first events of some data sets, with a library of `n_library` soft events.

    Returns
    -------
    dict of str to dict
        For each data set the leading pT code of each collection, for each event: rows of events.
    """
    library = open_library(n_library)
    made = make_level1_plan(SLICE_EVENTS, seed=SEED, only=SLICE_SETS)
    made = made.model_copy(update={"n_events": dict.fromkeys(SLICE_SETS, SLICE_EVENTS)})
    found = {}
    for chunk in made.chunks():
        seed, rng = made.seeds(chunk)
        section, mean = made.conditions(chunk, rng)
        data_set = BY_NAME[chunk.data_set]
        collider = Collider(data_set.process, library, seed)
        events = make_events(data_set, collider, section, mean, rng)
        found[chunk.data_set] = {
            one.name: events.collections[one.name][one.branches["pt"]].tolist()
            for one in COLLECTIONS
        }
    return found


def facts(challenge: Challenge) -> str:
    """Describe the embedded stand-in beside what is published of the release, in Markdown."""
    store = open_store(challenge)
    runs = challenge.processes("background")
    twin = challenge.processes("variation")[0]
    signals = challenge.processes("signal")
    rows: list[tuple[str, ...]] = []
    for group in challenge.layout.objects:
        if group.is_sum:
            continue
        slots = challenge.layout.slots[group.name]
        columns = []
        for processes in (runs, (twin,), signals):
            counts = np.concatenate(
                [
                    (np.asarray(store.events(name))[:, slots, 0] > 0).sum(axis=1)
                    for name in processes
                ]
            )
            full = np.mean(counts == group.n_slots)
            columns.append(f"{counts.mean():.2f}; full {full:.1%}")
        rows.append((f"{group.name}s in an event", *columns, f"at most {group.n_slots}"))
    for kind in ("et", "ht", "met", "fet"):
        slot = challenge.layout.slots[kind].start
        columns = []
        for processes in (runs, (twin,), signals):
            codes = np.concatenate(
                [np.asarray(store.events(name))[:, slot, 0] for name in processes]
            )
            quantiles = np.quantile(codes / 2, (0.5, 0.99))
            columns.append(", ".join(f"{value:.0f}" for value in quantiles))
        rows.append((f"{kind.upper()}: median, 99 % quantile [GeV]", *columns, "not published"))
    columns = []
    for processes in (runs, (twin,), signals):
        menu = np.concatenate([np.asarray(store.menu(name)) for name in processes])
        columns.append(f"{menu.mean():.2%}")
    rows.append(("accepted by the menu", *columns, "not published"))
    header = ("quantity", "runs", "simulated twin", "signals", "release")
    return table(header, rows)


def main() -> None:
    """Run the command line."""
    arguments = recipe_parser(__doc__, "facts", "slice", out=OUT).parse_args()
    if arguments.command == "facts":
        print(facts(load_manifest().challenge("cmsl1t-sample")))
    elif arguments.command == "slice":
        # Not printed: fastjet prints too.
        SLICE.write_text(json.dumps(make_slice()) + "\n", encoding="utf-8")
    elif arguments.command == "simulate":
        with progress_bars() as progress:
            simulate_level1(plan(), arguments.folder, n_jobs=arguments.jobs, progress=progress)
    else:
        build(arguments.folder, plan(), arguments.out)


if __name__ == "__main__":
    main()
