"""Challenges with events in another layout than ADC2021's, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from harness.board.boards import Boards
from harness.card.records import ScoreCard
from harness.card.summary import DataSummary
from harness.challenge import EventLayout
from harness.data.hdf5_writer import write_events
from harness.files import read_json
from leaderboard_app.site_writer import TAKE_PART
from leaderboard_app.static_site import export_site
from leaderboard_app.views.data import data_sections, event_options
from tests.events import make_challenge, toy_file
from tests.integration.conftest import CommandLine, write_submission

HITS = {
    "objects": [{"name": "trigger", "n_slots": 1}, {"name": "hit", "n_slots": 6}],
    "features": ["amplitude", "x", "y", "time"],
}
SCORE = """
import numpy as np


def score(events):
    return np.abs(events[..., 0]).sum(axis=1)
"""


def units_of_hits(**units: object) -> dict[str, object]:
    """Give the hits of the layout these units."""
    trigger, hit = HITS["objects"]
    return {"layout": {**HITS, "objects": [trigger, {**hit, "units": units}]}}


def make_hits(n_events: int, *, seed: int, scale: float = 1.0) -> np.ndarray:
    """Draw signed amplitudes, places and times; shape (n_events, 7, 4), the last slots empty."""
    generator = np.random.default_rng(seed)
    events = generator.normal(size=(n_events, 7, 4)).astype(np.float32)
    events[..., 0] *= scale
    n_filled = generator.integers(1, 8, n_events)
    events[np.arange(7) >= n_filled[:, None]] = 0.0
    return events


class Site(CommandLine):
    """A command line with one challenge of its own."""

    def state(self, **changes: object) -> None:
        """Write the manifest of the challenge ``hits``, with other values in some fields."""
        files = [
            toy_file("background.h5", n_events=4000),
            toy_file("loud.h5", role="signal", process="loud", n_events=300),
        ]
        stated = make_challenge(files, name="hits").model_dump(mode="json")
        del stated["collision_rate_hz"]
        stated |= {"layout": HITS, **changes}
        manifest = {"schema": 1, "challenges": [stated]}
        self.manifest.write_text(yaml.safe_dump(manifest), encoding="utf-8")

    def fetch(self):
        """Fetch the files of the challenge from their folder."""
        here = ("--from", self.folder / "files", "--trust-first-use")
        return self.here("fetch", "hits", "--manifest", self.manifest, *here)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The challenge ``hits``, fetched."""
    site = Site(tmp_path_factory.mktemp("hits"))
    layout = EventLayout.model_validate(HITS)
    for name, n_events, seed, scale in (("background", 4000, 1, 1.0), ("loud", 300, 2, 5.0)):
        events = make_hits(n_events, seed=seed, scale=scale)
        path = site.folder / "files" / f"{name}.h5"
        write_events(path, layout, [events], n_events=n_events)
    site.state()
    done = site.fetch()
    assert done.returncode == 0, done.stderr
    return site


def test_signed_features_are_fetched_as_they_are(site: Site) -> None:
    again = site.here("fetch", "hits", "--manifest", site.manifest, "--json")
    files = json.loads(again.stdout)["files"]
    assert [file["n_events"] for file in files] == [4000, 300]
    assert all(file["remarks"] == [] for file in files)
    cached = np.load(site.folder / "cache" / "hits" / "background" / "events.npy")
    with h5py.File(site.folder / "files" / "background.h5") as file:
        assert np.array_equal(cached, file["Particles"][..., :4].astype(np.float32))
        classes = file["Particles"][..., 4]
    assert np.array_equal(classes, np.repeat([[1, *[2] * 6]], 4000, axis=0) * (cached[..., 0] != 0))


def test_described_by_magnitudes_and_numbers(site: Site) -> None:
    done = site.here("data", "describe", "hits", "--manifest", site.manifest, "--plots", "plots")
    assert done.returncode == 0, done.stderr
    assert "pT" not in done.stdout
    assert "GeV" not in done.stdout
    summary = json.loads((site.folder / "results" / "hits" / "summary.json").read_text("utf-8"))
    names = [one["name"] for one in summary["distributions"]]
    assert {"hit_amplitude", "hit_x", "hit_y", "hit_time", "n_hit"} <= set(names)
    assert summary["examples"] == []
    (n_hit,) = (one for one in summary["distributions"] if one["name"] == "n_hit")
    assert sum(n_hit["counts"]["background"]) == 4000
    assert {path.stem for path in (site.folder / "plots").iterdir()} == set(names)


