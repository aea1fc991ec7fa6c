"""Events of the CMS level-1 release: both layouts, the rules for reading, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pyarrow import parquet

from harness.challenge import Challenge
from harness.data.beside import decisions
from harness.data.cache_record import CacheRecord
from harness.data.events import EventStore, open_store
from harness.data.fetch import fetch
from harness.data.training import training_events, validation_events
from harness.errors import DataError, EnvironmentFaultError, ExitCode, UsageError
from tests.level1 import (
    DATA_MENU,
    DATA_SETS,
    SIMULATED_MENU,
    Rows,
    draw,
    small_challenge,
    small_rows,
    write_hub,
    write_zenodo,
)

N_EVENTS = 90
RUN = "ZB_run396102"
SIGNAL = "WtoTauto3Mu"
WRITE = {"hub": write_hub, "zenodo": write_zenodo}


def one(data_set: str = RUN, **changes: object) -> Challenge:
    """A challenge of the test part of one data set."""
    rules = small_challenge(**changes)
    (file,) = [file for file in rules.files if file.name == data_set]
    file = file.model_copy(update={"part_events": {"test": None}, "role": "background"})
    return rules.model_copy(update={"files": (file,)})


def rows_of(data_set: str = RUN, n_events: int = 4) -> Rows:
    """Events of one part with nothing in them but sums, which a test fills."""
    rows = draw(data_set, "test", n_events)
    for name in rows.columns:
        if name.partition("_")[0] in {"muons", "jets", "egammas", "taus"}:
            rows.columns[name] = [[] for _ in range(n_events)]
    return rows


def put(rows: Rows, collection: str, event: int, **branches: list[int]) -> None:
    """Give an event objects; branches that are not named are zero."""
    n_objects = len(next(iter(branches.values())))
    for name in rows.columns:
        if name.startswith(f"{collection}_"):
            rows.columns[name][event] = branches.get(name.partition("_")[2], [0] * n_objects)


def read(
    folder: Path, rows: Rows, rules: Challenge | None = None, layout: str = "hub"
) -> tuple[NDArray[np.float32], CacheRecord]:
    """Write a part of a data set, fetch it, and return what is in the cache."""
    WRITE[layout](folder / layout, rows)
    rules = rules or one(rows.data_set)
    fetch(rules, root=folder / "cache", source_folder=folder / layout, trust_first_use=True)
    store = open_store(rules, folder / "cache")
    (process,) = store.processes
    return np.array(store.events(process)), store.record(process)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All data sets of the small challenge in both layouts."""
    root = tmp_path_factory.mktemp("release")
    for rows in small_rows(N_EVENTS):
        write_hub(root / "hub", rows)
        write_zenodo(root / "zenodo", rows)
    return root


@pytest.fixture(scope="module")
def stores(release: Path) -> dict[str, EventStore]:
    """What a fetch makes of each layout."""
    rules = small_challenge(N_EVENTS)
    for layout in WRITE:
        fetch(
            rules,
            root=release / f"cache_{layout}",
            source_folder=release / layout,
            trust_first_use=True,
        )
    return {layout: open_store(rules, release / f"cache_{layout}") for layout in WRITE}


