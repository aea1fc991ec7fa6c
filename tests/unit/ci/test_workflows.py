"""The workflows hold to what makes them safe, whatever a linter knows of it."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.forge import WORKFLOWS

NAMES = sorted(path.name for path in WORKFLOWS.glob("*.yml"))
TEXTS = {name: (WORKFLOWS / name).read_text(encoding="utf-8") for name in NAMES}
PARSED = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
THIN = re.compile(
    r"(\.venv/bin/harness (ci|doctor)\b|make |git fetch --no-tags |sudo (sysctl -w|env \"PATH=))"
)


def steps(name):
    return [step for job in PARSED[name]["jobs"].values() for step in job["steps"]]


def test_the_five_workflows_are_there():
    assert set(NAMES) == {"comment.yml", "nightly.yml", "publish.yml", "score-pr.yml", "tests.yml"}


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_pinned_by_its_commit_and_tells_its_version(name):
    uses = re.findall(r"uses: (.*)", TEXTS[name])
    assert uses
    for line in uses:
        assert re.fullmatch(r"actions/[a-z/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


@pytest.mark.parametrize("name", NAMES)
def test_every_job_has_a_time_limit_and_least_rights(name):
    content = PARSED[name]
    assert content["permissions"] in ({}, {"contents": "read"})
    assert "concurrency" in content
    for job in content["jobs"].values():
        assert job["timeout-minutes"] <= 350


@pytest.mark.parametrize("name", NAMES)
def test_every_step_calls_the_harness_and_fills_nothing_into_a_script(name):
    for step in steps(name):
        if "run" in step:
            assert "${{" not in step["run"], "an expression in a script is an injection"
            assert THIN.match(step["run"]), step["run"]


def test_what_scores_a_fork_sees_no_secret_and_may_write_nothing():
    text, content = TEXTS["score-pr.yml"], PARSED["score-pr.yml"]
    assert "secrets." not in text
    assert "token" not in text.lower().replace("read-only token", "")
    assert content["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in content["jobs"].values())
    assert "pull_request_target" not in text


def test_no_workflow_checks_out_the_head_of_a_pull_request():
    for name in NAMES:
        for step in steps(name):
            if str(step.get("uses", "")).startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False
                assert "head" not in str(step["with"].get("ref", ""))


def test_what_comments_runs_nothing_but_the_main_branch():
    (job,) = PARSED["comment.yml"]["jobs"].values()
    assert job["permissions"] == {"actions": "read", "contents": "read", "pull-requests": "write"}
    checkout = job["steps"][0]
    assert checkout["with"]["ref"] == "${{ github.event.repository.default_branch }}"
    assert not any("git fetch" in step.get("run", "") for step in job["steps"])


def test_only_publishing_sees_secrets_and_it_asks_for_the_environment():
    assert [name for name in NAMES if "secrets." in TEXTS[name]] == ["publish.yml"]
    (job,) = PARSED["publish.yml"]["jobs"].values()
    assert job["environment"] == "board"
    # `true` is what YAML makes of the key `on`.
    assert set(PARSED["publish.yml"][True]) == {"push", "schedule", "workflow_dispatch"}


def test_a_fork_restores_caches_and_saves_none():
    savers = [name for name in NAMES if "actions/cache/save@" in TEXTS[name]]
    assert savers == ["tests.yml"]
    (save,) = (step for step in steps("tests.yml") if "cache/save" in step.get("uses", ""))
    assert save["if"] == "github.event_name == 'push'"
    assert not any("actions/cache@" in text for text in TEXTS.values())
