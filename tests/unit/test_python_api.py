"""What `import harness` offers: one call for what the command line does, at no cost before it."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.card.files import read_card

STUB = Path(harness.__file__).with_suffix(".pyi")


def test_stub_and_module_name_the_same():
    body = ast.parse(STUB.read_text(encoding="utf-8")).body
    imported = {
        name.asname for node in body if isinstance(node, ast.ImportFrom) for name in node.names
    }

    assert imported | {"__version__"} == set(harness.__all__)
    assert all(hasattr(harness, name) for name in harness.__all__)
    assert set(harness.__all__) <= set(dir(harness))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        _ = harness.scores


def test_import_loads_nothing_of_the_harness_before_a_name_is_used():
    code = "import sys, harness; print([name for name in sys.modules if name[:8] == 'harness.'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_parameters_of_score_stay():
    assert list(inspect.signature(harness.score).parameters) == [
        "folder",
        "challenge",
        "manifests",
        "results",
        "cache",
        "is_quick",
        "has_firmware",
        "reports",
        "backend",
        "has_implementation",
        "settings",
        "has_stress",
        "fresh",
        "isolation",
        "progress",
    ]


def test_no_submodule_takes_the_place_of_a_public_function(tmp_path):
    """A package `harness.score` would, once it is imported, hide the function of that name."""
    code = """
import importlib, pkgutil, sys
import harness
from harness.errors import UsageError

for found in pkgutil.walk_packages(harness.__path__, "harness."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
print(len([name for name in sys.modules if name.startswith("harness.")]), "modules")
print("card of", harness.read_card(sys.argv[1]).submission.team)
try:
    harness.score(sys.argv[2])
except UsageError as error:
    print(error)
"""
    card = Path(__file__).parents[1] / "golden" / "v1_trigger.json"
    command = [sys.executable, "-c", code, str(card), str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    modules, read, scored = done.stdout.splitlines()[:3]
    assert int(modules.split()[0]) > 150
    assert read == f"card of {read_card(card).submission.team}"
    assert "no such folder" in scored
