"""Fetch against a real server on loopback that behaves well and badly."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.challenge import Challenge
from harness.data import download
from harness.data.cache import lock_process
from harness.data.events import open_store
from harness.data.fetch import FetchReport, fetch
from harness.data.fetch_plan import DOWNLOAD_FOLDER
from harness.data.pins import read_pins
from harness.data.web import Patience
from harness.errors import DataError, EnvironmentFaultError, ExitCode, UsageError
from tests.events import make_challenge, make_events, toy_file, write_hdf5
from tests.file_server import (
    Behaviour,
    Served,
    cut_after,
    fail_first,
    file_server,
    go_on_for_ever,
    hold_after,
    ignore_ranges,
    say_length,
    serve_after,
    serve_for_ever,
    serve_slowly,
    serve_well,
    serve_without_length,
)

NAME = "background_for_training.h5"
RECORD = "5046428"
IMPATIENT = Patience(max_attempts=3, first_wait_s=0.01)
ROOT_OF_REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HARNESS_ZENODO"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with file_server() as served:
        yield served


@pytest.fixture(scope="session")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An HDF5 file of 600 background events, about 90 kB."""
    path = tmp_path_factory.mktemp("h5") / NAME
    return write_hdf5(path, make_events(600)).read_bytes()


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content, usedforsecurity=False).hexdigest()}"


def challenge_at(
    server: Served, content: bytes, behaviour: Behaviour = serve_well, **fields: object
) -> Challenge:
    """Make a challenge of one file that the server holds, with its checksum."""
    url = server.add(NAME, content, behaviour)
    return make_challenge([toy_file(url=url, checksum=sha256(content), n_events=600, **fields)])


def is_here(challenge: Challenge, root: Path) -> bool:
    """Whether the events are in the cache, whole, and no part of a download is left."""
    events = open_store(challenge, root).events("background")
    return np.array_equal(events, make_events(600)) and not list(root.rglob("*.part"))


