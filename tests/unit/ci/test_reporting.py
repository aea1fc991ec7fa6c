"""A queue says what it is doing, in which stage, and nothing that a run printed."""

from __future__ import annotations

import time
from dataclasses import replace

from harness.board.queued import FOLDER, read_queues
from harness.ci import reporting
from harness.ci.intake import score_handed
from harness.ci.process import ScoringOutcome, ScoringRequest
from tests.ci_stand_in import handed, score

# What a scoring announces, with lines that a participant may have chosen.
LOG = "data: open\ndata: done in 0.1 s\nscore: a secret of the run\nerror: it failed\nsecret: b\n"


def words(results) -> dict[str, tuple[str, str | None]]:
    states = read_queues(results).get("sample", ())
    return {one.team: (one.state, one.stage) for state in states for one in state.entries}


def test_each_submission_is_queued_then_runs_in_a_stage_then_has_come_to_its_end(
    settings, monkeypatch
):
    monkeypatch.setattr(reporting, "_SOON_S", -1.0)
    monkeypatch.setattr("harness.ci.queue._POLL_S", 0.05)
    seen: list[dict[str, tuple[str, str | None]]] = []

    def watched(request: ScoringRequest) -> ScoringOutcome:
        assert request.log is not None
        request.log.write_text(LOG)
        for _ in range(200):
            if words(settings.results).get(request.team) == ("running", "score"):
                break
            time.sleep(0.02)
        seen.append(words(settings.results))
        return score(request)

    teams = [handed("a"), handed("b", note=b"fail")]
    score_handed(teams, replace(settings, score=watched))

    assert seen[0] == {"a": ("running", "score"), "b": ("queued", None)}
    assert words(settings.results) == {"a": ("scored", None), "b": ("failed", "score")}
    (state,) = read_queues(settings.results)["sample"]
    assert state.ended is not None
    assert state.by_stage() == {"score": (0, 1)}
    written = [path.read_text() for path in (settings.results / FOLDER).iterdir()]
    assert not any("secret" in text or "RuntimeError" in text for text in written)


def test_the_next_queue_forgets_the_words_of_one_that_ended_and_only_of_its_challenge(settings):
    score_handed([handed("a")], settings)
    folder = settings.results / FOLDER
    (path,) = folder.iterdir()
    path.rename(folder / "sample@other-1.state")
    kept = folder / "jets@other-1.state"
    kept.write_text("{}")
    score_handed([handed("b")], settings)
    assert set(words(settings.results)) == {"b"}
    assert kept.exists()


def test_a_queue_that_begins_nothing_leaves_the_words_of_the_last_one(settings):
    score_handed([handed("a")], settings)
    (path,) = (settings.results / FOLDER).iterdir()
    before = path.read_bytes()
    (again,) = score_handed([handed("a")], settings)
    assert again.status == "known"
    assert path.read_bytes() == before


def test_a_queue_that_cannot_write_its_words_scores_all_the_same(settings):
    settings.results.mkdir(parents=True)
    (settings.results / FOLDER).write_text("a file where the folder would be")
    (one,) = score_handed([handed("a")], settings)
    assert one.status == "scored"


def test_more_submissions_than_a_state_holds_end_no_queue(settings, monkeypatch):
    monkeypatch.setattr(reporting, "MAX_ENTRIES", 1)
    first, second = score_handed([handed("a"), handed("b")], settings)
    assert {first.status, second.status} == {"scored"}
    assert set(words(settings.results)) == {"a"}
