"""Commands on black boxes, result files and hidden signals: blackbox, import, export, reveal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import (
    FILE,
    json_option,
    manifest_option,
    pairs_of,
    results_option,
    submissions_option,
    unsafe_option,
)
from harness.cli.output import print_result, progress, tell
from harness.errors import InvalidSubmissionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.blackbox.seal import Secret
    from harness.card.run import IsolationKind

_passphrase_option = click.option(
    "--passphrase-file",
    type=FILE,
    help="File whose first line is the passphrase; without it you are asked.",
)
_key_file_option = click.option(
    "--key-file",
    type=FILE,
    help="File of a random key, instead of a passphrase; `make` writes it if it is not there.",
)
_read_unsafe_option = unsafe_option("Read the result without a sandbox: your own file only.")
_box_option = click.option(
    "--blackbox", "box_path", type=FILE, help="The black box, where it is not the challenge's own."
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
    metavar="NAME=SHARE",
    help="A signal, and the share of the box that it is to be; may be given again.",
)
@click.option("--no-signal", is_flag=True, help="A box of background alone.")
@click.option(
    "--mass",
    "masses",
    multiple=True,
    metavar="NAME=GEV",
    help="Mass of a signal's new particle, for answers that claim one.",
)
@click.option(
    "--luminosity", "luminosity_fb", type=float, help="Of the box [1/fb], for a cross-section."
)
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="NAME=FILE.h5",
    help="File of the events of a signal, or of `background`; else the challenge's test events.",
)
@click.option("--events", "n_events", type=int, help="Events of the box; else as many as can be.")
@click.option("--out", type=FILE, required=True)
@click.option(
    "--key", "key_path", type=FILE, required=True, help="Where the sealed key is written."
)
@_passphrase_option
@_key_file_option
@json_option
def make(
    challenge: str,
    *,
    manifests: tuple[Path, ...],
    shares: tuple[str, ...],
    no_signal: bool,
    masses: tuple[str, ...],
    luminosity_fb: float | None,
    sources: tuple[str, ...],
    n_events: int | None,
    out: Path,
    key_path: Path,
    passphrase_file: Path | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Mix background and hidden signals into a black box of CHALLENGE; seal what is what."""
    from harness.blackbox.make import make_blackbox
    from harness.blackbox.view import box_view
    from harness.cli.progress import progress_bars

    fractions = {n: _number("--signal", n, v) for n, v in _named("--signal", shares).items()}
    if bool(fractions) == no_signal:
        raise UsageError("give --signal NAME=SHARE, or --no-signal for a box of background alone")
    secret = _secret(passphrase_file, key_file, ask=lambda: _ask(is_new=True))
    with progress_bars() as progress:
        sealed = make_blackbox(
            challenge,
            fractions,
            out=out,
            key_path=key_path,
            secret=secret,
            n_events=n_events,
            masses_gev={n: _number("--mass", n, v) for n, v in _named("--mass", masses).items()},
            luminosity_fb=luminosity_fb,
            files={name: Path(path) for name, path in _named("--from", sources).items()},
            manifests=manifests,
            progress=progress,
        )
    public = sealed.key.model_dump(mode="json", exclude={"signals"})
    print_result(public, box_view(sealed), as_json=as_json)
    for warning in sealed.box.warnings:
        tell(f"warning: {warning}")


@blackbox.command("score")
@click.argument("result", type=FILE)
@click.option(
    "--key", "key_path", type=FILE, required=True, help="The sealed key of the black box."
)
@_passphrase_option
@_key_file_option
@_read_unsafe_option
@json_option
def score_box(
    result: Path,
    key_path: Path,
    passphrase_file: Path | None,
    key_file: Path | None,
    isolation: IsolationKind,
    as_json: bool,
) -> None:
    """Count the true signals among the events that RESULT names."""
    from harness.blackbox.score import score_blackbox
    from harness.blackbox.view import box_score_view

    scored = score_blackbox(
        result,
        key_path=key_path,
        secret=_secret(passphrase_file, key_file, ask=lambda: _ask_for(key_path)),
        isolation=isolation,
    )
    print_result(scored, box_score_view(scored), as_json=as_json)


