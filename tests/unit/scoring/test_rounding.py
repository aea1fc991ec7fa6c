"""What rounding costs, where a network cannot be rounded."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from harness.card.figures import NotMeasured
from harness.firmware.backend import UntranslatableError
from harness.firmware.witnesses import graph
from harness.sandbox import Workspace
from harness.scoring import rounding
from harness.scoring.assembly import Measurements
from harness.scoring.scorer import ExportedNetwork
from harness.submission.declaration import Precision


def test_a_network_without_a_form_at_fixed_widths_keeps_its_figures(tmp_path, monkeypatch):
    def refuse(_):
        raise UntranslatableError("has no form", where="layer 'gt'", fix="use arithmetic")

    monkeypatch.setattr(graph, "score_quantised", refuse)
    monkeypatch.setattr(rounding, "FirmwareRequest", SimpleNamespace)
    workspace = Workspace(run_step=pytest.fail, folder=tmp_path)
    run = SimpleNamespace(
        challenge=SimpleNamespace(fpga=object()),
        mixture=SimpleNamespace(path=tmp_path / "events.npy", n_events=3),
        stage=lambda *_: nullcontext(workspace),
    )
    why = NotMeasured(not_measured="left out")
    scored = object()
    measured = Measurements(scored=scored, model_digest=why, cost=why, firmware=why)
    network = ExportedNetwork(graph=tmp_path, weights=tmp_path, digest="")
    words = Precision(input="fixed<8,4>", weights="fixed<8,4>", activations="fixed<8,4>")

    found = rounding.with_rounding(run, network, measured, words)

    assert found.scored is scored
    assert found.rounded_physics is None
    assert isinstance(found.firmware, NotMeasured)
    for word in ("layer 'gt'", "has no form", "use arithmetic"):
        assert word in found.firmware.not_measured