def test_described_in_the_units_that_the_manifest_states(site: Site, tmp_path: Path) -> None:
    there = Site(tmp_path)
    (tmp_path / "files").symlink_to(site.folder / "files")
    there.state(**units_of_hits(amplitude={"step": 10.0, "unit": "mV"}))
    assert there.fetch().returncode == 0
    for each in (site, there):
        done = each.here("data", "describe", "hits", "--manifest", each.manifest)
        assert done.returncode == 0, done.stderr
    shown = [
        next(one for one in json.loads(text)["distributions"] if one["name"] == "hit_amplitude")
        for text in (
            (each.folder / "results" / "hits" / "summary.json").read_text("utf-8")
            for each in (site, there)
        )
    ]
    assert [one["unit"] for one in shown] == ["", "mV"]
    # Six bins make a decade.
    raw, scaled = (np.array(one["counts"]["loud"]) for one in shown)
    assert np.array_equal(scaled[6:], raw[:-6])


@pytest.fixture(scope="module")
def card(site: Site):
    """The card of an open entry, scored whole with its stress."""
    folder = write_submission(site.folder / "loudness", model=SCORE, division="open")
    rules = ("--challenge", "hits", "--manifest", site.manifest)
    done = site("score", folder, *rules, "--stress")
    assert done.returncode == 0, done.stderr
    (path,) = (site.folder / "results" / "hits" / "loudness").glob("*.json")
    return read_json(path, ScoreCard)


def test_scored_and_what_is_of_pt_alone_says_why_it_is_missing(card) -> None:
    assert card.float_physics.auc["loud"].value > 0.8
    assert card.cuts.not_measured == "the layout has no pt"
    assert [one.name for one in card.accepted.passing][:2] == ["trigger_amplitude", "trigger_x"]
    checks = {check.name: check.detail for check in card.checks}
    assert checks["phi_rotation"] == "not measured: the layout has no pt and phi"
    assert checks["eta_flip"] == "not measured: the layout has no eta"
    assert checks["pt_shift"] == "not measured: the layout has no pt"
    assert card.challenge.collision_rate_hz is None
    assert all("the" in one.not_measured for one in card.stress.variations)


def test_its_board_and_its_page_speak_of_no_collisions(site: Site, card) -> None:
    board = site.here("leaderboard", "--challenge", "hits", "--manifest", site.manifest, "--json")
    assert board.returncode == 0, board.stderr
    assert "loudness" in board.stdout

    out = site.folder / "pages"
    export_site(Boards(site.folder / "results"), out)
    # How to take part is of every challenge: its example is one of collisions.
    pages = [path for path in out.rglob("*.html") if path.name != TAKE_PART]
    text = "".join(path.read_text("utf-8") for path in pages)
    assert "loudness" in text
    for word in ("GeV", "of collisions", "lepton", "today's cuts"):
        assert word not in text
    summary = read_json(site.folder / "results" / "hits" / "summary.json", DataSummary)
    assert all(section.blocks for section in data_sections(summary))
    assert event_options(summary) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"preselection": {"leading": ["hit"], "leading_pt_gev": 20.0}},
            "preselection is by pT; the layout has no pt",
        ),
        ({"preselection": {"leading": ["jet"], "leading_pt_gev": 20.0}}, "preselection names jet"),
        ({"layout": {**HITS, "features": ["x", "x"]}}, "two features share a name"),
        ({"layout": {**HITS, "features": []}}, "layout.features"),
        (units_of_hits(pt={"step": 1.0}), "hit has units of pt; the features are amplitude, x, y"),
        (units_of_hits(x={"step": 0}), "units.x.step: 0 is not accepted"),
    ],
)
def test_a_wrong_layout_is_one_line_before_any_event_is_read(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    site = Site(tmp_path)
    site.state(**changes)
    done = site.here("data", "describe", "hits", "--manifest", site.manifest)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