@blackbox.command()
@click.argument("challenge")
@manifest_option
@click.option("--box", "box_path", type=FILE, required=True, help="The box, as it was published.")
@click.option(
    "--master-key", type=FILE, required=True, help="Text: 0 or 1 on a line for each event."
)
@click.option("--process", default="signal", show_default=True, help="Name of its signal.")
@click.option("--title", help="How the signal is printed. [default: its name]")
@click.option("--mass", "mass_gev", type=float, help="Of the new particle [GeV].")
@click.option("--luminosity", "luminosity_fb", type=float, help="Of the box [1/fb].")
@click.option("--key", "out", type=FILE, required=True, help="Where the sealed key is written.")
@_passphrase_option
@_key_file_option
@json_option
def adopt(
    challenge: str,
    *,
    manifests: tuple[Path, ...],
    box_path: Path,
    master_key: Path,
    process: str,
    title: str | None,
    mass_gev: float | None,
    luminosity_fb: float | None,
    out: Path,
    passphrase_file: Path | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Make the sealed key of a box of others from its master key, as the LHC Olympics has."""
    from harness.blackbox.master_key import KnownSignal, seal_master_key
    from harness.blackbox.view import key_view
    from harness.data.manifest import load_manifest

    key = seal_master_key(
        load_manifest(*manifests).challenge(challenge),
        box_path,
        master_key,
        KnownSignal(process=process, title=title or process, mass_gev=mass_gev),
        out=out,
        secret=_secret(passphrase_file, key_file, ask=lambda: _ask(is_new=True)),
        luminosity_fb=luminosity_fb,
    )
    print_result(key.model_dump(mode="json", exclude={"signals"}), key_view(key), as_json=as_json)


@blackbox.command("check")
@click.argument("claim", type=FILE)
@json_option
def check_claim(claim: Path, as_json: bool) -> None:
    """Read an answer, CLAIM.yaml, and say everything that is wrong with it."""
    from harness.blackbox.claim import read_claim
    from harness.blackbox.view import claim_view

    found = read_claim(claim)
    print_result(found, claim_view(found), as_json=as_json)


@blackbox.command("open")
@click.argument("claims", nargs=-1, type=FILE, metavar="CLAIM...")
@click.option(
    "--key", "key_path", type=FILE, required=True, help="The sealed key of the black box."
)
@_box_option
@_passphrase_option
@_key_file_option
@results_option
@json_option
def open_box(
    claims: tuple[Path, ...],
    key_path: Path,
    box_path: Path | None,
    passphrase_file: Path | None,
    key_file: Path | None,
    results: Path,
    as_json: bool,
) -> None:
    """Score all answers to a box by its key, and show them and the truth on the board."""
    from harness.blackbox.claim import open_box as open_it
    from harness.board.view import opened_view

    opened, path = open_it(
        claims,
        key_path=key_path,
        secret=_secret(passphrase_file, key_file, ask=lambda: _ask_for(key_path)),
        results=results,
        box_path=box_path,
    )
    print_result(opened, opened_view(opened), as_json=as_json)
    tell(f"written to {path}")


@blackbox.command()
@click.argument("challenge")
@results_option
@json_option
def answers(challenge: str, results: Path, as_json: bool) -> None:
    """Show the answers to the boxes of CHALLENGE that were opened."""
    from harness.board.answers import read_opened
    from harness.board.view import opened_view
    from harness.cli.output import print_json

    found = read_opened(results, challenge)
    if not found:
        raise UsageError(
            f"no box of {challenge} was opened", fix="harness blackbox open CLAIM... --key KEY"
        )
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    for one in found:
        print_result(one, opened_view(one), as_json=False)


@click.command("import")
@click.argument("result", type=FILE)
@click.option(
    "--challenge", default="adc2021", show_default=True, help="Whose black box it answers."
)
@manifest_option
@_box_option
@_read_unsafe_option
@json_option
def import_(
    result: Path,
    challenge: str,
    manifests: tuple[Path, ...],
    box_path: Path | None,
    isolation: IsolationKind,
    as_json: bool,
) -> None:
    """Read a RESULT file of the ADC2021 challenge, and say everything that is wrong with it."""
    from harness.blackbox.result import import_result
    from harness.blackbox.view import import_view

    found = import_result(
        result, challenge=challenge, blackbox=box_path, manifests=manifests, isolation=isolation
    )
    print_result(found.as_dict(), import_view(found), as_json=as_json)
    if found.check.faults:
        raise InvalidSubmissionError(*found.check.faults)


@click.command("export")
@click.argument("source", metavar="CARD|SUBMISSION", type=click.Path(path_type=Path, exists=True))
@click.option("--adc2021", "is_adc2021", is_flag=True, required=True, help="In this form.")
@click.option("--out", type=FILE, required=True)
@click.option("--challenge", help="Whose black box; else the card's challenge, or adc2021.")
@manifest_option
@_box_option
@results_option
@submissions_option("Where the submission of a card lies.")
@unsafe_option()
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
    isolation: IsolationKind,
    as_json: bool,
) -> None:
    """Score the black box with a submission; write the challenge's result file."""
    from harness.blackbox.answer import export_answer
    from harness.blackbox.view import answer_view

    del is_adc2021  # There is no other form; that it has to be asked for keeps room for one.
    answer = export_answer(
        source,
        out,
        challenge=challenge,
        blackbox=box_path,
        manifests=manifests,
        results=results,
        submissions=submissions,
        isolation=isolation,
        progress=progress(),
    )
    print_result(answer, answer_view(answer), as_json=as_json)


@click.command()
@click.argument("challenge")
@click.argument("signals", nargs=-1, required=True)
@results_option
@click.option("--reason", required=True, help="Written down beside the decision.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
def reveal(
    challenge: str, signals: tuple[str, ...], results: Path, reason: str, is_sure: bool
) -> None:
    """Show hidden SIGNALS of CHALLENGE on all public pages: what is public stays public."""
    from datetime import UTC, datetime

    from harness.board.reveal import check_revealable, reveal_signals
    from harness.challenge import utc

    cards = check_revealable(results, challenge, signals)
    tell(f"{', '.join(signals)}: on {cards} cards of {challenge}")
    if not is_sure:
        _confirm("show their figures to everyone? This cannot be undone")
    now = utc(datetime.now(UTC))
    path = reveal_signals(results, challenge, signals, reason=reason, decided=now)
    tell(f"revealed; written down in {path}", is_error=False)


def _named(option: str, given: Sequence[str]) -> dict[str, str]:
    return pairs_of(option, given, f"{option} NAME=VALUE")


def _number(option: str, name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"{option} {name}={text}", expected=f"a number: {option} NAME=0.5"
        ) from None


def _secret(
    passphrase_file: Path | None, key_file: Path | None, *, ask: Callable[[], str | None]
) -> Secret:
    """Take the key file, or the passphrase from its file, or `ask` for it."""
    from harness.blackbox.seal import Secret

    if passphrase_file is not None and key_file is not None:
        raise UsageError("give --passphrase-file or --key-file, not both")
    if key_file is not None:
        return Secret(key_file=key_file)
    if passphrase_file is None:
        return Secret(passphrase=ask())
    with passphrase_file.open("rb") as file:
        line = file.readline(4096).rstrip(b"\r\n")
    try:
        return Secret(passphrase=line.decode("utf-8"))
    except UnicodeDecodeError:
        raise UsageError("its first line is no UTF-8 text", where=str(passphrase_file)) from None


def _ask_for(key_path: Path) -> str | None:
    """Ask for the passphrase of a key, if a passphrase opens it."""
    from harness.blackbox.seal import kind_of_secret

    return _ask(is_new=False) if kind_of_secret(key_path) == "passphrase" else None


def _ask(*, is_new: bool) -> str:
    _check_terminal("the passphrase", fix="give --passphrase-file or --key-file")
    answer: str = click.prompt(
        "passphrase of the key", hide_input=True, confirmation_prompt=is_new, err=True
    )
    return answer


def _confirm(question: str) -> None:
    _check_terminal("a confirmation", fix="give --yes")
    click.confirm(question, abort=True, err=True)


def _check_terminal(what: str, *, fix: str) -> None:
    import sys

    if not sys.stdin.isatty():
        raise UsageError(f"there is no terminal to ask for {what}", fix=fix)
