"""A table becomes LUTs, whatever its length and its content, and they give its entries."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.firmware.rtl.evaluation import evaluate_netlist
from harness.firmware.rtl.netlist import Netlist
from harness.firmware.rtl.resources import count_resources
from harness.firmware.rtl.timing import time_netlist
from harness.firmware.rtl.yosys import run_yosys
from harness.firmware.translate.verilog import TOP, _table_module

WIDTH = 6


def content_of(n_bits: int, kind: str) -> np.ndarray:
    entries = np.random.default_rng(n_bits).integers(0, 2**WIDTH, 2**n_bits)
    return entries if kind == "random" else np.where(np.arange(len(entries)) == 77, entries, 5)


@pytest.mark.parametrize(
    ("n_bits", "kind"), [(10, "random"), (11, "nearly constant"), (12, "random")]
)
def test_a_long_table_is_luts_that_give_its_entries(tmp_path, n_bits, kind):
    entries = content_of(n_bits, kind)
    table = _table_module("entries", n_bits, WIDTH, "\n".join(f"{entry:x}" for entry in entries))
    top = f"""
module {TOP}(input clk, input [{n_bits - 1}:0] model_inp, output reg [{WIDTH - 1}:0] model_out);
  reg [{n_bits - 1}:0] address;
  wire [{WIDTH - 1}:0] entry;
  entries looked_up(.in(address), .out(entry));
  always @(posedge clk) begin
    address <= model_inp;
    model_out <= entry;
  end
endmodule
"""
    (tmp_path / "table.v").write_text(table + top)
    run_yosys(tmp_path / "table.v", tmp_path, has_dsp=True, timeout_s=200)
    netlist = Netlist.from_json(json.loads((tmp_path / "netlist.json").read_text()), TOP)
    addresses = np.arange(2**n_bits, dtype=np.uint32)[:, None]

    found = evaluate_netlist(netlist, addresses, input_port="model_inp", output_port="model_out")

    np.testing.assert_array_equal(found, entries)
    assert count_resources(netlist).bram18 == 0
    assert time_netlist(netlist).untimed == {}
