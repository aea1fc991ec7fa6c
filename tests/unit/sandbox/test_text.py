"""What a step printed can be shown anywhere."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sandbox.text import CappedLog, plain

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


@given(st.lists(st.binary(max_size=50)), st.integers(1, 40))
def test_a_capped_log_keeps_head_and_tail(pieces, kept):
    log = CappedLog(kept)
    for piece in pieces:
        log.add(piece)
    printed = b"".join(pieces)

    assert log.n_bytes == len(printed)
    assert len(log._head) + len(log._tail) <= 4 * kept + 50
    assert bytes(log._head) == printed[:kept]
    rest = printed[kept:]
    assert bytes(log._tail)[-kept:] == rest[-kept:]


def test_a_capped_log_says_how_much_is_missing():
    log = CappedLog(4)
    log.add(b"0123456789ab")

    assert log.text() == "0123\n[... 4 bytes left out ...]\n89ab"


def test_a_short_log_is_whole():
    log = CappedLog(4)
    log.add(b"012")
    log.add(b"34")

    assert log.text() == "01234"
