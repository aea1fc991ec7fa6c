"""A challenge that states a mass, a bump hunt and a second simulation: to the card and the page."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.card.files import read_card
from harness.card.records import ScoreCard
from harness.data.hdf5_writer import write_events
from tests.events import toy_file
from tests.integration.conftest import CommandLine, write_submission
from tests.mass import LAYOUT, falling, mass_challenge, two_prongs, write_jets

pytestmark = pytest.mark.whole

# The mass itself, but for a factor.
SCORE = """
import numpy as np


def score(events):
    opening = events[:, 1, 1] - events[:, 0, 1]
    return events[:, :2, 0].prod(axis=1) * (np.cosh(opening) - 1)
"""


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    line = CommandLine(tmp_path_factory.mktemp("mass"))
    write_jets(line.folder, 5000, 400)
    generator = np.random.default_rng(7)
    other = {"softer": falling(2000, generator) * 0.9, "loud2": generator.normal(405, 12, 300)}
    for name, masses in other.items():
        jets = two_prongs(masses, generator)
        write_events(line.folder / f"{name}.h5", LAYOUT, [jets], n_events=len(jets))
    challenge = mass_challenge()
    files = [
        *challenge.files,
        toy_file("softer.h5", role="variation", process="softer").model_copy(
            update={"variation_of": "background"}
        ),
        toy_file("loud2.h5", role="variation", process="loud2").model_copy(
            update={"variation_of": "loud"}
        ),
    ]
    stated = mass_challenge(files=[file.model_dump(mode="json") for file in files])
    document = {"schema": 1, "challenges": [stated.model_dump(mode="json")]}
    line.manifest.write_text(json.dumps(document), encoding="utf-8")
    own = ("--manifest", line.manifest)
    done = line.here("fetch", "toy", *own, "--from", line.folder, "--trust-first-use")
    assert done.returncode == 0, done.stderr
    folder = write_submission(line.folder / "sculptor", model=SCORE, division="open")
    done = line("score", folder, "--challenge", "toy", *own)
    assert done.returncode == 0, done.stderr
    return line


def card_of(line: CommandLine) -> ScoreCard:
    (path,) = (line.folder / "results" / "toy" / "sculptor").glob("*.json")
    return read_card(path)


def test_the_mass_of_each_event_is_that_of_its_constituents(scored: CommandLine) -> None:
    mass = card_of(scored).float_physics.mass
    spectrum = mass.spectra[0]
    n_signal = sum(spectrum.counts["loud"])
    assert n_signal == 400, "all are in the range"
    bins = [low <= 405.0 < high for low, high in zip(mass.edges, mass.edges[1:], strict=False)]
    near = bins.index(True)
    assert sum(spectrum.counts["loud"][near - 2 : near + 3]) > 380
    assert mass.without_mass == {}


def test_a_score_that_is_the_mass_is_seen_to_sculpt(scored: CommandLine) -> None:
    mass = card_of(scored).float_physics.mass
    assert [one.background_efficiency for one in mass.spectra] == [1.0, 0.1, 0.05]
    assert mass.spectra[1].distance.interval.lower > 0.3
    means = [one.mean for one in mass.profile if isinstance(one.mean, float)]
    assert means == sorted(means)
    tight = mass.hunts[1].background
    assert tight.goodness < 0.05, "no smooth function fits the edge that the cut makes"


def test_the_second_simulation_is_compared_without_being_asked_for(scored: CommandLine) -> None:
    variations = {one.name: one for one in card_of(scored).stress.variations}
    background, signal = variations["softer"], variations["loud2"]
    (at,) = (one for one in background.rates if one.fpr == 0.01)
    assert at.drift.interval.upper < 0.0, "a softer spectrum passes less"
    assert background.auc["loud"].after.value > background.auc["loud"].before.value
    assert signal.rates == ()
    assert set(signal.signal_rates) == {"0.01", "0.1"}
    assert (
        signal.signal_rates["0.1"].difference.lower
        < 0
        < signal.signal_rates["0.1"].difference.upper
    )


def test_a_terminal_shows_it(scored: CommandLine) -> None:
    (path,) = (scored.folder / "results" / "toy" / "sculptor").glob("*.json")
    done = scored.here("show", path)
    assert done.returncode == 0, done.stderr
    for words in ("jet mass behind the cut", "bump hunt", "second simulation"):
        assert words in done.stdout.lower()
