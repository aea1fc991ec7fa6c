"""`harness simulate` through the command line: the same bytes, whatever happens on the way."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
import yaml
from filelock import FileLock

from harness.cli import cli
from harness.data.manifest import load_manifest
from harness.errors import EnvironmentFaultError, HarnessError, UsageError
from harness.files import writing
from harness.simulate.chunk import make_chunk
from harness.simulate.detector import Detector
from harness.simulate.pileup import Overlay, SoftEvents
from harness.simulate.plan import Chunk, make_plan
from harness.simulate.pool import open_workers
from harness.simulate.presets import NAMED
from harness.simulate.process import Process
from harness.simulate.provenance import read_provenance
from harness.simulate.response import CMS_LIKE
from harness.simulate.run import simulate
from tests.integration.conftest import CommandLine

pytestmark = pytest.mark.whole

pytest.importorskip("pythia8mc")
N_EVENTS = 40
BACKGROUND = ("simulate", "background", "--events", str(N_EVENTS), "--library", "100")


class Runs:
    """Runs `harness` in a process of its own; all runs share one cache, and so one library."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "harness.cli", *map(str, arguments)]

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "HARNESS_CACHE": str(self.folder / "cache")}

    def __call__(
        self,
        *arguments: str | Path,
        before: tuple[str, ...] = (),
        limit: Callable[[], None] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, *self.command(*arguments)],
            env=self.env,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=280,
            preexec_fn=limit,
        )


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Runs:
    return Runs(tmp_path_factory.mktemp("simulate ü"))


@pytest.fixture(scope="module")
def first(runs) -> tuple[Path, str]:
    """A background of a few events, and the manifest that its run printed."""
    out = runs.folder / "first" / "background.h5"
    done = runs(*BACKGROUND, "--seed", "1", "--jobs", "2", "--out", out)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def refusal(*arguments: str | Path) -> HarnessError:
    """Return the error that a command ends with, run in this process."""
    with pytest.raises(HarnessError) as caught:
        cli.main([str(argument) for argument in arguments], standalone_mode=False)
    return caught.value


def test_the_file_is_laid_out_as_the_challenges(first):
    with h5py.File(first[0]) as file:
        assert set(file) == {"Particles", "Particles_Names", "Particles_Classes"}
        particles = file["Particles"]
        assert particles.dtype == np.float64
        assert particles.shape == (N_EVENTS, 19, 4)
        assert particles.compression == "gzip"
        assert not particles.attrs
        assert file["Particles_Names"][()].tolist() == [b"Pt", b"Eta", b"Phi", b"Class"]
        assert file["Particles_Classes"][()].tolist() == [
            b"MET_class_1",
            b"Four_Ele_class_2",
            b"Four_Mu_class_3",
            b"Ten_Jet_class_4",
        ]
        events = particles[()]
    leading = events[:, 1:9, 0].max(axis=1)
    assert (leading > 23).all()
    assert ((events[..., 0] > 0) == (events[..., 3] > 0)).all()
    assert (events[:, 0, 3] == 1).all()
    assert (events[:, 9:, 0][events[:, 9:, 0] > 0] > 15).all()


@pytest.mark.slow
def test_the_bytes_depend_neither_on_the_jobs_nor_on_the_run(runs, first):
    out = runs.folder / "again" / "background.h5"
    done = runs(*BACKGROUND, "--seed", "1", "--jobs", "1", "--out", out)

    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == first[0].read_bytes()


def test_a_run_that_was_killed_goes_on_with_other_jobs_and_gives_the_same_bytes(runs, first):
    out = runs.folder / "killed" / "background.h5"
    arguments = (*BACKGROUND, "--seed", "1", "--out", out, "--jobs")
    run = subprocess.Popen(
        runs.command(*arguments, "2"),
        env=runs.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    parts = out.with_name("background.h5.parts")
    end = time.monotonic() + 250
    while len(list(parts.glob("*.npy.json"))) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    workers = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGKILL)
    run.wait()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert alive == []
    assert not out.exists()

    done = runs(*arguments, "1")

    assert done.returncode == 0, done.stderr
    assert "events were there already" in done.stderr
    assert out.read_bytes() == first[0].read_bytes()
    assert sorted(path.name for path in out.parent.glob("[!.]*")) == [
        "background.h5",
        "background.h5.json",
    ]


def test_the_printed_manifest_is_accepted_and_its_file_fetched(runs, first, tmp_path):
    manifest = tmp_path / "own.yaml"
    manifest.write_text(first[1], encoding="utf-8")
    challenge = load_manifest(manifest).challenge("simulated")
    done = CommandLine(runs.folder).here(
        *("fetch", "simulated", "--manifest", manifest, "--from", first[0].parent, "--json")
    )

    assert challenge.synthetic
    assert challenge.files[0].n_events == N_EVENTS
    assert done.returncode == 0, done.stderr
    assert "efficiency" in first[1]
    assert "pythia8mc" in first[1]


