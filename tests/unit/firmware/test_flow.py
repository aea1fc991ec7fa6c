"""The whole flow on small networks, with the real tools; mutants of the Verilog are caught.

Steps run in this process, one after the other; `tests/integration` runs them in the sandbox.
"""

from __future__ import annotations

import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from harness.card.figures import NotMeasured
from harness.card.hardware import Figure, Firmware
from harness.challenge import Budget, FirmwareChoices
from harness.errors import (
    EnvironmentFaultError,
    ExitCode,
    IntegrityError,
    InvalidSubmissionError,
    LimitError,
    UsageError,
)
from harness.firmware import estimate, synthesise
from harness.firmware.artefacts import export_project
from harness.firmware.backend import FirmwareResult, FirmwareSettings
from harness.firmware.cache import Cache
from harness.firmware.interpret import interpret_all
from harness.firmware.rtl import build, closing, depths
from harness.firmware.rtl.simulation import VERILOG, simulate_verilog
from harness.firmware.rtl.synthesis import synthesise_verilog
from harness.firmware.synthesise import find_made
from harness.firmware.translate import size
from harness.firmware.translate.translation import translate
from harness.firmware.translate.verilog import write_verilog
from harness.firmware.witnesses.events import choose_common_events
from harness.firmware.witnesses.graph import KERAS
from harness.sandbox.step import Step
from tests.firmware_bench import (
    TARGET,
    ask,
    changing,
    direct_step,
    every_pair,
    export,
    make_firmware,
    plain_events,
)

QUICK = FirmwareSettings(n_workers=1, n_witness_events=500, n_csim_events=800, has_hls4ml=False)


class Runs:
    """Counts the steps that ran."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, step: Step, folder: Path):
        self.names.append(step.name)
        return direct_step(step, folder)


def make(network, folder: Path, rows, **changes) -> FirmwareResult:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "events.npy", rows)
    events = changes.pop("events", folder / "events.npy")
    place = changes.pop("build", folder / "build with spaces")
    return make_firmware(network, events, place, **({"settings": QUICK} | changes))


def lose_scores(cache: Path) -> None:
    """Remove the scores from a cache."""
    for path in [*cache.glob("*/scores.f64")]:
        shutil.rmtree(path.parent)


@pytest.fixture(scope="module")
def made(small, tmp_path_factory):
    """An encoder's firmware, its cache, and the steps that it took."""
    folder = tmp_path_factory.mktemp("encoder")
    events = plain_events(3_000, 6)
    runs = Runs()
    result = make(small, folder, events, run_step=runs, cache_root=folder / "cache")
    return result, folder, events, runs.names


def test_every_event_is_scored_by_the_program(made, small_program):
    result, _, events, _ = made

    np.testing.assert_array_equal(
        np.fromfile(result.scores, "<f8"), small_program.predict(events).ravel()
    )


def test_a_clock_that_the_upper_edge_keeps_needs_no_band(made):
    period, latency = made[0].report.clock_period_ns, made[0].report.latency_ns
    # Cells of 2.05 ns would have had a band beyond 5 ns with 61 % of the path for routing.
    assert "cells and wires of the longest path take" in period.source
    assert (period.value, period.band, latency.band) == (5.0, None, None)


def test_a_period_with_wires_has_the_band_of_the_routed_designs():
    request = ask((None, None), None, None)

    period_ns, band = request.netlist_period(2.0, 4.5)

    assert (period_ns, band.lower, band.upper) == pytest.approx((4.5, 4.5 * 0.74, 4.5 * 1.25))


@pytest.mark.parametrize(
    ("part", "factor"), [("xczu3eg", 1.2), ("xcvu9p-flga2104-3-e", 0.88), ("vu9p", 1.0)]
)
def test_a_slower_grade_has_a_longer_period(part, factor):
    request = ask((None, None), None, None, target=TARGET.model_copy(update={"part": part}))

    period_ns, band = request.netlist_period(2.0, 4.5)

    assert period_ns == pytest.approx(4.5 * factor)
    assert band.upper == pytest.approx(4.5 * factor * 1.25)


def test_a_family_without_routed_designs_keeps_the_allowance():
    request = ask((None, None), None, None, target=TARGET.model_copy(update={"part": "xc7a35t"}))

    assert request.netlist_period(2.0, 4.5) == (request.period_ns(2.0), request.period_band(2.0))


