"""Charts: what is drawn is what was counted, in every browser and theme."""

from __future__ import annotations

import json
import re

import pytest

from harness.board.index import CardIndex
from leaderboard_app import charts
from leaderboard_app.blocks import Picture
from leaderboard_app.charts import FEW, Curve, CurvePoint, Measured, Palette, TradePoint
from leaderboard_app.charts.printing import to_pdf, to_svg
from leaderboard_app.views.data import data_sections, event_options, event_picture
from leaderboard_app.views.physics import fpr_span
from leaderboard_app.views.subject import subject_of
from leaderboard_app.views.submission import submission_sections
from tests.cards import make_board, make_card, make_summary, write_board

PALETTE = Palette(names=("a",), background="b")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list[Picture]:
    """Every chart of a submission and of the data page."""
    from harness.board.contest import Rulebook
    from harness.board.order import rank

    folder = tmp_path_factory.mktemp("cards")
    write_board([*make_board(5, n_teams=2), make_card("team_x")], folder)
    index = CardIndex(folder)
    entries = index.refresh().entries["sample"]
    made = rank(entries, Rulebook().contest_of(entries))
    subject = subject_of(index.whole("sample", entries[0]), made, entries)
    sections = [*submission_sections(subject), *data_sections(make_summary())]
    blocks = [block for section in sections for block in section.blocks]
    shown = [block for block in blocks if isinstance(block, Picture)]
    assert len(shown) > 10
    return [*shown, event_picture(make_summary(), 0)]


def heights(picture: Picture, name: str) -> list[tuple[float, float | None]]:
    rows = [row for row in picture.datasets["lines"] if row["name"] == name]
    return [(row["x"], row["end"] if row["share"] is None else row["share"]) for row in rows]


@pytest.mark.parametrize(
    ("counts", "drawn"),
    [
        ({"a": (30, 20)}, ["lines", "points"]),
        ({"a": (3, 0)}, ["points", "points"]),
        ({"a": (30, 20), "b": (0, 2)}, ["lines", "points", "points"]),
    ],
)
def test_a_distribution_has_no_layer_without_data(counts, drawn):
    picture = charts.distribution((0.0, 1.0, 2.0), counts, PALETTE, title="HT")
    layers = picture.spec["layer"]
    assert [layer["data"]["name"] for layer in layers] == drawn
    has_few = any(sum(values) < 10 for values in counts.values())
    assert ("datum.few" in json.dumps(layers)) is has_few


def test_an_empty_bin_interrupts_the_line_of_a_log_axis():
    edges = (1.0, 10.0, 100.0, 1000.0, 10_000.0)
    picture = charts.distribution(edges, {"a": (3, 0, 1, 0)}, PALETTE, title="pT", is_log=True)
    assert heights(picture, "a") == [
        (1.0, 0.75),
        (10.0, 0.75),
        (10.0, None),
        (100.0, 0.25),
        (1000.0, 0.25),
    ]


def test_the_last_filled_bin_is_as_wide_as_it_is():
    edges = (-0.5, 0.5, 1.5, 2.5)
    picture = charts.distribution(edges, {"a": (0, 20, 0)}, PALETTE, title="n")
    assert heights(picture, "a") == [(-0.5, 0.0), (0.5, 1.0), (1.5, 1.0), (1.5, 0.0)]


def test_the_table_of_a_distribution_holds_figures_and_no_aids_to_drawing():
    counts = {"a": (100, 300)}
    picture = charts.distribution((0.0, 1.0, 2.0), counts, PALETTE, title="pT", is_log=True)
    assert picture.table() == [
        {"Share": 0.25, "Events": "a", "From": 0.0},
        {"Share": 0.75, "Events": "a", "From": 1.0},
    ]


