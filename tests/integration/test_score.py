"""A submission scored end to end through the command line, and what is done with its card."""

from __future__ import annotations

import concurrent.futures
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from harness.card.figures import NotMeasured
from harness.card.files import read_card, read_scores
from harness.card.physics import WorkingPoint
from harness.card.records import ScoreCard
from harness.card.stress import Stress
from harness.sandbox.bubblewrap import find_bwrap
from tests.broken_bwrap import FULL_OF_HOLES, environment_with, write_bwrap
from tests.events import make_events
from tests.integration.conftest import MODEL, OPEN_MODEL, CommandLine, write_submission
from tests.rounding import assert_same_but_for_rounding

# What the network is said to have been before its rounding: the same with the other sign.
UNROUNDED = """

def unrounded():
    inputs = keras.Input((57,))
    return keras.Model(inputs, -network()(inputs))
"""


@pytest.fixture(scope="module")
def scored(harness: CommandLine) -> Path:
    """Path of the card of a trigger submission with its rate under stress.

    Its folder has a space and an umlaut.
    """
    folder = write_submission(harness.folder / "subs of ü" / "team_sum", model=MODEL + UNROUNDED)
    done = harness.score(folder, "--stress", "--json")
    assert done.returncode == 0, done.stderr
    (path,) = (harness.folder / "results" / "toy" / "team_sum").glob("*.json")
    assert ScoreCard.model_validate_json(done.stdout) == read_card(path)
    return path


def test_auc_of_the_card_is_sklearns_on_the_sums_of_pt(scored):
    card, kept = read_card(scored), read_scores(scored)
    heavy = make_events(500, seed=2) * np.float32([3, 1, 1])
    scores = heavy[:, :, 0].sum(axis=1) / 64
    assert_same_but_for_rounding(kept.float_scores["heavy"], scores, n_terms=57)

    background = kept.float_scores["background"]
    labels = np.repeat([0, 1], [len(background), len(scores)])
    expected = roc_auc_score(labels, np.concatenate([background, kept.float_scores["heavy"]]))

    assert card.float_physics.auc["heavy"].value == pytest.approx(expected, abs=1e-12)
    interval = card.float_physics.auc["alike"].interval
    assert interval.lower < 0.5 < interval.upper


def test_the_network_before_its_rounding_is_measured_beside_it(scored):
    card = read_card(scored)
    assert card.unrounded_physics is not None
    for signal, auc in card.float_physics.auc.items():
        found = card.unrounded_physics.auc[signal].value
        assert found == pytest.approx(1 - auc.value, abs=1e-12)
    assert card.unrounded_physics.replicates == {}


def test_no_more_background_passes_than_the_working_point_allows(scored):
    card, kept = read_card(scored), read_scores(scored)
    point = card.float_physics.at(1e-2)
    assert isinstance(point, WorkingPoint)
    background = kept.float_scores["background"]

    assert point.n_allowed == int(0.01 * (len(background) + 1))
    assert np.count_nonzero(background >= point.threshold) == point.n_passing == point.n_allowed


def test_every_check_of_an_honest_network_is_same_or_noise(scored):
    checks = read_card(scored).checks
    assert not isinstance(checks, NotMeasured)

    assert {check.outcome for check in checks} <= {"same", "noise", "diagnostic"}
    assert {"order", "batch_size", "alone", "subset"} <= {check.name for check in checks}


def test_cost_is_that_of_one_dense_layer(scored):
    cost = read_card(scored).cost

    assert (cost.n_parameters, cost.macs, cost.flops) == (57, 57, 114)


def test_a_card_without_firmware_is_unofficial_and_says_why(scored):
    card = read_card(scored)

    assert not card.is_official
    assert "no firmware" in card.unofficial_because[0]
    assert card.isolation.kind == "bwrap"


def test_the_card_names_the_guards_of_the_sandbox_that_were_tried(harness, scored):
    trial = read_card(scored).isolation.trial

    assert {"files", "network", "calls", "namespaces", "end"} <= {*trial.guards}
    assert (harness.folder / "cache" / "isolation.json").is_file()


def test_a_broken_sandbox_ends_the_scoring_before_the_submission_is_loaded(harness, tmp_path):
    """It is the fault of this machine, and no card blames or praises a team for it."""
    folder = write_submission(tmp_path / "team_early", model=MODEL + "\nprint('loaded')\n")
    env = environment_with(write_bwrap(tmp_path, FULL_OF_HOLES))

    done = harness(
        *("score", folder, "--challenge", "toy", "--manifest", harness.manifest),
        *("--no-firmware", "--results", tmp_path / "results"),
        env=env,
    )

    assert done.returncode == 5, done.stderr
    assert "the net namespace is the harness's" in done.stderr
    assert "loaded" not in done.stdout + done.stderr
    assert not (tmp_path / "results" / "toy").exists()


