"""Scoring by a sandboxed step: how far it is, and what its report may say."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import HarnessError, InvalidSubmissionError, SubmissionError
from harness.sandbox import Workspace, open_sandbox
from harness.scoring import scorer as module
from harness.scoring.integrity import Batch
from harness.scoring.scorer import PROGRESS_SECONDS, Scorer, count_events, score_batches
from tests.events import LAYOUT, make_events

N_EVENTS = 3_000


def test_a_line_comes_once_in_a_while():
    lines: list[str] = []
    seconds = iter([0.0, 1.0, PROGRESS_SECONDS, PROGRESS_SECONDS, PROGRESS_SECONDS + 1])
    show = count_events(lines.append, 4_000_000, now=lambda: next(seconds))

    show(8 * 1_000_000)
    show(8 * 1_300_000)
    show(8 * 4_000_000)

    assert lines == ["1,300,000 of 4,000,000 events scored (32%)"]


@pytest.mark.parametrize("n_bytes", [0, 7, 8 * N_EVENTS, 10**30])
def test_no_number_of_bytes_is_more_than_all_events(n_bytes, monkeypatch):
    lines: list[str] = []
    monkeypatch.setattr(module, "PROGRESS_SECONDS", 0.0)

    count_events(lines.append, N_EVENTS)(n_bytes)

    assert lines[0] in (
        f"0 of {N_EVENTS:,} events scored (0%)",
        f"{N_EVENTS:,} of {N_EVENTS:,} events scored (100%)",
    )


@pytest.fixture
def score_by(tmp_path, monkeypatch):
    """Return a function that scores events by an open entry's code and returns the lines told."""
    monkeypatch.setattr(module, "PROGRESS_SECONDS", 0.0)
    np.save(tmp_path / "events.npy", make_events(N_EVENTS, seed=1))
    (tmp_path / "submission").mkdir()

    def score(code: str) -> list[str]:
        (tmp_path / "submission" / "model.py").write_text(code)
        lines: list[str] = []

        def tell(line: str) -> None:
            lines.append(line)
            (tmp_path / "submission" / f"told {line.split(maxsplit=1)[0]}").touch()

        workspace = Workspace(run_step=open_sandbox("bwrap").run, folder=tmp_path / "steps")
        staged = Scorer.of_open(tmp_path / "submission", LAYOUT)
        batch = Batch(events=tmp_path / "events.npy", n_events=N_EVENTS, at_once=1_000)
        score_batches(workspace, staged, [batch], "score", tell)
        return lines

    return score


def test_long_scoring_shows_how_many_events_are_scored(score_by):
    """The entry waits for each line, so that none can be missed."""
    lines = score_by("""
import pathlib, time
n_scored = 0
def score(events):
    global n_scored
    while n_scored and not pathlib.Path(__file__).with_name(f"told {n_scored:,}").exists():
        time.sleep(0.01)
    n_scored += len(events)
    return events[:, 0, 0]
""")

    assert f"1,000 of {N_EVENTS:,} events scored (33%)" in lines
    assert f"2,000 of {N_EVENTS:,} events scored (67%)" in lines
    assert len(set(lines)) <= 4


FORGE = """
import glob, json, os, sys, time
place = '/out/scores0'
def say(answer):
    os.write(int(sys.argv[1]), json.dumps(answer).encode() + b'\\n')
    time.sleep(60)
"""


def test_a_file_of_any_size_does_no_harm(score_by):
    with pytest.raises(InvalidSubmissionError, match="bytes"):
        score_by(f"""{FORGE}
with open(place, 'wb') as file:
    for n_bytes in (200 * 2**20, 1, 10 * 2**20):
        file.truncate(n_bytes)
        time.sleep(0.3)
say({{'report': {{'n_events': 1, 'score_s': 0.1}}}})
""")


@pytest.mark.parametrize(
    ("answer", "fault", "says"),
    [
        ({"report": {"n_events": -1, "score_s": 0.1}}, InvalidSubmissionError, "n_events"),
        ({"report": {"n_events": 1, "progress": 10**9}}, InvalidSubmissionError, "malformed"),
        (
            {"kind": "EnvironmentFaultError", "problems": [{"what": "the disk is full"}]},
            SubmissionError,
            "the disk is full",
        ),
        (
            {"kind": "IntegrityError", "problems": [{"what": "a bit differs"}]},
            SubmissionError,
            "a bit differs",
        ),
    ],
)
def test_a_plugin_that_answers_for_its_step_blames_nobody_else(answer, fault, says, score_by):
    with pytest.raises(HarnessError, match=says) as caught:
        score_by(f"{FORGE}\nsay({answer!r})\n")

    assert isinstance(caught.value, fault)
    assert caught.value.exit_code == fault.exit_code