@pytest.mark.parametrize(
    ("logic_ns", "wired_ns", "taken"),
    [(2.5, 4.0, 1.0), (2.0, 5.5, 1.1), (3.0, 4.0, 1.2)],
    ids=["planned exactly", "slow by its wires", "slow by its plan"],
)
def test_a_pipeline_is_too_slow_by_its_plan_or_by_its_wires(logic_ns, wired_ns, taken):
    request = ask((None, None), None, None)

    assert request.part_of_clock(logic_ns, wired_ns) == pytest.approx(taken)


@pytest.mark.parametrize(
    ("clock_ns", "interval_ns", "budget_ns"), [(5.0, 25.0, 2.5), (25.0, 25.0, 9.75)]
)
def test_the_upper_edge_of_the_period_keeps_the_interval(clock_ns, interval_ns, budget_ns):
    times = {"clock_period_ns": clock_ns, "max_interval_ns": interval_ns}
    request = ask((None, None), None, None, target=TARGET.model_copy(update=times))

    assert request.logic_budget_ns == pytest.approx(budget_ns)
    assert request.period_band(request.logic_budget_ns).upper <= interval_ns + 1e-9


def test_multipliers_of_two_variables_become_dsp_slices_or_luts(made):
    report = made[0].report

    assert report.dsp.value + report.lut.value > 0
    assert report.is_within_target
    assert {agreement.n_different for agreement in report.agreements} == {0}


def test_products_in_fabric_take_no_dsp_slices_and_compute_the_same(made, small, tmp_path):
    result, _, events, _ = made
    choices = FirmwareChoices(products="fabric")

    fabric = make(small, tmp_path, events, choices=choices).report

    assert (result.report.dsp.value, fabric.dsp.value) == (2, 0)
    assert fabric.lut.value > result.report.lut.value
    assert {agreement.n_different for agreement in fabric.agreements} == {0}
    assert fabric.choices == choices
    assert fabric.notes[0] == choices.describe()[0]


def test_a_second_call_runs_no_step_and_answers_at_once(made, small):
    result, folder, events, _ = made
    runs = Runs()
    started_s = time.process_time()

    again = make(small, folder, events, run_step=runs, cache_root=folder / "cache")

    assert runs.names == []
    assert time.process_time() - started_s < 2.0
    assert again.is_cached
    assert again.report == result.report
    np.testing.assert_array_equal(np.fromfile(again.scores), np.fromfile(result.scores))
    assert {path.name for path in again.artefacts} == {path.name for path in result.artefacts}


def test_the_same_events_in_another_order_have_the_scores_that_were_kept(made, small):
    result, folder, events, _ = made
    order = np.random.default_rng(1).permutation(len(events))
    runs = Runs()

    again = make(small, folder, events[order], run_step=runs, cache_root=folder / "cache")

    assert runs.names == []
    np.testing.assert_array_equal(np.fromfile(again.scores), np.fromfile(result.scores)[order])


def test_scores_that_are_lost_are_interpreted_again(made, small, tmp_path):
    result, folder, events, _ = made
    shutil.copytree(folder / "cache", tmp_path / "cache")
    lose_scores(tmp_path / "cache")
    runs = Runs()

    for _ in range(2):
        again = make(small, tmp_path, events[::-1], run_step=runs, cache_root=tmp_path / "cache")
        np.testing.assert_array_equal(np.fromfile(again.scores), np.fromfile(result.scores)[::-1])

    assert runs.names == ["firmware-interpret"]


@pytest.mark.parametrize("n_scores", [49, 51])
def test_nothing_is_kept_of_a_backend_that_gives_not_one_score_for_each_event(
    small, tmp_path, n_scores
):
    def build_badly(request):
        result = estimate.build_estimate(request)
        np.arange(float(n_scores)).tofile(result.scores)
        return result

    events = tmp_path / "events.npy"
    np.save(events, plain_events(50, 6))
    (tmp_path / "built").mkdir()

    with pytest.raises(InvalidSubmissionError, match=f"{n_scores * 8} bytes"):
        make_firmware(
            small,
            events,
            tmp_path / "built",
            backend="estimate",
            cache_root=tmp_path / "cache",
            settings=QUICK,
            build=build_badly,
        )

    assert not list((tmp_path / "cache").glob("*/manifest.json"))


