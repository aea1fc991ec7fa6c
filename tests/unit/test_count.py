"""The counter of code counts what it says."""

from __future__ import annotations

from tools import count

MODULE = '''"""A module.

With a docstring of three lines.
"""

# A comment.
import math  # and another
from os import (
    path,
)

TEXT = """two
lines"""


class Value:
    """A class."""

    x = 1

    def double(self):
        """Say what it does."""
        # Why.
        return (
            2 * self.x
        )


def nothing(): ...
'''


def body(name: str, *, of: int = 8) -> str:
    lines = [f"    a{number} = {number}" for number in range(of)]
    return "\n".join([f"def {name}():", *lines, ""])


def repeats(*sources: str) -> list[tuple[str, str, int]]:
    modules = [
        count.parse_module(source, f"{letter}.py")
        for letter, source in zip("abc", sources, strict=False)
    ]
    return [(one.first, one.second, one.n_lines) for one in count.find_repeats(modules)]


def test_comments_docstrings_and_blank_lines_are_no_code():
    module = count.parse_module(MODULE, "a.py")

    assert sorted(module.lines) == [7, 8, 9, 10, 12, 13, 16, 19, 21, 24, 25, 26, 29]
    assert module.lines[7] == "importmath"
    assert module.imports == {7, 8, 9, 10}


def test_functions_are_measured_in_lines_of_code():
    assert sorted(count.parse_module(MODULE, "a.py").functions) == [1, 4]


def test_a_line_without_spaces_and_comments_is_the_same_line():
    first = count.parse_module("x = [1,2]\n", "a.py")
    second = count.parse_module("x  = [1, 2]  # two\n", "b.py")

    assert first.lines == second.lines


def test_eight_equal_lines_are_a_repeated_block_and_seven_are_not():
    assert repeats(body("one"), body("two")) == [("a.py:2-9", "b.py:2-9", 8)]
    assert repeats(body("one", of=7), body("two", of=7)) == []


def test_a_longer_block_is_one_and_comments_do_not_break_it():
    first = body("one", of=12)
    second = "x = 1\n" + body("two", of=12).replace("    a3", "\n    # Three.\n    a3")

    assert repeats(first, second) == [("a.py:2-13", "b.py:3-16", 12)]


def test_a_block_in_three_places_is_three_pairs():
    found = repeats(body("one"), body("two"), "x = 1\n" + body("three"))

    assert [(one.partition(":")[0], two.partition(":")[0]) for one, two, _ in found] == [
        ("a.py", "b.py"),
        ("a.py", "c.py"),
        ("b.py", "c.py"),
    ]


def test_a_block_is_found_twice_in_one_file_and_does_not_overlap_itself():
    assert repeats(body("one") + body("two")) == [("a.py:2-9", "a.py:11-18", 8)]
    assert repeats("x = 1\n" * 15) == []


def test_imports_are_no_repeated_block():
    names = "".join(f"    name{number},\n" for number in range(20))

    assert repeats(f"from os import (\n{names})\n", f"from os import (\n{names})\n") == []


def test_a_row_counts_what_stands_at_the_top(tmp_path):
    package = tmp_path / "house"
    for path, text in {
        "__init__.py": "",
        "__main__.py": "x = 1\n",
        "room.py": body("one", of=3),
        "wing/__init__.py": "",
        "wing/deep.py": body("two", of=5) + body("three", of=9),
        "data/table.json": "{}",
    }.items():
        target = package / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    row = count.count_row(package, count.read_modules(package, tmp_path))

    # Files: 5; lines 1 + 4 + 6 + 10; functions of 4, 6 and 10 lines.
    assert row == ["house", "1", "1", "5", "21", "3", "6", "10", "10"]


def test_layers_are_read_from_the_contract():
    contract = """
[[tool.importlinter.contracts]]
type = "layers"
layers = ["cli", "ci | blackbox", "errors"]
[[tool.importlinter.contracts]]
type = "forbidden"
"""
    assert count.count_layers(contract) == 3


def test_the_command_prints_the_table_of_this_repository(capsys):
    assert count.main(["tools", "--repeats"]) == 0

    printed = capsys.readouterr().out
    assert printed.startswith("| package | modules at the top |")
    assert "| tools | " in printed
    assert "layers of imports: " in printed


def test_the_tools_have_no_repeated_block():
    assert count.find_repeats(count.read_modules(count.ROOT / "tools")) == []
