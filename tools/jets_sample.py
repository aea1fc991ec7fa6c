"""The recipe of the embedded samples of jets: `jets-toptag-sample` and `jets-anomaly-sample`.

python -m tools.jets_sample simulate FOLDER [--jobs J]   HDF5 files of all processes
python -m tools.jets_sample build FOLDER                 the samples, their entries for a manifest
python -m tools.jets_sample facts                        the tables of docs/jets.md

`build` decodes what it wrote and compares it with the files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from harness.challenge import PARTS, Part
from harness.cli.progress import progress_bars
from harness.data import hdf5
from harness.data.events import open_store
from harness.data.manifest import load_manifest
from harness.data.sample import SampleMember, decode_member, read_members, write_sample
from harness.data.sample_coding import CONSTITUENTS, Steps, dequantise, quantise
from harness.data.sample_columns import SampleBeside
from harness.jets import energy_correlators, jet_mass, n_constituents, subjettiness
from harness.simulate.boosted.finder import JetFinder
from harness.simulate.boosted.presets import JET_SAMPLES
from harness.simulate.boosted.selection import LAYOUT
from harness.simulate.chunk import make_chunk
from harness.simulate.plan import make_jets_plan
from harness.simulate.provenance import read_provenance
from harness.simulate.run import simulate
from tools.pages import ROOT, table
from tools.recipe_commands import recipe_parser

# The hard limit on each file, in bytes.
MAX_BYTES = 9_000_000
FILES = ROOT / "harness" / "data" / "files"
# Jets that are encoded together: they take 80 MB as integers.
_CHUNK_JETS = 16_384


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """The jets of one process in a sample.

    Attributes
    ----------
    n_jets : int
    parts : mapping of part to int
        Jets of each part, in the order of the file; empty where the split is by a hash.
    """

    name: str
    n_jets: int
    parts: Mapping[Part, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One embedded file."""

    file_name: str
    seed: int
    runs: tuple[Run, ...]

    @property
    def path(self) -> Path:
        """Where it is in the package."""
        return FILES / self.file_name


def _in_parts(name: str, **parts: int) -> Run:
    found: dict[Part, int] = {part: parts[part] for part in PARTS}
    return Run(name=name, n_jets=sum(parts.values()), parts=found)


TOPTAG = Recipe(
    file_name="jets_toptag_sample.events",
    seed=20265,
    runs=(
        _in_parts("toptag_qcd", train=12_000, validation=2_000, test=24_000),
        _in_parts("toptag_top", train=12_000, validation=2_000, test=8_000),
    ),
)
ANOMALY = Recipe(
    file_name="jets_anomaly_sample.events",
    seed=20266,
    runs=(
        Run(name="anomaly_qcd", n_jets=22_000),
        Run(name="anomaly_top", n_jets=8_000),
        Run(name="anomaly_gluino", n_jets=6_000),
        Run(name="anomaly_qcd_a14", n_jets=4_000),
        Run(name="anomaly_top_a14", n_jets=2_000),
    ),
)
RECIPES = (TOPTAG, ANOMALY)


def simulate_all(folder: Path, n_jobs: int) -> None:
    """Make the files of all processes in `folder`; files that are there are kept."""
    with progress_bars() as progress:
        for recipe in RECIPES:
            for run in recipe.runs:
                plan = make_jets_plan(run.name, n_events=run.n_jets, seed=recipe.seed)
                simulate(plan, folder / f"{run.name}.h5", n_jobs=n_jobs, progress=progress)


def build(folder: Path, recipe: Recipe) -> None:
    """Write one sample from the files in `folder`, and check it against them."""
    out = recipe.path
    processes = [(run.name, _steps(folder / f"{run.name}.h5")) for run in recipe.runs]
    beside = {run.name: SampleBeside(parts=_part_column(run)) for run in recipe.runs if run.parts}
    write_sample(out, LAYOUT, processes, beside)
    n_bytes = out.stat().st_size
    print(f"{out}: {n_bytes:,} bytes", file=sys.stderr)
    if n_bytes > MAX_BYTES:
        sys.exit(f"larger than {MAX_BYTES:,} bytes")
    members = read_members(out, LAYOUT)
    for run, member in zip(recipe.runs, members, strict=True):
        _check(folder / f"{run.name}.h5", out, member, run)
    out.with_name(f"{out.stem}.provenance.json").write_text(provenance(folder, recipe), "utf-8")
    pairs = zip(recipe.runs, members, strict=True)
    entries = [_entry(recipe, run, member) for run, member in pairs]
    print(yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=100))


