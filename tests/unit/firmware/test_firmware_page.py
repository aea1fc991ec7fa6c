"""docs/firmware.md names options that there are, and the settings as they are."""

from __future__ import annotations

import re
from pathlib import Path

from harness.cli import cli
from harness.firmware.backend import FirmwareSettings
from harness.firmware.registry import BUILT_IN
from harness.sandbox.step import GIB

PAGE = (Path(__file__).parents[3] / "docs" / "firmware.md").read_text(encoding="utf-8")


def test_every_option_is_one_of_the_commands():
    known = {
        option
        for name in ("synth", "score", "validate")
        for parameter in cli.commands[name].params
        for option in parameter.opts
    }

    assert set(re.findall(r"--[a-z][a-z-]+", PAGE)) <= known


def test_the_limits_and_numbers_of_events_are_those_of_the_settings():
    settings = FirmwareSettings()

    assert f"translation {settings.trace_wall_s:g}" in PAGE
    assert settings.synthesis_wall_s == settings.simulation_wall_s
    assert f"synthesis and simulation {settings.synthesis_wall_s:g} each" in PAGE
    step, vendor = settings.memory_bytes // GIB, settings.vendor_memory_bytes // GIB
    assert f"for each step | {step}; a vendor's tools {vendor} |" in PAGE
    assert f"{settings.max_lut:,} by da4ml's cost model" in PAGE
    assert f"| {settings.n_witness_events:,} and the edges |" in PAGE
    assert f"| {settings.n_csim_events:,} and the edges |" in PAGE
    assert settings.max_attempts == 4
    assert "up to four times" in PAGE


def test_every_backend_has_its_row():
    for name in BUILT_IN:
        assert f"`{name}`" in PAGE
