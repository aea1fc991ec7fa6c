"""The functions of `keras.ops` in a network: of fixed meaning, of one event, with a known cost."""

from __future__ import annotations

import numpy as np
import pytest

from harness.submission import network
from harness.submission.contract import check_network
from harness.submission.export import probe_events

network.load_keras()

import keras  # noqa: E402
from keras import ops  # noqa: E402

from harness.cost.operations import count_operations  # noqa: E402
from harness.cost.products import Products, count_products  # noqa: E402

EVENT_SHAPE = (19, 3)
# x has 57 values, u the same between -1 and 1, and p the same above 1.
ELEMENTWISE = {
    "NotEqual": lambda x, u, p: x != 0.0,
    "LogicalAnd": lambda x, u, p: ops.logical_and(x > 0, u < 0.5),
    "LogicalOr": lambda x, u, p: ops.logical_or(x > 0, u < 0.5),
    "LogicalXor": lambda x, u, p: ops.logical_xor(x > 0, u < 0.5),
    "LogicalNot": lambda x, u, p: ops.logical_not(x > 0),
    "Isfinite": lambda x, u, p: ops.isfinite(ops.log(x)),
    "Isinf": lambda x, u, p: ops.isinf(ops.log(x)),
    "Isnan": lambda x, u, p: ops.isnan(ops.log(x)),
    "Isneginf": lambda x, u, p: ops.isneginf(ops.log(x)),
    "Isposinf": lambda x, u, p: ops.isposinf(-ops.log(x)),
    "Signbit": lambda x, u, p: ops.signbit(u),
    "Select": lambda x, u, p: ops.select([x > 3, x > 0], [x, u], 0.0),
    "Digitize": lambda x, u, p: ops.digitize(x, np.float32([0.0, 1.0, 5.0])),
    "Mod": lambda x, u, p: ops.mod(x + np.pi, 2 * np.pi) - np.pi,
    "Fmod": lambda x, u, p: ops.fmod(x, 2.5),
    "FloorDivide": lambda x, u, p: x // 2.5,
    "Trunc": lambda x, u, p: ops.trunc(x),
    "Fabs": lambda x, u, p: ops.fabs(x),
    "Fmax": lambda x, u, p: ops.fmax(x, u),
    "Fmin": lambda x, u, p: ops.fmin(x, u),
    "Heaviside": lambda x, u, p: ops.heaviside(u, p),
    "NanToNum": lambda x, u, p: ops.nan_to_num(ops.log(x), nan=0.0, posinf=9.0, neginf=-9.0),
    "Hypot": lambda x, u, p: ops.hypot(x, u),
    "Cbrt": lambda x, u, p: ops.cbrt(p),
    "Logaddexp": lambda x, u, p: ops.logaddexp(u, x / 50),
    "Logaddexp2": lambda x, u, p: ops.logaddexp2(u, x / 50),
    "Sin": lambda x, u, p: ops.sin(x),
    "Cos": lambda x, u, p: ops.cos(x),
    "Tan": lambda x, u, p: ops.tan(u),
    "Arcsin": lambda x, u, p: ops.arcsin(u),
    "Arccos": lambda x, u, p: ops.arccos(u),
    "Arctan": lambda x, u, p: ops.arctan(x),
    "Arctan2": lambda x, u, p: ops.arctan2(x, p),
    "Sinh": lambda x, u, p: ops.sinh(u),
    "Cosh": lambda x, u, p: ops.cosh(u),
    "Arcsinh": lambda x, u, p: ops.arcsinh(x),
    "Arccosh": lambda x, u, p: ops.arccosh(p),
    "Arctanh": lambda x, u, p: ops.arctanh(u),
    "Sinc": lambda x, u, p: ops.sinc(u),
    "Deg2rad": lambda x, u, p: ops.deg2rad(x),
    "Rad2deg": lambda x, u, p: ops.rad2deg(u),
    "ZerosLike": lambda x, u, p: x + ops.zeros_like(x),
    "OnesLike": lambda x, u, p: x + ops.ones_like(x),
    "FullLike": lambda x, u, p: x + ops.full_like(x, 3.0),
    "HardShrink": lambda x, u, p: ops.hard_shrink(u),
    "SoftShrink": lambda x, u, p: ops.soft_shrink(u),
    "TanhShrink": lambda x, u, p: ops.tanh_shrink(u),
    "Threshold": lambda x, u, p: ops.threshold(u, 0.1, 0.0),
    "Squareplus": lambda x, u, p: ops.squareplus(u),
    "SparsePlus": lambda x, u, p: ops.sparse_plus(u),
    "SparseSigmoid": lambda x, u, p: ops.sparse_sigmoid(u),
    "Erfc": lambda x, u, p: ops.erfc(u),
    "Erfinv": lambda x, u, p: ops.erfinv(u * 0.9),
    "SaturateCast": lambda x, u, p: ops.saturate_cast(x, "int8"),
    "StopGradient": lambda x, u, p: ops.stop_gradient(x),
}
# Those that work along an axis; by default that of the 57 values.
ALONG_AN_AXIS = {
    "All": lambda x, axis: ops.all(x > -2, axis=axis, keepdims=True),
    "Any": lambda x, axis: ops.any(x > 100, axis=axis, keepdims=True),
    "CountNonzero": lambda x, axis: ops.expand_dims(ops.count_nonzero(x, axis=axis), -1),
    "Argmax": lambda x, axis: ops.argmax(x, axis=axis, keepdims=True),
    "Argmin": lambda x, axis: ops.argmin(x, axis=axis, keepdims=True),
    "Argsort": lambda x, axis: ops.argsort(x, axis=axis),
    "Sort": lambda x, axis: ops.sort(x, axis=axis),
    "Cumsum": lambda x, axis: ops.cumsum(x, axis=axis),
    "Cumprod": lambda x, axis: ops.cumprod(ops.tanh(x) + 1.5, axis=axis),
    "Diff": lambda x, axis: ops.diff(x, axis=axis),
    "Flip": lambda x, axis: ops.flip(x, axis=axis) * np.arange(57.0, dtype=np.float32),
    "Median": lambda x, axis: ops.median(x, axis=axis, keepdims=True),
    "Percentile": lambda x, axis: ops.percentile(x, 75.0, axis=axis, keepdims=True),
    "Ptp": lambda x, axis: ops.ptp(x, axis=axis, keepdims=True),
    "Quantile": lambda x, axis: ops.quantile(x, 0.9, axis=axis, keepdims=True),
    "Roll": lambda x, axis: ops.roll(x, 3, axis=axis) * np.arange(57.0, dtype=np.float32),
    "Split": lambda x, axis: ops.split(x, 3, axis=axis)[1],
    "TakeAlongAxis": lambda x, axis: ops.take_along_axis(x, ops.argsort(x)[:, :9], axis=axis),
    "Glu": lambda x, axis: ops.glu(x[:, :56], axis=axis),
    "Normalize": lambda x, axis: ops.normalize(x, axis=axis),
    "Sparsemax": lambda x, axis: ops.sparsemax(x, axis=axis)[:, :20],
    "Unstack": lambda x, axis: ops.unstack(x, num=57, axis=axis)[7][..., None],
    "Norm": lambda x, axis: ops.norm(x, axis=axis, keepdims=True),
    "TopK": lambda x, axis: ops.top_k(x if axis == -1 else ops.transpose(x), k=4)[0],
}
WITHOUT_COST = {"Cumprod", "Glu", "Normalize", "Sparsemax"}


