"""The three commands after the trigger, with the program of a real entry on the sample."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.card.files import newest_card, read_card
from harness.trigger.folder import read_run
from harness.trigger.reading import read_all

pytestmark = [pytest.mark.whole, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]


def harness(*words: object, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "harness", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    build = tmp_path_factory.mktemp("after") / "build"
    harness("synth", "submissions/team_x", "--quick", "--export", build)
    return build / "program.json"


@pytest.fixture(scope="module")
def folders(program, tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("folders")
    for name, part in (("data", "test"), ("expected", "train")):
        source = f"sample:background@{part}[:150000]"
        out = folder / name
        harness("trigger", "team_x", source, "--program", program, "--out", out, "--threshold", 30)
    return folder / "data", folder / "expected"


def test_the_scores_are_those_of_the_card_bit_for_bit(program, tmp_path):
    """As many events of a signal pass as the card counts at FPR 1e-3."""
    path = newest_card(ROOT / "results" / "sample" / "team_x")
    assert path is not None
    point = read_card(path).firmware_physics.at(1e-3)

    harness("trigger", path, "sample:hplus", "--program", program, "--out", tmp_path / "a")

    run = read_run(tmp_path / "a")
    assert run.n_events == point.rates["hplus"].n_events
    assert run.n_accepted == point.rates["hplus"].n_passing
    accepted = read_all(tmp_path / "a", run)
    assert accepted.scores.min() >= point.threshold
    assert len(np.unique(accepted.rows)) == run.n_accepted


def test_clusters_and_the_watch_end_with_a_report(folders, tmp_path):
    data, expected = folders

    words = ("cluster", data, "--expected", expected, "--out", tmp_path, "--toys", 1000, "--json")
    report = json.loads(harness(*words))
    watched = json.loads(harness("watch", data, "--reference", expected, "--json"))

    assert report["verdict"].startswith("nothing unexpected")
    assert (tmp_path / "cluster.html").read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "cluster.json").read_text()) == report
    assert watched["alarms"] == []


def test_the_reach_is_measured_and_goes_on(folders, program, tmp_path):
    """A few trials of the whole chain; the second run has them already."""
    data, expected = folders
    signal = tmp_path / "hplus"
    harness("trigger", "team_x", "sample:hplus", "--program", program, "--out", signal,
            "--threshold", 30)  # fmt: skip
    words = ("reach", data, "--expected", expected, "--signal", f"hplus={signal}", "--trials", 1,
             "--null-trials", 2, "--other", f"the same={data}", "--results", tmp_path)  # fmt: skip

    shown = harness(*words)
    found = json.loads(harness(*words, "--json"))

    one = found["signals"]["hplus"]
    assert one["n_events"] == 40_000
    assert 0 < one["lower"] < one["n_injected"] < 40_000
    assert found["false_claims"]["n_trials"] == 2
    assert all(each["global_p"] > 0.00135 for each in found["comparisons"])
    assert "3 sigma is claimed without a signal" in shown
    assert json.loads((tmp_path / "sample" / "reach" / "team_x.json").read_text()) == found
    kept = sorted(data.glob("reach-*.json"))
    assert len(kept) == 1
    assert "expected: NAME=FOLDER" in harness(*words, "--signal", "h0", code=2)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("team_x", "sample:background", "--fpr", "2e-3"), 2, "no working point at 2e-3"),
        (("team_x", "nowhere.h5"), 2, "no such file"),
        (("team_none", "sample:background"), 2, "no card"),
        (("team_x", "sample:lq", "--rate", "5"), 2, "--rate needs --input-rate"),
        (("team_x", "sample:lq", "--fpr", "1e-3", "--threshold", "5"), 2, "exclude each other"),
    ],
)
def test_bad_input_is_named(program, tmp_path, words, code, message):
    options = ("--program", program, "--out", tmp_path / "out")
    assert message in harness("trigger", *words, *options, code=code)


def test_a_program_of_another_entry_is_refused(tmp_path):
    other = tmp_path / "program.json"
    other.write_text("{}")
    options = ("--program", other, "--out", tmp_path / "out")
    assert "as the card says" in harness("trigger", "team_x", "sample:lq", *options, code=6)


def test_a_card_without_its_program_says_how_to_make_it(tmp_path):
    message = harness("trigger", "met_cut", "sample:lq", "--out", tmp_path / "out", code=2)
    assert "harness synth submissions/met_cut --quick --export build" in message
