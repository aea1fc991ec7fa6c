"""The cache: what goes in comes out, broken or stale caches are found, no half of one is left."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.challenge import ADC2021_BYTES
from harness.data import cache, npy
from harness.data.cache import (
    cache_root,
    find_cached,
    lock_process,
    open_events,
    open_hashes,
    process_folder,
    read_events,
    store_events,
)
from harness.data.cache_record import CacheRecord
from harness.data.event_source import EventSource
from harness.data.split import event_hashes
from harness.errors import DataError, EnvironmentFaultError, ExitCode
from harness.files import check_space, file_checksum, writing
from tests.events import make_challenge, make_events, toy_file
from tests.unit.data.conftest import CHECKSUM, put_in_cache

FILE = toy_file()
TOY = make_challenge([FILE])


@pytest.fixture
def cached(tmp_path: Path) -> Path:
    """A root that holds 500 background events."""
    put_in_cache(TOY, FILE, tmp_path, make_events(500))
    return tmp_path


def folder(root: Path) -> Path:
    return process_folder(TOY, "background", root)


class TestRoundTrip:
    def test_events_and_hashes_come_back(self, cached: Path) -> None:
        events = make_events(500)
        mapped = open_events(TOY, "background", cached)
        assert isinstance(mapped, np.memmap)
        assert mapped.dtype == np.float32
        assert np.array_equal(mapped, events)
        assert np.array_equal(open_hashes(TOY, "background", cached), event_hashes(events, "toy-1"))

    def test_the_map_cannot_be_written(self, cached: Path) -> None:
        with pytest.raises(ValueError, match="read-only"):
            open_events(TOY, "background", cached)[0, 0, 0] = 1.0

    def test_the_record_says_what_was_seen(self, cached: Path) -> None:
        record = find_cached(TOY, FILE, cached)
        assert isinstance(record, CacheRecord)
        assert (record.n_events, record.checksum) == (500, CHECKSUM)
        assert record.structure.n_events == 500
        assert record.structure.remarks == ()
        assert record.source == FILE.name

    def test_reading_in_chunks_gives_the_same_events(
        self, cached: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(npy, "CHUNK_BYTES", 64 * ADC2021_BYTES)
        starts, chunks = zip(*read_events(TOY, "background", cached), strict=True)
        assert starts == tuple(range(0, 500, 64))
        assert np.array_equal(np.concatenate(chunks), make_events(500))

    def test_negative_zeros_become_positive(self, tmp_path: Path) -> None:
        events = make_events(5)
        negative = np.where(events == 0, np.float32(-0.0), events)
        put_in_cache(TOY, FILE, tmp_path, negative)
        assert open_events(TOY, "background", tmp_path).tobytes() == events.tobytes()

    def test_hashes_under_another_key_are_made_when_asked_for(self, cached: Path) -> None:
        other = make_challenge([FILE], key="another")
        expected = event_hashes(make_events(500), "another")
        assert np.array_equal(open_hashes(other, "background", cached), expected)
        # The first key's are still there.
        assert len(list(folder(cached).glob("hashes-*.npy"))) == 2

    def test_truncated_hashes_are_made_anew(self, cached: Path) -> None:
        (path,) = folder(cached).glob("hashes-*.npy")
        path.write_bytes(path.read_bytes()[:-8])
        expected = event_hashes(make_events(500), "toy-1")
        assert np.array_equal(open_hashes(TOY, "background", cached), expected)


class TestUnusable:
    def test_nothing_there(self, tmp_path: Path) -> None:
        assert find_cached(TOY, FILE, tmp_path) == "not in the cache"

    def test_truncated_events(self, cached: Path) -> None:
        path = folder(cached) / "events.npy"
        path.write_bytes(path.read_bytes()[:-1])
        assert "bytes that were written" in str(find_cached(TOY, FILE, cached))

    def test_missing_events(self, cached: Path) -> None:
        (folder(cached) / "events.npy").unlink()
        assert "bytes that were written" in str(find_cached(TOY, FILE, cached))

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}'])
    def test_broken_record(self, cached: Path, content: str) -> None:
        (folder(cached) / "about.json").write_text(content)
        assert "is not readable" in str(find_cached(TOY, FILE, cached))

    def test_record_of_a_later_format(self, cached: Path) -> None:
        path = folder(cached) / "about.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
        assert "is not readable" in str(find_cached(TOY, FILE, cached))

    def test_another_checksum_than_the_manifests(self, cached: Path) -> None:
        other = toy_file(checksum="sha256:" + "1" * 64)
        assert CHECKSUM in str(find_cached(TOY, other, cached))

    def test_another_checksum_where_the_manifest_counts_parts(self, cached: Path) -> None:
        """As after a new version of an embedded sample, or of a challenge of the same name."""
        parts = {"train": 200, "validation": 50, "test": 250}
        same, other = (
            toy_file(checksum=one).model_copy(update={"part_events": parts})
            for one in (CHECKSUM, "sha256:" + "1" * 64)
        )
        assert CHECKSUM not in str(find_cached(TOY, same, cached))
        assert CHECKSUM in str(find_cached(TOY, other, cached))

    def test_another_number_of_events_than_the_manifests(self, cached: Path) -> None:
        told = str(find_cached(TOY, toy_file(n_events=501), cached))
        assert "500 events" in told
        assert "501" in told

    def test_another_layout(self, cached: Path) -> None:
        layout = TOY.layout.model_copy(update={"objects": TOY.layout.objects[:3]})
        other = TOY.model_copy(update={"layout": layout})
        assert "shape (19, 3)" in str(find_cached(other, FILE, cached))


class TestFaults:
    def test_a_wrong_number_of_events_is_refused_before_any_is_read(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="holds 500 events") as caught:
            put_in_cache(TOY, toy_file(n_events=501), tmp_path, make_events(500))
        assert "501, as the manifest says" in str(caught.value)

    def test_a_source_that_ends_early_leaves_nothing(self, tmp_path: Path) -> None:
        chunks = [(make_events(50), None)]
        source = EventSource(chunks=chunks, n_events=60, checksum=CHECKSUM)
        with (
            lock_process(TOY, "background", tmp_path),
            pytest.raises(DataError, match="gave 50 events, 60 were announced"),
        ):
            store_events(TOY, FILE, source, tmp_path)
        assert [path.name for path in folder(tmp_path).iterdir()] in ([], [".lock"])

    def test_a_broken_event_leaves_the_old_cache_as_it_was(self, cached: Path) -> None:
        events = make_events(500, seed=9)
        events[400, 0, 0] = np.nan
        with pytest.raises(DataError, match="event 400"):
            put_in_cache(TOY, FILE, cached, events)
        assert isinstance(find_cached(TOY, FILE, cached), CacheRecord)
        assert np.array_equal(open_events(TOY, "background", cached), make_events(500))
        assert not list(folder(cached).glob("*.part"))

    def test_an_old_map_outlives_its_replacement(self, cached: Path) -> None:
        mapped = open_events(TOY, "background", cached)
        put_in_cache(TOY, FILE, cached, make_events(400, seed=9))
        assert np.array_equal(mapped, make_events(500))
        assert np.array_equal(open_events(TOY, "background", cached), make_events(400, seed=9))

    def test_a_full_disk_is_told_as_such(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(EnvironmentFaultError, match="No space left on device") as caught:
            put_in_cache(TOY, FILE, tmp_path, make_events(50))
        assert caught.value.exit_code == ExitCode.ENVIRONMENT
        assert not list(folder(tmp_path).glob("*.part"))
        assert find_cached(TOY, FILE, tmp_path) == "not in the cache"

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
    def test_a_disk_that_fills_while_it_is_written(self, tmp_path: Path) -> None:
        (tmp_path / "x.part").symlink_to("/dev/full")
        with (
            pytest.raises(EnvironmentFaultError, match="No space left on device"),
            writing(tmp_path / "x") as stream,
        ):
            stream.write(b"0" * 10**6)
        assert not (tmp_path / "x").exists()

    def test_too_little_space_is_told_before_the_start(self, tmp_path: Path) -> None:
        with pytest.raises(EnvironmentFaultError, match="GB are free"):
            check_space(tmp_path, 10**18)

    def test_a_root_that_is_a_file_is_told_as_such(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(EnvironmentFaultError, match="cannot be written"):
            put_in_cache(TOY, FILE, tmp_path / "file", make_events(5))


class TestKilled:
    SCRIPT = """
