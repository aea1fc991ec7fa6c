"""The notebooks run from their first cell to their last, and are committed without outputs."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from harness.card.files import read_card
from tests.integration.conftest import CommandLine

pytestmark = pytest.mark.whole

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOKS = ("first_submission", "cmsl1t", "after_the_trigger")


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(DOCS / f"{name}.ipynb", as_version=4)


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


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_committed_without_outputs(name):
    notebook = read(name)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert [cell.outputs for cell in code] == [[]] * len(code)
    assert {cell.execution_count for cell in code} == {None}
    assert "widgets" not in notebook.metadata


def run(
    name: str, parameters: str, harness: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Run a notebook in an empty folder, with other parameters; return what it printed."""
    notebook = read(name)
    notebook.cells.insert(_parameters(notebook) + 1, new_code_cell(parameters))
    for variable, value in {
        "HARNESS_CACHE": str(harness.folder / "cache"),
        "MPLBACKEND": "agg",
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }.items():
        monkeypatch.setitem(os.environ, variable, value)
    client = NotebookClient(
        notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    client.execute()
    return "".join(_text(cell) for cell in notebook.cells if cell.cell_type == "code")


def test_the_notebook_runs_and_ends_with_a_card(harness, tmp_path, monkeypatch):
    few = f"""
CHALLENGE, MANIFEST = "toy", Path({str(harness.manifest)!r})
N_EVENTS, N_EPOCHS = 2_000, 1
"""
    printed = run("first_submission", few, harness, tmp_path, monkeypatch)

    assert "score: done in" in printed
    assert "heavy    AUC" in printed
    assert "FPR 1e-02: TPR heavy" in printed
    assert "unofficial: at most" in printed
    assert sorted(path.name for path in (tmp_path / "submissions" / "my_notebook").iterdir()) == [
        "model.py",
        "network.weights.h5",
        "submission.yaml",
    ]


@pytest.mark.slow
def test_the_notebook_of_the_level_1_data_ends_with_what_is_added(harness, tmp_path, monkeypatch):
    few = "N_EVENTS, N_EPOCHS = 4_000, 1"
    printed = run("cmsl1t", few, harness, tmp_path, monkeypatch)

    assert "(low statistics)" in printed
    assert "rate that it adds" in printed
    assert "run 396102: FPR" in printed
    (card,) = (tmp_path / "results" / "cmsl1t-sample" / "my_l1_notebook").glob("*.json")
    assert read_card(card).float_physics.menu is not None


def test_the_notebook_after_the_trigger_ends_with_a_proposed_trigger(
    harness, tmp_path, monkeypatch
):
    """A looser cut on fewer events, with a larger share of signal: minutes become seconds."""
    few = f"""
ROOT = Path({str(DOCS.parent)!r})
SUBMISSION, RESULTS = ROOT / "submissions" / "team_x", ROOT / "results"
BACKGROUND = "sample:background[:60000]"
EXPECTED = "sample:background@train+validation[:60000]"
FEW, MANY, N_TOYS = 5, 1_500, 999
CUT = {{"threshold": 30.0}}
"""
    printed = run("after_the_trigger", few, harness, tmp_path, monkeypatch)

    assert "no signal: nothing unexpected, global p = " in printed
    assert "5 events: nothing unexpected, global p = " in printed
    assert "1500 events: cluster " in printed
    assert " is unexpected: " in printed
    assert "proposed trigger: " in printed
    page = (tmp_path / "build" / "after_the_trigger" / "cluster.html").read_text()
    assert "Proposed trigger" in page
    assert page.count("<circle") > 10
