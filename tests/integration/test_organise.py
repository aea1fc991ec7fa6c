"""The organiser's guide: each way of handing in is played as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from pathlib import Path

import numpy as np
import pytest

from harness.data.manifest import Manifest
from harness.files import read_yaml
from tests.forge import PullRequestRecord, Runner, stand_in
from tests.hackathon import files_of
from tests.integration.test_working_point import manifest
from tests.outputs import csv_ranks
from tests.quick_harness import NO_PAGES_VARIABLE, write_shim
from tests.repositories import _IDENTITY, GitRepository

pytestmark = pytest.mark.whole

PAGE = (Path(__file__).parents[2] / "docs" / "organise.md").read_text(encoding="utf-8")
MARKED = re.compile(
    r"^( *)<!-- run by the tests -->\n *```sh\n(.*?)^ *```", re.DOTALL | re.MULTILINE
)
NEW = "harness new-hackathon mycup"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """The folder beside the contest's, after all blocks of the guide were run in one shell."""
    place = tmp_path_factory.mktemp("organiser")
    (place / "bin").mkdir()
    write_shim(place / "bin")
    # A training takes a minute; a network without weights needs none.
    python = place / "bin" / "python"
    python.write_text("#!/bin/sh\necho 'def network(): ...' > model.py\n", encoding="utf-8")
    python.chmod(0o755)
    given = manifest(place, 1e-5, name="mycup")
    blocks = [textwrap.dedent(block) for _, block in MARKED.findall(PAGE)]
    script = "\n".join(blocks).replace(NEW, f"{NEW} --from {given}")
    # What pip would install from depends on the machine.
    script = re.sub(r"(?m)^(harness new-hackathon .*)", r"\1 --package harness==0", script)
    _write_table(place / "pulses.csv")
    path = os.pathsep.join([str(place / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        ["/bin/sh", "-eux", "-c", script],
        cwd=place,
        env={**os.environ, **_IDENTITY, "PATH": path, NO_PAGES_VARIABLE: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (place / "said").write_text(done.stdout + done.stderr, encoding="utf-8")
    return place


def _write_table(path: Path) -> None:
    """Write pulses with their classes: the organiser's own data."""
    rng = np.random.default_rng(1)
    kinds = np.repeat(["noise", "burst"], [3000, 100])
    values = rng.normal(0, 40, (len(kinds), 2)) + 100 * (kinds == "burst")[:, np.newaxis]
    rows = "".join(f"{a:.3f},{b:.3f},{kind}\n" for (a, b), kind in zip(values, kinds, strict=True))
    path.write_text(f"amp [mV],drift time,label\n{rows}", encoding="utf-8")


@pytest.mark.timeout(900)
def test_a_table_of_any_features_becomes_a_contest(place):
    rules = read_yaml(place / "pulsecup" / "data_manifest.yaml", Manifest)
    assert rules.default_name == "pulses"
    assert rules.challenge(None).layout.features == ("amp_mv", "drift_time")
    page = (place / "pulsecup" / "RULES.md").read_text(encoding="utf-8")
    assert "each with amp_mv, drift_time" in page


@pytest.mark.timeout(900)
def test_a_pushed_branch_is_accepted_scored_and_on_the_board_of_the_remote(place):
    assert "accepted: my_team (added)" in (place / "said").read_text(encoding="utf-8")
    names = GitRepository(place / "mycup.git").git("ls-tree", "-r", "--name-only", "board")
    assert re.search(r"^results/mycup/my_team/.*\.json$", names, re.MULTILINE)


@pytest.mark.timeout(900)
def test_a_folder_that_was_copied_is_received_and_the_ranking_is_exported(place):
    contest = place / "mycup"
    assert '"team":"my_team"' in (contest / "board/results/inbox.jsonl").read_text()
    assert csv_ranks((contest / "ranking.csv").read_text(encoding="utf-8")) == {"my_team": 1}
    assert (contest / "site" / "mycup" / "index.html").is_file()


@pytest.mark.timeout(900)
def test_the_workflows_of_the_contest_lead_from_a_pull_request_to_the_board(place):
    upstream = GitRepository(place / "mycup.git")
    head = upstream.commit("fork", files_of("anna", (5e-2, 5e-2)))
    upstream.git("update-ref", "refs/pull/7/head", head)
    base = upstream.git("rev-parse", "main")
    with stand_in() as stand:
        runner = Runner(
            upstream=upstream.folder,
            folder=place / "runs",
            stand=stand,
            environment={NO_PAGES_VARIABLE: "1"},
            workflows=place / "mycup" / ".github" / "workflows",
            programs=place / "bin",
        )
        runner.folder.mkdir()
        stand.pulls[7] = PullRequestRecord(
            number=7,
            author="organiser",
            head_repository="ada/mycup",
            head_branch="anna",
            head_sha=head,
            base_sha=base,
            files=[f"submissions/anna/{name}" for name in ("model.py", "submission.yaml")],
        )
        opened = {"number": 7, "user": {"login": "organiser"}}
        opened |= {"base": {"sha": base}, "head": {"sha": head}}
        scored = runner.run("score-pr.yml", {"pull_request": opened})
        assert scored.is_good, scored.steps
        finished = {"id": 1, "event": "pull_request", "conclusion": "success", "head_sha": head}
        finished |= {"head_branch": "anna", "head_repository": {"full_name": "ada/mycup"}}
        event = {"workflow_run": finished, "repository": {"default_branch": "main"}}
        commented = runner.run("comment.yml", event)
        assert commented.is_good, commented.steps
        assert "Expected rank 1" in stand.comment_of(7)
        upstream.git("update-ref", "refs/heads/main", head)
        published = runner.run("publish.yml", {})
        assert published.is_good, published.steps
    assert "results/mycup/anna" in upstream.git("ls-tree", "-r", "--name-only", "board")


def test_every_way_is_run_by_the_tests():
    ways = re.split(r"^### Way \d: ", PAGE.split("## 4.")[0], flags=re.MULTILINE)[1:]
    assert len(ways) == 3
    assert all(MARKED.search(way) for way in ways)


def test_the_readme_and_the_manifest_of_a_contest_hold(place):
    contest = place / "mycup"
    rules = read_yaml(contest / "data_manifest.yaml", Manifest)
    assert rules.default_name == "mycup"
    first = (contest / "data_manifest.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=manifest.schema.json"
    assert (contest / "manifest.schema.json").is_file()
    for name in re.findall(r"`([\w./-]+/|[\w-]+\.\w+)`", (contest / "README.md").read_text()):
        assert (contest / name).exists() or name.startswith("docs"), name
