"""Many visitors at once, and a large board, over the app's own protocol."""

from __future__ import annotations

import psutil
import pytest

from leaderboard_app.settings import Settings
from tests.app.conftest import Server, run_server
from tests.cards import make_board, write_board
from tests.visitor import visit_at_once

N_VISITORS = 30


def server_s(running: Server) -> float:
    """Return the processor time of a server so far: what else the machine does is not in it."""
    times = psutil.Process(running.pid).cpu_times()
    return times.user + times.system


def test_thirty_visitors_at_once_are_answered_with_no_more_work_than_one_by_one(server):
    query = "challenge=sample"
    for page in ("", "trade_off", "submission"):
        visit_at_once(server.url, [(query, page)])

    start_s = server_s(server)
    for _ in range(N_VISITORS):
        visit_at_once(server.url, [(query, "")])
    one_by_one_s = server_s(server) - start_s
    answers = visit_at_once(server.url, [(query, "")] * N_VISITORS)
    at_once_s = server_s(server) - start_s - one_by_one_s

    assert not any(answer.has_failed for answer in answers)
    assert len({answer.n_elements for answer in answers}) == 1
    # 0.3 s of either, counted in ticks of 10 ms.
    assert at_once_s < 3 * one_by_one_s


@pytest.mark.slow
def test_a_board_of_500_cards_opens_and_stays_small(tmp_path):
    write_board(make_board(500, n_teams=60), tmp_path / "results")
    with run_server(Settings(results=str(tmp_path / "results")), tmp_path) as running:
        start_s = server_s(running)
        (first,) = visit_at_once(running.url, [("challenge=sample", "")])
        opening_s = server_s(running) - start_s
        visit_at_once(running.url, [("challenge=sample", "submission")] * N_VISITORS)
        memory = psutil.Process(running.pid).memory_info().rss
    assert not first.has_failed
    assert opening_s < 5.0
    assert memory < 500e6
