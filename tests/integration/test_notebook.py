"""The notebook runs from its first cell to its last, and is committed without outputs."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

NOTEBOOK = Path(__file__).parents[2] / "docs" / "first_submission.ipynb"


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def _parameters(notebook: nbformat.NotebookNode) -> int:
    """Return the place of the one cell that a run may change the values of."""
    (place,) = (
        place
        for place, cell in enumerate(notebook.cells)
        if "parameters" in cell.metadata.get("tags", ())
    )
    return place


def _text(cell: nbformat.NotebookNode) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def test_the_notebook_is_committed_without_outputs(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert [cell.outputs for cell in code] == [[]] * len(code)
    assert {cell.execution_count for cell in code} == {None}
    assert "widgets" not in notebook.metadata


def test_the_notebook_runs_and_ends_with_a_card(notebook, harness, tmp_path, monkeypatch):
    few = f"""
CHALLENGE, MANIFEST = "toy", Path({str(harness.manifest)!r})
N_EVENTS, N_EPOCHS = 2_000, 1
"""
    notebook.cells.insert(_parameters(notebook) + 1, new_code_cell(few))
    for name, value in {
        "HARNESS_CACHE": str(harness.folder / "cache"),
        "MPLBACKEND": "agg",
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }.items():
        monkeypatch.setitem(os.environ, name, value)
    client = NotebookClient(
        notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )

    client.execute()

    printed = "".join(_text(cell) for cell in notebook.cells if cell.cell_type == "code")
    assert "score: done in" in printed
    assert "heavy    AUC" in printed
    assert "FPR 1e-02: TPR heavy" in printed
    assert "unofficial: at most" in printed
    assert sorted(path.name for path in (tmp_path / "submissions" / "my_notebook").iterdir()) == [
        "model.py",
        "network.weights.h5",
        "submission.yaml",
    ]
