"""A manifest that makes no sense: one clear line, exit code 2, before any event is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.errors import ExitCode, InvalidSubmissionError, UsageError
from tests.events import make_challenge, toy_file
from tests.integration.conftest import write_submission

JETS = {"kind": "constituents", "n_constituents": 20}
IMAGE = {"kind": "image", "height": 8, "width": 8}
RATE = {"kind": "efficiency_at_rate", "rate_khz": 1.0}
TWO_GATES = [{"kind": "cpu", "gate": True}, {"kind": "none", "gate": True}]
PUBLISHED = {"kind": "published", "key": "k"}
BAD = {
    "a kind of layout": ({"layout": {"kind": "graph"}}, "layout: {'kind': 'graph'}"),
    "a kind of merit": ({"merit": {"kind": "purity"}}, "merit"),
    "a kind of target": ({"targets": [{"kind": "gpu"}]}, "gpu"),
    "a kind of split": ({"split": {"kind": "random", "key": "k"}}, "split.kind: 'random'"),
    "an aggregate": ({"ranking": {"aggregate": "sum"}}, "ranking.aggregate: 'sum'"),
    "a rate without an input rate": ({"merit": RATE}, "input_rate_khz: missing field"),
    "a rate above the input rate": ({"merit": {**RATE, "input_rate_khz": 0.5}}, "not below"),
    "a menu without decisions": (
        {"merit": {**RATE, "kind": "added_efficiency_at_rate", "input_rate_khz": 100.0}},
        "needs menu",
    ),
    "cuts on a pT that is not there": (
        {
            "layout": {**JETS, "features": ["px", "py", "pz"]},
            "preselection": {"leading": ["constituent"], "leading_pt_gev": 20.0},
        },
        "preselection is by pT; the layout has no pt",
    ),
    "cuts on pixels": (
        {"layout": IMAGE, "preselection": {"leading": ["pixel"], "leading_pt_gev": 20.0}},
        "preselection names pixel",
    ),
    "an image that no chunk holds": (
        {"layout": {**IMAGE, "height": 5000, "width": 5000}},
        "25,000,000 values: no chunk fits",
    ),
    "too many constituents": (
        {"layout": {**JETS, "n_constituents": 10_001}},
        "layout.n_constituents: 10001 is not accepted",
    ),
    "too few features": ({"layout": {**JETS, "features": ["pt", "eta"]}}, "layout.features"),
    "objects of an image": (
        {"layout": {**IMAGE, "objects": [{"name": "met", "n_slots": 1}]}},
        "a layout of the kind image has no objects",
    ),
    "channels of constituents": (
        {"layout": {**JETS, "channels": ["ecal"]}},
        "layout.channels: unknown field",
    ),
    "two channels of one name": (
        {"layout": {**IMAGE, "channels": ["ecal", "ecal"]}},
        "two channels share a name",
    ),
    "units of no channel": (
        {"layout": {**IMAGE, "units": {"ecal": {"step": 0.5}}}},
        "units of ecal; the channels are pixel",
    ),
    "two gates": ({"targets": TWO_GATES}, "one target is the gate"),
    "no target": ({"targets": []}, "one target at least"),
    "two targets of one name": (
        {"targets": [{"kind": "cpu"}, {"kind": "cpu", "gate": True}]},
        "two targets are named",
    ),
    "no gate": ({"targets": [{"kind": "cpu"}, {"kind": "none"}]}, "here none"),
    "a signal's training part": (
        {
            "split": PUBLISHED,
            "files": [
                {
                    "name": "b.h5",
                    "role": "background",
                    "process": "b",
                    "title": "B",
                    "part": "test",
                },
                {"name": "s.h5", "role": "signal", "process": "s", "title": "S", "part": "train"},
            ],
        },
        "s is a signal's training part in an unsupervised challenge",
    ),
}


def written(path: Path, changes: dict[str, object]) -> str:
    """Write a manifest with one challenge, changed."""
    stated = make_challenge([toy_file(), toy_file("s.h5", role="signal", process="s")])
    document = {**stated.model_dump(mode="json"), **changes}
    path.write_text(json.dumps({"schema": 1, "challenges": [document]}), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", [("fetch",), ("data", "describe"), ("data", "check")])
def test_one_line_and_exit_code_2(tmp_path: Path, name: str, command: tuple[str, ...]) -> None:
    changes, told = BAD[name]
    manifest = written(tmp_path / "own.yaml", changes)
    done = CliRunner().invoke(cli, [*command, "toy", "--manifest", manifest])
    assert isinstance(done.exception, UsageError), done.output
    assert done.exception.exit_code == ExitCode.USAGE
    (problem,) = done.exception.problems
    assert told in str(problem)
    assert "<" not in str(problem)


def test_a_challenge_that_is_not_there_is_refused(tmp_path: Path) -> None:
    manifest = written(tmp_path / "own.yaml", {})
    folder = write_submission(tmp_path / "team", challenges=["toys"])
    done = CliRunner().invoke(cli, ["score", str(folder), "--manifest", manifest])
    assert isinstance(done.exception, InvalidSubmissionError)
    assert done.exception.exit_code == ExitCode.INVALID
    assert "did you mean toy" in str(done.exception)
