"""The command line: parse, call one function, print, exit with a code that says whose fault."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from harness import __version__
from harness.cli.blackbox import blackbox, export, import_, reveal
from harness.cli.board import leaderboard
from harness.cli.cards import rescore, show, verify
from harness.cli.ci import ci
from harness.cli.data import data, fetch
from harness.cli.hackathon import new_hackathon
from harness.cli.machine import doctor
from harness.cli.new import new
from harness.cli.output import console, print_error, tell
from harness.cli.scores import compare, evaluate
from harness.cli.simulate import simulate
from harness.cli.submissions import score, synth, validate
from harness.cli.trigger import cluster, reach, trigger, watch
from harness.errors import ExitCode, HarnessError, HarnessFaultError, as_harness_error

# The shell's own code for a program that Ctrl-C ended.
_INTERRUPTED = 130


def _print_version(context: click.Context, _option: click.Parameter, is_asked: bool) -> None:
    if not is_asked:
        return
    from harness.submission.packages import list_installed

    tell(f"harness, version {__version__}", is_error=False)
    tell(f"packages that model.py may import: {list_installed()}", is_error=False)
    context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version, and the packages that model.py may import.",
)
def cli() -> None:
    """Benchmark of real-time anomaly detection at the LHC.

    Exit codes: 0 done, 1 the submission failed, 2 usage, 3 invalid submission or output, 4 a limit
    of time or memory, 5 this machine or its data, 6 an integrity check failed, 7 a fault of harness
    itself.
    """


for _command in (
    new,
    validate,
    score,
    synth,
    evaluate,
    compare,
    show,
    rescore,
    verify,
    leaderboard,
    fetch,
    data,
    doctor,
    ci,
    blackbox,
    import_,
    export,
    reveal,
    simulate,
    new_hackathon,
    trigger,
    cluster,
    watch,
    reach,
):
    cli.add_command(_command)


def main() -> None:
    """Run the command line; no failure ends in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without UTF-8 shows a replacement instead of ending the program.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    code = _run(lambda: cli.main(standalone_mode=False))
    # What was asked for has ended: a late Ctrl-C must not say otherwise while Python winds up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


def _run(command: Callable[[], object]) -> int:
    """Run `command` and turn every way in which it can end into an exit code."""
    try:
        command()
    except click.ClickException as error:
        # It repeats what was typed, such as the names of files that others made.
        shown = io.StringIO()
        error.show(shown)
        tell(shown.getvalue().rstrip("\n"))
        return ExitCode.USAGE
    except (KeyboardInterrupt, click.exceptions.Abort):
        tell("interrupted: no score card was written; a broken download goes on where it was cut")
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left (`harness ... | head`): nobody reads a message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:  # noqa: BLE001 - the outermost edge
        return _fail(as_harness_error(error))
    return ExitCode.SCORED


def _with_traceback(fault: HarnessFaultError) -> HarnessFaultError:
    """Name the file in which the traceback of a fault was kept, if there was room for one."""
    kept = _keep_traceback(fault)
    if kept is None:
        return fault
    first, *others = fault.problems
    return HarnessFaultError(replace(first, fix=f"{first.fix} and the file {kept}"), *others)


def _keep_traceback(error: Exception) -> Path | None:
    """Write the traceback to a file for the report; None if there is no room for one."""
    import tempfile
    import traceback

    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="harness-fault-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError:
        return None
    return Path(file.name)


def _fail(error: HarnessError) -> int:
    if isinstance(error, HarnessFaultError):
        error = _with_traceback(error)
    print_error(error, console(is_error=True))
    return error.exit_code
