"""The page on the baselines: its tables are those of the cards, its text says what they say."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from harness.board.formats import percent
from harness.board.merit import merit_of
from harness.board.reach import read_reach
from harness.card.figures import NotMeasured
from harness.card.files import read_card
from tools import baselines_page as pages
from tools.baselines import SEED_SPREAD, SUBMISSIONS, TEAMS, TRAININGS, WHOLE_RUN

TEXT = pages.PAGE.read_text(encoding="utf-8")
SAID = " ".join(TEXT.split())
NUMBERS = {3: "three", 4: "Four"}


@pytest.fixture(scope="module")
def known() -> pages.Baselines:
    # Whoever scores an entry again has a newer card than the page's.
    return pages.read_baselines(pages.cards_of(TEXT))


def named(teams) -> str:
    *first, last = (f"`{team}`" for team in teams)
    return f"{', '.join(first)} and {last}" if first else last


def others(known) -> list[str]:
    return [team for team in known.ranked if team not in pages.CUTS]


def is_better(known, first: str, second: str) -> bool:
    found = known.compare(first, second)
    return found.is_resolved and found.ratio > 1


def is_worse(known, first: str, second: str) -> bool:
    found = known.compare(first, second)
    return found.is_resolved and found.ratio < 1


def is_small(known, team: str) -> bool:
    row = known.rows[team]
    return row.lut.share <= 0.003 and row.latency_ns.value <= 40


def test_the_tables_are_those_of_the_linked_cards(known):
    assert pages.write_page(TEXT, known) == TEXT, "run `make docs-baselines`"
    assert set(pages.cards_of(TEXT)) == set(pages.newest_cards())


def test_an_edited_table_is_found(known):
    edited = TEXT.replace("| `met_cut` | 2 |", "| `met_cut` | 1 |")

    assert edited != TEXT
    assert pages.write_page(edited, known) == TEXT


def test_another_card_makes_other_tables(known):
    fewer = {team: path for team, path in pages.cards_of(TEXT).items() if team != "cnn_ae"}

    changed = pages.write_page(TEXT, pages.read_baselines(fewer))

    assert "| [`cnn_ae`](" in TEXT
    assert "| [`cnn_ae`](" not in changed


def test_the_board_is_the_one_that_the_command_prints(tmp_path):
    for path in pages.cards_of(TEXT).values():
        target = tmp_path / "results" / "sample" / path.parent.name
        target.mkdir(parents=True)
        shutil.copy(path, target)

    command = ["leaderboard", "--markdown", "--results", str(tmp_path / "results")]
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", *command],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )

    assert done.stdout.strip() in TEXT


def test_every_baseline_has_its_method_on_the_page():
    methods = TEXT[TEXT.index("| entry | method |") : TEXT.index("## Ranking")]

    for team in TEAMS:
        assert f"`{team}`" in methods or team in pages.SIZES[1:], team


def test_the_leaders_of_each_signal_are_those_of_the_cards(known):
    rows = [
        row for team, row in known.rows.items() if not known.cards[team].submission.is_supervised
    ]
    for signal, title in known.board.signals.items():
        rates = sorted({row.rates[signal].tpr for row in rows}, reverse=True)[:3]
        leaders = ", ".join(
            f"{named(row.team for row in rows if row.rates[signal].tpr == rate)} {percent(rate)}"
            for rate in rates
        )
        assert f"- {title}: {leaders}." in TEXT


def test_the_text_names_what_is_resolved_against_the_cuts(known):
    better = {
        team: [cut for cut in pages.CUTS if is_better(known, team, cut)] for team in others(known)
    }
    than_all = [team for team, cuts in better.items() if len(cuts) == len(pages.CUTS)]
    n_than_none = sum(not cuts for cuts in better.values())

    assert (
        f"{NUMBERS[len(than_all)]} entries are resolved to be better than all three cuts: "
        f"{named(than_all)}. Of the {len(better)} ranked entries that are not cuts, {n_than_none} "
        "are resolved to be better than none of them."
    ) in SAID


def test_the_text_names_the_small_entries_and_compares_them_with_the_float_network(known):
    small = [team for team in others(known) if is_small(known, team)]
    sizes = [team for team in small if team in pages.SIZES]
    equal = [team for team in sizes if not is_worse(known, team, pages.FLOAT_TWIN)]
    lowest = min(known.compare(team, pages.FLOAT_TWIN).ratio_span.lower for team in equal)

    assert f"at most 40 ns: besides the cuts, {named(small)} keep both limits." in SAID
    assert f"Of the sizes among them {named(equal)} are not resolved to be worse" in SAID
    assert f"the intervals allow a ratio of {lowest:.2f}." in SAID


@pytest.mark.parametrize("team", ["dense_vae_mu2", "dense_vae_mu2_w8"])
def test_the_text_says_what_the_least_number_of_integer_bits_changes(known, team):
    found = known.compare(f"{team}_i8", team)
    word = "resolved" if found.is_resolved else "not resolved"
    ratio = pages.comparison_text(found).strip("*")

    assert f"- `{team}_i8` by `{team}`: {ratio}, {word}." in TEXT


def test_the_text_says_what_pruning_buys(known):
    base = known.rows[pages.UNPRUNED]
    rows = [known.rows[team] for team in pages.PRUNED]
    shares = [known.cards[team].cost.compression.zero_share for team in pages.PRUNED]
    spans = [known.compare(team, pages.UNPRUNED).ratio_span for team in pages.PRUNED]

    assert [0.5 <= shares[0] < 0.6, 0.75 <= shares[1] < 0.8, 0.9 <= shares[2] < 0.95] == [True] * 3
    assert not any(is_worse(known, team, pages.UNPRUNED) for team in pages.PRUNED)
    luts = [f"{row.lut.value / base.lut.value:.2f}" for row in rows]
    times = [f"{row.latency_ns.value:g}" for row in rows]
    assert (
        f"Pruned by 50 %, 75 % and 90 %, the netlist takes {luts[0]}, {luts[1]} and {luts[2]} of "
        f"the LUTs, and {times[0]}, {times[1]} and {times[2]} ns in place of "
        f"{base.latency_ns.value:g} ns. The TPR of {named(pages.PRUNED)} is not resolved to be "
        f"worse. Not resolved is not equal: the intervals allow ratios from "
        f"{min(span.lower for span in spans):.2f} to {max(span.upper for span in spans):.2f}."
    ) in SAID


def test_the_text_has_the_luts_of_the_convolutions(known):
    luts = {team: f"{row.lut.value:,.0f}" for team, row in known.rows.items() if "cnn" in team}

    assert (
        f"takes {luts['cnn_vae_small']} LUTs in place of {luts['cnn_vae']}, and "
        f"{luts['cnn_ae_small']} in place of {luts['cnn_ae']}."
    ) in SAID
    for team in luts:
        size = json.loads((SUBMISSIONS / team / "size.json").read_text())
        assert size["filters"] == ([8, 16] if team.endswith("small") else [16, 32])


def test_keras_and_firmware_are_the_same_numbers_as_the_text_says(known):
    made = {
        team: card
        for team, card in known.cards.items()
        if not isinstance(card.firmware, NotMeasured)
    }
    compared = [pair for card in made.values() for pair in card.firmware.agreements]
    for card in made.values():
        by_keras, by_firmware = (
            merit_of(
                {name: rate.tpr for name, rate in physics.at(1e-5).rates.items()}, known.contest
            )
            for physics in (card.float_physics, card.firmware_physics)
        )
        assert by_keras == by_firmware
        assert card.firmware.agreements

    assert {pair.n_different for pair in compared} == {0}
    numbers = [pair.n_events for pair in compared]
    assert f"In all {len(made)} cards with firmware" in SAID
    assert f"{min(numbers):,} to {max(numbers):,} events for each pair" in SAID


def test_the_times_are_those_that_were_kept():
    trainings = json.loads(TRAININGS.read_text())
    whole = json.loads(WHOLE_RUN.read_text())
    minutes = sum(took["processor_s"] for took in trainings.values()) / 60

    assert (
        f"The {len(trainings)} trainings that were timed took {minutes:.0f} minutes of processor "
        f"time together. `make baselines`, {whole['n_trainings']} trainings that each start "
        f"TensorFlow, took {whole['wall_s'] / 60:.0f} minutes on a machine of two cores with other "
        f"work, and {whole['processor_s'] / 60:.0f} minutes of processor time."
    ) in SAID


def test_the_text_counts_the_entries_whose_seeds_scatter_more_than_a_card_says():
    table = TEXT[TEXT.index("begin seeds") : TEXT.index("end seeds")]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| `")]
    spread = json.loads(SEED_SPREAD.read_text())
    wider = sum(float(row[2]) > float(row[3]) for row in rows)

    assert len(rows) == len(spread)
    assert {len(seeds) for seeds in spread.values()} == {5}
    assert f"For {wider} of {len(rows)} entries the seeds scatter more" in SAID


def test_ratios_over_seeds_by_hand():
    """Welch: ln of three seeds 0 and ± 0.1054, so s = 0.1054, and t of 4 degrees is 2.776."""
    seeds = [0.9, 1.0, 1 / 0.9]

    # exp(2.776 * 0.1054 * sqrt(2 / 3)) = 1.27.
    assert pages.over_seeds(seeds, seeds) == "1.00 [0.79, 1.27]"
    assert pages.over_seeds([2 * seed for seed in seeds], seeds) == "**2.00 [1.58, 2.54]**"


def test_the_closure_is_the_one_that_the_training_measured():
    kept = json.loads((SUBMISSIONS / "double_ae" / "closure.json").read_text())

    assert f"On {kept['n_events']:,} background events" in SAID
    for row in kept["regions"]:
        assert (
            f"| {100 * row['share']:g} % | {row['observed']:,} | {row['estimated']:,.1f} | "
            f"{row['ratio']:.3f} ± {row['uncertainty']:.3f} |"
        ) in TEXT


def test_the_controls_did_what_the_text_says(known):
    physics = known.physics("control_random")
    rates = [rate.interval for rate in physics.at(1e-5).rates.values()]
    areas = [auc.interval for auc in physics.auc.values()]
    n_rates = sum(span.lower <= 1e-5 <= span.upper for span in rates)
    n_areas = sum(span.lower <= 0.5 <= span.upper for span in areas)

    assert f"{n_rates} of 4 TPR intervals contain the FPR of 1e-5, {n_areas} of 4 AUC" in SAID
    assert "control_constant" not in known.cards
    merit = known.rows["control_supervised"].merit.value
    assert f"trained on signal events of another seed: {percent(merit)}." in SAID
    assert known.rows["control_supervised"].rank is None


def test_what_agrees_with_the_literature_does(known):
    areas = {team: known.physics(team).auc for team in known.cards}
    flow = sorted(areas["flow"], key=lambda signal: -areas["flow"][signal].value)
    auto = areas["dense_ae"]
    latent = [team for team in known.cards if "vae" in team]

    assert flow == ["ato4l", "hplus", "lq", "h0"]
    assert auto["hplus"].value - auto["ato4l"].value == pytest.approx(0.01, abs=0.005)
    for ahead in ("flow", "dense_ae"):
        assert all(areas[ahead]["ato4l"].value > areas[team]["ato4l"].value for team in latent)
    small = [team for team in known.cards if team.startswith("dense_")]
    assert max(known.rows[team].rates["ato4l"].tpr for team in small) < 0.003


def test_what_the_text_says_of_auc_and_the_working_point_is_so(known):
    auto, best = (known.physics(team).auc for team in ("dense_ae", "covariance_met"))
    n_better = sum(auto[signal].value > best[signal].value for signal in auto)
    merits = [known.rows[team].merit.value for team in ("dense_ae", "covariance_met")]
    met = known.physics("met_cut").at(1e-5).threshold

    assert (
        f"better AUC than `covariance_met` on {n_better} of {len(auto)} signals, and "
        f"{merits[0] / merits[1]:.2f} of its geometric mean TPR"
    ) in SAID
    assert f"a cut on MET is at {met:.0f} GeV" in SAID


def test_the_cards_are_of_the_sample(known):
    assert known.board.challenge == "sample"
    assert known.board.synthetic
    assert all(read_card(path).is_official for path in pages.cards_of(TEXT).values())


def test_each_figure_of_a_reach_stands_below_its_header_whatever_a_record_lacks(known, monkeypatch):
    def with_less(path):
        found = read_reach(path)
        kept = found.comparisons if path.stem == "dense_ae" else ()
        signals = {name: one for name, one in found.signals.items() if name != "lq"}
        return found.model_copy(update={"comparisons": kept[1:], "signals": signals})

    monkeypatch.setattr(pages, "read_reach", with_less)
    header, _, *rows = pages._reach(known).splitlines()
    titles = [title.strip() for title in header.split("|")]
    teams = [row.split("`")[1] for row in rows]

    assert {row.count("|") for row in (header, *rows)} == {header.count("|")}
    cells = [cell.strip() for cell in rows[teams.index("dense_ae")].split("|")]
    seen = dict(zip(titles, cells, strict=True))
    assert (seen["p, data"], seen["p, tune A14"]) == ("–", "0.055")
    assert seen[known.board.signals["lq"]] == "–"
