"""Commands on black boxes, result files and hidden signals: blackbox, import, export, reveal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import json_option, manifest_option, results_option
from harness.cli.output import console, print_json
from harness.errors import InvalidSubmissionError, Problem, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.blackbox.seal import Secret

_passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File whose first line is the passphrase; without it you are asked.",
)
_key_file_option = click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of a random key, instead of a passphrase; `make` writes it if it is not there.",
)
_unsafe_option = click.option(
    "--unsafe", is_flag=True, help="Read the result without a sandbox: your own file only."
)


@click.group()
def blackbox() -> None:
    """Make black boxes and score their results: for the organiser."""


@blackbox.command()
@click.argument("challenge")
@manifest_option
@click.option(
    "--signal",
    "shares",
    multiple=True,
    required=True,
    metavar="NAME=SHARE",
    help="A signal, and the share of the box that it is to be; may be given again.",
)
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="NAME=FILE.h5",
    help="File of the events of a signal, or of `background`; else the challenge's test events.",
)
@click.option("--events", "n_events", type=int, help="Events of the box; else as many as can be.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option(
    "--key",
    "key_path",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Where the sealed key is written.",
)
@_passphrase_option
@_key_file_option
@json_option
def make(
    challenge: str,
    manifests: tuple[Path, ...],
    shares: tuple[str, ...],
    sources: tuple[str, ...],
    n_events: int | None,
    out: Path,
    key_path: Path,
    passphrase_file: Path | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Mix background and hidden signals into a black box of CHALLENGE; seal what is what."""
    from harness.blackbox.workflow import make_blackbox
    from harness.cli.progress import progress_bars
    from harness.cli.terminal import box_view

    fractions = {name: _share(name, text) for name, text in _pairs(shares, "--signal").items()}
    secret = _secret(passphrase_file, key_file, is_new=True)
    with progress_bars() as progress:
        sealed = make_blackbox(
            challenge,
            fractions,
            out=out,
            key_path=key_path,
            secret=secret,
            n_events=n_events,
            files={name: Path(path) for name, path in _pairs(sources, "--from").items()},
            manifests=manifests,
            progress=progress,
        )
    if as_json:
        click.echo(sealed.key.model_dump_json(indent=1, exclude={"signals"}))
    else:
        console().print(box_view(sealed))
    for warning in sealed.box.warnings:
        click.echo(f"warning: {warning}", err=True)


@blackbox.command("score")
@click.argument("result", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--key",
    "key_path",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The sealed key of the black box.",
)
@_passphrase_option
@_key_file_option
@_unsafe_option
@json_option
def score_box(
    result: Path,
    key_path: Path,
    passphrase_file: Path | None,
    key_file: Path | None,
    unsafe: bool,
    as_json: bool,
) -> None:
    """Count the true signals among the events that RESULT names."""
    from harness.blackbox.seal import kind_of_secret
    from harness.blackbox.workflow import score_blackbox
    from harness.cli.terminal import box_score_view

    if passphrase_file is None and key_file is None and kind_of_secret(key_path) == "key file":
        raise UsageError(
            Problem(
                what="this key is opened by a key file", where=str(key_path), fix="give --key-file"
            )
        )
    scored = score_blackbox(
        result,
        key_path=key_path,
        secret=_secret(passphrase_file, key_file, is_new=False),
        isolation="none" if unsafe else "bwrap",
    )
    if as_json:
        click.echo(scored.model_dump_json(indent=1))
    else:
        console().print(box_score_view(scored))


@click.command("import")
@click.argument("result", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--challenge", default="adc2021", show_default=True, help="Whose black box it answers."
)
@manifest_option
@click.option(
    "--blackbox",
    "box_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The black box, where it is not the challenge's own.",
)
@_unsafe_option
@json_option
def import_(
    result: Path,
    challenge: str,
    manifests: tuple[Path, ...],
    box_path: Path | None,
    unsafe: bool,
    as_json: bool,
) -> None:
    """Read a RESULT file of the ADC2021 challenge, and say everything that is wrong with it."""
    from harness.blackbox.workflow import import_result
    from harness.cli.terminal import import_view

    found = import_result(
        result,
        challenge=challenge,
        blackbox=box_path,
        manifests=manifests,
        isolation="none" if unsafe else "bwrap",
    )
    if as_json:
        print_json(found.as_dict())
    else:
        console().print(import_view(found))
    if found.verdict.faults:
        raise InvalidSubmissionError(*found.verdict.faults)


