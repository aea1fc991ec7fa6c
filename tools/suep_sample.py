"""The recipe of the embedded images, `hlt-suep-sample`.

python -m tools.suep_sample simulate FOLDER [--jobs J]   HDF5 files; can be continued
python -m tools.suep_sample build FOLDER                 the sample, its entries for a manifest
python -m tools.suep_sample efficiencies                 the table of docs/suep.md
python -m tools.suep_sample slice                        a few events, which a test makes again

`build` reads the files as `harness fetch` does, and decodes what it wrote again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import cast

import numpy as np
import yaml
from numpy.typing import NDArray

from harness.challenge import PARTS
from harness.cli.progress import progress_bars
from harness.data import hdf5
from harness.data.sample import decode_member, read_members, write_sample
from harness.data.sample_columns import SampleBeside
from harness.data.sample_images import ChannelCoding, ImageCoding, quantise_images
from harness.files import package_version, read_json
from harness.simulate.level1.crossings import open_library
from harness.simulate.suep.events import Source, SuepYield, make_events
from harness.simulate.suep.images import HCAL_SIDE, LAYOUT
from harness.simulate.suep.plan import SuepPlan, make_suep_plan
from harness.simulate.suep.processes import QCD, find
from harness.simulate.suep.run import simulate_suep
from harness.simulate.suep.view import yields_of
from harness.submission.events import Events, SparseEvents, joined
from tools.pages import ROOT, table
from tools.recipe_commands import recipe_parser

SEED, N_LIBRARY = 20263, 3_000
# Events of each process, and of these in the parts train, validation, test.
N_QCD, N_SIGNAL = (500, 50, 700), (30, 0, 120)
# The hard limit on the file, in bytes.
MAX_BYTES = 6_000_000
FILE_NAME = "hlt_suep_sample.events"
OUT = ROOT / "harness" / "data" / "files" / FILE_NAME
CODING = ImageCoding(
    shape=LAYOUT.shape,
    channels=(
        ChannelCoding(name="tracks", steps_per_gev=16),
        ChannelCoding(name="ecal", steps_per_gev=16),
        # Cells lie symmetrically about the middle of 288 rows: the outermost have four rows.
        ChannelCoding(name="hcal", steps_per_gev=256, cell=(HCAL_SIDE, HCAL_SIDE), first=(-1, 0)),
    ),
)
SLICE = ROOT / "tests" / "golden" / "simulate" / "suep_slice.json"
SLICE_PROCESSES, SLICE_EVENTS, SLICE_LIBRARY = ("qcd", "suep_1000"), 2, 150
CHUNK_EVENTS = 500


def plan() -> SuepPlan:
    """Return what the sample is made of."""
    made = make_suep_plan(1, seed=SEED, n_library=N_LIBRARY)
    return made.model_copy(
        update={"n_events": {name: sum(_shares(name)) for name in made.n_events}}
    )


def _shares(process: str) -> tuple[int, int, int]:
    return N_QCD if process == QCD.name else N_SIGNAL


def parts_of(process: str) -> NDArray[np.int8]:
    """Return the part of each event: all are alike, so the first ones are for training."""
    return np.repeat(np.arange(len(PARTS), dtype=np.int8), _shares(process))


def read_images(path: Path) -> Iterator[SparseEvents]:
    """Read a file of images, in whole steps, chunk by chunk."""
    every = _sparse(images for images, _ in hdf5.read_chunks(path, LAYOUT))
    for start in range(0, len(every), CHUNK_EVENTS):
        chunk = every.part(start, min(start + CHUNK_EVENTS, len(every)))
        yield quantise_images(chunk, CODING)


def _sparse(images: Iterable[Events]) -> SparseEvents:
    return cast("SparseEvents", joined(list(images)))


def build(folder: Path, out: Path) -> None:
    """Write the sample from the files in `folder`, and check it against them."""
    names = list(plan().n_events)
    beside = {name: SampleBeside(parts=parts_of(name)) for name in names}
    chunks = [(name, read_images(folder / f"{name}.h5")) for name in names]
    write_sample(out, LAYOUT, chunks, beside, images=CODING)
    n_bytes = out.stat().st_size
    print(f"{out}: {n_bytes:,} bytes", file=sys.stderr)
    if n_bytes > MAX_BYTES:
        sys.exit(f"larger than {MAX_BYTES:,} bytes")
    entries = []
    for name, member in zip(names, read_members(out, LAYOUT), strict=True):
        written, decoded = (
            _sparse(images)
            for images in (read_images(folder / f"{name}.h5"), decode_member(out, member, LAYOUT))
        )
        is_same = np.array_equal(written.entries, decoded.entries)
        if not is_same or not np.array_equal(written.bounds, decoded.bounds):
            sys.exit(f"{name} is not what was written")
        entries.append(_entry(name, member.checksum))
    found = {name: read_json(folder / f"{name}.h5.json", SuepYield) for name in names}
    out.with_name(f"{out.stem}.provenance.json").write_text(provenance_text(found), "utf-8")
    print(yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=100))


def provenance_text(found: Mapping[str, SuepYield]) -> str:
    """Say how the sample was made."""
    made = plan()
    packages = ("pythia8mc", "fastjet", "numpy", "awkward")
    document = {
        "synthetic": True,
        "made_by": "harness simulate suep",
        "weights": "none: every event counts once",
        "plan": made.model_dump(mode="json"),
        "plan_digest": made.digest,
        "yields": {name: one.model_dump(mode="json") for name, one in found.items()},
        "versions": {name: package_version(name) for name in packages},
    }
    return json.dumps(document, indent=1) + "\n"


def _entry(name: str, checksum: str) -> dict[str, object]:
    counts = zip(PARTS, _shares(name), strict=True)
    return {
        "name": f"{name}.events",
        "role": "background" if name == QCD.name else "signal",
        "process": name,
        "title": find(name).process.title,
        "url": f"package:{FILE_NAME}",
        "checksum": checksum,
        "part_events": {part: count for part, count in counts if count},
    }


def efficiencies() -> str:
    """Put the efficiencies of the selection beside the published ones, in Markdown."""
    document = json.loads(OUT.with_name(f"{OUT.stem}.provenance.json").read_text("utf-8"))
    found = {name: SuepYield.model_validate(one) for name, one in document["yields"].items()}
    rows = [
        (
            find(one.process).process.title,
            f"{one.n_accepted:,} of {one.n_generated:,}",
            f"{one.efficiency:.2%} ({one.lowest:.2%} to {one.highest:.2%})",
            f"{one.published:.1%}",
            f"{one.filled:.2%}",
        )
        for one in yields_of(found).rows
    ]
    return table(("process", "events", "efficiency, 95 %", "published", "pixels filled"), rows)


def slice_plan(n_library: int = SLICE_LIBRARY) -> SuepPlan:
    """Return the plan of the slice: a few events of some processes."""
    made = make_suep_plan(SLICE_EVENTS, seed=SEED, only=SLICE_PROCESSES, n_library=n_library)
    return made.model_copy(update={"n_events": dict.fromkeys(SLICE_PROCESSES, SLICE_EVENTS)})


def make_slice(n_library: int = SLICE_LIBRARY) -> dict[str, list[list[float]]]:
    """Make the first events of some processes, with a library of `n_library` soft events.

    Returns
    -------
    dict of str to list
        For each event the number of filled pixels and the energy [GeV] of each channel.
    """
    library = open_library(n_library)
    made = slice_plan(n_library)
    found = {}
    for chunk in made.chunks():
        seed, rng = chunk.seeds(made.seed)
        source = Source.of(find(chunk.process), seed, library)
        images, _ = make_events(source, chunk.n_events, rng)
        found[chunk.process] = summed_up(images).tolist()
    return found


def summed_up(images: Events) -> NDArray[np.float64]:
    """Return the number of filled pixels and the energy [GeV] of each channel, shape (n, 6)."""
    dense = images[:].astype(np.float64)
    return np.concatenate([(dense > 0).sum(axis=(1, 2)), dense.sum(axis=(1, 2))], axis=1)


def main() -> None:
    """Run the command line."""
    arguments = recipe_parser(__doc__, "efficiencies", "slice", out=OUT).parse_args()
    if arguments.command == "efficiencies":
        print(efficiencies())
    elif arguments.command == "slice":
        # Not printed: fastjet prints too.
        SLICE.write_text(json.dumps(make_slice()) + "\n", encoding="utf-8")
    elif arguments.command == "simulate":
        with progress_bars() as progress:
            simulate_suep(plan(), arguments.folder, n_jobs=arguments.jobs, progress=progress)
    else:
        build(arguments.folder, arguments.out)


if __name__ == "__main__":
    main()
