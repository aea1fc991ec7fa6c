"""A folder of a run: only its own files are touched, and one that was changed ends in a message."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from harness.errors import DataError, UsageError
from harness.trigger import reading
from harness.trigger.accept import run_trigger
from harness.trigger.folder import ACCEPTED, SECTIONS, STATE, begin, held, read_run
from harness.trigger.reading import read_all, read_sections
from harness.trigger.records import TriggerRun
from tests.trigger_streams import met_score, settings, source


def run(out: Path, **changes: object) -> TriggerRun:
    with held(out):
        return run_trigger([source("a.h5", 530)], settings(**changes), met_score, out)


def read(out: Path):
    state = read_run(out)
    return read_all(out, state), read_sections(out, state)


# --- what lies in the folder already ------------------------------------------------------------


@pytest.mark.parametrize("name", [ACCEPTED, SECTIONS, f"{STATE}.lock"])
def test_a_link_in_place_of_a_part_of_the_folder_is_refused(tmp_path, name):
    other = tmp_path / "other"
    other.mkdir()
    kept = other / "section-1.parquet.part"
    kept.write_text("of another")
    out = tmp_path / "out"
    out.mkdir()
    (out / name).symlink_to(kept if name.endswith("lock") else other)

    with pytest.raises(UsageError, match="it is a link"), held(out):
        begin(out, settings())

    assert kept.read_text() == "of another"


def test_only_what_a_killed_run_left_is_removed(tmp_path):
    run(tmp_path)
    own = [
        tmp_path / f"{STATE}.part",
        tmp_path / ACCEPTED / "section-7.parquet.part",
        tmp_path / SECTIONS / "section-7.parquet.part",
    ]
    foreign = [tmp_path / "thesis.part", tmp_path / ACCEPTED / "notes.part"]
    folder = tmp_path / "photos.part"
    folder.mkdir()
    foreign.append(folder / "one.jpg")
    for path in (*own, *foreign):
        path.write_text("x")

    run(tmp_path)

    assert not any(path.exists() for path in own)
    assert all(path.exists() for path in foreign)


def test_nothing_is_removed_before_the_state_is_accepted(tmp_path):
    run(tmp_path)
    part = tmp_path / ACCEPTED / "section-7.parquet.part"
    part.write_text("x")

    with pytest.raises(UsageError, match="another threshold"):
        run(tmp_path, threshold=61.0)

    assert part.exists()


def test_a_folder_or_a_link_of_the_name_of_such_a_file_is_left_and_named(tmp_path):
    (tmp_path / ACCEPTED / "section-7.parquet.part" / "deep").mkdir(parents=True)
    with pytest.raises(UsageError, match="it is no regular file"):
        run(tmp_path)
    assert (tmp_path / ACCEPTED / "section-7.parquet.part" / "deep").is_dir()


# --- a state that was changed -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_events", 10**400),
        ("n_kept", 2**63),
        ("last_section", 10**30),
        ("last_section", -1),
        ("gaps", [[1, 10**30]]),
        ("asked_share", 0),
    ],
)
def test_a_number_of_the_state_that_no_run_writes_is_refused(tmp_path, name, value):
    run(tmp_path)
    state = json.loads((tmp_path / STATE).read_text())
    (tmp_path / STATE).write_text(json.dumps({**state, name: value}))

    with pytest.raises(DataError, match=name) as raised:
        read_run(tmp_path)

    assert raised.value.problems[0].expected == "a folder that harness trigger wrote"


def test_a_prescale_that_no_float_holds_is_refused(tmp_path):
    run(tmp_path)
    state = json.loads((tmp_path / STATE).read_text())
    state["settings"]["prescale"] = 10**400
    (tmp_path / STATE).write_text(json.dumps(state))
    with pytest.raises(DataError, match="prescale"):
        read_run(tmp_path)


# --- files that were changed --------------------------------------------------------------------


def change(folder: Path, name: str, column: Callable[[int], pa.Array]) -> None:
    """Write another column, of so many rows, into the first file of a folder."""
    path = min(folder.glob("*.parquet"))
    table = parquet.read_table(path)
    at = table.schema.get_field_index(name)
    parquet.write_table(table.set_column(at, name, column(len(table))), path)


def lists(n_events: int, n_values: int, kind: pa.DataType | None = None) -> pa.Array:
    flat = pa.array(np.ones(n_events * n_values), kind or pa.float32())
    return pa.FixedSizeListArray.from_arrays(flat, n_values)


CHANGES = {
    "event is text": ("event", lambda n: pa.array(["x"] * n), "event is of string"),
    "shorter events": ("event", lambda n: lists(n, 56), "event is of fixed_size_list"),
    "float64": ("event", lambda n: lists(n, 57, pa.float64()), "event is of fixed_size_list"),
    "lists of any length": (
        "event",
        lambda n: pa.array([[1.0] * 57] * n, pa.list_(pa.float32())),
        "event is of list",
    ),
    "nan in events": (
        "event",
        lambda n: pa.FixedSizeListArray.from_arrays(
            pa.array(np.full(n * 57, np.nan), pa.float32()), 57
        ),
        "event is not finite",
    ),
    "nan score": ("score", lambda n: pa.array([np.nan] * n), "score is not finite"),
    "no score": ("score", lambda n: pa.array([None] * n, pa.float64()), "score is missing"),
    "unknown section": ("section", lambda n: pa.array([99] * n), "an event is of section 99"),
    "real sections": ("section", lambda n: pa.array([0.5] * n), "section is of double"),
    "plain text": ("source", lambda n: pa.array(["a.h5"] * n), "source is of string"),
    "no source": (
        "source",
        lambda n: pa.array([None] * n, pa.string()).dictionary_encode(),
        "source is missing",
    ),
    "a long source": (
        "source",
        lambda n: pa.array(["x" * 5_000, *["a.h5"] * (n - 1)]).dictionary_encode(),
        "a name of over 4,096 bytes",
    ),
    "bytes as text": (
        "source",
        lambda n: pa.array([b"\xff"] * n, pa.binary()).view(pa.string()).dictionary_encode(),
        "UTF8|utf-8",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_accepted_events_that_no_run_writes_are_refused(tmp_path, case):
    name, column, message = CHANGES[case]
    run(tmp_path)
    change(tmp_path / ACCEPTED, name, column)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("threshold", [np.nan] * 5, "threshold is not finite"),
        ("section", [0, 1, 2, 2, 4], "a section comes twice"),
        ("n_events", ["many"] * 5, "n_events is of string"),
    ],
)
def test_sections_that_no_run_writes_are_refused(tmp_path, name, values, message):
    run(tmp_path)
    change(tmp_path / SECTIONS, name, lambda _: pa.array(values))
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_a_section_that_was_removed_is_missed(tmp_path):
    """Its threshold, and its events, would not count."""
    state = run(tmp_path)
    min((tmp_path / SECTIONS).glob("*.parquet")).unlink()
    with pytest.raises(DataError, match="its files hold 1 sections"):
        read_sections(tmp_path, state)


def test_more_events_than_the_state_counts_are_refused_before_they_are_read(tmp_path, monkeypatch):
    state = run(tmp_path)
    path = min((tmp_path / ACCEPTED).glob("*.parquet"))
    table = parquet.read_table(path)
    parquet.write_table(pa.concat_tables([table, table]), path)
    monkeypatch.setattr(reading, "_accepted", lambda *_: pytest.fail("a row was read"))

    n_there = state.n_kept + len(table)
    with pytest.raises(DataError, match=f"its files hold {n_there} accepted events"):
        read_all(tmp_path, state)


def test_more_events_than_memory_holds_are_refused_before_they_are_read(tmp_path, monkeypatch):
    state = run(tmp_path)
    monkeypatch.setattr(reading, "_accepted", lambda *_: pytest.fail("a row was read"))
    n_bytes = state.n_kept * 57 * 4
    monkeypatch.setattr(reading, "_MAX_READ_BYTES", n_bytes - 1)

    with pytest.raises(DataError, match=r"accepted events, 0\.0 GB") as raised:
        read_all(tmp_path, state)

    assert "larger --prescale" in raised.value.problems[0].fix
    huge = state.model_copy(update={"n_sections": 2**62})
    with pytest.raises(DataError, match="sections"):
        read_sections(tmp_path, huge)


def test_equal_sources_are_one_text(tmp_path):
    """A table of fixed width would hold the longest name once for each event."""
    state = run(tmp_path)
    accepted, _ = read(tmp_path)
    assert accepted.sources.dtype == np.object_
    # One of each file.
    assert len({id(one) for one in accepted.sources}) == 2 < state.n_kept


def test_a_pipe_in_place_of_a_file_is_refused(tmp_path):
    run(tmp_path)
    pipe = tmp_path / ACCEPTED / "section-0000000000000000.parquet"
    pipe.unlink()
    os.mkfifo(pipe)
    # Held open, so that a reader that would wait for a writer goes on, and this test fails.
    descriptor = os.open(pipe, os.O_RDWR)
    try:
        with pytest.raises(DataError, match="is no regular file"):
            read(tmp_path)
    finally:
        os.close(descriptor)
