"""A trigger accepts each event of a stream once, whatever interrupts it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.errors import DataError, EnvironmentFaultError, UsageError
from harness.scoring.workers import open_workers
from harness.trigger import accept, folder
from harness.trigger.accept import run_trigger
from harness.trigger.reading import read_all, read_sections
from harness.trigger.records import Steering
from harness.trigger.steering import next_share
from tests.events import make_events
from tests.trigger_streams import met_score, settings, source


def run(out: Path, sources, given=None, **options):
    with folder.held(out):
        return run_trigger(sources, given or settings(), met_score, out, **options)


def content(out: Path):
    state = folder.read_run(out)
    accepted = read_all(out, state)
    sections = read_sections(out, state)
    return accepted, sections


def assert_same(one: Path, other: Path) -> None:
    (first, first_sections), (second, second_sections) = content(one), content(other)
    for name in ("events", "sections", "rows", "scores", "thresholds", "sources"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first_sections.keys() == second_sections.keys()
    for name, values in first_sections.items():
        np.testing.assert_array_equal(values, second_sections[name])


def streams():
    return [source("a.h5", 530), source("b.h5", 270), source("c.h5", 55)]


def test_each_accepted_event_is_there_once_with_its_place(tmp_path):
    done = run(tmp_path, streams(), chunk_events=128)
    accepted, sections = content(tmp_path)

    expected = []
    for each in streams():
        for piece in each.read():
            scores = met_score([piece.events])
            expected += [(each.name, int(row)) for row in piece.rows[scores >= 60.0]]
    assert list(zip(accepted.sources, accepted.rows.tolist(), strict=True)) == expected
    np.testing.assert_array_equal(accepted.events[:, 0, 0], accepted.scores)
    assert sections["n_events"].tolist() == [100] * 8 + [55]
    assert sections["n_accepted"].sum() == done.n_accepted == len(expected) > 20
    assert (
        accepted.sections == np.searchsorted(np.arange(100, 900, 100), _numbers(accepted), "right")
    ).all()
    assert done.is_complete


def _numbers(accepted):
    before = {"a.h5": 0, "b.h5": 530, "c.h5": 800}
    return np.array([before[name] for name in accepted.sources]) + accepted.rows


class Killed(BaseException):
    """Ends a run where a signal would."""


@pytest.mark.parametrize("nth", range(1, 13))
def test_a_run_that_was_killed_at_any_write_goes_on_without_loss_or_double(
    tmp_path, monkeypatch, nth
):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    steered = settings(
        threshold=None,
        steering=Steering(target=0.1, shares=(0.01, 0.5), thresholds=(100.0, 10.0)),
        prescale=2,
    )
    run(whole, streams(), steered, chunk_events=128)
    n_writes = 0

    def counted(write):
        def wrapped(*arguments):
            nonlocal n_writes
            n_writes += 1
            if n_writes == nth:
                raise Killed
            return write(*arguments)

        return wrapped

    with monkeypatch.context() as patched:
        patched.setattr(folder, "_write", counted(folder._write))
        patched.setattr(folder, "write_state", counted(folder.write_state))
        with pytest.raises(Killed):
            run(broken, streams(), steered, chunk_events=128)
    run(broken, streams(), steered, chunk_events=300)

    assert_same(whole, broken)


def test_a_second_run_with_the_same_sources_changes_nothing_and_more_sources_go_on(tmp_path):
    first = run(tmp_path, streams())
    assert run(tmp_path, streams()) == first

    more = run(tmp_path, [*streams(), source("d.h5", 200)])

    assert more.n_events == first.n_events + 200
    assert content(tmp_path)[1]["section"].tolist() == list(range(11))


def test_two_runs_into_one_folder_or_other_settings_are_refused(tmp_path):
    with (
        folder.held(tmp_path),
        pytest.raises(UsageError, match="another run is writing"),
        folder.held(tmp_path),
    ):
        pass
    run(tmp_path, streams())
    with pytest.raises(UsageError, match="another threshold"):
        run(tmp_path, streams(), settings(threshold=61.0))
    with pytest.raises(UsageError, match=r"source 1 is b\.h5"):
        run(tmp_path, streams()[1:])
    with pytest.raises(UsageError, match=r"c\.h5 is not named"):
        run(tmp_path, streams()[:2])


def test_sections_of_the_data_are_kept_and_gaps_are_named(tmp_path):
    given = settings(section_events=None, section_column="lumi_section")
    numbers = np.repeat([7, 8, 11], 40)

    done = run(tmp_path, [source("a.h5", 120, sections=numbers)], given)

    assert content(tmp_path)[1]["section"].tolist() == [7, 8, 11]
    assert done.gaps == ((9, 10),)
    assert "sections 9 to 10" in done.warnings[0]


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ([5, 5, 4], "section 4 comes after section 5"),
        ([5, 6, 0], "section 0 comes after section 6"),
    ],
)
def test_a_clock_that_goes_back_is_refused(tmp_path, sections, message):
    given = settings(section_events=None, section_column="lumi_section")
    with pytest.raises(DataError, match=message):
        run(tmp_path, [source("a.h5", 90, sections=np.repeat(sections, 30))], given)


def test_files_out_of_order_are_refused(tmp_path):
    given = settings(section_events=None, section_column="lumi_section")
    late = source("a.h5", 90, sections=np.full(90, 9))
    early = source("b.h5", 90, sections=np.full(90, 3))
    with pytest.raises(DataError, match="section 3 comes after section 9"):
        run(tmp_path, [late, early], given)
    with pytest.raises(DataError, match="no lumi_section"):
        run(tmp_path / "other", [late, source("c.h5", 10)], given)


def test_a_threshold_that_passes_all_or_none_is_said(tmp_path):
    none = run(tmp_path / "none", streams(), settings(threshold=1e9))
    every = run(tmp_path / "all", streams(), settings(threshold=0.0))

    assert "passes no event" in none.warnings[0]
    assert "passes every event" in every.warnings[0]


def test_one_of_so_many_accepted_events_is_kept_over_all_sections(tmp_path):
    every = run(tmp_path / "all", streams())
    some = run(tmp_path / "some", streams(), settings(prescale=7))

    assert some.n_accepted == every.n_accepted
    np.testing.assert_array_equal(
        content(tmp_path / "some")[0].scores, content(tmp_path / "all")[0].scores[::7]
    )


def test_the_controller_brings_the_rate_to_its_target_and_stays_in_its_bounds():
    """A stream whose true share at the card's threshold is three times that of the card."""
    steering = Steering(target=0.01, shares=(1e-3, 1e-1), thresholds=(10.0, 1.0))
    generator = np.random.default_rng(1)
    asked, shares = 0.01, []
    for _ in range(200):
        n_accepted = generator.binomial(10_000, min(3 * asked, 1.0))
        shares.append(n_accepted / 10_000)
        asked = next_share(asked, steering, n_accepted, 10_000)

    assert shares[0] > 0.025
    assert np.mean(shares[20:]) == pytest.approx(0.01, rel=0.05)
    for _ in range(50):
        asked = next_share(asked, steering, 10_000, 10_000)
    assert asked == steering.low
    # It does not wind up: one step leaves the bound.
    assert next_share(asked, steering, 0, 10_000) > steering.low


