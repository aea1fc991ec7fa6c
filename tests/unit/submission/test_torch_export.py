"""Weights find the part of a PyTorch model that they belong to; no PyTorch is needed to see it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from harness.submission.torch_export import find_owner


@dataclass
class Module:
    """Stands for a module of PyTorch: names of its own weights, and parts."""

    own: tuple[str, ...] = ()
    parts: dict[str, Module] = field(default_factory=dict)

    def state_dict(self) -> dict[str, int]:
        inner = {f"{n}.{k}" for n, part in self.parts.items() for k in part.state_dict()}
        return dict.fromkeys((*self.own, *sorted(inner)), 0)

    def parameters(self):
        """All but constants."""
        yield from (name for name in self.state_dict() if not name.endswith("scale"))

    def named_modules(self):
        yield "", self
        for name, part in self.parts.items():
            for inner, module in part.named_modules():
                yield f"{name}.{inner}".strip("."), module


ENCODER = Module(own=("weight", "bias"))
TRAINED = Module(parts={"encoder": ENCODER, "decoder": Module(own=("weight",))})
SCORE = Module(own=("scale",), parts={"network": TRAINED})
NAMES = ["encoder.weight", "encoder.bias", "decoder.weight"]


@pytest.mark.parametrize("before", ["", "module.", "_orig_mod.", "module._orig_mod.", "model."])
def test_weights_of_the_trained_network_go_into_the_part_that_it_is(before):
    state = {before + name: number for number, name in enumerate(NAMES)}

    owner, found = find_owner(SCORE, state)

    assert owner is TRAINED
    assert found == dict(zip(NAMES, range(3)))


def test_weights_of_the_whole_model_stay_as_they_are():
    state = dict.fromkeys(SCORE.state_dict(), 1)

    assert find_owner(SCORE, state) == (SCORE, state)


@pytest.mark.parametrize("names", [NAMES[:2], [*NAMES, "more"], ["a.b"], []])
def test_weights_of_another_network_are_left_to_pytorch_to_refuse(names):
    state = dict.fromkeys(names, 1)

    owner, found = find_owner(SCORE, state)

    assert owner is SCORE
    assert found is state
