"""The reach of an entry on a board: of the right card, of shown signals, in every table."""

from __future__ import annotations

import csv
import io

from harness.board.boards import Boards
from harness.board.index import CardIndex
from harness.board.rows import board_of
from harness.board.values import to_csv
from leaderboard_app.views.ranking_table import ranking_model
from leaderboard_app.views.subject import subject_of
from leaderboard_app.views.submission import submission_sections
from tests.cards import make_card, write_board
from tests.reaches import firmware_of_program, make_reach, write_reach


def write_both(results, **changes) -> None:
    """Write two cards, of which one has the program that was measured."""
    cards = [
        make_card("team_x", firmware=firmware_of_program()),
        make_card("team_y", seed=2, firmware=firmware_of_program(64 * "b")),
    ]
    write_board(cards, results)
    write_reach(results, make_reach(**changes))


def board_in(results):
    boards = Boards(results)
    return board_of(boards.ranking(boards.refresh(), "sample"))


def sections_of(results, team: str) -> dict[str, list]:
    boards = Boards(results)
    snapshot = boards.refresh()
    made, entries = boards.ranking(snapshot, "sample"), snapshot.entries["sample"]
    (entry,) = (one for one in entries if one.card.submission.team == team)
    subject = subject_of(boards.whole("sample", entry), made, entries)
    return {one.title: one.blocks for one in submission_sections(subject)}


def test_it_is_shown_with_the_card_of_its_program_alone(tmp_path):
    write_both(tmp_path)

    entries = CardIndex(tmp_path).refresh().entries["sample"]

    assert {one.card.submission.team: one.reach for one in entries} == {
        "team_x": make_reach(),
        "team_y": None,
    }
    rows = {row.team: row.reach for row in board_in(tmp_path).rows}
    # A signal that the board does not show is not shown here either.
    assert sorted(rows["team_x"]) == ["ato4l", "lq"]
    assert rows["team_y"] == {}
    assert rows["team_x"]["ato4l"].value == 3_063.4


def test_a_record_with_names_of_an_earlier_version_says_what_they_are_now(tmp_path):
    path = write_reach(tmp_path, make_reach())
    now = path.read_text()
    path.write_text(
        now.replace("false_claims", "false_discovery").replace("is_claimed", "is_discovery")
    )
    (unreadable,) = CardIndex(tmp_path).refresh().unreadable

    assert unreadable.name == "sample/reach/team_x.json"
    assert "write false_claims for false_discovery, and is_claimed for" in unreadable.reason


def test_a_team_of_the_name_of_the_folder_and_a_record_of_another_challenge(tmp_path):
    write_board([make_card("reach")], tmp_path)
    path = write_reach(tmp_path, make_reach())
    index = CardIndex(tmp_path)
    found = index.refresh()
    assert [one.card.submission.team for one in found.entries["sample"]] == ["reach"]
    assert not found.unreadable

    elsewhere = tmp_path / "another" / "reach"
    elsewhere.mkdir(parents=True)
    path.rename(elsewhere / path.name)
    (refused,) = index.refresh().unreadable
    assert "says it is of sample but lies in another" in refused.reason

    (elsewhere / path.name).write_text('{"false_claims": 1}')
    assert len(index.refresh().unreadable) == 1


def test_of_two_teams_with_one_program_each_shows_its_own_record(tmp_path):
    teams = ("team_x", "team_y", "team_z")
    cards = [make_card(team, firmware=firmware_of_program()) for team in teams]
    write_board(cards, tmp_path)
    # In either order of the files: the one of a team is not always the first.
    write_reach(tmp_path, make_reach("team_y", seed=2))
    write_reach(tmp_path, make_reach("team_x"))

    entries = CardIndex(tmp_path).refresh().entries["sample"]

    shown = {one.card.submission.team: one.reach.team for one in entries}
    assert shown == {"team_x": "team_x", "team_y": "team_y", "team_z": "team_x"}


