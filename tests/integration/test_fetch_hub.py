"""`harness fetch cmsl1t` from a stand-in of the Hub: listed, pinned, brought, read, resumed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from harness.challenge import Challenge
from harness.data.events import open_store
from harness.data.fetch import FetchReport, fetch
from harness.data.pins import read_pins, read_revision
from harness.data.web import Patience
from harness.errors import DataError, EnvironmentFaultError, ExitCode, UsageError
from tests.file_server import cut_after, hold_after, serve_after, serve_well
from tests.hub_server import REPOSITORY, REVISION, hub_server, refuse
from tests.hub_server import Hub as StandIn
from tests.integration.conftest import CommandLine
from tests.level1 import small_challenge, small_rows, write_hub, write_zenodo

N_EVENTS = 120
IMPATIENT = Patience(max_attempts=3, first_wait_s=0.01, answer_s=60.0)
DATA_SETS = ("ZB_run396102", "WtoTauto3Mu")
ROOT_OF_REPOSITORY = Path(__file__).parents[2]
LARGEST = "data/ZB_run396102/train-00000-of-00002.parquet"


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two data sets, as on the Hub."""
    root = tmp_path_factory.mktemp("release")
    for rows in small_rows(N_EVENTS, DATA_SETS):
        write_hub(root, rows)
    return root


@pytest.fixture
def stand_in(release: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HF_TOKEN", "HARNESS_CACHE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with hub_server() as found:
        publish(found, release)
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
        yield found


def publish(stand_in: StandIn, release: Path) -> None:
    for path in sorted(release.rglob("*.parquet")):
        stand_in.add(path.relative_to(release).as_posix(), path.read_bytes())
    stand_in.publish()


def challenge(**changes: object) -> Challenge:
    found = small_challenge(N_EVENTS, **changes)
    return found.model_copy(
        update={"files": tuple(file for file in found.files if file.name in DATA_SETS)}
    )


def fetched(root: Path, rules: Challenge | None = None, **options: object) -> FetchReport:
    return fetch(rules or challenge(), root=root, patience=IMPATIENT, **options)  # type: ignore[arg-type]


def asked_of_the_hub(stand_in: StandIn) -> list[str]:
    return [path for path, _ in stand_in.served.requests if path.startswith("/api")]


def brought(stand_in: StandIn) -> list[str]:
    return [path for path, _ in stand_in.served.requests if path.startswith("/cdn")]


def downloads(root: Path) -> Path:
    return root / "cmsl1t" / "downloads"


def events(root: Path, process: str = "zb_run396102") -> np.ndarray:
    rules = challenge()
    files = tuple(file for file in rules.files if file.process == process)
    return np.array(open_store(rules.model_copy(update={"files": files}), root).events(process))


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


def files_in(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


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


def publish_newer(stand_in: StandIn, release: Path, folder: Path) -> None:
    """Publish another commit: other zero bias, in one file of each part; the same signal."""
    for rows in small_rows(N_EVENTS, ("ZB_run396102",)):
        rows.columns["HT_Et"] = [[7] for _ in rows.columns["HT_Et"]]
        write_hub(folder, rows, n_files=1)
    shutil.copytree(release / "data" / "WtoTauto3Mu", folder / "data" / "WtoTauto3Mu")
    stand_in.tree.clear()
    stand_in.revision = "c" * 40
    publish(stand_in, folder)


def at_commit(revision: str) -> Challenge:
    rules = challenge()
    assert rules.source is not None
    source = rules.source.model_copy(update={"revision": revision})
    return rules.model_copy(update={"source": source})


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


COMMAND = "from harness.cli import main; main()"


class TestTheCommand:
    """The address of the Hub comes from the environment."""

    @pytest.fixture
    def manifest(self, tmp_path: Path) -> Path:
        document = challenge().model_dump(mode="json", by_alias=True)
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump({"schema": 1, "challenges": [document]}), "utf-8")
        return path

    def start(self, cache: Path, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, "fetch", "cmsl1t", *arguments],
            cwd=ROOT_OF_REPOSITORY,
            env={**os.environ, "HARNESS_CACHE": str(cache)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell's background job ignores Ctrl-C, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )

    def test_killed_in_the_midst_it_goes_on_from_there(
        self, stand_in: StandIn, release: Path, manifest: Path, tmp_path: Path
    ) -> None:
        content = (release / LARGEST).read_bytes()
        stand_in.add(LARGEST, content, hold_after(len(content) // 2))
        cache = tmp_path / "cache"
        part = downloads(cache) / f"{LARGEST}.part"
        running = self.start(cache, "--manifest", str(manifest))
        deadline = time.monotonic() + 120
        while not (part.exists() and part.stat().st_size > 0) and time.monotonic() < deadline:
            assert running.poll() is None
            time.sleep(0.01)
        running.kill()
        running.communicate(timeout=60)
        held = part.stat().st_size
        assert 0 < held < len(content)
        stand_in.add(LARGEST, content, serve_well)
        again = self.start(cache, "--manifest", str(manifest), "--json")
        output, errors = again.communicate(timeout=120)
        assert again.returncode == 0, errors
        assert [file["action"] for file in json.loads(output)["files"]] == ["download"] * 2
        assert stand_in.asked(LARGEST)[-1] == f"bytes={held}-"
        assert len(events(cache)) > 0

    def test_two_at_once_bring_each_file_once(
        self, stand_in: StandIn, manifest: Path, tmp_path: Path
    ) -> None:
        stand_in.add(LARGEST, stand_in.files[LARGEST], serve_after(1.0))
        cache = tmp_path / "cache"
        running = [self.start(cache, "--manifest", str(manifest)) for _ in range(2)]
        ended = [process.communicate(timeout=120) for process in running]
        assert [process.returncode for process in running] == [0, 0], ended
        assert len(brought(stand_in)) == len(stand_in.files)

    def test_some_data_sets_and_parts_are_named_by_commas(
        self, stand_in: StandIn, manifest: Path, tmp_path: Path
    ) -> None:
        options = ("--only", "ZB_run396102,WtoTauto3Mu", "--parts", "test", "--dry-run", "--json")
        run = CommandLine(tmp_path).here("fetch", "cmsl1t", "--manifest", manifest, *options)
        assert run.returncode == 0, run.stderr
        assert [file["n_events"] for file in json.loads(run.stdout)["files"]] == [
            N_EVENTS,
            N_EVENTS,
        ]

    @pytest.mark.parametrize(
        ("options", "code", "complaint"),
        [
            (("--only", "ZB_run396102,"), 2, "has an empty name"),
            (("--parts", "valid"), 2, "there is no part 'valid'"),
            (("--only", "nothing"), 2, "has no 'nothing'"),
            ((), 5, "the Hub says 404: <script>"),
        ],
    )
    def test_faults_end_with_their_code_and_a_message(
        self,
        stand_in: StandIn,
        manifest: Path,
        tmp_path: Path,
        options: tuple[str, ...],
        code: int,
        complaint: str,
    ) -> None:
        about = f"/api/datasets/{REPOSITORY}"
        stand_in.served.behaviours[about] = refuse(404, "RepoNotFound", "<script>\x1b[2J")
        run = CommandLine(tmp_path).here("fetch", "cmsl1t", "--manifest", manifest, *options)
        assert run.returncode == code, run.stderr
        assert complaint in run.stderr
        assert "Traceback" not in run.stderr
        assert "\x1b[2J" not in run.stderr
        assert not run.stdout
