"""What would spoil a contest is found before it, and refused before anything is scored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from harness.data.manifest import load_manifest
from harness.errors import ExitCode
from tests.integration.test_working_point import CHALLENGE, manifest
from tests.main_branch import MainBranch
from tests.outputs import harness, refused
from tests.repositories import submission


def of(path: Path) -> tuple[str | Path, ...]:
    return ("--challenge", CHALLENGE, "--manifest", path)


def target(**changes: object) -> dict[str, object]:
    sample = load_manifest().challenge("sample").target.model_dump(mode="json")
    return {"target": {**sample, **changes}}


def weights(**changes: float) -> dict[str, object]:
    return {"ranking": {"signal_weights": changes}}


FAULTS = [
    (1e-5, weights(ato4l=1.0, lq2=2.0), "no signal is called 'lq2'", "did you mean lq?"),
    (1e-5, target(part="xcvu9pp"), "the part 'xcvu9pp' is not known", "one of xcvu9p"),
    (1e-6, {}, "1 of the 1,090,000 background events", "at least 10"),
    (1e-5, target(max_interval_ns=2.0), "2 ns is less than one clock period", "at least 5 ns"),
]


def test_the_check_shows_what_ranks_and_how_many_may_pass_at_each_rate(tmp_path):
    rules = {"ranking": {"deadline": "2100-01-01T00:00:00Z", "signal_weights": {"lq": 2.0}}}
    path = manifest(tmp_path, 1e-4, **rules)
    found = json.loads(harness("data", "check", CHALLENGE, "--manifest", path, "--json"))
    assert {cut["fpr"]: cut["n_allowed"] for cut in found["cuts"]} == {
        1e-6: 1,
        1e-5: 10,
        1e-4: 109,
        1e-3: 1090,
    }
    assert [cut["fpr"] for cut in found["cuts"] if cut["is_ranked"]] == [1e-4]
    told = harness("data", "check", CHALLENGE, "--manifest", path)
    for word in ("FPR 1e-4, ranked", "k = 109", "2100-01-01T00:00:00Z", "lq 2", "xcvu9p-flga"):
        assert word in told


@pytest.mark.parametrize(("point", "changes", "told", "expected"), FAULTS)
def test_what_would_spoil_a_contest_ends_at_once_with_one_line_each(
    tmp_path, monkeypatch, point, changes, told, expected
):
    path = manifest(tmp_path, point, **changes)
    main = MainBranch(tmp_path, monkeypatch, teams=("anna",))
    for command in (
        ("data", "check", CHALLENGE, "--manifest", path),
        main.command("publish", *of(path)),
        main.command("rescore-all", *of(path)),
    ):
        error = refused(*command)
        assert error.exit_code == ExitCode.USAGE
        (problem,) = error.problems
        assert told in problem.what
        assert problem.where.startswith(f"{CHALLENGE}, ")
        assert expected in problem.expected + problem.fix
    assert not main.board.exists()


@pytest.mark.parametrize("changes", [FAULTS[0][1], FAULTS[1][1]])
def test_a_scoring_ends_before_it_begins(tmp_path, monkeypatch, changes):
    path = manifest(tmp_path, 1e-5, **changes)
    for name, content in submission("anna").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    lines = ("score", tmp_path / "submissions" / "anna", *of(path))
    assert refused(*lines, "--results", tmp_path / "r").exit_code == ExitCode.USAGE
    assert not (tmp_path / "r").exists()


def test_all_of_it_is_said_together_and_a_deadline_that_is_over_too(tmp_path):
    rules = {"signal_weights": {"a": 1.0, "b": 1.0}, "deadline": "2020-01-01T00:00:00Z"}
    path = manifest(tmp_path, 1e-6, ranking=rules, **target(part="xc7"))
    error = refused("data", "check", CHALLENGE, "--manifest", path)
    assert error.exit_code == ExitCode.USAGE
    assert len(error.problems) == 5
    # A field that does not exist is no other kind of typing error.
    document = yaml.safe_load(path.read_text())
    document["challenges"][0]["rankings"] = {}
    path.write_text(yaml.safe_dump(document))
    error = refused("data", "check", CHALLENGE, "--manifest", path)
    assert error.exit_code == ExitCode.USAGE
    assert "unknown field" in str(error)


def test_the_log_of_a_run_names_no_weight_of_a_private_challenge(tmp_path, monkeypatch):
    path = manifest(tmp_path, 1e-5, **weights(lq=1.0, zprim=1.0))
    document = yaml.safe_load(path.read_text())
    document["challenges"][0]["files"][-1]["role"] = "hidden"
    path.write_text(yaml.safe_dump(document))
    main = MainBranch(tmp_path, monkeypatch, teams=("anna",))
    error = refused(*main.command("publish", *of(path), "--private-results", tmp_path / "own"))
    assert error.exit_code == ExitCode.USAGE
    assert "the manifest of finals has 1 faults" in str(error)
    assert "zprim" not in str(error)
    assert "zprim" in str(refused("data", "check", CHALLENGE, "--manifest", path))


def test_the_parts_of_data_sets_say_how_many_events_may_pass():
    found = json.loads(harness("data", "check", "cmsl1t", "--json"))
    # 4,177,530 test events of two runs: 1 kHz of 28,608.8064 kHz are 146 of them.
    (ranked,) = [cut for cut in found["cuts"] if cut["is_ranked"]]
    assert ranked["n_allowed"] == 146
    assert [cut["n_allowed"] for cut in found["cuts"]] == [1, 14, 36, 73, 146]
