"""The commit of the Hub that is fetched: pinned, named, newest."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from harness.data.pins import read_pins, read_revision
from tests.hub_fetching import (
    LARGEST,
    N_EVENTS,
    asked_of_the_hub,
    at_commit,
    downloads,
    events,
    fetched,
    publish,
)
from tests.hub_server import REPOSITORY, REVISION
from tests.hub_server import Hub as StandIn
from tests.level1 import small_rows, write_hub


def publish_newer(stand_in: StandIn, release: Path, folder: Path) -> None:
    """Publish another commit: other zero bias, in one file of each part; the same signal."""
    for rows in small_rows(N_EVENTS, ("ZB_run396102",)):
        rows.columns["HT_Et"] = [[7] for _ in rows.columns["HT_Et"]]
        write_hub(folder, rows, n_files=1)
    shutil.copytree(release / "data" / "WtoTauto3Mu", folder / "data" / "WtoTauto3Mu")
    stand_in.tree.clear()
    stand_in.revision = "c" * 40
    publish(stand_in, folder)


class TestCommits:
    def test_the_first_one_is_pinned_and_holds(
        self, stand_in: StandIn, release: Path, tmp_path: Path
    ) -> None:
        fetched(tmp_path, only=["WtoTauto3Mu"])
        assert read_revision(tmp_path / "cmsl1t" / "pins.json", REPOSITORY) == REVISION
        # The repository goes on; the second data set still is of the first commit.
        stand_in.revision = "c" * 40
        publish(stand_in, release)
        fetched(tmp_path)
        assert f"/api/datasets/{REPOSITORY}/revision/{REVISION}" in asked_of_the_hub(stand_in)
        assert not [path for path in asked_of_the_hub(stand_in) if "c" * 40 in path]

    def test_the_one_of_the_manifest_comes_before_a_pin_and_a_cache(
        self, stand_in: StandIn, release: Path, tmp_path: Path
    ) -> None:
        fetched(tmp_path)
        before = events(tmp_path)
        publish_newer(stand_in, release, tmp_path / "newer")
        rules = at_commit("c" * 40)
        report = fetched(tmp_path, rules)
        # The files of the signal are the same ones.
        assert [file.action for file in report.files] == ["download", "cached"]
        assert "c" * 40 in report.files[0].source
        assert not np.array_equal(events(tmp_path), before)
        n_requests = len(stand_in.served.requests)
        assert [file.action for file in fetched(tmp_path, rules).files] == ["cached", "cached"]
        assert len(stand_in.served.requests) == n_requests
        assert read_revision(tmp_path / "cmsl1t" / "pins.json", REPOSITORY) == REVISION

    def test_a_folder_is_asked_for_no_commit(
        self, stand_in: StandIn, release: Path, tmp_path: Path
    ) -> None:
        fetched(tmp_path)
        rules = at_commit("c" * 40)
        report = fetched(tmp_path, rules, source_folder=release)
        assert [file.action for file in report.files] == ["folder", "folder"]
        n_requests = len(stand_in.served.requests)
        assert [file.action for file in fetched(tmp_path, rules).files] == ["cached", "cached"]
        assert len(stand_in.served.requests) == n_requests

    def test_repin_takes_the_newest_and_reads_again_only_what_changed(
        self, stand_in: StandIn, release: Path, tmp_path: Path
    ) -> None:
        fetched(tmp_path)
        before = events(tmp_path)
        publish_newer(stand_in, release, tmp_path / "newer")
        assert [file.action for file in fetched(tmp_path).files] == ["cached", "cached"]
        report = fetched(tmp_path, repin=True)
        assert [file.action for file in report.files] == ["download", "cached"]
        assert read_revision(tmp_path / "cmsl1t" / "pins.json", REPOSITORY) == "c" * 40
        assert not np.array_equal(events(tmp_path), before)
        # The files of the older commit, which were two of each part, are gone.
        held = [path.name for path in (downloads(tmp_path) / "data/ZB_run396102").glob("*.parquet")]
        assert sorted(held) == [
            f"{part}-00000-of-00001.parquet" for part in ("test", "train", "valid")
        ]
        assert [file.action for file in fetched(tmp_path, repin=True).files] == ["cached"] * 2

    def test_what_the_cache_was_made_of_is_written_down(
        self, stand_in: StandIn, tmp_path: Path
    ) -> None:
        fetched(tmp_path)
        pins = read_pins(tmp_path / "cmsl1t" / "pins.json")
        assert {path for path in pins if "/" in path} == set(stand_in.files)
        assert pins["ZB_run396102"].origin == f"the Hub, commit {REVISION}"
        entry = stand_in.tree[LARGEST]
        assert pins[LARGEST].checksum == f"sha256:{entry['lfs']['oid']}"  # type: ignore[index]
        assert pins[LARGEST].n_bytes == entry["size"]

    def test_a_new_name_of_the_repository_is_said(self, stand_in: StandIn, tmp_path: Path) -> None:
        stand_in.move("CERN/another_name")
        report = fetched(tmp_path)
        assert all(
            "is called CERN/another_name now" in " ".join(file.remarks) for file in report.files
        )
