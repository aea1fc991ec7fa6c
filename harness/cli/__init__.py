"""The command line: parse, call one function, print, exit with a code that says whose fault."""

from __future__ import annotations

import errno
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
from harness.cli.machine import doctor
from harness.cli.output import console, print_error
from harness.cli.simulate import simulate
from harness.cli.submissions import new, score, synth, validate
from harness.errors import (
    EnvironmentFaultError,
    ExitCode,
    HarnessError,
    HarnessFaultError,
    harness_fault,
)

# The shell's own code for a program that Ctrl-C ended.
_INTERRUPTED = 130


def _print_version(context: click.Context, _option: click.Parameter, is_asked: bool) -> None:
    if not is_asked:
        return
    from harness.submission.packages import list_installed

    click.echo(f"harness, version {__version__}")
    click.echo(f"packages that model.py may import: {list_installed()}")
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
    except HarnessError as error:
        return _fail(error)
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (KeyboardInterrupt, click.exceptions.Abort):
        click.echo(
            "interrupted: no score card was written; a broken download goes on where it was cut",
            err=True,
        )
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left (`harness ... | head`): nobody reads a message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, MemoryError) as error:
        return _fail(_environment_fault(error))
    except Exception as error:  # noqa: BLE001 - the outermost edge: such a fault is ours
        return _fail(_fault_of_ours(error))
    return ExitCode.SCORED


def _fault_of_ours(error: Exception) -> HarnessFaultError:
    fault = harness_fault(f"{type(error).__name__}: {error}", where=_last_own_place(error))
    fault.__cause__ = error
    return fault


def _with_traceback(fault: HarnessFaultError) -> HarnessFaultError:
    """Name the file in which the traceback of a fault was kept, if there was room for one."""
    kept = _keep_traceback(fault)
    if kept is None:
        return fault
    first, *others = fault.problems
    return HarnessFaultError(replace(first, fix=f"{first.fix} and the file {kept}"), *others)


def _last_own_place(error: Exception) -> str:
    """Return the last line of harness that `error` went through."""
    import traceback

    root = Path(__file__).parent.parent
    places = [
        f"{Path(frame.filename).relative_to(root.parent)}, line {frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(root)
    ]
    return places[-1] if places else ""


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


def _environment_fault(error: OSError | MemoryError) -> EnvironmentFaultError:
    if isinstance(error, MemoryError):
        what = f"the memory of this machine is not enough: {error}".rstrip(": ")
        return EnvironmentFaultError(what, fix="use a machine with more memory")
    fix = {
        errno.ENOSPC: "make room on the disk and run the command again",
        errno.EROFS: "name a folder that can be written",
        errno.EACCES: "name a folder that you may read and write",
    }.get(error.errno or 0, "")
    return EnvironmentFaultError(
        error.strerror or str(error), where=str(error.filename or ""), fix=fix
    )


def _fail(error: HarnessError) -> int:
    if isinstance(error, HarnessFaultError):
        error = _with_traceback(error)
    print_error(error, console(is_error=True))
    return error.exit_code
