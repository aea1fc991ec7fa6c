"""The capped log of a step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.sandbox.log import SHOWN_CHARACTERS, SHOWN_LINES, CappedLog, excerpt, show_printed


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


def test_an_excerpt_shows_the_first_and_the_last_lines_each_behind_a_bar():
    lines = [f"line {number}" for number in range(2 * SHOWN_LINES + 7)]
    shown = list(excerpt("\n".join([*lines, ""])))

    assert shown[0] == "| line 0"
    assert shown[SHOWN_LINES] == "| [... 7 lines left out ...]"
    assert shown[-1] == f"| line {2 * SHOWN_LINES + 6}"
    assert len(shown) == 2 * SHOWN_LINES + 1


def test_a_long_line_of_an_excerpt_is_cut():
    assert list(excerpt("x" * 10_000)) == [f"| {'x' * SHOWN_CHARACTERS} [...]"]


def test_what_tensorflow_says_by_itself_is_no_output_of_a_plugin():
    noise = (
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
        "I0000 00:00:1795890321.077211       2 port.cc:153] oneDNN custom operations are on.\n"
        "E0000 00:00:1795890335.109121       2 cuda_platform.cc:52] failed call to cuInit: x\n"
    )
    told: list[str] = []
    show_printed(told.append, "model.py")(noise)
    assert told == []
    show_printed(told.append, "model.py")(noise + "mine\n")
    assert told == ["model.py printed:", "| mine"]
