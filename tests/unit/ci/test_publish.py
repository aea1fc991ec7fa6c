"""Publishing adds to the board and to nothing else; quotas count what was the team's fault."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from harness.board.decisions import add_decision, make_decision
from harness.card.files import write_card
from harness.challenge import utc
from harness.ci.documents import Scoring
from harness.ci.intake import SubmittedFiles
from harness.ci.ledger import read_attempts
from harness.ci.process import ScoringOutcome, ScoringRequest
from harness.ci.publish import publish_challenge, read_branch
from harness.ci.rescore import rescore_all
from harness.errors import DataError, EnvironmentFaultError
from tests import ci_stand_in
from tests.cards import make_card
from tests.ci_stand_in import handed
from tests.repositories import GitRepository, submission

DAY = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def statuses(summary):
    return {one.team: one.status for one in summary.scorings}


def private(settings, tmp_path, *submissions: SubmittedFiles, now=DAY):
    own = replace(settings, results=tmp_path / "private", public=tmp_path / "board" / "results")
    return publish_challenge(submissions, own, now=now)


def test_each_attempt_is_written_down_once(settings):
    publish_challenge([handed("a"), handed("b", note=b"fail")], settings, now=DAY)
    publish_challenge([handed("a"), handed("b", note=b"fail")], settings, now=DAY)

    attempts = read_attempts(settings.results, "sample")
    assert [(one.team, one.status, one.made) for one in attempts] == [
        ("a", "scored", "2026-03-01T12:00:00Z"),
        ("b", "failed", "2026-03-01T12:00:00Z"),
    ]


def test_files_that_failed_are_not_run_again_but_changed_ones_are(settings, tmp_path):
    publish_challenge([handed("a", note=b"fail")], settings, now=DAY)
    again = publish_challenge([handed("a", note=b"fail")], settings, now=DAY)
    mended = publish_challenge([handed("a", note=b"mended")], settings, now=DAY)

    assert "failed before" in again.scorings[0].message
    assert statuses(mended) == {"a": "scored"}


def test_a_fault_of_the_platform_is_run_again_until_it_is_given_up(settings):
    def run(**changes) -> Scoring:
        own = replace(settings, **changes)
        return publish_challenge([handed("a", note=b"platform")], own, now=DAY).scorings[0]

    assert [run().attempts for _ in range(4)] == [2, 2, 2, 0]
    given_up = run()
    assert "given up: the platform failed in 3 runs" in given_up.message
    assert given_up.is_fault_of_platform
    assert len(read_attempts(settings.results, "sample")) == 3
    assert run(is_retrying=True).attempts == 2


def test_what_the_budget_leaves_waits_for_the_next_run_and_counts_for_nothing(settings):
    def score(request: ScoringRequest) -> ScoringOutcome:
        is_late = request.deadline is not None and request.team != "a"
        cut = ScoringOutcome(exit_code=4, message="no time", wall_s=0.0, is_cut=True)
        return cut if is_late else ci_stand_in.score(request)

    teams = [handed(team) for team in "abc"]
    own = replace(settings, score=score, deadline=1.0)
    first = publish_challenge(teams, own, now=DAY)
    assert statuses(first) == {"a": "scored", "b": "waiting", "c": "waiting"}
    assert [one.team for one in read_attempts(settings.results, "sample")] == ["a"]
    second = publish_challenge(teams, replace(own, deadline=None), now=DAY)
    assert statuses(second) == {"a": "known", "b": "scored", "c": "scored"}


def test_a_public_part_that_a_killed_run_did_not_write_is_written_by_the_next(settings, tmp_path):
    private(settings, tmp_path, handed("a"))
    (path,) = (tmp_path / "board/results/sample/a").glob("*.json")
    path.unlink()
    assert statuses(private(settings, tmp_path, handed("a"))) == {"a": "known"}
    assert path.exists()
    assert len(list(path.parent.glob("*.json"))) == 1


def test_the_quota_of_a_day_is_held_and_begins_anew_the_next_day(settings, tmp_path):
    for number in range(2):
        made = private(settings, tmp_path, handed("a", note=b"v%d" % number))
        assert statuses(made) == {"a": "scored"}
    assert statuses(private(settings, tmp_path, handed("a", note=b"v3"))) == {"a": "waiting"}
    tomorrow = datetime(2026, 3, 2, 0, 1, tzinfo=UTC)
    assert statuses(private(settings, tmp_path, handed("a", note=b"v3"), now=tomorrow)) == {
        "a": "scored"
    }


def test_a_new_name_gives_no_new_quota(settings, tmp_path):
    for number in range(2):
        private(settings, tmp_path, handed("a", note=b"v%d" % number))
    moved = make_decision("rename", reason="x", decided=utc(DAY), team="a", to="b")
    add_decision(tmp_path / "board" / "results", "sample", moved)
    assert statuses(private(settings, tmp_path, handed("b", note=b"v3"))) == {"b": "waiting"}
    # Whoever takes the free name is another team.
    later = DAY + timedelta(hours=1)
    made = private(settings, tmp_path, handed("a", note=b"v4"), now=later)
    assert statuses(made) == {"a": "scored"}


def test_what_failed_by_its_own_fault_counts_and_the_platforms_fault_does_not(settings, tmp_path):
    for note in (b"platform", b"platform ", b"platform  "):
        assert statuses(private(settings, tmp_path, handed("a", note=note))) == {"a": "failed"}
    assert statuses(private(settings, tmp_path, handed("a", note=b"fail"))) == {"a": "failed"}
    assert statuses(private(settings, tmp_path, handed("a", note=b"one"))) == {"a": "scored"}
    assert statuses(private(settings, tmp_path, handed("a", note=b"two"))) == {"a": "waiting"}


def test_what_is_known_is_never_waiting(settings, tmp_path):
    private(settings, tmp_path, handed("a", note=b"v0"))
    private(settings, tmp_path, handed("a", note=b"v1"))
    assert statuses(private(settings, tmp_path, handed("a", note=b"v1"))) == {"a": "known"}


def test_what_a_private_run_printed_is_told_to_nobody(settings, tmp_path):
    made = private(settings, tmp_path, handed("a", note=b"fail"))
    content = (tmp_path / "private/sample/attempts.jsonl").read_text()
    assert made.scorings[0].message == ""
    assert "RuntimeError" not in content


def test_a_broken_list_of_attempts_stops_the_run(settings):
    publish_challenge([handed("a")], settings, now=DAY)
    path = settings.results / "sample" / "attempts.jsonl"
    path.write_text(path.read_text()[:-20], encoding="utf-8")
    with pytest.raises(DataError, match=r"attempts\.jsonl, line 1: .*Invalid JSON"):
        publish_challenge([handed("b")], settings, now=DAY)


def test_the_branch_tells_the_submissions_and_when_they_came(tmp_path):
    files = {**submission("team_a"), "submissions/README.md": b"x", "submissions/Bad/x": b"x"}
    repository = GitRepository.init(tmp_path / "r", {**files, "submissions/link": b"team_a"})
    (one,) = read_branch(repository.reader, "main")

    seconds = int(repository.git("log", "-1", "--format=%ct"))
    assert one.team == "team_a"
    assert one.received == datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_branch_names_the_commit_where_its_clone_names_the_page_of_a_forge(tmp_path):
    repository = GitRepository.init(tmp_path / "r", submission("team_a"))
    commit = repository.git("rev-parse", "main").strip()
    repository.commit("main", {"README.md": b"later"})
    (unknown,) = read_branch(repository.reader, "main")
    assert unknown.source is None

    page = "https://forge.example/owner/name"
    remote = page.replace("https://", "https://ada:secret@") + ".git"
    repository.git("remote", "add", "origin", remote)
    (one,) = read_branch(repository.reader, "main")
    # That of the folder, which also a later state of the branch holds.
    assert one.source is not None
    assert one.source.folder_page("team_a") == f"{page}/tree/{commit}/submissions/team_a"


def test_a_shallow_clone_does_not_know_when_and_says_so(tmp_path):
    repository = GitRepository.init(tmp_path / "r", submission("team_a"))
    repository.commit("main", submission("team_b"))
    url = f"file://{repository.folder}"
    repository.git("clone", "--quiet", "--bare", "--depth=1", url, str(tmp_path / "shallow"))
    from harness.ci.git import Repository

    with pytest.raises(EnvironmentFaultError, match="shallow"):
        read_branch(Repository(tmp_path / "shallow"), "main")


def test_rescoring_all_runs_what_kept_no_scores_and_keeps_when_it_was_received(settings):
    one = handed("a", received="2026-01-01T00:00:00Z")
    publish_challenge([one], settings, now=DAY)
    (before,) = (settings.results / "sample" / "a").glob("*.json")
    made = rescore_all([handed("a")], settings)

    assert [(item.card, item.outcome) for item in made] == [(f"a/{before.stem}", "scored again")]
    assert before.exists()


def test_rescoring_says_which_cards_it_can_do_nothing_for(settings):
    write_card(make_card("gone"), settings.results)
    (made,) = rescore_all([], settings)
    assert made.outcome == "failed"
    assert "not here" in made.detail
