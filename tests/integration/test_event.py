"""A whole event, played through the command line: every output against a ranking of our own."""

from __future__ import annotations

import csv
import io
import subprocess
from pathlib import Path

import pytest

from harness.card.files import write_card
from harness.card.run import ScoredChallenge
from harness.challenge import RankingRules
from harness.ci.process import ScoringOutcome, ScoringRequest
from tests.cards import make_card, make_challenge
from tests.integration.test_working_point import manifest
from tests.main_branch import MainBranch
from tests.outputs import check, harness, json_ranks, printed, site_ranks
from tests.own_ranking import own_ranking

pytestmark = pytest.mark.whole

CHALLENGE = "final"
RULES = RankingRules(tie_break="received")
SCORED = make_challenge(name=CHALLENGE, hidden=("h0",), rules=RULES)
KNOWN, ALL = ("ato4l", "lq", "hplus"), ("ato4l", "lq", "h0", "hplus")
# True rate of each team, and of its signal that is hidden: that one turns the order round.
TEAMS = {
    "anna": (5e-2, 1e-4),
    "bert": (4e-2, 2e-4),
    "carl": (3e-2, 4e-4),
    "dora": (2e-2, 8e-4),
    "emil": (1e-2, 2e-3),
    "fred": (1e-2, 2e-3),
    "gerd": (5e-3, 4e-2),
    "hugo": (2e-3, 8e-1),
    "ines": (1e-3, 2e-1),
    "late": (9e-2, 9e-1),
}
SECRETS = ("h0.h5", "h⁰ → ττ", '"h0"', "tpr_h0", "sample-1")


def score(request: ScoringRequest) -> ScoringOutcome:
    """Make a card up; two teams have handed in one network."""
    team = "carl" if request.team == "carla" else request.team
    known, hidden = TEAMS[team]
    better = 2.0 if request.files["note.txt"] else 1.0
    rates = {**dict.fromkeys(KNOWN, min(1.0, better * known)), "h0": hidden}
    seed = 55 if team in {"emil", "fred"} else sum(team.encode())
    card = make_card(request.team, seed=seed, challenge=SCORED, rates=rates)
    changes: dict[str, object] = {"digest": request.digest, "received": request.received}
    card = card.model_copy(update={"submission": card.submission.model_copy(update=changes)})
    if seed == 55:
        card = card.model_copy(update={"model_digest": f"sha256:{'5' * 64}"})
    return ScoringOutcome(exit_code=0, message="", wall_s=0.1, card=card.model_dump_json().encode())


