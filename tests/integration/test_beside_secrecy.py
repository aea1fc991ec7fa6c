"""What stands beside the events says which are signal: no step of a scoring is ever given it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from pydantic import JsonValue

import harness
from harness.data.beside import names_beside
from harness.data.fetch import fetch
from harness.sandbox import Sandbox
from harness.sandbox.run import Started
from harness.sandbox.step import Step, StepResult
from tests.beside import challenge_beside, write_beside
from tests.integration.conftest import MODEL, OPEN_MODEL, write_submission

Result: TypeAlias = StepResult[dict[str, JsonValue]]


def below(path: Path) -> Iterator[Path]:
    return (one for one in [path, *path.rglob("*")] if one.is_file())


@pytest.mark.parametrize(("division", "model"), [("open", OPEN_MODEL), ("trigger", MODEL)])
def test_no_step_is_given_a_file_beside_the_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, division: str, model: str
) -> None:
    challenge = challenge_beside()
    write_beside(tmp_path / "background.h5", 3000, seed=1)
    write_beside(tmp_path / "heavy.h5", 300, seed=2, scale=3.0)
    cache = tmp_path / "cache"
    fetch(challenge, root=cache, source_folder=tmp_path, trust_first_use=True)
    kept = [path for path in below(cache / "toy") if path.name in names_beside(challenge)]
    assert {path.name for path in kept} == {
        "menu.npy",
        "algorithms.npy",
        "condition-run.npy",
        "condition-pile_up.npy",
    }
    secret = [np.load(path).tobytes() for path in kept]
    given: list[Path] = []
    names: set[str] = set()
    run, start, finish = Sandbox.run, Sandbox.start, Started.finish

    def look(step: Step, *later: Path) -> None:
        places = [*step.inputs.values(), *step.tools, *later]
        given.extend(one for path in places for one in below(path))
        names.update(step.inputs)
        texts = json.dumps(step.request).encode()
        assert not any(values in texts for values in secret)
        for path in given:
            assert cache not in path.resolve().parents
            content = path.read_bytes()
            assert not any(values in content for values in secret), path

    def run_looked(self: Sandbox, step: Step, folder: Path) -> Result:
        look(step)
        return run(self, step, folder)

    def start_looked(
        self: Sandbox, step: Step, folder: Path
    ) -> contextlib.AbstractContextManager[Started]:
        look(step)
        return start(self, step, folder)

    def finish_looked(self: Started, step: Step, contents: Mapping[str, Path]) -> Result:
        look(step, *contents.values())
        return finish(self, step, contents)

    monkeypatch.setattr(Sandbox, "run", run_looked)
    monkeypatch.setattr(Sandbox, "start", start_looked)
    monkeypatch.setattr(Started, "finish", finish_looked)
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(
        json.dumps({"schema": 1, "challenges": [challenge.model_dump(mode="json")]})
    )
    folder = write_submission(tmp_path / "toy_team", model=model, division=division)
    card = harness.score(
        folder,
        "toy",
        manifests=[manifest],
        results=tmp_path / "results",
        cache=cache,
        has_firmware=False,
    )
    assert "events0" in names, "no step that scores was recorded"
    assert card.float_physics.auc["heavy"].value > 0.6
