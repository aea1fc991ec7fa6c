"""The sample's recipe gives the slice that is committed, and says how the files were made."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.data import open_store
from harness.data.manifest import load_manifest
from harness.data.sample_coding import dequantise, quantise
from harness.simulate.plan import LIBRARY_EVENTS
from harness.simulate.provenance import Provenance
from harness.simulate.writer import draw_order, write_events
from tests.events import make_events
from tools import make_sample
from tools import sample_recipe as recipe
from tools.pages import ROOT

pytest.importorskip("pythia8mc")
PROVENANCE = ROOT / "harness" / "data" / "files" / "sample.provenance.json"
# Other processors round sines and logarithms otherwise in the last place; nothing here amplifies it
# but for a draw that lies that near to its threshold.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("cache")))
        return recipe.make_slice()


def test_the_slice_is_the_committed_one(made):
    committed = json.loads(recipe.SLICE.read_text())

    assert made.keys() == committed.keys()
    for process, event in committed.items():
        found, expected = (np.array(one["objects"]) for one in (made[process], event))
        if made[process]["sha256"] == event["sha256"]:
            continue
        assert found.shape == expected.shape, process
        assert found == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE), process


@pytest.mark.slow
def test_the_committed_sample_holds_what_the_recipe_makes():
    """The first event of each process as the sample keeps it; making the soft events takes long."""
    made = recipe.make_slice(LIBRARY_EVENTS)
    store = open_store(load_manifest().challenge("sample"))

    for run in recipe.RUNS:
        order = draw_order(run.plan)
        for label, process in enumerate(run.plan.counts):
            event = np.zeros((1, 19, 3), np.float32)
            for slot, *values in made[process]["objects"]:
                event[0, int(slot)] = values
            (first,) = np.flatnonzero(order == label)[:1]
            kept = store.events(run.process)[first : first + 1]
            assert kept == pytest.approx(dequantise(quantise(event)), abs=TOLERANCE), process


def test_the_recipe_makes_the_files_and_the_numbers_of_the_sample():
    files = {
        file.process: (file.role, file.title, file.n_events)
        for file in load_manifest().challenge("sample").files
    }

    assert {run.process: (run.role, run.title, run.n_events) for run in recipe.RUNS} == files
    assert len({run.seed for run in recipe.RUNS}) == len(recipe.RUNS)


def committed_provenance() -> dict[str, Provenance]:
    found = json.loads(PROVENANCE.read_text(encoding="utf-8"))
    return {process: Provenance.model_validate(one) for process, one in found.items()}


def test_the_committed_provenance_is_the_recipes_and_written_as_the_tool_writes_it():
    known = committed_provenance()

    assert make_sample.provenance_text(known) == PROVENANCE.read_text(encoding="utf-8")
    for run in recipe.RUNS:
        plan = known[run.process].plan
        assert (plan.name, plan.n_events, plan.seed) == (run.process, run.n_events, run.seed)


def test_building_a_sample_writes_how_its_files_were_made(tmp_path, capsys):
    known = committed_provenance()
    for number, run in enumerate(recipe.RUNS):
        events = make_events(40, seed=number)
        write_events(tmp_path / run.file_name, [events], len(events), known[run.process])
    out = tmp_path / "small.events"

    make_sample.build(tmp_path, out, load_manifest().challenge("sample"))

    written = (tmp_path / "small.provenance.json").read_text(encoding="utf-8")
    assert written == PROVENANCE.read_text(encoding="utf-8")
    printed = capsys.readouterr().out
    for run in recipe.RUNS:
        assert f"title: {run.title}\n" in printed
    make_sample.compare(tmp_path, out, load_manifest().challenge("sample"))
    assert capsys.readouterr().out.count("\n") == 2 + 2 * 2 * (len(recipe.RUNS) - 1)
