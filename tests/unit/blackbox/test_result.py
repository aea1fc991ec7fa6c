"""Result files: what is written is read, and every defect is told."""

from __future__ import annotations

import os

import h5py
import numpy as np
import pytest

from harness.blackbox import result as results
from harness.blackbox.box import Box
from harness.blackbox.reading import ATTRIBUTES, read_result
from harness.blackbox.result import ResultFile, check_result, read_result_file, write_result
from harness.errors import InvalidSubmissionError, UsageError
from harness.sandbox import Workspace, open_sandbox

EVERY_ID = np.arange(4_210_492)
DECLARED = {
    "FLOPs": 4105,
    "Device": "xcvu9p-flga2104-2-e",
    "Latency": 0.08,
    "DSP": 1.0,
    "LUT": 3.0,
    "FF": 2.0,
    "BRAM": 0.0,
}


def box(*, has_ids=True):
    """A box as large as the challenge's."""
    ids = EVERY_ID if has_ids else None
    n_events = len(EVERY_ID)
    return Box(title="BOX", n_events=n_events, working_point=1e-5, max_latency_us=1.0, ids=ids)


def a_result(ids, **declared):
    return ResultFile(
        team="team_x", ids=np.asarray(ids, np.int64), declared={**DECLARED, **declared}, remarks=()
    )


def read_here(path, tmp_path):
    """The step's own function, without a sandbox around it."""
    output = tmp_path / "ids"
    report = read_result({}, {"result": path}, {"ids": output})
    return report, np.frombuffer(output.read_bytes(), "<i8")


def written(path, ids=(3, 1, 2), *, dtype="<i8", declared=DECLARED, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("Result", data=np.asarray(ids, dtype), **options)
        for name, value in declared.items():
            file.attrs[name] = value
    return path


def test_what_is_written_is_read_in_the_sandbox(tmp_path):
    path = tmp_path / "team_x.h5"
    write_result(path, np.array([30, 10, 20]), DECLARED)
    folder = tmp_path / "step"
    folder.mkdir()

    found = read_result_file(path, Workspace(run_step=open_sandbox("bwrap").run, folder=folder))

    assert found.team == "team_x"
    assert found.ids.tolist() == [10, 20, 30]
    assert found.declared == DECLARED
    assert found.remarks == ()


def test_a_truncated_file_is_the_result_s_own_fault(tmp_path):
    path = written(tmp_path / "team_x.h5", np.zeros(10))
    path.write_bytes(path.read_bytes()[:-100])
    folder = tmp_path / "step"
    folder.mkdir()

    with pytest.raises(InvalidSubmissionError, match="HDF5 cannot read it") as caught:
        read_result_file(path, Workspace(run_step=open_sandbox("bwrap").run, folder=folder))
    assert str(path) in str(caught.value)


def test_attributes_of_the_dataset_count_too(tmp_path):
    path = tmp_path / "team_x.h5"
    with h5py.File(path, "w") as file:
        file["Result"] = np.array([1, 2])
        file["Result"].attrs["LUT"] = 3

    assert read_here(path, tmp_path)[0]["declared"] == {"LUT": 3}


def test_narrow_integers_are_read_and_remarked(tmp_path):
    report, ids = read_here(written(tmp_path / "x.h5", dtype="<u2"), tmp_path)

    assert ids.tolist() == [3, 1, 2]
    assert "uint16" in report["remarks"][0]


def test_what_else_is_in_the_file_is_named(tmp_path):
    path = written(tmp_path / "x.h5", declared={**DECLARED, "Score": 1})
    with h5py.File(path, "r+") as file:
        file["Scores"] = np.zeros(3)

    remarks = read_here(path, tmp_path)[0]["remarks"]

    assert any("Score" in remark and "attributes" in remark for remark in remarks)
    assert any("Scores" in remark and "contents" in remark for remark in remarks)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (b"xcvu9p", "xcvu9p"),
        (np.bytes_(b"\xff"), "\ufffd"),
        (np.array([7]), 7),
        (np.float32(0.5), 0.5),
        (np.nan, "nan"),
        ("x" * 10_000, "x" * 200),
    ],
)
def test_an_attribute_becomes_a_number_or_a_text(tmp_path, value, told):
    path = written(tmp_path / "x.h5", declared={"LUT": value})

    assert read_here(path, tmp_path)[0]["declared"] == {"LUT": told}


def test_an_attribute_of_another_kind_is_remarked(tmp_path):
    path = written(tmp_path / "x.h5", declared={"LUT": np.zeros((3, 3))})
    report, _ = read_here(path, tmp_path)

    assert report["declared"] == {}
    assert "LUT cannot be read" in report["remarks"][0]


# --- what an attacker may hand in ---------------------------------------------------------------


def soft_link(path, tmp_path):
    with h5py.File(path, "w") as file:
        file["ids"] = np.arange(3)
        file["Result"] = h5py.SoftLink("/ids")


