"""Files written in the challenge's layout are read back, and look as the challenge's do."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from harness.challenge import EventLayout, ObjectGroup
from harness.data import hdf5
from harness.data.hdf5_writer import class_names, write_events
from harness.errors import EnvironmentFaultError
from tests.events import LAYOUT, make_events, with_classes


def test_what_is_written_is_read_back(tmp_path):
    events = make_events(5000)
    path = tmp_path / "events.h5"

    # Chunks of odd sizes: the file's own are 4,096 events.
    write_events(path, LAYOUT, np.array_split(events, 7), n_events=5000, has_ids=True)

    assert hdf5.count_events(path, LAYOUT) == 5000
    read = np.concatenate([chunk for chunk, _ in hdf5.read_chunks(path, LAYOUT)])
    np.testing.assert_array_equal(read, events)
    np.testing.assert_array_equal(hdf5.read_ids(path, 5000), np.arange(5000))


def test_names_and_classes_are_those_of_the_challenge(tmp_path):
    events = make_events(10)
    path = tmp_path / "events.h5"
    write_events(path, LAYOUT, [events], n_events=10)

    with h5py.File(path) as file:
        assert file["Particles"].dtype == np.float64
        np.testing.assert_array_equal(file["Particles"][()], with_classes(events))
        assert list(file["Particles_Names"][()]) == [b"Pt", b"Eta", b"Phi", b"Class"]
        assert list(file["Particles_Classes"][()]) == [
            b"MET_class_1",
            b"Four_Ele_class_2",
            b"Four_Mu_class_3",
            b"Ten_Jet_class_4",
        ]
        assert "EvtId" not in file


def test_equal_events_give_equal_bytes_however_they_were_cut(tmp_path):
    events = make_events(9000)
    for name, n_parts in (("one.h5", 1), ("other.h5", 5)):
        parts = np.array_split(events, n_parts)
        attributes = {"made_by": "test"}
        write_events(tmp_path / name, LAYOUT, parts, n_events=9000, attributes=attributes)

    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "other.h5").read_bytes()
    with h5py.File(tmp_path / "one.h5") as file:
        assert dict(file.attrs) == {"made_by": "test"}


def test_other_objects_have_classes_too():
    layout = EventLayout(objects=(ObjectGroup(name="tau", n_slots=5),))

    assert class_names(layout) == ["5_Tau_class_1"]


def test_a_failure_leaves_nothing_behind(tmp_path):
    with pytest.raises(ValueError, match="10 events were given, 11 announced"):
        write_events(tmp_path / "events.h5", LAYOUT, [make_events(10)], n_events=11)

    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_as_one(tmp_path):
    with pytest.raises(EnvironmentFaultError, match="free"):
        write_events(tmp_path / "events.h5", LAYOUT, [], n_events=10**12)


def test_ids_that_stand_twice_are_refused(tmp_path):
    path = tmp_path / "events.h5"
    write_events(path, LAYOUT, [make_events(4)], n_events=4, has_ids=True)
    with h5py.File(path, "r+") as file:
        file["EvtId"][2] = 1

    with pytest.raises(hdf5.DataError, match="EvtId is there twice"):
        hdf5.read_ids(path, 4)
