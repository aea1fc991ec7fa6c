"""`harness fetch cmsl1t` from a stand-in of the Hub: all of it, and some."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UsageError
from tests.hub_fetching import brought, downloads, events, fetched, files_in
from tests.hub_server import REVISION
from tests.hub_server import Hub as StandIn


class TestFromTheHub:
    def test_it_gives_the_same_events_as_the_folder_of_the_files(
        self, stand_in: StandIn, release: Path, tmp_path: Path
    ) -> None:
        report = fetched(tmp_path / "hub")
        assert [(file.name, file.action) for file in report.files] == [
            ("ZB_run396102", "download"), ("WtoTauto3Mu", "download"),
        ]  # fmt: skip
        fetched(tmp_path / "folder", source_folder=release, trust_first_use=True)
        for file in report.files:
            ours = events(tmp_path / "hub", file.process)
            assert len(ours) == file.n_events
            np.testing.assert_array_equal(ours, events(tmp_path / "folder", file.process))

    def test_the_files_lie_as_on_the_hub_each_once_and_no_other(
        self, stand_in: StandIn, release: Path, tmp_path: Path
    ) -> None:
        fetched(tmp_path)
        here = {path.relative_to(downloads(tmp_path)) for path in files_in(downloads(tmp_path))}
        there = {path.relative_to(release) for path in files_in(release)}
        assert here == there
        assert len(brought(stand_in)) == len(there)

    def test_a_dry_run_says_what_how_large_and_where_and_writes_nothing(
        self, stand_in: StandIn, release: Path, tmp_path: Path
    ) -> None:
        report = fetched(tmp_path, dry_run=True)
        sizes = [path.stat().st_size for path in files_in(release)]
        assert report.download_bytes == sum(sizes)
        assert sum(file.n_bytes or 0 for file in report.files) == sum(sizes)
        assert report.disk_bytes > report.download_bytes
        (zero_bias, _) = report.files
        assert zero_bias.source.startswith(stand_in.url)
        assert REVISION in zero_bias.source
        assert zero_bias.remarks == ("9 files",)
        assert zero_bias.target == tmp_path / "cmsl1t" / "zb_run396102"
        assert not list(tmp_path.iterdir())
        assert not brought(stand_in)

    def test_what_is_in_the_cache_asks_nobody(self, stand_in: StandIn, tmp_path: Path) -> None:
        fetched(tmp_path)
        n_requests = len(stand_in.served.requests)
        assert [file.action for file in fetched(tmp_path).files] == ["cached", "cached"]
        assert len(stand_in.served.requests) == n_requests

    def test_with_the_cache_gone_the_files_are_there_still(
        self, stand_in: StandIn, tmp_path: Path
    ) -> None:
        fetched(tmp_path)
        before, n_brought = events(tmp_path), len(brought(stand_in))
        shutil.rmtree(tmp_path / "cmsl1t" / "zb_run396102")
        assert fetched(tmp_path).download_bytes == 0
        np.testing.assert_array_equal(events(tmp_path), before)
        assert len(brought(stand_in)) == n_brought

    def test_all_files_are_one_piece_of_work(
        self, stand_in: StandIn, release: Path, tmp_path: Path
    ) -> None:
        steps: list[tuple[str, int, int | None, str]] = []
        fetched(tmp_path, progress=lambda *step: steps.append(step))
        sizes = [path.stat().st_size for path in files_in(downloads(tmp_path))]
        shown = [step for step in steps if step[3] == "bytes" and "checksum" not in step[0]]
        assert {(label, total) for label, _, total, _ in shown} == {
            (f"{len(sizes)} files of cmsl1t", sum(sizes))
        }
        done = [step[1] for step in shown]
        assert done == sorted(done)
        assert (done[0], done[-1]) == (0, sum(sizes))
        # One that is here already counts as well.
        steps.clear()
        shutil.rmtree(tmp_path / "cmsl1t" / "zb_run396102")
        next(path for path in files_in(downloads(tmp_path)) if "ZB_run396102" in str(path)).unlink()
        fetched(tmp_path, progress=lambda *step: steps.append(step))
        of_hub = [step for step in steps if step[0].endswith("files of cmsl1t")]
        assert of_hub[-1][1] == of_hub[-1][2]


class TestSome:
    def test_only_some_data_sets(self, stand_in: StandIn, tmp_path: Path) -> None:
        report = fetched(tmp_path, only=["WtoTauto3Mu"])
        assert [file.name for file in report.files] == ["WtoTauto3Mu"]
        assert not [path for path in brought(stand_in) if "ZB_" in path]

    def test_only_some_parts_and_later_the_others(self, stand_in: StandIn, tmp_path: Path) -> None:
        fetched(tmp_path, parts=["test"])
        assert not [path for path in brought(stand_in) if "train" in path]
        few = len(events(tmp_path))
        report = fetched(tmp_path)
        assert [file.action for file in report.files] == ["download", "cached"]
        assert len(events(tmp_path)) > few
        # Each file came once, those of the first parts too.
        assert len(brought(stand_in)) == len(set(brought(stand_in)))

    def test_a_part_that_is_fetched_later_leaves_the_first_there(
        self, stand_in: StandIn, tmp_path: Path
    ) -> None:
        fetched(tmp_path, parts=["test"], only=["ZB_run396102"])
        few = len(events(tmp_path))
        fetched(tmp_path, parts=["train"], only=["ZB_run396102"])
        assert len(events(tmp_path)) > few

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            ({"only": ["ZB_run39610"]}, "did you mean ZB_run396102"),
            ({"only": ["WtoTauto3Mu"], "parts": ["train"]}, "none of these data sets has train"),
            ({"mirror": "https://x.org"}, "HF_ENDPOINT"),
        ],
    )
    def test_what_is_not_there_is_a_fault_of_usage(
        self, stand_in: StandIn, tmp_path: Path, options: dict[str, object], complaint: str
    ) -> None:
        with pytest.raises(UsageError, match=complaint):
            fetched(tmp_path, **options)
        assert not stand_in.served.requests
