"""Features computed from constituents, compared with a published table of the same rows."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from harness.challenge import Challenge, ConstituentLayout, DataFile, TableColumns
from harness.data.feature_tables import paired_features
from harness.data.formats import compare_files
from harness.errors import DataError
from harness.jets import DIJET_FEATURES, dijet_features, dijet_mass, jet_momentum, leading_jets
from tests.events import make_challenge

N_EVENTS, N_CONSTITUENTS = 40, 30
EVENTS, FEATURES = "events.h5", "events.features.h5"


def dijets() -> np.ndarray:
    """Two back-to-back bunches of 15 constituents; pT, eta, phi by falling pT."""
    generator = np.random.default_rng(3)
    pt = generator.exponential(80.0, (N_EVENTS, 2, 15)) + 1.0
    eta = generator.normal(0.0, 1.0, (N_EVENTS, 2, 1)) + generator.normal(0, 0.15, pt.shape)
    phi = np.array([-1.5, 1.5])[:, None] + generator.normal(0, 0.15, pt.shape)
    flat = np.stack([pt, eta, phi], axis=-1).reshape(N_EVENTS, 30, 3)
    order = np.argsort(-flat[..., 0], axis=1)
    return np.take_along_axis(flat, order[..., None], axis=1)


def challenge() -> Challenge:
    files = [
        DataFile(name=EVENTS, role="background", process="background", title="QCD", label=0),
        DataFile(name=EVENTS, role="signal", process="x", title="X", label=1),
    ]
    columns = TableColumns(
        n_constituents=N_CONSTITUENTS, label=90, widths=(91,), features={EVENTS: FEATURES}
    )
    stated = make_challenge(
        [DataFile(name="any.h5", role="background", process="background", title="any")]
    ).model_dump(exclude_unset=True)
    layout = ConstituentLayout(n_constituents=20)
    changed = {"layout": layout, "columns": columns, "files": files}
    return Challenge.model_validate({**stated, **changed})


def write_table(path: Path, values: np.ndarray, names: list[str] | None = None) -> None:
    """Write a table of pandas in the fixed format."""
    with h5py.File(path, "w") as file:
        file.create_group("df").attrs["pandas_type"] = np.bytes_(b"frame")
        axis = np.arange(values.shape[1]) if names is None else np.array(names, "S12")
        file["df/axis0"] = file["df/block0_items"] = axis
        file["df/block0_values"] = values


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table of constituents and one of features, laid out as the public files are."""
    events, labels = dijets(), np.arange(N_EVENTS) % 4 == 0
    write_table(tmp_path / EVENTS, np.column_stack([events.reshape(N_EVENTS, -1), labels]))
    # Published tau is not divided by the pT of the jet.
    features = dijet_features(events)
    features[:, 4:7] *= 1000.0
    names = [*DIJET_FEATURES, "label"]
    write_table(tmp_path / FEATURES, np.column_stack([features, labels]), names)
    return tmp_path


def test_the_two_jets_hold_all_constituents_of_the_two_bunches() -> None:
    events = dijets()
    first, second = leading_jets(events)
    assert ((first[..., 0] > 0).sum(axis=1) == 15).all()
    assert (np.diff(first[..., 0], axis=1) <= 0).all()
    features = dijet_features(events)
    together = jet_momentum(events)
    sums = features[:, 0:3] + features[:, 7:10]
    assert sums == pytest.approx(together[:, 1:], rel=1e-6, abs=1e-6)
    leading = np.hypot(features[:, 0], features[:, 1])
    assert (leading >= np.hypot(features[:, 7], features[:, 8])).all()
    mass = np.sqrt(together[:, 0] ** 2 - (together[:, 1:] ** 2).sum(axis=1))
    assert dijet_mass(features) == pytest.approx(mass, rel=1e-6)
    assert (features[:, 4] > features[:, 5]).all()
    assert second.shape[0] == N_EVENTS


def test_an_event_without_jets_has_zeros() -> None:
    events = dijets()[:3]
    events[1] = 0.0
    events[2, 1:] = 0.0
    features = dijet_features(events)
    assert (features[1] == 0).all()
    assert features[2, 0] != 0
    assert (features[2, 7:] == 0).all()


def test_the_same_jets_agree_and_tau_is_reported_with_its_scale(folder: Path) -> None:
    found = compare_files(challenge(), folder)
    assert not found.differences
    assert found.n_events == {"background": {"test": 30}, "x": {"test": 10}}
    assert found.figures[f"{FEATURES}: mj1, share within 1 %"] == 1.0
    assert found.figures[f"{FEATURES}: tau2j1, median of published / computed"] == pytest.approx(
        1e3
    )
    assert found.figures[f"{FEATURES}: tau2j1, correlation"] == pytest.approx(1.0)


def test_features_of_other_rows_are_a_difference(folder: Path) -> None:
    with h5py.File(folder / FEATURES, "a") as file:
        file["df/block0_values"][...] = file["df/block0_values"][()][::-1]
    wrong = {one.where for one in compare_files(challenge(), folder).differences}
    assert f"{FEATURES}: pxj1" in wrong


@pytest.mark.parametrize("what", ["other rows", "few columns", "no truth"])
def test_what_does_not_fit_is_named(folder: Path, what: str) -> None:
    name = EVENTS if what == "no truth" else FEATURES
    with h5py.File(folder / name) as file:
        values = file["df/block0_values"][()]
    if what == "other rows":
        write_table(folder / name, values[:-1])
    else:
        write_table(folder / name, values[:, :5] if what == "few columns" else values[:, :-1])
    found = compare_files(challenge(), folder).differences
    words = {"other rows": "39 rows", "few columns": "no column", "no truth": "90 columns"}
    assert any(words[what] in one.found for one in found)


def test_columns_without_names_are_taken_in_their_order(folder: Path) -> None:
    with h5py.File(folder / FEATURES) as file:
        values = file["df/block0_values"][()]
    write_table(folder / FEATURES, values)
    computed, published = paired_features(
        challenge(), folder / EVENTS, folder / FEATURES, n_rows=10
    )
    assert published[:, :4] == pytest.approx(computed[:, :4], rel=1e-6, abs=1e-6)


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of the files"):
        compare_files(challenge(), tmp_path)
