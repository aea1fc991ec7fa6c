"""Untrusted code: the sandbox that it runs in, and the distrust of what it says.

The names are loaded when they are asked for: a step's own modules lie in this package too, and a
step that pays for pydantic takes three times as long to start.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.sandbox.doctor import Finding, Isolation, probe
    from harness.sandbox.run import Sandbox, open_sandbox
    from harness.sandbox.scores import read_scores
    from harness.sandbox.scratch import scratch_folder
    from harness.sandbox.workspace import Workspace

__all__ = [
    "Finding",
    "Isolation",
    "Sandbox",
    "Workspace",
    "open_sandbox",
    "probe",
    "read_scores",
    "scratch_folder",
]

_HOMES = {
    "Finding": "harness.sandbox.doctor",
    "Isolation": "harness.sandbox.doctor",
    "probe": "harness.sandbox.doctor",
    "read_scores": "harness.sandbox.scores",
    "Sandbox": "harness.sandbox.run",
    "open_sandbox": "harness.sandbox.run",
    "scratch_folder": "harness.sandbox.scratch",
    "Workspace": "harness.sandbox.workspace",
}


def __getattr__(name: str) -> object:
    """Load one of the public names."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
