"""The settings of a run follow from the card of the entry and the options."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from harness.card.files import newest_card, read_card
from harness.card.physics import WorkingPoint
from harness.data.cache import cache_root
from harness.data.manifest import load_manifest
from harness.errors import DataError, EnvironmentFaultError, IntegrityError, UsageError
from harness.files import file_checksum
from harness.firmware.artefacts import PROGRAM, compress, kept_program, program_digest
from harness.sandbox.workspace import Workspace
from harness.submission.events import open_events
from harness.trigger import start
from harness.trigger.accept import run_trigger
from harness.trigger.entry import TriggerEntry, find_entry
from harness.trigger.folder import held, read_run
from harness.trigger.start import TriggerRequest, settings_of, start_trigger
from tests.trigger_streams import met_score, source
from tests.trigger_streams import settings as toy_settings

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


# --- one chunk ahead ------------------------------------------------------------------------------


class Interpreter:
    """In place of the interpreter's step: what was begun, and how many interpreted at one time."""

    def __init__(self, *, fails_with: np.ndarray | None = None) -> None:
        self.n_started = self.n_finished = self.n_now = self.most_now = self.n_stopped = 0
        # The first event of the chunk that fails; the others then wait until they are stopped.
        self.fails_with = fails_with
        # Whether the next step was started, in time, while the first one interpreted.
        self.was_ahead = False
        self._changed = threading.Condition()

    @contextmanager
    def started(self, workspace, _settings, _program, events, n_events, *, name):
        with self._changed:
            self.n_started += 1
            self._changed.notify_all()
        yield lambda: self.finish(workspace, events, n_events, name)

    def finish(self, workspace, events, n_events, name):
        with self._changed:
            self.n_now += 1
            self.most_now = max(self.most_now, self.n_now)
            if not self.n_finished:
                self.was_ahead = self._changed.wait_for(lambda: self.n_started > 1, timeout=60)
            self.n_finished += 1
        found = open_events(events)
        assert len(found) == n_events
        try:
            if self.fails_with is not None:
                if np.array_equal(found[0], self.fails_with):
                    raise IntegrityError("not one score for each event")
                was_stopped = workspace.stop.wait(60)
                with self._changed:
                    self.n_stopped += was_stopped
            scores = workspace.new_folder(name) / "scores"
            met_score([found]).tofile(scores)
            return SimpleNamespace(outputs={"scores": scores})
        finally:
            with self._changed:
                self.n_now -= 1


def run_ahead(tmp_path, entry, monkeypatch, interpreter, *, jobs=1, n_events=900) -> Path:
    monkeypatch.setattr(start, "started_interpreter", interpreter.started)
    out = tmp_path / f"out{jobs}"
    request = TriggerRequest(entry="team_x", events=("a.h5",), out=out, jobs=jobs)
    workspace = Workspace(run_step=None, folder=tmp_path / "steps")
    with held(out), start._scoring(request, entry.program, workspace) as (score, workers):
        run_trigger(
            [source("a.h5", n_events)], toy_settings(), score, out, chunk_events=90, workers=workers
        )
    return out


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_next_step_is_started_while_as_many_as_asked_interpret(
    tmp_path, entry, monkeypatch, jobs
):
    interpreter = Interpreter()
    out = run_ahead(tmp_path, entry, monkeypatch, interpreter, jobs=jobs)
    with held(tmp_path / "plain"):
        run_trigger(
            [source("a.h5", 900)], toy_settings(), met_score, tmp_path / "plain", chunk_events=90
        )

    assert interpreter.was_ahead
    assert interpreter.most_now <= jobs
    assert interpreter.n_started == interpreter.n_finished >= 6
    paths = [path for path in sorted(out.rglob("*")) if path.suffix in {".json", ".parquet"}]
    assert len(paths) > 10
    for path in paths:
        plain = tmp_path / "plain" / path.relative_to(out)
        assert path.read_bytes() == plain.read_bytes()
    assert [path.name.partition("-")[0] for path in (tmp_path / "steps").iterdir()] == ["program"]


def test_a_fault_ends_what_is_scored_beside_it(tmp_path, entry, monkeypatch):
    interpreter = Interpreter(fails_with=next(source("a.h5", 900).read()).events[0])
    with pytest.raises(IntegrityError, match="not one score"):
        run_ahead(tmp_path, entry, monkeypatch, interpreter, jobs=2)

    assert interpreter.n_finished > 1
    assert interpreter.n_stopped == interpreter.n_finished - 1
    assert not list((tmp_path / "out2").rglob("*.parquet"))


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_was_read_before_a_broken_source_is_counted_though_it_was_still_scored(
    tmp_path, entry, monkeypatch, jobs
):
    whole = source("a.h5", 900)

    def read():
        yield from islice(whole.read(), 6)
        raise DataError("it is broken")

    monkeypatch.setattr(sys.modules[__name__], "source", lambda *_: replace(whole, read=read))
    interpreter = Interpreter()
    with pytest.raises(DataError, match="it is broken"):
        run_ahead(tmp_path, entry, monkeypatch, interpreter, jobs=jobs)

    assert interpreter.n_started == interpreter.n_finished == 3
    found = read_run(tmp_path / f"out{jobs}")
    assert not found.is_complete
    # Of 420 events in sections of 100, of which the last was not seen to end.
    assert found.n_events == 400
