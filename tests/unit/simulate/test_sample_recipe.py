"""The sample's recipe gives the slice that is committed."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from harness.data import open_store
from harness.data.manifest import load_manifest
from harness.data.sample import dequantise, quantise
from harness.simulate.plan import LIBRARY_EVENTS, make_plan
from harness.simulate.run import _order

pytest.importorskip("pythia8mc")
TOOLS = Path(__file__).parents[3] / "tools"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


recipe = load("sample_recipe")
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
        plan = make_plan(run.process, n_events=run.n_events, seed=run.seed)
        order = _order(plan)
        for label, process in enumerate(plan.counts):
            event = np.zeros((1, 19, 3), np.float32)
            for slot, *values in made[process]["objects"]:
                event[0, int(slot)] = values
            (first,) = np.flatnonzero(order == label)[:1]
            kept = store.events(run.process)[first : first + 1]
            assert kept == pytest.approx(dequantise(quantise(event)), abs=TOLERANCE), process


def test_the_recipe_makes_the_files_and_the_numbers_of_the_sample():
    files = {file.process: file.n_events for file in load_manifest().challenge("sample").files}

    assert {run.process: run.n_events for run in recipe.RUNS} == files
    assert [run.file_name for run in recipe.RUNS] == [
        source.name for source in load("make_sample").SOURCES
    ]
    assert len({run.seed for run in recipe.RUNS}) == len(recipe.RUNS)
