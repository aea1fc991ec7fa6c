"""What `import harness` offers: one call for what the command line does, at no cost before it."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import harness

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
        "settings",
        "has_stress",
        "isolation",
        "progress",
    ]
