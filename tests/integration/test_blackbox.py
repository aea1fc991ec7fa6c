"""Black boxes and result files through the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from harness.blackbox.seal import Secret, open_key
from harness.card.files import card_path, read_card
from harness.cli import cli
from tests.broken_bwrap import environment_with, write_bwrap
from tests.events import make_challenge, make_events, toy_file, write_hdf5
from tests.integration.conftest import CommandLine, write_submission

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def made(harness: CommandLine, tmp_path_factory):
    """A box of the toy challenge's background and of fresh events of a signal."""
    folder = tmp_path_factory.mktemp("box")
    write_hdf5(folder / "fresh.h5", make_events(300, seed=9) * np.float32([4, 1, 1]))
    done = harness(
        *("blackbox", "make", "toy", "--manifest", harness.manifest),
        *("--signal", "fresh=0.02", "--from", f"fresh={folder / 'fresh.h5'}", "--events", "2000"),
        *("--out", folder / "box.h5", "--key", folder / "box.key", "--key-file", folder / "secret"),
    )
    assert done.returncode == 0, done.stderr
    assert "a result may name 20 events" in done.stdout
    return folder


def write(path, ids, **attributes):
    with h5py.File(path, "w") as file:
        file["Result"] = np.asarray(ids, "<i8")
        file.attrs.update(attributes)
    return path


def test_a_result_is_scored_by_the_key(harness, made):
    key = open_key(made / "box.key", Secret(key_file=made / "secret"))
    (signal,) = key.signals
    background = np.setdiff1d(np.arange(2000), signal.ids)
    result = write(made / "team_a.h5", [*signal.ids[:15], *background[:5]], LUT=3, Latency=0.1)

    done = harness(
        *("blackbox", "score", result, "--key", made / "box.key", "--key-file", made / "secret"),
        "--json",
    )

    assert done.returncode == 0, done.stderr
    score = json.loads(done.stdout)
    assert score["n_named"] == score["n_allowed"] == 20
    assert score["signals"][0]["n_found"] == 15
    assert score["together"]["significance"] == pytest.approx(9.88279, abs=1e-4)
    told = harness(
        *("blackbox", "score", result, "--key", made / "box.key", "--key-file", made / "secret")
    ).stdout
    assert "15 of 40" in told
    assert "self-declared by the team, not checked" in told


@pytest.mark.parametrize(
    "command",
    [
        ("blackbox", "score", "RESULT", "--key", "box.key", "--key-file", "secret"),
        (
            "import",
            "RESULT",
            "--challenge",
            "toy",
            "--manifest",
            "MANIFEST",
            "--blackbox",
            "box.h5",
        ),
    ],
)
def test_no_result_is_read_in_a_broken_sandbox(harness, made, tmp_path, command):
    result = write(tmp_path / "team_a.h5", [1, 2])
    broken = environment_with(write_bwrap(tmp_path, "drop('--unshare-net')"))
    places = {"RESULT": result, "MANIFEST": harness.manifest}
    places |= {name: made / name for name in ("box.key", "secret", "box.h5")}

    done = harness(*(places.get(word, word) for word in command), env=broken)

    assert done.returncode == 5, done.stderr
    assert "the net namespace is the harness's" in done.stderr


def test_every_fault_of_a_result_is_told_and_it_is_not_scored(harness, made):
    result = write(made / "team_b.h5", [*range(25), 7, 2000, -1])

    done = harness(
        *("blackbox", "score", result, "--key", made / "box.key", "--key-file", made / "secret")
    )

    assert done.returncode == 3
    assert done.stdout == ""
    for told in ("names 28 events, 1.4 times", "more than once: 7", "no event of box.h5: -1, 2000"):
        assert told in done.stderr


def test_the_key_is_asked_for_in_words(harness, made):
    score = ("blackbox", "score", write(made / "team_c.h5", [1]), "--key", made / "box.key")

    assert "give --key-file" in harness.here(*score).stderr
    lost = harness.here(*score, "--key-file", made / "lost")
    assert lost.returncode == 5
    assert "a new one has to be made" in lost.stderr
    (made / "words").write_text("some long passphrase\n")
    wrong = harness.here(*score, "--passphrase-file", made / "words")
    assert wrong.returncode == 2
    assert "opened by a key file" in wrong.stderr


def test_a_box_that_can_not_be_made_leaves_nothing(harness, made):
    make = ("blackbox", "make", "toy", "--manifest", harness.manifest, "--key-file", made / "k2")
    paths = ("--out", made / "none.h5", "--key", made / "none.key")
    for more, told, code in (
        (("--signal", "heavy=0.1", "--events", "1000000000000"), "to draw from", 5),
        (("--signal", "heavy=0.1", "--events", "0"), "0 events", 2),
        (("--signal", "nothing=0.1"), "no signal nothing", 2),
        (("--signal", "heavy"), "--signal NAME=VALUE", 2),
        (("--signal", "heavy=much"), "expected: a number", 2),
    ):
        done = harness.here(*make, *paths, *more)
        assert done.returncode == code, done.stderr
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    assert not list(made.glob("none*"))
    again = harness.here(
        *make, "--signal", "heavy=0.1", "--out", made / "box.h5", "--key", made / "none.key"
    )
    assert "there already" in again.stderr


