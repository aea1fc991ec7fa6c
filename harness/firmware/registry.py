"""The firmware backends: a built-in table, and the entry points of other packages.

A package offers a backend by an entry point of the group ``harness.firmware`` that names a
callable such as `harness.firmware.backend.Backend`. Listing imports nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from harness.errors import UsageError
from harness.firmware.backend import Backend

ENTRY_POINT_GROUP = "harness.firmware"
BUILT_IN: Mapping[str, str] = {
    "rtl": "harness.firmware.rtl.build:build_rtl",
    "estimate": "harness.firmware.estimate:build_estimate",
    "vitis": "harness.firmware.vendor.build:build_vitis",
    "vivado": "harness.firmware.vendor.build:build_vivado",
}


def backend_names() -> tuple[str, ...]:
    """Return the names of all backends, the built-in ones first."""
    others = sorted(point.name for point in entry_points(group=ENTRY_POINT_GROUP))
    return (*BUILT_IN, *(name for name in others if name not in BUILT_IN))


def load_backend(name: str) -> Backend:
    """Import a backend.

    Raises
    ------
    UsageError
        There is none of that name; a package cannot replace a built-in one.

    Examples
    --------
    >>> load_backend("rtl").__name__
    'build_rtl'
    """
    if name in BUILT_IN:
        module, _, function = BUILT_IN[name].partition(":")
        return cast("Backend", getattr(import_module(module), function))
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            return cast("Backend", point.load())
    raise UsageError(
        f"there is no firmware backend {name!r}",
        where="--backend",
        expected=" or ".join(backend_names()),
    )
