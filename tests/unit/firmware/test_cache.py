"""What is kept is found whole or not at all, by one process or two."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.errors import EnvironmentFaultError
from harness.firmware.cache import Cache, canonical_order, digest_of, set_digest
from harness.submission.events import ENTRY, SparseEvents


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"content" * 1000)
    return path


def test_an_entry_is_found_with_its_files(tmp_path, source):
    cache = Cache(tmp_path / "with spaces é")
    assert cache.find("k") is None

    cache.store("k", {"a": source, "b": source})

    entry = cache.find("k")
    assert entry is not None
    assert (entry / "a").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "add", "manifest", "no manifest"])
def test_a_damaged_entry_is_not_found_and_made_anew(tmp_path, source, damage):
    cache = Cache(tmp_path / "cache")
    entry = cache.store("k", {"a": source})
    file, manifest = entry / "a", entry / "manifest.json"
    if damage == "flip":
        content = bytearray(file.read_bytes())
        content[3000] ^= 1
        file.write_bytes(content)
    elif damage == "truncate":
        file.write_bytes(file.read_bytes()[:-1])
    elif damage == "remove":
        file.unlink()
    elif damage == "add":
        (entry / "b").write_text("more")
    elif damage == "manifest":
        manifest.write_text("[1, 2]")
    else:
        manifest.unlink()

    assert cache.find("k") is None
    cache.store("k", {"a": source})
    assert cache.find("k") is not None


def test_nothing_is_left_of_an_entry_that_could_not_be_written(tmp_path, source):
    cache = Cache(tmp_path / "cache")

    with pytest.raises(EnvironmentFaultError):
        cache.store("k", {"a": source, "b": tmp_path / "missing"})

    assert cache.find("k") is None
    assert not list((tmp_path / "cache").glob("*.part"))


def test_a_cache_that_is_a_file_is_the_environments_fault(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(EnvironmentFaultError, match="HARNESS_CACHE"):
        Cache(tmp_path / "file" / "cache")


BUILD_SLOWLY = """
import sys, time
from pathlib import Path
from harness.firmware.cache import Cache
root, log = Path(sys.argv[1]), Path(sys.argv[2])
cache = Cache(root)
with cache.locked("k"):
    if cache.find("k") is None:
        with log.open("a") as file:
            file.write("built\\n")
        time.sleep(0.5)
        cache.store("k", {"a": log})
"""


def test_two_at_once_build_once(tmp_path):
    log = tmp_path / "log"
    arguments = [sys.executable, "-c", BUILD_SLOWLY, str(tmp_path / "cache"), str(log)]
    processes = [subprocess.Popen(arguments) for _ in range(2)]

    assert [process.wait(60) for process in processes] == [0, 0]
    assert log.read_text() == "built\n"


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})


def test_a_set_of_events_is_known_in_any_order():
    events = np.random.default_rng(1).normal(size=(70_000, 5)).astype(np.float32)
    shuffled = np.random.default_rng(2).permutation(events)
    changed = events.copy()
    changed[69_999, 4] = np.nextafter(changed[69_999, 4], np.float32(99))

    assert set_digest(events) == set_digest(shuffled)
    assert set_digest(events) != set_digest(changed)
    assert set_digest(events) != set_digest(events[:-1])


def test_events_have_one_order_by_their_content_however_they_come():
    events = np.random.default_rng(1).integers(0, 9, (70_000, 5)).astype(np.float32)
    shuffled = np.random.default_rng(2).permutation(events)
    ordered = events[canonical_order(events)]

    assert len(np.unique(events, axis=0)) < len(events)
    np.testing.assert_array_equal(shuffled[canonical_order(shuffled)], ordered)
    np.testing.assert_array_equal(np.sort(ordered, axis=0), np.sort(events, axis=0))
    assert not np.array_equal(ordered, events)


class Noted:
    """Images without their zeros that note how many are made dense at once."""

    def __init__(self, n_events: int, n_values: int) -> None:
        entries = np.zeros(n_events, ENTRY)
        entries["index"], entries["value"] = np.arange(n_events), 1.0
        self.events = SparseEvents(entries, np.arange(n_events + 1), (n_values,))
        self.shape, self.n_bytes = self.events.shape, 0

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, key: slice) -> np.ndarray:
        found = self.events[key]
        self.n_bytes = max(self.n_bytes, found.nbytes)
        return found


@pytest.mark.parametrize("look", [set_digest, canonical_order])
def test_large_images_are_read_a_few_at_a_time(look):
    """Of one of 288 x 360 x 3 numbers, 32,768 dense ones would take 40 GB."""
    images = Noted(60, 288 * 360 * 3)

    look(images)

    assert 0 < images.n_bytes <= 5 << 20


def test_no_event_has_no_order():
    assert len(canonical_order(np.zeros((0, 5), np.float32))) == 0