def test_import_says_everything_that_is_wrong_with_a_look_alike_of_the_real_entry(harness, made):
    """1,000 ids in rising order, every figure declared as 0."""
    ids = np.sort(np.random.default_rng(1).choice(4_210_492, 1000, replace=False))
    names = ("FLOPs", "Device", "Latency", "DSP", "LUT", "FF", "BRAM")
    result = write(made / "UM_LIKE.h5", ids, **dict.fromkeys(names, 0))

    done = harness("import", result)

    assert done.returncode == 3
    assert "1,000 events named where 42 are allowed" in done.stdout
    assert "Device is 0, not the name of a part" in done.stdout
    assert "declared as 0, which no firmware is: FLOPs, Latency, LUT, FF" in done.stdout
    assert "23.8 times as many as are allowed" in done.stderr


def test_import_takes_a_look_alike_of_the_example_with_its_remarks(harness, made):
    result = write(made / "EXAMPLE.h5", [0, 7, 6, 8], Device="xcu250", Latency=500, FLOPs=10**9)

    done = harness("import", result, "--json")

    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["is_valid"]
    assert found["ids"] == [0, 7, 6, 8]
    assert any("500 µs, over the challenge's limit of 1 µs" in one for one in found["remarks"])
    assert any("not declared: DSP, LUT, FF, BRAM" in one for one in found["remarks"])


def test_import_holds_ids_against_the_box_itself(harness, made):
    result = write(made / "team_d.h5", [5, 2000])
    toy = ("--challenge", "toy", "--manifest", harness.manifest)

    done = harness("import", result, *toy, "--blackbox", made / "box.h5")

    assert done.returncode == 3
    assert "no event of box.h5: 2000" in done.stderr
    without = harness("import", result, *toy)
    assert "toy has no black box" in without.stderr


# --- a hidden signal, from its making to its opening: the commands of docs/blackbox.md ------------

GUIDE = (Path(__file__).parents[2] / "docs" / "blackbox.md").read_text(encoding="utf-8")
MARKED = re.compile(r"<!-- run by the tests -->\n```sh\n(.*?)```", re.DOTALL)
# The firmware of a submission takes minutes: this one is scored without.
SHIM = """#!/bin/sh
case "$1" in
  score) exec {harness} "$@" --no-firmware ;;
  *) exec {harness} "$@" ;;
esac
"""


@pytest.fixture(scope="module")
def contest(tmp_path_factory):
    """A folder with what the guide takes for granted, and what each of its commands printed."""
    folder = tmp_path_factory.mktemp("contest")
    files = folder / "secret"
    files.mkdir()
    write_hdf5(files / "background.h5", make_events(6000, seed=21))
    write_hdf5(files / "fresh.h5", make_events(4000, seed=22))
    write_hdf5(files / "heavy.h5", make_events(500, seed=23) * np.float32([3, 1, 1]))
    write_hdf5(files / "zprime.h5", make_events(400, seed=24) * np.float32([5, 1, 1]))
    entries = [
        toy_file("background.h5"),
        toy_file("heavy.h5", role="signal", process="heavy"),
        toy_file("zprime.h5", role="hidden", process="zprime"),
        toy_file("box.h5", role="blackbox", process="blackbox"),
    ]
    challenge = make_challenge(entries, name="secret-2027")
    manifest = {"schema": 1, "challenges": [challenge.model_dump(mode="json")]}
    (folder / "secret.yaml").write_text(yaml.safe_dump(manifest))
    (folder / "words.txt").write_text("four or five random words\n")
    write_submission(folder / "submissions" / "team_x")
    return folder, run_guide(folder)