def test_few_events_are_points_with_errors_and_no_curve():
    counts = {"a": (1, 0, 0), "b": (5, 4, 1)}
    picture = charts.distribution((0.0, 1.0, 2.0, 3.0), counts, PALETTE, title="pT")
    assert picture.parameters["events"] == {"a": 1, "b": 10}
    assert {row["name"] for row in picture.datasets["lines"]} == {"b"}
    (alone,) = [row for row in picture.datasets["points"] if row["name"] == "a"]
    assert alone["few"]
    # One event: 0.17 to 3.3 at one standard deviation (Garwood); no share is over 1.
    assert (alone["lower"], alone["upper"]) == pytest.approx((0.173, 1.0), abs=1e-3)
    assert "(1 events)" in picture.alt


def test_a_file_of_a_chart_has_dark_ink_on_white_paper():
    picture = charts.distribution((0.0, 1.0, 2.0), {"a": (20, 20)}, PALETTE, title="pT")
    drawn = to_svg(picture).decode()
    assert "currentColor" not in drawn
    assert 'fill="white"' in drawn
    assert "N = 40" in drawn
    assert to_pdf(picture).startswith(b"%PDF")


def test_a_value_of_zero_stands_at_an_end_of_the_log_axis_that_says_0():
    values = [Measured(row="s", name="a", value=0.0, lower=0.0, upper=1e-3)]
    picture = charts.dots(values, PALETTE, title="TPR")
    assert picture.datasets["zeros"] == [{"x": picture.parameters["floor"]}]
    drawn = json.dumps(picture.spec)
    assert '"text": {"value": "0"}' in drawn
    assert "max(datum.x, floor)" in drawn


def test_wide_bins_get_a_log_axis_and_numbers_of_objects_whole_ticks():
    wide = charts.distribution((4.0, 40.0, 400.0), {"a": (1, 1)}, PALETTE, title="pT")
    whole = charts.distribution((-0.5, 0.5, 1.5), {"a": (1, 1)}, PALETTE, title="n")
    scale, axis = (json.dumps(chart.spec["layer"][1]["encoding"]["x"]) for chart in (wide, whole))
    assert '"type": "log"' in scale
    assert '"tickMinStep": 1' in axis


def test_every_chart_has_its_data_in_its_layers_its_words_and_its_table(pictures):
    for picture in pictures:
        whole = picture.whole()
        assert "data" not in whole
        assert all("values" in layer["data"] for layer in whole["layer"])
        assert len(picture.alt) > 20
        table = picture.table()
        assert table
        assert all(set(row) == set(picture.fields.values()) for row in table)


def test_texts_of_every_chart_take_the_colour_of_the_page(pictures):
    for picture in pictures:
        drawn = json.dumps(picture.spec)
        n_axes = drawn.count('"titleFontSize"')
        assert n_axes
        assert drawn.count('"titleColor": "currentColor"') == n_axes
        assert drawn.count('"labelFontSize"') == drawn.count('"labelColor": "currentColor"')


def test_one_name_has_one_colour_on_all_charts(pictures):
    seen: dict[str, set[str]] = {}

    def walk(part) -> None:
        if isinstance(part, dict):
            colour = part.get("color")
            if isinstance(colour, dict) and "domain" in colour.get("scale", {}):
                scale = colour["scale"]
                for name, value in zip(scale["domain"], scale["range"], strict=True):
                    seen.setdefault(name, set()).add(value)
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    for picture in pictures:
        walk(picture.spec)
    for name in ("Background", "A → 4ℓ", "LQ → bτ", "h⁰ → ττ", "h⁺ → τν"):
        assert len(seen[name]) == 1, name


def test_an_object_looks_the_same_in_every_event():
    summary = make_summary()
    drawn = [event_picture(summary, i).spec for i in range(len(event_options(summary)))]
    assert all(spec == drawn[0] for spec in drawn)


def test_an_efficiency_of_zero_stands_on_the_edge_below_its_upper_limit():
    def point(y: float, lower: float, upper: float) -> TradePoint:
        return TradePoint(
            team="t", title="t", rank="1", x=10.0, y=y, lower=lower, upper=upper,
            is_ranked=True, is_front=False,
        )  # fmt: skip

    picture = charts.trade_off(
        [point(1e-3, 1e-4, 1e-2), point(0.0, 0.0, 1e-3)], x_title="Latency", y_title="TPR"
    )
    drawn = json.dumps(picture.spec)
    assert "max(datum.y, 2.5" in drawn
    assert "datum.y > 0" not in drawn
    assert len(picture.table()) == 2


