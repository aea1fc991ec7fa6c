"""`harness data check cmsl1t FOLDER`: everything that is not as assumed, in one run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from harness.cli import cli
from harness.data.formats import compare_files
from harness.data.level1.comparing import Comparison
from harness.data.manifest import load_manifest
from harness.errors import DataError, ExitCode, UsageError
from tests.level1 import Rows, draw, small_challenge, small_rows, write_hub, write_zenodo

N_EVENTS = 60
RUN = "ZB_run396102"
WRITE = {"hub": write_hub, "zenodo": write_zenodo}


def compared(folder: Path, *several: Rows, layout: str = "hub") -> Comparison:
    """Compare data sets with what is assumed, but for the sizes of the real menus."""
    for rows in several:
        WRITE[layout](folder, rows)
    return compare_files(small_challenge(N_EVENTS, synthetic=True), folder)


@pytest.mark.parametrize("layout", list(WRITE))
def test_files_as_described_have_no_difference(tmp_path: Path, layout: str):
    found = compared(tmp_path, *small_rows(N_EVENTS), layout=layout)
    assert found.differences == ()
    assert found.layout == layout
    assert found.absent == ()
    assert found.n_events[RUN] == {"train": 60, "validation": 60, "test": 60}


def test_what_is_not_there_is_said_and_is_no_difference(tmp_path: Path):
    found = compared(tmp_path, draw(RUN, "test", N_EVENTS))
    assert found.differences == ()
    assert f"{RUN}/train" in found.absent
    assert "WtoTauto3Mu/test" in found.absent


def test_the_menus_of_the_release_have_178_and_158_algorithms_145_in_both(tmp_path: Path):
    for rows in small_rows(N_EVENTS, (RUN, "WtoTauto3Mu")):
        write_hub(tmp_path, rows)
    found = compare_files(small_challenge(N_EVENTS), tmp_path)
    said = {(one.where, one.found, one.expected) for one in found.differences}
    assert said == {
        (f"{RUN}, seeds", "4 algorithms", "178"),
        ("WtoTauto3Mu, seeds", "4 algorithms", "158"),
        ("seeds", "3 algorithms are in all menus", "145"),
    }


def several_jets(rows: Rows, values: list[int]) -> None:
    for branch in ("jetIEt", "jetIEta", "jetIPhi", "jetHwQual", "jetRawEt"):
        rows.columns[f"jets_{branch}"][7] = values if branch == "jetIEt" else [0] * len(values)


def mark(rows: Rows) -> None:
    rows.plain["order"][3] = -1


def saturate(rows: Rows) -> None:
    rows.columns["ET_Et"][3] = [4095]


def again(rows: Rows) -> None:
    rows.plain["order"][3] = rows.plain["order"][4]


def other_run(rows: Rows) -> None:
    rows.plain["run"][9] = 398183


def one_accepted(rows: Rows) -> None:
    rows.plain["L1bit"] = ~rows.plain["L1bit"]


FAULTS: dict[str, tuple[Callable[[Rows], object], str, str]] = {
    "order": (lambda r: several_jets(r, [5, 6]), "jets", "1 objects harder than the one before"),
    "longer": (lambda r: several_jets(r, [5] * 13), "jets", "1 longer lists"),
    "zero": (lambda r: several_jets(r, [5, 0]), "jets", "1 objects of code 0"),
    "code": (lambda r: several_jets(r, [2048]), "jetIEt", "codes 0 to 2048"),
    "angle": (lambda r: r.columns["MET_phi"].__setitem__(3, [144]), "MET, phi", "to 144"),
    "sum": (lambda r: r.columns["HT_Et"].__setitem__(3, []), "HT", "1 events without one"),
    "mark": (mark, "order", "1 events for which only one of order = -1"),
    "saturated": (saturate, "order", "1 events for which only one of order = -1"),
    "place": (again, "order", "a place is there twice"),
    "run": (other_run, "run", "[396102, 398183]"),
    "menu": (one_accepted, "seeds", "60 events in which L1bit is another"),
    "type": (lambda r: r.types.update(jets_jetIEt=pa.int32()), "jets_jetIEt", "int32"),
    "column": (
        lambda r: r.columns.update(jets_jetShape=[[1]] * N_EVENTS), "jets_jetShape",
        "a column of large_list",
    ),
    "less": (lambda r: r.columns.pop("taus_tauIso"), "taus_tauIso", "no such column"),
}  # fmt: skip


@pytest.mark.parametrize("fault", list(FAULTS))
def test_each_difference_is_reported_with_its_place(tmp_path: Path, fault: str):
    spoil, where, what = FAULTS[fault]
    rows = draw(RUN, "test", N_EVENTS)
    spoil(rows)
    found = compared(tmp_path, rows)
    assert any(where in one.where and what in one.found for one in found.differences), found


def test_all_differences_are_reported_in_one_run(tmp_path: Path):
    rows = draw(RUN, "test", N_EVENTS)
    several_jets(rows, [5, 6])
    mark(rows)
    other_run(rows)
    rows.columns.pop("taus_tauIso")
    rows.columns["HT_Et"][3] = [-4]
    found = compared(tmp_path, rows, draw("WtoTauto3Mu", "test", N_EVENTS + 1))
    said = " ".join(f"{one.where}: {one.found}\n" for one in found.differences)
    for words in ("harder than", "only one of order", "398183", "tauIso", "codes -4", "61 events"):
        assert words in said


def test_a_broken_file_does_not_hide_what_is_wrong_with_the_others(tmp_path: Path):
    for rows in small_rows(N_EVENTS, (RUN,)):
        write_zenodo(tmp_path, rows)
    test = tmp_path / "zerobias" / RUN / "test"
    (test / "taus/00000.parquet").write_bytes(b"nothing of the kind")
    path = test / "jets/00000.parquet"
    table = parquet.read_table(path)
    parquet.write_table(table.drop_columns(["jetHwQual"]), path)
    (tmp_path / "signal" / "New_Physics").mkdir(parents=True)
    found = compare_files(small_challenge(N_EVENTS, synthetic=True), tmp_path)
    said = " ".join(f"{one.where}: {one.found}\n" for one in found.differences)
    for words in ("it is no Parquet file", "jetHwQual", "New_Physics"):
        assert words in said


class TestCommand:
    def test_differences_end_with_the_exit_code_of_data(self, tmp_path: Path):
        write_hub(tmp_path, draw("WtoTauto3Mu", "test", N_EVENTS))
        command = ["data", "check", "cmsl1t", str(tmp_path)]
        done = CliRunner().invoke(cli, [*command, "--json"])
        document = json.loads(done.stdout)
        said = {(one["found"], one["expected"]) for one in document["differences"]}
        assert ("60 events", "39,998, by the manifest") in said
        assert isinstance(done.exception, DataError)
        assert done.exception.exit_code == ExitCode.ENVIRONMENT
        shown = CliRunner().invoke(cli, command).stdout
        assert "assumed" in shown

    def test_a_folder_without_data_sets_and_another_challenge_are_refused(self, tmp_path: Path):
        with pytest.raises(DataError, match="no data sets of the release"):
            compare_files(load_manifest().challenge("cmsl1t"), tmp_path)
        with pytest.raises(UsageError, match="adc2021 has no source"):
            compare_files(load_manifest().challenge("adc2021"), tmp_path)


def test_objects_in_an_event_are_measured(tmp_path: Path):
    rows = draw(RUN, "test", N_EVENTS)
    found = compared(tmp_path, rows)
    mean = np.mean([len(one) for one in rows.columns["jets_jetIEt"]])
    assert found.figures[f"{RUN}/test, jets: objects in an event"] == pytest.approx(mean)
