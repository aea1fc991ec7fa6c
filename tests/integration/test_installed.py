"""Installed, harness works far from its checkout, and beside a clone that has its name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_SOURCES = ("harness", "leaderboard_app")
_FILES = ("pyproject.toml", "README.md", "LICENSE", "data_manifest.yaml")
LIBRARIES = sysconfig.get_paths()["purelib"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """What a wheel is built from, in a folder called `harness`."""
    folder = tmp_path_factory.mktemp("parent") / "harness"
    for name in _SOURCES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        shutil.copy(ROOT / name, folder)
    return folder


def install(clone: Path, folder: Path, *options: str) -> Path:
    """Install `clone` into an environment of its own, which borrows all other packages."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    own = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    # A plain line of a .pth file: the borrowed folder's own .pth files are not read.
    Path(own.stdout.strip(), "zz_borrowed.pth").write_text(LIBRARIES + "\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    pip += ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *options, str(clone)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return python


def run(command: list[str | Path], folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**kept, **env},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(clone, tmp_path_factory):
    return install(clone, tmp_path_factory.mktemp("wheel") / "env")


def test_a_script_beside_a_clone_of_that_name_imports_the_package(clone, tmp_path):
    python = install(clone, tmp_path / "env", "--editable")
    script = clone.parent / "analysis.py"
    script.write_text("import harness\nprint(harness.__file__, callable(harness.score))\n")

    done = run([python, script], clone.parent)

    assert done.stdout.split() == [str(clone / "harness" / "__init__.py"), "True"], done.stderr


def test_a_wheel_works_outside_the_checkout(wheel, harness, tmp_path):
    """The command, the manifest, the page's calls; the package is the installed one."""
    code = """
import harness, numpy as np, sys
assert "site-packages" in harness.__file__, harness.__file__
events = harness.data.test_events("toy", manifest=sys.argv[1])
found = harness.evaluate(np.asarray(events)[:, 0, 0], "toy", manifests=[sys.argv[1]])
print(len(events) == found.n_events, len(harness.cards("results")))
"""
    cache = {"HARNESS_CACHE": str(harness.folder / "cache")}
    (tmp_path / "results").mkdir()
    done = run([wheel, "-c", code, harness.manifest], tmp_path, **cache)
    assert done.stdout.split() == ["True", "0"], done.stderr
    listed = run([wheel.with_name("harness"), "data"], tmp_path, **cache)
    assert listed.returncode == 0, listed.stderr
    assert "sample" in listed.stdout
    asked = run([wheel, "-m", "harness", "new", "my_team"], tmp_path, **cache)
    assert asked.returncode == 0, asked.stderr
    checked = run([wheel, "-m", "harness", "validate", "submissions/my_team"], tmp_path, **cache)
    assert "run train.py" in checked.stderr


def test_the_distribution_has_the_name_that_every_message_says(wheel, tmp_path):
    code = """
from importlib import metadata
from harness.errors import DISTRIBUTION
print(metadata.version(DISTRIBUTION), *metadata.metadata(DISTRIBUTION).get_all("Provides-Extra"))
"""
    version, *extras = run([wheel, "-c", code], tmp_path).stdout.split()

    assert version == "0.1.0"
    assert {"firmware", "plots", "simulate"} <= set(extras)
