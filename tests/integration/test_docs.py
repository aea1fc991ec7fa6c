"""The participant's guide: its commands run as they stand, its tables hold what there is."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click import Command

from harness.cards import read_card
from harness.cli import cli
from harness.errors import ExitCode

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "participate.md").read_text(encoding="utf-8")
MARKED = re.compile(r"<!-- run by the tests -->\n```sh\n(.*?)```", re.DOTALL)
# The whole sample with its firmware takes minutes: scored in its place are the few events of the
# toy challenge without firmware. All else is run as it stands.
SHIM = """#!/bin/sh
case "$1 $*" in
  "score "*--quick*) exec {harness} "$@" ;;
  "score "*) exec {harness} "$@" --challenge toy --manifest "{manifest}" --no-firmware ;;
  *) exec {harness} "$@" ;;
esac
"""


@pytest.fixture(scope="module")
def printed(harness, tmp_path_factory) -> dict[str, str]:
    """What each marked block of the guide printed, by its first line; one run for all of them."""
    folder = tmp_path_factory.mktemp("participant")
    shim = folder / "bin" / "harness"
    shim.parent.mkdir()
    own = f"{sys.executable} -m harness.cli"
    shim.write_text(SHIM.format(harness=own, manifest=harness.manifest), encoding="utf-8")
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    env = {
        **os.environ,
        "HARNESS_CACHE": str(harness.folder / "cache"),
        "PATH": os.pathsep.join([str(shim.parent), str(Path(sys.executable).parent), os.defpath]),
    }
    output = {}
    for block in MARKED.findall(GUIDE):
        # The shim's card is the toy's.
        script = block.replace("results/sample/", "results/toy/")
        done = subprocess.run(
            ["/bin/sh", "-eu", "-c", script],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stderr}"
        output[block.splitlines()[0]] = done.stdout
        if block.startswith("harness new"):
            _shorten(folder / "submissions" / "my_team" / "train.py")
    output["card"] = str(*(folder / "results" / "toy" / "my_team").glob("*.json"))
    return output


def _shorten(train: Path) -> None:
    """Let a training end after a few steps."""
    text = train.read_text(encoding="utf-8")
    short, n_changed = re.subn(
        r"(BATCH_SIZE, N_EPOCHS, N_EVENTS) = [\d, _]+", r"\1 = 1024, 1, 20_480", text
    )
    assert n_changed == 1
    train.write_text(short, encoding="utf-8")


@pytest.mark.timeout(900)
def test_the_guide_leads_from_nothing_to_a_card(printed):
    assert read_card(printed["card"]).submission.team == "my_team"
    assert "my_team" in printed["harness show results/sample/my_team/*.json"]


@pytest.mark.timeout(900)
def test_the_quick_score_shows_what_the_guide_says_to_compare(printed):
    quick = printed["harness score submissions/my_team --quick"]

    assert "UNOFFICIAL" in quick
    assert "1e-03" in quick
    assert "AUC" in quick


def test_every_exit_code_is_explained():
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", GUIDE, re.MULTILINE)}

    assert told == {*map(int, ExitCode), 130}


def test_every_command_and_option_of_the_guide_exists():
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)).replace("\\\n", " ")
    lines = [line.split("#")[0].split() for line in re.findall(r"\bharness ([a-z].*)", blocks)]
    commands = [words for words in lines if words[0] in cli.commands]

    assert len(commands) >= 8
    for name, *words in commands:
        known = {option for parameter in cli.commands[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_the_inline_options_of_the_guide_exist():
    commands: list[Command] = list(cli.commands.values())
    known = {option for command in commands for item in command.params for option in item.opts}

    assert set(re.findall(r"`[^`\n]*?(--[a-z-]+)", GUIDE)) <= known | {"--help"}


def test_every_page_that_the_guide_names_is_there():
    for name in re.findall(r"\]\(([\w.]+)(?:#[\w-]+)?\)", GUIDE):
        assert (DOCS / name).exists(), name
