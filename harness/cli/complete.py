"""What a shell offers to complete: challenges, folders of submissions, score cards.

A shell asks while somebody types: whatever is wrong, nothing is offered and nothing is said.
"""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem


def challenge_names(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the challenges of the shipped manifest and of those that were named before."""
    from harness.data.manifest import load_manifest
    from harness.errors import HarnessError

    try:
        manifest = load_manifest(*context.params.get("manifests", ()))
    except HarnessError:
        return []
    return [
        CompletionItem(one.name, help=one.title)
        for one in manifest.challenges
        if one.name.startswith(incomplete)
    ]


def team_folders(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the folders that hold a submission, and else what a shell offers."""
    found = _below("submissions/*/submission.yaml", incomplete, is_folder=True)
    return found or [CompletionItem(incomplete, type="dir")]


def card_names(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the score cards of the folder `results`, and else what a shell offers."""
    found = _below("results/*/*/*.json", incomplete, is_folder=False)
    return found or [CompletionItem(incomplete, type="file")]


def _below(pattern: str, incomplete: str, *, is_folder: bool) -> list[CompletionItem]:
    """Find paths of a pattern, which begin with what was typed or whose team does."""
    found = []
    for path in sorted(Path().glob(pattern)):
        shown = path.parent if is_folder else path
        if incomplete in {shown.as_posix()[: len(incomplete)], path.parent.name[: len(incomplete)]}:
            found.append(CompletionItem(shown.as_posix()))
    return found
