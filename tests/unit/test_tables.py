"""Blocks of a page are replaced and nothing else; a file is written where it is not current."""

from __future__ import annotations

import pytest

from tools.pages import fill, outdated, table, write_or_check

PAGE = """# Title

Text.

<!-- begin first: written by a command -->
old
<!-- end first -->

More text.

<!-- begin second-one: written by a command -->
<!-- end second-one -->
"""


def test_blocks_are_filled_and_the_text_stays():
    page = fill(PAGE, {"first": "| a |\n", "second-one": r"\1 and \g<name>"})

    assert page == PAGE.replace("\nold\n", "\n\n| a |\n\n").replace(
        "command -->\n<!-- end second", "command -->\n\n\\1 and \\g<name>\n\n<!-- end second"
    )
    assert fill(page, {"first": "| a |", "second-one": r"\1 and \g<name>"}) == page


@pytest.mark.parametrize("blocks", [{"first": ""}, {"first": "", "second-one": "", "third": ""}])
def test_a_page_with_other_blocks_is_rejected(blocks):
    with pytest.raises(ValueError, match="'first', 'second-one'"):
        fill(PAGE, blocks)


def test_a_table_has_words_at_the_left_and_numbers_at_the_right():
    assert table(("entry", "LUT"), [("met_cut", "30")]) == (
        "| entry | LUT |\n|---|---:|\n| met_cut | 30 |\n"
    )
    assert table(("entry", "word", "LUT"), [], n_words=2).splitlines()[1] == "|---|---|---:|"


def test_files_are_written_once_and_a_check_writes_nothing(tmp_path, capsys):
    files = {tmp_path / "new" / "a.md": "a\n", tmp_path / "b.md": "b\n"}
    (tmp_path / "b.md").write_text("other\n")

    assert write_or_check(files, is_check=True) == 1
    assert not (tmp_path / "new").exists()
    assert write_or_check(files, is_check=False) == 0
    assert outdated(files) == []
    assert write_or_check(files, is_check=True) == 0
    assert capsys.readouterr().err.count("not current") == 2
