"""The tool that measures the reach of entries: events at the precision of the sample, words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.data import hdf5_writer
from harness.data.sample_coding import dequantise, quantise
from tests.events import LAYOUT, make_events
from tools import discovery
from tools.make_sample import read_chunks


def test_fresh_events_have_the_precision_of_the_sample(tmp_path):
    events = make_events(300, seed=3)
    events[:, 0, 0] += 0.01
    hdf5_writer.write_events(tmp_path / "full.h5", LAYOUT, [events], n_events=300)

    discovery.write_rounded(tmp_path / "full.h5", tmp_path / "rounded" / "full.h5", 300)

    (rounded,) = read_chunks(tmp_path / "rounded" / "full.h5")
    assert np.array_equal(rounded, dequantise(quantise(events)))
    assert not np.array_equal(rounded, events)
    assert np.array_equal(rounded[..., 0] * 4, np.rint(rounded[..., 0] * 4))


def test_the_other_tune_may_come_later(tmp_path, monkeypatch):
    events = make_events(20, seed=3)
    for run in ("EXPECTED", "OTHER_TUNE"):
        monkeypatch.setattr(discovery, run, replace(getattr(discovery, run), n_events=20))
    with pytest.raises(SystemExit, match="make fresh-events"):
        discovery.round_events(tmp_path)

    for n_rounded, run in enumerate((discovery.EXPECTED, discovery.OTHER_TUNE), 1):
        hdf5_writer.write_events(tmp_path / run.file_name, LAYOUT, [events], n_events=20)
        discovery.round_events(tmp_path)
        assert len(list((tmp_path / "rounded").glob("*.h5"))) == n_rounded
    assert "other_tune" in [name for name, _, _ in discovery.streams(tmp_path, [])]


def test_each_variation_is_of_the_data_and_of_the_expectation(tmp_path):
    found = {name: (source, vary) for name, source, vary in discovery.streams(tmp_path, ["up"])}

    assert found["data-up"] == ("sample:background", "up")
    assert found["expected-up"] == (found["expected"][0], "up")
    assert {"ato4l", "lq", "h0", "hplus"} <= set(found)
    # It is compared once its events are there.
    assert "other_tune" not in found
    words = list(map(str, discovery.reach_words(Path("a"), ["up"])))
    assert words[words.index("--varied") :][:4] == ["--varied", "up", "a/data-up", "a/expected-up"]
    assert "--other" not in words
