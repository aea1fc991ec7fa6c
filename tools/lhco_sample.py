"""The recipe of the embedded events of the kind of the LHC Olympics: `lhco-sample`.

python -m tools.lhco_sample simulate FOLDER [--jobs J]   HDF5 files of all runs
python -m tools.lhco_sample build FOLDER                 the sample, its entries for a manifest
python -m tools.lhco_sample facts                        the table of docs/lhco.md

`build` decodes what it wrote and compares it with the files. Of each event the sample keeps the 100
hardest particles.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import yaml

from harness.challenge import ConstituentLayout
from harness.cli.progress import progress_bars
from harness.data import hdf5
from harness.data.events import open_store
from harness.data.manifest import load_manifest
from harness.data.sample import SampleMember, decode_member, read_members, write_sample
from harness.data.sample_coding import CONSTITUENTS, Steps, dequantise, quantise
from harness.jets import dijet_features, dijet_mass, n_constituents
from harness.simulate.dijets.presets import DIJET_SAMPLES, LHCO
from harness.simulate.plan import make_jets_plan
from harness.simulate.provenance import read_provenance
from harness.simulate.run import simulate
from tools.pages import ROOT, table
from tools.recipe_commands import recipe_parser

# The hard limit on the file, in bytes.
MAX_BYTES = 8_000_000
FILE_NAME = "lhco_sample.events"
OUT = ROOT / "harness" / "data" / "files" / FILE_NAME
LAYOUT = ConstituentLayout(n_constituents=100)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Events of one process in a file of their own.

    Attributes
    ----------
    seeds : tuple of int
        One file for each.
    n_events : int
        In each file.
    """

    process: str
    name: str
    role: str
    seeds: tuple[int, ...]
    n_events: int

    def paths(self, folder: Path) -> list[Path]:
        """Return the files of the run."""
        return [folder / f"{self.name}-{seed}.h5" for seed in self.seeds]


RUNS = (
    Run(process="background", name="lhco_qcd", role="background",
        seeds=(20200, 20204, 20205), n_events=4_000),
    Run(process="wprime", name="lhco_wprime", role="signal", seeds=(20201,), n_events=2_400),
)  # fmt: skip


def simulate_all(folder: Path, n_jobs: int) -> None:
    """Make the files of all runs in `folder`; files that are there are kept."""
    with progress_bars() as progress:
        for run in RUNS:
            for seed, path in zip(run.seeds, run.paths(folder), strict=True):
                plan = make_jets_plan(run.name, n_events=run.n_events, seed=seed)
                simulate(plan, path, n_jobs=n_jobs, progress=progress)


def build(folder: Path) -> None:
    """Write the sample from the files in `folder`, and check it against them."""
    write_sample(OUT, LAYOUT, [(run.process, _steps(run, folder)) for run in RUNS])
    n_bytes = OUT.stat().st_size
    print(f"{OUT}: {n_bytes:,} bytes", file=sys.stderr)
    if n_bytes > MAX_BYTES:
        sys.exit(f"larger than {MAX_BYTES:,} bytes")
    members = read_members(OUT, LAYOUT)
    for run, member in zip(RUNS, members, strict=True):
        _check(run, folder, member)
    OUT.with_name(f"{OUT.stem}.provenance.json").write_text(provenance(folder), "utf-8")
    entries = [_entry(run, member) for run, member in zip(RUNS, members, strict=True)]
    print(yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=100))


def provenance(folder: Path) -> str:
    """Say how the files were made."""
    found = {}
    for path in chain.from_iterable(run.paths(folder) for run in RUNS):
        known = read_provenance(path)
        if known is not None:
            found[path.stem] = known.model_dump(mode="json")
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _steps(run: Run, folder: Path) -> Iterator[Steps]:
    # One chunk: columns of a whole process are compressed best.
    chunks = chain.from_iterable(hdf5.read_chunks(path, LHCO.layout) for path in run.paths(folder))
    yield np.concatenate(
        [quantise(np.asarray(chunk)[:, : LAYOUT.n_objects], CONSTITUENTS) for chunk, _ in chunks]
    )


def _check(run: Run, folder: Path, member: SampleMember) -> None:
    """Compare every decoded event with the files, and count those that are equal to another."""
    decoded = np.concatenate(list(decode_member(OUT, member, LAYOUT)))
    expected = np.concatenate([dequantise(steps, CONSTITUENTS) for steps in _steps(run, folder)])
    if not np.array_equal(decoded, expected):
        sys.exit(f"{run.name} is not what was written")
    n_repeated = len(decoded) - len(np.unique(decoded.reshape(len(decoded), -1), axis=0))
    size = sum(chunk.n_bytes for chunk in member.chunks) / len(decoded)
    print(f"{run.name}: {len(decoded):,} events, {size:.0f} bytes each, {n_repeated} repeated",
          file=sys.stderr)  # fmt: skip


def _entry(run: Run, member: SampleMember) -> dict[str, object]:
    return {
        "name": f"{run.process}.events",
        "role": run.role,
        "process": run.process,
        "title": DIJET_SAMPLES[run.name].process.title,
        "url": f"package:{FILE_NAME}",
        "checksum": member.checksum,
        "n_events": run.n_events * len(run.seeds),
    }


def facts() -> str:
    """Describe the embedded events, in Markdown."""
    challenge = load_manifest().challenge("lhco-sample")
    store = open_store(challenge)
    rows = []
    for file in challenge.files:
        events = np.asarray(store.events(file.process))
        features = dijet_features(events[:2_000])
        heavier = features[:, [3, 10]].max(axis=1)
        lighter = features[:, [3, 10]].min(axis=1)
        figures = (n_constituents(events), dijet_mass(features), heavier, lighter)
        quartiles = [
            ", ".join(f"{value:,.0f}" for value in np.quantile(values, (0.25, 0.5, 0.75)))
            for values in figures
        ]
        rows.append((file.title, f"{len(events):,}", *quartiles))
    header = ("events", "number", "particles kept", "m_jj [GeV]", "heavier jet [GeV]",
              "lighter jet [GeV]")  # fmt: skip
    return table(header, rows)


def main() -> None:
    """Run the command line."""
    arguments = recipe_parser(__doc__, "facts").parse_args()
    if arguments.command == "facts":
        print(facts())
    elif arguments.command == "simulate":
        simulate_all(arguments.folder, arguments.jobs)
    else:
        build(arguments.folder)


if __name__ == "__main__":
    main()