def run_guide(folder):
    """Run each marked command of the guide; return (what it printed, its complaints) by name."""
    shim = folder / "bin" / "harness"
    shim.parent.mkdir()
    shim.write_text(SHIM.format(harness=f"{sys.executable} -m harness.cli"), encoding="utf-8")
    shim.chmod(0o755)
    env = {
        **os.environ,
        "HARNESS_CACHE": str(folder / "cache"),
        "PATH": os.pathsep.join([str(shim.parent), str(Path(sys.executable).parent), os.defpath]),
    }
    printed = {}
    commands = "\n".join(MARKED.findall(GUIDE)).replace("\\\n", " ").splitlines()
    for command in filter(None, commands):
        done = subprocess.run(
            ["/bin/sh", "-eu", "-c", command],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        words = command.split()
        printed[words[1] if words[1] != "blackbox" else words[2] + " box"] = done
    return printed


def the_card(folder):
    (path,) = (folder / "results" / "secret-2027" / "team_x").glob("*.json")
    return path


@pytest.mark.timeout(900)
def test_the_guide_leads_from_a_box_to_an_opened_signal(contest):
    _, printed = contest

    assert list(printed) == [
        *("make box", "fetch", "score", "show", "export", "import", "score box"),
        *("reveal", "leaderboard"),
    ]
    assert "a result may name 40 events" in printed["make box"].stdout
    assert "nothing rules it out" in printed["import"].stdout


def test_the_hidden_signal_is_scored_and_not_shown_before(contest):
    folder, printed = contest

    assert read_card(the_card(folder)).float_physics.auc["zprime"].value > 0.9
    for name in ("score", "show"):
        done = printed[name]
        assert "zprime" not in done.stdout + done.stderr
        assert "heavy" in done.stdout
        assert "1 hidden: --private shows them" in done.stderr


def test_the_answer_names_the_highest_scores_and_the_key_counts_them(contest):
    """The sum of pT finds a signal of five times the pT."""
    folder, printed = contest
    key = open_key(folder / "box.key", Secret(passphrase="four or five random words"))
    with h5py.File(folder / "team_x.h5") as file, h5py.File(folder / "secret" / "box.h5") as box:
        ids = file["Result"][()]
        attributes = dict(file.attrs)
        total = box["Particles"][..., 0].sum(axis=1)

    assert "40 of 40 allowed events of box.h5" in printed["export"].stdout
    assert ids.dtype == np.int64
    assert set(ids) == set(np.argsort(total)[-40:])
    assert (attributes["FLOPs"], attributes["Latency"]) == (114, "not measured")
    n_found = len(set(ids) & set(key.signals[0].ids))
    assert n_found > 20
    assert f"{n_found} of 40" in printed["score box"].stdout


def test_the_signal_is_shown_once_it_is_revealed_and_the_card_stays(contest):
    folder, printed = contest
    card = the_card(folder)
    decisions = json.loads((folder / "results" / "secret-2027" / "decisions.json").read_text())

    assert "zprime" in printed["leaderboard"].stdout
    assert read_card(card).challenge.files[2].role == "hidden"
    assert decisions["decisions"][0]["reason"] == "the contest is over"
    assert card_path(read_card(card), folder / "results") == card


def test_the_same_answer_comes_from_the_card(harness, contest):
    folder, _ = contest
    card, answer = the_card(folder), folder / "by_card.h5"
    export = (
        *("export", card, "--adc2021", "--out", answer, "--manifest", folder / "secret.yaml"),
        *("--blackbox", folder / "secret" / "box.h5", "--submissions", folder / "submissions"),
    )

    done = harness(*export)

    assert done.returncode == 0, done.stderr
    assert str(card) in done.stdout.replace("\n", "")
    with h5py.File(answer) as one, h5py.File(folder / "team_x.h5") as other:
        np.testing.assert_array_equal(one["Result"][()], other["Result"][()])
    again = harness.here(*export)
    assert again.returncode == 2
    assert "there already" in again.stderr


def test_a_changed_submission_is_not_that_of_the_card(harness, contest, tmp_path):
    folder, _ = contest
    write_submission(tmp_path / "team_x", title="Another one")

    done = harness.here(
        *("export", the_card(folder), "--adc2021", "--out", tmp_path / "x.h5"),
        *("--submissions", tmp_path),
    )

    assert done.returncode == 6
    assert "as the card says" in done.stderr


def test_a_box_that_is_not_here_is_said_to_be_missing(harness, contest, tmp_path):
    folder, _ = contest
    submission = folder / "submissions" / "team_x"

    done = harness.here("export", submission, "--adc2021", "--out", tmp_path / "x.h5")

    assert done.returncode == 5
    assert "harness fetch adc2021 --with-blackbox" in done.stderr


def test_a_reveal_is_asked_about_and_is_of_hidden_signals_alone(harness, contest):
    folder, _ = contest
    reveal = ("reveal", "secret-2027", "--results", folder / "results", "--reason", "over")

    assert "revealed before" in harness.here(*reveal, "zprime", "--yes").stderr
    wrong = harness.here(*reveal, "heavy", "--yes")
    assert wrong.returncode == 2
    assert "heavy: hidden on no card" in wrong.stderr


def test_every_option_that_the_guide_names_exists():
    commands = [*cli.commands.values(), *cli.commands["blackbox"].commands.values()]
    known = {option for command in commands for item in command.params for option in item.opts}

    assert set(re.findall(r"`[^`\n]*?(--[a-z-]+)", GUIDE)) <= known