def test_a_record_that_cannot_be_shown_is_left_out_with_the_reason(tmp_path):
    write_both(tmp_path)
    path = write_reach(tmp_path, make_reach(variations=("jet_scale_up", "jet_scale_down")))
    snapshot = CardIndex(tmp_path).refresh()
    (refused,) = snapshot.unreadable
    assert "not one p-value of each variation" in refused.reason
    assert all(one.reach is None for one in snapshot.entries["sample"])

    false = make_reach().false_claims.model_copy(update={"n_found": 201})
    path = write_reach(tmp_path, make_reach(false_claims=false))
    (refused,) = CardIndex(tmp_path).refresh().unreadable
    assert "than there were" in refused.reason
    assert refused.name.endswith(path.name)


def test_the_ranking_has_a_column_that_can_be_chosen(tmp_path):
    write_both(tmp_path)
    model = ranking_model(board_in(tmp_path), lambda team, _: team)

    columns = {one["key"]: one for one in model["columns"]}
    assert columns["reach_ato4l"]["hidden"] is True
    assert "reach_secret" not in columns
    cells = {row["team"]: row["cells"] for row in model["rows"]}
    assert cells["team_x"]["reach_ato4l"]["t"] == "3,060"
    assert "2,910 to 3,220" in cells["team_x"]["reach_ato4l"]["tip"]
    assert cells["team_x"]["reach_lq"] == {
        "v": None,
        "t": "> 40,000",
        "tip": "95 %: 33,000 to > 40,000; of 40,000 events",
    }
    assert "reach_ato4l" not in cells["team_y"]


def test_a_board_without_it_has_no_such_column(tmp_path):
    write_board([make_card("team_x")], tmp_path)
    board = board_in(tmp_path)

    keys = [one["key"] for one in ranking_model(board, lambda team, _: team)["columns"]]
    assert not [key for key in keys if key.startswith("reach")]
    assert "reach" not in board.model_dump_json()
    assert "reach" not in to_csv(board).partition("\n")[0]


def test_the_file_of_the_board_holds_numbers_and_intervals(tmp_path):
    write_both(tmp_path)

    rows = {row["team"]: row for row in csv.DictReader(io.StringIO(to_csv(board_in(tmp_path))))}

    found = rows["team_x"]
    assert float(found["reach_ato4l"]) == 3_063.4
    assert float(found["reach_ato4l_upper"]) == 3_222.0
    # Not reached: no number, but how many are too few.
    assert (found["reach_lq"], float(found["reach_lq_lower"])) == ("", 33_000.0)
    assert rows["team_y"]["reach_ato4l"] == ""


def test_the_page_of_the_entry_shows_it(tmp_path):
    write_both(tmp_path)

    assert "Reach of evidence (3 sigma, global)" not in sections_of(tmp_path, "team_y")
    table, without, comparisons = sections_of(tmp_path, "team_x")[
        "Reach of evidence (3 sigma, global)"
    ]
    assert [row[1:] for row in table.rows] == [
        ["3,060", "2,910 to 3,220", "2,542 of 40,000"],
        ["> 40,000", "33,000 to > 40,000", "188 of 40,000"],
    ]
    assert without.text == (
        "3 sigma is claimed without a signal in 1 of 200 trials, 0.5 % [0.01, 2.75]."
    )
    assert comparisons.rows == [
        ["another tune", "1,160", "1,098", "0.0004", "0.21", "nothing unexpected"]
    ]


def test_three_sigma_without_a_signal_is_said_on_the_page(tmp_path):
    write_both(tmp_path, is_false=True)

    *_, comparisons, warning = sections_of(tmp_path, "team_x")[
        "Reach of evidence (3 sigma, global)"
    ]
    assert comparisons.rows[0][-1] == "3 sigma without a signal"
    assert warning.tone == "warn"
    assert "another tune gives 3 sigma (global) all the same" in warning.text
