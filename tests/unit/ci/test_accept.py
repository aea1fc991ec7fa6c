"""A branch pushed to a bare remote is merged if a pull request with it would be scored."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.challenge import IntakeRules
from harness.ci import accept
from harness.ci.accept import accept_branch
from harness.ci.documents import Plan
from harness.ci.git import Repository
from tests.repositories import GitRepository, submission


@pytest.fixture
def remote(tmp_path: Path) -> GitRepository:
    return GitRepository.init(tmp_path / "remote", submission("team_a", owners=["ada"]))


def push(remote: GitRepository, *, author: str = "bob") -> Plan:
    return accept_branch(remote.reader, "entry", intake=IntakeRules(), author=author)


def test_a_team_is_merged_and_both_commits_are_its_parents(remote):
    before = remote.git("rev-parse", "main")
    head = remote.commit("entry", submission("team_b", owners=["bob"]))
    assert [one.team for one in push(remote).submissions] == ["team_b"]
    assert remote.git("rev-parse", "main^1", "main^2").split() == [before, head]
    names = remote.git("ls-tree", "--name-only", "main:submissions").split()
    assert names == ["team_a", "team_b"]


@pytest.mark.parametrize(
    "files",
    [
        {"data_manifest.yaml": b"schema: 1\n"},
        {**submission("team_b", owners=["bob"]), "README.md": b"x"},
        submission("team_a", owners=["bob"]),
        submission("team_b", owners=["somebody_else"]),
    ],
    ids=["the rules", "more than a submission", "another team's folder", "another owner"],
)
def test_what_a_pull_request_may_not_bring_is_not_merged(remote, files):
    before = remote.git("rev-parse", "main")
    remote.commit("entry", files)
    assert push(remote).kind in {"refused", "other"}
    assert remote.git("rev-parse", "main") == before


def test_who_pushes_at_the_same_time_loses_nothing(remote, monkeypatch):
    remote.commit("entry", submission("team_b", owners=["bob"]))
    plan = accept.make_plan

    def plan_late(repository: Repository, **values: object) -> Plan:
        made = plan(repository, **values)
        monkeypatch.setattr(accept, "make_plan", plan)
        remote.commit("main", submission("team_c", owners=["eve"]))
        return made

    monkeypatch.setattr(accept, "make_plan", plan_late)
    push(remote)
    names = remote.git("ls-tree", "--name-only", "main:submissions").split()
    assert names == ["team_a", "team_b", "team_c"]
