"""Text of others is harmless wherever it is shown."""

from __future__ import annotations

import csv
import io

import pytest

from harness.board.text import markdown_text, spreadsheet_text, visible


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
    plain = escaped.replace("&#", "").replace(";", "")
    assert not set("<>[]()!|`*_~@$:/") & set(plain)
    import html

    assert html.unescape(escaped) == markup
