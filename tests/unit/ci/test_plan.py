"""What a pull request changes is told by its commits alone, and who may change it by the base's."""

from __future__ import annotations

import os

import pytest

from harness.challenge import IntakeRules
from harness.ci.git import GitError
from harness.ci.plan import make_plan
from harness.errors import UsageError
from tests.repositories import GitRepository, declaration, submission

BASE = {
    "README.md": b"The benchmark.\n",
    "harness/scorer.py": b"score = 1\n",
    **submission("team_a", owners=["ada"]),
    **submission("team_b", owners=["bob", "Carol"]),
    **submission("orphan", owners=[]),
}


@pytest.fixture
def repository(tmp_path):
    return GitRepository.init(tmp_path / "upstream", BASE)


def plan(repository, files, *, author=None, base="main", parent="main", **rules):
    repository.commit("pr", files, parent=parent)
    return make_plan(
        repository.reader, base=base, head="pr", intake=IntakeRules(**rules), author=author
    )


def told(made):
    assert made.kind == "refused"
    return "\n".join(f"{one.where}: {one.what}" for one in made.problems)


def test_a_new_submission_is_planned_with_the_tree_that_the_merge_gives(repository):
    made = plan(repository, submission("new_team", owners=["dora"]), author="dora")

    (one,) = made.submissions
    assert (made.kind, one.team, one.change, one.n_files) == ("submissions", "new_team", "added", 2)
    assert one.tree == repository.git("rev-parse", "pr:submissions/new_team")


def test_the_planned_tree_holds_what_main_gained_since_the_branch_began(repository):
    # Main mends one file while the pull request changes another: what is scored is both.
    repository.commit("main", {"submissions/team_a/notes.txt": b"from main\n"})
    made = plan(
        repository, {"submissions/team_a/model.py": b"def score(e): ...\n"}, parent="main~1"
    )

    names = [entry.path for entry in repository.reader.entries(made.submissions[0].tree)]
    assert sorted(names) == ["model.py", "notes.txt", "submission.yaml"]


def test_modified_deleted_and_renamed_are_told_apart(repository):
    change = {
        "submissions/team_a/model.py": b"def score(e): return 0\n",
        **dict.fromkeys(submission("team_b")),
        **submission("team_c", owners=["bob"]),
        # Its files are those of the renamed one: only one of the two is the source.
        **dict.fromkeys(submission("orphan")),
    }
    made = plan(repository, change, max_submissions=9)

    changes = {one.team: (one.change, one.renamed_from) for one in made.submissions}
    assert changes["team_a"] == ("modified", None)
    assert changes["team_c"][0] == "renamed"
    (gone,) = set(changes) - {"team_a", "team_c"}
    assert changes[gone] == ("deleted", None)
    assert {gone, changes["team_c"][1]} == {"orphan", "team_b"}
    assert [one.team for one in made.to_score] == ["team_a", "team_c"]


def test_a_pull_request_that_touches_no_submission_is_scored_by_nobody(repository):
    made = plan(repository, {"README.md": b"Better.\n"})
    assert (made.kind, made.submissions, made.problems) == ("other", (), ())


def test_a_pull_request_without_a_change_is_empty(repository):
    assert plan(repository, {}).kind == "empty"


def test_a_file_beside_the_folders_of_the_teams_belongs_to_no_submission(repository):
    assert plan(repository, {"submissions/README.md": b"x"}).kind == "other"


def test_an_owner_may_change_the_folder_whatever_the_case_of_the_name(repository):
    change = {"submissions/team_b/model.py": b"def score(e): return 1\n"}
    assert plan(repository, change, author="carol").kind == "submissions"
    assert plan(repository, change, author="BOB").kind == "submissions"


def test_nobody_else_may(repository):
    change = {"submissions/team_b/model.py": b"def score(e): return 1\n"}
    assert "mallory is no owner" in told(plan(repository, change, author="mallory"))


def test_naming_oneself_owner_in_the_same_pull_request_does_not_help(repository):
    change = submission("team_b", owners=["mallory"])
    assert "mallory is no owner" in told(plan(repository, change, author="mallory"))


def test_a_folder_without_owners_belongs_to_the_maintainers(repository):
    change = {"submissions/orphan/model.py": b"def score(e): return 1\n"}
    assert "no owner" in told(plan(repository, change, author="ada"))
    assert plan(repository, change, author="Root", maintainers=("root",)).kind == "submissions"


def test_the_manifest_can_let_anyone_change_every_folder(repository):
    change = {"submissions/team_b/model.py": b"def score(e): return 1\n"}
    assert plan(repository, change, author="x", ownership="anyone").kind == "submissions"


def test_a_new_submission_names_the_account_that_brings_it(repository):
    made = plan(repository, submission("new_team", owners=[]), author="dora")
    assert made.problems[0].fix == "add the line `owners: [dora]`"


def test_deleting_another_teams_folder_is_refused(repository):
    gone = dict.fromkeys(submission("team_b"))
    assert "mallory is no owner" in told(plan(repository, gone, author="mallory"))
    assert plan(repository, gone, author="bob").submissions[0].change == "deleted"


def test_without_an_account_owners_are_not_checked_and_the_plan_says_so(repository):
    change = {"submissions/team_b/model.py": b"def score(e): return 1\n"}
    assert "owners were not checked" in plan(repository, change).notes[0]


def test_an_owner_can_mend_a_broken_declaration(repository):
    broken = declaration("team_a", owners=["ada"], division="both")
    repository.commit("main", {"submissions/team_a/submission.yaml": broken})
    assert plan(repository, submission("team_a", owners=["ada"]), author="ada").kind == (
        "submissions"
    )


def test_all_that_is_wrong_with_a_declaration_is_told_with_its_place(repository):
    wrong = declaration("new_team", division="both", licence="", colour="blue")
    files = {**submission("new_team"), "submissions/new_team/submission.yaml": wrong}
    text = told(plan(repository, files))
    for field in ("division", "licence", "colour"):
        assert f"field {field}" in text


def test_a_folder_without_a_declaration_is_refused(repository):
    files = {"submissions/new_team/model.py": b"x"}
    assert "submissions/new_team/submission.yaml: no such file" in told(plan(repository, files))


def test_more_submissions_than_the_rules_allow_are_refused(repository):
    files = {path: body for i in range(3) for path, body in submission(f"t{i}").items()}
    assert "changes 3 submissions" in told(plan(repository, files, max_submissions=2))


def test_a_conflict_names_the_files(repository):
    repository.commit("main", {"submissions/team_a/model.py": b"def score(e): return 1\n"})
    made = plan(
        repository, {"submissions/team_a/model.py": b"def score(e): return 2\n"}, parent="main~1"
    )
    assert "submissions/team_a/model.py: conflicts with the main branch" in told(made)


def test_a_name_that_is_no_commit_is_a_fault_of_the_call(repository):
    with pytest.raises(UsageError, match="no commit"):
        make_plan(repository.reader, base="main", head="nowhere", intake=IntakeRules())


def test_a_git_that_is_too_old_is_told(repository, tmp_path, monkeypatch):
    old = tmp_path / "git"
    old.write_text(
        '#!/bin/sh\ncase "$*" in *merge-tree*) exit 129 ;; *) exec /usr/bin/env -S '
        f'PATH="{os.environ["PATH"]}" git "$@" ;; esac\n'
    )
    old.chmod(0o755)
    repository.commit("pr", submission("new_team"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(GitError, match=r"2\.38"):
        make_plan(repository.reader, base="main", head="pr", intake=IntakeRules())
