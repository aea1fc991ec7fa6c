"""Tables of pandas become events; what is not such a table is refused with a reason."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from harness.challenge import Challenge, ConstituentLayout, DataFile, TableColumns
from harness.data import pandas_hdf5
from harness.data.events import open_store
from harness.data.fetch import fetch
from harness.data.formats import file_format
from harness.data.pandas_hdf5 import pickled_strings
from harness.errors import DataError, EnvironmentFaultError, HarnessError
from tests.data.pandas_hdf5.make import N_CONSTITUENTS, N_EVENTS, events, momenta
from tests.events import make_challenge

FILES = Path(__file__).parents[2] / "data" / "pandas_hdf5"
LABELS = np.arange(N_EVENTS) % 3 == 2
FIXED = TableColumns(n_constituents=N_CONSTITUENTS, label=18, widths=(18, 19))
TOPS = TableColumns(
    coordinates="e_px_py_pz", n_constituents=N_CONSTITUENTS, first="E_0", label="is_signal_new",
    widths=(30,),
)  # fmt: skip


def data_file(name: str, process: str = "background", label: int | None = None) -> DataFile:
    role = "background" if process == "background" else "signal"
    return DataFile(name=name, role=role, process=process, title=process, label=label)


def challenge_of(columns: TableColumns, *files: DataFile, n_kept: int = 6) -> Challenge:
    stated = make_challenge([data_file("any.h5")]).model_dump(exclude_unset=True)
    layout = ConstituentLayout(n_constituents=n_kept)
    changed = {"layout": layout, "columns": columns, "files": files}
    return Challenge.model_validate({**stated, **changed})


def read(challenge: Challenge, path: Path) -> np.ndarray:
    piece = challenge.files[0]
    source = file_format(challenge).open(challenge, piece, piece, path, "sha256:" + "0" * 64)
    found = np.concatenate([chunk for chunk, _ in source.chunks])
    assert len(found) == source.n_events
    return found


def write_fixed(path: Path, values: np.ndarray) -> Path:
    """Write a table as pandas does, without its compression."""
    with h5py.File(path, "w") as file:
        file.create_group("df").attrs["pandas_type"] = np.bytes_(b"frame")
        file["df/axis0"] = file["df/block0_items"] = np.arange(values.shape[1])
        file["df/block0_values"] = values
    return path


@pytest.mark.parametrize(("name", "columns"), [("fixed.h5", FIXED), ("table.h5", TOPS)])
def test_the_processes_of_one_file_come_apart_by_its_label(
    name: str, columns: TableColumns, tmp_path: Path
) -> None:
    both = data_file(name, label=0), data_file(name, "x", label=1)
    challenge = challenge_of(columns, *both)
    fetch(challenge, root=tmp_path, source_folder=FILES, trust_first_use=True)
    store = open_store(challenge, tmp_path)
    for process, is_of in (("background", ~LABELS), ("x", LABELS)):
        found, expected = np.asarray(store.events(process)), events()[is_of]
        # Momenta in float32 give them back to about 1e-6 (pT of 1,000 GeV and angles of 2).
        assert found == pytest.approx(expected, rel=2e-6, abs=2e-6)
    assert store.n_events("x") == LABELS.sum()


def test_another_label_in_the_manifest_reads_the_file_again(tmp_path: Path) -> None:
    for label, n_events in ((0, 8), (1, 4)):
        challenge = challenge_of(FIXED, data_file("fixed.h5", label=label))
        fetch(challenge, root=tmp_path, source_folder=FILES, trust_first_use=True)
        assert open_store(challenge, tmp_path).n_events("background") == n_events


def test_a_layout_keeps_the_hardest_constituents() -> None:
    challenge = challenge_of(FIXED, data_file("fixed.h5", label=0), n_kept=4)
    found = read(challenge, FILES / "fixed.h5")
    assert np.array_equal(found, events()[~LABELS][:, :4].astype(np.float32))


def test_a_file_without_truth_is_read_where_no_label_is_stated() -> None:
    challenge = challenge_of(FIXED, data_file("no_truth.h5"))
    assert np.array_equal(read(challenge, FILES / "no_truth.h5"), events().astype(np.float32))


def test_unsorted_constituents_are_put_in_order_where_the_manifest_says_so(tmp_path: Path) -> None:
    mixed = events()
    mixed[3, :2] = mixed[3, 1::-1]
    path = write_fixed(tmp_path / "x.h5", mixed.reshape(N_EVENTS, -1))
    sorting = FIXED.model_copy(update={"sort_by_pt": True})
    found = read(challenge_of(sorting, data_file("x.h5")), path)
    assert np.array_equal(found, events().astype(np.float32))


@pytest.mark.parametrize(
    ("change", "label", "what"),
    [
        (lambda flat: flat[:, :-1], None, "17 columns"),
        (lambda flat: flat, 1, "no column 18"),
        (lambda flat: np.column_stack([flat, np.full(N_EVENTS, 0.5)]), 1, "label of an event is"),
        (lambda flat: np.column_stack([flat, np.full(N_EVENTS, 2)]), 1, "label of an event is 2"),
        (lambda flat: np.column_stack([flat, np.zeros(N_EVENTS)]), 1, "no event has 1"),
        (lambda flat: flat * (np.arange(N_EVENTS) != 4)[:, None], None, "no constituents"),
        (lambda flat: flat[:, [3, 4, 5, 0, 1, 2, *range(6, 18)]], None, "pT rises"),
        (lambda flat: flat[:0], None, "is empty"),
    ],
)
def test_another_file_is_refused(change, label: int | None, what: str, tmp_path: Path) -> None:
    path = write_fixed(tmp_path / "x.h5", change(events().reshape(N_EVENTS, -1)))
    files = [data_file("x.h5", label=label)]
    if label is not None:
        files.append(data_file("x.h5", "other", label=0))
    with pytest.raises(DataError, match=what):
        read(challenge_of(FIXED, *files), path)


@pytest.mark.parametrize(
    ("energy", "what"), [(-1.0, "is negative"), (0.5, "below the momentum"), (1.0, None)]
)
def test_momenta_have_masses_that_are_real(energy: float, what: str | None, tmp_path: Path) -> None:
    stated = momenta(events())
    stated[3, 1, 0] *= energy
    path = write_fixed(tmp_path / "x.h5", stated.reshape(N_EVENTS, -1))
    columns = TableColumns(coordinates="e_px_py_pz", n_constituents=N_CONSTITUENTS, widths=(24,))
    challenge = challenge_of(columns, data_file("x.h5"))
    if what is None:
        assert len(read(challenge, path)) == N_EVENTS
        return
    with pytest.raises(DataError, match=what):
        read(challenge, path)


def test_a_file_of_features_alone_is_refused_by_its_width() -> None:
    with pytest.raises(DataError, match="3 columns"):
        read(challenge_of(FIXED, data_file("features.h5")), FILES / "features.h5")


def test_a_missing_filter_is_named_with_the_extra_that_has_it(monkeypatch) -> None:
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: code != 32001)
    with pytest.raises(EnvironmentFaultError, match=r"filter 32001") as caught:
        read(challenge_of(FIXED, data_file("fixed.h5", label=0)), FILES / "fixed.h5")
    assert "hdf5-filters" in str(caught.value)


@pytest.mark.parametrize("protocol", range(6))
def test_names_are_read_of_a_pickle_that_is_never_loaded(protocol: int, monkeypatch) -> None:
    content = pickle.dumps(["ttv", "is_signal_new"], protocol=protocol)
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("it was unpickled"))
    assert pickled_strings(content) == ("ttv", "is_signal_new")


class _Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("executed",)


@pytest.mark.parametrize(
    "content", [pickle.dumps(["a", _Attack()]), b"", b"\x80", None, b"(lp0\nVa\n", 3.0]
)
def test_a_pickle_of_anything_else_gives_no_names(content: object, capsys) -> None:
    assert pickled_strings(content) is None
    assert not capsys.readouterr().out


def test_columns_without_names_are_found_by_their_place(monkeypatch) -> None:
    monkeypatch.setattr(pandas_hdf5, "_strings", lambda *_: None)
    by_place = TOPS.model_copy(update={"first": 0, "label": 29})
    challenge = challenge_of(by_place, data_file("table.h5", label=1))
    assert len(read(challenge, FILES / "table.h5")) == LABELS.sum()
    with pytest.raises(DataError, match="no column E_0"):
        read(challenge_of(TOPS, data_file("table.h5")), FILES / "table.h5")


@pytest.mark.parametrize("what", ["external link", "two tables", "text"])
def test_a_table_is_one_and_in_the_file_itself(what: str, tmp_path: Path) -> None:
    path = write_fixed(tmp_path / "x.h5", events().reshape(N_EVENTS, -1))
    with h5py.File(path, "a") as file:
        if what == "external link":
            del file["df"]
            file["df"] = h5py.ExternalLink(str(FILES / "fixed.h5"), "/df")
        elif what == "two tables":
            file.copy("df", "other")
        else:
            del file["df/block0_values"]
            file["df/block0_values"] = np.full((N_EVENTS, 18), b"x")
    with pytest.raises(HarnessError):
        read(challenge_of(FIXED, data_file("x.h5")), path)


@pytest.mark.parametrize(
    ("changes", "files", "what"),
    [
        ({"label": None}, [data_file("a.h5", label=0)], "no columns.label"),
        ({}, [data_file("a.h5", label=0), data_file("a.h5", "x")], "once with a label"),
        ({"widths": (17,)}, [data_file("a.h5")], "18 columns"),
        ({"n_constituents": 5}, [data_file("a.h5")], "more constituents"),
    ],
)
def test_a_manifest_that_does_not_fit_together_is_refused(changes, files, what: str) -> None:
    stated = challenge_of(FIXED, data_file("a.h5")).model_dump()
    columns = {**FIXED.model_dump(), **changes}
    with pytest.raises(ValueError, match=what):
        Challenge.model_validate({**stated, "files": files, "columns": columns})
