"""What the terminal shows of a card and of a problem."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from harness.card.records import NotMeasured
from harness.cli.terminal import card_view, format_rate, print_error
from harness.errors import InvalidSubmissionError, Problem
from tests.cards import make_card


def _draw(view, width=120) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(view)
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_a_card_fits_the_terminal_and_names_every_signal(width):
    shown = _draw(card_view(make_card()), width)

    assert max(map(len, shown.splitlines())) <= width
    for signal in ("ato4l", "lq", "h0", "hplus"):
        assert f"│ {signal}" in shown


@pytest.mark.parametrize(("count", "said"), [(1, "1 cycle "), (12, "12 cycles ")])
def test_a_single_cycle_is_no_plural(count, said):
    card = make_card()
    latency = card.firmware.latency_cycles.model_copy(update={"value": count})
    firmware = card.firmware.model_copy(update={"latency_cycles": latency})

    shown = _draw(card_view(card.model_copy(update={"firmware": firmware})))
    (line,) = (line for line in shown.splitlines() if "│ latency" in line and "cycle" in line)
    assert said in line


def test_text_of_a_submission_is_shown_as_it_is_and_styles_nothing():
    card = make_card()
    submission = card.submission.model_copy(update={"title": "[red]best[/red] [link=x]"})

    assert "[red]best[/red] [link=x]" in _draw(
        card_view(card.model_copy(update={"submission": submission}))
    )


def test_scores_of_the_open_division_are_not_called_a_network_s():
    why = NotMeasured(not_measured="it is Python")
    card = make_card()
    submission = card.submission.model_copy(update={"division": "open"})
    card = card.model_copy(
        update={"submission": submission, "firmware": why, "firmware_physics": why, "cost": why}
    )
    shown = _draw(card_view(card))

    assert "network:" not in shown
    assert "scores: 1,090,000 test background events" in shown


def test_the_merit_is_the_geometric_mean_and_every_reason_against_a_rank_is_told():
    card = make_card()
    rates = card.firmware_physics.at(1e-5).rates.values()
    merit = np.prod([max(rate.tpr, 1e-5) for rate in rates]) ** (1 / len(rates))

    shown = _draw(card_view(card))
    assert f"merit {format_rate(merit)}: geometric mean" in shown
    assert "can be ranked: nothing stands against it" in shown

    unofficial = {"is_official": False, "unofficial_because": ("of a test",)}
    assert "not ranked: unofficial: of a test" in _draw(
        card_view(card.model_copy(update=unofficial))
    )


def test_the_same_figures_are_shown_once():
    card = make_card()
    same = card.firmware_physics.model_copy(update={"arithmetic": "float"})
    shown = _draw(card_view(card.model_copy(update={"float_physics": same})))

    assert shown.count("test background events") == 1
    assert "the same figures as the firmware's" in shown


def test_a_problem_is_told_with_place_expectation_and_remedy():
    stream = io.StringIO()
    problem = Problem(what="is [b]17[/b]", where="model.py", expected="16", fix="subtract")
    print_error(InvalidSubmissionError(problem, "and more"), Console(file=stream, width=40))

    assert stream.getvalue().splitlines() == [
        "error: model.py: is [b]17[/b]",
        "  expected: 16",
        "  to do: subtract",
        "error: and more",
    ]