def test_an_entry_that_costs_nothing_is_on_the_front_and_on_the_edge():
    def point(team: str, x: float, y: float) -> TradePoint:
        return TradePoint(
            team=team, title="t", rank="1", x=x, y=y, lower=None, upper=None,
            is_ranked=True, is_front=False,
        )  # fmt: skip

    picture = charts.trade_off(
        [point("free", 0.0, 2e-4), point("dear", 30.0, 1e-4), point("best", 140.0, 4e-4)],
        x_title="LUT",
        y_title="TPR",
    )
    front = picture.datasets["front"]
    assert [row["team"] for row in front] == ["free", "best"]
    assert 0 < front[0]["x"] < 30
    assert picture.table()[0]["LUT"] == 0.0
    assert "datum.x > 0" not in json.dumps(picture.spec)


def test_entries_of_equal_cost_stand_very_close_to_it_and_the_front_at_it():
    points = [
        TradePoint(
            team=f"t{i}", title="t", rank="1", x=50.0, y=1e-4 * (i + 1), lower=None, upper=None,
            is_ranked=True, is_front=False,
        )
        for i in range(3)
    ]  # fmt: skip
    mark = charts.Mark(x=1000.0, text="limit", is_limit=True)
    picture = charts.trade_off(points, x_title="Latency", y_title="TPR", marks=[mark])
    drawn = [row["cost"] for row in picture.datasets["points"]]
    assert len(set(drawn)) == 3
    assert drawn[2] == 50.0
    assert all(cost == pytest.approx(50.0, rel=0.0151) for cost in drawn)
    assert {row["Latency"] for row in picture.table()} == {50.0}
    assert picture.datasets["front"] == [{"x": 50.0, "y": pytest.approx(3e-4), "team": "t2"}]


def test_every_point_is_named_where_no_other_name_is():
    def point(team: str, x: float, y: float, *, is_front: bool = True) -> TradePoint:
        return TradePoint(
            team=team, title="t", rank="1", x=x, y=y, lower=None, upper=None,
            is_ranked=True, is_front=is_front,
        )  # fmt: skip

    points = [
        point("line", 10.0, 2e-4), point("below", 10.0, 1e-4), point("far", 300.0, 1e-2),
        point("twin_of_far", 301.0, 9.9e-3), point("third_of_far", 302.0, 9.8e-3),
        point("ranked", 50.0, 1e-4, is_front=False),
    ]  # fmt: skip
    mark = charts.Mark(x=1000.0, text="limit", is_limit=True)
    picture = charts.trade_off(points, x_title="Latency", y_title="TPR", marks=[mark])
    sides = {row["team"]: row["side"] for row in picture.datasets["names"]}
    # The third has no room beside those of its twins; one off the front is named where there is.
    on_front = {"line": "right", "below": "right", "far": "right", "twin_of_far": "left"}
    assert sides == {**on_front, "ranked": "right"}


def test_working_points_have_the_symbol_of_their_curve():
    point = CurvePoint(fpr=1e-5, tpr=1e-3, lower=1e-4, upper=1e-2)
    curve = Curve(name="a", fpr=(1e-5, 1.0), tpr=(1e-3, 1.0), points=(point,))
    other = Curve(name="b", fpr=(1e-5, 1.0), tpr=(1e-3, 1.0), points=(point,))
    picture = charts.roc([curve, other], Palette(names=("a", "b")))
    assert [row["symbol"] for row in picture.datasets["points"]] == ["circle", "square"]


