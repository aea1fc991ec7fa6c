"""The page on accuracy is that of the kept figures, and the figures are counted as it says."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from harness.firmware.rtl.netlist import Netlist, NetlistError
from harness.firmware.rtl.synthesis import TOP

TOOLS = Path(__file__).parents[2] / "tools"


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


page = load("firmware_accuracy")
measure = load("firmware_measure")


def test_the_page_is_that_of_the_kept_figures():
    assert page.main(["--check"]) == 0, "run `make firmware-accuracy`"


def test_another_figure_makes_another_page():
    document = json.loads(page.KEPT.read_text())
    before = page.render(document)
    document["routed"][0]["lut"] *= 2

    assert page.render(document) != before


def test_every_ratio_is_of_a_netlist_that_was_evaluated():
    document = json.loads(page.KEPT.read_text())

    for group in ("vendor", "submissions", "public", "sizes"):
        assert document[group]
        for row in document[group]:
            assert row["n_events_equal"] >= 500, row["name"]
            fewest, most = row["latency_cycles"]
            assert fewest == most == row["n_stages"] + 1, row["name"]


def test_ratio_and_rank_correlation_by_hand():
    rows = [
        {"name": "a", "lut": 12, "cost_lut": 10},
        {"name": "b", "lut": 30, "cost_lut": 20},
        {"name": "c", "lut": 27, "cost_lut": 30},
    ]

    # Ranks 1, 3, 2 against 1, 2, 3: 1 - 6 (0 + 1 + 1) / (3 * 8) = 0.5.
    assert page.spread(rows) == (
        "3 networks: ratio 0.90 to 1.50, median 1.20; rank correlation (Spearman) 0.500.\n"
    )


def netlist(*registers: tuple[int, int]) -> Netlist:
    """Return registers from bit to bit; the input is bits 3 and 4, the output 9, of one LUT."""
    cells = {
        f"r{d}": {"type": "FDRE", "parameters": {}, "connections": {"C": [2], "D": [d], "Q": [q]}}
        for d, q in registers
    }
    cells["lut"] = {
        "type": "LUT2",
        "parameters": {"INIT": "0110"},
        "connections": {"I0": [7], "I1": [8], "O": [9]},
    }
    ports = {
        "clk": {"direction": "input", "bits": [2]},
        "model_inp": {"direction": "input", "bits": [3, 4]},
        "model_out": {"direction": "output", "bits": [9]},
    }
    return Netlist.from_json({"modules": {TOP: {"ports": ports, "cells": cells}}}, TOP)


def test_registers_are_counted_along_the_shortest_and_the_longest_way():
    assert measure.register_depths(netlist((3, 7), (4, 8))) == (1, 1)
    assert measure.register_depths(netlist((3, 5), (5, 7), (4, 8))) == (1, 2)


def test_feedback_has_no_depth():
    with pytest.raises(NetlistError, match="back to itself"):
        measure.register_depths(netlist((3, 7), (9, 8)))