import os, signal, sys
from pathlib import Path
from tests.events import make_events
from tests.unit.data.test_cache import TOY, FILE
from harness.data.cache import (lock_process, store_events)
from harness.data.event_source import EventSource

def chunks():
    for number in range(10):
        if number == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield make_events(50, seed=100 + number), None

source = EventSource(chunks=chunks(), n_events=500, checksum="sha256:" + "2" * 64)
root = Path(sys.argv[1])
with lock_process(TOY, "background", root):
    store_events(TOY, FILE, source, root)
"""

    @pytest.mark.parametrize("at", [0, 9])
    def test_the_old_cache_stays_whole_and_the_next_run_needs_no_help(
        self, cached: Path, at: int
    ) -> None:
        done = subprocess.run(
            [sys.executable, "-c", self.SCRIPT, str(cached), str(at)],
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONPATH": "."},
            check=False,
        )
        assert done.returncode == -9
        assert np.array_equal(open_events(TOY, "background", cached), make_events(500))
        put_in_cache(TOY, FILE, cached, make_events(400, seed=9))
        assert np.array_equal(open_events(TOY, "background", cached), make_events(400, seed=9))
        assert not list(folder(cached).glob("*.part"))


class TestRoot:
    def test_the_argument_goes_before_the_variable(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "variable"))
        assert cache_root(tmp_path / "argument") == tmp_path / "argument"
        assert cache_root() == tmp_path / "variable"

    def test_without_either_it_is_the_users_cache(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(cache.CACHE_VARIABLE, raising=False)
        assert cache_root().name == "harness"
        assert cache_root().is_absolute()

    def test_a_root_with_spaces_and_other_letters_works(self, tmp_path: Path) -> None:
        root = tmp_path / "mes données ∑"
        put_in_cache(TOY, FILE, root, make_events(20))
        assert np.array_equal(open_events(TOY, "background", root), make_events(20))
        shutil.rmtree(root)


def test_checksums_are_those_of_the_tools(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    # RFC 1321, appendix A.5, and FIPS 180-2, appendix B.1.
    assert file_checksum(path, "md5") == "md5:900150983cd24fb0d6963f7d28e17f72"
    assert file_checksum(path) == (
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
