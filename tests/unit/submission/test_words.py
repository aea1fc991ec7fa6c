"""Fixed-point words: hand-worked ranges, and events that a word cannot hold."""

from __future__ import annotations

import numpy as np
import pytest

from harness.submission.words import FixedPoint, overflow_of_words, parse_input_word, parse_word


@pytest.mark.parametrize(
    ("text", "lowest", "highest", "step"),
    [
        ("fixed<8,3>", -4.0, 3.96875, 0.03125),
        ("ufixed<12,10>", 0.0, 1023.75, 0.25),
        ("fixed<1,1>", -1.0, 0.0, 1.0),
        ("ufixed<1,-2>", 0.0, 0.125, 0.125),
        ("fixed<4,6>", -32.0, 28.0, 4.0),
    ],
)
def test_the_range_of_a_word(text, lowest, highest, step):
    word = parse_word(text)
    assert (word.lowest, word.highest, word.step) == (lowest, highest, step)
    assert str(word) == text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("ap_fixed<16,6>", "fixed<16,6>"),
        (" ap_ufixed< 16, -2 > ", "ufixed<16,-2>"),
        ("ap_int<8>", "fixed<8,8>"),
        ("uint<8>", "ufixed<8,8>"),
        ("ap_fixed<16,6,AP_TRN>", "fixed<16,6,TRN>"),
        ("ap_fixed<16, 6, AP_RND, AP_SAT_SYM>", "fixed<16,6,RND,SAT_SYM>"),
        ("ufixed<16,6,rnd,wrap,0>", "ufixed<16,6,RND,WRAP>"),
    ],
)
def test_words_are_read_as_hls4ml_and_vitis_write_them(text, same):
    assert str(parse_word(text)) == same
    assert parse_word(same) == parse_word(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ap_fixed<16,6,AP_RND_CONV>", "AP_RND_CONV is not built by this firmware"),
        ("ap_fixed<16,6,AP_RND,AP_SAT_ZERO>", "write AP_WRAP or AP_SAT or AP_SAT_SYM"),
        ("ap_fixed<16,6,AP_SAT>", "AP_SAT is no rounding mode: write AP_TRN or AP_RND"),
        ("ap_fixed<16,6,AP_RND,AP_SAT,2>", "only the number 0 may follow"),
        ("ap_fixed<16", "YAML cuts it at its comma"),
    ],
)
def test_what_the_firmware_cannot_build_is_refused_in_words(text, told):
    with pytest.raises(ValueError, match=told):
        parse_word(text)


@pytest.mark.parametrize("modes", ["AP_RND", "AP_TRN,AP_SAT"])
def test_an_input_is_cut_and_wraps_around(modes):
    assert parse_input_word("ap_fixed<8,3,AP_TRN,AP_WRAP>").lowest == -4.0
    with pytest.raises(ValueError, match="do not reach the chip"):
        parse_input_word(f"ap_fixed<8,3,{modes}>")


@pytest.mark.parametrize(
    "text",
    ["fixed<0,0>", "fixed<33,1>", "fixed<8>", "int8", "fixed<8,3>;", "", "int<8,8>", "fixed<,>"],
)
def test_what_is_no_word_is_refused(text):
    with pytest.raises(ValueError, match="no fixed-point type"):
        parse_word(text)


def test_events_outside_their_words_are_counted():
    events = np.zeros((10, 2, 3), np.float32)
    events[0, 0, 0] = 1023.99  # rounds down: inside
    events[1, 1, 0] = 1024.0
    events[2, 0, 1] = -4.0
    events[3, 0, 1] = -4.01
    events[3, 1, 2] = 9.0
    found = overflow_of_words(events, ["ufixed<12,10>", "fixed<8,3>", "fixed<8,3>"])
    assert (found.n_events, found.n_outside, found.share) == (10, 2, 0.2)
    np.testing.assert_allclose(found.share_by_input, [0, 0.1, 0, 0.1, 0, 0.1])


def test_words_may_be_given_by_input():
    events = np.full((4, 1, 2), 1.5, np.float32)
    found = overflow_of_words(events, [FixedPoint(4, 1, is_signed=False), parse_word("fixed<8,3>")])
    np.testing.assert_allclose(found.share_by_input, [0.0, 0.0])
    assert overflow_of_words(events, ["fixed<4,1>", "fixed<8,3>"]).share == 1.0


def test_no_event_overflows_nothing():
    assert overflow_of_words(np.zeros((0, 1, 3), np.float32), ["fixed<8,3>"]).share == 0.0