def network_of(names: tuple[str, ...]) -> keras.Model:
    """Return a network whose score is the sum of what these operations give for an event."""
    x = keras.Input((57,), name="event")
    u = ops.tanh(x / 8.0) * 0.99
    arguments = (x, u, ops.absolute(x) + 1.5)
    values = [
        ELEMENTWISE[name](*arguments) if name in ELEMENTWISE else ALONG_AN_AXIS[name](x, -1)
        for name in names
    ]
    return summed(x, ops.concatenate([ops.cast(value, "float32") for value in values], axis=-1))


def summed(x, values) -> keras.Model:
    return keras.Model(x, ops.sum(values, axis=-1, keepdims=True))


def along(name: str, axis: int | None) -> keras.Model:
    x = keras.Input((57,), name="event")
    return summed(x, ops.cast(ALONG_AN_AXIS[name](x, axis), "float32"))


def classes_of(model: keras.Model) -> set[str]:
    return {type(operation).__name__ for operation in model.operations}


def scores(model: keras.Model, events: np.ndarray) -> np.ndarray:
    return np.asarray(model(events, training=False)).ravel()


COUNTED = [name for name in (*ELEMENTWISE, *ALONG_AN_AXIS) if name not in WITHOUT_COST]
GROUPS = [tuple(COUNTED[start : start + 16]) for start in range(0, len(COUNTED), 16)]


