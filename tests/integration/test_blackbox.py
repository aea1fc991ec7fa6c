"""Black boxes and result files through the command line."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from harness.blackbox.seal import Secret, open_key
from tests.events import make_events, write_hdf5
from tests.integration.conftest import CommandLine


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

    assert "give --key-file" in harness(*score).stderr
    lost = harness(*score, "--key-file", made / "lost")
    assert lost.returncode == 5
    assert "a new one has to be made" in lost.stderr
    (made / "words").write_text("some long passphrase\n")
    wrong = harness(*score, "--passphrase-file", made / "words")
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
        (("--signal", "heavy=much"), "a number between", 2),
    ):
        done = harness(*make, *paths, *more)
        assert done.returncode == code, done.stderr
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    assert not list(made.glob("none*"))
    again = harness(
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
