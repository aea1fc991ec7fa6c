"""Paths of a timing report are read line by line; a fit finds what made-up nets were made of."""

from __future__ import annotations

import math

import pytest

from harness.firmware.wires import GRADE_FACTORS, WireDelays
from tools import routed_paths, vivado_paths
from tools.vivado_paths import Net, RoutedPath, Source, Step

REPORT = """
| Speed File        : -2  PRODUCTION 1.30 05-15-2022

Slack (MET) :             4.3ns  (required time - arrival time)
  Path Type:              Setup (Max at Slow Process Corner)
  Data Path Delay:        0.700ns  (logic 0.390ns (55.7%)  route 0.310ns (44.3%))
    Location             Delay type                Incr(ns)  Path(ns)    Netlist Resource(s)
                         net (fo=97, routed)          0.200     0.200    clk
    SLICE_X1Y1           FDRE                                         r  a_reg/C
    SLICE_X1Y1           FDRE (Prop_EFF_SLICEL_C_Q)
                                                      0.080     0.280 f  a_reg/Q
                         net (fo=3, routed)           0.250     0.530    a
    SLICE_X2Y1           LUT3 (Prop_D6LUT_SLICEL_I0_O)
                                                      0.100     0.630 r  b/O
                         net (fo=1, routed)           0.010     0.640    b
    SLICE_X2Y1           CARRY8 (Prop_CARRY8_SLICEL_S[3]_O[5])
                                                      0.210     0.850 r  c/O[5]
                         net (fo=1, routed)           0.050     0.900    c
    SLICE_X2Y1           FDRE                                         r  d_reg[1]/D
                         net (fo=97, routed)          0.190     5.190    clk
    SLICE_X2Y1           FDRE (Setup_FFF_SLICEL_C_D)
                                                      0.025     5.215    d_reg[1]

Slack (MET) :             0.020ns  (arrival time - required time)
  Path Type:              Hold (Min at Fast Process Corner)
    SLICE_X1Y1           FDRE (Prop_EFF_SLICEL_C_Q)
                                                      0.030     0.030 f  a_reg/Q
"""
FIT = WireDelays(sum_ns=0.4, other_ns=0.2, per_fan_out_ns=0.05, per_size=0.3)


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "some+one"
    folder.mkdir()
    (folder / "timing.rpt").write_text(REPORT)
    source = Source(repository="some/one", commit="0", pattern="*.rpt", luts={"": 50})
    (found,) = vivado_paths.read_source(source, tmp_path)
    return found


def test_a_path_runs_from_the_launching_register_to_the_last_pin(path):
    assert (path.grade, path.n_lut) == ("-2", 50)
    assert [vivado_paths.arc_name(step) for step in path.steps if not step.is_net][:3] == [
        "clock_to_q",
        "lut",
        "carry_s_to_o",
    ]
    # Neither the clock's nets nor the path of the fast corner.
    assert sum(step.delay_ns for step in path.steps) == pytest.approx(0.700)
    assert [vivado_paths.arc_name(step) for step in path.setup] == ["setup_D"]


def test_nets_are_told_apart_by_what_they_join(path):
    nets = list(vivado_paths.nets_of(path))

    assert [(net.pair, net.fan_out) for net in nets] == [
        ("register-lut", 3),
        ("lut-S", 1),
        ("sum-register", 1),
    ]
    assert [net.is_general for net in nets] == [True, False, False]


def made_up(driver: str, fan_out: int, n_lut: int, grade: str = "-2") -> Net:
    path = RoutedPath(repository="a/b", design="d", grade=grade, n_lut=n_lut, steps=(), setup=())
    delay_ns = FIT.general_ns(driver, fan_out, n_lut) * GRADE_FACTORS[grade]
    return Net(path=path, driver=driver, sink="lut", fan_out=fan_out, delay_ns=delay_ns)


def test_the_fit_finds_the_delays_that_nets_were_made_with():
    nets = [
        made_up(driver, fan_out, n_lut, grade)
        for driver in ("sum", "lut", "register")
        for fan_out in (1, 4, 30)
        for n_lut, grade in ((0, "-1"), (50_000, "-2"), (300_000, "-3"))
    ]

    found = routed_paths.fit_general(nets)

    assert routed_paths.rounded(found) == routed_paths.rounded(FIT)


def test_signals_of_control_are_left_out_of_the_fit():
    plain, wide = made_up("lut", 2, 0), made_up("lut", 65, 0)

    assert routed_paths.fitted([plain, wide]) == [plain]


def test_a_path_is_predicted_from_its_own_cells(path):
    dedicated = {"lut-S": 0.02, "sum-register": 0.03}

    by_nets, by_share = routed_paths.path_ratios(path, FIT, dedicated)

    general = (0.2 + 0.05 * math.log(3)) * (1 + 0.3 * 50 / 1e5)
    assert by_nets == pytest.approx((0.39 + general + 0.05) / 0.70)
    assert by_share == pytest.approx(2 * 0.39 / 0.70)


def test_a_step_without_an_arc_is_no_cell():
    assert not list(vivado_paths.parse_steps("  nothing here\n"))
    assert Step(kind="net", fan_out=2).is_net