def test_a_manifest_of_background_and_signal_holds_both(first, tmp_path, monkeypatch, runs, capsys):
    monkeypatch.setenv("HARNESS_CACHE", str(runs.folder / "cache"))
    library = {"inelastic": 100, "nondiffractive": 100}
    plan = make_plan("zprime", n_events=5, seed=2, n_library=library)
    signal_file = simulate(plan, tmp_path / "zprime.h5").path
    plan = make_plan("background_a14", n_events=3, seed=2, n_library=library)
    other_tune = simulate(plan, tmp_path / "a14.h5").path
    files = [str(path) for path in (first[0], signal_file, other_tune)]
    cli.main(["simulate", "manifest", *files], standalone_mode=False)
    content = yaml.safe_load(capsys.readouterr().out)

    files = content["challenges"][0]["files"]
    assert [file["role"] for file in files] == ["background", "signal", "variation"]
    assert "no background" in str(refusal("simulate", "manifest", signal_file))


def test_the_file_says_how_it_was_made(first):
    provenance = read_provenance(first[0])
    assert provenance is not None
    beside = first[0].with_name("background.h5.json")

    assert beside.read_text() == provenance.model_dump_json(indent=1) + "\n"
    assert provenance.plan.seed == 1
    assert sum(found.n_events for found in provenance.yields.values()) == N_EVENTS
    assert all(0 < found.efficiency <= 1 for found in provenance.yields.values())
    assert all(found.cross_section_mb > 0 for found in provenance.yields.values())
    assert set(provenance.library_checksums) == {"inelastic", "nondiffractive"}
    assert "pythia8mc" in provenance.versions


def test_a_finished_file_is_left_as_it_is_and_another_run_does_not_touch_it(first, runs):
    before = first[0].stat().st_mtime_ns
    again = CommandLine(runs.folder).here(*BACKGROUND, "--seed", "1", "--out", first[0])
    other = refusal(*BACKGROUND, "--seed", "2", "--out", first[0])

    assert again.returncode == 0, again.stderr
    assert again.stdout == first[1]
    assert isinstance(other, UsageError)
    assert "something else" in str(other)
    assert first[0].stat().st_mtime_ns == before


def test_two_runs_into_one_file_are_kept_apart(tmp_path):
    out = tmp_path / "a.h5"
    with FileLock(tmp_path / ".a.h5.lock"):
        error = refusal(*BACKGROUND, "--seed", "1", "--out", out)

    assert isinstance(error, UsageError)
    assert "another run is writing" in str(error)


def test_parts_of_another_run_are_not_mixed_in(tmp_path):
    out = tmp_path / "a.h5"
    (tmp_path / "a.h5.parts").mkdir()
    (tmp_path / "a.h5.parts" / "plan.json").write_text("{}")

    assert "parts of another run" in str(refusal(*BACKGROUND, "--seed", "1", "--out", out))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--events": "0"}, "at least one"),
        ({"--events": "-5"}, "at least one"),
        ({"--seed": "-1"}, "the seed is -1"),
        ({"--jobs": "0"}, "number of jobs is 0"),
        ({"process": "ttbar"}, "no process 'ttbar'"),
        ({"process": "absent.yaml"}, "absent.yaml"),
    ],
)
def test_arguments_that_make_no_sense_are_told(tmp_path, change, words):
    given = {"--events": "10", "--seed": "1", "--jobs": "1", **change}
    process = given.pop("process", "background")
    options = [word for pair in given.items() for word in pair]
    error = refusal("simulate", process, *options, "--out", tmp_path / "a.h5")

    assert isinstance(error, UsageError)
    assert words in str(error)
    assert not list(tmp_path.glob("*.parts"))


def test_a_trillion_events_are_refused_for_want_of_room(tmp_path):
    arguments = ("simulate", "background", "--events", str(10**12), "--seed", "1")
    error = refusal(*arguments, "--out", tmp_path / "a.h5")

    assert isinstance(error, EnvironmentFaultError)
    assert "are free" in str(error)
    assert "348000" in str(error)


def test_no_room_on_the_disk_is_told_before_anything_is_made(runs, first, tmp_path):
    from harness.sandbox.bubblewrap import find_bwrap

    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ("--dev-bind", "/", "/", "--size", "1000000", "--tmpfs", str(disk))
    done = runs(
        *(*BACKGROUND, "--seed", "1", "--out", disk / "a.h5"), before=(str(find_bwrap()), *mount)
    )

    assert done.returncode == 5
    assert "GB are free" in done.stderr
    assert "Traceback" not in done.stderr


