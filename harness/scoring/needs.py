"""What a scoring needs beyond the dependencies of harness, asked for before any work is done."""

from __future__ import annotations

import ast
from pathlib import Path

from harness.challenge import Challenge
from harness.data.beside import mass_file
from harness.data.cache import process_folder
from harness.data.mass import CLUSTERED
from harness.jets.clustering import NEED_FASTJET, require_fastjet
from harness.submission.validate import Submission

_JETS = "harness.jets"


def require_jets(submission: Submission, rules: Challenge, root: Path) -> None:
    """Make sure that fastjet is there if the code of an entry or a mass of the challenge needs it.

    Masses that are in the cache already need nothing.

    Raises
    ------
    EnvironmentFaultError
        It is not installed.
    """
    if used := _clustering_of(submission):
        require_fastjet(f"the code of {submission.spec.team}, which uses {', '.join(used)},")
    mass = rules.mass
    if mass is not None and mass.kind in CLUSTERED:
        scored = [file.process for file in rules.files if file.role != "blackbox"]
        names = [process_folder(rules, one, root) / mass_file(mass) for one in scored]
        if not all(name.exists() for name in names):
            require_fastjet(f"the mass of the events of {rules.name}")


def _clustering_of(submission: Submission) -> list[str]:
    """Return what the code that is scored imports of `harness.jets` and needs fastjet."""
    found: set[str] = set()
    for file in submission.files:
        # `train.py` is never run here.
        if file.suffix != ".py" or file.name == "train.py":
            continue
        try:
            tree = ast.parse((submission.folder / file).read_bytes())
        except (SyntaxError, ValueError):
            # What is wrong with it is said where it is run, if it is.
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_JETS):
                found.update(alias.name for alias in node.names)
    return sorted(found & NEED_FASTJET)
