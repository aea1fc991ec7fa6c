"""The settings of a run follow from the card of the entry and the options."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.card.files import newest_card, read_card
from harness.card.physics import WorkingPoint
from harness.data.cache import cache_root
from harness.data.manifest import load_manifest
from harness.errors import EnvironmentFaultError, IntegrityError, UsageError
from harness.files import file_checksum
from harness.firmware.artefacts import PROGRAM, compress, kept_program, program_digest
from harness.trigger import start
from harness.trigger.entry import TriggerEntry, find_entry
from harness.trigger.start import TriggerRequest, settings_of, start_trigger
from tests.trigger_streams import source

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "results"
MANIFEST = load_manifest()


@pytest.fixture(scope="module")
def entry(tmp_path_factory) -> TriggerEntry:
    path = newest_card(RESULTS / "sample" / "team_x")
    assert path is not None
    card = read_card(path)
    program = tmp_path_factory.mktemp("program") / "program.json"
    program.write_text("{}")
    points = [one for one in card.firmware_physics.working_points if isinstance(one, WorkingPoint)]
    return TriggerEntry(
        card=card,
        challenge=MANIFEST.challenge("sample"),
        program=compress(program, program.with_suffix(".zst")),
        points=tuple(sorted(points, key=lambda one: one.fpr)),
    )


def settings(entry, *, sections=None, **options):
    request = TriggerRequest(entry="team_x", events=("a.h5",), out=Path("out"), **options)
    return settings_of(request, entry, source("a.h5", 3, sections=sections))


def test_the_threshold_is_that_of_the_working_point(entry):
    found = settings(entry)

    assert found.threshold == entry.card.firmware_physics.at(1e-3).threshold
    assert settings(entry, fpr=1e-5).threshold == entry.card.firmware_physics.at(1e-5).threshold
    assert settings(entry, threshold=7.5).threshold == 7.5
    with pytest.raises(UsageError, match="no working point at 2e-3"):
        settings(entry, fpr=2e-3)


def test_sections_come_from_the_data_unless_they_are_cut(entry):
    found = settings(entry, sections=[1, 2, 3])
    assert (found.section_column, found.section_events) == ("lumi_section", None)
    found = settings(entry, sections=[1, 2, 3], section_events=50)
    assert (found.section_column, found.section_events) == (None, 50)
    assert settings(entry).section_events == 10_000


def test_a_rate_is_steered_between_the_working_points_of_the_card(entry):
    found = settings(entry, rate_hz=500.0, input_rate_hz=1e6)

    assert found.threshold is None
    assert found.steering is not None
    assert found.steering.target == pytest.approx(5e-4)
    assert (found.steering.low, found.steering.high) == (1e-6, 1e-3)
    assert list(found.steering.thresholds) == sorted(found.steering.thresholds, reverse=True)
    with pytest.raises(UsageError, match="needs --input-rate"):
        settings(entry, rate_hz=500.0)
    with pytest.raises(UsageError, match=r"a share of 0\.5") as raised:
        settings(entry, rate_hz=5e5, input_rate_hz=1e6)
    assert raised.value.problems[0].fix == "ask for 1 to 1000 Hz"


def found_by(named: str, tmp_path: Path, **options) -> TriggerEntry:
    given = {"results": RESULTS, "challenge": "sample", "program": None, **options}
    return find_entry(named, MANIFEST, scratch=tmp_path, **given)


def test_the_sandbox_is_tried_before_anything_is_opened(monkeypatch, tmp_path):
    """As before all that reads what a team sent in; docs/security.md."""
    asked = []

    @contextmanager
    def untried(kind, cache):
        asked.append((kind, cache))
        raise EnvironmentFaultError("a guard does not hold")
        yield

    monkeypatch.setattr(start, "open_tried_workspace", untried)
    request = TriggerRequest(entry="team_x", events=("sample:lq",), out=tmp_path / "out")

    with pytest.raises(EnvironmentFaultError, match="a guard does not hold"):
        start.start_trigger(request)

    assert asked == [("bwrap", cache_root())]
    assert not (tmp_path / "out").exists()


def test_a_card_without_its_program_and_a_program_of_another_card_are_refused(tmp_path):
    with pytest.raises(UsageError, match="cards are committed without it") as raised:
        found_by("met_cut", tmp_path)
    assert "harness synth submissions/met_cut" in raised.value.problems[0].fix
    other = tmp_path / "own.json"
    other.write_text("{}")
    with pytest.raises(IntegrityError, match="the program's digest is"):
        found_by("met_cut", tmp_path, program=other)
    with pytest.raises(UsageError, match="no such file"):
        found_by("met_cut", tmp_path, program=tmp_path / "none.json")
    with pytest.raises(UsageError, match="is no card, and has none"):
        found_by("nobody", tmp_path)
    with pytest.raises(UsageError, match="no scores of a firmware"):
        found_by("flow", tmp_path)


def test_the_program_beside_a_card_is_the_one_that_the_card_names(tmp_path, entry):
    card_path = tmp_path / "card.json"
    (tmp_path / "card").mkdir()
    program = tmp_path / "card" / PROGRAM
    program.write_bytes(entry.program.read_bytes())
    firmware = entry.card.firmware
    artefacts = tuple(
        one.model_copy(update={"sha256": file_checksum(program).removeprefix("sha256:")})
        if one.name == PROGRAM
        else one
        for one in firmware.artefacts
    )
    named = entry.card.model_copy(
        update={"firmware": firmware.model_copy(update={"artefacts": artefacts})}
    )

    assert kept_program(named, card_path) == program
    assert kept_program(entry.card, card_path) is None
    assert program_digest(named) == file_checksum(program)


@pytest.mark.parametrize(
    "options",
    [
        {"threshold": float("nan")},
        {"fpr": float("inf")},
        {"rate_hz": float("nan"), "input_rate_hz": 1e6},
        {"input_rate_hz": float("inf")},
        {"gain": float("nan")},
        {"follow_s": float("inf")},
    ],
)
def test_a_number_that_is_not_finite_is_refused_before_anything_is_opened(tmp_path, options):
    request = TriggerRequest(entry="none", events=("none",), out=tmp_path / "out", **options)
    with pytest.raises(UsageError, match=r"is (nan|inf)"):
        start_trigger(request)
    assert not (tmp_path / "out").exists()