def provenance(folder: Path, recipe: Recipe) -> str:
    """Say how the files of a sample were made."""
    found = {}
    for run in recipe.runs:
        known = read_provenance(folder / f"{run.name}.h5")
        if known is not None:
            found[run.name] = known.model_dump(mode="json")
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _steps(path: Path) -> Iterator[Steps]:
    for chunk, _ in hdf5.read_chunks(path, LAYOUT, chunk_events=_CHUNK_JETS):
        yield quantise(np.asarray(chunk), CONSTITUENTS)


def _part_column(run: Run) -> NDArray[np.int8]:
    counts = [run.parts[part] for part in PARTS]
    return np.repeat(np.arange(len(PARTS), dtype=np.int8), counts)


def _check(path: Path, out: Path, member: SampleMember, run: Run) -> None:
    """Compare every decoded jet with the file, and count those that are equal to another."""
    decoded = np.concatenate(list(decode_member(out, member, LAYOUT)))
    expected = np.concatenate([dequantise(steps, CONSTITUENTS) for steps in _steps(path)])
    if len(decoded) != run.n_jets or not np.array_equal(decoded, expected):
        sys.exit(f"{run.name} is not what was written")
    n_repeated = len(decoded) - len(np.unique(decoded.reshape(len(decoded), -1), axis=0))
    size = sum(chunk.n_bytes for chunk in member.chunks) / len(decoded)
    print(f"{run.name}: {len(decoded):,} jets, {size:.0f} bytes each, {n_repeated} repeated",
          file=sys.stderr)  # fmt: skip


def _entry(recipe: Recipe, run: Run, member: SampleMember) -> dict[str, object]:
    counted = {"part_events": dict(run.parts)} if run.parts else {"n_events": run.n_jets}
    return {
        "name": f"{run.name}.events",
        "process": run.name,
        "title": JET_SAMPLES[run.name].process.title,
        "url": f"package:{recipe.file_name}",
        "checksum": member.checksum,
        **counted,
    }


def first_jets(name: str, seed: int, n_jets: int) -> NDArray[np.float32]:
    """Make the first jets of a process again, rounded as in the sample; shape (n_jets, 200, 3)."""
    plan = make_jets_plan(name, n_events=n_jets, seed=seed)
    (chunk,) = plan.chunks()
    finder = JetFinder(selection=JET_SAMPLES[name].selection)
    jets, _ = make_chunk(plan.processes[0], chunk, plan.seed, finder)
    return dequantise(quantise(jets, CONSTITUENTS), CONSTITUENTS)


def facts(name: str) -> str:
    """Describe the embedded jets of a challenge, in Markdown: quartiles."""
    challenge = load_manifest().challenge(name)
    store = open_store(challenge)
    rows = [
        (file.title, *_columns(np.asarray(store.events(file.process)))) for file in challenge.files
    ]
    return table(("jets", "number", "constituents", "mass [GeV]", "τ3/τ2", "100 N2"), rows)


def _columns(jets: NDArray[np.float32]) -> tuple[str, ...]:
    """Return the number of jets, and the quartiles of what describes them."""
    tau = subjettiness(jets[:4000])
    ratio = tau[:, 2] / np.maximum(tau[:, 1], 1e-9)
    figures = (n_constituents(jets), jet_mass(jets), ratio,
               100 * energy_correlators(jets[:4000]).n2)  # fmt: skip
    digits = (0, 0, 2, 1)
    quartiles = [
        ", ".join(f"{value:.{n_digits}f}" for value in np.quantile(values, (0.25, 0.5, 0.75)))
        for values, n_digits in zip(figures, digits, strict=True)
    ]
    return (f"{len(jets):,}", *quartiles)


def main() -> None:
    """Run the command line."""
    arguments = recipe_parser(
        __doc__, "facts", only=[one.file_name for one in RECIPES]
    ).parse_args()
    if arguments.command == "facts":
        print(facts("jets-toptag-sample"), facts("jets-anomaly-sample"), sep="\n\n")
    elif arguments.command == "simulate":
        simulate_all(arguments.folder, arguments.jobs)
    else:
        for recipe in RECIPES:
            if arguments.only in {None, recipe.file_name}:
                build(arguments.folder, recipe)


if __name__ == "__main__":
    main()
