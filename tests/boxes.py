"""An opened black box, made up, for tests of what shows its answers."""

from __future__ import annotations

from pathlib import Path

from harness.blackbox.claim import compare
from harness.board.answers import (
    Measured,
    OpenedBox,
    ScoredClaim,
    ScoredCluster,
    TrueSignal,
    opened_path,
)
from harness.card.figures import Interval
from harness.files import make_folder, write_json


def make_opened(challenge: str = "sample", *, method: str = "a bump") -> OpenedBox:
    """Make a box with a signal, a right answer and a wrong one."""
    right = ScoredClaim(
        team="a_team",
        new_physics=True,
        is_right=True,
        mass_gev=compare(Measured(value=3600.0, uncertainty=50.0), 3500.0),
        cross_section_fb=compare(Measured(value=9.0, uncertainty=1.0), 8.34),
        cluster=ScoredCluster(
            label=method[:200],
            n_events=40,
            n_signal=30,
            purity=0.75,
            purity_interval=Interval(lower=0.588, upper=0.873, method="Clopper-Pearson"),
            efficiency=30 / 834,
            efficiency_interval=Interval(lower=0.0244, upper=0.0509, method="Clopper-Pearson"),
            p_value=1e-80,
            significance=18.9,
        ),
        method=method,
    )
    return OpenedBox(
        challenge=challenge,
        challenge_title="Dijets",
        synthetic=True,
        box_name="box.h5",
        box_checksum="sha256:" + "0" * 64,
        opened="2026-03-01T12:00:00Z",
        n_events=1_000_000,
        signals=(TrueSignal(process="x", title="X to YY", n_events=834, mass_gev=3500.0),),
        luminosity_fb=100.0,
        claims=(right, ScoredClaim(team="b_team", new_physics=False, is_right=False)),
    )


def write_opened(results: Path, opened: OpenedBox) -> Path:
    """Write a box where a board finds it."""
    path = opened_path(results, opened.challenge, opened.box_name)
    make_folder(path.parent)
    write_json(path, opened, indent=2)
    return path
