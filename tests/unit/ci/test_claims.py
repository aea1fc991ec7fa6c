"""A claim keeps two scorers off one submission, ends with its time or its process, and is seen."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.ci.claims import PREFIX, Claims
from harness.ci.git import Repository
from tests.repositories import GitRepository

KEY = "0" * 40
OTHER = "1" * 40


@pytest.fixture
def remote(tmp_path) -> GitRepository:
    first = GitRepository.init(tmp_path / "first", {"README.md": b"x"})
    first.git("clone", "--quiet", "--bare", ".", str(tmp_path / "remote"))
    return GitRepository(tmp_path / "remote")


class Clones:
    """Claims of one clone each, on one remote."""

    def __init__(self, remote: GitRepository) -> None:
        self.remote, self.said = remote, []

    def claims(self, name: str, **options: float) -> Claims:
        folder = self.remote.folder.parent / name
        if not folder.exists():
            self.remote.git("clone", "--quiet", ".", str(folder))
        url = str(self.remote.folder)
        return Claims(Repository(folder), url, tell=self.said.append, **options)

    def kept(self) -> list[str]:
        return self.remote.git("for-each-ref", "--format=%(refname)", PREFIX).split()


@pytest.fixture
def clones(remote) -> Clones:
    return Clones(remote)


def test_one_of_two_clones_gets_a_submission_and_the_other_knows_who_has_it(clones):
    with clones.claims("a") as first, clones.claims("b") as second:
        assert first.take(KEY) is None
        assert f"process {os.getpid()} " in second.take(KEY)
        assert second.take(OTHER) is None
        assert first.take(KEY) is None
        assert first.still_holds(KEY)
        assert not second.still_holds(KEY)


def test_claims_are_given_back_in_the_end_also_after_a_failure(clones):
    with pytest.raises(RuntimeError), clones.claims("a") as first:  # noqa: PT012 - what it leaves
        first.take(KEY)
        first.take(OTHER)
        assert len(clones.kept()) == 2
        raise RuntimeError
    assert clones.kept() == []
    with clones.claims("b") as second:
        assert second.take(KEY) is None


def test_a_claim_that_is_not_renewed_is_taken_over_and_its_owner_notices(clones):
    with clones.claims("a", lasts_s=1.0) as first, clones.claims("b") as second:
        # A machine that sleeps renews nothing.
        first._ended.set()
        assert first.take(KEY) is None
        time.sleep(2.1)
        assert second.take(KEY) is None
        assert not first.still_holds(KEY)
        first.renew()
        assert second.still_holds(KEY)
    # The first one gave back nothing that is not its own.
    assert clones.kept() == []


def test_a_claim_that_is_renewed_outlasts_its_time(clones):
    with clones.claims("a", lasts_s=2.0) as first, clones.claims("b") as second:
        first.take(KEY)
        first.take(OTHER)
        before = clones.remote.git("rev-parse", f"{PREFIX}{KEY}")
        end_s = time.monotonic() + 30
        while clones.remote.git("rev-parse", f"{PREFIX}{KEY}") == before:
            assert time.monotonic() < end_s
            time.sleep(0.05)
        first.renew()
        assert first.still_holds(KEY)
        assert second.take(KEY) is not None
        assert second.take(OTHER) is not None


def test_a_claim_of_a_killed_process_of_this_machine_is_taken_over_at_once(clones):
    clones.claims("a")
    script = (
        "import os, signal, sys; from harness.ci.claims import Claims\n"
        "from harness.ci.git import Repository; from pathlib import Path\n"
        "claims = Claims(Repository(Path(sys.argv[1])), sys.argv[2])\n"
        "assert claims.take(sys.argv[3]) is None\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    place = [str(clones.remote.folder.parent / "a"), str(clones.remote.folder)]
    done = subprocess.run(
        [sys.executable, "-c", script, *place, KEY], cwd=Path(__file__).parents[3], check=False
    )
    assert done.returncode == -9
    assert clones.kept() == [f"{PREFIX}{KEY}"]
    with clones.claims("b") as second:
        assert second.take(KEY) is None


def test_a_claim_that_nobody_can_read_is_taken_over(clones):
    clones.remote.git("update-ref", f"{PREFIX}{KEY}", "main")
    with clones.claims("a") as first:
        assert first.take(KEY) is None
    assert clones.kept() == []


def test_a_remote_that_takes_no_claims_is_named_once_and_scoring_goes_on(clones):
    hook = clones.remote.folder / "hooks" / "update"
    hook.write_text(f"#!/bin/sh\ncase $1 in {PREFIX}*) exit 1 ;; esac\n", encoding="utf-8")
    hook.chmod(0o755)
    with clones.claims("a") as first:
        assert first.take(KEY) is None
        assert first.take(OTHER) is None
        assert first.still_holds(KEY)
    (line,) = clones.said
    assert "takes no claims" in line


def test_a_remote_that_is_not_there_for_a_while_stops_no_scoring(clones):
    with clones.claims("a") as first:
        clones.remote.folder.rename(clones.remote.folder.with_name("gone"))
        assert first.take(KEY) is None
        assert first.still_holds(KEY)
    (line,) = clones.said
    assert "is not there" in line


def test_what_others_have_pushed_is_brought_after_the_claim(clones):
    order = []
    claims = clones.claims("a")
    claims._follow = lambda: order.append(clones.kept())
    with claims:
        claims.take(KEY)
    assert order == [[f"{PREFIX}{KEY}"]]
