"""`harness fetch` and `harness data` through the command line: messages and exit codes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from harness.cli import cli
from harness.errors import UsageError
from tests.events import make_challenge, make_events, toy_file, with_classes, write_hdf5
from tests.integration.conftest import CommandLine

COMMAND = "from harness.cli import main; main()"


class Site:
    """A folder of files, a manifest of one's own over them, and an empty cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "files on our disk"
        self.cache = folder / "cache ∑"
        self.manifest = folder / "own.yaml"
        self.folder.mkdir()
        write_hdf5(self.folder / "background_for_training.h5", make_events(600))
        write_hdf5(self.folder / "signal.h5", make_events(100, seed=2))
        self.state()

    def state(self) -> None:
        """Write the manifest: the checksums are those of the files as they are now."""
        files = [
            toy_file(checksum=self.checksum("background_for_training.h5")),
            toy_file("signal.h5", role="signal", process="a", checksum=self.checksum("signal.h5")),
        ]
        document = make_challenge(files, name="adc2021").model_dump(mode="json")
        content = {"schema": 1, "challenges": [document]}
        self.manifest.write_text(yaml.safe_dump(content), "utf-8")

    def checksum(self, name: str) -> str:
        return f"sha256:{hashlib.sha256((self.folder / name).read_bytes()).hexdigest()}"

    def run(
        self, *arguments: str, before: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `harness` here; in a process of its own after other code or in another locale."""
        if not before and not environment:
            line = CommandLine(self.folder.parent)
            return line.here(*arguments, env={"HARNESS_CACHE": str(self.cache)})
        return subprocess.run(
            [sys.executable, "-c", before + COMMAND, *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            cwd=self.folder.parent,
            env={**os.environ, "HARNESS_CACHE": str(self.cache), **environment},
        )

    def fetch(self, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
        own = ("--manifest", str(self.manifest), "--from", str(self.folder))
        return self.run("fetch", "adc2021", *own, *more, **environment)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


class TestFetch:
    def test_files_of_a_manifest_of_ones_own_given_as_adc2021(self, site: Site) -> None:
        done = site.fetch("--json")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert [file["n_events"] for file in report["files"]] == [600, 100]
        listed = site.run("data", "--manifest", str(site.manifest), "--json")
        states = {challenge["name"]: challenge for challenge in json.loads(listed.stdout)}
        assert states["adc2021"]["is_ready"]
        assert not states["adc2021-v1"]["is_ready"]

    def test_described_it_writes_the_summary(self, site: Site) -> None:
        site.fetch()
        own = ("--manifest", str(site.manifest), "--results", "results")
        done = site.run("data", "describe", "adc2021", *own)
        assert done.returncode == 0, done.stderr
        summary = json.loads(
            (site.folder.parent / "results" / "adc2021" / "summary.json").read_text("utf-8")
        )
        assert [process["n_events"] for process in summary["processes"]] == [600, 100]

    def test_a_dry_run_says_what_and_where_and_leaves_nothing(self, site: Site) -> None:
        done = site.fetch("--dry-run")
        assert done.returncode == 0, done.stderr
        assert "background_for_training.h5" in done.stdout
        assert not site.cache.exists()

    def test_a_locale_without_utf8_works(self, site: Site) -> None:
        done = site.fetch(LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
        assert done.returncode == 0, done.stderr


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


NO_LOCKS = """
import errno, fcntl, pyseccomp, sys
rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
# A reader's lock, as HDF5 asks for it; the cache, which asks for a writer's, is on another disk.
reader = pyseccomp.Arg(1, pyseccomp.EQ, fcntl.LOCK_SH | fcntl.LOCK_NB)
rules.add_rule(pyseccomp.ERRNO(errno.ENOLCK), "flock", reader)
rules.load()
"""
BAD_DISK = """
import errno, pyseccomp
rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
# The first eight bytes, as HDF5 reads them; Python reads by another call.
rules.add_rule(pyseccomp.ERRNO(errno.EIO), "pread64", pyseccomp.Arg(2, pyseccomp.EQ, 8))
rules.load()
"""
HOLD = """
import h5py, sys, time
file = h5py.File(*sys.argv[1:3])
print("up", flush=True)
time.sleep(60)
"""


@contextmanager
def held(path: Path, mode: str, *, name: str = "") -> Iterator[int]:
    """A program that has a file open, as a notebook does; gives its process number."""
    command = [sys.executable, "-c", HOLD, str(path), mode, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            yield process.pid
        finally:
            process.kill()


class TestHeldFiles:
    """A file that is whole is never called broken, and no message says to delete a file."""

    def told(self, done: subprocess.CompletedProcess[str], *words: str) -> None:
        assert done.returncode == 5, done.stderr
        text = " ".join(done.stderr.split())
        for one in words:
            assert one in text
        for one in ("delete", "replace", "Traceback"):
            assert one not in text

    def test_a_file_that_a_notebook_may_write_names_the_notebook(self, site: Site) -> None:
        path = site.folder / "signal.h5"
        with held(path, "r+", name="ipykernel_launcher") as pid:
            done = site.fetch()
        self.told(done, f"{path}: another program has it open for writing: process {pid}")
        assert "the kernel of a notebook" in done.stderr
        # HDF5 changes a file when it opens it for writing.
        self.told(site.fetch(), "its checksum is", "opened for writing by HDF5")
        site.state()
        assert site.fetch().returncode == 0

    def test_a_file_that_a_notebook_reads_is_read(self, site: Site) -> None:
        with held(site.folder / "signal.h5", "r"):
            assert site.fetch().returncode == 0

    def test_a_file_that_is_being_written_is_not_called_truncated(self, site: Site) -> None:
        with held(site.folder / "signal.h5", "w"):
            self.told(site.fetch(), "another program has it open for writing")

    def test_a_disk_without_locks_is_read(self, site: Site) -> None:
        own = ("--manifest", str(site.manifest), "--from", str(site.folder))
        done = site.run("fetch", "adc2021", *own, before=NO_LOCKS)
        assert done.returncode == 0, done.stderr

    def test_a_disk_that_fails_is_not_a_broken_file(self, site: Site) -> None:
        own = ("--manifest", str(site.manifest), "--from", str(site.folder))
        done = site.run("fetch", "adc2021", *own, before=BAD_DISK)
        self.told(done, "the disk cannot read it: Input/output error", "copy the file to another")

    def test_a_killed_writer_is_named(self, site: Site) -> None:
        path = site.folder / "signal.h5"
        with h5py.File(path, "r+", libver="latest"):
            content = bytearray(path.read_bytes())
        # HDF5 marks files of its newer formats while they are written.
        with h5py.File(path, "w", libver="latest") as file:
            file["Particles"] = with_classes(make_events(100))
            file.flush()
            content = path.read_bytes()
        path.write_bytes(content)
        site.state()
        self.told(site.fetch(), "its writer has not closed it, or was killed")

    def test_a_broken_file_is_not_expected_once_a_whole_one_is_there(self, site: Site) -> None:
        document = yaml.safe_load(site.manifest.read_text("utf-8"))
        for file in document["challenges"][0]["files"]:
            del file["checksum"]
        site.manifest.write_text(yaml.safe_dump(document), "utf-8")
        path = site.folder / "signal.h5"
        content = path.read_bytes()
        truncate(path)
        self.told(site.fetch("--trust-first-use"), "it is truncated", "keep this one until")
        path.write_bytes(content)
        assert site.fetch("--trust-first-use").returncode == 0

    @pytest.mark.parametrize(
        "command",
        [
            ("simulate", "check", "{}"),
            ("simulate", "manifest", "{}"),
            ("import", "result.h5", "--blackbox", "{}"),
            ("import", "{}", "--blackbox", "files on our disk/background_for_training.h5"),
        ],
    )
    def test_every_command_that_reads_such_a_file_names_who_holds_it(
        self, site: Site, command: tuple[str, ...]
    ) -> None:
        path = site.folder / "signal.h5"
        with held(path, "r+") as pid:
            done = site.run(*(part.format(path) for part in command))
        self.told(done, f"{path}: another program has it open for writing: process {pid}")


def put_nan(path: Path) -> None:
    events = make_events(600)
    events[417, 9, 2] = np.nan
    write_hdf5(path, events)


def put(values: np.ndarray) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file["Particles"] = values

    return write


class TestBadInput:
    @pytest.mark.parametrize(
        ("spoil", "told"),
        [
            (truncate, "HDF5 cannot read it: it is truncated"),
            (lambda path: path.write_bytes(b""), "HDF5 cannot read it: it is empty"),
            (lambda path: path.write_bytes(b"<html>"), "it is no HDF5 file: it begins with"),
            (put(np.zeros((5, 57))), "Particles has the shape (5, 57)"),
            (put(np.zeros((0, 19, 4))), "it holds no events"),
            (
                lambda path: write_hdf5(path, make_events(5), dataset="Events"),
                "it has no dataset Particles",
            ),
            (put_nan, "event 417, slot 9: phi = nan is not finite"),
            (put(-with_classes(make_events(5))), "is a negative pT"),
        ],
    )
    def test_a_broken_file_is_told_and_what_was_here_is_kept(
        self, site: Site, spoil: Callable[[Path], object], told: str
    ) -> None:
        assert site.fetch().returncode == 0
        before = {path: path.read_bytes() for path in site.cache.rglob("*.npy")}
        spoil(site.folder / "background_for_training.h5")
        site.state()
        done = site.fetch()
        assert done.returncode == 5
        assert told in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
        assert before == {path: path.read_bytes() for path in site.cache.rglob("*.npy")}
        assert not list(site.cache.rglob("*.part"))

    def test_a_file_that_is_not_the_manifests(self, site: Site) -> None:
        write_hdf5(site.folder / "signal.h5", make_events(100, seed=3))
        done = site.fetch()
        assert done.returncode == 5
        assert "its checksum is" in done.stderr

    def test_an_unknown_challenge(self, site: Site) -> None:
        done = site.run("fetch", "adc2020")
        assert done.returncode == 2
        assert "did you mean adc2021" in done.stderr

    @pytest.mark.parametrize(
        ("place", "value", "told"),
        [
            (("split", "train"), -0.5, "challenges[0].split.train: -0.5 is not accepted"),
            (("split", "key"), None, "challenges[0].split.key: missing field"),
            (("files", 0, "checksum"), "sha1:x", "files[0].checksum: 'sha1:x' is not accepted"),
            (("files", 0, "roll"), "signal", "challenges[0].files[0].roll: unknown field"),
            (("working_point",), 0.5, "challenges[0]: working_point is not among"),
            (("false_positive_rates",), [0.5, 0.1], "false_positive_rates: [0.5, 0.1] is not"),
            (("files",), [], "challenges[0].files: [] is not accepted"),
        ],
    )
    def test_one_fault_of_a_manifest_is_one_problem(
        self, site: Site, place: tuple[str | int, ...], value: object, told: str
    ) -> None:
        document = yaml.safe_load(site.manifest.read_text("utf-8"))
        *way, last = place
        part = document["challenges"][0]
        for step in way:
            part = part[step]
        part[last] = value
        if value is None:
            del part[last]
        site.manifest.write_text(yaml.safe_dump(document), "utf-8")
        done = CliRunner().invoke(cli, ["data", "--manifest", str(site.manifest)])
        assert isinstance(done.exception, UsageError)
        (problem,) = done.exception.problems
        assert told in str(problem)
        assert "{'" not in str(problem)

    def test_a_manifest_with_an_alias_bomb(self, site: Site) -> None:
        site.manifest.write_text("a: &a [x]\nb: [*a, *a]\n")
        done = site.fetch()
        assert done.returncode == 2
        assert "anchors and aliases are not allowed" in done.stderr

    def test_a_folder_that_is_not_there(self, site: Site) -> None:
        site.folder.rename(site.folder.with_name("elsewhere"))
        done = site.fetch()
        assert done.returncode == 2
        assert "Traceback" not in done.stderr

    def test_a_cache_that_is_a_file(self, site: Site) -> None:
        site.cache.write_text("")
        done = site.fetch()
        assert done.returncode == 5
        assert "cannot be written" in done.stderr
