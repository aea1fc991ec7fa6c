"""Answers to a box as physics: read strictly, scored by the key, shown after the opening."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtri

from harness.blackbox.claim import (
    Claim,
    ClaimedCluster,
    compare,
    open_box,
    read_claim,
    score_claim,
    score_cluster,
)
from harness.blackbox.master_key import KnownSignal, read_master_key, seal_master_key
from harness.blackbox.seal import BoxKey, Secret, open_key, seal_key
from harness.board.answers import Measured, cluster_rows, in_order, read_opened
from harness.data.hdf5_writer import write_events
from harness.errors import DataError, InvalidSubmissionError, UsageError
from tests.events import LAYOUT, make_challenge, make_events, toy_file

pytest.importorskip("cryptography")
N_EVENTS = 200


def secret_of(folder: Path) -> Secret:
    """A random key in a file: a passphrase takes half a second each time."""
    return Secret(key_file=folder / "secret")


@pytest.fixture
def box(tmp_path: Path) -> Path:
    path = tmp_path / "box.h5"
    write_events(path, LAYOUT, [make_events(N_EVENTS)], n_events=N_EVENTS, has_ids=True)
    return path


def master_key(tmp_path: Path, labels: str | None = None) -> Path:
    path = tmp_path / "box.masterkey"
    default = "\n".join("1.0" if event % 10 == 3 else "0.0" for event in range(N_EVENTS))
    path.write_text(default if labels is None else labels)
    return path


def adopt(tmp_path: Path, box: Path, labels: str | None = None, **more: float) -> BoxKey:
    signal = KnownSignal(process="x", title="X", mass_gev=3500.0)
    challenge = make_challenge([toy_file()])
    out = tmp_path / "box.key"
    return seal_master_key(
        challenge,
        box,
        master_key(tmp_path, labels),
        signal,
        out=out,
        secret=secret_of(tmp_path),
        **more,
    )


def write_claim(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


RIGHT = """
team: a_team
challenge: toy
new_physics: true
mass_gev: {value: 3600, uncertainty: 50}
n_events: {value: 25, uncertainty: 5}
method: a bump
"""


def test_a_master_key_becomes_a_sealed_key_with_the_same_events(tmp_path: Path, box: Path) -> None:
    adopt(tmp_path, box)
    key = open_key(tmp_path / "box.key", secret_of(tmp_path))
    assert key.signals[0].ids.tolist() == list(range(3, N_EVENTS, 10))
    assert key.signals[0].mass_gev == 3500.0


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ("0\n" * 199, "labels 199 events"),
        ("0\n" * 100 + "2\n", "'2' is no label"),
        ("", "labels 0"),
    ],
)
def test_a_master_key_that_does_not_fit_its_box_is_refused(
    labels: str, what: str, tmp_path: Path, box: Path
) -> None:
    with pytest.raises(DataError, match=what):
        adopt(tmp_path, box, labels)
    assert not (tmp_path / "box.key").exists()


def test_labels_end_with_or_without_a_line(tmp_path: Path) -> None:
    path = master_key(tmp_path, "0\r\n1\r\n0\r\n\r\n")
    assert read_master_key(path, 3).tolist() == [False, True, False]


def test_the_box_is_opened_once_and_its_answers_are_on_the_board(tmp_path: Path, box: Path) -> None:
    adopt(tmp_path, box)
    wrong = "team: b_team\nchallenge: toy\nnew_physics: false\n"
    claims = [write_claim(tmp_path / "b.yaml", wrong), write_claim(tmp_path / "a.yaml", RIGHT)]
    results, key = tmp_path / "results", tmp_path / "box.key"
    opened, path = open_box(
        claims, key_path=key, secret=secret_of(tmp_path), results=results, box_path=box
    )
    assert path.is_file()
    assert read_opened(results, "toy") == (opened,)
    assert [one.team for one in opened.claims] == ["a_team", "b_team"]
    first, second = opened.claims
    assert (first.is_right, second.is_right) == (True, False)
    assert first.mass_gev is not None
    assert first.n_events is not None
    assert (first.mass_gev.pull, first.mass_gev.true) == (2.0, 3500.0)
    assert (first.n_events.pull, first.n_events.true) == (1.0, 20.0)
    with pytest.raises(UsageError):
        open_box(claims, key_path=key, secret=secret_of(tmp_path), results=results)


def test_a_key_of_another_box_is_refused(tmp_path: Path, box: Path) -> None:
    adopt(tmp_path, box)
    other = tmp_path / "other.h5"
    write_events(other, LAYOUT, [make_events(N_EVENTS, seed=9)], n_events=N_EVENTS)
    with pytest.raises(DataError, match=r"the key is of box\.h5"):
        open_box(
            [],
            key_path=tmp_path / "box.key",
            secret=secret_of(tmp_path),
            results=tmp_path,
            box_path=other,
        )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("team: a\nchallenge: toy\nnew_physics: true\n", "claim its mass_gev"),
        (RIGHT.replace("true", "false"), "no mass and no number"),
        (RIGHT + "cross_section_fb: {value: 1, uncertainty: 1}\n", "not both"),
        (RIGHT.replace("uncertainty: 50", "uncertainty: 0"), "mass_gev"),
        (RIGHT.replace("uncertainty: 50", "uncertainty: .inf"), "mass_gev"),
        (RIGHT + "rank: 1\n", "rank"),
    ],
)
def test_an_answer_that_is_none_is_refused(text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSubmissionError, match=what):
        read_claim(write_claim(tmp_path / "c.yaml", text))


def test_a_team_answers_once_and_its_own_box(tmp_path: Path, box: Path) -> None:
    adopt(tmp_path, box)
    twice = [write_claim(tmp_path / f"{n}.yaml", RIGHT) for n in range(2)]
    key = tmp_path / "box.key"
    with pytest.raises(InvalidSubmissionError, match="answers 2 times"):
        open_box(twice, key_path=key, secret=secret_of(tmp_path), results=tmp_path)
    other = write_claim(tmp_path / "o.yaml", RIGHT.replace("toy", "another"))
    with pytest.raises(InvalidSubmissionError, match="a box of another"):
        open_box([other], key_path=key, secret=secret_of(tmp_path), results=tmp_path)


def test_no_new_physics_is_right_of_a_box_without_signal(tmp_path: Path, box: Path) -> None:
    key = adopt(tmp_path, box, "0\n" * N_EVENTS)
    none = Claim(team="a", challenge="toy", new_physics=False)
    some = Claim(
        team="b", challenge="toy", new_physics=True, mass_gev=Measured(value=1e3, uncertainty=1e2)
    )
    assert score_claim(none, key).is_right
    scored = score_claim(some, key)
    assert not scored.is_right
    assert scored.mass_gev is None
    assert scored.remarks


def test_a_cross_section_needs_the_luminosity_of_the_box(tmp_path: Path, box: Path) -> None:
    claim = Claim(
        team="a", challenge="toy", new_physics=True,
        mass_gev=Measured(value=3500.0, uncertainty=10.0),
        cross_section_fb=Measured(value=3.0, uncertainty=1.0),
    )  # fmt: skip
    key = adopt(tmp_path, box, luminosity_fb=10.0)
    found = score_claim(claim, key).cross_section_fb
    assert found is not None
    # 20 events in 10/fb.
    assert (found.true, found.pull) == (2.0, 1.0)
    without = key.model_copy(update={"luminosity_fb": None})
    assert score_claim(claim, without).cross_section_fb is None


CLUSTER = """
team: c_team
challenge: toy
new_physics: true
cluster: {label: kmeans-16-1/3, events: [3, 13, 23, 4, 5]}
"""


def test_a_cluster_is_scored_by_its_purity_and_significance(tmp_path: Path, box: Path) -> None:
    """Three of five events of the cluster are signal, of 20 in 200."""
    adopt(tmp_path, box)
    claim = write_claim(tmp_path / "c.yaml", CLUSTER)
    opened, _ = open_box(
        [claim], key_path=tmp_path / "box.key", secret=secret_of(tmp_path), results=tmp_path
    )
    (scored,) = opened.claims
    assert scored.is_right
    found = scored.cluster
    assert found is not None
    assert (found.label, found.n_events, found.n_signal) == ("kmeans-16-1/3", 5, 3)
    assert (found.purity, found.efficiency) == (0.6, 0.15)
    by_hand = sum(math.comb(20, k) * math.comb(180, 5 - k) for k in (3, 4, 5)) / math.comb(200, 5)
    assert found.p_value == pytest.approx(by_hand)
    assert found.significance == pytest.approx(-ndtri(by_hand))
    assert found.purity_interval.lower < 0.6 < found.purity_interval.upper
    assert read_opened(tmp_path, "toy") == (opened,)
    (row,) = cluster_rows(opened)
    assert row[:4] == ("c_team", "kmeans-16-1/3", "5", "3")
    assert row[4].startswith("60 % (")


def test_a_cluster_of_a_box_without_signal_is_background(tmp_path: Path, box: Path) -> None:
    key = adopt(tmp_path, box, "0\n" * N_EVENTS)
    found = score_cluster(ClaimedCluster(events=(1, 2)), key)
    assert (found.purity, found.efficiency, found.p_value) == (0.0, None, 1.0)
    assert found.significance == 0.0


@pytest.mark.parametrize(
    ("events", "what"),
    [("[3, 3, 4]", "1 events twice"), (f"[3, {N_EVENTS}]", f"names event {N_EVENTS}")],
)
def test_a_cluster_names_events_of_the_box_once(
    events: str, what: str, tmp_path: Path, box: Path
) -> None:
    adopt(tmp_path, box)
    claim = write_claim(tmp_path / "c.yaml", CLUSTER.replace("[3, 13, 23, 4, 5]", events))
    with pytest.raises(InvalidSubmissionError, match=what):
        open_box(
            [claim], key_path=tmp_path / "box.key", secret=secret_of(tmp_path), results=tmp_path
        )
    assert not (tmp_path / "toy").exists()


@pytest.mark.parametrize("events", ["[]", "[-1]", "[1.5]", "[true]", "['x']"])
def test_events_of_a_cluster_are_whole_numbers(events: str, tmp_path: Path) -> None:
    claim = write_claim(tmp_path / "c.yaml", CLUSTER.replace("[3, 13, 23, 4, 5]", events))
    with pytest.raises(InvalidSubmissionError):
        read_claim(claim)


def test_neither_a_small_nor_a_large_uncertainty_improves_the_expected_score() -> None:
    """Measurements scatter by 50 around the truth; who says so has the best mean score."""
    generator = np.random.default_rng(1)
    measured = generator.normal(3500.0, 50.0, 4000)
    means = {
        stated: np.mean(
            [compare(Measured(value=m, uncertainty=stated), 3500.0).log_score for m in measured]
        )
        for stated in (25.0, 50.0, 100.0)
    }
    assert min(means, key=means.__getitem__) == 50.0


def test_right_answers_come_first_then_those_with_a_better_mass(tmp_path: Path, box: Path) -> None:
    key = adopt(tmp_path, box)
    masses = {"near": 3510.0, "far": 3900.0}
    claims = [
        score_claim(
            Claim(
                team=team, challenge="toy", new_physics=True,
                mass_gev=Measured(value=mass, uncertainty=50.0),
            ),
            key,
        )
        for team, mass in masses.items()
    ]  # fmt: skip
    none = score_claim(Claim(team="none", challenge="toy", new_physics=False), key)
    assert [one.team for one in in_order([none, *reversed(claims)])] == ["near", "far", "none"]
    assert key.signals[0].n_events == 20


def test_a_sealed_key_of_earlier_harness_opens(tmp_path: Path, box: Path) -> None:
    key = adopt(tmp_path, box)
    old = key.model_copy(
        update={"signals": tuple(one.model_copy(update={"mass_gev": None}) for one in key.signals)}
    )
    seal_key(old, secret_of(tmp_path), tmp_path / "old.key")
    assert "mass_gev" not in old.model_dump_json()
    assert open_key(tmp_path / "old.key", secret_of(tmp_path)) == old