@pytest.fixture(scope="module")
def kept(small, tmp_path_factory):
    """How an estimate was made that is in the cache."""
    folder = tmp_path_factory.mktemp("kept")
    given = {"rows": plain_events(50, 6), "backend": "estimate", "cache_root": folder / "cache"}
    make(small, folder, **given)
    return given


def test_what_was_made_is_found_without_scores_and_nothing_is_made_of_the_rest(
    kept, small, tmp_path
):
    runs = Runs()

    def find(n_events: int) -> FirmwareResult | None:
        events = tmp_path / f"{n_events}.npy"
        np.save(events, kept["rows"][:n_events])
        place = tmp_path / f"of {n_events}"
        place.mkdir()
        request = ask(small, events, place, run_step=runs, settings=QUICK)
        return find_made(request, backend="estimate", cache_root=kept["cache_root"])

    found = find(50)

    assert found is not None
    assert found.is_cached
    assert len(np.fromfile(found.scores)) == 50
    assert find(49) is None
    assert runs.names == []


@pytest.mark.parametrize("package", ["numpy", "da4ml"])
def test_scores_that_another_version_of_a_package_computed_are_not_found(
    kept, small, tmp_path, monkeypatch, package
):
    np.save(tmp_path / "events.npy", kept["rows"])
    request = ask(small, tmp_path / "events.npy", tmp_path, settings=QUICK)
    known = synthesise.package_version
    monkeypatch.setattr(
        synthesise, "package_version", lambda name: "0" if name == package else known(name)
    )

    assert find_made(request, backend="estimate", cache_root=kept["cache_root"]) is None


def test_looking_for_firmware_waits_for_nobody_who_makes_it(kept, small, tmp_path):
    np.save(tmp_path / "events.npy", kept["rows"])
    request = ask(small, tmp_path / "events.npy", tmp_path, settings=QUICK)
    keys = {path.stem for path in kept["cache_root"].iterdir()}

    with ThreadPoolExecutor() as pool, ExitStack() as held:
        for key in keys:
            held.enter_context(Cache(kept["cache_root"]).locked(key))
        looking = pool.submit(find_made, request, backend="estimate", cache_root=kept["cache_root"])
        try:
            assert looking.result(timeout=30) is None
        finally:
            held.close()


def test_nobody_waits_for_the_scores_of_firmware_that_was_found(kept, small, tmp_path):
    root = shutil.copytree(kept["cache_root"], tmp_path / "cache")
    lose_scores(root)
    cache = Cache(root)
    held: list[str] = []

    def note_locks(step: Step, folder: Path):
        for key in {path.stem for path in root.iterdir()}:
            with cache.locked_if_free(key) as is_free:
                held.extend([] if is_free else [key])
        return direct_step(step, folder)

    np.save(tmp_path / "events.npy", kept["rows"])
    request = ask(small, tmp_path / "events.npy", tmp_path, run_step=note_locks, settings=QUICK)
    found = find_made(request, backend="estimate", cache_root=root)

    assert found is not None
    # That of the scores, not that of the design.
    assert len(held) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"target": TARGET.model_copy(update={"clock_period_ns": 8.0})},
        {"settings": replace(QUICK, has_dsp=False)},
        {"choices": FirmwareChoices(products="fabric")},
        {"rows": plain_events(60, 6)},
    ],
    ids=["clock", "settings", "choices", "events"],
)
def test_another_clock_setting_or_data_set_is_another_firmware(small, kept, tmp_path, changes):
    runs = Runs()

    again = make(small, tmp_path, **(kept | changes), run_step=runs)

    assert "firmware-trace" in runs.names
    assert not again.is_cached


def test_how_the_work_is_shared_out_and_limited_changes_nothing(small, kept, tmp_path):
    other = replace(QUICK, n_threads=1, synthesis_wall_s=50.0, memory_bytes=10**9)
    assert make(small, tmp_path, **kept, settings=other).is_cached


