"""The command line: parse, call one function, print, exit with a code that tells whose fault."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness import __version__
from harness.errors import EnvironmentFaultError, ExitCode, HarnessError, Problem, UsageError

if TYPE_CHECKING:
    from rich.console import Console

# The shell's own code for a program that Ctrl-C ended.
_INTERRUPTED = 130

_challenge_option = click.option(
    "--challenge", default="sample", show_default=True, help="Data set to score on."
)
_manifest_option = click.option(
    "--manifest",
    "manifests",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A data manifest of your own, beside the shipped one; may be given again.",
)
_results_option = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder of the score cards.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_folder_argument = click.argument("folder", type=click.Path(path_type=Path))
_card_argument = click.argument("card", type=click.Path(path_type=Path, dir_okay=False))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Benchmark of real-time anomaly detection at the LHC.

    Exit codes: 0 done, 1 the submission failed, 2 usage, 3 invalid submission or output, 4 a limit
    of time or memory, 5 this machine or its data, 6 an integrity check failed.
    """


def main() -> None:
    """Run the command line; no failure ends in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without UTF-8 shows a replacement instead of ending the program.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    sys.exit(_run(lambda: cli.main(standalone_mode=False)))


def _run(command: Callable[[], object]) -> int:
    """Run `command` and turn every way in which it can end into an exit code."""
    try:
        command()
    except HarnessError as error:
        return _fail(error)
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (KeyboardInterrupt, click.exceptions.Abort):
        click.echo("interrupted; nothing half-made was kept", err=True)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left (`harness ... | head`): there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _fail(_environment_fault(error))
    except Exception as error:  # noqa: BLE001 - the outermost edge: a fault of ours is told as one
        return _fail(_fault_of_ours(error))
    return ExitCode.SCORED


def _fault_of_ours(error: Exception) -> EnvironmentFaultError:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", prefix="harness-fault-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write("".join(traceback.format_exception(error)))
    return EnvironmentFaultError(
        Problem(
            what=f"a fault of harness itself: {type(error).__name__}: {error}",
            where=file.name,
            fix="report it with that file; no score card was written",
        )
    )


def _environment_fault(error: OSError) -> EnvironmentFaultError:
    fix = {
        errno.ENOSPC: "make room on the disk and run the command again",
        errno.EROFS: "name a folder that can be written",
        errno.EACCES: "name a folder that you may read and write",
    }.get(error.errno or 0, "")
    return EnvironmentFaultError(
        Problem(what=error.strerror or str(error), where=str(error.filename or ""), fix=fix)
    )


def _fail(error: HarnessError) -> int:
    from harness.terminal import print_error

    print_error(error, _console(is_error=True))
    return error.exit_code


def _console(*, is_error: bool = False) -> Console:
    from rich.console import Console

    console = Console(stderr=is_error, highlight=False)
    # A card is a table: a pipe or a log file has no width of its own.
    return console if console.is_terminal else Console(stderr=is_error, highlight=False, width=120)


def _progress() -> Callable[[str], None]:
    """Return a function that prints one line of progress to standard error."""
    return lambda line: click.echo(line, err=True)


@cli.command()
@_folder_argument
@_challenge_option
@_manifest_option
@_results_option
@click.option("--quick", is_flag=True, help="A subset, no firmware: for trying, unofficial.")
@click.option("--no-firmware", is_flag=True, help="Leave the firmware out: unofficial.")
@click.option("--unsafe", is_flag=True, help="Run without a sandbox: your own code only.")
@_json_option
def score(
    folder: Path,
    challenge: str,
    manifests: tuple[Path, ...],
    results: Path,
    quick: bool,  # noqa: FBT001 - the flag of the command line
    no_firmware: bool,  # noqa: FBT001
    unsafe: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Score the submission in FOLDER and write its score card."""
    from harness.pipeline import score_submission

    scored = score_submission(
        folder,
        challenge=challenge,
        manifests=manifests,
        results=results,
        is_quick=quick,
        has_firmware=not (quick or no_firmware),
        isolation="none" if unsafe else "bwrap",
        progress=_progress(),
    )
    _print_card(scored.card, as_json=as_json)
    if scored.path is not None:
        click.echo(f"score card: {scored.path}", err=True)


@cli.command()
@_card_argument
@_json_option
def show(card: Path, as_json: bool) -> None:  # noqa: FBT001
    """Print a score CARD."""
    from harness.cards import read_card

    _print_card(read_card(card), as_json=as_json)


def _print_card(card: object, *, as_json: bool) -> None:
    from harness.records import ScoreCard
    from harness.terminal import card_view

    if not isinstance(card, ScoreCard):
        raise UsageError(f"{card!r} is not a score card")
    if as_json:
        click.echo(card.model_dump_json(indent=1))
    else:
        _console().print(card_view(card))


if __name__ == "__main__":
    main()