def test_a_trial_run_of_a_submission_needs_a_sandbox_that_holds(harness, tmp_path):
    folder = write_submission(tmp_path / "team_deep", model=MODEL + "\nprint('loaded')\n")
    env = environment_with(write_bwrap(tmp_path, "drop('--unshare-net')"))
    toy = ("--challenge", "toy", "--manifest", harness.manifest)

    done = harness("validate", folder, "--deep", *toy, env=env)

    assert done.returncode == 5, done.stderr
    assert "the net namespace is the harness's" in done.stderr
    assert "loaded" not in done.stdout + done.stderr


def test_a_cache_that_cannot_be_written_keeps_no_trial_and_the_scoring_goes_on(harness, tmp_path):
    """As where the home folder is read-only: each scoring makes the trial again."""
    cache = harness.folder / "cache"
    folder = write_submission(tmp_path / "team_fixed", model=OPEN_MODEL, division="open")
    (cache / "isolation.json").unlink(missing_ok=True)
    fixed = [find_bwrap(), "--dev-bind", "/", "/", "--ro-bind", cache, cache, "--"]
    command = [sys.executable, "-m", "harness.cli", "score", folder, "--quick", "--json"]

    done = subprocess.run(
        [*fixed, *command, "--challenge", "toy", "--manifest", harness.manifest],
        env={**os.environ, "HARNESS_CACHE": str(cache)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "calls" in json.loads(done.stdout)["isolation"]["trial"]["guards"]
    assert not (cache / "isolation.json").exists()


def test_where_proc_is_of_other_processes_no_team_is_blamed(harness, tmp_path):
    """As in a process namespace without a procfs of its own: a limit was said to be reached."""
    folder = write_submission(tmp_path / "team_elsewhere")
    namespace = [find_bwrap(), "--dev-bind", "/", "/", "--unshare-pid", "--die-with-parent", "--"]
    command = [sys.executable, "-m", "harness.cli", "score", folder, "--quick"]

    done = subprocess.run(
        [*namespace, *command, "--challenge", "toy", "--manifest", harness.manifest],
        env={**os.environ, "HARNESS_CACHE": str(harness.folder / "cache")},
        cwd=harness.folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    assert done.returncode == 5, done.stderr
    assert "/proc does not show this process" in done.stderr
    assert "unshare --mount-proc" in done.stderr


def test_show_prints_the_card_also_where_the_terminal_has_no_utf8(harness, scored):
    env = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = harness("show", scored, env=env)

    assert done.returncode == 0, done.stderr
    assert "heavy" in done.stdout


def test_rescore_finds_nothing_changed_and_verify_agrees(harness, scored):
    manifest = ("--manifest", harness.manifest)
    assert json.loads(harness("rescore", scored, *manifest, "--json").stdout) == []
    folder = harness.folder / "subs of ü"

    done = harness("verify", scored, *manifest, "--submissions", folder, "--json")

    assert done.returncode == 0, done.stderr
    (findings,) = json.loads(done.stdout).values()
    assert {finding["outcome"] for finding in findings} == {"same"}


def changed_card(scored: Path, folder: Path, change: Callable[[dict], None]) -> Path:
    """Return a copy of a card and its scores with other figures."""
    card = json.loads(scored.read_text())
    change(card["float_physics"])
    path = folder / scored.name
    path.write_text(json.dumps(card))
    scores = scored.with_suffix(".scores.zst")
    path.with_suffix(".scores.zst").write_bytes(scores.read_bytes())
    return path


def test_a_card_whose_last_digits_another_processor_rounded_otherwise_is_the_same(
    harness, scored, tmp_path
):
    """NumPy's sinh, by which the histogram's edges are made, has other last digits with AVX-512."""

    def round_otherwise(physics: dict) -> None:
        edges = physics["scores"]["edges"]
        edges[1:-1] = [math.nextafter(edge, math.inf) for edge in edges[1:-1]]
        interval = physics["auc"]["heavy"]["interval"]
        interval["upper"] = math.nextafter(interval["upper"], 0.0)

    path = changed_card(scored, tmp_path, round_otherwise)
    manifest = ("--manifest", harness.manifest)

    done = harness.here("verify", path, *manifest)

    assert done.returncode == 0, done.stderr
    assert json.loads(harness.here("rescore", path, *manifest, "--json").stdout) == []


def test_a_card_with_a_better_tpr_written_into_it_is_found_by_verify(harness, scored, tmp_path):
    def forge(physics: dict) -> None:
        physics["working_points"][0]["rates"]["heavy"]["tpr"] *= 1 + 1e-7

    path = changed_card(scored, tmp_path, forge)

    done = harness.here("verify", path, "--manifest", harness.manifest)

    assert done.returncode == 6
    assert "metrics does not match" in done.stderr


def test_the_open_division_is_scored_by_its_own_function(harness):
    folder = write_submission(
        harness.folder / "subs" / "team_open", model=OPEN_MODEL, division="open"
    )
    done = harness.score(folder, "--json")

    assert done.returncode == 0, done.stderr
    card = ScoreCard.model_validate_json(done.stdout)
    assert card.float_physics.auc["heavy"].value > 0.8
    assert isinstance(card.firmware, NotMeasured)
    assert isinstance(card.stress, NotMeasured)
    assert "harness score --stress" in card.stress.not_measured
    assert card.is_official


def test_quick_is_unofficial_and_leaves_no_card(harness):
    folder = write_submission(
        harness.folder / "subs" / "team_quick", model=OPEN_MODEL, division="open"
    )
    done = harness.score(folder, "--quick", "--json")

    assert done.returncode == 0, done.stderr
    assert "--quick" in ScoreCard.model_validate_json(done.stdout).unofficial_because[0]
    assert not (harness.folder / "results" / "toy" / "team_quick").exists()


def test_two_scorings_of_one_team_at_once_leave_two_whole_cards(harness):
    folder = write_submission(
        harness.folder / "subs" / "team_twice", model=OPEN_MODEL, division="open"
    )
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: harness.score(folder), range(2)))

    assert [run.returncode for run in runs] == [0, 0], [run.stderr for run in runs]
    paths = list((harness.folder / "results" / "toy" / "team_twice").glob("*.json"))
    kept = [read_scores(path).float_scores for path in paths]
    for process, scores in kept[0].items():
        np.testing.assert_array_equal(kept[-1][process], scores)


def test_a_submission_that_is_not_there_is_told_by_a_process_of_its_own(harness):
    done = harness("score", "nowhere")

    assert done.returncode == 2
    assert "no such folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("score", "."), 3, "submission.yaml"),
        (("score",), 2, "Missing argument"),
        (("score", "x", "--challenge", "sampel"), 2, "no such folder"),
        (("show", "nowhere.json"), 5, "No such file"),
        (("fetch", "adc2020"), 2, "adc2021"),
        (("data", "--manifest", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("conjure",), 2, "No such command"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_exit_code(harness, arguments, code, told):
    done = harness.here(*arguments)

    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_challenge_is_told_with_those_that_there_are(harness):
    folder = write_submission(harness.folder / "subs" / "team_sum2")
    done = harness.here("score", folder, "--challenge", "sampel")

    assert done.returncode == 2
    assert "did you mean sample?" in done.stderr


def test_results_that_cannot_be_written_are_told(harness):
    folder = write_submission(
        harness.folder / "subs" / "team_ro", model=OPEN_MODEL, division="open"
    )
    # Not even root makes a folder below /proc.
    done = harness.score(folder, "--results", "/proc/results")

    assert done.returncode == 5
    assert "cannot be written" in done.stderr


def test_help_is_quick_to_import():
    """Nothing heavy is loaded before a command asks for it."""
    code = (
        "import sys, harness.cli\n"
        "heavy = {'numpy', 'tensorflow', 'keras', 'h5py', 'pydantic', 'rich', 'scipy', 'pandas'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_rate_under_stress_is_in_the_card_and_on_the_terminal(harness, scored):
    card = read_card(scored)
    assert isinstance(card.stress, Stress)
    assert card.stress.arithmetic == "float"
    scale = {one.name: one for one in card.stress.variations}
    point = card.float_physics.at(1e-1)
    # The score is the sum of all pT, jets among them.
    assert scale["jet_scale_up"].rates[1].n_gained > 0
    assert scale["jet_scale_down"].rates[1].n_lost > 0
    assert scale["jet_scale_up"].rates[1].ratio == pytest.approx(
        scale["jet_scale_up"].rates[1].n_passing / point.n_passing
    )
    shown = harness.here("show", scored).stdout
    assert "rate at fixed thresholds (float)" in shown
    assert "jet energy scale +5 %" in shown