def test_the_score_has_its_ticks_at_round_numbers():
    edges = [0.0, *(4.63 * 1.3**i for i in range(40))]
    picture = charts.score_histogram(
        edges, {"a": [3] * (len(edges) - 1)}, Palette(names=("a",)), threshold=None
    )
    ticks, labels = picture.parameters["ticks"], picture.parameters["labels"]
    assert len(ticks) == len(labels) == 9
    assert ticks == sorted(ticks)
    assert labels[0] == "0"
    for tick, label in zip(ticks, labels, strict=True):
        digits = re.sub(r"e.*|[.\-]", "", label).strip("0")
        assert len(digits) <= 2, label
        i = min(int(tick), len(edges) - 2)
        at = edges[i] + (tick - i) * (edges[i + 1] - edges[i])
        assert at == pytest.approx(float(label))
    for label in labels[1:3]:
        assert f">{label}<" in to_svg(picture).decode()


def test_figures_of_low_statistics_are_hollow_and_say_so():
    def entry(team: str, *, is_low: bool) -> TradePoint:
        return TradePoint(
            team=team, title="t", rank="1", x=10.0, y=1e-3, lower=1e-4, upper=1e-2,
            is_ranked=True, is_front=False, is_low=is_low,
        )  # fmt: skip

    points = [entry("sure", is_low=False), entry("few", is_low=True)]
    trade_off = charts.trade_off(points, x_title="Latency", y_title="TPR")
    dots = charts.dots(
        [
            Measured(row="s", name=team, value=1e-3, lower=1e-4, upper=1e-2, is_low=team == "few")
            for team in ("sure", "few")
        ],
        Palette(names=("sure", "few")),
        title="TPR",
    )
    values = [
        CurvePoint(fpr=fpr, tpr=1e-3, lower=1e-4, upper=1e-2, is_low=fpr < 1e-5)
        for fpr in (1e-4, 1e-6)
    ]
    curve = Curve(name="sure", fpr=(1e-6, 1.0), tpr=(1e-3, 1.0), points=values)
    roc = charts.roc([curve], Palette(names=("sure",)))
    for picture in (trade_off, dots, roc):
        said = [row["Statistics"] for row in picture.table() if row.get("95 % from")]
        assert [one == FEW for one in said] == [False, True]
        # An empty symbol is seen by its outline alone.
        drawn = str(to_svg(picture))
        assert drawn.count('fill-opacity="0"') == 1
        (empty,) = re.findall(r'<path aria-label="[^"]*" [^>]*fill-opacity="0"[^>]*>', drawn)
        assert 'stroke="#' in empty


def test_the_interval_of_a_rate_is_that_of_an_order_statistic():
    # Beta(1, n): quantile q is 1 - (1 - q) ** (1 / n).
    low, high = fpr_span(1, 1000)
    assert low == pytest.approx(1 - 0.975 ** (1 / 1000))
    assert high == pytest.approx(1 - 0.025 ** (1 / 1000))
    assert fpr_span(0, 1000) == (0.0, pytest.approx(high))


def test_electrons_lie_before_jets_and_have_the_symbols_of_the_field():
    objects = [("met", 40.0, 0.0, 1.0), ("electron", 30.0, 0.5, 0.5), ("jet", 35.0, 0.5, 0.5)]
    picture = charts.event_display(objects, kinds=("met", "electron", "muon", "jet"))
    # What is drawn later lies before what was drawn earlier.
    assert [row["name"] for row in picture.datasets["objects"]] == ["jet", "e"]
    assert [row["name"] for row in picture.datasets["missing"]] == ["MET"]
    assert "electron of 30 GeV" in picture.alt


def test_the_names_of_a_trade_off_are_placed_for_each_width_of_it():
    points = [
        TradePoint(
            team=f"a_team_of_{i:02d}", title="", rank="1", x=20.0 + i, y=1e-3 * (i + 1),
            lower=None, upper=None, is_ranked=True, is_front=False,
        )
        for i in range(12)
    ]  # fmt: skip
    names = charts.trade_off(points, x_title="x", y_title="y").datasets["names"]
    shown = {
        least: {row["team"] for row in names if row["from"] == least} for least in (0, 420, 720)
    }
    assert 0 < len(shown[0]) < len(shown[720])
    assert shown[0] <= {point.team for point in points}
