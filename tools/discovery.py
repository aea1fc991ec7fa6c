"""Measure how many events of a signal ranked entries of the sample need for 3 sigma, global.

python -m tools.discovery events FOLDER [--jobs J]        fresh background: hours; goes on
python -m tools.discovery round FOLDER                    the events at the sample's precision
python -m tools.discovery run FOLDER TEAM... [--vary V]   trigger, clusters, trials; goes on

`events` makes background of the recipe of the sample with another seed, and background of another
tune. `round` rounds those that are there, and have not been rounded yet. `run` makes the program of
each entry's firmware, runs it as a trigger on the test part of the sample, on all signals and on
the fresh events, and writes results/sample/reach/TEAM.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.data import hdf5_writer
from harness.data.manifest import load_manifest
from harness.data.sample_coding import dequantise, quantise
from harness.simulate.provenance import ATTRIBUTE, read_provenance
from tools.make_sample import read_chunks
from tools.pages import ROOT
from tools.sample_recipe import Run, simulate_runs

CHALLENGE = "sample"
EXPECTED = Run(process="background", file_name="background.h5", n_events=1_090_000, seed=20264)
OTHER_TUNE = Run(
    process="background_a14", file_name="background_a14.h5", n_events=545_000, seed=20265
)
OTHER_TITLE = "background of tune A14"


def make_events(folder: Path, n_jobs: int) -> None:
    """Make the fresh events in `folder`; finished files are left as they are."""
    simulate_runs((EXPECTED, OTHER_TUNE), folder, n_jobs)


def round_events(folder: Path) -> None:
    """Round fresh events that are there; those of the other tune may come later."""
    if not (folder / EXPECTED.file_name).exists():
        sys.exit(f"{folder / EXPECTED.file_name} is not there yet: make fresh-events")
    for run in (EXPECTED, OTHER_TUNE):
        if (folder / run.file_name).exists() and not rounded_path(folder, run).exists():
            write_rounded(folder / run.file_name, rounded_path(folder, run), run.n_events)


def rounded_path(folder: Path, run: Run) -> Path:
    """Return the file of events at the precision of the sample."""
    return folder / "rounded" / run.file_name


def write_rounded(source: Path, target: Path, n_events: int) -> None:
    """Round events as those of the sample are: steps of 1/4 GeV and of 1/128."""
    provenance = read_provenance(source)
    hdf5_writer.write_events(
        target,
        load_manifest().challenge(CHALLENGE).layout,
        (dequantise(quantise(events)) for events in read_chunks(source)),
        n_events=n_events,
        attributes={ATTRIBUTE: provenance.model_dump_json()} if provenance else {},
    )


def measure(folder: Path, team: str, variations: Sequence[str], options: Sequence[str]) -> None:
    """Measure one entry; what was done before is not done again."""
    program = folder / "programs" / team / "program.json"
    if not program.exists():
        harness("synth", f"submissions/{team}", "--quick", "--export", program.parent)
    for name, source, variation in streams(folder, variations):
        vary = ("--vary", variation) if variation else ()
        harness("trigger", team, source, "--program", program, *vary,
                "--challenge", CHALLENGE, "--out", folder / "accepted" / team / name)  # fmt: skip
    harness(*reach_words(folder / "accepted" / team, variations), *options)


def streams(folder: Path, variations: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Give what the trigger runs on: the name of a folder, the events, how they are varied."""
    data, expected = f"{CHALLENGE}:background", str(rounded_path(folder, EXPECTED))
    yield "data", data, ""
    yield "expected", expected, ""
    if rounded_path(folder, OTHER_TUNE).exists():
        yield "other_tune", str(rounded_path(folder, OTHER_TUNE)), ""
    for signal in signals():
        yield signal, f"{CHALLENGE}:{signal}", ""
    for variation in variations:
        yield f"data-{variation}", data, variation
        yield f"expected-{variation}", expected, variation


def signals() -> list[str]:
    """Return the signals of the sample."""
    files = load_manifest().challenge(CHALLENGE).files
    return [file.process for file in files if file.role == "signal"]


def reach_words(accepted: Path, variations: Sequence[str]) -> list[str | Path]:
    """Return the words of `harness reach` for the folders of one entry."""
    words: list[str | Path] = ["reach", accepted / "data", "--expected", accepted / "expected"]
    for signal in signals():
        words += ["--signal", f"{signal}={accepted / signal}"]
    if (accepted / "other_tune").exists():
        words += ["--other", f"{OTHER_TITLE}={accepted / 'other_tune'}"]
    for name in variations:
        words += ["--varied", name, accepted / f"data-{name}", accepted / f"expected-{name}"]
    return words


def harness(*words: str | Path) -> None:
    """Run a command of harness; its messages go to the terminal."""
    command = [sys.executable, "-m", "harness", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("events")
    making.add_argument("folder", type=Path)
    making.add_argument("--jobs", type=int, default=2)
    rounding = commands.add_parser("round")
    rounding.add_argument("folder", type=Path)
    running = commands.add_parser("run")
    running.add_argument("folder", type=Path)
    running.add_argument("teams", nargs="+")
    running.add_argument("--vary", nargs="*", default=[])
    running.add_argument("--results", type=Path, default=ROOT / "results")
    running.add_argument("--trials", type=int, default=150)
    running.add_argument("--null-trials", type=int, default=200)
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    if arguments.command == "events":
        make_events(folder, arguments.jobs)
    if arguments.command == "round":
        round_events(folder)
    for team in getattr(arguments, "teams", ()):
        measure(folder, team, arguments.vary, _options(arguments))


def _options(arguments: argparse.Namespace) -> list[str]:
    trials = ("--trials", arguments.trials, "--null-trials", arguments.null_trials)
    return list(map(str, (*trials, "--results", arguments.results.absolute())))


if __name__ == "__main__":
    main()