def test_a_corrupted_entry_is_made_anew(small, tmp_path):
    cache = tmp_path / "cache"
    given = {"rows": plain_events(50, 6), "backend": "estimate", "cache_root": cache}
    first = make(small, tmp_path, **given)
    for path in cache.rglob("program.json.zst"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    again = make(small, tmp_path, **given)

    assert not again.is_cached
    assert again.report == first.report
    assert make(small, tmp_path, **given).is_cached


def test_the_project_is_laid_out_for_its_participant(made, tmp_path):
    export_project(made[0].artefacts, tmp_path / "project")

    names = {path.name for path in (tmp_path / "project").iterdir()}
    assert {"anomaly_score.v", "latency.vcd", "netlist.json", "program.json"} <= names
    with pytest.raises(UsageError, match="not empty"):
        export_project(made[0].artefacts, tmp_path / "project")


def test_a_network_over_the_budget_is_a_result_that_says_by_how_much(tiny, tmp_path):
    target = TARGET.model_copy(update={"budget": Budget(lut=1, dsp=0)})

    report = make(tiny, tmp_path, every_pair(), target=target, backend="estimate").report

    assert isinstance(report, Firmware)
    failed = {
        row.requirement: (row.value, row.limit) for row in report.verdicts if not row.is_passed
    }
    assert failed == {"lut": (3.0, 1.0)}  # three bits in which two operands meet
    assert not report.is_within_target


def test_a_network_that_is_far_too_large_is_said_so_before_any_synthesis(small, tmp_path):
    runs = Runs()
    settings = FirmwareSettings(n_workers=1, max_lut=10, has_hls4ml=False)

    result = make(small, tmp_path, plain_events(100, 6), run_step=runs, settings=settings)

    assert isinstance(result.report, Firmware)
    assert "firmware-synthesis" not in runs.names
    assert result.report.lut.evidence == "estimate"
    assert result.report.lut.value > 10
    assert "not synthesised" in result.report.notes[0]
    assert isinstance(result.report.latency_cycles, NotMeasured)
    assert result.scores is not None


@pytest.mark.parametrize(
    ("backend", "counted", "uncounted"),
    [
        ("estimate", "both", 0),
        ("estimate", "input", 1),
        ("estimate", "output", 1),
        ("rtl", "input", 1),
    ],
)
def test_the_target_says_which_registers_its_latency_counts(
    tiny, tmp_path, backend, counted, uncounted
):
    target = TARGET.model_copy(update={"count_registers": counted})

    report = make(tiny, tmp_path, every_pair(), target=target, backend=backend).report

    # One adder: one stage of logic between an input and an output register.
    assert report.latency_cycles.value == 2 - uncounted
    assert report.latency_ns.value == TARGET.clock_period_ns * (2 - uncounted)
    if backend == "rtl":
        assert sum(stage.cycles for stage in report.stages) == pytest.approx(2 - uncounted)
        assert "the input register, not the output register" in report.latency_cycles.source


def test_an_untranslatable_network_gives_the_reason(tmp_path):
    import keras

    inputs = keras.Input((3,))
    plain = keras.Model(inputs, keras.layers.Dense(1, name="plain")(inputs))

    result = make(export(plain, tmp_path / "net"), tmp_path, plain_events(10, 3))

    assert isinstance(result.report, NotMeasured)
    assert "'plain'" in result.report.not_measured
    assert "QDense" in result.report.not_measured
    assert result.scores is None


@pytest.mark.slow
def test_a_float_network_with_a_precision_is_made(tmp_path):
    import keras

    from harness.submission.declaration import Precision

    keras.utils.set_random_seed(4)
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(2, activation="relu")(inputs)
    plain = keras.Model(inputs, keras.layers.Dense(1, name="plain")(hidden))
    precision = Precision(input="fixed<9,7>", weights="fixed<7,2>", activations="fixed<10,7>")

    result = make(
        export(plain, tmp_path / "net"), tmp_path, plain_events(300, 3), precision=precision
    )

    assert isinstance(result.report, Firmware)
    scores = np.fromfile(result.scores)
    floats = plain.predict(plain_events(300, 3), verbose=0).ravel()
    assert np.corrcoef(scores, floats)[0, 1] > 0.98


@pytest.mark.slow
def test_without_events_the_design_is_made_and_compared_at_the_edges(tiny, tmp_path):
    result = make(tiny, tmp_path, every_pair(), events=None)

    assert result.scores is None
    assert isinstance(result.report, Firmware)
    assert all(agreement.n_events > 2_000 for agreement in result.report.agreements)


@pytest.mark.slow
def test_a_missed_clock_deepens_the_pipeline(small, tmp_path, monkeypatch):
    # The first plan is made for a clock far too slow, and predicts that it keeps the real one; the
    # netlist misses it.
    def write_first(request, translation):
        slow = write_verilog(request, translation, 9.0)
        report = slow.report.model_copy(update={"logic_ns": request.logic_budget_ns})
        return replace(slow, report=report)

    monkeypatch.setattr(build, "write_first", write_first)
    target = TARGET.model_copy(update={"clock_period_ns": 3.0})
    runs = Runs()

    report = make(small, tmp_path, plain_events(500, 6), target=target, run_step=runs).report

    assert runs.names.count("firmware-synthesis") >= 2
    assert runs.names.count("firmware-simulation") == 2
    assert any("deepened" in note for note in report.notes)
    assert isinstance(report.latency_cycles, Figure)


def test_a_plan_that_cuts_in_the_same_places_is_made_shorter_until_it_does_not(monkeypatch):
    plans = {
        9: SimpleNamespace(report=SimpleNamespace(n_stages=8, logic_ns=2.4)),
        2: SimpleNamespace(report=SimpleNamespace(n_stages=9, logic_ns=2.1)),
    }
    asked = []

    def write(_, __, logic_ns):
        asked.append(logic_ns)
        return plans[9 if logic_ns > 2.3 else 2]

    monkeypatch.setattr(closing, "write_verilog", write)
    deeper = closing.deepen(None, None, plans[9], 2.45)
    assert deeper is not None
    planned_ns, verilog = deeper

    assert verilog is plans[2]
    assert planned_ns == asked[-1] <= 2.3
    # One operation takes longer than the clock: no plan is another one.
    monkeypatch.setattr(closing, "write_verilog", lambda *_: plans[9])
    assert closing.deepen(None, None, plans[9], 2.45) is None


def test_no_deeper_pipeline_is_made_for_an_operation_that_is_too_slow_alone(monkeypatch):
    """A product of four DSP slices takes longer than the clock, in whatever stage it is."""
    plan = SimpleNamespace(report=SimpleNamespace(n_stages=16, logic_ns=2.65))
    made = []

    def synthesise(_, __, verilog):
        made.append(verilog)
        return SimpleNamespace(report=SimpleNamespace(logic_ns=2.63, wired_ns=2.6))

    monkeypatch.setattr(closing, "synthesise_verilog", synthesise)
    request = SimpleNamespace(
        logic_budget_ns=2.5,
        part_of_clock=lambda logic_ns, _: logic_ns / 2.5,
        chosen_stages=None,
        progress=print,
        settings=SimpleNamespace(max_attempts=4),
    )

    closed = closing.close_timing(request, None, None, plan)

    assert made == [plan]
    assert closed.n_attempts == 1


def test_a_pipeline_of_a_chosen_latency_stays_as_deep_as_it_is(monkeypatch):
    plan = SimpleNamespace(report=SimpleNamespace(n_stages=3, logic_ns=2.5))
    slow = SimpleNamespace(report=SimpleNamespace(logic_ns=4.0, wired_ns=5.0))
    monkeypatch.setattr(closing, "synthesise_verilog", lambda *_: slow)
    request = SimpleNamespace(
        logic_budget_ns=2.5,
        part_of_clock=lambda logic_ns, _: logic_ns / 2.5,
        chosen_stages=3,
        progress=print,
        settings=QUICK,
    )

    closed = closing.close_timing(request, None, None, plan)

    assert (closed.mapped, closed.n_attempts) == (slow, 1)


@pytest.mark.parametrize(
    ("counted", "given", "said"), [("both", 3, 3), ("output", 3, 3), ("input", 2, 2)]
)
def test_a_latency_is_chosen_as_the_target_counts_it(small, tmp_path, counted, given, said):
    target = TARGET.model_copy(update={"count_registers": counted})
    settings = replace(QUICK, latency_cycles=given)

    report = make(
        small,
        tmp_path,
        plain_events(50, 6),
        target=target,
        settings=settings,
        choices=FirmwareChoices(latency_cycles=9),
        backend="estimate",
    ).report

    assert report.latency_cycles.value == said
    assert report.choices.latency_cycles == given
    assert report.notes[0] == f"chosen: a latency of {given} cycles"


def test_a_latency_below_the_registers_at_the_ends_is_refused(tiny, tmp_path):
    choices = FirmwareChoices(latency_cycles=1)
    with pytest.raises(InvalidSubmissionError, match="at least 2") as caught:
        make(tiny, tmp_path, every_pair(), choices=choices, backend="estimate")
    assert "firmware.latency_cycles" in str(caught.value)


def test_the_depths_of_the_smallest_predicted_latency_are_synthesised(small, tmp_path, monkeypatch):
    np.save(tmp_path / "events.npy", plain_events(50, 6))
    settings = replace(QUICK, max_attempts=3)
    request = ask(small, tmp_path / "events.npy", tmp_path, settings=settings)
    translation = translate(request, has_hls4ml=False)
    asked = []

    def write(_, __, ___, *, n_stages):
        asked.append(n_stages)
        return SimpleNamespace(report=SimpleNamespace(n_stages=n_stages))

    def synthesise(_, __, verilog):
        # Of the third of them the tool does not end in time.
        if len(asked) == 3:
            raise LimitError("too slow")
        report = SimpleNamespace(
            logic_ns=8.0 / asked[-1], wired_ns=16.0 / asked[-1], lut=9, ff=9 * asked[-1], dsp=0
        )
        return SimpleNamespace(verilog=verilog, report=report)

    monkeypatch.setattr(depths, "write_verilog", write)
    monkeypatch.setattr(depths, "synthesise_verilog", synthesise)
    made = SimpleNamespace(
        verilog=SimpleNamespace(report=SimpleNamespace(n_stages=30)),
        report=SimpleNamespace(logic_ns=2.0, wired_ns=4.0, lut=9, ff=200, dsp=0),
    )

    closed = closing.Closed(mapped=made, n_attempts=1)
    tried = depths.try_depths(request, translation, None, closed)

    assert len(asked) == 3
    assert [one.latency_cycles for one in tried] == sorted([asked[0] + 1, asked[1] + 1, 31])
    deepest = tried[-1]
    assert (deepest.clock_period_ns, deepest.latency_ns) == (4.0, 124.0)
    note = depths.smallest_latency_note(request, tried)
    assert f"{min(one.latency_ns for one in tried):.3g} ns by estimate" in note


def test_a_netlist_slower_than_its_plan_is_made_with_a_deeper_pipeline(monkeypatch):
    plans = [SimpleNamespace(report=SimpleNamespace(n_stages=n, logic_ns=2.5)) for n in (16, 17)]
    made = []

    def synthesise(_, __, verilog):
        made.append(verilog)
        logic_ns = 2.63 if len(made) == 1 else 2.4
        return SimpleNamespace(report=SimpleNamespace(logic_ns=logic_ns, wired_ns=2.6))

    monkeypatch.setattr(closing, "synthesise_verilog", synthesise)
    monkeypatch.setattr(closing, "write_verilog", lambda *_: plans[1])
    request = SimpleNamespace(
        logic_budget_ns=2.5,
        part_of_clock=lambda logic_ns, _: logic_ns / 2.5,
        chosen_stages=None,
        progress=print,
        settings=SimpleNamespace(max_attempts=4),
    )

    assert closing.close_timing(request, None, None, plans[0]).n_attempts == 2
    assert made == plans


@pytest.mark.parametrize(
    ("changes", "error", "word"),
    [
        ({"target": TARGET.model_copy(update={"part": "xc7k70t"})}, UsageError, "xc7k70t"),
        ({"backend": "quartus"}, UsageError, "quartus"),
    ],
)
def test_an_unknown_part_or_backend_is_told_before_any_work(tiny, tmp_path, changes, error, word):
    runs = Runs()

    with pytest.raises(error, match=word):
        make(tiny, tmp_path, every_pair(), run_step=runs, **changes)
    assert runs.names == []


def test_a_folder_that_cannot_be_made_is_the_environments_fault(tiny, tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(EnvironmentFaultError, match="cannot be written"):
        make(tiny, tmp_path, every_pair(), build=tmp_path / "file" / "build")


def test_a_synthesis_that_takes_too_long_leaves_estimates_and_the_other_witnesses(tiny, tmp_path):
    settings = FirmwareSettings(n_workers=1, synthesis_wall_s=0.01, has_hls4ml=False)
    events, cache = every_pair(), tmp_path / "cache"

    result = make(tiny, tmp_path, events, settings=settings, cache_root=cache)

    report = result.report
    assert isinstance(report, Firmware)
    assert re.match(r"not synthesised: .*yosys did not end within 0 s; raise", report.notes[0])
    assert not any("simulated" in note for note in report.notes)
    assert {report.lut.evidence, report.latency_cycles.evidence} == {"estimate"}
    assert [agreement.witnesses[1] for agreement in report.agreements] == [KERAS, VERILOG]
    assert np.fromfile(result.scores).tolist() == (events @ [2.0, 1.0]).tolist()
    # Another run may have more time.
    assert not make(tiny, tmp_path / "again", events, settings=settings, cache_root=cache).is_cached


def test_a_network_that_is_too_large_to_translate_is_a_result_with_its_size(
    small, tmp_path, monkeypatch
):
    monkeypatch.setattr(size, "SECONDS", 1e6)
    lines: list[str] = []

    result = make(small, tmp_path, plain_events(100, 6), progress=lines.append)

    report = result.report
    assert isinstance(report, Firmware)
    assert report.lut.evidence == "estimate"
    assert report.lut.value > 10
    assert isinstance(report.latency_ns, NotMeasured)
    assert "not translated: about" in report.notes[0]
    assert "pruning" in report.notes[1]
    assert any("LUTs" in line and "translation takes about" in line for line in lines)
    assert result.scores is None


# --- Mutants -------------------------------------------------------------------------------------


def flip_a_bit(text: str) -> str:
    """Invert the lowest bit of the score."""
    return re.sub(r"(assign model_out\[\d+:0\] = )(\w+\[\d+:0\]);", r"\1\2 ^ 1'b1;", text, count=1)


def flip_a_rare_bit(text: str) -> str:
    """Invert the lowest bit of the score of one event in a thousand or so."""
    return re.sub(
        r"(assign model_out\[\d+:0\] = )(\w+\[\d+:0\]);", r"\1\2 ^ (\2 == 21);", text, count=1
    )


def remove_a_register(text: str) -> str:
    """Let the output register be a wire: the same scores, one cycle early."""
    text = text.replace("output reg [", "output [")
    found = re.search(r"\n\s*model_out <= (stage\d+_out);", text)
    assert found
    text = text.replace(found[0], "")
    return text.replace(
        "    always @(posedge clk)",
        f"    assign model_out = {found[1]};\n    always @(posedge clk)",
    )


def add_a_register(text: str) -> str:
    """Delay the score by one more cycle."""
    found = re.search(r"\n(\s*)model_out <= (stage\d+_out);", text)
    width = re.search(r"output reg \[(\d+):0\] model_out", text)
    assert found
    assert width
    text = text.replace(found[0], f"\n{found[1]}late <= {found[2]};\n{found[1]}model_out <= late;")
    return text.replace(
        "    always @(posedge clk)", f"    reg [{width[1]}:0] late;\n    always @(posedge clk)"
    )


def narrow_an_adder(text: str) -> str:
    """Take the top bit off an adder's result."""
    found = re.search(
        r"(shift_adder #\(\d+, \d+, \d, \d, )(\d+)(, -?\d+, \d\) \w+ \([^;]*?, )(v\d+)\[\d+:0\]\);",
        text,
    )
    assert found
    width = int(found[2]) - 1
    return text.replace(found[0], f"{found[1]}{width}{found[3]}{found[4]}[{width - 1}:0]);")


def take_every_second_event(text: str) -> str:
    """Take a new event in only every other cycle."""
    found = re.search(r"\n(\s*)stage0_inp <= model_inp;", text)
    assert found
    text = text.replace(
        found[0], f"\n{found[1]}odd <= !odd;\n{found[1]}if (!odd) stage0_inp <= model_inp;"
    )
    return text.replace("    always @(posedge clk)", "    reg odd = 0;\n    always @(posedge clk)")


@pytest.fixture(scope="module")
def bench(tiny, tmp_path_factory):
    """The tiny network up to its Verilog: what the simulation and the synthesis are given."""
    folder = tmp_path_factory.mktemp("bench")
    np.save(folder / "events.npy", every_pair())
    request = ask(tiny, folder / "events.npy", folder, settings=QUICK)
    translation = translate(request, has_hls4ml=False)
    scores = interpret_all(request, translation.program)
    verilog = write_verilog(request, translation, 2.5)
    return request, choose_common_events(request, translation, scores), verilog


def mutant(bench, folder: Path, mutate):
    before = bench[2].path.read_text()
    design = folder / "mutant" / "design"
    design.parent.mkdir()
    design.write_text(mutate(before))
    assert design.read_text() != before, "the mutant is no mutant"
    return replace(bench[2], path=design)


@pytest.mark.parametrize(
    ("mutate", "message"),
    [
        (flip_a_rare_bit, "scores differ"),
        (remove_a_register, "comes out 1 cycle after"),
        *(
            pytest.param(*mutant, marks=pytest.mark.slow)
            for mutant in (
                (flip_a_bit, "scores differ|held event"),
                (narrow_an_adder, "scores differ|held event"),
                (add_a_register, "comes out 3 cycles after"),
                (take_every_second_event, "only every 2 cycles|scores differ|held event"),
            )
        ),
    ],
)
def test_a_mutant_of_the_verilog_is_caught_in_the_simulation(bench, tmp_path, mutate, message):
    request, events, _ = bench

    with pytest.raises(IntegrityError, match=message) as caught:
        simulate_verilog(request, events, mutant(bench, tmp_path, mutate))

    assert caught.value.exit_code == ExitCode.INTEGRITY


def close_a_loop(text: str) -> str:
    return text.replace(
        "    always @(posedge clk)",
        "    wire loop_a, loop_b;\n"
        "    assign loop_a = ~(loop_b & model_inp[0]);\n"
        "    assign loop_b = ~(loop_a & model_inp[1]);\n"
        "    always @(posedge clk)",
    ).replace("model_out <= stage0_out;", "model_out <= stage0_out ^ loop_b;")


def give_a_constant(text: str) -> str:
    return re.sub(r"model_out <= stage\d+_out;", "model_out <= 0;", text)


@pytest.mark.parametrize(
    ("mutate", "message"),
    [
        (flip_a_rare_bit, "scores differ between .* and the synthesised netlist"),
        (close_a_loop, "loop"),
        pytest.param(give_a_constant, "no cell|scores differ", marks=pytest.mark.slow),
    ],
)
def test_a_mutant_of_the_verilog_is_caught_in_the_netlist(bench, tmp_path, mutate, message):
    request, events, _ = bench

    with pytest.raises(IntegrityError, match=message):
        synthesise_verilog(request, events, mutant(bench, tmp_path, mutate))


def test_a_mutant_ends_the_whole_flow_with_exit_code_6_and_what_has_not_begun_is_left(
    tiny, tmp_path
):
    names = []
    mutated = changing(flip_a_bit)

    def run(step: Step, folder: Path):
        names.append(step.name)
        return mutated(step, folder)

    with pytest.raises(IntegrityError) as caught:
        make(tiny, tmp_path, every_pair(), run_step=run)

    assert caught.value.exit_code == ExitCode.INTEGRITY == 6
    # One worker: the netlist shows it, and the graph, which would come last, is not asked any more.
    assert "firmware-synthesis" in names
    assert "firmware-reference" not in names


def test_what_was_begun_before_is_not_made_again_and_nothing_else_comes_out(made, small, tmp_path):
    result, _, rows, _ = made
    events = tmp_path / "events.npy"
    np.save(events, rows)
    (tmp_path / "begun").mkdir()
    begun = build.begin(ask(small, events, tmp_path / "begun", settings=QUICK))
    runs = Runs()
    (tmp_path / "built").mkdir()

    again = make_firmware(
        small,
        events,
        tmp_path / "built",
        settings=QUICK,
        build=partial(build.build_rtl, begun=begun),
        run_step=runs,
    )

    assert not {"firmware-trace", "firmware-interpret", "firmware-verilog"} & {*runs.names}
    assert "firmware-synthesis" in runs.names
    np.testing.assert_array_equal(np.fromfile(again.scores), np.fromfile(result.scores))
    assert again.report == result.report