@pytest.mark.parametrize("names", [*GROUPS, tuple(sorted(WITHOUT_COST))])
def test_a_network_with_them_is_exported_scored_and_counted(names, tmp_path):
    model = network_of(names)
    assert set(names) <= classes_of(model)
    assert check_network(model, EVENT_SHAPE) == []
    files = tmp_path / "graph", tmp_path / "weights"
    network.export_network(model, *files)
    rebuilt = network.rebuild(*files)
    events = probe_events(EVENT_SHAPE).reshape(-1, 57)
    together = scores(rebuilt, events)
    np.testing.assert_array_equal(together, scores(model, events))
    assert np.isfinite(together).all()
    alone = np.concatenate([scores(rebuilt, event[None]) for event in events[:8]])
    np.testing.assert_allclose(together[:8], alone, rtol=1e-5, atol=1e-5)
    assert isinstance(count_operations(rebuilt).macs, int) == (names[0] not in WITHOUT_COST)


@pytest.mark.parametrize("axis", [0, None])
@pytest.mark.parametrize("name", ALONG_AN_AXIS)
def test_it_may_not_work_along_the_axis_of_the_batch(name, axis):
    try:
        model = along(name, axis)
    except (ValueError, TypeError, AttributeError, IndexError):
        # Keras itself does not build it.
        return
    problems = [problem.what for problem in check_network(model, EVENT_SHAPE)]
    assert any("events" in what for what in problems)


def test_the_axis_of_the_batch_is_found_where_it_was_moved_to():
    x = keras.Input((57,))
    turned = ops.transpose(ops.sort(ops.transpose(x), axis=-1))
    problem = check_network(summed(x, turned), EVENT_SHAPE)[0]
    assert "Transpose to the axes (1, 0) moves axis 0" in problem.what
    inner = keras.Input((57,))
    nested = keras.Model(inner, ops.flip(inner, axis=0))
    (problem,) = check_network(summed(x, nested(x)), EVENT_SHAPE)
    assert "Flip with axis=0 mixes events" in problem.what


def test_products_of_the_new_operations_are_counted_by_hand():
    x = keras.Input((57,))

    def products(values) -> Products:
        counted = count_products(keras.Model(x, values))
        assert isinstance(counted, Products)
        return counted

    bits = 32 * 32
    assert products(ops.mod(x, 3.0)) == Products(macs=2 * 57, bops=2 * 57 * bits)
    assert products(ops.mod(x, 4.0)) == Products()
    assert products(x // 3.0) == Products(macs=57, bops=57 * bits)
    assert products(ops.hypot(x, x + 1.0)) == Products(macs=2 * 57, bops=2 * 57 * bits)
    assert products(ops.norm(x, axis=-1)) == Products(macs=57, bops=57 * bits)
    assert products(ops.deg2rad(x)) == Products(macs=57, bops=57 * bits)
    assert products(ops.sort(ops.sin(x))) == Products()
