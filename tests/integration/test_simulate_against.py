"""`harness simulate check A --against B` on files of jets and of trigger objects."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.data.hdf5_writer import write_events
from harness.simulate.boosted.selection import LAYOUT
from tests.events import make_events, write_hdf5
from tests.integration.conftest import CommandLine

pytest.importorskip("fastjet")


def write_jets(path, n_events, *, seed, width=0.3):
    generator = np.random.default_rng(seed)
    jets = np.zeros((n_events, 200, 3), np.float32)
    jets[:, :6, 0] = -np.sort(-generator.exponential(80.0, (n_events, 6)), axis=1)
    jets[:, :6, 1:] = generator.normal(0.0, width, (n_events, 6, 2))
    write_events(path, LAYOUT, [jets], n_events=n_events)


@pytest.fixture(scope="module")
def line(tmp_path_factory) -> CommandLine:
    made = CommandLine(tmp_path_factory.mktemp("against"))
    write_jets(made.folder / "one.h5", 900, seed=1)
    write_jets(made.folder / "same.h5", 900, seed=2)
    write_jets(made.folder / "wide.h5", 900, seed=3, width=0.5)
    return made


def test_a_wider_jet_is_farther_than_one_of_the_same_kind(line: CommandLine) -> None:
    found: dict[str, dict] = {}
    for name in ("same", "wide"):
        pair = (line.folder / "one.h5", "--against", line.folder / f"{name}.h5")
        done = line.here("simulate", "check", *pair, "--json")
        assert done.returncode == 0, done.stderr
        found[name] = json.loads(done.stdout)
    same, wide = ({one["name"]: one for one in found[name]["features"]} for name in found)
    assert list(same) == ["pt", "mass", "n_constituents", "tau1", "tau2", "tau3", "tau4"]
    assert same["mass"]["distance"]["interval"]["lower"] == 0.0
    assert wide["mass"]["distance"]["interval"]["lower"] > 5.0
    assert wide["n_constituents"]["distance"]["value"] == 0.0
    assert found["same"]["frechet"]["interval"]["lower"] <= 0.0
    assert found["wide"]["frechet"]["interval"]["lower"] > 0.0
    assert found["wide"]["kernel"]["value"] > 0.0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("one.h5", "--against", "objects.h5"), 5, "Particles has the shape"),
        (("one.h5", "--against", "absent.h5"), 5, "absent.h5"),
        (("text.h5", "--against", "one.h5"), 5, "text.h5"),
        (("one.h5", "--challenge", "sample"), 2, "--against"),
        (("one.h5", "--against", "same.h5", "--plots", "x"), 2, "no pictures"),
        (("one.h5", "--against", "same.h5", "--challenge", "nothing"), 2, "nothing"),
    ],
)
def test_files_that_cannot_be_compared_are_one_message(
    line: CommandLine, arguments: tuple[str, ...], code: int, said: str
) -> None:
    write_hdf5(line.folder / "objects.h5", make_events(50))
    (line.folder / "text.h5").write_text("no events", encoding="utf-8")
    named = [line.folder / one if one.endswith(".h5") else one for one in arguments]
    done = line.here("simulate", "check", *named)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
