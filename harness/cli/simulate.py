"""Commands on fresh events: simulate, simulate check, simulate manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from harness.cli.options import FILE, FOLDER, json_option, manifest_option, plots_option
from harness.cli.output import print_json, print_result, tell
from harness.errors import IntegrityError, Problem, UsageError

if TYPE_CHECKING:
    from harness.simulate.plan import SimulationPlan


class _RunUnlessNamed(click.Group):
    """A group whose first word may be a process: then the command is `run`."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """Put `run` before a word that is no command of the group."""
        if arguments and not arguments[0].startswith("-") and arguments[0] not in self.commands:
            arguments = ["run", *arguments]
        return super().parse_args(context, arguments)


@click.group(cls=_RunUnlessNamed, subcommand_metavar="PROCESS|COMMAND [OPTIONS]...")
def simulate() -> None:
    """Make fresh events: `harness simulate background --events N --seed S --out FILE`.

    PROCESS is background, a preset (ato4l, lq, h0, hplus, zprime, softbomb, leptonjets, or
    background_a14: the background of another tune) or a file CARD.yaml with Pythia's settings.

    `harness simulate jets` makes constituents of jets, `harness simulate lhco` events as those of
    the LHC Olympics, `harness simulate suep` images of a high-level trigger, `harness simulate
    cmsl1t` another format: Parquet files of level-1 trigger objects.
    """


@simulate.command()
@click.argument("process")
@click.option("--events", "n_events", type=int, required=True, help="Events to accept.")
@click.option("--seed", type=int, required=True, help="The same seed gives the same events.")
@click.option(
    "--jobs", "n_jobs", type=int, default=1, show_default=True, help="Processes at a time."
)
@click.option("--out", type=FILE, required=True, help="HDF5 file.")
@click.option(
    "--library",
    "library_events",
    type=click.IntRange(100, 1_000_000),
    help="Soft events to draw pile-up from, instead of 50,000: for trials.",
)
@json_option
def run(
    process: str,
    n_events: int,
    seed: int,
    n_jobs: int,
    out: Path,
    library_events: int | None,
    as_json: bool,
) -> None:
    """Simulate PROCESS into an HDF5 file; print the entry for a manifest."""
    from harness.simulate.plan import LIBRARY_EVENTS, make_plan
    from harness.simulate.process import read_card

    is_card = Path(process).suffix in {".yaml", ".yml"}
    plan = make_plan(
        read_card(Path(process)) if is_card else process,
        n_events=n_events,
        seed=seed,
        n_library=dict.fromkeys(LIBRARY_EVENTS, library_events)
        if library_events
        else LIBRARY_EVENTS,
    )
    _simulate(plan, out, n_jobs, as_json=as_json)


@simulate.command()
@click.argument("sample")
@click.option("--events", "n_events", type=int, required=True, help="Jets to keep.")
@click.option("--seed", type=int, required=True, help="The same seed gives the same jets.")
@click.option(
    "--jobs", "n_jobs", type=int, default=1, show_default=True, help="Processes at a time."
)
@click.option("--out", type=FILE, required=True, help="HDF5 file.")
@json_option
def jets(sample: str, n_events: int, seed: int, n_jobs: int, out: Path, as_json: bool) -> None:
    """Simulate the constituents of jets into an HDF5 file.

    SAMPLE is toptag_qcd or toptag_top (R 0.8, 550 to 650 GeV); anomaly_qcd, anomaly_top or
    anomaly_gluino (R 1.0, 800 to 900 GeV); or one of anomaly_qcd and anomaly_top with _a14 (another
    tune) or _vincia (another shower) after it.
    """
    from harness.simulate.plan import make_jets_plan

    plan = make_jets_plan(sample, n_events=n_events, seed=seed)
    _simulate(plan, out, n_jobs, as_json=as_json)


@simulate.command()
@click.argument("sample")
@click.option("--events", "n_events", type=int, required=True, help="Events to keep.")
@click.option("--seed", type=int, required=True, help="The same seed gives the same events.")
@click.option(
    "--jobs", "n_jobs", type=int, default=1, show_default=True, help="Processes at a time."
)
@click.option("--out", type=FILE, required=True, help="HDF5 file.")
@json_option
def lhco(sample: str, n_events: int, seed: int, n_jobs: int, out: Path, as_json: bool) -> None:
    """Simulate events as those of the LHC Olympics into an HDF5 file: all of their particles.

    SAMPLE is qcd, wprime (3.5 TeV, two prongs in each jet), threeprong (4.2 TeV, three prongs) or
    qcd_a14 (another tune, for a black box).
    """
    from harness.simulate.plan import make_jets_plan

    plan = make_jets_plan(f"lhco_{sample}", n_events=n_events, seed=seed)
    _simulate(plan, out, n_jobs, as_json=as_json)


def _simulate(plan: SimulationPlan, out: Path, n_jobs: int, *, as_json: bool) -> None:
    """Make what `plan` says, and print what came of it."""
    from harness.cli.progress import progress_bars
    from harness.simulate.manifest import make_manifest, manifest_yaml
    from harness.simulate.presets import BACKGROUND
    from harness.simulate.run import simulate as simulate_events

    with progress_bars() as progress:
        done = simulate_events(plan, out, n_jobs=n_jobs, progress=progress)
    if done.n_resumed:
        tell(f"{done.n_resumed:,} events were there already")
    tell(f"{done.path}: {plan.n_events:,} synthetic events")
    if as_json:
        print_json(done.provenance)
    elif plan.name == BACKGROUND:
        tell(manifest_yaml(make_manifest([done.path]), [done.provenance]).rstrip(), is_error=False)
    elif plan.jets is None:
        tell(f"for its manifest: harness simulate manifest BACKGROUND.h5 {done.path}")


@simulate.command()
@click.option(
    "--events",
    "n_events",
    type=int,
    required=True,
    help="Events of each run; the simulated twin has half as many, a signal a tenth.",
)
@click.option("--seed", type=int, required=True, help="The same seed gives the same events.")
@click.option("--out", type=FOLDER, required=True, help="New folder.")
@click.option(
    "--layout",
    type=click.Choice(("hub", "zenodo")),
    default="hub",
    show_default=True,
    help="hub: a row for each event; zenodo: a folder for each kind of object.",
)
@click.option("--only", default="", help="Data sets, with commas; all of them by default.")
@click.option(
    "--jobs", "n_jobs", type=int, default=1, show_default=True, help="Processes at a time."
)
@click.option(
    "--library",
    "library_events",
    type=click.IntRange(100, 1_000_000),
    help="Soft events to draw pile-up from, instead of 20,000: for trials.",
)
def cmsl1t(
    n_events: int,
    seed: int,
    out: Path,
    layout: Literal["hub", "zenodo"],
    only: str,
    n_jobs: int,
    library_events: int | None,
) -> None:
    """Make a synthetic stand-in of the CMS level-1 data of 2026: Parquet files in OUT."""
    from harness.cli.progress import progress_bars
    from harness.simulate.level1.crossings import LIBRARY_EVENTS
    from harness.simulate.level1.manifest import NAME, is_a_challenge
    from harness.simulate.level1.plan import make_level1_plan
    from harness.simulate.level1.run import MANIFEST_NAME, simulate_level1

    plan = make_level1_plan(
        n_events,
        seed=seed,
        only=[name.strip() for name in only.split(",") if name.strip()],
        n_library=library_events or LIBRARY_EVENTS,
    )
    with progress_bars() as progress:
        made = simulate_level1(plan, out, layout=layout, n_jobs=n_jobs, progress=progress)
    for name, count in plan.n_events.items():
        tell(f"{name}: {count:,} synthetic events", is_error=False)
    if is_a_challenge(plan):
        tell(f"read them: harness fetch {NAME} --manifest {made / MANIFEST_NAME} --from {made}")


@simulate.command()
@click.option(
    "--events",
    "n_events",
    type=int,
    required=True,
    help="Accepted events of QCD; each signal has a quarter as many.",
)
@click.option("--seed", type=int, required=True, help="The same seed gives the same events.")
@click.option("--out", type=FOLDER, required=True, help="New folder.")
@click.option("--only", default="", help="Processes, with commas; all of them by default.")
@click.option(
    "--jobs", "n_jobs", type=int, default=1, show_default=True, help="Processes at a time."
)
@click.option(
    "--library",
    "library_events",
    type=click.IntRange(100, 1_000_000),
    help="Soft events to draw pile-up from, instead of 20,000: for trials.",
)
@json_option
def suep(
    n_events: int,
    seed: int,
    out: Path,
    only: str,
    n_jobs: int,
    library_events: int | None,
    as_json: bool,
) -> None:
    """Make images of QCD and of soft unclustered energy patterns: HDF5 files in OUT."""
    from harness.cli.progress import progress_bars
    from harness.simulate.level1.crossings import LIBRARY_EVENTS
    from harness.simulate.suep.manifest import MANIFEST_NAME, NAME, is_a_challenge
    from harness.simulate.suep.plan import make_suep_plan
    from harness.simulate.suep.run import simulate_suep
    from harness.simulate.suep.view import yields_of, yields_view

    plan = make_suep_plan(
        n_events,
        seed=seed,
        only=[name.strip() for name in only.split(",") if name.strip()],
        n_library=library_events or LIBRARY_EVENTS,
    )
    with progress_bars() as progress:
        made = simulate_suep(plan, out, n_jobs=n_jobs, progress=progress)
    found = yields_of(made)
    print_result(found, yields_view(found), as_json=as_json)
    if is_a_challenge(plan):
        tell(f"read them: harness fetch {NAME} --manifest {out / MANIFEST_NAME} --from {out}")


@simulate.command()
@click.argument("files", nargs=-1, type=FILE)
@click.option("--name", default="simulated", show_default=True, help="Name of the challenge.")
def manifest(files: tuple[Path, ...], name: str) -> None:
    """Print the manifest of FILES, one background and any number of signals."""
    from harness.simulate.manifest import make_manifest, manifest_yaml
    from harness.simulate.provenance import read_provenance

    if not files:
        raise UsageError("no file was named", expected="BACKGROUND.h5 [SIGNAL.h5]...")
    found = make_manifest(files, name=name)
    known = [one for path in files if (one := read_provenance(path)) is not None]
    tell(manifest_yaml(found, known).rstrip(), is_error=False)


@simulate.command()
@click.argument("file", type=FILE)
@click.option(
    "--against",
    "other",
    type=FILE,
    help="Compare with the events of this file: Wasserstein distances of features, FPD and KPD.",
)
@click.option("--challenge", help="With --against: the challenge whose layout both files have.")
@manifest_option
@plots_option
@json_option
def check(
    file: Path,
    other: Path | None,
    challenge: str | None,
    manifests: tuple[Path, ...],
    plots: Path | None,
    as_json: bool,
) -> None:
    """Compare the background in FILE with what is published of the real one, or two files."""
    from harness.cli.progress import progress_bars
    from harness.simulate.check import check_file, write_plots
    from harness.simulate.view import check_view

    if other is not None:
        if plots is not None:
            raise UsageError("--plots draws what is published; --against has no pictures")
        _check_against(file, other, challenge, manifests, as_json=as_json)
        return
    if challenge is not None:
        raise UsageError("--challenge names the layout of files that --against compares")

    with progress_bars() as progress:
        checked = check_file(file, progress=progress)
    print_result(checked, check_view(checked), as_json=as_json)
    if plots is not None:
        for path in write_plots(checked, plots):
            tell(f"picture: {path}")
    if checked.failures:
        raise IntegrityError(
            *(
                Problem(
                    what=f"{one.name} is {one.found:.4g}, {one.ratio:.2f} times the published one",
                    where=str(file),
                    expected=f"{one.published:.4g} within {checked.tolerance:.0%}",
                )
                for one in checked.failures
            )
        )


def _check_against(
    file: Path, other: Path, challenge: str | None, manifests: tuple[Path, ...], *, as_json: bool
) -> None:
    """Compare two files, and print how far they are from each other."""
    from harness.cli.progress import progress_bars
    from harness.data.manifest import load_manifest
    from harness.simulate.against import compare_files
    from harness.simulate.view import compared_view

    layout = None if challenge is None else load_manifest(*manifests).challenge(challenge).layout
    with progress_bars() as progress:
        compared = compare_files(file, other, layout=layout, progress=progress)
    print_result(compared, compared_view(compared), as_json=as_json)