class TestBothLayouts:
    def test_the_cache_holds_the_same_bytes(self, release: Path, stores: dict[str, EventStore]):
        for process in stores["hub"].processes:
            ours, theirs = (release / f"cache_{name}" / "cmsl1t" / process for name in WRITE)
            names = {path.name for path in ours.glob("*.npy")}
            assert {"events.npy", "menu.npy", "parts.npy"} <= names
            assert names == {path.name for path in theirs.glob("*.npy")}
            for name in names:
                assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name

    def test_the_checksum_does_not_depend_on_the_layout(self, stores: dict[str, EventStore]):
        sums = [[s.checksum(process) for process in s.processes] for s in stores.values()]
        assert sums[0] == sums[1]
        assert len(set(sums[0])) == len(sums[0])

    @pytest.mark.parametrize("layout", list(WRITE))
    def test_every_object_is_where_a_loop_over_the_rows_puts_it(
        self, stores: dict[str, EventStore], layout: str
    ):
        store = stores[layout]
        for rows in small_rows(N_EVENTS):
            process = rows.data_set.lower()
            part = {"valid": "validation"}.get(rows.part, rows.part)
            events = store.events(process)[store.indices(process, part)]
            np.testing.assert_array_equal(events, by_hand(rows), rows.data_set)

    def test_menu_algorithms_and_conditions_are_those_of_the_files(
        self, stores: dict[str, EventStore]
    ):
        store = stores["zenodo"]
        for data_set, menu in ((RUN, DATA_MENU), (SIGNAL, SIMULATED_MENU)):
            process, rows = data_set.lower(), draw(data_set, "test", N_EVENTS)
            test = store.indices(process, "test")
            accepted = store.menu(process)
            assert accepted is not None
            np.testing.assert_array_equal(accepted[test], rows.plain["L1bit"])
            found = store.algorithms(process)
            assert found is not None
            names, packed = found
            assert names == menu
            for column, name in enumerate(names):
                np.testing.assert_array_equal(
                    decisions(packed, column)[test], rows.seeds[name], name
                )
        rows = draw(RUN, "train", N_EVENTS)
        train = store.indices(RUN.lower(), "train")
        npv = store.condition(RUN.lower(), "npv")[train]
        np.testing.assert_array_equal(npv, np.asarray(rows.plain["nPV_True"], np.float32))
        assert set(store.condition(RUN.lower(), "run")) == {396102.0}


def by_hand(rows: Rows) -> NDArray[np.float32]:
    """Make events one number after the other, as the description of the release says."""
    objects = [("muons", "muonIEt", "muonIEtaAtVtx", "muonIPhiAtVtx", 8)]
    objects += [
        (name, f"{short}IEt", f"{short}IEta", f"{short}IPhi", 12)
        for name, short in (("jets", "jet"), ("egammas", "eg"), ("taus", "tau"))
    ]
    events = np.zeros((rows.n_events, 50, 3), np.float32)
    for number in range(rows.n_events):
        first = 0
        for name, et, eta, phi, capacity in objects:
            lists = [rows.columns[f"{name}_{branch}"][number] for branch in (et, eta, phi)]
            found = list(zip(*lists, strict=True))
            if name == "muons":
                found.sort(key=lambda one: -one[0])
            for slot, one_object in enumerate(found):
                events[number, first + slot] = one_object
            first += capacity
        for name in ("ET", "HT", "MET", "MHT", "FET", "FHT"):
            events[number, first, 0] = rows.columns[f"{name}_Et"][number][0]
            if name not in {"ET", "HT"}:
                events[number, first, 2] = rows.columns[f"{name}_phi"][number][0]
            first += 1
    return events


