"""What a team declares, and what a contest makes of it: every output of the board says so."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from harness.card.files import read_card, write_card
from harness.card.records import ScoreCard
from harness.ci.comment import Rivals, make_comment, read_rivals, readable
from harness.ci.documents import Scoring, Summary
from harness.data.manifest import load_manifest
from tests.cards import make_card, make_challenge
from tests.integration.test_working_point import manifest
from tests.outputs import check, harness, printed, refused

CHALLENGE = "finals"
DECLARED: dict[str, dict[str, object]] = {
    "plain": {"learning": "unsupervised", "method": "vanilla_autoencoder"},
    "clever": {
        "learning": "unsupervised",
        "method": "autoencoder",
        "method_detail": "With a graph of the jets",
        "trained_on": ("background", "simulation"),
        "signals_seen": "tuned",
    },
    "noisy": {"learning": "weak", "method": "classifier"},
    "old": {},
    "taught": {"is_supervised": True},
}
REFERENCE = "a reference of this contest, not ranked"


def made(team: str) -> ScoreCard:
    rates = dict.fromkeys(("ato4l", "lq", "h0", "hplus"), 10.0 ** -(1 + len(team) / 3))
    card = make_card(team, rates=rates, seed=len(team), challenge=make_challenge(name=CHALLENGE))
    said = card.submission.model_copy(update=DECLARED[team])
    return card.model_copy(update={"submission": said})


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for team in DECLARED:
        write_card(made(team), tmp_path / "results")
    return tmp_path / "results"


def test_without_rules_all_but_the_supervised_are_ranked_and_old_cards_too(results):
    ranks = {"old": 1, "plain": 2, "noisy": 2, "clever": 4, "taught": None}
    check(printed(results, CHALLENGE), ranks)


def test_the_rules_say_which_kinds_are_ranked_and_which_methods_are_references(results, tmp_path):
    ranking = {"learning": ["unsupervised"], "reference_methods": ["vanilla_autoencoder"]}
    rules = manifest(tmp_path, 1e-5, ranking=ranking)
    asked = ("--manifest", rules)
    ranks = {"plain": None, "clever": 1, "noisy": None, "old": None, "taught": None}
    check(printed(results, CHALLENGE, *asked), ranks)

    shown = ("leaderboard", "--results", results, "--challenge", CHALLENGE, *asked)
    told = {
        "plain": REFERENCE,
        "noisy": "declared as weakly supervised; this contest ranks unsupervised",
        "old": "its kind of learning is not stated; this contest ranks unsupervised",
        "taught": "declared as trained on the signals",
    }
    rows = {row["team"]: row for row in json.loads(harness(*shown, "--json"))["rows"]}
    lines = {row["team"]: row for row in csv.DictReader(io.StringIO(harness(*shown, "--csv")))}
    pages = tmp_path / "exported" / CHALLENGE / "entries"
    for team, reason in told.items():
        assert rows[team]["reasons"][0].startswith(reason)
        assert lines[team]["reasons"].startswith(reason)
        assert reason in (pages / f"{team}.html").read_text(encoding="utf-8")
    assert (rows["clever"]["method"], lines["noisy"]["learning"]) == ("autoencoder", "weak")
    assert not {"learning", "method"} & rows["old"].keys()

    rivals = read_rivals(results, load_manifest(rules).challenge(CHALLENGE))
    assert REFERENCE in comment("plain", rivals)


def comment(team: str, rivals: Rivals) -> str:
    scoring = Scoring(team=team, challenge=CHALLENGE, status="scored", card=f"{team}/x")
    summary = Summary(challenge=CHALLENGE, plan=None, scorings=(scoring,))
    return readable(make_comment(summary, {team: made(team)}, rivals))


def test_terminal_page_and_comment_show_what_is_declared(results, tmp_path):
    harness("leaderboard", "--results", results, "--export", tmp_path / "site")
    for team, words in {
        "clever": (
            *("unsupervised", "autoencoder: With a graph of the jets"),
            *("background, simulation", "tuned"),
        ),
        "noisy": ("weakly supervised", "classifier"),
        "old": ("not stated",),
        "taught": ("supervised", "not stated"),
    }.items():
        (path,) = (results / CHALLENGE / team).glob("*.json")
        page = tmp_path / "site" / CHALLENGE / "entries" / f"{team}.html"
        shown = " ".join(harness("show", path).replace("│", " ").split())
        for text in (shown, page.read_text(encoding="utf-8"), comment(team, Rivals())):
            assert all(word in text for word in words), (team, text)


def test_a_card_from_before_the_declaration_loads_and_one_that_has_it_keeps_it(results):
    for team, said in DECLARED.items():
        (path,) = (results / CHALLENGE / team).glob("*.json")
        if team == "old":
            content = json.loads(path.read_text(encoding="utf-8"))
            for name in DECLARED["clever"]:
                del content["submission"][name]
            path.write_text(json.dumps(content), encoding="utf-8")
        submission = read_card(path).submission
        assert {name: getattr(submission, name) for name in said} == said


@pytest.mark.parametrize(
    ("ranking", "part"),
    [
        ({"learning": ["unsuperwised"]}, "'unsuperwised' is not accepted"),
        ({"learning": []}, "at least 1 item"),
        ({"reference_methods": ["vanilla"]}, "'vanilla' is not accepted"),
    ],
)
def test_rules_that_name_no_kind_or_method_are_refused(tmp_path, ranking, part):
    rules = manifest(tmp_path, 1e-5, ranking=ranking)
    (problem,) = refused("data", "check", CHALLENGE, "--manifest", rules).problems
    assert "ranking." in problem.where
    assert part in str(problem)
