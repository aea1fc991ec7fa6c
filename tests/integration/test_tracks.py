"""Tracks that are no level-1 trigger: other merits and targets, from the manifest to the page."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from harness.card.costs import ProcessorUse
from harness.card.files import read_card
from harness.card.physics import SignalMerit
from tests.events import make_challenge, make_events, toy_file, write_hdf5
from tests.integration.conftest import OPEN_MODEL, CommandLine, write_submission

pytestmark = pytest.mark.whole

KHZ = {"rate_khz": 10.0, "input_rate_khz": 1000.0}
DOCS = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
# The track that the documentation shows.
(SHOWN,) = re.findall(r"<!-- the tests score on this track -->\n```yaml\n(.*?)```", DOCS, re.DOTALL)
MERITS = {
    "efficiency": {"kind": "efficiency_at_rate", **KHZ},
    "added": {"kind": "added_efficiency_at_rate", **KHZ},
    "mistag": {"kind": "mistag_at_tpr", "tpr": 0.4},
    "rejection": {"kind": "rejection_at_tpr", "tpr": 0.3},
    "sic": {"kind": "max_sic", "min_background": 20},
    "auc": {"kind": "auc"},
}
COMPARED = {"another_team": "events[:, 0, 0]", "sums": "events[:, :, 0].sum(axis=1)"}


def with_menu(path: Path, menu: np.ndarray) -> None:
    with h5py.File(path, "a") as file:
        file["L1bit"] = menu.astype(np.uint8)


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A challenge for each merit; none has an FPGA but one, whose gate is a processor."""
    folder = tmp_path_factory.mktemp("tracks")
    files = folder / "files"
    files.mkdir()
    generator = np.random.default_rng(1)
    for name, (n_events, seed, scale) in {
        "background.h5": (6000, 1, 1),
        "heavy.h5": (600, 2, 1.45),
        "alike.h5": (600, 3, 1.25),
    }.items():
        events = make_events(n_events, seed=seed) * np.float32([scale, 1, 1])
        write_hdf5(files / name, events)
        with_menu(files / name, generator.random(n_events) < 0.2)
    base = make_challenge(
        [
            toy_file("background.h5"),
            toy_file("heavy.h5", role="signal", process="heavy"),
            toy_file("alike.h5", role="signal", process="alike"),
        ]
    ).model_dump(mode="json")
    base.pop("targets")
    made = []
    for name, merit in MERITS.items():
        track = {"targets": [{"kind": "none"}], "merit": merit}
        if name == "mistag":
            track = yaml.safe_load(SHOWN)
            assert track["merit"] == merit
        made.append({**base, "name": name, "menu": "L1bit", **track})
    command_line = CommandLine(folder)
    command_line.manifest.write_text(json.dumps({"schema": 1, "challenges": made}))
    for name in MERITS:
        done = command_line.here(
            *("fetch", name, "--manifest", command_line.manifest),
            *("--from", files, "--trust-first-use"),
        )
        assert done.returncode == 0, done.stderr
    return command_line


@pytest.fixture(scope="module")
def scored(tracks: CommandLine) -> CommandLine:
    """Two entries of the open division, scored on one track; their scores serve the others."""
    for team, formula in COMPARED.items():
        model = OPEN_MODEL.replace("events[:, :, 0].sum(axis=1)", formula)
        assert formula in model
        folder = write_submission(tracks.folder / team, model=model, division="open")
        done = tracks(*("score", folder, "--challenge", "mistag", "--manifest", tracks.manifest))
        assert done.returncode == 0, done.stderr
    for name in MERITS.keys() - {"mistag"}:
        for card in (tracks.folder / "results" / "mistag").glob("*/*.json"):
            rename_card(tracks, card, name)
    return tracks


def rename_card(tracks: CommandLine, card: Path, challenge: str) -> None:
    """Give a card and its scores to another challenge of the same events, and compute it again."""
    target = tracks.folder / "moved" / challenge / card.parent.name / card.name
    target.parent.mkdir(parents=True, exist_ok=True)
    document = json.loads(card.read_text())
    document["challenge"]["name"] = challenge
    document.pop("processor")
    target.write_text(json.dumps(document))
    shutil.copy(card.with_suffix(".scores.zst"), target.with_suffix(".scores.zst"))
    done = tracks.here("rescore", target, "--manifest", tracks.manifest, "--write")
    assert done.returncode == 0, done.stderr


def board(tracks: CommandLine, challenge: str) -> dict:
    done = tracks.here(
        "leaderboard", "--challenge", challenge, "--json", "--manifest", tracks.manifest
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("challenge", MERITS)
def test_a_track_is_ranked_by_its_merit(scored, challenge):
    found = board(scored, challenge)
    first, second = found["rows"]
    assert (first["rank"], second["rank"]) == (1, 2), (first["reasons"], second["reasons"])
    assert first["merit"]["lower"] <= first["merit"]["value"] <= first["merit"]["upper"]
    is_larger = first["merit"]["value"] > second["merit"]["value"]
    assert is_larger != (challenge == "mistag")
    aggregate = "worst_quarter" if challenge == "mistag" else "geometric_mean"
    assert found["metric"].startswith(aggregate)


def test_a_processor_is_measured_and_an_fpga_judged_beside_it(scored):
    (card,) = (scored.folder / "results" / "mistag" / "sums").glob("*.json")
    found = read_card(card)
    assert isinstance(found.processor, ProcessorUse)
    assert found.processor.time_ms > 0
    assert found.processor.lowest_ms <= found.processor.time_ms <= found.processor.highest_ms
    rows = {row["team"]: row for row in board(scored, "mistag")["rows"]}
    assert rows["sums"]["processor_ms"] == found.processor.time_ms
    merit = found.float_physics.merit.signals["heavy"]
    assert isinstance(merit, SignalMerit)


def test_tables_and_pages_show_what_a_track_measures_and_nothing_else(scored):
    site = scored.folder / "site"
    done = scored.here("leaderboard", "--export", site, "--manifest", scored.manifest)
    assert done.returncode == 0, done.stderr
    for name, own in (("mistag", "processor_ms"), ("auc", "auc_heavy")):
        asked = ("leaderboard", "--challenge", name, "--manifest", scored.manifest)
        header = scored.here(*asked, "--csv").stdout.splitlines()[0].split(",")
        assert own in header
        assert not {"latency_ns", "lut", "evidence"} & set(header)
        (terminal, markdown) = (scored.here(*asked, *form).stdout for form in ((), ("--markdown",)))
        assert "LUT" not in terminal + markdown
        assert {"mistag": "Mistag at TPR 0.4", "auc": "AUC"}[name] in markdown
    pages = {
        name: "".join(path.read_text() for path in (site / name).rglob("*.html"))
        for name in ("mistag", "auc")
    }
    assert "Processor time of one event" in pages["mistag"]
    assert "On level-1" in pages["mistag"]
    assert "Processor time of one event" not in pages["auc"]
