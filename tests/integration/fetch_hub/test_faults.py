"""What goes wrong while a release is fetched, and what a folder must hold."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.data.pins import read_pins
from harness.errors import DataError, EnvironmentFaultError, ExitCode
from tests.file_server import cut_after
from tests.hub_fetching import (
    DATA_SETS,
    LARGEST,
    N_EVENTS,
    at_commit,
    brought,
    downloads,
    events,
    fetched,
    files_in,
)
from tests.hub_server import REPOSITORY, REVISION, refuse
from tests.hub_server import Hub as StandIn
from tests.level1 import small_rows, write_hub, write_zenodo


class TestFaults:
    def test_cut_lines_are_resumed_until_all_is_there(
        self, stand_in: StandIn, release: Path, tmp_path: Path
    ) -> None:
        content = (release / LARGEST).read_bytes()
        stand_in.add(LARGEST, content, cut_after(len(content) // 5))
        fetched(tmp_path)
        assert len(stand_in.asked(LARGEST)) >= 5
        assert (downloads(tmp_path) / LARGEST).read_bytes() == content

    def test_another_file_stops_it_and_the_next_run_brings_the_rest(
        self, stand_in: StandIn, release: Path, tmp_path: Path
    ) -> None:
        content = (release / LARGEST).read_bytes()
        stand_in.served.contents[f"/cdn/{LARGEST}"] = b"x" * len(content)
        with pytest.raises(DataError, match="not the file that was asked for"):
            fetched(tmp_path)
        assert not (downloads(tmp_path) / LARGEST).exists()
        assert not (tmp_path / "cmsl1t" / "zb_run396102" / "about.json").exists()
        stand_in.served.contents[f"/cdn/{LARGEST}"] = content
        fetched(tmp_path)
        assert len(events(tmp_path)) > 0

    def test_all_that_is_missing_is_said_before_the_first_download(
        self, stand_in: StandIn, tmp_path: Path
    ) -> None:
        for path in list(stand_in.tree):
            if "WtoTauto3Mu/test" in path or path == LARGEST:
                del stand_in.tree[path]
        stand_in.publish()
        with pytest.raises(DataError) as caught:
            fetched(tmp_path)
        text = str(caught.value)
        assert "data/ZB_run396102: not all of its files are listed" in text
        assert "data/WtoTauto3Mu: no file test-*.parquet is listed" in text
        assert not brought(stand_in)
        assert not downloads(tmp_path).exists()

    @pytest.mark.parametrize(
        ("status", "code"), [(404, "RepoNotFound"), (401, ""), (403, "GatedRepo")]
    )
    def test_a_hub_that_refuses_is_asked_once_and_nothing_is_written(
        self, stand_in: StandIn, tmp_path: Path, status: int, code: str
    ) -> None:
        stand_in.served.behaviours[f"/api/datasets/{REPOSITORY}"] = refuse(status, code, "no")
        with pytest.raises(DataError, match=f"the Hub says {status}") as caught:
            fetched(tmp_path)
        assert caught.value.exit_code == ExitCode.ENVIRONMENT
        assert len(stand_in.served.requests) == 1
        assert not list(tmp_path.iterdir())

    def test_no_room_is_said_before_the_first_download(
        self, stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = shutil.disk_usage(tmp_path)._replace(free=1000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(EnvironmentFaultError, match="are free"):
            fetched(tmp_path)
        assert not brought(stand_in)

    def test_a_source_without_a_repository_asks_for_a_folder(self, tmp_path: Path) -> None:
        rules = at_commit(REVISION)
        assert rules.source is not None
        source = rules.source.model_copy(update={"hub": None})
        with pytest.raises(DataError, match="give --from FOLDER"):
            fetched(tmp_path, rules.model_copy(update={"source": source}))

    def test_a_folder_that_lacks_data_sets_is_refused_with_all_of_them(
        self, release: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "some"
        shutil.copytree(release / "data" / "ZB_run396102", folder / "data" / "ZB_run396102")
        for path in (folder / "data" / "ZB_run396102").glob("train-*"):
            path.unlink()
        with pytest.raises(DataError) as caught:
            fetched(tmp_path / "cache", source_folder=folder)
        assert "no train files of ZB_run396102" in str(caught.value)
        assert "no test files of WtoTauto3Mu" in str(caught.value)


class TestFolders:
    """What a folder holds is compared with what is known of the decoded events."""

    def test_one_of_which_nothing_is_known_must_be_trusted(
        self, release: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(DataError, match="no checksum of its events is known") as caught:
            fetched(tmp_path, source_folder=release)
        assert "--trust-first-use" in str(caught.value)
        assert not list(tmp_path.iterdir())
        fetched(tmp_path, source_folder=release, dry_run=True)
        fetched(tmp_path, source_folder=release, trust_first_use=True)
        assert read_pins(tmp_path / "cmsl1t" / "pins.json")["WtoTauto3Mu"].origin == "first use"

    def test_a_part_that_it_lacks_stays_as_it_is_in_the_cache(
        self, release: Path, tmp_path: Path
    ) -> None:
        only = {"only": ["ZB_run396102"], "trust_first_use": True}
        fetched(tmp_path / "whole", source_folder=release, **only)
        root, folder = tmp_path / "cache", tmp_path / "some"
        shutil.copytree(release / "data" / "ZB_run396102", folder / "data" / "ZB_run396102")
        fetched(root, source_folder=folder, parts=["test", "train"], **only)
        for path in (folder / "data").rglob("test-*.parquet"):
            path.unlink()
        (planned,) = fetched(root, source_folder=folder, dry_run=True, **only).files
        assert "stays as it is in the cache: train, test" in planned.remarks
        (file,) = fetched(root, source_folder=folder, **only).files
        assert file.action == "folder"
        whole, found = (
            {path.name: path.read_bytes() for path in files_in(one / "cmsl1t" / "zb_run396102")}
            for one in (tmp_path / "whole", root)
        )
        assert found == whole

    def test_training_events_alone_need_no_checksum(self, release: Path, tmp_path: Path) -> None:
        fetched(tmp_path, source_folder=release, parts=["train"])
        assert len(events(tmp_path)) > 0

    def test_the_other_layout_is_accepted_after_the_hub(
        self, stand_in: StandIn, tmp_path: Path
    ) -> None:
        fetched(tmp_path)
        for rows in small_rows(N_EVENTS, DATA_SETS):
            write_zenodo(tmp_path / "record", rows)
        shutil.rmtree(tmp_path / "cmsl1t" / "zb_run396102")
        (first, _) = fetched(tmp_path, source_folder=tmp_path / "record").files
        assert first.action == "folder"
        assert len(events(tmp_path)) > 0

    def test_other_events_than_before_are_refused_and_the_cache_stays(
        self, stand_in: StandIn, release: Path, tmp_path: Path
    ) -> None:
        fetched(tmp_path, parts=["test"])
        before = events(tmp_path)
        for rows in small_rows(N_EVENTS, ("ZB_run396102",)):
            rows.columns["HT_Et"] = [[7] for _ in rows.columns["HT_Et"]]
            write_hub(tmp_path / "other", rows)
        options = {"source_folder": tmp_path / "other", "only": ["ZB_run396102"]}
        with pytest.raises(DataError, match="checksum of its decoded test events") as caught:
            fetched(tmp_path, **options)
        assert f"the Hub, commit {REVISION}" in str(caught.value)
        np.testing.assert_array_equal(events(tmp_path), before)
        fetched(tmp_path, **options, repin=True, trust_first_use=True)
        assert not np.array_equal(events(tmp_path)[: len(before)], before)
