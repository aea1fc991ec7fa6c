"""Layers have names of their own while a network is translated, and the participant's before."""

from __future__ import annotations

import re

import pytest

from harness.firmware.translate.names import OwnNames, number_tensors, plain_names
from harness.submission.network import load_keras
from tests.firmware_bench import fixed

load_keras()
import keras  # noqa: E402
from hgq.layers import QDense  # noqa: E402

NAMES = ("float", "1.b", "a-b", "a.b", "a_b", "A_b", "clk", "x" * 128, "---")


@pytest.fixture
def model():
    keras.utils.clear_session()
    x = inputs = keras.Input((2,), name="keras_tensor_1")
    for name in NAMES:
        x = QDense(2, iq_conf=fixed(4, 2, place="datalane"), enable_ebops=False, name=name)(x)
    return keras.Model(inputs, keras.ops.square(x))


def names_in(model) -> list[str]:
    return [part.name for part in (*model.operations, *model._flatten_layers(include_self=False))]


def test_every_name_is_plain_and_no_other_layers_and_all_come_back(model):
    before = names_in(model)

    own = OwnNames.of(model)
    with plain_names(model):
        within = [operation.name for operation in model.operations]
        assert len(set(within)) == len(within)
        assert all(re.fullmatch(r"l\d+_[a-z0-9_]{0,24}", name) for name in within)
        assert all(re.fullmatch(r"l\d+_\w*", name) for name in names_in(model))
        place = within.index(next(name for name in within if name.endswith("_1_b")))
        assert own.restore(f"at {within[place]}_relu, in l99_x and nl1_x") == (
            "at 1.b, in l99_x and nl1_x"
        )

    assert names_in(model) == before


def test_names_come_back_after_a_failure(model):
    before = names_in(model)

    with pytest.raises(KeyError), plain_names(model):
        raise KeyError

    assert names_in(model) == before


def test_no_two_tensors_share_a_name(model):
    tensors = [
        t for operation in model.operations for n in operation._inbound_nodes for t in n.outputs
    ]
    assert len({tensor.name for tensor in tensors}) < len(tensors), "nothing to mend"

    number_tensors(model)

    assert len({tensor.name for tensor in tensors}) == len(tensors)
