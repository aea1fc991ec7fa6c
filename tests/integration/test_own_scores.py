"""Scores of one's own: evaluated, compared in pairs, handed in as a declared entry."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import yaml

import harness as package
from harness.card.files import read_card
from harness.errors import InvalidSubmissionError, UsageError
from tests.integration.conftest import OPEN_MODEL, write_submission


@pytest.fixture(scope="module")
def own(harness, tmp_path_factory):
    """The sum of pT as an open entry's card, as an array, and as a declared entry's card."""
    folder = tmp_path_factory.mktemp("own")
    results = folder / "results"
    events = package.data.test_events(
        "toy", root=harness.folder / "cache", manifest=harness.manifest
    )
    scores = np.asarray(events)[:, :, 0].sum(axis=1)
    np.savez(folder / "scores.npz", scores=scores)
    write_submission(folder / "open_sum", model=OPEN_MODEL, division="open")
    declared = write_submission(folder / "told", division="declared", scores="scores.npz")
    (declared / "model.py").unlink()
    np.savez(declared / "scores.npz", scores=scores)
    cards = {}
    for team in ("open_sum", "told"):
        done = harness.score(folder / team, "--results", results)
        assert done.returncode == 0, done.stderr
        (cards[team],) = (results / "toy" / team).glob("*.json")
    return folder, scores, cards


@pytest.fixture
def toy(harness):
    return {"manifests": [harness.manifest], "cache": harness.folder / "cache"}


@pytest.fixture
def evaluated(own, toy):
    return package.evaluate(own[1], "toy", **toy)


def test_an_array_earns_what_the_same_scores_earn_as_an_entry(own, evaluated):
    physics = read_card(own[2]["open_sum"]).float_physics

    assert evaluated.physics == physics
    assert read_card(own[2]["told"]).float_physics == physics


def test_scores_and_card_of_one_function_do_not_differ(own, evaluated, toy):
    found = package.compare(own[2]["open_sum"], own[1], "toy", **toy)

    assert [one.signal for one in found.figures] == ["all signals", "heavy", "alike"]
    assert all(one.found.difference == 0 and one.found.ratio == 1 for one in found.figures)
    again = package.compare(evaluated, own[2]["told"], **toy).to_frame()
    assert not again["is_resolved"].any()


def test_other_scores_differ_with_the_pairs_interval(own, evaluated, toy):
    noise = np.random.default_rng(5).normal(size=len(own[1]))

    frame = package.compare(own[1], noise, "toy", **toy).to_frame().set_index("signal")

    heavy = frame.loc["heavy"]
    assert heavy["difference_lower"] > 0
    assert heavy["is_resolved"]
    point = evaluated.physics.at(0.01).rates["heavy"]
    assert heavy["first"] == point.tpr
    assert heavy["difference"] == heavy["first"] - heavy["second"]


def test_the_evaluation_is_a_table_and_safe_html(own, toy):
    found = package.evaluate(own[1], "toy", name="<b>mine", against=[own[2]["told"]], **toy)

    frame = found.to_frame()
    assert set(frame["figure"]) == {"AUC", "TPR"}
    assert ((frame["lower"] <= frame["value"]) & (frame["value"] <= frame["upper"])).all()
    assert "&lt;b&gt;mine" in found._repr_html_()
    assert "<b>mine" not in found._repr_html_()
    assert "declared" in found._repr_html_()


def test_what_print_shows_is_short(own, evaluated, toy):
    card = read_card(own[2]["told"])
    pair = package.compare(own[2]["open_sum"], own[1], "toy", **toy)

    shown = [str(evaluated), str(pair), str(card), repr(card)]

    assert all(len(text) < 1_000 for text in shown)
    assert evaluated.merit_line in shown[0]
    assert "all signals" in shown[1]
    assert all("told on toy" in text for text in shown[2:])


def test_cards_of_a_folder_that_is_not_there_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        package.cards(tmp_path / "results")


def test_a_file_of_scores_becomes_an_entry_in_one_command(own, harness, tmp_path):
    folder, _, cards = own
    toy = ("--challenge", "toy", "--manifest", harness.manifest)

    made = harness(
        "new", "of_file", *toy, "--scores", folder / "scores.npz", "--submissions", tmp_path
    )
    assert made.returncode == 0, made.stderr
    done = harness.score(tmp_path / "of_file", "--results", tmp_path / "results")

    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "results" / "toy" / "of_file").glob("*.json")
    card = read_card(path)
    assert card.submission.division == "declared"
    assert card.float_physics == read_card(cards["told"]).float_physics
    both = harness("new", "other", *toy, "--open", "--scores", folder / "scores.npz")
    assert both.returncode == 2


def test_the_command_prints_figures_and_comparisons(own, harness):
    folder, _, cards = own
    toy = ("--challenge", "toy", "--manifest", harness.manifest)

    printed = harness.here("evaluate", folder / "scores.npz", *toy, "--against", cards["open_sum"])
    assert printed.returncode == 0, printed.stderr
    for word in ("scores.npz", "heavy", "merit", "open_sum", "never ranked"):
        assert word in printed.stdout
    found = harness.here("evaluate", folder / "scores.npz", *toy, "--json")
    assert json.loads(found.stdout)["physics"]["auc"]["heavy"]["value"] > 0.5
    compared = harness.here(
        "compare", cards["open_sum"], cards["told"], "--manifest", harness.manifest
    )
    assert compared.returncode == 0, compared.stderr
    assert "all signals" in compared.stdout
    short = folder / "short.csv"
    short.write_text("1.0\n2.0\n", encoding="utf-8")
    refused = harness.here("evaluate", short, *toy)
    assert refused.returncode == 3
    assert "2 scores" in refused.stderr


def test_a_declared_entry_stands_apart_and_is_never_ranked(own, harness):
    folder, _, cards = own
    card = read_card(cards["told"])

    assert not card.is_official
    assert "never ranked" in " ".join(card.unofficial_because)
    board = package.leaderboard("toy", folder / "results", manifests=[harness.manifest])
    row = board.set_index("team").loc["told"]
    assert pd.isna(row["rank"])
    assert "declared division" in row["reasons"]
    toy = ("--manifest", harness.manifest, "--challenge", "toy", "--results", folder / "results")
    printed = harness.here("leaderboard", *toy).stdout
    head, _, apart = printed.partition("Declared: scores from a file")
    assert " told " not in head
    assert " told " in apart


def test_all_cards_are_rows_of_a_table(own, harness):
    folder, _, cards = own

    frame = package.cards(folder / "results", manifests=[harness.manifest])

    assert set(frame["path"]) == {str(path) for path in cards.values()}
    physics = read_card(cards["open_sum"]).float_physics
    row = frame.set_index("team").loc["open_sum"]
    assert row["auc_heavy"] == physics.auc["heavy"].value
    assert row["merit_lower"] <= row["merit"] <= row["merit_upper"]
    assert not frame.set_index("team").loc["told", "is_official"]


def test_a_declared_entry_without_its_file_is_refused(tmp_path, harness):
    folder = write_submission(tmp_path / "empty", division="declared", scores="scores.npz")
    found = harness.here("validate", folder, "--json")

    assert found.returncode == 3
    assert json.loads(found.stdout)["problems"][0]["where"] == "scores.npz"
    folder = write_submission(tmp_path / "silent", division="declared")
    assert "names the file of its scores" in harness.here("validate", folder).stderr


def test_what_cannot_be_compared_is_refused(own, toy):
    with pytest.raises(UsageError, match="is of toy 1"):
        package.evaluate(own[1], "sample", against=[own[2]["told"]])
    with pytest.raises(InvalidSubmissionError, match="NaN"):
        package.evaluate(np.full(len(own[1]), np.nan), "toy", **toy)


@pytest.mark.parametrize(
    ("merit", "said"),
    [
        ({"kind": "max_sic", "min_background": 20}, "Max SIC"),
        ({"kind": "auc"}, "AUC"),
        ({"kind": "mistag_at_tpr", "tpr": 0.3}, "Mistag at TPR 0.3"),
    ],
)
def test_whatever_the_challenge_ranks_is_measured_and_compared(own, harness, tmp_path, merit, said):
    manifest = yaml.safe_load(harness.manifest.read_text(encoding="utf-8"))
    manifest["challenges"][0]["merit"] = merit
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(manifest), encoding="utf-8")
    toy = {"manifests": [path], "cache": harness.folder / "cache"}
    noise = np.random.default_rng(6).normal(size=len(own[1]))

    found = package.evaluate(own[1], "toy", **toy)
    pair = package.compare(found, noise, **toy).to_frame()

    assert said in found.merit_line
    span = found.merit_span
    assert span.lower <= found.merit <= span.upper
    assert any(name.startswith(said) for name in found.to_frame()["figure"])
    assert [row for row in found.merit_rows() if row[0] == "heavy"]
    # Beside what is ranked, the TPR at the working point.
    assert sum(pair["figure"].str.startswith("TPR at FPR")) == 2
    assert any(pair["figure"].str.startswith(f"merit, {said}"))