class TestRules:
    @pytest.mark.parametrize("layout", list(WRITE))
    def test_events_of_saturated_et_are_left_out_and_counted(self, tmp_path: Path, layout: str):
        rows = draw(RUN, "test", 50)
        for event in (3, 17, 49):
            rows.columns["ET_Et"][event] = [4095]
            rows.plain["order"][event] = -1
        events, record = read(tmp_path, rows, layout=layout)
        kept = [number for number in range(50) if number not in {3, 17, 49}]
        np.testing.assert_array_equal(events, by_hand(rows)[kept])
        assert record.reading is not None
        assert record.reading.n_read == {"test": 50}
        assert record.reading.left_out == {"order = -1": 3, "et of 4095 or more": 3, "in all": 3}
        assert record.remarks[0].startswith("3 of 50 events are left out")

    def test_marks_that_do_not_agree_with_the_energy_are_reported(self, tmp_path: Path):
        rows = draw(RUN, "test", 20)
        rows.columns["ET_Et"][3] = [4095]
        rows.plain["order"][[5, 6]] = -1
        events, record = read(tmp_path, rows)
        assert len(events) == 17
        assert "the rules that leave events out do not agree" in record.remarks

    def test_what_stands_beside_is_left_out_with_the_events(self, tmp_path: Path):
        rows = draw(RUN, "test", 20)
        rows.plain["order"][[0, 7]] = -1
        read(tmp_path, rows)
        store = open_store(one(), tmp_path / "cache")
        kept = np.delete(np.arange(20), [0, 7])
        np.testing.assert_array_equal(store.menu(RUN.lower()), rows.plain["L1bit"][kept])
        names, packed = store.algorithms(RUN.lower()) or ((), None)
        assert packed is not None
        for column, name in enumerate(names):
            np.testing.assert_array_equal(decisions(packed, column), rows.seeds[name][kept])

    @pytest.mark.parametrize(
        ("collection", "et", "code", "first"),
        [("muons", "muonIEt", 511, 0), ("jets", "jetIEt", 2047, 8), ("egammas", "egIEt", 511, 20),
         ("taus", "tauIEt", 511, 32)],
    )  # fmt: skip
    def test_saturated_objects_go_and_the_others_move_up(
        self, tmp_path: Path, collection: str, et: str, code: int, first: int
    ):
        rows = rows_of()
        put(rows, collection, 1, **{et: [code, code - 1, 7]})
        put(rows, collection, 2, **{et: [code, code]})
        events, record = read(tmp_path, rows)
        assert events[1, first : first + 3, 0].tolist() == [code - 1, 7, 0]
        assert not events[2, first : first + 2].any()
        assert record.reading is not None
        assert record.reading.changed[f"remove {collection[:-1]}"] == 3

    def test_a_saturated_missing_energy_is_nothing_and_another_sum_stays(self, tmp_path: Path):
        rows = rows_of()
        for name in ("MET", "FET", "MHT", "HT"):
            rows.columns[f"{name}_Et"][1] = [4095]
        events, _ = read(tmp_path, rows)
        et, ht, met, mht, fet, _ = events[1, 44:]
        assert not met.any()
        assert not fet.any()
        assert (ht[0], mht[0]) == (4095, 4095)
        assert et[0] == rows.columns["ET_Et"][1][0]

    def test_muons_are_sorted_by_pt_and_equal_ones_keep_their_order(self, tmp_path: Path):
        rows = rows_of()
        put(
            rows, "muons", 0, muonIEt=[5, 90, 5, 40], muonIEtaAtVtx=[1, 2, 3, 4],
            muonIPhiAtVtx=[10, 20, 30, 40],
        )  # fmt: skip
        events, _ = read(tmp_path, rows)
        assert events[0, :4].tolist() == [[90, 2, 20], [40, 4, 40], [5, 1, 10], [5, 3, 30]]

    def test_a_muon_of_code_0_is_none(self, tmp_path: Path):
        rows = rows_of()
        put(rows, "muons", 0, muonIEt=[0, 12], muonIEtaAtVtx=[1, 2], muonIPhiAtVtx=[9, 20])
        events, _ = read(tmp_path, rows)
        assert events[0, :2].tolist() == [[12, 2, 20], [0, 0, 0]]

    def test_angles_are_brought_into_one_turn_and_counted(self, tmp_path: Path):
        rows = rows_of()
        put(rows, "muons", 0, muonIEt=[9, 8], muonIPhiAtVtx=[-1, 577])
        put(rows, "jets", 0, jetIEt=[9], jetIPhi=[144])
        events, record = read(tmp_path, rows)
        assert events[0, :2, 2].tolist() == [575, 1]
        assert events[0, 8].tolist() == [9, 0, 0]
        assert record.reading is not None
        assert record.reading.changed == {"turn jet": 1, "turn muon": 2}

    def test_full_lists_fill_all_slots(self, tmp_path: Path):
        rows = rows_of()
        for collection, et, capacity in (("muons", "muonIEt", 8), ("jets", "jetIEt", 12)):
            put(rows, collection, 3, **{et: list(range(60, 60 - capacity, -1))})
        events, _ = read(tmp_path, rows)
        assert (events[3, :20, 0] > 0).all()
        assert not events[3, 20:44].any()

    def test_integers_become_gev_eta_and_radians(self, tmp_path: Path):
        rows = rows_of()
        put(rows, "muons", 0, muonIEt=[21], muonIEtaAtVtx=[-100], muonIPhiAtVtx=[288])
        put(rows, "jets", 0, jetIEt=[64], jetIEta=[10], jetIPhi=[143])
        events, _ = read(tmp_path, rows)
        found = one().layout.physical(events)[0]
        # By hand: a muon's code counts from 1, and 143 of 144 steps are one step below 0.
        np.testing.assert_allclose(found[0], [10.0, -1.0875, -np.pi], rtol=1e-6)
        np.testing.assert_allclose(found[8], [32.0, 0.435, -2 * np.pi / 144], rtol=1e-5)
        assert found[44, 0] == 0.5 * rows.columns["ET_Et"][0][0]


