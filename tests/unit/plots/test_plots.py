"""Pictures: what is drawn is what the card holds, and the files are fit for a paper."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from harness import plots
from harness.card.physics import RocPoints
from harness.card.run import ScoredFile
from harness.errors import UsageError
from harness.metrics.band import roc_band
from harness.metrics.intervals import conservative_interval
from harness.metrics.scores import rank_samples
from tests.cards import make_card, make_challenge
from tests.events import make_challenge as make_toy
from tests.events import make_events, toy_file


@pytest.fixture(autouse=True)
def closed():
    mpl.use("agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def card():
    return make_card("team_a")


def test_a_roc_curve_shows_the_points_of_the_card_within_their_band(card):
    signal = next(iter(card.firmware_physics.roc))
    axes = plots.roc(card, signals=[signal])

    points = card.firmware_physics.roc[signal]
    curve = axes.get_lines()[0]
    assert np.array_equal(curve.get_xdata(), points.fpr)
    assert np.array_equal(curve.get_ydata(), points.tpr)
    (band,) = axes.collections
    edges = band.get_paths()[0].vertices
    assert edges[:, 1].min() <= min(points.tpr)
    assert edges[:, 1].max() >= max(points.tpr)


def test_the_band_is_no_narrower_than_the_interval_of_the_scores_themselves():
    generator = np.random.default_rng(4)
    background, signal = rank_samples([generator.normal(size=20_000), generator.normal(1, 1, 900)])
    fprs = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0)
    cuts = [background.from_top(max(int(fpr * 20_000), 1)) for fpr in fprs]
    tprs = [signal.n_at_least(cut) / 900 for cut in cuts]
    lower, upper = roc_band(RocPoints(fpr=fprs, tpr=tprs), n_background=20_000, n_signal=900)

    for i, fpr in enumerate(fprs[:-1]):
        n_passing = round(tprs[i] * 900)
        own = conservative_interval(background, signal, fpr=fpr, n_passing=n_passing)
        assert lower[i] <= own.lower
        assert upper[i] >= own.upper
    assert lower[-1] == upper[-1] == 1


def test_two_cards_are_told_apart_and_a_foreign_signal_is_refused(card):
    axes = plots.roc(card, make_card("team_b", seed=2))
    named = [text.get_text() for text in axes.get_legend().get_texts()]

    assert any("team_a" in name for name in named)
    assert any("team_b" in name for name in named)
    with pytest.raises(UsageError, match="no signal nothing"):
        plots.roc(card, signals=["nothing"])
    with pytest.raises(UsageError, match="no card"):
        plots.roc()


def test_hidden_signals_are_not_drawn():
    known = make_challenge()
    files = tuple(
        ScoredFile(**{**dict(one), "role": "hidden" if one.process == "lq" else one.role})
        for one in known.files
    )
    hidden = make_card("team_a", challenge=known.model_copy(update={"files": files}))
    named = [text.get_text() for text in plots.roc(hidden).get_legend().get_texts()]

    assert not any("LQ" in name or "lq" in name for name in named)
    assert len(named) == 3


def test_efficiency_stands_at_the_latency_of_the_ranked_entries():
    import pandas as pd

    board = pd.DataFrame(
        {
            "rank": [1.0, 2.0, None],
            "team": ["a", "b$", "c"],
            "merit": [1e-3, 1e-4, 1e-2],
            "merit_lower": [5e-4, None, 1e-3],
            "merit_upper": [2e-3, None, 1e-1],
            "latency_ns": [50.0, 80.0, 10.0],
        }
    )
    axes = plots.efficiency_latency(board)

    assert {text.get_text() for text in axes.texts} == {"a", r"b\$"}
    assert list(axes.get_lines()[0].get_xdata()) == [50.0, 80.0]
    with pytest.raises(UsageError, match="no latency_ns"):
        plots.efficiency_latency(board.drop(columns="latency_ns"))


def test_an_event_is_drawn_with_its_filled_objects_alone():
    toy = make_toy([toy_file()])
    event = make_events(3)[1]
    plane, across = plots.event_display(event, toy)

    drawn = sum(len(one.get_offsets()) for one in plane.collections)
    assert drawn == int((event[1:, 0] > 0).sum())
    assert len(across.texts) == int((event[:, 0] > 0).sum())
    with pytest.raises(UsageError, match="one event of shape"):
        plots.event_display(event[:3], toy)


def test_files_have_no_date_and_no_type_3_font(card, tmp_path):
    axes = plots.score_distribution(card)
    first = plots.save(axes, tmp_path / "a.svg").read_bytes()
    pdf = plots.save(axes, tmp_path / "a.pdf").read_bytes()

    assert plots.save(axes, tmp_path / "b.svg").read_bytes() == first
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf
    with pytest.raises(UsageError, match=r"'\.gif'"):
        plots.save(axes, tmp_path / "a.gif")
