"""Backends are listed without being imported, and found by name."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from harness.errors import UsageError
from harness.firmware import registry
from harness.firmware.backend import FirmwareSettings

LIST = """
import sys
from harness.firmware.registry import backend_names
from harness.firmware.synthesise import synthesise
assert "rtl" in backend_names()
heavy = {"tensorflow", "keras", "da4ml", "hls4ml", "hgq", "h5py", "pyosys"} & set(sys.modules)
print(sorted(heavy))
print(sorted(name for name in sys.modules if name.startswith("harness.firmware.rtl.build")))
"""


def test_listing_imports_no_backend_and_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", LIST], capture_output=True, text=True, timeout=120, check=True
    )

    assert done.stdout.split() == ["[]", "[]"]


def test_the_steps_of_a_backend_import_nothing_that_they_do_not_use():
    """Each step is a process of its own: asyncio and ssl came with `unittest.mock`."""
    code = (
        "import sys, harness.firmware.rtl.build\n"
        "print(sorted({'unittest.mock', 'asyncio', 'ssl', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )

    assert done.stdout.split() == ["[]"]


@pytest.mark.parametrize("name", list(registry.BUILT_IN))
def test_each_built_in_backend_loads(name):
    assert callable(registry.load_backend(name))


def test_another_package_can_add_a_backend_and_cannot_replace_one(monkeypatch):
    points = [
        EntryPoint(name="mine", value="builtins:len", group=registry.ENTRY_POINT_GROUP),
        EntryPoint(name="rtl", value="builtins:len", group=registry.ENTRY_POINT_GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)

    assert registry.backend_names() == (*registry.BUILT_IN, "mine")
    assert registry.load_backend("mine") is len
    assert registry.load_backend("rtl") is not len


def test_an_unknown_backend_lists_the_known():
    with pytest.raises(UsageError, match="rtl or estimate or vitis or vivado"):
        registry.load_backend("quartus")


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("vitis", {"latency_cycles": 8}, "--latency-cycles"),
        ("vivado", {"has_latency_search": True}, "--smallest-latency"),
        ("estimate", {"has_latency_search": True}, "--smallest-latency"),
    ],
)
def test_a_depth_of_the_pipeline_that_a_backend_would_not_heed_is_refused(name, settings, said):
    with pytest.raises(UsageError, match=said):
        registry.check_backend(
            name, has_implementation=False, settings=FirmwareSettings(**settings)
        )


def test_the_netlist_of_harness_may_have_any_depth():
    settings = FirmwareSettings(latency_cycles=8, has_latency_search=True)
    registry.check_backend("rtl", has_implementation=False, settings=settings)
    settings = FirmwareSettings(latency_cycles=8)
    registry.check_backend("estimate", has_implementation=False, settings=settings)
