"""Data: manifest, fetch, cache, split and events.

The names below are loaded when they are first used (PEP 562), so that importing the package
is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.data.events import EventStore as EventStore
    from harness.data.events import open_store as open_store
    from harness.data.events import physical_units as physical_units
    from harness.data.manifest import Manifest as Manifest
    from harness.data.manifest import load_manifest as load_manifest
    from harness.data.published import test_events as test_events
    from harness.data.selection import EventSelection as EventSelection
    from harness.data.training import training_events as training_events
    from harness.data.training import validation_events as validation_events

_HOMES = {
    "EventSelection": "harness.data.selection",
    "EventStore": "harness.data.events",
    "open_store": "harness.data.events",
    "physical_units": "harness.data.events",
    "training_events": "harness.data.training",
    "validation_events": "harness.data.training",
    "test_events": "harness.data.published",
    "Manifest": "harness.data.manifest",
    "load_manifest": "harness.data.manifest",
}

__all__ = [
    "EventSelection",
    "EventStore",
    "Manifest",
    "load_manifest",
    "open_store",
    "physical_units",
    "test_events",
    "training_events",
    "validation_events",
]


def __getattr__(name: str) -> object:
    """Load a public name from the module that it lives in."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
