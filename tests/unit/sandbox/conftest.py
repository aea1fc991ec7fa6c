"""Sandboxes for the tests of the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.sandbox import Sandbox, open_sandbox
from harness.sandbox.step import Step, StepResult


@pytest.fixture(scope="session")
def bwrap() -> Sandbox:
    return open_sandbox("bwrap")


@pytest.fixture(params=["bwrap", "none"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return open_sandbox(request.param)


@pytest.fixture
def execute(tmp_path: Path) -> Callable[..., StepResult]:
    """Return a function that runs Python in a sandbox."""

    def run(sandbox: Sandbox, code: str, **fields: object) -> StepResult:
        place = tmp_path / "code.py"
        place.write_text(code)
        folder = tmp_path / "outputs"
        folder.mkdir()
        inputs = {"code": place, **fields.pop("inputs", {})}
        step = Step(name="try", entry="harness.sandbox.trial:execute", inputs=inputs, **fields)
        return sandbox.run(step, folder)

    return run
