"""The folder of a new contest: what it holds, what it is made from, what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from harness.ci import requirement
from harness.ci.hackathon import new_hackathon
from harness.ci.requirement import installed_requirement, is_local
from harness.data.manifest import Manifest, load_manifest, local_manifest, manifests_beside
from harness.errors import DataError, UsageError
from harness.files import read_yaml
from harness.scoring.rules_page import rules_page
from tests.beside import challenge_beside
from tests.integration.test_working_point import manifest
from tests.outputs import harness as command_line
from tools import workflows
from tools.pages import outdated

PACKAGE = "trigger-harness[firmware] @ git+https://example.org/harness@0123"


@pytest.fixture(scope="module")
def contest(tmp_path_factory) -> Path:
    return new_hackathon(tmp_path_factory.mktemp("new") / "mycup", package=PACKAGE)


def test_its_manifest_fits_its_schema_and_is_of_the_shipped_events(contest):
    rules = read_yaml(contest / "data_manifest.yaml", Manifest).challenge(None)
    sample = load_manifest().challenge("sample")
    assert rules.name == "mycup"
    assert (rules.files, rules.split, rules.layout) == (sample.files, sample.split, sample.layout)
    assert rules.targets == sample.targets
    schema = json.loads((contest / "manifest.schema.json").read_text(encoding="utf-8"))
    text = (contest / "data_manifest.yaml").read_text(encoding="utf-8")
    jsonschema.validate(yaml.safe_load(text), schema)
    assert text.startswith("# yaml-language-server: $schema=manifest.schema.json\n")


def test_a_contest_takes_over_the_menu_the_conditions_and_the_rates(tmp_path, monkeypatch):
    stated = challenge_beside().model_dump(mode="json")
    del stated["false_positive_rates"], stated["working_point"]
    merit = {"kind": "added_efficiency_at_rate", "rate_khz": 1, "input_rate_khz": 28608.8064}
    stated |= {"merit": merit, "rates_khz": [0.1, 1]}
    path = tmp_path / "manifest.yaml"
    path.write_text(json.dumps({"schema": 1, "challenges": [stated]}))
    monkeypatch.setenv("HARNESS_MANIFEST", str(path))
    made = new_hackathon(tmp_path / "mycup", challenge="toy", package=PACKAGE)
    rules = read_yaml(made / "data_manifest.yaml", Manifest).challenge("mycup")
    known = load_manifest().challenge("toy")
    for field in ("menu", "algorithms", "conditions", "merit", "false_positive_rates"):
        assert getattr(rules, field) == getattr(known, field), field
    assert rules.working_point == 1 / 28608.8064


def test_no_placeholder_is_left(contest):
    words = ("CONTEST_NAME", "_BLOCK", "INSTALL_COMMAND", "FETCH_STEP", "LOCK_FILE", "TEAM_NAME")
    for path in contest.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not [word for word in words if word in text], path


def test_its_starter_has_the_shape_and_the_name(contest):
    assert 'training_events("mycup")' in (contest / "starter" / "train.py").read_text()
    assert "challenges: [mycup]" in (contest / "starter" / "submission.yaml").read_text()


def test_its_workflows_install_the_pinned_version_and_pass_the_linters(contest):
    assert (contest / "requirements.txt").read_text(encoding="utf-8") == f"{PACKAGE}\n"
    folder = contest / ".github" / "workflows"
    for path in folder.glob("*.yml"):
        assert "run: sh scripts/install.sh\n" in path.read_text(encoding="utf-8")
    tools = Path(sys.executable).parent
    for command in (
        [tools / "zizmor", "--offline", "--quiet", folder],
        [tools / "actionlint", *folder.glob("*.yml")],
    ):
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflows_of_this_project_are_made_from_the_same_template():
    assert outdated(workflows.written()) == [], "run `python -m tools.workflows`"


def test_each_script_is_one_that_the_shell_can_read(contest):
    for path in [*contest.glob("scripts/*.sh"), *contest.glob("hooks/*")]:
        subprocess.run(["sh", "-n", str(path)], check=True)


def test_a_manifest_that_is_there_is_taken_with_its_comments(tmp_path):
    given = manifest(tmp_path, 1e-4, name="cup-2027")
    given.write_text(f"# my own words\n{given.read_text()}", encoding="utf-8")
    made = new_hackathon(tmp_path / "x", source=given, package=PACKAGE)
    text = (made / "data_manifest.yaml").read_text(encoding="utf-8")
    assert "# my own words" in text
    assert "\ndefault_challenge: cup-2027\n" in text
    assert "TPR at FPR 1e-4" in (made / "RULES.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_not_empty_is_left_alone(tmp_path, kind):
    target = tmp_path / "taken"
    if kind == "folder":
        target.mkdir()
        (target / "x").touch()
    else:
        target.touch() if kind == "file" else target.symlink_to(__file__)
    with pytest.raises(UsageError, match="is not empty"):
        new_hackathon(target, package=PACKAGE)


@pytest.mark.parametrize("fault", ["name", "challenge", "manifest"])
def test_what_does_not_fit_writes_nothing(tmp_path, fault):
    name = "My Cup" if fault == "name" else "cup"
    challenge = "sampel" if fault == "challenge" else None
    source = tmp_path / "none.yaml" if fault == "manifest" else None
    with pytest.raises((UsageError, DataError)):
        new_hackathon(tmp_path / name, challenge=challenge, source=source, package=PACKAGE)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "cup").mkdir()
    assert (new_hackathon(tmp_path / "cup", package=PACKAGE) / "README.md").is_file()


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (None, "trigger-harness[firmware,leaderboard,open,private]==0.1.0"),
        (
            {"url": "https://x.org/h", "vcs_info": {"vcs": "git", "commit_id": "ab"}},
            "trigger-harness[firmware,leaderboard,open,private] @ git+https://x.org/h@ab",
        ),
        (
            {"url": "file:///nowhere", "dir_info": {"editable": True}},
            "trigger-harness[firmware,leaderboard,open,private] @ file:///nowhere",
        ),
    ],
)
def test_the_version_is_pinned_to_where_it_came_from(monkeypatch, origin, line):
    class Installed:
        def read_text(self, _: str) -> str | None:
            return None if origin is None else json.dumps(origin)

    monkeypatch.setattr(requirement.metadata, "distribution", lambda _: Installed())
    assert installed_requirement() == line
    assert is_local(line) == ("file:" in line)


def test_the_manifest_of_a_folder_holds_below_it_and_not_beyond_its_repository(
    contest, tmp_path, monkeypatch
):
    monkeypatch.delenv("HARNESS_MANIFEST", raising=False)
    copy = tmp_path / "mycup"
    shutil.copytree(contest, copy)
    monkeypatch.chdir(copy / "starter")
    assert manifests_beside() == (copy / "data_manifest.yaml",)
    assert load_manifest().default_name == "mycup"
    assert "mycup" in command_line("data", "check", "--json")
    (copy / "starter" / ".git").mkdir()
    assert local_manifest(Path.cwd()) is None
    assert load_manifest().default_name == "sample"


def test_a_variable_names_the_challenge_of_every_command(contest, monkeypatch):
    monkeypatch.chdir(contest)
    monkeypatch.setenv("HARNESS_CHALLENGE", "sample")
    assert json.loads(command_line("data", "check", "--json"))["challenge"] == "sample"
    assert "Rules of Embedded sample" in command_line("data", "rules")


def test_the_rules_name_no_hidden_signal():
    sample = load_manifest().challenge("sample")
    files = [
        one.model_copy(update={"role": "hidden"}) if one.process == "h0" else one
        for one in sample.files
    ]
    weights = {"ato4l": 1.0, "h0": 2.0}
    ranking = sample.ranking.model_copy(update={"signal_weights": weights})
    page = rules_page(sample.model_copy(update={"files": tuple(files), "ranking": ranking}))
    assert "h0" not in page
    assert "h⁰" not in page
    assert "1 more are hidden" in page
