"""A workspace runs steps in folders of their own and checks what they report."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from harness.errors import (
    EnvironmentFaultError,
    HarnessFaultError,
    InvalidSubmissionError,
    SubmissionError,
)
from harness.sandbox import Workspace

EXECUTE = "harness.sandbox.trial:execute"


class Found(BaseModel):
    model_config = ConfigDict(extra="forbid")
    found: int | None


@pytest.fixture
def workspace(bwrap, tmp_path) -> Workspace:
    return Workspace(run_step=bwrap.run, folder=tmp_path / "steps")


@pytest.fixture
def code(tmp_path):
    """Return a function that writes a step's code and returns its inputs."""

    def write(text: str, name: str = "code.py") -> dict[str, Path]:
        (tmp_path / name).write_text(text)
        return {"code": tmp_path / name}

    return write


def test_a_step_gives_its_report_its_outputs_and_its_usage(workspace, code):
    inputs = code("outputs['scores'].write_text('abc'); found = 7; print('said')")

    done = workspace.run("try", EXECUTE, Found, inputs=inputs, outputs={"scores": 10})

    assert done.report == Found(found=7)
    assert done.outputs["scores"].read_text() == "abc"
    assert done.log == "said\n"
    assert workspace.usages == [done.usage]


def test_each_step_has_a_folder_of_its_own_also_in_threads(workspace, code):
    inputs = code("outputs['scores'].write_text(str(request['n'])); found = request['n']")

    def run(n: int):
        outputs = {"scores": 10}
        return workspace.run(
            "try", EXECUTE, Found, request={"n": n}, inputs=inputs, outputs=outputs
        )

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(run, range(8)))

    assert [one.report.found for one in done] == list(range(8))
    assert [one.outputs["scores"].read_text() for one in done] == [str(n) for n in range(8)]
    assert len(workspace.usages) == 8


def test_a_malformed_report_is_the_submission_s_fault(workspace, code):
    with pytest.raises(
        InvalidSubmissionError, match="step try: found: the report of this step is malf"
    ):
        workspace.run("try", EXECUTE, Found, inputs=code("found = 'many'"))


BLAME = "from harness.errors import EnvironmentFaultError as E; raise E('no compiler')"


def test_a_step_cannot_blame_the_machine_unless_its_caller_lets_it(workspace, code):
    with pytest.raises(SubmissionError, match="no compiler"):
        workspace.run("try", EXECUTE, Found, inputs=code(BLAME))
    with pytest.raises(EnvironmentFaultError, match="no compiler"):
        workspace.run("try", EXECUTE, Found, inputs=code(BLAME), may_raise=(EnvironmentFaultError,))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}['missing']", "a fault of harness itself: KeyError: 'missing'"),
        ("import os; os.abort()", r"a fault of harness itself: ended without a report \(.*SIGABRT"),
        ("found = 'many'", "a fault of harness itself: the report of this step is malformed"),
        ("outputs['scores'].write_text('long'); found = 1", "the output scores has 4 bytes"),
    ],
    ids=["exception", "end", "report", "output"],
)
def test_what_a_step_without_foreign_code_did_not_expect_is_a_fault_of_the_harness(
    workspace, code, text, said
):
    asked = {"inputs": code(text), "outputs": {"scores": 3}}
    with pytest.raises(HarnessFaultError, match=f"step try.*{said}") as caught:
        workspace.run("try", EXECUTE, Found, **asked, may_raise=(HarnessFaultError,))
    assert "Traceback" not in str(caught.value)
    with pytest.raises((SubmissionError, InvalidSubmissionError)):
        workspace.run("try", EXECUTE, Found, **asked)


def test_a_folder_that_cannot_be_made_is_the_machine_s_fault(bwrap, tmp_path):
    (tmp_path / "file").write_text("")
    workspace = Workspace(run_step=bwrap.run, folder=tmp_path / "file")

    with pytest.raises(EnvironmentFaultError, match="cannot be written"):
        workspace.run("try", "harness.sandbox.trial:nothing", Found)


def test_progress_is_how_much_of_the_outputs_is_written_at_most_all_of_it(
    workspace, code, tmp_path
):
    """The step holds each size until it was told: no moment of it can be missed."""
    seen: list[int] = []
    told = tmp_path / "told"
    told.mkdir()
    # Else root's step gets a copy of it.
    told.chmod(0o755)

    def note(n_bytes: int) -> None:
        seen.append(n_bytes)
        (told / str(len(seen))).touch()

    hostile = """
import time
place = outputs['scores'].open('wb')
for n_bytes in (500, 10**7, 0, 10**5):
    place.truncate(n_bytes)
    # The first of these may have been measured before.
    second = inputs['told'] / str(len(list(inputs['told'].iterdir())) + 2)
    while not second.exists():
        time.sleep(0.01)
place.truncate(1000)
found = 1
"""
    inputs = {**code(hostile), "told": told}
    workspace.run("try", EXECUTE, Found, inputs=inputs, outputs={"scores": 1000}, progress=note)

    assert {0, 500, 1000} <= set(seen) <= set(range(1001))
