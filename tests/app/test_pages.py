"""Each page in each of its states, without a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from harness.board.boards import Boards
from harness.board.decisions import Decision, add_decision
from harness.board.public import public_part
from harness.card.costs import Compression
from harness.card.figures import NotMeasured
from harness.card.records import ScoreCard
from harness.card.run import IsolationRecord, IsolationTrial
from harness.card.source import SourceCommit
from leaderboard_app.blocks import Picture
from leaderboard_app.settings import Settings
from leaderboard_app.static_site import export_site
from leaderboard_app.views.stress import stress_section
from tests.app.conftest import APP, HOSTILE_TEXT, hostile_card
from tests.boxes import make_opened, write_opened
from tests.cards import (
    TYPICAL_RATES,
    make_board,
    make_card,
    make_challenge,
    make_physics,
    make_rulebook,
    make_summary,
    write_board,
)

PAGES = (
    *("ranking", "trade_off", "submission", "compare"),
    *("data", "after_trigger", "watch", "status", "answers", "take_part"),
)


@pytest.fixture
def open_page(app_settings):
    """Run one page of the app on a folder of cards."""

    def run(results: Path, page: str = "ranking", *, query=None, **settings) -> AppTest:
        app_settings(Settings(results=str(results), **settings))
        app = AppTest.from_file(str(APP), default_timeout=60)
        for key, value in (query or {}).items():
            app.query_params[key] = value
        app.run()
        if page != "ranking":
            for key, value in (query or {}).items():
                app.query_params[key] = value
            app.switch_page(f"app_pages/{page}.py").run()
        return app

    return run


def shown(app: AppTest) -> str:
    """All text and HTML that a page sends."""
    parts = []

    def walk(block) -> None:
        for child in block.children.values():
            if hasattr(child, "children"):
                walk(child)
            if hasattr(child, "proto"):
                parts.append(str(child.proto))

    walk(app.main)
    return "\n".join(parts)


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def table_model(app: AppTest) -> dict:
    (component,) = app.get("bidi_component")
    return json.loads(json.loads(component.proto.json)["model"])


def tell(app: AppTest, label: str):
    return next(box for box in app.selectbox if box.label == label)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_runs(open_page, results, page):
    app = open_page(results, page)
    assert not app.exception
    assert app.title[0].value


@pytest.mark.parametrize("page", PAGES)
def test_every_page_tells_what_to_run_where_there_is_nothing(open_page, tmp_path, page):
    app = open_page(tmp_path / "none", page)
    assert not app.exception
    if page != "take_part":
        assert app.info[0].value
        assert app.code[0].value.startswith("harness ")


@pytest.mark.parametrize("page", PAGES)
def test_a_broken_card_is_listed_and_the_page_lives_on(open_page, tmp_path, page):
    write_board(make_board(4, n_teams=4), tmp_path)
    (tmp_path / "sample" / "team_002" / "broken.json").write_text('{"schema_version": 7}')

    app = open_page(tmp_path, page)

    assert not app.exception
    if page in {"ranking", "trade_off"}:
        assert "newer harness" in html(app)


def test_a_renamed_team_is_found_by_its_old_name_and_has_all_of_its_cards(open_page, tmp_path):
    cards = [make_card("old", seed=seed, created=f"2026-03-0{seed}T12:00:00Z") for seed in (1, 2)]
    write_board([*cards, make_card("other")], tmp_path)
    renamed = {"kind": "rename", "reason": "x", "decided": "2026-04-01T12:00:00Z"}
    add_decision(tmp_path, "sample", Decision(**renamed, team="old", to="fresh"))

    app = open_page(tmp_path, "submission", query={"challenge": "sample", "team": "old"})
    assert not app.exception
    assert "old is called fresh now" in app.info[0].value
    assert tell(app, "Team").value == "fresh"
    assert len(tell(app, "Card").options) == 2
    assert "History of the team" in html(app)
    compared = open_page(tmp_path, "compare")
    assert not compared.exception
    assert set(compared.multiselect[0].value) == {"fresh", "other"}


def test_an_opened_challenge_is_chosen_first_and_labelled(open_page, tmp_path):
    final = make_challenge(name="final")
    write_board([make_card("a", challenge=final)], tmp_path / "opened")
    write_board([make_card("b", created="2026-04-01T12:00:00Z")], tmp_path / "results")
    app = open_page(tmp_path / "results")
    assert not app.exception
    assert tell(app, "Challenge").value == "final"
    assert tell(app, "Challenge").options[0] == "Final: Embedded sample (synthetic) (final)"
    assert "Final: Embedded sample" in table_model(app)["caption"]
    assert not open_page(tmp_path / "results", "submission").exception


@pytest.mark.parametrize("page", PAGES)
def test_only_broken_cards_make_an_empty_board(open_page, tmp_path, page):
    folder = tmp_path / "sample" / "team_a"
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text("{")
    assert not open_page(tmp_path, page).exception


def test_the_table_holds_the_board_in_its_order(open_page, results):
    app = open_page(results, query={"challenge": "sample"})
    model = table_model(app)
    ranked = [row for row in model["rows"] if row["ranked"]]
    assert [row["cells"]["rank"]["v"] for row in ranked] == sorted(
        row["cells"]["rank"]["v"] for row in ranked
    )
    assert all(row["reasons"] for row in model["rows"] if not row["ranked"])
    assert "no prediction for the ADC2021 data" in html(app)


def test_a_real_challenge_has_no_warning_of_synthetic_events(open_page, results):
    app = open_page(results, query={"challenge": "adc2021"})
    assert table_model(app)["rows"][0]["id"].startswith("solo/")
    assert "synthetic" not in html(app)


def test_another_working_point_is_shown_and_the_ranks_stay(open_page, results):
    home = table_model(open_page(results, query={"challenge": "sample"}))
    app = open_page(results, query={"challenge": "sample", "fpr": "1e-3"})
    away = table_model(app)
    ranks = [
        [(row["id"], row["cells"]["rank"]) for row in model["rows"] if row["ranked"]]
        for model in (home, away)
    ]
    assert ranks[0] == ranks[1]
    assert "Ranks are those at FPR 1e-5" in html(app)


@pytest.mark.parametrize(
    "query",
    [
        {"challenge": "nowhere", "fpr": "banana"},
        {"challenge": "../../etc", "team": "../..", "card": "../../../etc/passwd"},
        {"sort": "nothing", "q": "<script>", "part": "x" * 5000},
        {"entries": "nobody", "cost": "?", "efficiency": "%00", "event": "-1"},
    ],
)
@pytest.mark.parametrize("page", PAGES)
def test_nonsense_in_the_address_is_no_error(open_page, results, page, query):
    assert not open_page(results, page, query=query).exception


def test_a_link_opens_the_card_that_it_names(open_page, results):
    older = min((results / "sample" / "team_004").glob("*.json"))
    query = {"challenge": "sample", "team": "team_004", "card": older.stem}

    app = open_page(results, "submission", query=query)

    assert tell(app, "Team").value == "team_004"
    assert tell(app, "Card").value == older.stem
    assert "An older scoring" in html(app)


def test_a_link_to_a_card_that_is_gone_says_so(open_page, results):
    query = {"challenge": "sample", "team": "team_004", "card": "20200101T000000Z-00000000"}
    app = open_page(results, "submission", query=query)
    assert "names a card that is not here" in html(app)
    assert tell(app, "Team").value == "team_004"


@pytest.mark.parametrize(
    ("heading", "told"),
    [
        ("Physics at FPR 1e-5", "of 40,000"),
        ("ROC and scores", None),
        ("Lost between float and firmware", "not resolved"),
        ("Trigger rate", "367 Hz at 40 MHz"),
        ("Rate stability", "electron efficiency −10 %: made up for tests (94.50% still selected)"),
        ("What it accepts", None),
        ("Of what the background is made", None),
        ("Against today", "leading lepton pT &gt; 120 GeV"),
        ("Firmware", "xcvu9p"),
        ("Latency by stage", None),
        ("Cost per event", "FLOPs per event"),
        ("History of the team", "never the best"),
        ("What changed", "From each card to the next"),
        ("How it was made", "Declared by the team, not checked."),
        ("Provenance", "bwrap; guards not tried: not recorded by this scoring"),
    ],
)
def test_a_submission_shows_all_its_sections(open_page, results, heading, told):
    text = html(open_page(results, "submission", query={"challenge": "sample", "team": "team_004"}))
    assert heading in text
    assert told is None or told in text


def test_an_entry_is_cited_where_a_visitor_opens_it(open_page, results):
    page = open_page(results, "submission", query={"challenge": "sample", "team": "team_004"})
    (label,) = [one.label for one in page.expander if "ite" in one.label]
    assert "this entry" in label
    assert any(one.value.startswith("@") for one in page.code)


def test_an_entry_leads_to_its_references_and_to_its_folder_at_the_commit(open_page, tmp_path):
    card = make_card("team_a")
    commit = "1f" * 20
    source = SourceCommit(repository="https://forge.example/owner/name", commit=commit)
    said = {"references": ("arXiv:2108.03986", "doi:10.1093/restud/rdad006", "a talk")}
    linked = card.submission.model_copy(update={**said, "source": source})
    other = make_card("team_b")
    write_board([card.model_copy(update={"submission": linked}), other], tmp_path / "results")

    export_site(Boards(tmp_path / "results"), tmp_path / "site")

    query = {"challenge": "sample", "team": "team_a"}
    live = html(open_page(tmp_path / "results", "submission", query=query))
    entry = (tmp_path / "site" / "sample" / "entries" / "team_a.html").read_text(encoding="utf-8")
    for text in (live, entry):
        links = dict(re.findall(r'<a href="([^"]*)" rel="[^"]*"[^>]*>(.*?)</a>', text))
        folder = f"https://forge.example/owner/name/tree/{commit}/submissions/team_a"
        assert "submissions/team_a at commit 1f1f1f1f1f1f" in links[folder]
        assert "https://arxiv.org/abs/2108.03986" in links
        assert "https://doi.org/10.1093/restud/rdad006" in links
        assert not any("talk" in said for said in links.values())
    text = html(open_page(tmp_path / "results", "submission", query={**query, "team": "team_b"}))
    assert "the card names no commit" in text
    assert "/tree/" not in text


def test_the_page_says_which_guards_of_the_sandbox_were_tried(open_page, tmp_path):
    guards = {"network": "no sockets", "host": "no name"}
    trial = IsolationTrial(tried="2026-11-28T12:00:00Z", guards=guards)
    isolation = IsolationRecord(kind="bwrap", detail={"memory": "<b>counted</b>"}, trial=trial)
    write_board([make_card("team_a", isolation=isolation)], tmp_path)

    text = html(open_page(tmp_path, "submission"))

    assert "bwrap; 2 guards tried at 2026-11-28T12:00:00Z, all hold; memory &lt;b&gt;" in text


def test_no_page_shows_what_an_exception_of_a_library_said(open_page, tmp_path):
    said = "layer 'x' (Dense): cannot be traced: AssertionError: Expected shape (57,)\n  to do: y"
    card = make_card("team_a", firmware=NotMeasured(not_measured=said))
    write_board([card, make_card("team_b")], tmp_path / "results")
    export_site(Boards(tmp_path / "results"), tmp_path / "site")
    entry = (tmp_path / "site" / "sample" / "entries" / "team_a.html").read_text(encoding="utf-8")
    query = {"challenge": "sample", "team": "team_a"}
    for text in (
        entry,
        html(open_page(tmp_path / "results", "submission", query=query)),
        shown(open_page(tmp_path / "results")),
    ):
        assert "cannot be traced" in text
        assert "AssertionError" not in text
        assert "Expected shape" not in text


def test_a_card_with_nothing_measured_still_has_a_page(open_page, tmp_path):
    nothing = NotMeasured(not_measured="it failed")
    card = make_card(
        "team_a",
        firmware_physics=nothing,
        float_physics=nothing,
        cost=nothing,
        firmware=nothing,
        checks=nothing,
        accepted=nothing,
        cuts=nothing,
        stress=nothing,
        model_digest=nothing,
    )
    write_board([card], tmp_path)
    for page in PAGES:
        app = open_page(tmp_path, page)
        assert not app.exception
    assert "it failed" in html(open_page(tmp_path, "submission"))


def test_a_bar_for_each_variation_stands_beside_the_nominal_rate(open_page, tmp_path):
    card = make_card("team_a")
    write_board([card], tmp_path)

    app = open_page(tmp_path, "submission")

    assert "FPR realised at the threshold for 1e-5" in shown(app)
    assert "+6 −3" in html(app)
    assert "Other tune: not measured: tune.h5 is not here" in html(app)
    section = stress_section(card)
    (picture,) = [block for block in section.blocks if isinstance(block, Picture)]
    assert [row["Background"] for row in picture.table()] == [
        "jet energy scale +5 %",
        "electron efficiency −10 %",
    ]
    assert picture.datasets["references"][0]["nominal"] == 10 / 1_090_000


def test_a_submission_shows_how_far_its_weights_are_compressed(open_page, tmp_path):
    card = make_card("pruned")
    found = Compression(n_weights=2_384, n_zero=1_788, zero_share=0.75, bits_per_weight=4.25)
    cost = card.cost.model_copy(update={"compression": found})
    write_board([card.model_copy(update={"cost": cost})], tmp_path)

    text = html(open_page(tmp_path, "submission"))

    assert "75 % of 2,384" in text
    assert "Bits per weight" in text


def test_a_submission_shows_how_many_scores_of_its_firmware_differ(open_page, tmp_path):
    write_board([make_card()], tmp_path)
    text = html(open_page(tmp_path, "submission"))

    assert "Every score: network and firmware" in text
    # Three events of the first signal.
    assert "0.0625" in text
    assert "in float64 the events that differ most" in text


def test_without_a_stress_run_there_is_no_section_of_it(open_page, tmp_path):
    write_board([make_card("team_a", stress=NotMeasured(not_measured="not asked for"))], tmp_path)
    assert "Rate stability" not in html(open_page(tmp_path, "submission"))


def test_entries_are_compared_in_words(open_page, tmp_path):
    from tests.cards import SIGNALS

    strong = make_card("strong", seed=1, rates=dict.fromkeys(SIGNALS, 0.05))
    weak = make_card("weak", seed=2, rates=dict.fromkeys(SIGNALS, 0.0005))
    twin = make_card("twin", seed=3, rates=dict.fromkeys(SIGNALS, 0.05))
    write_board([strong, weak, twin], tmp_path)

    app = open_page(
        tmp_path, "compare", query={"challenge": "sample", "entries": ["strong", "weak", "twin"]}
    )

    text = html(app)
    assert "strong is better" in text
    assert "not resolved" in text
    assert not app.exception


def test_fewer_than_two_entries_ask_for_more(open_page, tmp_path):
    write_board([make_card("alone")], tmp_path)
    app = open_page(tmp_path, "compare")
    assert "at least two" in app.info[0].value


def test_cards_of_different_data_are_not_compared(open_page, tmp_path):
    old = make_card("old", challenge=make_challenge(version="0"), created="2025-01-01T00:00:00Z")
    write_board([old, make_card("new")], tmp_path)
    app = open_page(tmp_path, "compare", query={"challenge": "sample", "entries": ["new", "old"]})
    assert "are not compared" in html(app)


def test_the_data_page_shows_what_is_in_the_summary(open_page, tmp_path):
    folder = tmp_path / "sample"
    folder.mkdir()
    (folder / "summary.json").write_text(make_summary().model_dump_json())
    app = open_page(tmp_path, "data")
    text = html(app)
    assert "2,180,000" in text
    assert "Occupancy" in text
    assert tell(app, "Event").options[0].startswith("Background, event 1")


def test_answers_to_a_box_are_shown_after_its_opening_and_not_before(open_page, tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        write_board([make_card("other")], folder)
    write_opened(after, make_opened(method=HOSTILE_TEXT))
    assert "No black box was opened yet" in open_page(before, "answers").info[0].value
    app = open_page(after, "answers")
    assert not app.exception
    assert not app.info
    text = html(app)
    assert "834 events of X to YY (3,500 GeV)" in text
    rows = re.findall("<tr><th>.*?(?=<tr>|</table>)", text)
    assert "significance" in rows[-2]
    assert "a_team" in rows[-1]
    first, second = rows[-4:-2]
    for cell in ("a_team", "yes, right", "3,600 ± 50", "3,500", "+2.00", "9 ± 1 fb", "8.34 fb"):
        assert cell in first
    assert "no, wrong" in second
    assert "<script>window" not in text


def test_reports_after_the_trigger_are_shown_and_what_makes_one_is_said_before(
    open_page, results, tmp_path
):
    write_board([make_card("other")], tmp_path)
    for page, command in (("after_trigger", "harness cluster"), ("watch", "harness watch")):
        empty = open_page(tmp_path, page)
        assert "No such report" in empty.info[0].value
        assert empty.code[0].value.startswith(command)

    after = open_page(results, "after_trigger", query={"challenge": "sample"})
    watch = open_page(results, "watch", query={"challenge": "sample"})

    assert not after.exception
    assert not watch.exception
    for words in ("nothing unexpected, global p = 0.41", "60 events observed", "rule 1"):
        assert words in html(after)
    for words in ("dead_region", "are 88% less since section 20", "Pile-up 20 to 40", "not known"):
        assert words in html(watch)
    # A spectrum and two events; a trend and a map.
    for app, n_charts in ((after, 3), (watch, 2)):
        assert [button.label for button in app.button] == ["Save this chart"] * n_charts


def test_the_guide_stands_alone(open_page, results):
    app = open_page(results, "take_part")
    text = "\n".join(element.value for element in app.markdown)
    assert "harness score" in text
    assert "<!--" not in text
    for target in re.findall(r"\]\(([^)]*)\)", text):
        assert target.startswith("https://"), target


def test_the_guide_ends_with_the_glossary(open_page, results):
    app = open_page(results, "take_part")
    assert "Glossary" in [element.value for element in app.subheader]
    assert "| **merit** |" in app.markdown[-1].value


def test_hidden_signals_are_not_sent_to_the_public(open_page, tmp_path):
    write_board([make_card("team_a", challenge=make_challenge(hidden=("h0",)))], tmp_path)
    for page in PAGES:
        public = open_page(tmp_path, page)
        assert "h⁰" not in shown(public), page
        assert '"h0"' not in shown(public), page
    private = open_page(tmp_path, "submission", is_private=True)
    assert "h⁰" in html(private)


def test_rules_of_the_manifest_take_the_place_of_those_in_the_cards(open_page, tmp_path):
    write_board([make_card("team_a")], tmp_path)
    strict = make_rulebook(accepted_evidence=("post_route",)).challenge
    app = open_page(tmp_path, challenges=(strict,))
    (row,) = table_model(app)["rows"]
    assert not row["ranked"]
    assert "this contest accepts post_route" in row["reasons"][0]


def test_broken_decisions_rank_nothing_and_are_named(open_page, tmp_path):
    write_board([make_card("team_a")], tmp_path)
    (tmp_path / "sample" / "decisions.json").write_text("{}x")
    for page in ("ranking", "trade_off", "submission", "compare"):
        app = open_page(tmp_path, page)
        assert not app.exception, page
        assert "decisions cannot be read" in app.error[0].value
        assert "sample/decisions.json" in html(app)


def test_what_a_team_writes_is_sent_as_text(open_page, tmp_path):
    write_board([hostile_card(), make_card("other")], tmp_path)
    for page in ("submission", "compare"):
        app = open_page(tmp_path, page, query={"challenge": "sample", "team": "hostile"})
        text = html(app)
        assert "<script" not in text
        assert "<img" not in text
        assert "<svg" not in text
        assert "\u202e" not in text
        # Nothing of a card is ever given to a function that reads Markdown.
        for element in app.markdown:
            assert "evil.example" not in element.value
            assert HOSTILE_TEXT not in element.value


def test_entries_whose_signals_are_all_hidden_are_not_compared(open_page, tmp_path):
    challenge = make_challenge(hidden=tuple(TYPICAL_RATES))
    for team in ("anna", "bert"):
        write_board([public_part(make_card(team, challenge=challenge))], tmp_path)
    query = {"challenge": "sample", "entries": ["anna", "bert"]}
    app = open_page(tmp_path, "compare", query=query)
    assert not app.exception
    assert "All signals are hidden: no figures are compared." in html(app)


def few_events(team: str, seed: int) -> ScoreCard:
    """Make a card whose working point only five background events may pass."""
    physics = make_physics(np.random.default_rng(seed), n_background=500_000)
    return make_card(team, firmware_physics=physics)


def test_comparisons_of_few_events_are_marked(open_page, tmp_path):
    write_board([few_events("anna", 1), few_events("bert", 2)], tmp_path / "few")
    query = {"challenge": "sample", "entries": ["anna", "bert"]}
    marked = html(open_page(tmp_path / "few", "compare", query=query))
    assert "Low statistics: so few events" in marked
    assert marked.count("not resolved; low statistics") + marked.count("is better; low stat") >= 5

    write_board([make_card("anna", seed=1), make_card("bert", seed=2)], tmp_path / "enough")
    assert "; low statistics" not in html(open_page(tmp_path / "enough", "compare", query=query))
