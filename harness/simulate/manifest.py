"""The manifest of simulated files: `--manifest` reads it, so that submissions can be scored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import yaml

from harness.challenge import Challenge, DataFile, Split
from harness.data.hdf5 import count_events
from harness.data.manifest import Manifest, load_manifest
from harness.errors import UsageError
from harness.files import Progress, file_checksum, no_progress
from harness.simulate.layout import LAYOUT
from harness.simulate.plan import SimulationPlan
from harness.simulate.presets import BACKGROUND, TUNES
from harness.simulate.provenance import Provenance, read_provenance

# Target, working points and rules are those of this challenge.
_MODEL = "sample"
DEFAULT_NAME = "simulated"


def make_manifest(
    paths: Sequence[Path], *, name: str = DEFAULT_NAME, progress: Progress = no_progress
) -> Manifest:
    """Describe simulated files as one challenge.

    Parameters
    ----------
    paths : sequence of Path
        One background and any number of signals and of backgrounds of other tunes, as
        `harness simulate` wrote them.

    Raises
    ------
    UsageError
        There is no background among them, or `harness simulate` did not write a file.
    DataError
        A file cannot be read.
    """
    known = [_read(path) for path in paths]
    if not any(provenance.plan.name == BACKGROUND for provenance in known):
        raise UsageError(
            "there is no background among the files",
            expected=f"one file of `harness simulate {BACKGROUND}`, which a challenge needs",
            fix=f"name it too: harness simulate manifest BACKGROUND.h5 {paths[0]}",
        )
    names = [provenance.plan.name for provenance in known]
    repeated = sorted({one for one in names if names.count(one) > 1})
    if repeated:
        raise UsageError(
            f"two files hold {', '.join(repeated)}",
            expected="one file for each process",
            fix="make the larger file in one run",
        )
    files = tuple(
        _describe(path, provenance.plan, progress)
        for path, provenance in zip(paths, known, strict=True)
    )
    return Manifest(schema=1, challenges=(_challenge(name, files, known[0].made_by),))


def manifest_yaml(manifest: Manifest, provenance: Sequence[Provenance]) -> str:
    """Write a manifest as YAML, with the origin of each file as a comment."""
    comments = []
    for one in provenance:
        plan = one.plan
        comments.append(
            f"# {plan.name}: {plan.n_events} events, seed {plan.seed}, plan {one.plan_digest[:16]}"
        )
        for process, found in one.yields.items():
            comments.append(
                f"#   {process}: {found.n_events} events, efficiency {found.efficiency:.4g}, "
                f"cross section {found.cross_section_mb:.3g} mb (leading order, accepted)"
            )
        versions = ", ".join(f"{name} {value}" for name, value in one.versions.items())
        comments.append(f"#   made with {one.made_by}, {versions}")
    content = manifest.model_dump(mode="json", by_alias=True, exclude_none=True)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return "\n".join(comments) + "\n" + text


def _read(path: Path) -> Provenance:
    provenance = read_provenance(path)
    if provenance is None:
        raise UsageError(
            "it does not say how it was made",
            where=str(path),
            expected="a file of `harness simulate`",
        )
    return provenance


def _describe(path: Path, plan: SimulationPlan, progress: Progress) -> DataFile:
    return DataFile(
        name=path.name,
        role=_role(plan.name),
        process=plan.name,
        title=plan.title,
        checksum=file_checksum(path, progress=progress),
        n_bytes=path.stat().st_size,
        n_events=count_events(path, LAYOUT),
    )


def _role(process: str) -> Literal["background", "variation", "signal"]:
    if process == BACKGROUND:
        return "background"
    return "variation" if process in TUNES else "signal"


def _challenge(name: str, files: tuple[DataFile, ...], made_by: str) -> Challenge:
    model = load_manifest().challenge(_MODEL)
    return model.model_copy(
        update={
            "name": name,
            "title": "Simulated (synthetic)",
            "version": "1",
            "description": f"Events made by {made_by}; not the challenge's data.",
            "synthetic": True,
            "licence": "Apache-2.0",
            "files": files,
            "layout": LAYOUT,
            "split": Split(key=f"{name}-1", train=0.4, validation=0.1, test=0.5),
        }
    )
