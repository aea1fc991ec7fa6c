"""Bits of columns become bits of events, as NumPy packs them."""

from __future__ import annotations

import numpy as np
import pytest

from harness.data.beside import Algorithms
from harness.data.level1.bits import transpose_bits


@pytest.mark.parametrize("n_columns", [1, 7, 8, 9, 178])
@pytest.mark.parametrize("n_events", [1, 8, 13, 1000])
def test_it_packs_as_numpy_does(n_columns: int, n_events: int):
    table = np.random.default_rng(n_columns * n_events).random((n_events, n_columns)) < 0.3
    columns = [np.packbits(column, bitorder="little") for column in table.T]
    found = transpose_bits(columns, n_events)
    np.testing.assert_array_equal(found, np.packbits(table, axis=1))


def test_some_of_packed_algorithms_are_those_of_plain_ones():
    table = np.random.default_rng(3).random((20, 11)) < 0.5
    names = tuple(f"a{number}" for number in range(11))
    packed = Algorithms(names=names, chunks=[np.packbits(table, axis=1)], is_packed=True)
    (found,) = packed.only(["a9", "a0"]).chunks
    np.testing.assert_array_equal(found, table[:, [9, 0]])
