"""Text of others is harmless wherever it is shown."""

from __future__ import annotations

import csv
import html
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.card.text import markdown_text, plain, spreadsheet_text, visible

ATOMS = st.sampled_from(
    ["\x1b", "[", "]", "0;", "31m", "\x07", "\\", "\x9b", "P", "\u202e", "\u2066", "a", "\r", "\n"]
)


@given(st.text() | st.lists(ATOMS).map("".join))
def test_plain_text_has_nothing_that_a_terminal_obeys(text):
    shown = plain(text)

    assert all(
        character in "\n\t" or unicodedata.category(character)[0] != "C" for character in shown
    )


@given(st.text() | st.lists(ATOMS).map("".join))
def test_plain_text_stays_as_it_is(text):
    assert plain(plain(text)) == plain(text)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_letters_of_all_languages_stay(text):
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0\x1b\\x", "x"),
        ("\x1b(0x", "x"),
        ("10 %\r20 %\r\ndone", "10 %\n20 %\ndone"),
        ("a\bb\0c\x85", "abc"),
        ("\u202eabc\u202c", "abc"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_each_kind_of_sequence_is_removed(text, shown):
    assert plain(text) == shown


@pytest.mark.parametrize(
    "nasty", ["\u202e", "\u2066", "\u200b", "\x00", "\x1b", "\x07", "\ufeff", "\u2028", "\x9b"]
)
def test_controls_and_direction_overrides_are_shown_as_replacement_signs(nasty):
    assert visible(f"a{nasty}b") == "a\ufffdb"


def test_ordinary_writing_of_any_script_stays():
    for text in ("Müller–Łuk", "שלום", "日本語", "A → 4ℓ", "नमस्ते", "👩‍🔬"):
        assert visible(text) == text


def test_lines_become_one():
    assert visible("a\r\nb\tc") == "a b c"


@pytest.mark.parametrize(
    "formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "|cmd", "%0A=1", "\n=1"]
)
def test_a_cell_of_a_spreadsheet_is_never_a_formula(formula):
    cell = spreadsheet_text(formula)
    assert cell.lstrip()[0] == "'"
    out = io.StringIO()
    csv.writer(out).writerow([cell, "x"])
    assert next(csv.reader(io.StringIO(out.getvalue())))[0] == cell


@pytest.mark.parametrize(
    "markup",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "![x](https://e.example/p.png)",
        "https://e.example",
        "@everyone",
        "#1",
        "a|b",
        "`code`",
        "**b** _i_ ~~s~~",
        "&lt;b&gt;",
        "$x^2$",
        ":tada:",
    ],
)
def test_markdown_shows_markup_as_it_is(markup):
    escaped = markdown_text(markup)
    bare = escaped.replace("&#", "").replace(";", "")
    assert not set("<>[]()!|`*_~@$:/") & set(bare)
    assert html.unescape(escaped) == markup
