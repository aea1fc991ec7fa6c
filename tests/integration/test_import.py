"""A contest on somebody's own table: import, check, skeleton, score, board and pages."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.board.boards import Boards
from harness.card.records import ScoreCard
from harness.card.text import plain
from harness.data.manifest import load_manifest
from harness.files import read_json
from leaderboard_app.site_writer import TAKE_PART
from leaderboard_app.static_site import export_site
from tests.integration.conftest import CommandLine

pytestmark = pytest.mark.whole

FEATURES = "amplitude,x,y,time"
PHYSICS = re.compile(
    r"\b(GeV|pT|leptons?|electrons?|muons?|jets?|MET|40 MHz|ADC2021|collisions?|preselect\w*"
    r"|phi_rotation|eta_flip|pt_shift|today's cuts|LHC)\b"
)


def write_table(path: Path) -> None:
    """A table of hits: 4,000 of noise, 300 louder ones, in any order."""
    generator = np.random.default_rng(3)
    values = generator.normal(size=(4300, 3, 4))
    values[4000:, :, 0] *= 5
    values[::3, 2] = 0.0
    names = [f"hit{slot}_{name}" for slot in range(3) for name in FEATURES.split(",")]
    table = pd.DataFrame(values.reshape(-1, 12), columns=names)
    table["kind"] = ["noise"] * 4000 + ["burst"] * 300
    table.sample(frac=1.0, random_state=1).to_csv(path, index=False)


@pytest.fixture(scope="module")
def contest(tmp_path_factory: pytest.TempPathFactory) -> tuple[CommandLine, list[str]]:
    """A command line in a folder with an imported contest and a scored entry; what was printed."""
    line = CommandLine(tmp_path_factory.mktemp("own contest"))
    write_table(line.folder / "run.csv")
    printed = []

    def run(*arguments: str | Path) -> str:
        done = (line if arguments[0] == "score" else line.here)(*arguments)
        assert done.returncode == 0, done.stderr
        printed.append(plain(done.stdout + done.stderr))
        return done.stdout

    options = ("--class-column", "kind", "--background", "noise", "--features", FEATURES)
    said = run("data", "import", "run.csv", *options, "--out", "hits", "--synthetic", "--json")
    steps = (shlex.split(one)[1:] for one in json.loads(said)["todo"])
    fetch, check, new, score, board, contest = steps
    run(*fetch)
    run(*check)
    run("data", "describe", "hits", "--manifest", "hits/data_manifest.yaml")
    run(*new, "--open")
    folder = line.folder / "submissions" / "my_team"
    subprocess.run(
        [sys.executable, "train.py"],
        cwd=folder,
        env={**os.environ, "HARNESS_CACHE": str(line.folder / "cache")},
        check=True,
        capture_output=True,
    )
    printed += [path.read_text("utf-8") for path in folder.iterdir() if path.suffix != ".npz"]
    run(*score)
    run(*board)
    run(*contest, "--package", "harness==0")
    return line, printed


def test_the_commands_that_the_import_prints_lead_to_a_board(contest) -> None:
    line, printed = contest
    board, contest_said = printed[-2:]
    assert "my_team" in board
    assert "hits-contest" in contest_said
    (path,) = (line.folder / "results" / "hits" / "my_team").glob("*.json")
    card = read_json(path, ScoreCard)
    assert card.float_physics.auc["burst"].value > 0.9
    rules = load_manifest(line.folder / "hits" / "data_manifest.yaml").challenge("hits")
    assert card.float_physics.at(rules.working_point).n_allowed >= 10
    new = next(text for text in printed if "read its README.md" in text)
    assert "--challenge hits --manifest" in new


def test_nothing_printed_speaks_of_collisions(contest) -> None:
    _, printed = contest
    found = [match.group() for text in printed for match in PHYSICS.finditer(text)]
    assert found == []


def test_no_page_speaks_of_collisions(contest, tmp_path: Path) -> None:
    line, _ = contest
    rules = load_manifest(line.folder / "hits" / "data_manifest.yaml").challenges
    export_site(Boards(line.folder / "results", rules), tmp_path)
    # How to take part is of every challenge: its example is one of collisions.
    pages = [page for page in tmp_path.rglob("*.html") if page.name != TAKE_PART]
    assert any("my_team" in page.name for page in pages)
    for page in pages:
        text = re.sub(r"(?s)<(script|style).*?</\1>", "", page.read_text("utf-8"))
        assert PHYSICS.findall(re.sub(r"<[^>]+>", " ", text)) == []
    assert "no prediction for real data" in (tmp_path / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("none.csv",), 2, "there is no such file"),
        (("run.xlsx",), 2, "no reader for this ending"),
        (("run.csv", "--signal", "x"), 2, "--signal 'x' is not understood"),
        (("run.csv", "--objects", "hit=many"), 2, "is no number of slots"),
        (("run.csv", "--class-column", "kind", "--background", "qcd"), 2, "no class qcd"),
        (("run.csv", "--part", "xc9"), 2, "the part 'xc9' is not known"),
        (("run.csv",), 5, "invalid value"),
    ],
)
def test_a_wrong_call_is_said_in_a_line_and_leaves_nothing(
    contest, arguments: tuple[str, ...], code: int, told: str
) -> None:
    line, _ = contest
    done = line.here("data", "import", *arguments, "--out", "wrong")
    assert (done.returncode, told in done.stderr, "Traceback" in done.stderr) == (code, True, False)
    assert not [path.name for path in line.folder.iterdir() if path.name.startswith("wrong")]
