"""The whole life cycle on your own machine: all steps of a pull request from this clone.

The fork is this clone; the upstream is a copy of it in a scratch folder. There the branch, with the
present content of `submissions/`, is planned, scored, commented on, merged and published. No
branch, index or file of the clone changes, and no network is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.ci.comment import comment_on_folder, read_rivals
from harness.ci.documents import Plan, Summary
from harness.ci.folders import SUBMISSIONS
from harness.ci.git import Repository, identity
from harness.ci.history import BoardFolder
from harness.ci.intake import ScoringSettings, SubmittedFiles, read_tree, score_plan, write_artefact
from harness.ci.plan import make_plan
from harness.ci.publish import publish_declared
from harness.ci.session import write_site
from harness.errors import UsageError
from harness.files import write_whole
from harness.sandbox.scratch import scratch_folder

# Where a pull request would go to, the first that there is.
_BASES = ("upstream/main", "origin/main", "main", "origin/master", "master")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """The results of a rehearsal.

    Attributes
    ----------
    summary : Summary
        The pull request's run.
    comment : str
        What would be posted under it.
    published : Summary or None
        The run on the main branch after the merge; None where nothing would be merged.
    site : Path or None
        The pages; None where there are none.
    """

    summary: Summary
    comment: str
    published: Summary | None = None
    site: Path | None = None


def rehearse(
    clone: Path,
    out: Path,
    settings: ScoringSettings,
    *,
    base: str | None = None,
    author: str | None = None,
) -> Rehearsal:
    """Play a pull request from `clone` through, up to the published pages.

    Parameters
    ----------
    clone : Path
        Any folder of the clone.
    out : Path
        Receives ``artefact/``, ``comment.md`` and the pages in ``board/docs``.
    settings : ScoringSettings
        Its `results` are where cards go.
    base : str, optional
        Where the pull request would go to.
    author : str, optional
        Account that would open it.
    """
    with scratch_folder() as scratch:
        others = () if settings.declared is None else settings.declared.challenges
        rivals = read_rivals(settings.results, settings.rules, others)
        upstream, start, head = _open(clone, scratch / "upstream.git", base)
        plan = make_plan(
            upstream,
            base=start,
            head=head,
            intake=settings.rules.intake,
            author=author,
            challenges=settings.declared,
        )
        summary = score_plan(upstream, plan, settings)
        summary = write_artefact(summary, settings.results, out / "artefact")
        comment = comment_on_folder(out / "artefact", rivals)
        write_whole(out / "comment.md", f"{comment}\n".encode())
        if plan.kind != "submissions":
            return Rehearsal(summary=summary, comment=comment)
        published = _published(_merged(upstream, summary, plan), settings)
        board = BoardFolder(out / "board")
        is_new = bool(published.scorings)
        site = write_site(settings.results, settings.manifests, board.site) if is_new else None
        return Rehearsal(summary=summary, comment=comment, published=published, site=site)


def _published(handed: Sequence[SubmittedFiles], settings: ScoringSettings) -> Summary:
    """Score what a merge would bring as the main branch does, on every challenge."""
    made = publish_declared(handed, settings)
    scorings = tuple(one for summary in made for one in summary.scorings)
    return Summary(challenge=settings.rules.name, plan=None, scorings=scorings)


def _merged(upstream: Repository, summary: Summary, plan: Plan) -> list[SubmittedFiles]:
    """Read what a merge would bring to the main branch, without the submissions that failed."""
    good = {one.team for one in summary.scorings if one.status != "failed"}
    return [
        read_tree(upstream, one.team, one.tree)
        for one in plan.to_score
        if one.tree and one.team in good
    ]


def _open(clone: Path, place: Path, base: str | None) -> tuple[Repository, str, str]:
    """Copy the clone, and commit there what its branch and its submissions are now."""
    own = Repository(clone, has_own_settings=True)
    code, answer = own.run("rev-parse", "--show-toplevel", allowed=(0, 128))
    if code:
        raise UsageError(
            "is in no git repository",
            where=str(clone.resolve()),
            expected="a clone of the benchmark's repository",
            fix="git clone it, or `git init` and commit once",
        )
    top = Path(answer.decode(errors="surrogateescape").rstrip("\n"))
    start = _base(own, base)
    own.run("clone", "--quiet", "--bare", "--shared", "--", str(top), str(place.resolve()))
    upstream = Repository(place)
    variables = {
        "GIT_INDEX_FILE": str(place / "rehearsal.index"),
        "GIT_WORK_TREE": str(top),
        "GIT_DIR": str(place.resolve()),
    }
    # As this user's `git add` does: with the filters and the ignored names of the clone.
    adding = Repository(top, has_own_settings=True)
    branch = own.resolve("HEAD")
    adding.run("read-tree", branch, variables=variables)
    if (top / SUBMISSIONS).is_dir():
        adding.run("add", "--all", "--", SUBMISSIONS, variables=variables)
    tree = adding.text("write-tree", variables=variables)
    head = upstream.text(
        *("commit-tree", tree, "-p", branch, "-m", "what a pull request would bring"),
        variables=identity("you"),
    )
    return upstream, start, head


def _base(own: Repository, base: str | None) -> str:
    if base is not None:
        return own.resolve(base)
    found = (own.find(f"{name}^{{commit}}") for name in _BASES)
    if (commit := next(filter(None, found), None)) is not None:
        return commit
    raise UsageError(
        "no main branch was found",
        expected=f"one of {', '.join(_BASES)}",
        fix="name it with --base",
    )