@click.command("export")
@click.argument("source", metavar="CARD|SUBMISSION", type=click.Path(path_type=Path, exists=True))
@click.option("--adc2021", "is_adc2021", is_flag=True, required=True, help="In this form.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--challenge", help="Whose black box; else the card's challenge, or adc2021.")
@manifest_option
@click.option(
    "--blackbox",
    "box_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The black box, where it is not the challenge's own.",
)
@results_option
@click.option(
    "--submissions",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("submissions"),
    show_default=True,
    help="Where the submission of a card lies.",
)
@click.option("--unsafe", is_flag=True, help="Run without a sandbox: your own code only.")
@json_option
def export(
    source: Path,
    is_adc2021: bool,
    out: Path,
    challenge: str | None,
    manifests: tuple[Path, ...],
    box_path: Path | None,
    results: Path,
    submissions: Path,
    unsafe: bool,
    as_json: bool,
) -> None:
    """Score the black box with a submission; write the challenge's result file."""
    from harness.blackbox.answer import export_answer
    from harness.cli.output import as_dict, progress
    from harness.cli.terminal import answer_view

    del is_adc2021  # There is no other form; that it has to be asked for keeps room for one.
    answer = export_answer(
        source,
        out,
        challenge=challenge,
        blackbox=box_path,
        manifests=manifests,
        results=results,
        submissions=submissions,
        isolation="none" if unsafe else "bwrap",
        progress=progress(),
    )
    if as_json:
        print_json(as_dict(answer))
    else:
        console().print(answer_view(answer))


@click.command()
@click.argument("challenge")
@click.argument("signals", nargs=-1, required=True)
@results_option
@click.option("--reason", required=True, help="Written down beside the decision.")
@click.option("--yes", "is_sure", is_flag=True, help="Don't ask.")
def reveal(
    challenge: str, signals: tuple[str, ...], results: Path, reason: str, is_sure: bool
) -> None:
    """Show hidden SIGNALS of CHALLENGE on all public pages: what is public stays public."""
    from datetime import UTC, datetime

    from harness.board.reveal import check_revealable, reveal_signals

    cards = check_revealable(results, challenge, signals)
    click.echo(f"{', '.join(signals)}: on {cards} cards of {challenge}", err=True)
    if not is_sure:
        _confirm("show their figures to everyone? This can't be undone")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = reveal_signals(results, challenge, signals, reason=reason, decided=now)
    click.echo(f"revealed; written down in {path}")


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """Read NAME=VALUE, given as often as one likes."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise UsageError(Problem(what=f"{option} {text}", expected=f"{option} NAME=VALUE"))
        if name in found:
            raise UsageError(Problem(what=f"{option} names {name} twice", expected="once"))
        found[name] = value
    return found


def _share(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            Problem(what=f"--signal {name}={text}", expected="a number between 0 and 1")
        ) from None


def _secret(passphrase_file: Path | None, key_file: Path | None, *, is_new: bool) -> Secret:
    """Take the passphrase from its file, or ask for it; or take the key file."""
    from harness.blackbox.seal import Secret

    if passphrase_file is not None and key_file is not None:
        raise UsageError("give --passphrase-file or --key-file, not both")
    if key_file is not None:
        return Secret(key_file=key_file)
    if passphrase_file is None:
        return Secret(passphrase=_ask(is_new=is_new))
    with passphrase_file.open("rb") as file:
        line = file.readline(4096).rstrip(b"\r\n")
    try:
        return Secret(passphrase=line.decode("utf-8"))
    except UnicodeDecodeError:
        raise UsageError(
            Problem(what="its first line is no UTF-8 text", where=str(passphrase_file))
        ) from None


def _confirm(question: str) -> None:
    import sys

    if not sys.stdin.isatty():
        raise UsageError(Problem(what="there is no terminal to ask on", fix="give --yes"))
    click.confirm(question, abort=True, err=True)


def _ask(*, is_new: bool) -> str:
    import sys

    if not sys.stdin.isatty():
        raise UsageError(
            Problem(
                what="there is no terminal to ask for the passphrase",
                fix="give --passphrase-file or --key-file",
            )
        )
    asked: str = click.prompt(
        "passphrase of the key", hide_input=True, confirmation_prompt=is_new, err=True
    )
    return asked
