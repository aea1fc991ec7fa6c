"""The manifest of a stand-in: the challenge that its files make, with the numbers they hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from harness.challenge import PARTS, Challenge, DataFile, Part
from harness.data.event_source import ContentDigest
from harness.data.level1.reading import open_data_set
from harness.data.manifest import Manifest, load_manifest
from harness.errors import UsageError
from harness.simulate.level1.datasets import BY_NAME, DataSet
from harness.simulate.level1.plan import Level1Plan, draw_parts

# Where the files are read by the same rules, and where a challenge of this size is judged.
_READ_AS, _JUDGED_AS = "cmsl1t", "cmsl1t-sample"
NAME = "cmsl1t-simulated"
ROLES = {"zerobias": "background", "background": "variation", "signal": "signal"}


def make_level1_manifest(plan: Level1Plan, name: str = NAME) -> Manifest:
    """Describe the files of a stand-in as one challenge, read as the release is.

    Raises
    ------
    UsageError
        It has no recorded data, or no signal.
    """
    chosen = [BY_NAME[one] for one in plan.n_events]
    if not is_a_challenge(plan):
        raise UsageError(
            "a challenge needs a zero-bias run and a signal",
            expected="one of each among the data sets",
            fix="name them in --only, or leave it out",
        )
    release, judged = (load_manifest().challenge(one) for one in (_READ_AS, _JUDGED_AS))
    if release.source is None:
        raise UsageError(f"the challenge {_READ_AS} has no source")
    challenge = judged.model_copy(
        update={
            "name": name,
            "title": "Simulated level-1 trigger (synthetic)",
            "version": "1",
            "description": "Made by `harness simulate cmsl1t`; no CMS data.",
            "layout": release.layout,
            "source": release.source.model_copy(update={"hub": None, "zenodo": None}),
            "files": tuple(_file(plan, one) for one in chosen),
        }
    )
    return Manifest(schema=1, challenges=(Challenge.model_validate(challenge.model_dump()),))


def manifest_text(plan: Level1Plan, folder: Path, name: str = NAME) -> str:
    """Write the manifest of a stand-in as YAML, with the checksums of its files' events.

    Parameters
    ----------
    folder : Path
        Where the files are, in either layout.

    Raises
    ------
    UsageError
        See `make_level1_manifest`.
    """
    (challenge,) = make_level1_manifest(plan, name).challenges
    files = tuple(
        file.model_copy(update={"checksum": _checksum(challenge, file, folder)})
        for file in challenge.files
    )
    challenge = challenge.model_copy(update={"files": files})
    manifest = Manifest(schema=1, challenges=(challenge,))
    content = manifest.model_dump(mode="json", by_alias=True, exclude_none=True)
    comment = f"# Synthetic: harness simulate cmsl1t, seed {plan.seed}, plan {plan.digest[:16]}\n"
    return comment + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def is_a_challenge(plan: Level1Plan) -> bool:
    """Whether the data sets of a plan make a challenge: a run and a signal at least."""
    return {"zerobias", "signal"} <= {BY_NAME[one].kind for one in plan.n_events}


def _file(plan: Level1Plan, data_set: DataSet) -> DataFile:
    labels = draw_parts(plan, data_set)
    counts: dict[Part, int] = {
        part: int(np.count_nonzero(labels == PARTS.index(part))) for part in data_set.shares
    }
    read = {"test": counts["test"]} if data_set.kind == "signal" else counts
    return DataFile.model_validate(
        {
            "name": data_set.name,
            "role": ROLES[data_set.kind],
            "process": data_set.name.lower(),
            "title": data_set.title,
            "part_events": read,
        }
    )


def _checksum(challenge: Challenge, file: DataFile, folder: Path) -> str:
    """Return the checksum of the decoded test events, as the cache computes it."""
    source = open_data_set(challenge, file, folder, tuple(file.part_events))
    digest = ContentDigest(source)
    done = 0
    for events, _ in source.chunks:
        digest.add(events, done)
        done += len(events)
    return digest.checksum