class TestServers:
    def test_a_good_one(self, server: Served, content: bytes, tmp_path: Path) -> None:
        challenge = challenge_at(server, content)
        report = fetch(challenge, root=tmp_path)
        (file,) = report.files
        assert (file.action, file.n_events, file.checksum) == ("download", 600, sha256(content))
        assert is_here(challenge, tmp_path)
        assert server.asked(NAME) == [None]

    def test_what_is_here_is_not_asked_for_again(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content)
        fetch(challenge, root=tmp_path)
        assert fetch(challenge, root=tmp_path).files[0].action == "cached"
        # With the cache gone the downloaded file still is whole.
        shutil.rmtree(tmp_path / "toy" / "background")
        fetch(challenge, root=tmp_path)
        assert is_here(challenge, tmp_path)
        assert len(server.requests) == 1

    def test_one_that_cuts_the_line_is_resumed_until_all_is_there(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        # More cuts than attempts: a cut that brought bytes is no failed attempt.
        challenge = challenge_at(server, content, cut_after(len(content) // 8))
        fetch(challenge, root=tmp_path, patience=IMPATIENT)
        assert is_here(challenge, tmp_path)
        asked = server.asked(NAME)
        step = len(content) // 8
        assert asked[:4] == [None, f"bytes={step}-", f"bytes={2 * step}-", f"bytes={3 * step}-"]
        assert len(asked) >= 8

    def test_one_that_cuts_at_once_is_given_up_with_the_part_kept(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content, cut_after(0))
        with pytest.raises(DataError, match="given up after 3 attempts") as caught:
            fetch(challenge, root=tmp_path, patience=IMPATIENT)
        assert "run the same command again" in str(caught.value)
        assert len(server.requests) == 3

    def test_one_that_ignores_ranges_starts_anew(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content, ignore_ranges)
        fetch(challenge, root=tmp_path, patience=IMPATIENT)
        assert is_here(challenge, tmp_path)
        assert server.asked(NAME) == [None, f"bytes={len(content) // 2}-"]

    def test_one_that_sends_less_than_it_says_is_given_up(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content, say_length(+100))
        with pytest.raises(DataError, match="given up after"):
            fetch(challenge, root=tmp_path, patience=IMPATIENT)

    def test_one_that_sends_too_little_and_says_so_is_found_by_the_checksum(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content, say_length(-100))
        with pytest.raises(DataError, match="not the file that was asked for"):
            fetch(challenge, root=tmp_path, patience=IMPATIENT)
        assert not list(tmp_path.rglob("*.h5"))

    def test_a_length_that_is_not_the_known_one_stops_before_the_download(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        url = server.add(NAME, content)
        file = toy_file(url=url, checksum=sha256(content), n_bytes=len(content) + 1)
        told = f"announces {len(content):,} bytes"
        with pytest.raises(DataError, match=told):
            fetch(make_challenge([file]), root=tmp_path, patience=IMPATIENT)

    def test_one_that_does_not_say_how_long_the_file_is(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content, serve_without_length)
        fetch(challenge, root=tmp_path)
        assert is_here(challenge, tmp_path)

    def test_a_wrong_file_is_refused_and_not_kept(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content)
        server.add(NAME, content[:-1] + b"x")
        with pytest.raises(DataError, match="not the file that was asked for") as caught:
            fetch(challenge, root=tmp_path, patience=IMPATIENT)
        assert sha256(content) in str(caught.value)
        assert caught.value.exit_code == ExitCode.ENVIRONMENT
        assert not list(tmp_path.rglob("*.h5*"))

    def test_a_part_of_another_file_is_thrown_away(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content)
        part = tmp_path / "toy" / "downloads" / f"{NAME}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"x" * 1000)
        fetch(challenge, root=tmp_path, patience=IMPATIENT)
        assert is_here(challenge, tmp_path)
        assert server.asked(NAME) == ["bytes=1000-", None]

    @pytest.mark.parametrize("surplus", [0, 10])
    def test_a_part_as_long_as_the_file_or_longer(
        self, server: Served, content: bytes, tmp_path: Path, surplus: int
    ) -> None:
        challenge = challenge_at(server, content)
        part = tmp_path / "toy" / "downloads" / f"{NAME}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(content + b"x" * surplus)
        fetch(challenge, root=tmp_path, patience=IMPATIENT)
        assert is_here(challenge, tmp_path)

    @pytest.mark.parametrize("status", [404, 403, 410])
    def test_a_refusal_is_told_at_once(
        self, server: Served, content: bytes, tmp_path: Path, status: int
    ) -> None:
        challenge = challenge_at(server, content, fail_first(99, status))
        with pytest.raises(DataError, match=f"the server says {status}"):
            fetch(challenge, root=tmp_path, patience=IMPATIENT)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [500, 502, 503, 429])
    def test_two_faults_then_the_file(
        self, server: Served, content: bytes, tmp_path: Path, status: int
    ) -> None:
        challenge = challenge_at(server, content, fail_first(2, status))
        fetch(challenge, root=tmp_path, patience=IMPATIENT)
        assert is_here(challenge, tmp_path)
        assert len(server.requests) == 3

    def test_one_that_asks_for_patience_gets_it(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content, fail_first(1, 429, Retry_After="1"))
        start = time.monotonic()
        fetch(challenge, root=tmp_path, patience=IMPATIENT)
        assert time.monotonic() - start >= 1.0

    def test_no_server_at_all(self, content: bytes, tmp_path: Path, server: Served) -> None:
        del server
        file = toy_file(url="http://127.0.0.1:9/x.h5", checksum=sha256(content))
        with pytest.raises(DataError, match="given up after 3 attempts"):
            fetch(make_challenge([file]), root=tmp_path, patience=IMPATIENT)

    def test_an_address_that_is_none(self, content: bytes, tmp_path: Path) -> None:
        file = toy_file(url="gopher://x/y.h5", checksum=sha256(content))
        with pytest.raises(DataError, match="gopher"):
            fetch(make_challenge([file]), root=tmp_path, patience=IMPATIENT)


class TestProgress:
    def test_bytes_and_events_are_told_with_their_totals(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        told: list[tuple[str, int, int | None, str]] = []
        challenge = challenge_at(server, content)
        fetch(challenge, root=tmp_path, progress=lambda *step: told.append(step))
        assert told[0] == (NAME, 0, len(content), "bytes")
        assert (NAME, len(content), len(content), "bytes") in told
        assert told[-1] == (f"convert {NAME}", 600, 600, "events")

    def test_a_resumed_download_begins_where_it_stopped(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        told: list[int] = []
        challenge = challenge_at(server, content)
        part = tmp_path / "toy" / "downloads" / f"{NAME}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(content[:5000])
        fetch(challenge, root=tmp_path, progress=lambda _, done, *__: told.append(done))
        assert told[0] == 5000


class TestZenodo:
    def test_checksum_size_and_address_come_from_the_record_and_are_pinned(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        server.add_record(RECORD, {"other.h5": b"other", NAME: content})
        challenge = make_challenge([toy_file(record=RECORD)])
        report = fetch(challenge, root=tmp_path, zenodo=server.url)
        assert report.files[0].checksum == md5(content)
        assert report.files[0].checksum_origin == f"Zenodo record {RECORD}"
        assert is_here(challenge, tmp_path)
        pin = read_pins(tmp_path / "toy" / "pins.json")[NAME]
        assert (pin.checksum, pin.n_bytes) == (md5(content), len(content))

    def test_a_pin_holds_against_a_record_that_changes_its_mind(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = make_challenge([toy_file(record=RECORD)])
        server.add_record(RECORD, {NAME: content})
        fetch(challenge, root=tmp_path, zenodo=server.url)
        shutil.rmtree(tmp_path / "toy" / "background")
        shutil.rmtree(tmp_path / "toy" / "downloads")
        server.add_record(RECORD, {NAME: content[:-1] + b"x"})
        with pytest.raises(DataError, match="not the file that was asked for"):
            fetch(challenge, root=tmp_path, zenodo=server.url, patience=IMPATIENT)

    def test_a_pin_of_another_record_does_not_count(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        server.add_record("1", {NAME: b"old"})
        server.add_record("2", {NAME: content})
        with pytest.raises(DataError):
            fetch(make_challenge([toy_file(record="1")]), root=tmp_path, zenodo=server.url)
        challenge = make_challenge([toy_file(record="2")])
        fetch(challenge, root=tmp_path, zenodo=server.url)
        assert is_here(challenge, tmp_path)

    def test_the_environment_may_name_a_copy_of_zenodo(
        self, server: Served, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HARNESS_ZENODO", f"{server.url}/")
        server.add_record(RECORD, {NAME: content})
        challenge = make_challenge([toy_file(record=RECORD)])
        fetch(challenge, root=tmp_path)
        assert is_here(challenge, tmp_path)

    def test_a_name_that_the_record_does_not_hold_is_answered_with_those_it_does(
        self, server: Served, tmp_path: Path
    ) -> None:
        server.add_record(RECORD, {"BlackBox_13TeV_PU20.h5": b"x"})
        challenge = make_challenge([toy_file(record=RECORD)])
        with pytest.raises(DataError, match=r"it holds BlackBox_13TeV_PU20\.h5"):
            fetch(challenge, root=tmp_path, zenodo=server.url)

    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            ({"checksum": "md5:short"}, "checksum"),
            ({"size": -1}, "size"),
            ({"links": {}}, "links"),
            ({"links": {"self": "file:///etc/passwd"}}, "links"),
        ],
    )
    def test_a_record_that_is_none_is_told_as_such(
        self, server: Served, tmp_path: Path, changes: dict[str, object], complaint: str
    ) -> None:
        server.add_record(RECORD, {NAME: b"x"}, **changes)
        with pytest.raises(DataError, match=f"files.0.{complaint}"):
            fetch(make_challenge([toy_file(record=RECORD)]), root=tmp_path, zenodo=server.url)

    def test_an_html_page_is_no_record(self, server: Served, tmp_path: Path) -> None:
        server.add(f"api/records/{RECORD}", b"<html>maintenance</html>")
        with pytest.raises(DataError, match="a record of Zenodo"):
            fetch(make_challenge([toy_file(record=RECORD)]), root=tmp_path, zenodo=server.url)

    def test_an_unknown_record(self, server: Served, tmp_path: Path) -> None:
        challenge = make_challenge([toy_file(record=RECORD), toy_file("b.h5", process="b")])
        with pytest.raises(DataError) as caught:
            fetch(challenge, root=tmp_path, zenodo=server.url)
        # Both files are told of at once.
        assert "the server says 404" in str(caught.value)
        assert "b.h5: no checksum is known" in str(caught.value)


class TestPins:
    def test_a_file_is_pinned_once_its_structure_was_accepted(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        """A corrected file takes the place of one that was refused, by itself."""
        for place, make in (
            ("record", lambda: server.add_record(RECORD, {NAME: b"no HDF5"})),
            ("url", lambda: server.add(NAME, b"no HDF5")),
        ):
            root = tmp_path / place
            make()
            file = (
                toy_file(record=RECORD)
                if place == "record"
                else toy_file(url=f"{server.url}/{NAME}")
            )
            challenge = make_challenge([file])
            with pytest.raises(DataError, match="no HDF5 file"):
                fetch(challenge, root=root, zenodo=server.url, trust_first_use=True)
            assert read_pins(root / "toy" / "pins.json") == {}
            server.add_record(RECORD, {NAME: content})
            server.add(NAME, content)
            fetch(challenge, root=root, zenodo=server.url, trust_first_use=True)
            assert is_here(challenge, root)
            pinned = read_pins(root / "toy" / "pins.json")[NAME].checksum
            assert pinned == (md5(content) if place == "record" else sha256(content))

    @pytest.mark.parametrize("place", ["record", "url", "folder"])
    def test_pinned_again_when_the_publisher_corrected_a_file(
        self, server: Served, content: bytes, tmp_path: Path, place: str
    ) -> None:
        other = write_hdf5(tmp_path / NAME, make_events(500, seed=9)).read_bytes()
        folder = tmp_path / "files"
        folder.mkdir()

        def publish(published: bytes) -> None:
            server.add_record(RECORD, {NAME: published})
            server.add(NAME, published)
            (folder / NAME).write_bytes(published)

        publish(content)
        fields = {"record": RECORD} if place == "record" else {"url": f"{server.url}/{NAME}"}
        challenge = make_challenge([toy_file(**fields)])
        options = {"trust_first_use": place != "record", "zenodo": server.url}
        options |= {"source_folder": folder} if place == "folder" else {}
        fetch(challenge, root=tmp_path, **options)
        publish(other)
        again = fetch(challenge, root=tmp_path, patience=IMPATIENT, **options)
        assert again.files[0].action == "cached"
        shutil.rmtree(tmp_path / "toy" / "background")
        shutil.rmtree(tmp_path / "toy" / DOWNLOAD_FOLDER, ignore_errors=True)
        with pytest.raises(DataError, match="fetch --repin"):
            fetch(challenge, root=tmp_path, patience=IMPATIENT, **options)
        for _ in range(2):
            report = fetch(challenge, root=tmp_path, repin=True, **options)
            assert report.files[0].n_events == 500
        assert fetch(challenge, root=tmp_path, **options).files[0].action == "cached"
        pin = read_pins(tmp_path / "toy" / "pins.json")[NAME]
        assert pin.n_bytes == len(other)

    def test_a_file_that_is_refused_keeps_what_was_pinned_and_cached(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = make_challenge([toy_file(record=RECORD)])
        server.add_record(RECORD, {NAME: content})
        fetch(challenge, root=tmp_path, zenodo=server.url)
        server.add_record(RECORD, {NAME: b"no HDF5"})
        with pytest.raises(DataError, match="no HDF5 file"):
            fetch(challenge, root=tmp_path, zenodo=server.url, repin=True)
        assert read_pins(tmp_path / "toy" / "pins.json")[NAME].checksum == md5(content)
        assert is_here(challenge, tmp_path)

    def test_a_checksum_of_the_manifest_is_never_pinned_again(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content)
        fetch(challenge, root=tmp_path)
        server.add(NAME, b"another")
        report = fetch(challenge, root=tmp_path, repin=True, trust_first_use=True)
        assert report.files[0].action == "cached"


class TestTrust:
    def test_a_file_without_any_checksum_is_refused(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = make_challenge([toy_file(url=server.add(NAME, content))])
        with pytest.raises(DataError, match="no checksum is known") as caught:
            fetch(challenge, root=tmp_path)
        assert "--trust-first-use" in str(caught.value)
        assert not server.requests

    def test_trusted_on_first_use_it_is_pinned_and_held_against_the_pin(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = make_challenge([toy_file(url=server.add(NAME, content))])
        report = fetch(challenge, root=tmp_path, trust_first_use=True)
        assert report.files[0].checksum == sha256(content)
        assert report.files[0].checksum_origin == "first use"
        shutil.rmtree(tmp_path / "toy" / "background")
        shutil.rmtree(tmp_path / "toy" / "downloads")
        server.add(NAME, content[:-1] + b"x")
        with pytest.raises(DataError, match="not the file that was asked for"):
            fetch(challenge, root=tmp_path, patience=IMPATIENT)

    def test_a_mirror_never_says_what_a_file_should_be(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        server.add_record(RECORD, {NAME: content})
        server.add(f"mirror/{NAME}", content[:-1] + b"x")
        challenge = make_challenge([toy_file(record=RECORD)])
        mirror = f"{server.url}/mirror"
        with pytest.raises(DataError, match="not the file that was asked for"):
            fetch(challenge, root=tmp_path, mirror=mirror, zenodo=server.url, patience=IMPATIENT)
        server.add(f"mirror/{NAME}", content)
        fetch(challenge, root=tmp_path, mirror=f"{mirror}/", zenodo=server.url)
        assert is_here(challenge, tmp_path)

    def test_broken_pins_are_told_with_their_place(self, tmp_path: Path) -> None:
        (tmp_path / "toy").mkdir()
        (tmp_path / "toy" / "pins.json").write_text("{")
        with pytest.raises(DataError, match=r"pins\.json: the whole file"):
            fetch(make_challenge([toy_file(record=RECORD)]), root=tmp_path)


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path, content: bytes) -> Path:
        folder = tmp_path / "site's données"
        folder.mkdir()
        (folder / NAME).write_bytes(content)
        return folder

    def test_files_are_read_in_place(self, folder: Path, content: bytes, tmp_path: Path) -> None:
        challenge = make_challenge([toy_file(checksum=md5(content))])
        root = tmp_path / "cache"
        report = fetch(challenge, root=root, source_folder=folder)
        assert report.files[0].action == "folder"
        assert is_here(challenge, root)
        assert not list(root.rglob("*.h5"))

    def test_another_file_than_the_manifests_is_refused(self, folder: Path, tmp_path: Path) -> None:
        challenge = make_challenge([toy_file(checksum="sha256:" + "0" * 64)])
        with pytest.raises(DataError, match="its checksum is sha256"):
            fetch(challenge, root=tmp_path / "cache", source_folder=folder)

    def test_all_missing_files_are_told_at_once(self, folder: Path, tmp_path: Path) -> None:
        files = [toy_file(f"{name}.h5", process=name) for name in ("a", "b")]
        challenge = make_challenge([toy_file(), *files])
        with pytest.raises(DataError) as caught:
            fetch(challenge, root=tmp_path, source_folder=folder, trust_first_use=True)
        assert str(caught.value).count("there is no such file") == 2

    def test_a_wrong_number_of_events(self, folder: Path, content: bytes, tmp_path: Path) -> None:
        challenge = make_challenge([toy_file(checksum=sha256(content), n_events=601)])
        with pytest.raises(DataError, match="holds 600 events"):
            fetch(challenge, root=tmp_path / "cache", source_folder=folder)

    @pytest.mark.parametrize(
        ("spoil", "complaint"),
        [
            (lambda path: path.write_bytes(path.read_bytes()[:2000]), "HDF5 cannot read it"),
            (lambda path: path.write_bytes(b""), "HDF5 cannot read it"),
            (lambda path: write_hdf5(path, make_events(5), dataset="Jets"), "no dataset Particles"),
            (
                lambda path: write_hdf5(path, with_nan(make_events(50))),
                "event 33, slot 0: pt = nan",
            ),
        ],
    )
    def test_broken_files_leave_no_cache(
        self, folder: Path, tmp_path: Path, spoil: object, complaint: str
    ) -> None:
        spoil(folder / NAME)
        challenge = make_challenge([toy_file()])
        root = tmp_path / "cache"
        with pytest.raises(DataError, match=complaint):
            fetch(challenge, root=root, source_folder=folder, trust_first_use=True)
        with pytest.raises(DataError, match="not in the cache"):
            open_store(challenge, root)

    def test_no_such_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no such folder"):
            fetch(make_challenge([toy_file()]), root=tmp_path, source_folder=tmp_path / "none")

    def test_a_mirror_and_a_folder_exclude_each_other(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="exclude"):
            fetch(
                make_challenge([toy_file()]), root=tmp_path, source_folder=folder, mirror="http://x"
            )

    def test_a_mirror_that_is_no_address(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no address of a mirror"):
            fetch(make_challenge([toy_file()]), root=tmp_path, mirror="/some/folder")


class TestDryRun:
    def test_it_tells_what_how_large_and_where_and_writes_nothing(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        server.add_record(RECORD, {NAME: content})
        challenge = make_challenge([toy_file(record=RECORD, n_events=600)])
        report = fetch(challenge, root=tmp_path, dry_run=True, zenodo=server.url)
        assert report.is_dry_run
        assert report.download_bytes == len(content)
        # 600 events of 57 float32 and a uint64, with two headers of 128 bytes.
        assert report.disk_bytes == len(content) + 600 * (57 * 4 + 8) + 256
        (file,) = report.files
        assert file.action == "download"
        assert file.target == tmp_path / "toy" / "background"
        assert not list(tmp_path.iterdir())

    def test_it_works_without_a_network(self, server: Served, tmp_path: Path) -> None:
        url = server.url.rpartition(":")[0] + ":9"
        challenge = make_challenge([toy_file(record=RECORD, n_events=600)])
        patience = Patience(max_attempts=1, first_wait_s=0.01)
        report = fetch(challenge, root=tmp_path, dry_run=True, zenodo=url, patience=patience)
        assert report.files[0].n_bytes is None

    def test_what_is_already_here_is_not_counted(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content)
        fetch(challenge, root=tmp_path)
        report = fetch(challenge, root=tmp_path, dry_run=True)
        assert (report.download_bytes, report.disk_bytes) == (0, 0)


class TestDisk:
    def test_too_little_space_stops_before_the_download(
        self, server: Served, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = shutil.disk_usage(tmp_path)._replace(free=1000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(EnvironmentFaultError, match="GB are free"):
            fetch(challenge_at(server, content), root=tmp_path)
        assert not server.requests

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
    def test_a_disk_that_fills_during_the_download(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content)
        part = tmp_path / "toy" / "downloads" / f"{NAME}.part"
        part.parent.mkdir(parents=True)
        part.symlink_to("/dev/full")
        with pytest.raises(EnvironmentFaultError, match="No space left"):
            fetch(challenge, root=tmp_path, patience=IMPATIENT)

    def test_a_folder_that_cannot_be_written(self, server: Served, content: bytes) -> None:
        # Not even root makes a folder below /proc.
        with pytest.raises(EnvironmentFaultError, match="cannot be written"):
            fetch(challenge_at(server, content), root=Path("/proc/cache"))


class TestServersWithoutEnd:
    """Each would go on for ever, or fill the disk."""

    def test_a_body_without_end(
        self, server: Served, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(download, "_MOST_BYTES", 3_000_000)
        challenge = challenge_at(server, content, serve_for_ever)
        with pytest.raises(DataError, match="more than 3,000,000 bytes"):
            fetch(challenge, root=tmp_path, patience=IMPATIENT)
        assert not list(tmp_path.rglob("*.part"))

    def test_a_body_longer_than_its_declared_size(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content, serve_for_ever, n_bytes=len(content))
        with pytest.raises(DataError, match=f"more than {len(content):,} bytes"):
            fetch(challenge, root=tmp_path, patience=IMPATIENT)
        assert not list(tmp_path.rglob("*.part"))

    def test_interim_answers_without_end(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content, go_on_for_ever)
        patience = Patience(max_attempts=2, first_wait_s=0.01, answer_s=0.3)
        with pytest.raises(DataError, match=r"the server gave no answer in 0\.3 s"):
            fetch(challenge, root=tmp_path, patience=patience)

    def test_a_line_that_drips(
        self, server: Served, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(download, "_SPEED_S", 0.2)
        challenge = challenge_at(server, content, serve_slowly(1, 0.02))
        patience = Patience(max_attempts=2, first_wait_s=0.01, total_s=2.0)
        with pytest.raises(DataError, match="not whole after"):
            fetch(challenge, root=tmp_path, patience=patience)
        assert len(server.asked(NAME)) > 2

    def test_the_time_of_a_file_ends_while_the_server_is_silent(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content, serve_after(0.5))
        patience = Patience(max_attempts=1, first_wait_s=0.01, total_s=0.2)
        with pytest.raises(DataError, match="not whole after"):
            fetch(challenge, root=tmp_path, patience=patience)

    def test_the_time_of_a_file_ends_though_each_attempt_brings_something(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content, cut_after(10))
        patience = Patience(max_attempts=2, first_wait_s=0.01, total_s=1.0)
        with pytest.raises(DataError, match="not whole after"):
            fetch(challenge, root=tmp_path, patience=patience)

    def test_nothing_is_asked_for_when_the_time_of_a_file_is_over(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        # An answer that nobody waits for would stay open.
        challenge = challenge_at(server, content)
        before = set(threading.enumerate())
        with pytest.raises(DataError, match="not whole after"):
            fetch(challenge, root=tmp_path, patience=Patience(total_s=0.0))
        for thread in set(threading.enumerate()) - before:
            thread.join()
        assert server.asked(NAME) == []


class TestDamage:
    def test_a_flipped_byte_is_noticed_and_fetched_again(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content)
        fetch(challenge, root=tmp_path)
        events = tmp_path / "toy" / "background" / "events.npy"
        whole = events.read_bytes()
        for name in ("events.npy", next(events.parent.glob("hashes-*.npy")).name):
            path = events.with_name(name)
            damaged = bytearray(path.read_bytes())
            damaged[len(damaged) // 2] ^= 1
            path.write_bytes(damaged)

            with pytest.raises(DataError, match=f"the cache is damaged: .*{name}") as caught:
                open_store(challenge, tmp_path)

            assert "harness fetch toy" in str(caught.value)
            assert fetch(challenge, root=tmp_path).files[0].action == "download"
            assert events.read_bytes() == whole
            open_store(challenge, tmp_path)


class TestBlackBox:
    def test_it_is_fetched_only_when_asked_for(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content)
        box = toy_file(
            "bb.h5",
            role="blackbox",
            process="blackbox",
            url=server.add("bb.h5", content),
            checksum=sha256(content),
        )
        challenge = challenge.model_copy(update={"files": (*challenge.files, box)})
        fetch(challenge, root=tmp_path)
        assert open_store(challenge, tmp_path).processes == ("background",)
        fetch(challenge, root=tmp_path, with_blackbox=True)
        assert open_store(challenge, tmp_path).processes == ("background", "blackbox")


SCRIPT = """
import sys
from pathlib import Path
from harness.challenge import Challenge
from harness.data.fetch import fetch
challenge = Challenge.model_validate_json(sys.argv[1])
try:
    fetch(challenge, root=Path(sys.argv[2]))
except KeyboardInterrupt:
    sys.exit(130)
"""


def start_fetch(challenge: Challenge, root: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, challenge.model_dump_json(), str(root)],
        cwd=ROOT_OF_REPOSITORY,
        stderr=subprocess.DEVNULL,
        # A shell's background job ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


class TestProcesses:
    @pytest.mark.parametrize(("kill", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
    def test_an_interrupted_download_goes_on_where_it_stopped(
        self, server: Served, content: bytes, tmp_path: Path, kill: signal.Signals, code: int
    ) -> None:
        challenge = challenge_at(server, content, hold_after(len(content) // 2))
        part = tmp_path / "toy" / "downloads" / f"{NAME}.part"
        running = start_fetch(challenge, tmp_path)
        deadline = time.monotonic() + 120
        while not (part.exists() and part.stat().st_size > 0) and time.monotonic() < deadline:
            time.sleep(0.01)
        running.send_signal(kill)
        assert running.wait(60) == code
        held = part.stat().st_size
        assert 0 < held < len(content)
        server.add(NAME, content, serve_well)
        fetch(challenge, root=tmp_path)
        assert is_here(challenge, tmp_path)
        assert server.asked(NAME)[-1] == f"bytes={held}-"

    def test_two_at_once_download_once_and_both_end_well(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content, serve_slowly(4000, 0.02))
        running = [start_fetch(challenge, tmp_path) for _ in range(2)]
        assert [process.wait(60) for process in running] == [0, 0]
        assert is_here(challenge, tmp_path)
        assert server.asked(NAME) == [None]

    def test_the_second_says_that_it_waits(
        self, server: Served, content: bytes, tmp_path: Path
    ) -> None:
        challenge = challenge_at(server, content)
        lock = lock_process(challenge, "background", tmp_path)
        lock.acquire()
        told: list[str] = []

        def note(label: str, *_: object) -> None:
            told.append(label)
            lock.release(force=True)

        fetch(challenge, root=tmp_path, progress=note)
        assert told[0] == f"waiting for another process that works on {NAME}"
        assert is_here(challenge, tmp_path)


def with_nan(events: np.ndarray) -> np.ndarray:
    events[33, 0, 0] = np.nan
    return events


def test_the_report_is_a_value_that_says_where_things_are(
    server: Served, content: bytes, tmp_path: Path
) -> None:
    report = fetch(challenge_at(server, content), root=tmp_path)
    assert isinstance(report, FetchReport)
    assert (report.challenge, report.root, report.is_dry_run) == ("toy", tmp_path, False)
    about = json.loads((report.files[0].target / "about.json").read_text())
    assert about["checksum"] == report.files[0].checksum
    assert (tmp_path / "toy" / DOWNLOAD_FOLDER / NAME).is_file()
