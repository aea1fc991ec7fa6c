"""Pages of a challenge that states a mass."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.board.boards import Boards
from harness.board.public import public_part
from harness.card.figures import Interval, NotMeasured
from harness.card.in_trigger import Drift
from harness.card.physics import Auc
from harness.card.records import ScoreCard
from harness.card.stress import ChangedArea, Stress, StressedRate, Variation
from harness.challenge import MaxSic, NoTarget
from leaderboard_app.blocks import Picture, Section, Table
from leaderboard_app.views.subject import subject_of
from leaderboard_app.views.submission import submission_sections
from tests.cards import make_card, make_challenge, write_board
from tests.mass import mass_physics

NAME = "mass-2026"


def second_simulation() -> Stress:
    """Return a second simulation in which 20 % more background passes."""
    interval = Interval(lower=0.1, upper=0.3, method="made up")
    area = Auc(value=0.9, interval=interval)
    rate = StressedRate(
        fpr=0.01,
        n_passing=60,
        fpr_realised=0.012,
        interval=Interval(lower=0.01, upper=0.014, method="made up"),
        ratio=1.2,
        drift=Drift(value=0.2, interval=interval),
    )
    found = Variation(
        name="herwig",
        title="QCD, other shower",
        what="made up",
        n_events=5000,
        n_selected=5000,
        variation_of="background",
        rates=(rate,),
        auc={"loud": ChangedArea(before=area, after=area)},
    )
    return Stress(arithmetic="float", variations=(found,))


def mass_card(team: str, slope: float, *, role: str = "signal") -> ScoreCard:
    """Return a card of an entry whose score rises with the mass by `slope`."""
    made = make_challenge(name=NAME)
    background, signal = made.files[:2]
    signal = signal.model_copy(update={"process": "loud", "role": role, "title": "Gluino jets"})
    challenge = made.model_copy(
        update={
            "files": (background, signal),
            "merit": MaxSic(),
            "working_point": 1e-2,
            "target": NoTarget(),
        }
    )
    nothing = NotMeasured(not_measured="made up for tests")
    return make_card(
        team,
        division="open",
        challenge=challenge,
        float_physics=mass_physics(slope),
        accepted=nothing,
        cuts=nothing,
        stress=second_simulation(),
        compared=nothing,
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mass") / "results"
    write_board([mass_card("blind", 0.0), mass_card("sculptor", 3.0)], folder)
    return folder


def sections_of(results: Path, team: str) -> dict[str, Section]:
    boards = Boards(results)
    snapshot = boards.refresh()
    made, entries = boards.ranking(snapshot, NAME), snapshot.entries[NAME]
    (entry,) = (one for one in entries if one.card.submission.team == team)
    subject = subject_of(boards.whole(NAME, entry), made, entries)
    return {section.title: section for section in submission_sections(subject)}


def tables(section: Section) -> list[Table]:
    return [block for block in section.blocks if isinstance(block, Table)]


def test_the_page_shows_sculpting_and_says_which_entry_makes_it(results) -> None:
    blind, sculptor = (
        sections_of(results, team)["Mass behind the cut"] for team in ("blind", "sculptor")
    )
    distances = [float(tables(one)[0].rows[0][2].split()[0]) for one in (blind, sculptor)]
    assert distances[0] < 0.1
    assert distances[1] > 0.3
    pictures = [block for block in sculptor.blocks if isinstance(block, Picture)]
    means = [row["y"] for row in pictures[1].datasets["bins"]]
    assert means == sorted(means)


def test_the_hunt_shows_background_alone_beside_the_signal(results) -> None:
    section = sections_of(results, "blind")["Bump hunt"]
    rows = tables(section)[0].rows
    assert [row[:2] for row in rows[:2]] == [["no cut", "Background"], ["", "with Gluino jets"]]
    assert float(rows[1][3]) > float(rows[0][3])
    assert "S/B 0.02" in section.lead
    pictures = [block for block in section.blocks if isinstance(block, Picture)]
    assert len(pictures) == 2
    assert len(pictures[0].datasets["bins"]) == 40


def test_curves_of_the_significance_improvement_have_bands(results) -> None:
    section = sections_of(results, "blind")["Significance improvement"]
    pictures = [block for block in section.blocks if isinstance(block, Picture)]
    assert len(pictures) == 3
    rows = pictures[0].datasets["bands"]
    assert all(row["lower"] <= row["y"] <= row["upper"] for row in rows)


def test_a_second_simulation_has_a_section_and_no_place_among_the_variations(results) -> None:
    found = sections_of(results, "blind")
    assert "Rate stability" not in found
    (row, area) = tables(found["Second simulation"])[0].rows
    assert row[-1] == "+20 % [+10, +30]"
    assert area[1] == "AUC of loud"


def test_a_hidden_signal_leaves_no_trace_in_the_mass() -> None:
    card = public_part(mass_card("blind", 0.0, role="hidden"))
    assert "loud" not in card.float_physics.mass.model_dump_json()
    assert card.float_physics.mass.spectra[0].counts["background"]
