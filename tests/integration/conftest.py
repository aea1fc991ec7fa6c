"""The command line on a toy challenge of a few thousand made-up events."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from harness.cli import _run as run_command
from harness.cli import cli
from harness.sandbox.workspace import Workspace
from harness.scoring import synthesis
from harness.scoring.scorer import ExportedNetwork
from tests.events import make_challenge, make_events, toy_file, write_hdf5
from tests.firmware_bench import direct_step, export

MODEL = """
import keras
import numpy as np


def network():
    # The sum of all pT: weights of one on every third input.
    weights = np.zeros((57, 1), np.float32)
    weights[::3] = 1.0 / 64
    inputs = keras.Input((57,))
    layer = keras.layers.Dense(1, use_bias=False)
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([weights])
    return model
"""
OPEN_MODEL = """
import numpy as np


def score(events):
    return events[:, :, 0].sum(axis=1)
"""


@dataclass(frozen=True)
class CommandLine:
    """Runs ``harness`` in a process of its own, with a cache of its own."""

    folder: Path

    @property
    def manifest(self) -> Path:
        return self.folder / "private.yaml"

    def __call__(
        self, *arguments: str | Path, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness.cli", *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "HARNESS_CACHE": str(self.folder / "cache"), **(env or {})},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=280,
            check=False,
        )

    def here(
        self, *arguments: str | Path, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``harness`` in this process, which has imported everything, with the same results.

        For commands that start no step: what a process of its own would prove is proved elsewhere.
        """
        words = [str(argument) for argument in arguments]
        given = {"HARNESS_CACHE": str(self.folder / "cache"), **(env or {})}
        with chdir(self.folder), CliRunner().isolation(env=given) as (stdout, stderr, _):
            try:
                code = run_command(lambda: cli.main(words, "harness", standalone_mode=False))
            except SystemExit as end:
                code = int(end.code or 0)
        said, told = (stream.getvalue().decode() for stream in (stdout, stderr))
        return subprocess.CompletedProcess(["harness", *words], code, said, told)

    def score(self, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
        """Score on the toy challenge, without firmware."""
        toy = ("--challenge", "toy", "--manifest", self.manifest, "--no-firmware")
        return self("score", folder, *toy, *more)


def write_submission(folder: Path, *, model: str = MODEL, **fields: object) -> Path:
    """Write a submission whose declaration is right but for `fields`."""
    folder.mkdir(parents=True, exist_ok=True)
    declaration = {
        "team": folder.name,
        "title": "Sum of pT",
        "authors": ["A. Tester"],
        "division": "trigger",
        "description": "The scalar sum of all transverse momenta.",
        "training_data": "none",
        "is_supervised": False,
        "licence": "Apache-2.0",
        **fields,
    }
    (folder / "submission.yaml").write_text(yaml.safe_dump(declaration), encoding="utf-8")
    (folder / "model.py").write_text(model, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A command line whose cache holds the challenge ``toy``, fetched from a folder."""
    folder = tmp_path_factory.mktemp("command line ü")
    files = folder / "files"
    files.mkdir()
    write_hdf5(files / "background.h5", make_events(6000, seed=1))
    write_hdf5(files / "heavy.h5", make_events(500, seed=2) * np.float32([3, 1, 1]))
    write_hdf5(files / "alike.h5", make_events(400, seed=3))
    challenge = make_challenge(
        [
            toy_file("background.h5", n_events=6000),
            toy_file("heavy.h5", role="signal", process="heavy"),
            toy_file("alike.h5", role="signal", process="alike"),
        ]
    )
    command_line = CommandLine(folder)
    manifest = {"schema": 1, "challenges": [challenge.model_dump(mode="json")]}
    command_line.manifest.write_text(yaml.safe_dump(manifest), encoding="utf-8")
    done = command_line(
        *("fetch", "toy", "--manifest", command_line.manifest),
        *("--from", files, "--trust-first-use"),
    )
    assert done.returncode == 0, done.stderr
    return command_line


Synth = Callable[..., Result]


@pytest.fixture
def synth_in_process(
    harness: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Synth:
    """`harness synth` of a network on the toy challenge, its steps without a sandbox."""

    @contextmanager
    def opened(*_):
        yield Workspace(run_step=direct_step, folder=tmp_path / "steps")

    monkeypatch.setattr(synthesis, "open_tried_workspace", opened)
    monkeypatch.setenv("HARNESS_CACHE", str(harness.folder / "cache"))

    def run(network, *options: str, **declared: object) -> Result:
        graph, weights = export(network, tmp_path / "network")
        exported = ExportedNetwork(graph=graph, weights=weights, digest="")
        monkeypatch.setattr(synthesis, "extract_network", lambda *_: exported)
        folder = write_submission(tmp_path / "team_network", **declared)
        toy = ("--challenge", "toy", "--manifest", str(harness.manifest))
        return CliRunner().invoke(cli, ["synth", str(folder), *toy, *options])

    return run
