"""`harness fetch cmsl1t` as a command: killed, twice at once, refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.file_server import hold_after, serve_after, serve_well
from tests.hub_fetching import (
    LARGEST,
    N_EVENTS,
    ROOT_OF_REPOSITORY,
    brought,
    challenge,
    downloads,
    events,
)
from tests.hub_server import REPOSITORY, refuse
from tests.hub_server import Hub as StandIn
from tests.integration.conftest import CommandLine

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
