"""docs/coming-from.md, saved models of Keras 2 and QKeras: its commands run as they stand."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.card.files import read_card
from harness.errors import ExitCode

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "saved_models"
PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
MARKED = re.compile(r"<!-- run by the tests -->\n```sh\n(.*?)```", re.DOTALL)


def section(title: str) -> list[list[str]]:
    """The commands of a section, without the first word."""
    text = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    (block,) = MARKED.findall(text)
    return [line.split()[1:] for line in block.splitlines()]


def place(folder: Path, name: str) -> None:
    """Put a saved model and its outputs where the commands look for them."""
    shutil.copy(DATA / f"{name}.h5", folder / "model.h5")
    with np.load(DATA / f"{name}.npz") as file:
        np.savez(folder / "outputs.npz", x=file["x"], y=file["score_of_the_file"])


@pytest.fixture(scope="module")
def keras_entry(harness):
    """The entry that the page's commands write, and what they printed."""
    place(harness.folder, "quantised_autoencoder")
    printed = []
    for arguments in section("Keras 2, QKeras"):
        done = harness(*arguments)
        assert done.returncode == ExitCode.SCORED, done.stderr
        printed.append(done.stderr + done.stdout)
    return harness.folder / "submissions" / "my_team", printed


def test_a_model_of_qkeras_becomes_an_entry_with_firmware(keras_entry):
    folder, (made, tried) = keras_entry
    assert "all 3,648 saved outputs are the same, bit for bit" in made
    assert "nothing wrong found" in tried
    text = (folder / "model.py").read_text(encoding="utf-8")
    page = PAGE.partition("## Keras 2, QKeras\n")[2]
    for line in re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0].splitlines():
        assert line.strip() in text


def test_that_entry_is_scored(keras_entry, harness):
    folder, _ = keras_entry
    done = harness.score(folder, "--results", harness.folder / "keras results")
    assert done.returncode == ExitCode.SCORED, done.stderr
    (path,) = (harness.folder / "keras results").rglob("*.json")
    assert read_card(path).submission.team == "my_team"


def test_what_cannot_be_read_is_named_and_nothing_is_written(harness):
    shutil.copy(DATA / "variational.h5", harness.folder / "variational.h5")
    done = harness.here("new", "vae", "--from-keras", "variational.h5")
    assert done.returncode == ExitCode.INVALID
    assert "'z' (Lambda)" in done.stderr
    assert "z_mean" in done.stderr
    assert not (harness.folder / "submissions" / "vae").exists()


def test_options_of_a_saved_model_need_one(harness):
    done = harness.here("new", "vae", "--output", "z_mean")
    assert done.returncode == ExitCode.USAGE
    assert "--from-keras" in done.stderr
