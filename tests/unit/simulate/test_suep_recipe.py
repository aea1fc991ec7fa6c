"""The recipe of `hlt-suep-sample` gives the slice that is committed, by a run into a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.data.events import open_store
from harness.data.fetch import fetch
from harness.data.hdf5 import read_chunks
from harness.data.manifest import load_manifest
from harness.data.sample_images import quantise_images
from harness.errors import UsageError
from harness.simulate.level1.crossings import open_library
from harness.simulate.suep.events import Source, make_events
from harness.simulate.suep.images import LAYOUT
from harness.simulate.suep.processes import find
from harness.simulate.suep.run import simulate_suep
from tools import suep_sample as recipe


def test_a_run_makes_the_committed_slice_and_a_manifest_and_writes_over_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pythia8mc")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    committed = json.loads(recipe.SLICE.read_text(encoding="utf-8"))
    plan, out = recipe.slice_plan(), tmp_path / "suep"
    made = simulate_suep(plan, out)
    assert committed.keys() == made.keys() == plan.n_events.keys()
    for name, events in committed.items():
        (images,) = (images for images, _ in read_chunks(out / f"{name}.h5", LAYOUT))
        # Other processors round sines and logarithms otherwise in the last place.
        np.testing.assert_allclose(recipe.summed_up(images), events, rtol=1e-5, err_msg=name)
        assert len(images) <= made[name].n_accepted <= made[name].n_generated
    challenge = load_manifest(out / "manifest.yaml").challenge("hlt-suep-simulated")
    assert challenge.synthetic
    assert len(fetch(challenge, source_folder=out, root=tmp_path / "root").files) == len(committed)
    assert not out.with_name("suep.parts").exists()
    with pytest.raises(UsageError, match="suep"):
        simulate_suep(plan, out)


@pytest.mark.slow
def test_the_committed_sample_holds_what_the_recipe_makes() -> None:
    """All events of the heaviest scalar; with the library of soft events of the sample."""
    pytest.importorskip("pythia8mc")
    name, plan = "suep_1000", recipe.plan()
    (chunk,) = (one for one in plan.chunks() if one.process == name)
    seed, rng = chunk.seeds(plan.seed)
    source = Source.of(find(name), seed, open_library(plan.n_library))
    images, made = make_events(source, chunk.n_events, rng)
    expected = quantise_images(images, recipe.CODING)
    store = open_store(load_manifest().challenge("hlt-suep-sample"))
    rows = np.concatenate([store.indices(name, part) for part in ("train", "test")])
    kept = store.events(name)[rows]
    assert len(kept) == len(expected)
    counts = [(np.asarray(one) > 0).sum() for one in (kept, expected[:])]
    assert abs(counts[0] - counts[1]) <= 1e-3 * counts[1]
    # Other processors round sines and logarithms otherwise: a value may be a step off.
    assert (np.asarray(kept) == expected[:]).mean() >= 0.9999
    document = json.loads(
        recipe.OUT.with_name("hlt_suep_sample.provenance.json").read_text("utf-8")
    )
    assert made.model_dump(mode="json") == document["yields"][name]
