"""Inputs as the wires carry them, and pipelines that compute what their program does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import IntegrityError
from harness.firmware.delays import CLOCK_TO_Q_NS, adder_ns
from harness.firmware.translate.pipeline import (
    balance,
    layer_cycles,
    make_pipeline,
    plan_depth,
    plan_stages,
)
from harness.firmware.translate.program import (
    input_formats,
    load_program,
    output_format,
    pack_words,
    quantise_inputs,
)
from harness.submission.words import FixedPoint
from tests.firmware_bench import every_pair, plain_events

WORDS = st.builds(FixedPoint, st.integers(1, 20), st.integers(-4, 18), is_signed=st.booleans())


def wrapped(value: float, word: FixedPoint) -> int:
    """Round down and wrap one value, by Python's integers."""
    whole = int(np.floor(value / word.step)) & ((1 << word.width) - 1)
    return whole - (1 << word.width) if word.is_signed and whole >> (word.width - 1) else whole


@given(st.lists(st.tuples(st.floats(-1e6, 1e6, width=32), WORDS), min_size=1, max_size=5))
def test_inputs_are_cut_and_wrapped_like_bits(pairs):
    values, words = zip(*pairs, strict=True)

    got = quantise_inputs(np.array([values], np.float32), words)

    assert got[0].tolist() == [
        wrapped(float(np.float32(value)), word) for value, word in zip(values, words, strict=True)
    ]


def test_an_input_far_beyond_a_signed_word_keeps_its_lowest_bits():
    """Of 2^60 they are 0: the lowest value of a word is no part of its remainder."""
    far = np.array([[2.0**60, -(2.0**60), 2.0**60 + 2.0**37]], np.float32)

    got = quantise_inputs(far, [FixedPoint(8, 8), FixedPoint(8, 8), FixedPoint(38, 38)])

    assert got.tolist() == [[0, 0, -(2**37)]]


@given(st.lists(st.tuples(st.integers(0, 2**20), WORDS), min_size=1, max_size=12))
def test_packed_words_hold_each_input_where_the_port_has_it(pairs):
    words = [word for _, word in pairs]
    integers = [wrapped(value * word.step, word) for value, word in pairs]

    packed = pack_words(np.array([integers], np.int64), words)[0]

    port = sum(int(word) << (32 * index) for index, word in enumerate(packed))
    for integer, word in zip(integers, words, strict=True):
        assert port & ((1 << word.width) - 1) == integer & ((1 << word.width) - 1)
        port >>= word.width
    assert port == 0


def test_an_unused_input_takes_no_bit():
    words = [FixedPoint(3, 3, is_signed=False), FixedPoint(0, 0, is_signed=False)]

    packed = pack_words(quantise_inputs(np.array([[5, 9]], np.float32), words), words)

    assert packed.tolist() == [[5]]


def test_one_adder_is_planned_into_one_stage_of_its_own_delay(tiny_program):
    plan = plan_stages(tiny_program, logic_ns=5.0)

    assert plan.n_stages == 1
    # 2 a + b: the sum has five bits, of which the carry runs over two blocks of four.
    assert plan.logic_ns == pytest.approx(CLOCK_TO_Q_NS + adder_ns(5))


def test_an_operation_slower_than_the_clock_still_gets_a_stage(tiny_program):
    plan = plan_stages(tiny_program, logic_ns=0.1)

    assert plan.logic_ns > 0.1
    assert plan.n_stages <= 2


def test_a_shorter_clock_makes_more_stages_of_less_logic(small_program):
    plans = [balance(small_program, limit) for limit in (6.0, 3.0, 1.5, 0.8)]

    assert [plan.n_stages for plan in plans] == sorted(plan.n_stages for plan in plans)
    assert plans[0].n_stages < plans[-1].n_stages
    for plan, limit in zip(plans[:3], (6.0, 3.0, 1.5), strict=True):
        assert plan.logic_ns <= max(limit, plan_stages(small_program, 0.01).logic_ns)


def test_balancing_takes_no_more_stages_and_no_more_time(small_program):
    for limit in (1.2, 2.0, 3.3):
        plain, balanced = plan_stages(small_program, limit), balance(small_program, limit)

        assert balanced.n_stages <= plain.n_stages
        assert balanced.logic_ns <= plain.logic_ns + 1e-9


