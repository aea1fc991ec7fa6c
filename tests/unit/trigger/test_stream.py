"""Events of a stream come from HDF5, Parquet and the cache; what is wrong with them is said."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pandas as pd
import pytest

from harness.challenge import Condition
from harness.data import hdf5
from harness.data.manifest import load_manifest
from harness.errors import DataError, HarnessError, UsageError
from harness.trigger.stream import Following, sources_of, varied
from tests.events import LAYOUT, make_events, write_hdf5

MANIFEST = load_manifest()
SAMPLE = MANIFEST.challenge("sample")


def opened(*named, **options):
    return list(sources_of([str(one) for one in named], SAMPLE, MANIFEST, **options))


def read(source):
    pieces = list(source.read())
    sections = [piece.sections for piece in pieces]
    return (
        np.concatenate([np.asarray(piece.events) for piece in pieces]),
        np.concatenate([piece.rows for piece in pieces]),
        None if sections[0] is None else np.concatenate(sections),
    )


def write_parquet(path, events, **columns):
    names = [f"{feature}_{slot}" for slot in range(19) for feature in ("pt", "eta", "phi")]
    frame = pd.DataFrame(events.reshape(len(events), -1), columns=names)
    frame.assign(**columns).to_parquet(path)


def test_hdf5_and_parquet_give_the_same_events_rows_and_sections(tmp_path):
    events, sections = make_events(30), np.repeat([4, 5, 9], 10)
    write_hdf5(tmp_path / "a.h5", events)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["lumi_section"] = sections
    write_parquet(tmp_path / "b.parquet", events, lumi_section=sections)

    for source in opened(tmp_path):
        assert source.has_sections
        found, rows, numbers = read(source)
        np.testing.assert_array_equal(found, events)
        np.testing.assert_array_equal(rows, np.arange(30))
        np.testing.assert_array_equal(numbers, sections)


def test_hdf5_and_parquet_say_the_pile_up_where_they_have_it(tmp_path):
    events, pile_up = make_events(30), np.linspace(20.0, 70.0, 30)
    write_hdf5(tmp_path / "a.h5", events)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["nPV"] = pile_up
    write_parquet(tmp_path / "b.parquet", events, nPV=pile_up)
    write_parquet(tmp_path / "c.parquet", events)
    npv = Condition(name="npv", title="Pile-up", column="nPV", edges=(30.0, 45.0, 60.0))
    rules = SAMPLE.model_copy(update={"conditions": (npv,)})

    *both, without = sources_of([str(tmp_path)], rules, MANIFEST)

    for source in both:
        assert source.conditions == (npv,)
        found = np.concatenate([piece.part(0, 99).beside["npv"] for piece in source.read()])
        np.testing.assert_array_equal(found, pile_up)
    assert without.conditions == ()
    assert next(iter(without.read())).beside == {}


def test_a_file_without_sections_has_none_and_one_that_is_named_must_be_there(tmp_path):
    write_hdf5(tmp_path / "a.h5", make_events(5))

    (source,) = opened(tmp_path / "a.h5")

    assert not source.has_sections
    with pytest.raises(DataError, match="has no run_section"):
        opened(tmp_path / "a.h5", column="run_section")


def test_a_section_that_is_no_whole_number_is_named_with_its_event(tmp_path):
    write_parquet(tmp_path / "a.parquet", make_events(3), lumi_section=[1.0, 1.5, 2.0])
    (source,) = opened(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"lumi_section is 1\.5") as raised:
        read(source)
    assert "event 2" in raised.value.problems[0].where


def test_nan_and_another_layout_are_refused(tmp_path):
    broken = make_events(4)
    broken[2, 0, 0] = np.nan
    write_parquet(tmp_path / "nan.parquet", broken)
    frame = pd.DataFrame(make_events(4)[:, :3].reshape(4, 9))
    frame.columns = [f"{feature}_{slot}" for slot in range(3) for feature in ("pt", "eta", "phi")]
    frame.to_parquet(tmp_path / "small.parquet")
    with h5py.File(tmp_path / "small.h5", "w") as file:
        file["Particles"] = make_events(4)[:, :5]

    with pytest.raises(DataError, match="pt_0 is missing or not a number"):
        read(opened(tmp_path / "nan.parquet")[0])
    with pytest.raises(DataError, match="3 objects"):
        read(opened(tmp_path / "small.parquet")[0])
    with pytest.raises(DataError):
        read(opened(tmp_path / "small.h5")[0])


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("nowhere.h5", "no such file"),
        ("sample:higgs", "no process higgs"),
        ("sample:background@testing", "unknown part"),
        ("lhco-sample:background", "laid out otherwise"),
    ],
)
def test_a_source_that_is_none_is_named(named, message):
    with pytest.raises(HarnessError, match=message):
        opened(named)


def test_an_empty_folder_and_a_file_that_is_followed_are_refused(tmp_path):
    with pytest.raises(DataError, match="no files of events"):
        opened(tmp_path)
    write_hdf5(tmp_path / "a.h5", make_events(5))
    with pytest.raises(UsageError, match="only a folder can be followed"):
        opened(tmp_path / "a.h5", following=Following(idle_s=1.0))


def test_a_folder_that_grows_is_followed_until_nothing_comes(tmp_path):
    write_hdf5(tmp_path / "spare.h5", make_events(5))
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(tmp_path / "spare.h5", folder / "01.h5")
    now, coming = 0.0, {5.0: "02.h5", 9.0: "03.h5"}

    def sleep(seconds):
        nonlocal now
        now += seconds
        for moment in [one for one in coming if one <= now]:
            shutil.copy(tmp_path / "spare.h5", folder / coming.pop(moment))

    following = Following(idle_s=8.0, sleep=sleep, clock=lambda: now)
    names = [source.name for source in opened(folder, following=following)]

    assert [name[-5:] for name in names] == ["01.h5", "02.h5", "03.h5"]
    assert now < 25.0


def test_a_file_that_comes_late_is_refused(tmp_path):
    write_hdf5(tmp_path / "spare.h5", make_events(5))
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(tmp_path / "spare.h5", folder / "05.h5")
    now = 0.0

    def sleep(seconds):
        nonlocal now
        now += seconds
        if not (folder / "03.h5").exists():
            shutil.copy(tmp_path / "spare.h5", folder / "03.h5")

    following = Following(idle_s=5.0, sleep=sleep, clock=lambda: now)
    with pytest.raises(DataError, match=r"came after 05\.h5"):
        opened(folder, following=following)


def test_a_whole_file_waits_for_an_earlier_one_that_still_grows(tmp_path):
    """The first file is written for longer than a quiet folder is waited for."""
    write_hdf5(tmp_path / "spare.h5", make_events(5))
    content = (tmp_path / "spare.h5").read_bytes()
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "01.h5").write_bytes(content[:100])
    shutil.copy(tmp_path / "spare.h5", folder / "02.h5")
    now = 0.0

    def sleep(seconds):
        nonlocal now
        now += seconds
        if now < 6.0:
            with (folder / "01.h5").open("ab") as file:
                file.write(b"\0")
        elif (folder / "01.h5").read_bytes() != content:
            (folder / "01.h5").write_bytes(content)

    following = Following(idle_s=3.0, sleep=sleep, clock=lambda: now)
    names = [source.name for source in opened(folder, following=following)]

    assert [name[-5:] for name in names] == ["01.h5", "02.h5"]
    assert now < 15.0


def test_sections_are_read_beside_the_events_and_not_before_them(tmp_path, monkeypatch):
    """They come in chunks of their own."""
    events, n_given = make_events(30), 0
    write_hdf5(tmp_path / "a.h5", events)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["lumi_section"] = np.arange(30)

    def chunks_of_events(*_):
        yield from ((events[first : first + 10], None) for first in (0, 10, 20))

    def chunks_of_sections(*_):
        nonlocal n_given
        for first in range(0, 30, 6):
            n_given += 6
            yield np.arange(first, first + 6, dtype=np.float64)

    monkeypatch.setattr(hdf5, "read_chunks", chunks_of_events)
    monkeypatch.setattr(hdf5, "read_condition", chunks_of_sections)
    (source,) = opened(tmp_path / "a.h5")
    found, given = [], []
    for piece in source.read():
        found += piece.sections.tolist()
        given.append(n_given)

    assert found == list(range(30))
    assert given == [12, 24, 30]


def test_a_section_that_is_no_number_is_named_by_its_place_in_the_file(tmp_path, monkeypatch):
    values = np.arange(30.0)
    values[25] = 0.5
    events = make_events(30)
    write_hdf5(tmp_path / "a.h5", events)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["lumi_section"] = values
    pieces = [(events[:20], None), (events[20:], None)]
    monkeypatch.setattr(hdf5, "read_chunks", lambda *_: iter(pieces))

    with pytest.raises(DataError, match=r"lumi_section is 0\.5") as raised:
        read(opened(tmp_path / "a.h5")[0])

    assert raised.value.problems[0].where.endswith("event 26")


def test_a_varied_source_keeps_its_rows_and_says_what_passes_the_preselection(tmp_path):
    write_hdf5(tmp_path / "a.h5", make_events(400))
    (nominal,) = opened(tmp_path / "a.h5")
    changed = varied(nominal, "jet_scale_up", SAMPLE)

    (piece,), (before,) = list(changed.read()), list(nominal.read())

    np.testing.assert_array_equal(piece.rows, before.rows)
    assert piece.is_selected is not None
    assert 0 < piece.is_selected.sum() < 400
    assert (np.asarray(piece.events)[:, 9, 0] >= np.asarray(before.events)[:, 9, 0]).all()
    with pytest.raises(UsageError, match="no variation 'earthquake'"):
        varied(nominal, "earthquake", SAMPLE)


def test_layout_of_the_toys_is_that_of_the_sample():
    assert SAMPLE.layout.shape == LAYOUT.shape
