"""C++ of the simulations: which files are compiled together, and what a program is made of."""

from __future__ import annotations

import subprocess

import pytest

from harness.errors import EnvironmentFaultError
from harness.firmware.compiling import compile_units, shared_out


@pytest.fixture
def sources(tmp_path):
    """Return two source files of which the second calls the first, and its unknown neighbour."""
    texts = {
        "answer.cpp": "int unknown(); int other() { return unknown(); }int answer() { return 42; }",
        "main.cpp": "int answer(); int main() { return answer(); }",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return [tmp_path / name for name in texts]


def compile_and_run(units, folder):
    program = compile_units(units, folder / "program", ["-w"], name="the test", timeout_s=60)
    return subprocess.run([program], check=False).returncode


def test_files_share_a_unit_until_it_is_full(tmp_path):
    files = [tmp_path / name for name in "abcd"]
    for file, size in zip(files, (4, 3, 20, 1), strict=True):
        file.write_text("x" * size)

    assert shared_out(files, 8) == [files[:2], [files[2]], [files[3]]]
    assert shared_out(files, 100) == [files]
    assert shared_out([], 8) == []


def test_of_one_unit_no_code_is_made_that_nothing_calls(sources, tmp_path):
    """Else it could not be linked: `unknown` is nowhere."""
    assert compile_and_run([sources], tmp_path) == 42


def test_several_units_are_linked(sources, tmp_path):
    sources[0].write_text("int answer() { return 41; }")

    assert compile_and_run([[source] for source in sources], tmp_path) == 41


def test_a_file_that_cannot_be_compiled_is_a_fault_that_shows_why(sources, tmp_path):
    sources[1].write_text("int main() { return nothing(); }")

    with pytest.raises(EnvironmentFaultError, match=r"(?s)the test failed.*nothing"):
        compile_and_run([sources], tmp_path)
