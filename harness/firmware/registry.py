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
from harness.firmware.backend import Backend, FirmwareSettings

ENTRY_POINT_GROUP = "harness.firmware"
BUILT_IN: Mapping[str, str] = {
    "rtl": "harness.firmware.rtl.build:build_rtl",
    "estimate": "harness.firmware.estimate:build_estimate",
    "vitis": "harness.firmware.vendor.build:build_vitis",
    "vivado": "harness.firmware.vendor.build:build_vivado",
}
# Backends that go on to place and route; their tools plan the pipeline.
IMPLEMENTING = ("vitis", "vivado")
# Backends that synthesise pipelines of several depths.
SEARCHING = ("rtl",)


def backend_names() -> tuple[str, ...]:
    """Return the names of all backends, the built-in ones first."""
    others = sorted(point.name for point in entry_points(group=ENTRY_POINT_GROUP))
    return (*BUILT_IN, *(name for name in others if name not in BUILT_IN))


def check_backend(
    name: str, *, has_implementation: bool, settings: FirmwareSettings | None = None
) -> None:
    """Refuse a backend that cannot do what is asked, before anything that takes long.

    Raises
    ------
    UsageError
        There is none of that name, it does not place and route, or it cannot make a pipeline of
        the depth that the settings name.
    EnvironmentFaultError
        A tool that it needs is missing.
    """
    load_backend(name)
    if has_implementation and name not in IMPLEMENTING:
        raise UsageError(
            f"backend {name} does not place and route",
            where="--impl",
            expected=" or ".join(f"--backend {name}" for name in IMPLEMENTING),
            fix="leave --impl out, or name one of these",
        )
    if settings is not None:
        _check_depth(name, settings)
    if name in IMPLEMENTING:
        from harness.firmware.vendor.build import require_tools

        require_tools(name, has_implementation=has_implementation)


def _check_depth(name: str, settings: FirmwareSettings) -> None:
    """Refuse a depth of the pipeline that a built-in backend would not heed."""
    if settings.has_latency_search and name in BUILT_IN and name not in SEARCHING:
        raise UsageError(
            f"backend {name} does not synthesise pipelines of other depths",
            where="--smallest-latency",
            expected=" or ".join(f"--backend {name}" for name in SEARCHING),
            fix="leave --smallest-latency out",
        )
    if settings.latency_cycles is not None and name in IMPLEMENTING:
        raise UsageError(
            f"backend {name} cannot choose a latency: the vendor's tool plans the pipeline",
            where="--latency-cycles",
            expected="--backend rtl or --backend estimate",
            fix="leave --latency-cycles out",
        )


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