def test_a_disk_that_is_full_keeps_what_was_written(tmp_path, monkeypatch):
    real, n_writes = folder._write, 0

    def full(path, table):
        nonlocal n_writes
        n_writes += 1
        if n_writes > 4:
            path = Path("/dev/full") / path.name
        real(path, table)

    with monkeypatch.context() as patched:
        patched.setattr(folder, "_write", full)
        with pytest.raises(Exception, match="cannot be written"):
            run(tmp_path, streams(), chunk_events=128)
    assert len(read_all(tmp_path, folder.read_run(tmp_path))) > 0
    run(tmp_path, streams(), chunk_events=128)
    run(tmp_path / "whole", streams())
    assert_same(tmp_path, tmp_path / "whole")


def test_a_file_that_was_removed_is_missed(tmp_path):
    run(tmp_path, streams(), chunk_events=128)
    next((tmp_path / folder.ACCEPTED).glob("*.parquet")).unlink()
    with pytest.raises(DataError, match="accepted events"):
        content(tmp_path)


KILLED = """
import sys, time
from pathlib import Path
from harness.trigger import folder
from harness.trigger.accept import run_trigger
from tests.trigger_streams import met_score, settings, source
def score(parts):
    time.sleep(0.002)
    return met_score(parts)
out = Path(sys.argv[1])
with folder.held(out):
    print("begun", flush=True)
    run_trigger([source("a.h5", 40_000), source("b.h5", 20_000)], settings(), score, out,
                chunk_events=500)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_9_at_fifty_moments_loses_and_doubles_nothing(tmp_path):
    generator = np.random.default_rng(5)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed")]
    n_killed = 0
    for _ in range(50):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(generator.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.stdout.close()
        n_killed += process.wait() == -signal.SIGKILL
    subprocess.run(command, check=True, capture_output=True)
    whole = [source("a.h5", 40_000), source("b.h5", 20_000)]
    run(tmp_path / "whole", whole)

    assert n_killed > 40
    assert_same(tmp_path / "killed", tmp_path / "whole")


def test_an_event_that_fails_the_preselection_counts_and_is_never_accepted(tmp_path):
    plain = source("a.h5", 200)

    def read():
        for piece in plain.read():
            yield replace(piece, is_selected=piece.rows % 2 == 0)

    done = run(tmp_path, [replace(plain, read=read)], settings(threshold=0.0))

    assert (done.n_events, done.n_accepted) == (200, 100)
    assert (content(tmp_path)[0].rows % 2 == 0).all()


def test_constants_fit_each_other():
    assert accept.CHUNK_EVENTS * make_events(1).nbytes <= 128 * 1024**2


# --- several chunks at the same time --------------------------------------------------------------


def files_of(out) -> dict[str, bytes]:
    paths = (path for path in out.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(paths)}


def late_score(parts) -> np.ndarray:
    """Score as `met_score` does; the first chunks come last."""
    time.sleep(0.05 if np.asarray(parts[0])[0, 0, 0] > 25.0 else 0.0)
    return met_score(parts)


def into(out, sources, *, workers=None, score=met_score, **changes):
    with folder.held(out):
        return run_trigger(
            sources, settings(**changes), score, out, chunk_events=90, workers=workers
        )


@pytest.mark.parametrize("jobs", [2, 5])
def test_chunks_that_are_scored_at_the_same_time_give_the_same_bytes(tmp_path, jobs):
    sources = [source("a.h5", 530), source("b.h5", 340), source("c.h5", 20)]
    steering = Steering(target=0.1, shares=(0.01, 0.5), thresholds=(90.0, 10.0))
    changes = {"threshold": None, "steering": steering, "prescale": 3}

    into(tmp_path / "one", sources, **changes)
    with open_workers(jobs, None) as workers:
        into(tmp_path / "part", sources[:1], workers=workers, **changes)
        into(tmp_path / "many", sources, workers=workers, score=late_score, **changes)
        into(tmp_path / "part", sources, workers=workers, **changes)
    into(tmp_path / "one_part", sources[:1], **changes)
    into(tmp_path / "one_part", sources, **changes)

    assert len(files_of(tmp_path / "one")) > 10
    assert files_of(tmp_path / "many") == files_of(tmp_path / "one")
    assert files_of(tmp_path / "part") == files_of(tmp_path / "one_part")


def test_what_came_before_a_fault_is_kept_whoever_scored_it(tmp_path):
    bad = source("b.h5", make_events(10), sections=[0] * 10)
    given = {"section_events": None, "section_column": "lumi_section"}
    sources = [source("a.h5", make_events(530), sections=list(np.arange(530) // 50)), bad]
    with pytest.raises(DataError, match="comes after section 10"):
        into(tmp_path / "one", sources, **given)
    with open_workers(3, None) as workers, pytest.raises(DataError, match="comes after section 10"):
        into(tmp_path / "many", sources, workers=workers, **given)
    assert folder.read_run(tmp_path / "one").n_events > 400
    assert files_of(tmp_path / "many") == files_of(tmp_path / "one")


def test_a_chunk_that_could_not_be_scored_is_not_passed_over(tmp_path):
    sources = [source("a.h5", 530), source("b.h5", 340)]
    into(tmp_path / "one", sources)
    scored = []

    def failing(parts):
        scored.append(sum(map(len, parts)))
        if len(scored) == 2:
            raise DataError("the sandbox was killed")
        time.sleep(0.05)
        return met_score(parts)

    with open_workers(4, None) as workers, pytest.raises(DataError, match="was killed"):
        into(tmp_path / "many", sources, workers=workers, score=failing)
    n_kept = folder.read_run(tmp_path / "many").n_events
    assert n_kept <= scored[0]
    with open_workers(4, None) as workers:
        into(tmp_path / "many", sources, workers=workers)
    assert_same(tmp_path / "many", tmp_path / "one")


@pytest.mark.parametrize("kind", ["KilledWorker", "FutureCancelledError"])
def test_a_worker_of_a_cluster_that_is_lost_is_a_fault_of_the_machines(tmp_path, kind):
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    errors = {
        "KilledWorker": KilledWorker("score", None, 3),
        "FutureCancelledError": FutureCancelledError("score", "lost"),
    }

    def lost(parts):
        raise errors[kind]

    with open_workers(2, None) as workers, pytest.raises(EnvironmentFaultError, match=kind):
        into(tmp_path / "many", [source("a.h5", 530)], workers=workers, score=lost)


def test_the_workers_of_a_cluster_give_the_same_bytes(tmp_path):
    from distributed import LocalCluster

    sources = [source("a.h5", 530), source("b.h5", 340)]
    into(tmp_path / "one", sources)
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        open_workers(1, cluster.scheduler_address) as workers,
    ):
        into(tmp_path / "many", sources, workers=workers, score=late_score)
    assert files_of(tmp_path / "many") == files_of(tmp_path / "one")
