"""Many visitors at once, and a large board, over the app's own protocol."""

from __future__ import annotations

import os

import psutil
import pytest

from leaderboard_app.settings import Settings
from tests.app.conftest import run_server
from tests.cards import make_board, write_board
from tests.visitor import visit_at_once

N_VISITORS = 30


def slowness() -> float:
    """How many programs share a processor here: a bound on time holds for an idle machine."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def test_thirty_visitors_at_once_are_answered(server):
    query = "challenge=sample"
    for page in ("", "trade_off", "submission"):
        visit_at_once(server.url, [(query, page)])

    answers = visit_at_once(server.url, [(query, "")] * N_VISITORS)

    assert not any(answer.has_failed for answer in answers)
    assert len({answer.n_elements for answer in answers}) == 1
    assert max(answer.wall_s for answer in answers) < 2.0 * slowness()


@pytest.mark.slow
def test_a_board_of_500_cards_opens_and_stays_small(tmp_path):
    write_board(make_board(500, n_teams=60), tmp_path / "results")
    with run_server(Settings(results=str(tmp_path / "results")), tmp_path) as running:
        (first,) = visit_at_once(running.url, [("challenge=sample", "")])
        visit_at_once(running.url, [("challenge=sample", "submission")] * N_VISITORS)
        memory = psutil.Process(running.pid).memory_info().rss
    assert not first.has_failed
    assert first.wall_s < 2.0 * slowness()
    assert memory < 500e6
