"""A made-up record of `harness reach`, for tests of the board."""

from __future__ import annotations

from pathlib import Path

from harness.board.reach import Comparison, FalseClaims, Reach, SignalReach, TrialPoint, reach_path
from harness.card.figures import Interval
from harness.card.hardware import Artefact, Firmware
from harness.files import make_folder, write_json
from tests.cards import make_firmware

DIGEST = 64 * "a"


def firmware_of_program(digest: str = DIGEST) -> Firmware:
    """Return a firmware that keeps a program of this digest."""
    kept = Artefact(name="program.json.zst", sha256=digest, n_bytes=10)
    return make_firmware().model_copy(update={"artefacts": (kept,)})


def make_reach(team: str = "team_x", *, is_false: bool = False, **changes: object) -> Reach:
    """Return a record of a signal that is found, and of one of which there are too few events."""
    points = (
        TrialPoint(n_injected=2_000, n_found=3, n_trials=15),
        TrialPoint(n_injected=4_000, n_found=13, n_trials=15),
    )
    ato4l = SignalReach(
        n_events=40_000, n_accepted=2_542, n_injected=3_063.4, lower=2_911.0, upper=3_222.0,
        points=points,
    )  # fmt: skip
    lq = SignalReach(
        n_events=40_000, n_accepted=188, n_injected=None, lower=33_000.0, upper=None, points=points
    )
    reach = Reach(
        team=team,
        challenge="sample",
        program=f"sha256:{DIGEST}",
        threshold=60.8,
        exposure=1_090_189,
        expected_exposure=2_000_000,
        n_observed=1_090,
        n_simulated=2_013,
        level=0.00135,
        n_toys=2_222,
        seed=1,
        variations=("jet_scale_up",),
        signals={"ato4l": ato4l, "lq": lq, "secret": lq},
        false_claims=FalseClaims(
            n_found=1,
            n_trials=200,
            interval=Interval(lower=0.0001, upper=0.0275, method="Clopper-Pearson"),
        ),
        comparisons=(
            Comparison(
                title="another tune",
                n_events=1_090_000,
                n_observed=1_160,
                expected=1_098.0,
                global_p=0.0004,
                varied_p={"jet_scale_up": 0.0002 if is_false else 0.21},
                is_claimed=is_false,
            ),
        ),
    )
    return reach.model_copy(update=changes)


def write_reach(results: Path, reach: Reach) -> Path:
    """Write a record where a board finds it."""
    path = reach_path(results, reach.challenge, reach.team)
    make_folder(path.parent)
    return write_json(path, reach)
