"""Reports of another design are refused by its ports, words, layers or weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import InvalidSubmissionError
from harness.firmware.artefacts import compress, pack
from harness.firmware.reports.csynth import parse_csynth_rpt, parse_csynth_xml
from harness.firmware.reports.design import check_code, check_ports
from harness.sandbox.workspace import Workspace
from tests.firmware_bench import direct_step
from tests.golden.firmware import make_reports as golden

DEFINES = """#ifndef DEFINES_H_
typedef {input} input_t;
typedef ap_fixed<{bits},4> layer2_t;
typedef ap_ufixed<8, 2,AP_RND,AP_SAT,0> result_t;
#endif
"""
PARAMETERS = """#include "weights/w2.h"
// {name}
struct config2 : nnet::dense_config {{
    static const unsigned n_in = 3;
    static const unsigned n_out = 1;
    static const unsigned strategy = nnet::latency;
    static const unsigned reuse_factor = {reuse};
    static const bool store_weights_in_bram = false;
}};
"""
WEIGHTS = """//Numpy array shape [3, 1]
#ifndef __SYNTHESIS__
{name}_weight_t w2[3];
#else
{name}_weight_t w2[3] = {{{values}}};
#endif
"""


def write_project(
    folder: Path,
    *,
    bits: int = 8,
    reuse: int = 1,
    values: str = "0.5, -0.25, 1.0",
    name: str = "dense",
    word: str = "ap_fixed<16,13>",
) -> dict[str, Path]:
    """Write hls4ml's files of a dense layer, and return them by name."""
    contents = {
        "defines.h": DEFINES.format(bits=bits, input=word),
        "parameters.h": PARAMETERS.format(reuse=reuse, name=name),
        "weights/w2.h": WEIGHTS.format(name=name, values=values),
    }
    for path, text in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return {path: folder / path for path in contents}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The project as harness keeps it."""
    write_project(tmp_path / "anomaly/firmware", name="l1_dense")
    pack(tmp_path / "project.tar", [(tmp_path / "anomaly", "anomaly")])
    return compress(tmp_path / "project.tar", tmp_path / "project.tar.zst")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(run_step=direct_step, folder=tmp_path / "steps")


def test_the_same_code_with_other_names_is_the_same_design(own, workspace, tmp_path):
    found = write_project(tmp_path / "theirs", name="encoder", values="0.500000, -0.250000, 1.0000")

    assert check_code(found, own, workspace)


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        ({"bits": 32}, r"word 2 of 3 is ap_fixed<32,4>", r"ap_fixed<8,4>"),
        ({"reuse": 4}, r"constant 4 of 4 is reuse_factor = 4", "reuse_factor = 1"),
        ({"values": "0.5, -0.5, 1.0"}, "weight 2 of 3 is -0.5", "-0.25"),
        ({"values": "0.5, -0.25"}, "there are 2 weights", "3 weights"),
    ],
)
def test_other_words_factors_and_weights_are_refused_by_what_differs(
    own, workspace, tmp_path, change, found, expected
):
    theirs = write_project(tmp_path / "theirs", **change)

    with pytest.raises(InvalidSubmissionError, match=rf"{found}(?s:.*){expected}"):
        check_code(theirs, own, workspace)


@pytest.mark.parametrize("missing", ["defines.h", "parameters.h"])
def test_without_the_code_nothing_is_compared(own, workspace, tmp_path, missing):
    theirs = write_project(tmp_path / "theirs")
    del theirs[missing]

    assert not check_code(theirs, own, workspace)


def ports(*, n_inputs: int, bits: int, n_outputs: int = 1) -> list[tuple[str, str, int]]:
    return [
        *((f"x_{i}", "in", bits) for i in range(n_inputs)),
        *((f"y_{i}", "out", 19) for i in range(n_outputs)),
    ]


@pytest.mark.parametrize("read", ["xml", "rpt"])
def test_the_ports_are_read_without_those_that_only_control(read):
    listed = ports(n_inputs=3, bits=16)
    report = (
        parse_csynth_xml(golden.csynth_xml(ports=listed))
        if read == "xml"
        else parse_csynth_rpt(golden.csynth_rpt(ports=listed))
    )

    assert report.input_bits == (16, 16, 16)
    assert report.output_bits == (19,)


@pytest.mark.parametrize(
    ("listed", "n_inputs", "said"),
    [
        (ports(n_inputs=44, bits=32), 57, "44 inputs"),
        (ports(n_inputs=1, bits=44 * 32), 57, "one input of 1408 bits"),
        (ports(n_inputs=57, bits=32, n_outputs=3), 57, "3 outputs"),
    ],
)
def test_ports_of_another_network_are_refused(listed, n_inputs, said):
    report = parse_csynth_xml(golden.csynth_xml(ports=listed))

    with pytest.raises(InvalidSubmissionError, match=said):
        check_ports(report, n_inputs)


@pytest.mark.parametrize("listed", [ports(n_inputs=57, bits=16), ports(n_inputs=1, bits=57 * 16)])
def test_a_port_for_each_input_or_one_for_all_is_the_networks(listed):
    assert check_ports(parse_csynth_xml(golden.csynth_xml(ports=listed)), 57)


def test_a_report_without_ports_is_not_compared():
    assert not check_ports(parse_csynth_xml(golden.csynth_xml()), 57)
