"""The manifest of a run: the challenge that its files make."""

from __future__ import annotations

from pathlib import Path

import yaml

from harness.challenge import Challenge, DataFile, Split
from harness.data.manifest import Manifest, load_manifest
from harness.files import file_checksum
from harness.simulate.suep.plan import SuepPlan
from harness.simulate.suep.processes import QCD, find

# Merit, targets and layout are those of the embedded challenge.
MODEL = "hlt-suep-sample"
NAME = "hlt-suep-simulated"
MANIFEST_NAME = "manifest.yaml"


def is_a_challenge(plan: SuepPlan) -> bool:
    """Whether the processes of a plan make a challenge: QCD and a signal at least."""
    return QCD.name in plan.n_events and len(plan.n_events) > 1


def manifest_text(plan: SuepPlan, folder: Path) -> str:
    """Write the manifest of the files in `folder` as YAML."""
    model = load_manifest().challenge(MODEL)
    files = tuple(
        DataFile(
            name=f"{name}.h5",
            role="background" if name == QCD.name else "signal",
            process=name,
            title=find(name).process.title,
            checksum=file_checksum(folder / f"{name}.h5"),
            n_events=count,
        )
        for name, count in plan.n_events.items()
    )
    challenge = model.model_copy(
        update={
            "name": NAME,
            "title": "SUEP in the high-level trigger, simulated (synthetic)",
            "version": "1",
            "description": "Made by `harness simulate suep`.",
            "files": files,
            "split": Split(key=f"{NAME}-1", train=0.4, validation=0.1, test=0.5),
        }
    )
    checked = Challenge.model_validate(challenge.model_dump())
    content = Manifest(schema=1, challenges=(checked,)).model_dump(
        mode="json", by_alias=True, exclude_none=True
    )
    comment = f"# Synthetic: harness simulate suep, seed {plan.seed}, plan {plan.digest[:16]}\n"
    return comment + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
