"""The page on accuracy is that of the kept figures, and the figures are counted as it says."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import asdict

import pytest

from harness.firmware.rtl.netlist import Netlist, NetlistError
from harness.firmware.translate.verilog import TOP
from harness.firmware.wires import ROUTED_BAND, ROUTED_CELLS, ROUTED_WIRES
from tools import firmware_accuracy as page
from tools import firmware_measure as measure

TEXT = page.PAGE.read_text(encoding="utf-8")


@pytest.fixture
def document():
    return json.loads(page.KEPT.read_text())


def test_the_page_is_that_of_the_kept_figures():
    assert page.main(["--check"]) == 0, "run `make firmware-accuracy`"


def test_another_figure_makes_another_page(document):
    assert page.render(TEXT, document) == TEXT
    document["routed"][0]["lut"] *= 2

    assert page.render(TEXT, document) != TEXT


def test_the_text_has_the_figures_that_were_kept(document):
    said = " ".join(TEXT.split())
    periods = [row["period_ns"] for row in document["routed"]]
    groups = ("submissions", "public", "sizes")
    n_events = min(row["n_events_equal"] for group in groups for row in document[group])

    assert f"For {len(periods)} trained networks" in said
    assert f"they reached {min(periods):.2f} to {max(periods):.2f} ns" in said
    assert min(periods) > 2.0
    assert f"cell by cell, on {n_events} random events" in said
    # A dense encoder 57-32-16-3; a DSP slice or two for each weight.
    assert f"each of the {57 * 32 + 32 * 16 + 16 * 3:,} weights" in said
    assert [round(row["used"]["dsp"] / 2_384) for row in document["csynth"]] == [2, 2]


def test_every_ratio_is_of_a_netlist_that_was_evaluated(document):
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


def test_the_band_on_a_card_is_that_of_the_routed_designs(document):
    assert page.band(document["anchors"]) == ROUTED_BAND
    low, high = ROUTED_BAND
    for text in (TEXT, (page.ROOT / "docs" / "firmware.md").read_text("utf-8")):
        assert f"{low} to {high}" in " ".join(text.split())


def test_the_wires_of_a_netlist_are_those_of_the_fit():
    paths = json.loads(page.PATHS.read_text())

    for name, value in asdict(ROUTED_WIRES).items():
        assert value == pytest.approx(paths["fit"][name], abs=6e-4), name
    for name, value in asdict(ROUTED_CELLS).items():
        arc = name.removesuffix("_ns")
        if arc in paths["cells"] and arc != "carry_chain":
            assert value == pytest.approx(paths["cells"][arc]["-2"]["mean"], abs=6e-4), name


def test_a_delay_for_each_net_is_closer_than_a_share_of_the_path(document):
    """Both on paths and on netlists that were left out of the fit; else the share had stayed."""
    ratios = json.loads(page.PATHS.read_text())["ratios"]
    assert ratios["by_nets"]["log_sd"] < ratios["by_share"]["log_sd"]
    for netlists in (["Yosys"], ["Vivado"], ["Yosys", "Vivado"]):
        rows = [row for row in document["anchors"] if row["netlist"] in netlists]
        nets, share = (
            statistics.pstdev(math.log(page.period_ratio(row, name)) for row in rows)
            for name in ("period_ns", "period_by_share_ns")
        )
        assert nets < share, netlists


def test_six_designs_or_more_have_a_routed_period(document):
    designs = {row["name"].split(",")[0] for row in document["anchors"]}

    assert len(designs) >= 6


def test_the_ratio_of_a_period_by_hand():
    row = {"name": "a", "period_ns": 4.0, "routed": {"period_ns": 5.0}}

    assert page.period_ratio(row) == pytest.approx(0.8)
    # Of routed over estimated 1.25 and 1.0: the 5th and the 95th percentile.
    rows = [row, {"name": "b", "period_ns": 3.0, "routed": {"period_ns": 3.0}}]
    assert page.band(rows) == (1.01, 1.24)


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


def test_a_network_of_one_score_is_traced_as_the_backend_traces_it(monkeypatch):
    pytest.importorskip("da4ml")
    from harness.firmware.translate import tracing
    from harness.submission.network import load_keras

    load_keras()
    model = measure.random_network((4, 2), 4)
    traced = []
    trace = tracing.trace_program
    monkeypatch.setattr(
        tracing, "trace_program", lambda network: traced.append(network) or trace(network)
    )

    program = measure.trace(model)

    assert traced == [model]
    assert program.shape == (57, 1)


def test_a_network_of_several_outputs_is_traced_too():
    pytest.importorskip("da4ml")
    import keras
    from hgq.layers import QDense

    from harness import heads

    inputs = keras.Input((57,))
    words = heads.input_words(inputs, ["ufixed<8,8>", "fixed<6,4>", "fixed<6,3>"])

    assert measure.trace(keras.Model(inputs, QDense(3)(words))).shape == (57, 3)