def spoil(column: str, change: Callable[[pa.Array], pa.Array]) -> Callable[[Path], None]:
    """Change a column of a file."""

    def spoiled(path: Path) -> None:
        table = parquet.read_table(path)
        at = table.schema.names.index(column)
        parquet.write_table(
            table.set_column(at, column, change(table[column].combine_chunks())), path
        )

    return spoiled


def without(column: str) -> Callable[[Path], None]:
    """Leave a column of a file out."""

    def spoiled(path: Path) -> None:
        parquet.write_table(parquet.read_table(path).drop_columns([column]), path)

    return spoiled


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200:4000] = bytes(3800)
    path.write_bytes(bytes(content))


def name_no_text(path: Path) -> None:
    content = path.read_bytes()
    assert b"jets_jetIEta" in content
    path.write_bytes(content.replace(b"jets_jetIEta", b"\x80ets_jetIEta"))


def one_row_less(path: Path) -> None:
    table = parquet.read_table(path)
    parquet.write_table(table.slice(0, len(table) - 1), path)


def lists_of(values: list[list[float | None]], kind: pa.DataType) -> pa.Array:
    return pa.array(values, pa.large_list(kind))


ZENODO = f"zenodo/zerobias/{RUN}/test"
HUB = f"hub/data/{RUN}/test-00001-of-00002.parquet"
SEEDS = f"hub/data/{RUN}/seeds/test-00000-of-00001.parquet"