def test_a_pipeline_of_a_chosen_depth_is_the_fastest_of_at_most_so_many_stages(small_program):
    plans = {n_stages: plan_depth(small_program, n_stages) for n_stages in (1, 2, 4, 100)}

    assert [plans[n_stages].n_stages for n_stages in (1, 2, 4)] == [1, 2, 4]
    delays = [plan.logic_ns for plan in plans.values()]
    assert delays == sorted(delays, reverse=True)
    # More stages than that would leave the slowest operation as slow as it is.
    assert plans[100].n_stages < 20
    assert delays[-1] == pytest.approx(plan_stages(small_program, 0.01).logic_ns)


@pytest.mark.parametrize("limit", [0.6, 1.5, 3.0, 20.0])
def test_a_pipeline_computes_what_its_program_does(small_program, limit):
    events = plain_events(40, 6)
    expected = small_program.predict(events).ravel()
    pipeline = make_pipeline(small_program, balance(small_program, limit))

    got = [float(pipeline(list(map(float, event)), quantize=True)[0]) for event in events]

    np.testing.assert_array_equal(got, expected)


def test_formats_are_those_of_the_words(tiny_program):
    assert input_formats(tiny_program) == (FixedPoint(3, 3, is_signed=False),) * 2
    form = output_format(tiny_program)
    # 2 * 7 + 7 = 21 needs five bits.
    assert form.width - form.is_signed == 5
    assert tiny_program.predict(every_pair()).ravel().max() == 21


@pytest.mark.parametrize("limit", [0.8, 2.0, 9.0])
def test_the_cycles_of_the_layers_add_up_to_the_latency(small, limit):
    from harness.firmware.translate.tracing import trace_layers
    from harness.submission.network import rebuild

    traced = trace_layers(rebuild(*small))
    plan = balance(traced.program, limit)

    cycles = layer_cycles(traced.by_layer, traced.layers, plan)

    assert sum(cycles.values()) == pytest.approx(plan.n_stages + 1)
    assert min(cycles.values()) >= 0
    assert list(cycles)[:3] == ["words", "hidden", "mu"]
    # Two dense layers are sums; cutting the inputs to their words is wiring.
    assert cycles["words"] == 0
    assert cycles["hidden"] > 0


# --- Files that are no program ------------------------------------------------------------------


def with_op(number: int, **changes: int):
    """Return what changes an operation of a program; the last is the sum of the two inputs."""

    def change(program):
        ops = list(program.ops)
        ops[number] = ops[number]._replace(**changes)
        return program._replace(ops=ops)

    return change


BROKEN = {
    "an input that is not there": with_op(0, id0=2),
    "an input below 0": with_op(0, id0=-1),
    "a value below 0": with_op(-1, id0=-2),
    "a second value below 0": with_op(-1, id1=-1),
    "a later value": with_op(-1, id0=9),
    "itself": with_op(-1, id1=2),
    "a choice by a value below 0": with_op(-1, opcode=6, data=-1),
    "a choice by itself": with_op(-1, opcode=-6, data=2),
    "a table that is not there": with_op(-1, opcode=8, data=0),
    "a score that is not there": lambda program: program._replace(out_idxs=[3]),
    "no score": lambda program: program._replace(out_idxs=[]),
    "too few shifts": lambda program: program._replace(inp_shifts=[0]),
    "text for a place": lambda program: program._replace(out_idxs=["2"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_program_that_reads_what_does_not_exist_is_refused(name, tiny_program, tmp_path):
    path = tmp_path / "program.json"
    assert len(tiny_program.ops) == 3
    BROKEN[name](tiny_program).save(path)

    with pytest.raises(IntegrityError, match="cannot be read"):
        load_program(path)


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1, 2]", "null", "\xff", "[" * 100_000])
def test_a_file_that_is_no_program_is_refused(text, tmp_path):
    path = tmp_path / "program.json"
    path.write_text(text, encoding="latin-1")

    with pytest.raises(IntegrityError, match="cannot be read"):
        load_program(path)


def test_a_program_is_read_as_it_was_written(small_program, tmp_path):
    path = tmp_path / "program.json"
    small_program.save(path)

    assert load_program(path).ops == small_program.ops
