"""Untrusted code: the sandbox that runs it, and the checks of all that comes back.

The names are loaded when they are asked for: a step's own modules lie in this package too, and a
step that pays for pydantic takes three times as long to start.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.sandbox.doctor import probe
    from harness.sandbox.run import Sandbox, open_sandbox
    from harness.sandbox.scores import read_scores
    from harness.sandbox.scratch import scratch_folder
    from harness.sandbox.tried import open_tried_workspace
    from harness.sandbox.workspace import EarlyStep, Workspace, open_workspace

__all__ = [
    "EarlyStep",
    "Sandbox",
    "Workspace",
    "open_sandbox",
    "open_tried_workspace",
    "open_workspace",
    "probe",
    "read_scores",
    "scratch_folder",
]

_HOMES = {
    "EarlyStep": "workspace",
    "Sandbox": "run",
    "Workspace": "workspace",
    "open_sandbox": "run",
    "open_tried_workspace": "tried",
    "open_workspace": "workspace",
    "probe": "doctor",
    "read_scores": "scores",
    "scratch_folder": "scratch",
}


def __getattr__(name: str) -> object:
    """Load one of the public names."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