class TestRefused:
    """Each fault: which file, what is done to it, and what the message says."""

    @pytest.mark.parametrize(
        ("file", "spoils", "words"),
        [
            pytest.param(HUB, cut, ["it is truncated"], id="truncated"),
            pytest.param(HUB, lambda p: p.write_bytes(b""), ["it is empty"], id="empty"),
            pytest.param(
                HUB, lambda p: p.write_bytes(b"hello, world"), ["it is no Parquet file"], id="text"
            ),
            pytest.param(HUB, damage, ["it is damaged"], id="damaged"),
            pytest.param(HUB, name_no_text, ["it is damaged", "utf-8"], id="no-utf-8"),
            pytest.param(
                HUB, without("jets_jetIEta"),
                ["it has no column jets_jetIEta", "is it of a later release"], id="no-column",
            ),
            pytest.param(
                f"{ZENODO}/jets/00000.parquet", without("jetIEta"),
                ["it has no column jetIEta", "00000.parquet"], id="no-branch",
            ),
            pytest.param(
                f"{ZENODO}/egammas/00000.parquet", lambda p: p.unlink(),
                ["out of step", "egammas 6"], id="a-file-less",
            ),
            pytest.param(
                f"{ZENODO}/MET/00000.parquet", one_row_less, ["out of step", "MET 8"],
                id="a-row-less",
            ),
            pytest.param(
                SEEDS, one_row_less, ["out of step", "seeds 8", "events 9"], id="seeds-a-row-less"
            ),
            pytest.param(
                HUB, lambda p: p.unlink(),
                ["its files are not all of one release"], id="a-file-of-the-hub-less",
            ),
            pytest.param(
                HUB, spoil("jets_jetIEt", lambda a: a.cast(pa.large_list(pa.float32()))),
                ["it holds large_list<", "float", "expected: integers"], id="floats",
            ),
            pytest.param(
                HUB, spoil("jets_jetIEt", lambda a: a.cast(pa.large_list(pa.string()))),
                ["string", "expected: integers"], id="texts",
            ),
            pytest.param(
                HUB, spoil("ET_Et", lambda a: a.flatten()), ["expected: a list for each event"],
                id="no-list",
            ),
            pytest.param(
                HUB, spoil("jets_jetIPhi", lambda a: lists_of([[None]] * len(a), pa.int16())),
                ["it has gaps"], id="gaps",
            ),
            pytest.param(
                HUB, spoil("jets_jetIEt", lambda a: lists_of([[-4]] * len(a), pa.int16())),
                ["jets_jetIEta", "values"], id="other-lengths",
            ),
            pytest.param(
                HUB, spoil("ET_Et", lambda a: lists_of([[-4]] * len(a), pa.int16())),
                ["the code is -4", "ET_Et, event 4"], id="negative",
            ),
            pytest.param(
                HUB, spoil("MET_Et", lambda a: lists_of([[3, 4]] * len(a), pa.int16())),
                ["MET_phi", "it has 1 values"], id="two-sums",
            ),
            pytest.param(
                HUB, spoil("nPV_True", lambda a: pa.array([np.nan] * len(a), pa.float32())),
                ["it is nan", "nPV_True, event 4"], id="nan",
            ),
            pytest.param(
                HUB, spoil("split", lambda a: pa.array(["train"] * len(a))),
                ["it says", "train", "test: the part of ZB_run396102 that is read"],
                id="other-part",
            ),
            pytest.param(
                HUB, spoil("L1bit", lambda a: a.cast(pa.int8())), ["true or false"], id="menu"
            ),
            pytest.param(
                SEEDS, spoil("L1_ETMHF90", lambda a: a.cast(pa.int8())),
                ["L1_ETMHF90", "true or false"], id="mistyped-seed",
            ),
            pytest.param(
                SEEDS, spoil("L1bit", lambda a: pa.array([not one for one in a.to_pylist()])),
                ["the decision of the menu is not that beside the events"], id="other-rows",
            ),
        ],
    )  # fmt: skip
    def test_it_is_refused_with_its_place_and_nothing_is_left(
        self, tmp_path: Path, file: str, spoils: Callable[[Path], None], words: list[str]
    ):
        layout = file.partition("/")[0]
        WRITE[layout](tmp_path / layout, draw(RUN, "test", 9))
        spoils(tmp_path / file)
        with pytest.raises(DataError) as caught:
            fetch(
                one(),
                root=tmp_path / "cache",
                source_folder=tmp_path / layout,
                trust_first_use=True,
            )
        said = str(caught.value)
        for word in words:
            assert word in said
        assert RUN in said
        assert caught.value.exit_code == ExitCode.ENVIRONMENT
        assert not list((tmp_path / "cache").rglob("about.json"))
        assert not list((tmp_path / "cache").rglob("events.npy*"))

    @pytest.mark.parametrize("layout", list(WRITE))
    def test_a_list_longer_than_the_capacity_is_refused_with_its_event(
        self, tmp_path: Path, layout: str
    ):
        rows = rows_of()
        put(rows, "jets", 2, jetIEt=[9] * 13)
        with pytest.raises(DataError, match=r"event 2: it has 13 objects\n  expected: at most 12"):
            read(tmp_path, rows, layout=layout)

    @pytest.mark.parametrize("layout", list(WRITE))
    def test_a_signal_without_seeds_is_refused(self, tmp_path: Path, layout: str):
        rows = draw(SIGNAL, "test", 9)
        rows.seeds = {}
        with pytest.raises(DataError, match="seeds"):
            read(tmp_path, rows, layout=layout)

    def test_parts_whose_seeds_share_no_name_are_refused(self, tmp_path: Path):
        for part, name in (("valid", "L1_One"), ("test", "L1_Other")):
            rows = draw(RUN, part, 9)
            rows.seeds = {name: rows.plain["L1bit"]}
            write_hub(tmp_path / "hub", rows)
        rules = one()
        (file,) = rules.files
        file = file.model_copy(update={"part_events": {"validation": None, "test": None}})
        with pytest.raises(DataError, match="no algorithm that all its parts have"):
            fetch(
                rules.model_copy(update={"files": (file,)}),
                root=tmp_path / "cache",
                source_folder=tmp_path / "hub",
                trust_first_use=True,
            )

    def test_another_number_of_events_than_the_manifest_says_is_refused(self, tmp_path: Path):
        rules = one()
        (file,) = rules.files
        rules = rules.model_copy(
            update={"files": (file.model_copy(update={"part_events": {"test": 10}}),)}
        )
        with pytest.raises(DataError, match="its part test holds 9 events"):
            read(tmp_path, draw(RUN, "test", 9), rules)

    def test_other_events_than_those_of_the_manifests_checksum_are_refused(self, tmp_path: Path):
        rules = one()
        (file,) = rules.files
        _, record = read(tmp_path / "a", draw(RUN, "test", 9), rules)
        stated = file.model_copy(update={"checksum": record.checksum})
        rules = rules.model_copy(update={"files": (stated,)})
        read(tmp_path / "b", draw(RUN, "test", 9), rules, layout="zenodo")
        with pytest.raises(DataError, match="checksum of its decoded test events"):
            read(tmp_path / "c", draw(RUN, "test", 9, seed=2), rules)
        assert not list((tmp_path / "c" / "cache").rglob("events.npy*"))

    def test_a_folder_with_no_data_sets_is_refused(self, tmp_path: Path):
        with pytest.raises(DataError, match="it holds no data sets of the release"):
            fetch(one(), root=tmp_path / "cache", source_folder=tmp_path, trust_first_use=True)

    def test_a_full_disk_is_noticed_before_the_events_are_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        write_hub(tmp_path / "hub", draw(RUN, "test", 9))

        def usage(_: object) -> object:
            return type("Usage", (), {"total": 10**9, "used": 10**9 - 5, "free": 5})()

        monkeypatch.setattr("shutil.disk_usage", usage)
        with pytest.raises(EnvironmentFaultError, match=r"(?i)space|full|room"):
            fetch(
                one(), root=tmp_path / "cache", source_folder=tmp_path / "hub", trust_first_use=True
            )
        assert not list((tmp_path / "cache").rglob("events.npy*"))

    def test_columns_of_a_later_release_do_not_disturb(self, tmp_path: Path):
        rows = draw(RUN, "test", 9)
        rows.columns["jets_jetShape"] = [[1] for _ in range(9)]
        events, _ = read(tmp_path, rows)
        np.testing.assert_array_equal(events, by_hand(rows))