ZPRIME = ("simulate", "zprime", "--events", "30", "--library", "100")


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("what", "limits"),
    [
        pytest.param(BACKGROUND, (3_000, 8_500), id="a part, then densities"),
        pytest.param(ZPRIME, (8_500,), id="the file"),
    ],
)
def test_a_disk_that_fills_up_on_the_way_is_told_and_the_run_goes_on_later(
    runs, first, tmp_path, what, limits
):
    # 3,000 bytes are too few for a part of W events; 8,500 for the densities of one flavour, or for
    # the file.
    out = tmp_path / "events.h5"
    arguments = (*what, "--seed", "1", "--jobs", "2", "--out", out)
    for n_bytes in limits:
        limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
        done = runs(*arguments, limit=limit)
        assert done.returncode == 5, done.stderr
        assert "cannot be written" in done.stderr
        assert "Traceback" not in done.stderr
        assert not out.exists()
        assert list(tmp_path.rglob("*.part")) == []

    assert runs(*arguments).returncode == 0
    if what == BACKGROUND:
        assert out.read_bytes() == first[0].read_bytes()


def test_a_forbidden_setting_stops_before_pythia_starts(tmp_path):
    card = tmp_path / "card.yaml"
    card.write_text("schema: 1\nname: a\ntitle: a\nsettings: ['Init:plugins = {libevil.so}']\n")
    arguments = ("simulate", card, "--events", "1", "--seed", "1", "--out", tmp_path / "a.h5")

    assert "Init:plugins is not allowed" in str(refusal(*arguments))


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pythia8mc", None)
    error = refusal(*BACKGROUND, "--seed", "1", "--out", tmp_path / "a.h5")

    assert isinstance(error, EnvironmentFaultError)
    assert "trigger-harness[simulate]" in str(error)
    assert "pythia8mc" in str(error)


def test_a_worker_that_dies_is_told(tmp_path):
    with pytest.raises(UsageError, match="a worker died"), open_workers(1, tmp_path) as workers:
        workers.submit(os._exit, 3).result()


def test_a_worker_that_is_killed_while_it_writes_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyError, match="other work failed"):
        _break_off_while_writing(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def _break_off_while_writing(folder: Path) -> None:
    with open_workers(1, folder) as workers:
        writer = workers.submit(_write_for_ever, folder)
        while not list(folder.glob("*.part")):
            assert not writer.done()
            time.sleep(0.02)
        raise KeyError("other work failed")


def _write_for_ever(folder: Path) -> None:
    with writing(folder / "background-000000.npy"):
        time.sleep(600)


# --- one chunk, in this process -----------------------------------------------------------------


@pytest.fixture(scope="module")
def detector() -> Detector:
    """A detector under which nothing is laid over the events."""
    empty = SoftEvents(
        starts=np.zeros(2, np.int64),
        pt=np.zeros(0, np.float32),
        eta=np.zeros(0, np.float32),
        phi=np.zeros(0, np.float32),
        kind=np.zeros(0, np.int8),
    )
    return Detector(response=CMS_LIKE, overlay=Overlay(pileup=empty, underlying=empty))


def own(*settings: str) -> Process:
    return Process(name="own", title="own", settings=settings)


def test_a_process_that_nothing_passes_of_stops_after_the_stated_number(detector):
    process = own("HardQCD:gg2gg = on", "PhaseSpace:pTHatMin = 10.", "PhaseSpace:pTHatMax = 12.")
    chunk = Chunk(process="own", number=0, n_events=5)

    with pytest.raises(UsageError, match=r"no event passed .* among 200 generated"):
        make_chunk(process, chunk, 1, detector, max_barren=200)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("25:m0 = 50.",), "cannot start"),
        (("HardQCD:all = on", "PhaseSpace:mHatMin = 20000."), "cannot start"),
        (("HardQCD:nonsense = on",), "does not know 'HardQCD:nonsense = on'"),
    ],
)
def test_settings_with_which_pythia_can_not_start_are_told(detector, settings, words):
    with pytest.raises(UsageError, match=words):
        make_chunk(own(*settings), Chunk(process="own", number=0, n_events=1), 1, detector)


@pytest.mark.parametrize("name", NAMED)
def test_every_preset_gives_events(detector, name):
    events, report = make_chunk(NAMED[name], Chunk(process=name, number=0, n_events=3), 1, detector)

    assert events.shape == (3, 19, 3)
    assert (events[:, 1:9, 0].max(axis=1) > 23).all()
    assert report.n_accepted >= 3
    assert report.cross_section_mb > 0


def test_a_dilepton_resonance_lies_at_its_mass(detector):
    events, _ = make_chunk(
        NAMED["zprime"], Chunk(process="zprime", number=0, n_events=40), 1, detector
    )
    masses = []
    for kind in (slice(1, 3), slice(5, 7)):
        pair = events[(events[:, kind, 0] > 23).all(axis=1)][:, kind].astype(float)
        pt, eta, phi = pair[..., 0], pair[..., 1], pair[..., 2]
        angle = np.cosh(eta[:, 0] - eta[:, 1]) - np.cos(phi[:, 0] - phi[:, 1])
        masses += np.sqrt(2 * pt[:, 0] * pt[:, 1] * angle).tolist()

    assert len(masses) > 10
    assert np.median(masses) == pytest.approx(500, rel=0.1)
