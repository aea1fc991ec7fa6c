"""Some rows of an event as the input of a network: the right ones, and wires alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness import heads
from harness.data.manifest import load_manifest
from harness.submission.network import load_keras
from tests.firmware_bench import export, make_firmware

SHAPES = [(50, 3), (150,), (50, 3, 1)]


def network(shape: tuple[int, ...], rows: tuple[int, ...] | None):
    """A sum of squares of the first four numbers of the rows that are taken."""
    load_keras()
    import keras

    inputs = keras.Input(shape)
    x = heads.input_words(inputs, ["ufixed<12,12>"])
    x = x if rows is None else heads.select(x, rows)
    x = x if len(x.shape) == 2 else keras.layers.Flatten()(x)
    return keras.Model(inputs, heads.sum_of_squares(heads.limit(x[:, :4], ["ufixed<4,4>"])))


def test_the_rows_are_met_4_muons_10_jets_and_all_egamma_and_taus():
    slots = load_manifest().challenge("cmsl1t").layout.slots
    first = {"met": 1, "muon": 4, "jet": 10, "egamma": 12, "tau": 12}
    expected = [row for kind, n in first.items() for row in range(50)[slots[kind]][:n]]
    assert list(heads.CMSL1T_ROWS) == expected
    assert len(expected) == 39


@pytest.mark.parametrize("shape", SHAPES)
def test_it_takes_the_rows_in_their_order(shape: tuple[int, ...]):
    load_keras()
    import keras

    inputs = keras.Input(shape)
    rows = (46, 0, 1, 7, 6)
    model = keras.Model(inputs, heads.select(inputs, rows))
    events = np.random.default_rng(1).integers(0, 99, (7, 50, 3)).astype(np.float32)
    found = np.asarray(model(events.reshape(7, *shape)))
    np.testing.assert_array_equal(found.reshape(7, 5, 3), events[:, rows])
    assert found.ndim == len(shape) + 1


@pytest.mark.parametrize("rows", [(), (50,), (-1, 3)])
def test_rows_that_are_not_there_are_refused(rows: tuple[int, ...]):
    load_keras()
    import keras

    with pytest.raises(ValueError, match="select: rows"):
        heads.select(keras.Input((50, 3)), rows)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_costs_no_logic(tmp_path: Path, shape: tuple[int, ...]):
    plain = _cost(network((39, 3), None), tmp_path / "plain")
    assert plain > 0
    assert _cost(network(shape, heads.CMSL1T_ROWS), tmp_path / "chosen") == plain


@pytest.mark.slow
def test_the_netlist_has_as_many_lut_as_without_it(tmp_path: Path):
    found = []
    for name, model in (
        ("plain", network((39, 3), None)),
        ("chosen", network((50, 3), heads.CMSL1T_ROWS)),
    ):
        made = make_firmware(export(model, tmp_path / name), None, tmp_path / f"{name}-firmware")
        found.append(made.report)
    assert found[0].lut == found[1].lut


def _cost(model, folder: Path) -> float:
    from harness.firmware.translate.tracing import trace_program
    from harness.submission.network import rebuild

    return trace_program(rebuild(*export(model, folder))).cost
