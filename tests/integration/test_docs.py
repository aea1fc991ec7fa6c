"""The participant's guide: its commands run as they stand, its tables hold what there is."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click import Command, Group

from harness.card.files import read_card
from harness.cli import cli
from harness.errors import ExitCode

pytestmark = pytest.mark.whole

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "participate.md").read_text(encoding="utf-8")
MARKED = re.compile(r"<!-- run by the tests -->\n```sh\n(.*?)```", re.DOTALL)
# The whole sample with its firmware takes minutes: scored in its place are the few events of the
# toy challenge without firmware. All else is run as it stands.
SHIM = """#!/bin/sh
case "$1 $*" in
  "score "*--quick*) exec {harness} "$@" ;;
  "ci "*) exec {harness} "$@" --challenge toy --manifest "{manifest}" --no-firmware ;;
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
    _begin_clone(folder, env)
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
    # The rehearsal's card is a second one: `submission.yaml` names an owner by then.
    output["card"] = str(min((folder / "results" / "toy" / "my_team").glob("*.json")))
    return output


def _begin_clone(folder: Path, env: dict[str, str]) -> None:
    """Make the folder what a participant's clone of a fork is."""
    (folder / ".gitignore").write_text("bin/\n/results/\nbuild/\n", encoding="utf-8")
    for command in (
        "git init --quiet --bare origin.git",
        "git init --quiet --initial-branch=main .",
        "git config user.name 'A. Participant' && git config user.email a@localhost",
        "printf 'origin.git/\n' >> .git/info/exclude",
        "git remote add origin ./origin.git",
        "git add . && git commit --quiet -m 'the benchmark' && git push --quiet origin main",
    ):
        subprocess.run(
            ["/bin/sh", "-eu", "-c", command], cwd=folder, env=env, check=True, capture_output=True
        )


def _shorten(train: Path) -> None:
    """Let a training end after a few steps."""
    text = train.read_text(encoding="utf-8")
    short, n_changed = re.subn(
        r"(BATCH_SIZE, N_EPOCHS) = [\d, _]+(.*)\[:200_000\]",
        r"\1 = 1024, 1\n\2[:20_480]",
        text,
        flags=re.DOTALL,
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
    assert "1e-3" in quick
    assert "AUC" in quick


def test_every_exit_code_is_explained():
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", GUIDE, re.MULTILINE)}

    assert told == {*map(int, ExitCode), 130}


@pytest.mark.timeout(900)
def test_the_rehearsal_prints_the_comment_and_the_branch_is_pushed(printed):
    rehearsal = printed["harness ci local --author your-account"]

    assert "`my_team`: A small quantised encoder" in rehearsal
    assert "Unofficial" in rehearsal
    assert "my_team: first entry" in printed["git switch -c my_team"]


def commands_of(page: str) -> list[tuple[Command, list[str]]]:
    """Every `harness` command of a page's blocks, with its words."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)).replace("\\\n", " ")
    found = []
    for line in re.findall(r"\bharness ([a-z].*)", blocks):
        words = line.split("#")[0].split()
        command: Command | None = cli.commands.get(words[0])
        while isinstance(command, Group) and len(words) > 1 and words[1] in command.commands:
            command, words = command.commands[words[1]], words[1:]
        if command is not None:
            found.append((command, words[1:]))
    return found


@pytest.mark.parametrize(
    ("page", "n_least"), [("participate.md", 9), ("organise.md", 8), ("after-the-trigger.md", 10)]
)
def test_every_command_and_option_of_a_page_exists(page, n_least):
    commands = commands_of((DOCS / page).read_text(encoding="utf-8"))

    assert len(commands) >= n_least
    for command, words in commands:
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, command.name


def test_every_command_of_the_group_ci_that_organisers_need_is_explained():
    page = (DOCS / "organise.md").read_text(encoding="utf-8")
    group = cli.commands["ci"]
    assert isinstance(group, Group)
    assert {name for name in group.commands if f"harness ci {name}" not in page} == set()


@pytest.mark.parametrize("page", ["participate.md", "organise.md", "after-the-trigger.md"])
def test_the_inline_options_of_a_page_exist(page):
    commands: list[Command] = [cli, *cli.commands.values()]
    commands += [
        one for group in commands if isinstance(group, Group) for one in group.commands.values()
    ]
    known = {option for command in commands for item in command.params for option in item.opts}
    told = set(re.findall(r"`harness[^`\n]*?(--[a-z-]+)", (DOCS / page).read_text("utf-8")))

    assert told <= known | {"--help"}


@pytest.mark.parametrize("page", ["participate.md", "organise.md", "after-the-trigger.md"])
def test_every_page_that_a_page_names_is_there(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    for name in re.findall(r"\]\(([\w./]+)(?:#[\w-]+)?\)", text):
        assert (DOCS / name).exists(), name