class Event:
    """The organiser's clone, bare remote, board, manifest and private results."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place, self._monkeypatch = place, monkeypatch
        self.at("2026-03-01T08:00:00Z")
        self.main = MainBranch(place, monkeypatch, teams=("anna",), challenge=SCORED)
        self.main.score = score
        self.rules = self.manifest(1e-5)
        git = self.main.repository.git
        git("init", "--quiet", "--bare", str(place / "remote"))
        git("remote", "add", "origin", str(place / "remote"))

    @property
    def results(self) -> Path:
        return self.main.board / "results"

    def at(self, moment: str) -> None:
        self._monkeypatch.setenv("GIT_COMMITTER_DATE", moment)

    def manifest(self, working_point: float) -> Path:
        """The challenge in force, whose one signal is hidden."""
        files = [
            {"name": f"{one}.h5", "process": one, "title": one, "role": role}
            for one, role in (("background", "background"), *((one, "signal") for one in KNOWN))
        ]
        files.append({"name": "h0.h5", "process": "h0", "title": "h0", "role": "hidden"})
        return manifest(
            self.place,
            working_point,
            name=CHALLENGE,
            files=files,
            ranking={"tie_break": "received"},
        )

    def hand_in(self, moment: str, *teams: str, note: bytes = b"") -> None:
        self.at(moment)
        for team in teams:
            self.main.repository.commit("main", self.main.files(team, note))

    def publish(self, challenge: ScoredChallenge = SCORED) -> None:
        self.main.challenge = challenge
        where = ("--manifest", self.rules, "--private-results", self.place / "private")
        harness(*self.main.command("publish", "--push", "--challenge", CHALLENGE, *where))

    def decide(self, *command: str) -> None:
        board = ("--repository", self.main.repository.folder, "--board", self.main.board, "--push")
        of = ("--challenge", CHALLENGE, "--manifest", self.rules, "--reason", "decided")
        harness("ci", *command, *board, *of)

    def open(self) -> str:
        where = ("--repository", self.main.repository.folder, "--board", self.main.board)
        private = ("--private-results", self.place / "private", "--manifest", self.rules)
        return harness("ci", "open", "--push", *where, *private, "--challenge", CHALLENGE, "--json")

    def card_of(self, team: str) -> str:
        newest = max((self.results / CHALLENGE / team).glob("*.json"))
        return f"{team}/{newest.stem}"

    def expected(self, working_point: float, *, is_open: bool = False) -> dict[str, int | None]:
        results = self.main.board / "opened" if is_open else self.results
        signals = ALL if is_open else KNOWN
        found = {"working_point": working_point, "signals": signals}
        return own_ranking(results, CHALLENGE, **found)

    def check_all(self, ranks: dict[str, int | None]) -> None:
        """All outputs, with the manifest and without, and what another clone fetches."""
        check(site_ranks(self.main.board / "docs", CHALLENGE), ranks)
        check(printed(self.results, CHALLENGE, "--manifest", self.rules), ranks)
        check(printed(self.results, CHALLENGE), ranks)
        other = self.place / "other"
        harness("ci", "fetch-board", "--repository", self.main.repository.folder, "--board", other)
        check(site_ranks(other / "docs", CHALLENGE), ranks)
        check(printed(other / "results", CHALLENGE), ranks)

    def history(self) -> str:
        """All that was ever pushed."""
        log = ("git", "-C", str(self.place / "remote"), "log", "-p", "--all")
        return subprocess.run(log, capture_output=True, check=True).stdout.decode()


def at_point(working_point: float) -> ScoredChallenge:
    return SCORED.model_copy(update={"working_point": working_point})


def test_a_whole_event_is_ranked_as_its_rules_and_decisions_say(tmp_path, monkeypatch):
    event = Event(tmp_path, monkeypatch)
    for hour, team in enumerate(("fred", "emil", "bert", "carl", "dora", "gerd", "ines"), start=9):
        event.hand_in(f"2026-03-01T{hour:02}:00:00Z", team)
    event.publish()
    event.check_all(event.expected(1e-5))

    event.decide("retract", event.card_of("anna"))
    event.decide("disqualify", "bert")
    event.decide("freeze", "--deadline", "2026-03-02T01:00:00+01:00")
    event.hand_in("2026-03-01T22:00:00Z", "bert", note=b"another title")
    event.hand_in("2026-03-02T00:00:01Z", "dora", "late", note=b"better")
    event.at("2026-03-02T01:00:00Z")
    event.main.rename("carl", "carla")
    event.main.repository.commit("main", dict.fromkeys(event.main.files("gerd")))
    event.publish()
    ranks = event.expected(1e-5)
    assert ranks == {
        "anna": None,
        "bert": None,
        "carla": 1,
        "dora": 2,
        "fred": 3,
        "emil": 4,
        "gerd": None,
        "ines": 5,
        "late": None,
    }
    event.check_all(ranks)
    told = harness("leaderboard", "--results", event.results, "--challenge", CHALLENGE)
    assert "emil and fred handed in the same network" in told

    # Another working point: who is not scored at it is unranked, and nobody else.
    event.rules = event.manifest(1e-4)
    event.hand_in("2026-03-01T23:00:00Z", "hugo")
    event.publish(at_point(1e-4))
    ranks = event.expected(1e-4)
    # Of these two only late cards are of the new point.
    assert ranks["dora"] is ranks["carla"] is None
    # Nothing is received before the commit below it, whatever date it says: hugo is late.
    assert ranks["hugo"] is None
    assert {rank for rank in ranks.values() if rank} == {1, 2, 3}
    event.check_all(ranks)
    assert not [word for word in SECRETS if word in event.history()]

    final = json_ranks(event.open())
    assert final == event.expected(1e-4, is_open=True)
    winner = next(team for team, rank in final.items() if rank == 1)
    event.check_all(final)
    before = event.history()
    assert json_ranks(event.open()) == final
    assert event.history() == before
    event.decide("retract", event.card_of(winner))
    again = event.expected(1e-4, is_open=True)
    assert again[winner] is None
    event.check_all(again)


@pytest.mark.parametrize(
    ("rule", "ranks"), [("shared", {"b": 1, "a": 1}), ("received", {"b": 1, "a": 2})]
)
def test_a_tie_is_shared_or_broken_by_the_time_of_receipt_and_equal_networks_are_named(
    tmp_path, rule, ranks
):
    challenge = make_challenge(name=CHALLENGE, rules=RankingRules(tie_break=rule))
    for team, hour in {"b": 10, "a": 11}.items():
        same = {"model_digest": f"sha256:{'5' * 64}", "challenge": challenge}
        card = make_card(team, created=f"2026-03-01T{22 - hour}:00:00Z", **same)
        said = card.submission.model_copy(update={"received": f"2026-03-01T{hour}:00:00+01:00"})
        write_card(card.model_copy(update={"submission": said}), tmp_path / "results")
    check(printed(tmp_path / "results", CHALLENGE), ranks)
    asked = ("leaderboard", "--results", tmp_path / "results", "--challenge", CHALLENGE)
    told = "a and b handed in the same network"
    assert all(told in harness(*asked, *form) for form in ((), ("--json",), ("--markdown",)))
    rows = list(csv.DictReader(io.StringIO(harness(*asked, "--csv"))))
    assert {row["team"]: row["same_network"] for row in rows} == {"a": "b", "b": "a"}
    site = tmp_path / "exported"
    pages = ("index.html", "final/index.html", "final/entries/a.html", "final/entries/b.html")
    assert all(told in (site / page).read_text(encoding="utf-8") for page in pages)
