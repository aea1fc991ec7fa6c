"""A table's address has the range in which its function changes."""

from __future__ import annotations

import pytest

from harness.firmware.translate.tables import address_word, coarse_tables
from harness.submission.network import load_keras
from harness.submission.words import parse_word
from tests.firmware_bench import fixed

load_keras()
import keras  # noqa: E402
from hgq.layers import QUnaryFunctionLUT  # noqa: E402


@pytest.mark.parametrize(
    ("function", "word", "expected"),
    [
        # Within half a step, 1/32, of 1 from ln(31) = 3.4 on; a step of 1/16 needs 7 bits for +-4.
        ("sigmoid", "fixed<16,12>", "fixed<7,3>"),
        # Half a step is 1/512: atanh(511/512) = 3.47, and 10 bits for +-4 leave 7 of fraction.
        ("tanh", "fixed<16,8>", "fixed<10,3>"),
        # -1 and 1 are its ends.
        ("hard_tanh", "fixed<16,8>", "fixed<10,2>"),
        # It leaves the word of the entries, 2048, at ln(2048) = 7.6.
        ("exponential", "fixed<16,12>", "fixed<8,4>"),
        # Without a sign only the positive end counts.
        ("sigmoid", "ufixed<12,8>", "ufixed<6,2>"),
        # It never stops to rise.
        ("softplus", "fixed<16,12>", "fixed<10,12>"),
        # A word that is short already stays.
        ("softplus", "fixed<8,4>", "fixed<8,4>"),
        ("elu", "fixed<8,0>", "fixed<8,0>"),
        # A word that wraps keeps its range: what lies beyond a shorter one would come back in.
        ("sigmoid", "fixed<16,12,RND,WRAP>", "fixed<10,12,RND,WRAP>"),
        ("exponential", "fixed<16,12,TRN,WRAP>", "fixed<10,12,TRN,WRAP>"),
    ],
)
def test_the_address_covers_where_the_function_changes(function, word, expected):
    parsed = parse_word(word)

    assert str(address_word(keras.activations.get(function), parsed, parsed)) == expected


def table_of(function: str, width: int, integer: int, output: tuple[int, int] = (10, 2)):
    return QUnaryFunctionLUT(
        function,
        iq_conf=fixed(width, integer, is_signed=True, place="datalane"),
        oq_conf=fixed(*output, is_signed=True, place="table"),
        allow_heterogeneous_table=False,
        enable_ebops=False,
        name="bent",
    )


@pytest.mark.parametrize(
    ("function", "word", "is_told"),
    [("tanh", (10, 8), True), ("tanh", (10, 3), False), ("gelu", (10, 3), False)],
)
def test_a_chosen_word_is_told_only_where_a_better_one_exists(function, word, is_told):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, table_of(function, *word)(inputs))

    assert bool([*coarse_tables(model, None)]) == is_told


def test_what_an_address_loses_of_the_declared_word_is_told():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, table_of("softplus", 10, 8, (16, 8))(inputs))

    (warning,) = coarse_tables(model, parse_word("fixed<20,8>"))

    assert "the table of layer 'bent' (softplus) reads its input in steps of 0.25" in warning
    assert "activations are fixed<20,8>" in warning
    # The declared word has no finer steps itself.
    assert [*coarse_tables(model, parse_word("fixed<10,8>"))] == []