class TestTraining:
    def test_all_runs_one_after_the_other_and_no_test_event(self, release: Path, stores: object):
        rules = small_challenge(N_EVENTS)
        events = training_events(rules, root=release / "cache_hub")
        expected = [by_hand(draw(name, "train", N_EVENTS)) for name in (RUN, "ZB_run398183")]
        assert events.shape == (2 * N_EVENTS, 50, 3)
        np.testing.assert_array_equal(np.asarray(events), np.concatenate(expected))
        np.testing.assert_array_equal(events[85:95], np.concatenate(expected)[85:95])
        np.testing.assert_array_equal(events[-1], expected[1][-1])
        np.testing.assert_array_equal(events[[100, 3]], np.concatenate(expected)[[100, 3]])
        gathered = np.concatenate(list(events.chunks(37)))
        np.testing.assert_array_equal(gathered, np.concatenate(expected))
        validation = validation_events(rules, root=release / "cache_hub")
        np.testing.assert_array_equal(validation[:N_EVENTS], by_hand(draw(RUN, "valid", N_EVENTS)))

    def test_one_run(self, release: Path, stores: object):
        rules = small_challenge(N_EVENTS)
        events = training_events(rules, root=release / "cache_hub", source="zb_run398183")
        np.testing.assert_array_equal(events, by_hand(draw("ZB_run398183", "train", N_EVENTS)))

    def test_simulation_gives_the_part_that_is_not_for_testing(self, release: Path, stores: object):
        rules = small_challenge(N_EVENTS)
        events = training_events(rules, root=release / "cache_hub", source="simulation")
        simulated = draw("SingleNeutrino_E-10-gun", "valid", N_EVENTS)
        np.testing.assert_array_equal(events, by_hand(simulated))
        with pytest.raises(UsageError, match="one part for training and validation"):
            validation_events(rules, root=release / "cache_hub", source="simulation")

    @pytest.mark.parametrize("source", ["wtotauto3mu", "data", "ZB_run396102"])
    def test_signals_and_unknown_ones_are_refused(self, release: Path, stores: object, source: str):
        with pytest.raises(UsageError, match="no background"):
            training_events(small_challenge(), root=release / "cache_hub", source=source)

    def test_a_challenge_without_simulation_says_so(self):
        with pytest.raises(UsageError, match="no background 'simulation'"):
            training_events("sample", source="simulation")