def external_link(path, tmp_path):
    written(tmp_path / "secret.h5")
    with h5py.File(path, "w") as file:
        file["Result"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/Result")


def external_data(path, tmp_path):
    np.arange(3, dtype="<i8").tofile(tmp_path / "secret.raw")
    with h5py.File(path, "w") as file:
        file.create_dataset("Result", (3,), "<i8", external=str(tmp_path / "secret.raw"))


def virtual(path, tmp_path):
    written(tmp_path / "secret.h5")
    layout = h5py.VirtualLayout((3,), "<i8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "Result", (3,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("Result", layout)


def bomb(path, tmp_path):
    """80 GB of zeros in a file of some kilobytes."""
    with h5py.File(path, "w") as file:
        file.create_dataset("Result", (10**10,), "<i8", chunks=(1000,), compression="gzip")


def giant_chunk(path, tmp_path):
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "Result", (3,), "<i8", maxshape=(None,), chunks=(400_000_000,), compression="gzip"
        )


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (soft_link, "Result is a SoftLink"),
        (external_link, "Result is a ExternalLink"),
        (external_data, "keeps its data in another file"),
        (virtual, "virtual dataset"),
        (bomb, "lists 10,000,000,000 ids"),
        (giant_chunk, "a chunk of Result is 3,200,000,000 bytes"),
        (lambda p, _: written(p, [[1, 2]]), r"has the shape \(1, 2\)"),
        (lambda p, _: written(p, 5), r"has the shape \(\)"),
        (lambda p, _: written(p, [1.0, 2.0], dtype="<f8"), "holds float64"),
        (lambda p, _: written(p, ["a"], dtype="S1"), "holds"),
        (lambda p, _: written(p, [2**64 - 1], dtype="<u8"), "ids that fit into int64"),
        (lambda p, _: written(p, compression="lzf"), "packed by the filter 32000"),
        (lambda p, _: h5py.File(p, "w").close(), "no dataset Result; it holds nothing"),
        (lambda p, _: h5py.File(p, "w").create_group("Result").file.close(), "is a group"),
        (lambda p, _: p.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\xff" * 500), "HDF5 cannot read it"),
        (lambda p, _: p.write_bytes(b"EvtId\n1\n2\n"), "HDF5 cannot read it"),
    ],
)
def test_a_defect_is_told_and_nothing_is_read(tmp_path, make, told):
    path = tmp_path / "team_x.h5"
    make(path, tmp_path)

    with pytest.raises(InvalidSubmissionError, match=told):
        read_here(path, tmp_path)
    assert not (tmp_path / "ids").exists()


def test_without_the_guard_a_link_reads_another_file(tmp_path):
    """What the refusals of links are for."""
    path = tmp_path / "team_x.h5"
    for make in (external_link, external_data, virtual):
        make(path, tmp_path)
        with h5py.File(path) as file:
            assert len(file["Result"][()]) == 3


def no_step(step, folder):
    raise AssertionError("the file was opened")


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "empty", "large"])
def test_what_is_no_small_file_is_never_opened(tmp_path, monkeypatch, kind):
    path = tmp_path / "team_x.h5"
    if kind == "link":
        path.symlink_to(written(tmp_path / "other.h5"))
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "empty":
        path.touch()
    else:
        monkeypatch.setattr(results, "MAX_RESULT_BYTES", 100)
        written(path)

    with pytest.raises(InvalidSubmissionError):
        read_result_file(path, Workspace(run_step=no_step, folder=tmp_path))


def test_a_missing_file_is_the_command_s_fault(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        read_result_file(tmp_path / "none.h5", Workspace(run_step=no_step, folder=tmp_path))


# --- what is judged -----------------------------------------------------------------------------


def faults(result, other=None):
    return "\n".join(map(str, check_result(result, other or box()).faults))


def remarks(result, other=None):
    return "\n".join(check_result(result, other or box()).remarks)


def test_a_sound_result_has_no_fault_and_no_remark():
    check = check_result(a_result(range(42)), box())

    assert check.faults == ()
    assert check.remarks == ()


def test_a_list_like_the_real_entry_is_23_8_times_too_long():
    told = faults(a_result(range(1000)))

    assert "1,000 events, 23.8 times as many as are allowed" in told
    assert "at most 42: 1e-05 of 4,210,492" in told


def test_duplicates_unknown_ids_and_too_many_are_all_told():
    told = faults(a_result([*range(50), 3, 3, 7, -1, 4_210_492]))

    assert "names 55 events" in told
    assert "2 ids are named more than once: 3, 7" in told
    assert "2 ids are of no event of BOX: -1, 4210492" in told


def test_an_empty_list_is_a_fault():
    assert "it names no event" in faults(a_result([]))


def test_without_the_box_negative_ids_alone_are_known_to_be_wrong():
    other = box(has_ids=False)
    result = a_result([-5, 10**9])

    assert "1 ids are of no event of BOX: -5" in faults(result, other)
    assert "was not checked: the box is not here" in remarks(result, other)


def test_a_short_list_is_remarked():
    assert "4 of the 42 events" in remarks(a_result(range(4)))


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (dict.fromkeys(ATTRIBUTES, 0), "declared as 0, which no firmware is: FLOPs, Latency"),
        ({"Device": 0}, "Device is 0, not the name of a part"),
        ({"Latency": 500}, "Latency is 500 µs, over the challenge's limit of 1 µs"),
        ({"LUT": 101}, "LUT is 101 % of the device"),
        ({"DSP": -1}, "DSP is -1: negative"),
        ({"FF": "nan"}, "FF is 'nan', not a number"),
    ],
)
def test_declared_figures_that_can_not_be_are_remarked_and_no_fault(declared, told):
    result = a_result(range(42), **declared)

    assert told in remarks(result)
    assert faults(result) == ""


def test_what_is_not_declared_is_said():
    result = ResultFile(
        team="x", ids=np.arange(42), declared={"LUT": 1, "Device": "part"}, remarks=()
    )

    assert "not declared: FLOPs, Latency, DSP, FF, BRAM" in remarks(result)


def test_a_result_is_never_written_over(tmp_path):
    path = tmp_path / "team_x.h5"
    write_result(path, np.arange(3), DECLARED)
    with pytest.raises(UsageError, match="there already"):
        write_result(path, np.arange(4), DECLARED)
    assert [file.name for file in tmp_path.iterdir()] == ["team_x.h5"]
