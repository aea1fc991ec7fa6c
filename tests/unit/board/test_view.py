"""What the terminal shows of a card's place."""

from __future__ import annotations

import numpy as np

from harness.board.formats import percent
from harness.board.view import standing_view
from tests.cards import make_card
from tests.terminal import draw


def test_the_merit_is_the_geometric_mean_and_every_reason_against_a_rank_is_shown():
    card = make_card()
    rates = card.firmware_physics.at(1e-5).rates.values()
    merit = np.prod([max(rate.tpr, 1e-5) for rate in rates]) ** (1 / len(rates))

    shown = draw(standing_view(card))
    assert f"merit {percent(merit)}: geometric mean over the signals" in shown
    assert "can be ranked: no rule is broken" in shown

    unofficial = {"is_official": False, "unofficial_because": ("of a test",)}
    assert "not ranked: unofficial: of a test" in draw(
        standing_view(card.model_copy(update=unofficial))
    )
