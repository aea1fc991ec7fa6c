"""Each submission is scored once and its card written once, whatever fails or dies on the way."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.card.files import read_card
from harness.card.records import ScoreCard
from harness.card.source import SourceCommit
from harness.ci.intake import prepare, score_handed
from harness.ci.process import ScoringOutcome, ScoringRequest
from harness.ci.queue import SAVED_AFTER, score_all
from harness.errors import EnvironmentFaultError
from tests.ci_stand_in import handed, score


def run(settings, *submissions, **options):
    return score_handed(list(submissions), replace(settings, **options))


def cards_of(settings, team):
    return sorted((settings.results / "sample" / team).glob("*.json"))


def card_in(results: Path, team: str) -> ScoreCard:
    """The one card of a team, but for the order in which the cards came."""
    (path,) = (results / "sample" / team).glob("*.json")
    return read_card(path).model_copy(update={"sequence": None})


def test_a_scored_submission_has_its_card_where_the_scoring_says(settings):
    (one,) = run(settings, handed("team_a"))

    assert (one.status, one.exit_code, one.attempts) == ("scored", 0, 1)
    assert [one.card] == [f"team_a/{path.stem}" for path in cards_of(settings, "team_a")]


def test_one_that_fails_stops_no_other_and_keeps_its_place(settings):
    made = run(settings, handed("a", note=b"fail"), handed("b"), handed("c", note=b"raise"))

    assert [(one.team, one.status) for one in made] == [
        ("a", "failed"),
        ("b", "scored"),
        ("c", "failed"),
    ]
    assert not made[0].is_fault_of_platform
    assert made[2].is_fault_of_platform
    assert "the worker's own fault" in made[2].message


def test_a_fault_of_the_platform_is_tried_once_more_and_one_of_the_submission_is_not(settings):
    made = run(settings, handed("a", note=b"platform"), handed("b", note=b"fail"))
    assert [one.attempts for one in made] == [2, 1]


def test_scored_files_are_not_scored_again(settings, tmp_path):
    log = tmp_path / "log"
    one = handed("team_a", note=f"log {log}".encode())
    run(settings, one)
    (again,) = run(settings, one)

    assert again.status == "known"
    assert log.read_text() == "team_a\n"
    assert len(cards_of(settings, "team_a")) == 1


def test_other_files_of_the_team_are(settings):
    run(settings, handed("team_a"))
    (other,) = run(settings, handed("team_a", note=b"changed"))
    assert other.status == "scored"


def test_a_card_of_other_data_does_not_count_as_scored(settings):
    run(settings, handed("team_a"))
    newer = settings.rules.model_copy(update={"version": "2"})
    (other,) = run(settings, handed("team_a"), rules=newer)
    assert other.status == "scored"


def test_force_scores_anew(settings, tmp_path):
    log = tmp_path / "log"
    one = handed("team_a", note=f"log {log}".encode())
    run(settings, one)
    run(settings, one, is_forced=True)
    assert log.read_text() == "team_a\nteam_a\n"


def test_many_at_one_time_give_the_same_cards_as_one_after_the_other(settings, tmp_path):
    teams = [handed(f"t{i}") for i in range(8)]
    run(settings, *teams)
    run(settings, *teams, results=tmp_path / "parallel", jobs=4)

    for i in range(8):
        assert card_in(settings.results, f"t{i}") == card_in(tmp_path / "parallel", f"t{i}")


def test_cards_are_saved_after_each_few_and_a_failure_of_that_stops_nothing(settings):
    saved = []

    def save() -> None:
        saved.append(len(list(settings.results.glob("sample/*/*.json"))))
        raise EnvironmentFaultError("no network")

    told: list[str] = []
    made = run(settings, *(handed(f"t{i}") for i in range(12)), save=save, progress=told.append)
    assert [one.status for one in made] == ["scored"] * 12
    assert saved == [SAVED_AFTER, 2 * SAVED_AFTER]
    assert "not saved yet: no network" in told


def test_a_card_of_other_files_than_were_sent_is_not_kept(settings):
    def swapped(request: ScoringRequest) -> ScoringOutcome:
        return score(replace(request, team="another"))

    (one,) = run(settings, handed("team_a"), score=swapped)
    assert one.status == "failed"
    assert not settings.results.exists() or not cards_of(settings, "team_a")


def test_what_is_no_valid_submission_fails_without_a_run(settings):
    broken = replace(handed("team_a"), files={"model.py": b"x"})
    (one,) = run(settings, broken)
    assert (one.exit_code, one.attempts) == (3, 0)
    assert "submission.yaml" in one.message


def test_the_card_says_when_it_was_received(settings):
    run(settings, handed("team_a", received="2026-01-02T03:04:05Z"))
    (path,) = cards_of(settings, "team_a")
    assert read_card(path).submission.received == "2026-01-02T03:04:05Z"


def test_the_card_names_the_commit_that_the_organiser_read_and_no_other(settings):
    def claiming(request: ScoringRequest) -> ScoringOutcome:
        made = score(request)
        card = ScoreCard.model_validate_json(made.card or b"")
        other = SourceCommit(repository="https://evil.example/a/b", commit="f" * 40)
        said = card.submission.model_copy(update={"source": other})
        content = card.model_copy(update={"submission": said}).model_dump_json()
        return replace(made, card=content.encode())

    known = SourceCommit(repository="https://forge.example/owner/name", commit="1" * 40)
    run(settings, replace(handed("team_a"), source=known), score=claiming)
    run(settings, handed("team_b"), score=claiming)
    (path,) = cards_of(settings, "team_a")
    assert read_card(path).submission.source == known
    (path,) = cards_of(settings, "team_b")
    assert read_card(path).submission.source is None


def test_what_the_budget_is_used_up_for_is_not_begun(settings):
    from harness.ci.process import score_request

    request = prepare(handed("team_a"), replace(settings, deadline=0.0))
    made = score_request(request)
    assert made.is_cut
    assert "budget" in made.message


def test_what_the_budget_ends_waits_and_what_its_own_limit_ends_failed(settings, monkeypatch):
    from harness.ci import process as scoring

    monkeypatch.setattr(scoring, "_command", lambda *_: ["sleep", "1000"])
    real = {"score": scoring.score_request}
    (cut,) = run(settings, handed("a"), deadline=time.time() + 0.5, **real)
    (failed,) = run(settings, handed("a"), deadline=time.time() + 60, limit_s=0.2, **real)

    assert (cut.status, failed.status) == ("waiting", "failed")
    assert "the budget of the whole run" in cut.message


def test_a_scoring_past_its_limit_is_ended_with_all_that_it_started(settings, tmp_path):
    from harness.ci import process as scoring

    request = prepare(handed("team_a"), replace(settings, limit_s=3.0))
    code, told = scoring._run(
        ["sh", "-c", "sleep 1000 & echo $! > child; sleep 1000"], _folder(tmp_path), request.limit_s
    )
    child = int((tmp_path / "child").read_text())
    assert code == 4
    assert "limit of one scoring" in told
    # A signal is on its way when the call that sends it returns.
    end_s = time.monotonic() + 30
    while not _is_gone(child) and time.monotonic() < end_s:
        time.sleep(0.01)
    assert _is_gone(child)


def _folder(path):
    # `_run` works where it is told to.
    return path


def _is_gone(process: int) -> bool:
    import psutil

    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def cluster():
    """A real scheduler and two workers, each a process of its own, on loopback."""
    from distributed import LocalCluster

    # Workers find the stand-in where these tests do.
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3]))
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as made:
        yield made
    monkeypatch.undo()


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_same_cards(settings, cluster, tmp_path):
    teams = [handed(f"t{i}") for i in range(6)]
    run(settings, *teams)
    made = run(settings, *teams, results=tmp_path / "cluster", cluster=cluster.scheduler_address)

    assert [one.status for one in made] == ["scored"] * 6
    for i in range(6):
        assert card_in(settings.results, f"t{i}") == card_in(tmp_path / "cluster", f"t{i}")


@pytest.mark.filterwarnings("ignore")
def test_a_worker_killed_in_the_middle_is_replaced_and_nothing_is_scored_twice(
    settings, cluster, tmp_path
):
    log, deadly = tmp_path / "log", tmp_path / "deadly"
    honest = [handed(f"t{i}", note=f"log {log}".encode()) for i in range(4)]
    made = run(
        settings,
        handed("killer", note=f"kill {deadly}".encode()),
        *honest,
        cluster=cluster.scheduler_address,
    )

    assert [one.status for one in made] == ["scored"] * 5
    assert deadly.read_text().splitlines() == ["killer", "killer"]
    for one in made:
        assert len(cards_of(settings, one.team)) == 1


def test_a_cluster_that_has_lost_its_workers_is_given_up_and_not_waited_for(settings, monkeypatch):
    from concurrent.futures import Executor, Future
    from contextlib import nullcontext

    from harness.ci import queue
    from harness.scoring.workers import Workers

    class Silent(Executor):
        def submit(self, *_: object) -> Future:
            return Future()

    gone = Workers(executor=Silent(), count=lambda: 0, room=lambda: 1)
    monkeypatch.setattr(queue, "open_workers", lambda *_: nullcontext(gone))
    requests = [prepare(handed(team), settings) for team in ("a", "b")]
    made = score_all(requests, settings.results, score=score, patience_s=0.0)
    assert [one.is_fault_of_platform for one in made] == [True, True]
    assert all("lost all of its workers" in one.message for one in made)


def test_a_scheduler_that_does_not_answer_is_told(settings, monkeypatch):
    import distributed

    def refuse(*_: object, **__: object) -> None:
        raise OSError("timed out")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(EnvironmentFaultError, match="no scheduler answers"):
        score_all([prepare(handed("a"), settings)], settings.results, cluster="tcp://x:1")
