"""The capped log of a step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.sandbox.log import CappedLog


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


def test_a_capped_log_holds_nothing_that_a_terminal_obeys():
    log = CappedLog()
    log.add(b"\x1b[31mred\x1b[0m\r\xff")

    assert log.text() == "red\n\ufffd"