class TestParts:
    def test_only_the_part_and_the_data_sets_that_are_asked_for(
        self, release: Path, tmp_path: Path
    ):
        rules = small_challenge(N_EVENTS)
        report = fetch(
            rules, root=tmp_path, source_folder=release / "zenodo", only=(RUN, SIGNAL),
            parts=("test",), trust_first_use=True,
        )  # fmt: skip
        assert [file.n_events for file in report.files] == [N_EVENTS, N_EVENTS]
        store = open_store(rules, tmp_path, processes=(RUN.lower(),))
        assert store.n_events(RUN.lower()) == N_EVENTS
        with pytest.raises(
            DataError, match=r"(?s)the part train of ZB_run396102 is not here.*--parts train"
        ):
            training_events(rules, root=tmp_path, source=RUN.lower())

    def test_a_further_part_is_added_and_the_checksum_stays(self, release: Path, tmp_path: Path):
        rules = small_challenge(N_EVENTS)
        options = {"root": tmp_path, "source_folder": release / "hub", "only": (RUN,)}
        options["trust_first_use"] = True
        (first,) = fetch(rules, **options, parts=("test",)).files  # type: ignore[arg-type]
        options["trust_first_use"] = False
        (second,) = fetch(rules, **options, parts=("train",)).files  # type: ignore[arg-type]
        assert second.n_events == 2 * N_EVENTS
        assert second.checksum == first.checksum
        events = training_events(rules, root=tmp_path, source=RUN.lower())
        np.testing.assert_array_equal(events, by_hand(draw(RUN, "train", N_EVENTS)))

    def test_scoring_needs_every_data_set(self, release: Path, tmp_path: Path):
        rules = small_challenge(N_EVENTS)
        options = {"source_folder": release / "hub", "trust_first_use": True}
        fetch(rules, root=tmp_path, only=(RUN,), **options)  # type: ignore[arg-type]
        with pytest.raises(DataError) as caught:
            open_store(rules, tmp_path)
        missing = [problem.where for problem in caught.value.problems]
        wanted = [n for n in DATA_SETS if n not in {RUN, "SingleNeutrino_E-10-gun"}]
        assert missing == wanted
