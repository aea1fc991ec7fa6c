"""Tables of any format become the same events; what is broken is refused with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from harness.challenge import EventLayout
from harness.data import hdf5, importing
from harness.data.importing import ImportedEvents, ImportRequest, import_events
from harness.data.manifest import load_manifest
from harness.data.tables import arrays, text
from harness.data.tables.opening import opened_table
from harness.data.tables.source import Source
from harness.errors import DataError, HarnessError, UsageError
from harness.scoring.own_challenge import OwnRules, choose_working_point, import_challenge

FEATURES = ("amplitude", "x", "y", "time")
N_BACKGROUND, N_SIGNAL = 40, 12
LABELS = np.array(["noise"] * N_BACKGROUND + ["Burst (long)"] * N_SIGNAL)


def made_events() -> np.ndarray:
    """Events of three signed objects, background first; the last object is often missing."""
    generator = np.random.default_rng(5)
    events = generator.normal(size=(N_BACKGROUND + N_SIGNAL, 3, 4)).astype(np.float32)
    events[::2, 2] = 0.0
    return events


EVENTS = made_events()


def frame(order: str = "objects") -> pd.DataFrame:
    """A table of named columns, object by object or feature by feature, with one too many."""
    names = [f"{feature}_{slot}" for slot in range(3) for feature in FEATURES]
    table = pd.DataFrame(EVENTS.reshape(-1, 12).astype(float), columns=names)
    if order == "features":
        table = table[[f"{feature}_{slot}" for feature in FEATURES for slot in range(3)]]
    return table.assign(label=LABELS, event_id=range(len(EVENTS)))


def csv_file(folder: Path) -> Path:
    frame().to_csv(folder / "all.csv", index=False)
    return folder / "all.csv"


def german_csv(folder: Path) -> Path:
    frame("features").to_csv(folder / "all.csv", index=False, sep=";", encoding="utf-8-sig")
    return folder / "all.csv"


def packed_csv(folder: Path) -> Path:
    frame().to_csv(folder / "all.csv.gz", index=False)
    return folder / "all.csv.gz"


def parquet_file(folder: Path) -> Path:
    frame("features").to_parquet(folder / "all.parquet")
    return folder / "all.parquet"


def hdf5_file(folder: Path) -> str:
    with h5py.File(folder / "all.h5", "w") as file:
        file["run/events"] = EVENTS
        file["label"] = LABELS.astype("S")
        file["other"] = np.arange(3)
    return f"{folder / 'all.h5'}:run/events"


def npz_file(folder: Path) -> str:
    np.savez_compressed(folder / "all.npz", events=np.asfortranarray(EVENTS), label=LABELS)
    return f"{folder / 'all.npz'}:events"


def structured_file(folder: Path) -> Path:
    table = frame().to_records(index=False)
    kinds = [(name, "U12" if name == "label" else table.dtype[name]) for name in table.dtype.names]
    np.save(folder / "all.npy", table.astype(kinds))
    return folder / "all.npy"


FORMATS = [*(csv_file, german_csv, packed_csv, parquet_file, hdf5_file, npz_file, structured_file)]


def events_in(folder: Path, found: ImportedEvents) -> dict[str, np.ndarray]:
    """Read the files as `harness fetch` does."""
    read = {}
    for one in found.processes:
        path = folder / one.name
        assert hdf5.count_events(path, found.layout) == one.n_events
        (chunk,) = hdf5.read_chunks(path, found.layout)
        read[one.process] = chunk[0]
    return read


def imported(source: Path | str, folder: Path, **changes: object) -> dict[str, np.ndarray]:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    request = ImportRequest(sources=(Source.of(str(source)),), **changes)
    return events_in(out, import_events(request, out))


@pytest.mark.parametrize("write", FORMATS)
def test_every_format_gives_the_same_events(
    tmp_path: Path, write: Callable[[Path], Path | str]
) -> None:
    found = imported(
        write(tmp_path), tmp_path, class_column="label", background_class="noise", features=FEATURES
    )
    assert list(found) == ["background", "burst_long"]
    assert np.array_equal(found["background"], EVENTS[:N_BACKGROUND])
    assert np.array_equal(found["burst_long"], EVENTS[N_BACKGROUND:])
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {"background.h5", "burst_long.h5"}


@pytest.mark.parametrize(("column", "place"), [("-1", 4), ("0", 0)])
def test_a_file_without_names_has_the_class_in_a_numbered_column(
    tmp_path: Path, column: str, place: int
) -> None:
    table = np.insert(EVENTS[:, 0], place, np.arange(len(EVENTS)) >= N_BACKGROUND, axis=1)
    np.save(tmp_path / "all.npy", table)
    np.savetxt(tmp_path / "all.csv", table, delimiter=",", fmt="%.9g")
    for name in ("all.npy", "all.csv"):
        found = imported(tmp_path / name, tmp_path, class_column=column)
        assert list(found) == ["background", "class1"]
        assert np.array_equal(found["background"][:, 0], EVENTS[:N_BACKGROUND, 0])


def test_flat_rows_and_objects_are_the_same_and_each_process_may_have_its_file(
    tmp_path: Path,
) -> None:
    np.save(tmp_path / "flat.npy", EVENTS[:N_BACKGROUND].reshape(-1, 12).astype(float))
    np.save(tmp_path / "burst.npy", EVENTS[N_BACKGROUND:])
    found = imported(
        tmp_path / "flat.npy",
        tmp_path,
        signals={"burst": Source.of(str(tmp_path / "burst.npy"))},
        features=FEATURES,
        objects={"trigger": 1, "hit": 2},
    )
    assert np.array_equal(found["background"], EVENTS[:N_BACKGROUND])
    assert np.array_equal(found["burst"], EVENTS[N_BACKGROUND:])


def write(path: Path, content: str | np.ndarray) -> Path:
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        np.save(path, content, allow_pickle=True)
    return path


NAN = np.array([[1.0, 2.0], [3.0, np.nan]])
BROKEN = [
    ("ragged.csv", "a,b\n1,2\n3\n", "Row #3: Expected 2 columns, got 1"),
    ("empty.csv", "", "its first line is empty"),
    ("header.csv", "a,b\n", "it holds no events"),
    ("text.csv", "a,b\n1,2\n3,x\n", "Row #3: CSV conversion error to double: invalid value 'x'"),
    ("gap.csv", "a,b\n1,2\n3,\n", "event 2: b is missing or not a number"),
    ("twice.csv", "a,a\n1,2\n", "a column is there twice: a"),
    ("case.csv", "pT,pt\n1,2\n", "the columns pT and pt are one feature, pt"),
    ("wide.csv", ",".join(["1"] * 16_386) + "\n", "an event has 16,385 numbers"),
    ("bytes.csv", "a,b\n1,\udcff\n", ""),
    ("nan.npy", NAN, "event 2: column 2 is missing or not a number"),
    ("inf.npy", np.array([[1.0, 1e300]]), "column 2 is 1e+300"),
    ("pickle.npy", np.array([{}, 1], object), "Python objects"),
    ("text.npy", np.array([["a", "b"]]), "the array holds <U1"),
    ("line.npy", np.zeros(5), "it has the shape (5,)"),
    ("none.npy", np.zeros((0, 4)), "it holds no events"),
    ("wide.npy", np.zeros((1, 200, 200)), "an event has 40,000 numbers"),
    ("negative.csv", "pt,x\n-1,2\n", "pt = -1.0 is a negative pT"),
    ("name.csv", "a,()\n1,2\n", "'()' is no name"),
    ("cut.npz", "PK\x03\x04", "is no whole .npz file"),
    ("cut.parquet", "PAR1", "is not readable"),
    ("cut.csv.gz", "\x1f\x8b", "is not readable"),
    ("cut.h5", "HDF", "it is no HDF5 file"),
]


@pytest.mark.parametrize(("name", "content", "what"), BROKEN, ids=[one[0] for one in BROKEN])
def test_a_broken_table_is_refused_with_its_place(
    tmp_path: Path, name: str, content: str | np.ndarray, what: str
) -> None:
    path = tmp_path / name
    if isinstance(content, str):
        path.write_bytes(
            content.encode("latin-1", errors="replace")
            if "cut" in name
            else content.encode("utf-8", errors="surrogateescape")
        )
    else:
        write(path, content)
    signal = write(tmp_path / "signal.npy", np.zeros((3, 2)))
    request = ImportRequest(sources=(Source.of(str(path)),), signals={"s": Source.of(str(signal))})
    with pytest.raises(DataError) as caught:
        import_challenge(request, OwnRules(name="own"), tmp_path / "out")
    assert what in str(caught.value)
    (problem,) = caught.value.problems
    assert name in problem.where or problem.where.startswith("background, event 0")
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([name, "signal.npy"])


WRONG = [
    ({"class_column": "kind"}, "there is no column kind", "label"),
    ({"class_column": "label", "background_class": "qcd"}, "no class qcd", "Burst (long), noise"),
    ({"class_column": "label"}, "no class is background", "noise"),
    ({"class_column": "event_id", "features": FEATURES}, "more than 100 classes", "right column"),
    ({"features": ("amplitude", "z")}, "there is no column for z beside amplitude_0", "x_0"),
    ({"features": ("Amplitude",)}, "'Amplitude' is no name", "lower case"),
    ({"features": ("x", "x")}, "--features has x twice", ""),
    ({"features": FEATURES, "objects": {"hit": 4}}, "--objects has 4 slots, an event has 3", ""),
    ({"features": FEATURES}, "there is no signal", "--signal NAME=FILE"),
    (
        {
            "class_column": "label",
            "background_class": "noise",
            "features": FEATURES,
            "hidden": frozenset({"z"}),
        },
        "no signal z to hide",
        "burst_long",
    ),
]


@pytest.mark.parametrize(("changes", "what", "more"), WRONG, ids=[one[1] for one in WRONG])
def test_what_is_not_there_is_named_with_what_is(
    tmp_path: Path, changes: dict[str, object], what: str, more: str
) -> None:
    table = pd.concat([frame()] * 3).assign(event_id=range(3 * len(EVENTS)))
    if changes.get("class_column") in {None, "event_id"}:
        table = table.drop(columns="label")
    table.to_csv(tmp_path / "all.csv", index=False)
    with pytest.raises(HarnessError) as caught:
        imported(tmp_path / "all.csv", tmp_path, **changes)
    assert what in str(caught.value)
    assert more in str(caught.value)


def test_two_files_of_other_widths_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.npy", EVENTS[:N_BACKGROUND])
    write(tmp_path / "b.npy", EVENTS[:, :2])
    write(tmp_path / "c.csv", "amplitude,x,y\n1,2,3\n")
    for name, what in (("b.npy", "an event has 2 objects"), ("c.csv", "no column for time")):
        with pytest.raises(DataError, match=what):
            imported(
                tmp_path / "a.npy",
                tmp_path,
                features=FEATURES,
                signals={"s": Source.of(str(tmp_path / name))},
            )


def test_an_array_is_named_where_a_file_holds_several(tmp_path: Path) -> None:
    hdf5_file(tmp_path)
    np.savez(tmp_path / "all.npz", one=EVENTS, two=EVENTS)
    for name, held in (("all.h5", "label, other, run/events"), ("all.npz", "one, two")):
        for member in ("", ":three"):
            with pytest.raises(UsageError, match=held) as caught:
                imported(f"{tmp_path / name}{member}", tmp_path)
            assert "after a colon" in str(caught.value)


@pytest.mark.parametrize("write", FORMATS)
def test_a_whole_table_never_lies_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], Path | str]
) -> None:
    monkeypatch.setattr(text, "_ROWS", 8)
    monkeypatch.setattr(text, "_BLOCK_BYTES", 2000)
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 8 * 12 * 4)
    monkeypatch.setattr(importing, "CHUNK_BYTES", 8 * 12 * 4)
    source = Source.of(str(write(tmp_path)))
    with opened_table(source, "label") as table:
        sizes = [len(block.values) for block in table.blocks]
    assert sum(sizes) == len(EVENTS)
    assert max(sizes) <= 8
    found = imported(
        str(source), tmp_path, class_column="label", background_class="noise", features=FEATURES
    )
    assert np.array_equal(found["background"], EVENTS[:N_BACKGROUND])


@pytest.mark.parametrize("n_background", [60, 4_000, 3_000_000])
def test_the_manifest_loads_and_its_working_point_can_rank(
    tmp_path: Path, n_background: int
) -> None:
    point, n_allowed = choose_working_point(n_background, 0.4)
    if n_background == 60:
        assert (point, n_allowed < 10) == (0.1, True)
    else:
        assert n_allowed >= 10
        assert choose_working_point(n_background, 0.04)[0] > point


def test_what_was_imported_is_a_challenge(tmp_path: Path) -> None:
    request = ImportRequest(
        sources=(Source.of(str(csv_file(tmp_path))),),
        class_column="label",
        background_class="noise",
        features=FEATURES,
        hidden=frozenset({"burst_long"}),
    )
    rules = OwnRules(name="own", title="Own: 5 % of {it} # all", synthetic=True, key="k-1")
    found = import_challenge(request, rules, tmp_path / "own")
    challenge = load_manifest(found.manifest).challenge("own")
    assert challenge.title == "Own: 5 % of {it} # all"
    assert challenge.layout == EventLayout.model_validate(
        {"objects": [{"name": "object", "n_slots": 3}], "features": FEATURES}
    )
    assert challenge.processes("hidden") == ("burst_long",)
    assert [file.n_events for file in challenge.files] == [N_BACKGROUND, N_SIGNAL]
    assert not found.is_ranked
    assert "TOO FEW BACKGROUND EVENTS" in found.manifest.read_text("utf-8")
    with pytest.raises(UsageError, match="is there already"):
        import_challenge(request, rules, tmp_path / "own")
