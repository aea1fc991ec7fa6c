"""A challenge with a menu, runs and pile-up: from its files to the card, the board and the page."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from harness.board.boards import Boards
from harness.board.formats import terminal_view
from harness.board.rows import board_of
from harness.card.files import read_card
from harness.card.in_trigger import AddedPoint, StablePoint, UnreachedAddedPoint
from harness.card.records import ScoreCard
from harness.card.summary import DataSummary
from harness.card.trigger_view import menu_view
from harness.card.view import card_view
from harness.challenge import Challenge
from harness.files import read_json
from leaderboard_app.static_site import export_site
from tests.beside import ALGORITHMS, RUNS, challenge_beside, write_beside
from tests.integration.conftest import OPEN_MODEL, CommandLine, write_submission
from tests.terminal import draw

pytestmark = pytest.mark.whole

KHZ = 1000.0
RATES = [0.1, 10.0, 50.0]
MERIT = {"kind": "efficiency_at_rate", "rate_khz": 10.0, "input_rate_khz": KHZ}
SIGNALS = {f"signal{i:02}": 1.1 + 0.1 * i for i in range(20)}
NAME = "cms"
TEAMS = {"sums": "events[:, :, 0].sum(axis=1)", "muons": "events[:, 5, 0]"}
# The number of events and processes: enough for k = 24 at 10 kHz.
N_BACKGROUND, N_SIGNAL = 6000, 150


def stated() -> Challenge:
    """Return the challenge: twenty signals, ranked at 10 kHz."""
    made = challenge_beside(name=NAME).model_dump(mode="json")
    (background, heavy) = made["files"]
    files = [
        {**heavy, "name": f"{name}.h5", "process": name, "title": f"H → {name}"} for name in SIGNALS
    ]
    for point in ("false_positive_rates", "working_point", "targets"):
        del made[point]
    made |= {"files": [background, *files], "merit": MERIT, "rates_khz": RATES}
    return Challenge.model_validate({**made, "targets": [{"kind": "none"}]})


@pytest.fixture(scope="module")
def cms(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """The challenge, fetched and described, with two entries scored."""
    line = CommandLine(tmp_path_factory.mktemp("cms"))
    files = line.folder / "files"
    files.mkdir()
    write_beside(files / "background.h5", N_BACKGROUND, seed=1)
    for seed, (name, scale) in enumerate(SIGNALS.items(), start=2):
        # A simulated menu has other algorithms, too.
        names = ("L1_OfSimulation", *ALGORITHMS[:8])
        write_beside(files / f"{name}.h5", N_SIGNAL, seed=seed, scale=scale, names=names)
    document = stated().model_dump(mode="json")
    line.manifest.write_text(json.dumps({"schema": 1, "challenges": [document]}))
    run(line, "fetch", NAME, "--from", files, "--trust-first-use")
    run(line, "data", "describe", NAME)
    for team, formula in TEAMS.items():
        model = OPEN_MODEL.replace("events[:, :, 0].sum(axis=1)", formula)
        folder = write_submission(line.folder / team, model=model, division="open")
        done = line("score", folder, "--challenge", NAME, "--manifest", line.manifest)
        assert done.returncode == 0, done.stderr
    return line


def run(line: CommandLine, *arguments: str | Path) -> str:
    """Run a command that starts no step."""
    done = line.here(*arguments, "--manifest", line.manifest)
    assert done.returncode == 0, done.stderr
    return done.stdout


def card_of(line: CommandLine, team: str) -> ScoreCard:
    (path,) = (line.folder / "results" / NAME / team).glob("*.json")
    return read_card(path)


def test_the_card_holds_what_is_added_and_how_stable_the_rate_is(cms: CommandLine) -> None:
    physics = card_of(cms, "sums").float_physics
    assert {(one.fixed, round(one.fpr * KHZ, 6)) for one in physics.menu.points} == {
        (fixed, rate) for fixed in ("total", "added") for rate in RATES
    }
    point = physics.menu.at(0.01, "total")
    assert isinstance(point, AddedPoint)
    assert set(point.signals) == set(SIGNALS)
    for name, one in point.signals.items():
        assert one.value <= physics.at(0.01).rates[name].tpr
        assert one.interval.lower <= one.value <= one.interval.upper
    assert isinstance(physics.menu.at(1e-4, "total"), UnreachedAddedPoint)
    stable = physics.stability.at(0.01)
    assert isinstance(stable, StablePoint)
    run_condition, pile_up = stable.conditions
    assert {one.label for one in run_condition.bins} == set(map(str, RUNS))
    assert len(run_condition.transfers) == 2
    assert len(pile_up.bins) == 4
    n_background = physics.n_background
    for condition in stable.conditions:
        assert sum(one.n_events for one in condition.bins) == n_background
        assert sum(one.n_passing for one in condition.bins) == physics.at(0.01).n_passing


def test_the_figures_are_those_of_the_events(cms: CommandLine) -> None:
    # Muons: the score is that by which the menu chooses. What passes its lowest cut is its own.
    physics = card_of(cms, "muons").float_physics
    point = physics.menu.at(0.01, "added")
    assert point.threshold <= 10.0
    assert point.n_passing > point.background.n_added
    total = physics.menu.at(0.01, "total")
    assert total.background.n_added == 0
    assert {one.value for one in total.signals.values()} == {0.0}


def test_kept_scores_give_the_same_figures_again(cms: CommandLine) -> None:
    (path,) = (cms.folder / "results" / NAME / "sums").glob("*.json")
    assert "nothing changed" in run(cms, "rescore", path)


def test_the_summary_holds_the_menu_and_each_algorithm_at_its_own_rate(cms: CommandLine) -> None:
    summary = read_json(cms.folder / "results" / NAME / "summary.json", DataSummary)
    menu = summary.menu
    assert menu.input_rate_khz == KHZ
    assert {row.title for row in menu.algorithms} == set(ALGORITHMS[:8])
    with h5py.File(cms.folder / "files" / "signal03.h5") as file:
        decisions = file["algorithms"][()].astype(bool)
        names = list(file["algorithms"].attrs["names"])
        accepted = file["L1bit"][()]
    assert menu.menu.shares["signal03"].value == np.mean(accepted)
    for row in menu.algorithms:
        column = decisions[:, names.index(row.title)]
        assert row.shares["signal03"].n_accepted == column.sum()
        alone = column & (decisions.sum(axis=1) == 1)
        assert row.n_alone["signal03"] == alone.sum()
    rates = [row.shares["background"].value for row in menu.algorithms]
    assert rates == sorted(rates, reverse=True)
    # Test background alone: what entries are scored on.
    assert (
        menu.menu.shares["background"].n_events == card_of(cms, "sums").float_physics.n_background
    )


def test_a_terminal_of_eighty_columns_breaks_no_figure_and_shows_khz(cms: CommandLine) -> None:
    boards = Boards(cms.folder / "results")
    board = board_of(boards.ranking(boards.refresh(), NAME))
    summary = read_json(cms.folder / "results" / NAME / "summary.json", DataSummary)
    card, ranking, menu = (
        draw(view, 80)
        for view in (
            card_view(card_of(cms, "sums")),
            terminal_view(board),
            menu_view(summary.menu, board.signals),
        )
    )
    assert max(map(len, (card + ranking + menu).splitlines())) <= 80
    for told in ("10 kHz*", "FPR 1e-2", "0.1 kHz (FPR 1e-4): not measured", "by Run", "by Pile-up"):
        assert told in card
    assert "added to the menu at 10 kHz (FPR 1e-2)" in card
    assert str(RUNS[1]) in card
    assert "10 kHz (FPR 1e-2)" in ranking
    assert re.search(r"Rank +Team +Merit +Added", ranking)
    assert "left out for want of width: " in ranking
    assert re.search(r"menu +│ +\d", menu)


def test_the_board_has_what_is_added_in_every_form(cms: CommandLine) -> None:
    asked = ("leaderboard", "--challenge", NAME)
    document = json.loads(run(cms, *asked, "--json"))
    assert (document["shown_rate_khz"], document["shown_point"]) == (10.0, 0.01)
    rows = {row["team"]: row for row in document["rows"]}
    added = rows["sums"]["added"]
    assert added["lower"] <= added["total"] <= added["upper"]
    # Muons add nothing: a signal counts for the rate at least.
    assert rows["muons"]["added"]["total"] == pytest.approx(0.01)
    table = list(csv.DictReader(io.StringIO(run(cms, *asked, "--csv"))))
    by_team = {row["team"]: row for row in table}
    assert float(by_team["sums"]["added"]) == added["total"]
    assert float(by_team["sums"]["added_signal00"]) == added["signals"]["signal00"]["value"]
    assert (by_team["sums"]["rate_khz"], by_team["sums"]["fpr"]) == ("10.0", "0.01")
    assert "| Added |" in run(cms, *asked, "--markdown")


def test_pages_show_a_profile_of_many_signals_and_the_stability(cms: CommandLine) -> None:
    out = cms.folder / "site"
    export_site(Boards(cms.folder / "results"), out)
    pages = {
        path.relative_to(out).as_posix(): path.read_text("utf-8") for path in out.rglob("*.html")
    }
    every = "".join(pages.values())
    assert "What it adds to the menu" in every
    assert "Profile over the signals" in every
    assert "Rate by Pile-up" in every
    assert "What the trigger has today" in every
    assert "10 kHz (FPR 1e-2)" in every
