"""The table of published figures, and how a file is held against it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.card.figures import Interval, NotMeasured
from harness.metrics.two_samples import SampleDistance
from harness.simulate.against import Compared, FeatureDistance
from harness.simulate.check import check_file, compare
from harness.simulate.reference import quantities
from harness.simulate.view import compared_view
from tests.events import make_events, write_hdf5
from tests.terminal import draw


def test_every_published_figure_is_in_the_table():
    names = [quantity.name for quantity in quantities()]

    assert len(names) == len(set(names)) == 37
    assert sum(quantity.is_binding for quantity in quantities()) == 34


def test_figures_are_computed_as_the_published_ones_are():
    pt = np.zeros((10, 19), np.float32)
    eta = np.zeros((10, 19), np.float32)
    pt[:, 0] = np.arange(1, 11) * 10  # MET 10 ... 100
    pt[:4, 1] = 30  # e1 in 4 events
    pt[2:5, 5] = 25  # mu1 in 3, both in 2
    eta[:2, 1] = 2.0
    found = {one.name: one.found for one in compare(pt, eta)}

    assert found["occupancy e1"] == 0.4
    assert found["e1 zero fraction"] == 0.6
    assert found["e1 pT mean"] == 12.0  # zeros counted
    assert found["events with e and mu"] == 0.2
    assert found["MET mean"] == 55.0
    assert found["MET 50 % quantile"] == 55.0
    assert found["e1 eta sd"] == pytest.approx(0.8)


def test_a_figure_beyond_15_per_cent_fails_and_a_rare_one_does_not():
    pt = np.zeros((1000, 19), np.float32)
    pt[:, 0] = 35.2
    pt[: int(545 * 1.14), 1] = 30
    pt[: int(477 * 1.17), 5] = 30
    by_name = {one.name: one for one in compare(pt, np.zeros_like(pt))}

    assert by_name["MET mean"].passes
    assert by_name["occupancy e1"].passes
    assert not by_name["occupancy mu1"].passes
    assert by_name["occupancy j10"].found == 0
    assert by_name["occupancy j10"].passes
    assert not by_name["occupancy j10"].is_binding


def test_a_file_is_read_with_its_structure(tmp_path):
    checked = check_file(write_hdf5(tmp_path / "a.h5", make_events(300)))

    assert checked.n_events == 300
    assert checked.remarks == ()
    assert checked.failures
    json.dumps([one.ratio for one in checked.comparisons])


def test_two_files_that_were_compared_are_drawn_with_their_intervals():
    interval = Interval(lower=0.1, upper=0.3, method="made up")
    found = SampleDistance(value=0.2, interval=interval, by_chance=interval)
    feature = FeatureDistance(
        name="mass", unit="GeV", mean=80.0, mean_other=85.0, spread=30.0, distance=found
    )
    compared = Compared(
        source="a.h5",
        other="b.h5",
        n_events=900,
        n_other=800,
        features=(feature,),
        frechet=found,
        kernel=NotMeasured(not_measured="few events"),
    )
    text = draw(compared_view(compared), width=100)
    assert "mass [GeV]" in text
    assert "0.2 [0.1, 0.3]" in text
    assert "FPD 0.2 [0.1, 0.3]" in text
    assert "KPD not measured: few events" in text
